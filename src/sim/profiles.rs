//! The table of straps.

use super::profile::{
    After, ContactTrait, Deaf, Diagnosis, Every, PLAIN, Profile, Rounding, RrSource, Tail, Traits, Unit,
};
use crate::verdict::FindingId::{self, *};
use crate::verdict::{SmoothingVerdict as Smooth, Units, Worn};

/// Nothing to complain about.
const FINE: Diagnosis = Diagnosis { findings: &[], units: Units::Ticks1024, smoothing: Smooth::None, worn: Worn::Worn };

/// These findings, and nothing else.
const fn only(findings: &'static [FindingId]) -> Diagnosis {
    Diagnosis { findings, ..FINE }
}

/// The strap is taken off (or hangs) after ten of the fifteen minutes.
const fn deaf(then: After, taken_off: bool) -> Option<Deaf> {
    Some(Deaf { from_s: 600, then, taken_off, link_drops_after_s: None })
}

const fn row(
    id: &'static str,
    quirks: &'static [u8],
    sentence: &'static str,
    traits: Traits,
    diagnosis: Diagnosis,
) -> Profile {
    Profile { id, sentence, quirks, traits, diagnosis }
}

const HONEST: Traits = Traits { contact: ContactTrait::Honest, ..PLAIN };

#[rustfmt::skip]
pub(super) const TABLE: &[Profile] = &[
    // --- straps that do nothing wrong: no finding is the diagnosis
    row("plain", &[3], "A chest strap without contact detection, one notification a second (flags 0x10).", PLAIN, FINE),
    row("contact", &[3], "A chest strap with an honest contact bit (flags 0x16).", HONEST, FINE),
    row("contact_late", &[4], "Says \"no contact\" in the first eight seconds although the beats are good.",
        Traits { contact: ContactTrait::Late(8), ..PLAIN }, FINE),
    row("energy", &[19], "Sends the energy field, which shifts the intervals by two bytes.", Traits { energy: true, ..HONEST }, FINE),
    row("wide_hr", &[], "Sends heart rate as 16 bits.", Traits { wide_hr: true, ..PLAIN }, FINE),
    row("per_beat", &[15], "Notifies with each beat instead of once a second.", Traits { period_ms: 0, ..PLAIN }, FINE),
    row("two_seconds", &[15], "Notifies every two seconds with all beats since.", Traits { period_ms: 2000, ..PLAIN }, FINE),
    row("bursts", &[16], "Holds notifications back for up to 2.5 s, so that intervals run ahead of the wall clock for a moment.",
        Traits { stall: Some(Every { every_s: 17, length_ds: 25 }), jitter_ms: 300, ..PLAIN }, FINE),
    row("rounds_up", &[18], "Rounds each interval up; 0.05 % at most, below what any clock shows in a session.",
        Traits { rounding: Rounding::Ceil, ..PLAIN }, FINE),
    row("truncates", &[18], "Cuts each interval down to a whole tick.", Traits { rounding: Rounding::Floor, ..PLAIN }, FINE),
    row("no_battery", &[20, 21], "Has neither battery level nor body location.", Traits { battery_pct: None, ..PLAIN }, FINE),
    row("loose_in_motion", &[9], "Good at rest; above 110 bpm it misses and doubles beats as the belt moves.",
        Traits { moving: (110, 60, 60), ..PLAIN }, FINE),
    row("misses_and_doubles", &[], "Misses one beat in 200 and sees as many too many: work for the artifact stage, no fault of the strap.",
        Traits { missed_per_1000: 5, extra_per_1000: 5, ..PLAIN }, FINE),

    // --- units and intervals
    row("milliseconds", &[17], "Writes intervals in ms instead of 1/1024 s; everything reads 2.3 % too short.",
        Traits { unit: Unit::Milliseconds, ..PLAIN }, Diagnosis { units: Units::Milliseconds, ..only(&[RrInMilliseconds]) }),
    row("milliseconds_floor", &[17, 18], "The same, with the fraction cut off.",
        Traits { unit: Unit::Milliseconds, rounding: Rounding::Floor, ..HONEST },
        Diagnosis { units: Units::Milliseconds, ..only(&[RrInMilliseconds]) }),
    row("garmin_extra_rr", &[11], "Adds a bogus interval of 52 ms to every sixth packet (10 38 2d 04 35 00).",
        Traits { bogus_every: 6, ..PLAIN }, only(&[ExtraShortRr])),
    row("rr_twice", &[13], "Sends the newest interval twice in every fourth packet (16 77 08 02 08 02).",
        Traits { twice_every: 4, ..HONEST }, Diagnosis { units: Units::Unknown, ..only(&[RepeatedRr]) }),
    row("fixed_rate", &[13], "Notifies five times a second and repeats the newest interval when there is no new one.",
        Traits { period_ms: 200, jitter_ms: 20, rr: RrSource::FixedRate, ..PLAIN },
        Diagnosis { units: Units::Unknown, ..only(&[RepeatedRr]) }),
    row("empty_then_high", &[14], "Loses the heart for four seconds each 40 s; the first interval after that is 60 % too high.",
        Traits { dropout: Some((Every { every_s: 40, length_ds: 40 }, 160)), ..PLAIN },
        Diagnosis { units: Units::Unknown, ..only(&[RrDropouts]) }),
    row("optical_smoothed", &[6, 7], "An optical armband that sends means of eight beats and always claims contact.",
        Traits { rr: RrSource::Mean(8), contact: ContactTrait::AlwaysGood, ..PLAIN },
        Diagnosis { smoothing: Smooth::Smoothed, ..only(&[SmoothedRr]) }),
    row("optical_from_hr", &[7], "Calculates its intervals from its own smoothed heart rate: each is 60/HR.",
        Traits { rr: RrSource::FromHeartRate, ..PLAIN },
        Diagnosis { units: Units::Unknown, smoothing: Smooth::FromHeartRate, ..only(&[RrFromHeartRate]) }),
    row("hr_only", &[8], "Sends heart rate and contact but never an interval.",
        Traits { rr: RrSource::None, ..HONEST },
        Diagnosis { units: Units::Unknown, smoothing: Smooth::Unknown, ..only(&[NoRr]) }),
    row("watch_broadcast", &[34], "A watch that broadcasts heart rate alone.",
        Traits { rr: RrSource::None, battery_pct: None, ..PLAIN },
        Diagnosis { units: Units::Unknown, smoothing: Smooth::Unknown, worn: Worn::Unsure, ..only(&[NoRr]) }),

    // --- electrodes, contact, taken off
    row("dry_start", &[25], "Dry electrodes: noise, and too high a rate, in the first three minutes.",
        Traits { dry: (180, 60, 150), ..PLAIN }, only(&[DryStart])),
    row("bad_electrodes", &[25, 39], "An ageing belt: every tenth interval is wrong, and it does not get better.",
        Traits { dry: (u16::MAX, 40, 90), ..HONEST }, only(&[Noisy])),
    row("contact_always_lost", &[4], "Says \"no contact\" for the whole session although the beats are good.",
        Traits { contact: ContactTrait::AlwaysLost, ..PLAIN }, only(&[ContactFalselyLost])),
    row("contact_stuck_good", &[6], "Claims contact after it was taken off, and sends noise.",
        Traits { contact: ContactTrait::AlwaysGood, deaf: deaf(After::Garbage, true), ..PLAIN },
        Diagnosis { worn: Worn::Unsure, ..only(&[ContactFalselyGood, Noisy]) }),
    row("off_honest", &[5], "Taken off; the contact bit says so and heart rate goes on alone.",
        Traits { deaf: deaf(After::HeartRateOnly, true), ..HONEST }, Diagnosis { worn: Worn::NotWorn, ..FINE }),
    row("off_hr_goes_on", &[5], "Taken off, without contact detection; heart rate goes on alone.",
        Traits { deaf: deaf(After::HeartRateOnly, true), ..PLAIN },
        Diagnosis { worn: Worn::NotWorn, ..only(&[RrStopped]) }),
    row("off_garbage", &[5], "Taken off but moved: values from nothing.",
        Traits { deaf: deaf(After::Garbage, true), ..PLAIN }, Diagnosis { worn: Worn::Unsure, ..only(&[Noisy]) }),
    row("off_link_drops", &[22], "Taken off; 45 s later it ends the link by itself.",
        Traits { deaf: Some(Deaf { from_s: 600, then: After::HeartRateOnly, taken_off: true, link_drops_after_s: Some(45) }), ..PLAIN },
        Diagnosis { worn: Worn::NotWorn, ..only(&[RrStopped]) }),
    row("off_powers_off", &[24], "Taken off; it says nothing more and switches itself off 30 s later.",
        Traits { deaf: Some(Deaf { from_s: 600, then: After::Nothing, taken_off: true, link_drops_after_s: Some(30) }), ..PLAIN },
        Diagnosis { worn: Worn::Unsure, ..FINE }),
    row("flat_line", &[26], "Hangs at 122 bpm with intervals to match.",
        Traits { deaf: deaf(After::Constant(122), false), ..PLAIN }, Diagnosis { worn: Worn::Unsure, ..only(&[FlatLine]) }),
    row("frozen_hr", &[26, 8], "Hangs at 122 bpm from the first packet and never sends an interval.",
        Traits { rr: RrSource::None, deaf: Some(Deaf { from_s: 0, then: After::Constant(122), taken_off: false, link_drops_after_s: None }), ..PLAIN },
        Diagnosis { units: Units::Unknown, smoothing: Smooth::Unknown, worn: Worn::Unsure, ..only(&[NoRr, FlatLine]) }),

    // --- packets and the radio
    row("odd_tail", &[], "Appends an odd byte to every seventh packet.", Traits { tail: Tail::Odd(7), ..PLAIN }, only(&[Malformed])),
    row("stale_tail", &[], "Leaves bytes of the packet before behind a packet without intervals.",
        Traits { tail: Tail::Stale, ..PLAIN }, only(&[Malformed])),
    row("doubled", &[31], "Each notification is delivered twice within milliseconds.",
        Traits { doubled_ms: 3, ..PLAIN }, only(&[DoubledDelivery])),
    row("doubled_hr_only", &[31, 8], "The same for a source without intervals.",
        Traits { doubled_ms: 3, rr: RrSource::None, ..PLAIN },
        Diagnosis { units: Units::Unknown, smoothing: Smooth::Unknown, worn: Worn::Unsure, ..only(&[DoubledDelivery, NoRr]) }),
    row("lossy", &[28], "One notification in eight is lost on the air.",
        Traits { lost_per_1000: 125, ..PLAIN }, Diagnosis { units: Units::Unknown, ..only(&[LostBeats]) }),
    row("stalls", &[16, 28], "The link stalls for eight seconds each minute and then delivers everything at once.",
        Traits { stall: Some(Every { every_s: 60, length_ds: 80 }), ..PLAIN }, only(&[Stalls])),
    row("silent", &[12], "Takes the subscription and never sends anything; its link is told as silent.",
        Traits { silent: true, ..PLAIN },
        Diagnosis { units: Units::Unknown, smoothing: Smooth::Unknown, worn: Worn::Unsure, findings: &[] }),
    row("stored_rr", &[], "The link is away for 20 s every 200 s; what was not sent meanwhile is sent in one go after that.",
        Traits { stores_while_away: Some(Every { every_s: 200, length_ds: 200 }), ..PLAIN }, FINE),
    row("drops_30s", &[27], "The link dies 30 s after each connect: connection parameters were refused.",
        Traits { drops_after_s: 30, ..PLAIN }, Diagnosis { units: Units::Unknown, ..only(&[DropsEvery30s]) }),
];
