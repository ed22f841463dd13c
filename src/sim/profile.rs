//! What straps do, as data: a profile is a description, and one machine ([`super::ProfileStrap`]) plays them all.

use crate::verdict::{FindingId, SmoothingVerdict, Units, Worn};

/// A kind of strap, or one of its faults, and the diagnosis that we must give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Short name.
    pub id: &'static str,
    /// What it does, in one sentence.
    pub sentence: &'static str,
    /// Numbers of the strap quirks that it plays (docs/straps.md).
    pub quirks: &'static [u8],
    /// How it behaves.
    pub traits: Traits,
    /// What must be said about it after fifteen minutes at rest.
    pub diagnosis: Diagnosis,
}

/// What must be said about a strap: exactly these findings, no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Findings.
    pub findings: &'static [FindingId],
    /// Units of its intervals.
    pub units: Units,
    /// Whether it smooths.
    pub smoothing: SmoothingVerdict,
    /// Whether it is worn at the end.
    pub worn: Worn,
}

/// Units in which a strap writes RR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 1/1024 s, as the service demands.
    Ticks,
    /// Milliseconds.
    Milliseconds,
}

/// How a strap makes whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest.
    Nearest,
    /// Down.
    Floor,
    /// Up.
    Ceil,
}

/// What a strap says about skin contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactTrait {
    /// It has no contact detection.
    Unsupported,
    /// The truth.
    Honest,
    /// Always "good".
    AlwaysGood,
    /// Always "lost".
    AlwaysLost,
    /// "Lost" for the first seconds of a link.
    Late(u16),
}

/// Where a strap's RR come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RrSource {
    /// Each beat.
    Beats,
    /// It sends none.
    None,
    /// The newest interval again in each packet that has no new one.
    FixedRate,
    /// 60/HR for each beat.
    FromHeartRate,
    /// The mean of the last beats.
    Mean(u8),
}

/// What follows the announced fields of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    None,
    /// One odd byte after the intervals of every so many packets.
    Odd(u16),
    /// Old bytes of a longer packet when there is no interval.
    Stale,
}

/// Something that happens again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    /// Period, s.
    pub every_s: u16,
    /// Length, s/10.
    pub length_ds: u16,
}

/// What a strap sends once it no longer hears the heart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Heart rate alone, frozen.
    HeartRateOnly,
    /// This rate and its interval, for ever.
    Constant(u16),
    /// Anything.
    Garbage,
    /// No notification at all.
    Nothing,
}

/// The strap no longer hears the heart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deaf {
    /// From then on, s.
    pub from_s: u16,
    /// What it sends.
    pub then: After,
    /// Whether because it was taken off (else it hangs).
    pub taken_off: bool,
    /// How long after that it ends the link, s.
    pub link_drops_after_s: Option<u16>,
}

/// Everything a strap can do otherwise than [`PLAIN`]. A rate or period of 0 means never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traits {
    /// Units on the wire.
    pub unit: Unit,
    /// Rounding on the wire.
    pub rounding: Rounding,
    /// Skin contact.
    pub contact: ContactTrait,
    /// Energy field in every packet.
    pub energy: bool,
    /// 16-bit heart rate though 8 would do.
    pub wide_hr: bool,
    /// Bytes after the fields.
    pub tail: Tail,
    /// Source of RR.
    pub rr: RrSource,
    /// Time between notifications, ms; 0 notifies with each beat.
    pub period_ms: u16,
    /// The newest interval is sent twice in every so many packets.
    pub twice_every: u16,
    /// A bogus interval of 53 ticks more in every so many packets.
    pub bogus_every: u16,
    /// Beats missed by the strap among a thousand.
    pub missed_per_1000: u16,
    /// Beats too many seen by the strap among a thousand.
    pub extra_per_1000: u16,
    /// The same two in the first seconds, while the electrodes are dry: (seconds, missed, extra).
    pub dry: (u16, u16, u16),
    /// The same two while the heart beats faster than so many times a minute: (bpm, missed, extra).
    pub moving: (u16, u16, u16),
    /// No beats are detected for a while; the first interval after that is too high by this many per cent.
    pub dropout: Option<(Every, u16)>,
    /// The strap goes deaf.
    pub deaf: Option<Deaf>,
    /// Each notification is delivered twice, this many ms apart.
    pub doubled_ms: u16,
    /// The subscription is taken and no notification ever comes.
    pub silent: bool,
    /// Notifications lost among a thousand.
    pub lost_per_1000: u16,
    /// The link stalls, then delivers everything at once.
    pub stall: Option<Every>,
    /// Notifications come late by up to this many ms.
    pub jitter_ms: u16,
    /// The link drops this many s after each connect, and returns 5 s later.
    pub drops_after_s: u16,
    /// The link is away now and then; what was not sent meanwhile is sent in one go when it is back.
    pub stores_while_away: Option<Every>,
    /// Battery level told.
    pub battery_pct: Option<u8>,
}

/// A strap without any fault and without contact detection.
pub const PLAIN: Traits = Traits {
    unit: Unit::Ticks,
    rounding: Rounding::Nearest,
    contact: ContactTrait::Unsupported,
    energy: false,
    wide_hr: false,
    tail: Tail::None,
    rr: RrSource::Beats,
    period_ms: 1000,
    twice_every: 0,
    bogus_every: 0,
    missed_per_1000: 0,
    extra_per_1000: 0,
    dry: (0, 0, 0),
    moving: (0, 0, 0),
    dropout: None,
    deaf: None,
    doubled_ms: 0,
    silent: false,
    lost_per_1000: 0,
    stall: None,
    jitter_ms: 60,
    drops_after_s: 0,
    stores_while_away: None,
    battery_pct: Some(87),
};

impl Profile {
    /// Every profile.
    pub fn all() -> &'static [Profile] {
        super::profiles::TABLE
    }

    /// The profile of this name.
    pub fn by_id(id: &str) -> Option<&'static Profile> {
        Self::all().iter().find(|p| p.id == id)
    }
}
