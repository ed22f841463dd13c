//! What a check says while it runs and when it ends.

use super::grade::Grade;
use crate::engine::Trigger;
use crate::units::{AthleteId, Mono, StrapId};
use crate::verdict::{FindingId, Trust, Units};
use std::fmt;
use std::str::FromStr;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }
        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// Stable English word for JSON, topics and the store.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.as_str() == s).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|v| v.as_str()).collect();
                    format!("'{s}' is none of {}", all.join(", "))
                })
            }
        }
        #[cfg(feature = "daemon")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> { to.serialize_str(self.as_str()) }
        }
        #[cfg(feature = "daemon")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How the person lay, sat or stood. Values of different postures are never compared.
    Posture {
        /// On the back.
        Supine = "supine",
        /// Sitting.
        Seated = "seated",
        /// Standing.
        Standing = "standing",
    }
}

words! {
    /// Phase of a check.
    Phase {
        /// No check runs.
        Idle = "idle",
        /// Asked for; the strap does not deliver intervals yet.
        WaitingForStrap = "waiting_for_strap",
        /// Beats arrive; the first minute is thrown away.
        Settling = "settling",
        /// The two minutes that count.
        Recording = "recording",
        /// Computing; lasts no time at all.
        Grading = "grading",
        /// There is a result.
        Done = "done",
        /// Ended without one.
        Aborted = "aborted",
    }
}

words! {
    /// Why a check ended without a result.
    AbortCause {
        /// No strap delivered anything in time.
        NoStrap = "no_strap",
        /// The strap went away in the middle and did not come back in time.
        StrapLost = "strap_lost",
        /// Heart rate came, but no RR intervals (a watch in broadcast mode, a cheap band).
        NoRr = "no_rr",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// The athlete or the strap was removed from the roster.
        Removed = "removed",
    }
}

words! {
    /// What the person can do right now.
    Hint {
        /// Put the strap on.
        PutOn = "put_on_strap",
        /// Moisten the electrodes.
        WetPads = "wet_the_pads",
        /// Keep still.
        KeepStill = "keep_still",
        /// Link is down; stay near the gateway.
        ComeCloser = "come_closer",
    }
}

words! {
    /// A remark on a valid result.
    Note {
        /// First and second half differ: not settled (grade one step down).
        NotSettled = "not_settled",
        /// Breathing slower than 9 a minute inflates RMSSD.
        SlowBreathing = "slow_breathing",
        /// The recording was extended because clean time was short.
        Extended = "extended",
        /// There was a drop-out inside.
        Gap = "gap",
        /// The clock could not tell yet whether the strap sends 1/1024 s; if it sends ms all times are 2.3 % short.
        UnitsUnproven = "units_unproven",
    }
}

words! {
    /// Why a result holds no values.
    WhyNone {
        /// Less than 60 s of clean intervals.
        TooShort = "too_little_clean_time",
        /// Fewer than 45 usable pairs of NN intervals.
        TooFewPairs = "too_few_pairs",
        /// More than 10 % of the intervals are artifacts.
        Artifacts = "too_many_artifacts",
        /// More than 10 % of the time has no beats.
        Coverage = "lost_beats",
        /// More beats came than there was time for: something delivers them twice.
        Doubled = "doubled_beats",
        /// Intervals are smoothed, as from an optical sensor.
        Smoothed = "smoothed_rr",
        /// Intervals are calculated from heart rate.
        Calculated = "rr_from_heart_rate",
        /// The strap sends intervals more than once.
        Repeated = "repeated_rr",
        /// Heart rate and intervals do not move: the strap hangs.
        Frozen = "flat_line",
        /// The intervals look like ms and that is not proven yet.
        Units = "units_unknown",
    }
}

impl WhyNone {
    /// Why no number may be made of a signal, if none may: for a check and for live values alike.
    pub fn of(trust: Trust) -> Option<Self> {
        match trust.trouble {
            Some(FindingId::SmoothedRr) => Some(Self::Smoothed),
            Some(FindingId::RrFromHeartRate) => Some(Self::Calculated),
            Some(FindingId::RepeatedRr | FindingId::RrAheadOfClock) => Some(Self::Repeated),
            Some(FindingId::FlatLine) => Some(Self::Frozen),
            _ if trust.units == Units::Unknown && trust.leaning == Units::Milliseconds => Some(Self::Units),
            _ => None,
        }
    }
}

/// Names one check for ever: boot, start and athlete make it unique and repeatable on replay.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckId(pub String);

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// State of a person's check: sent at each change of phase and once a second while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckStatus {
    /// Whose.
    pub athlete: AthleteId,
    /// Which check; `None` when idle.
    pub check: Option<CheckId>,
    /// By which strap, once known.
    pub strap: Option<StrapId>,
    /// Where it stands.
    pub phase: Phase,
    /// Whether this message reports a change of phase (progress otherwise).
    pub changed: bool,
    /// Seconds to the end of this phase.
    pub seconds_left: Option<u32>,
    /// Progress of the whole check, 0..=100.
    pub percent: u8,
    /// Live heart rate, bpm.
    pub hr_bpm: Option<u16>,
    /// Share of clean intervals so far in this phase, %.
    pub clean_pct: Option<f64>,
    /// What would help.
    pub hint: Option<Hint>,
    /// Why it ended, if it was aborted.
    pub cause: Option<AbortCause>,
}

/// The frozen outcome of a graded check. `values` is `None` when no honest number exists; then `why` says why.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    /// Which check.
    pub id: CheckId,
    /// Whose.
    pub athlete: AthleteId,
    /// By which strap.
    pub strap: StrapId,
    /// What started it.
    pub trigger: Trigger,
    /// Posture.
    pub posture: Posture,
    /// Start of the recording phase, time since boot.
    pub start: Mono,
    /// The same by the wall clock, if it was known.
    pub wall: Option<jiff::Timestamp>,
    /// Local date of the person's morning, if the clock was known.
    pub local_date: Option<jiff::civil::Date>,
    /// Length of the settling phase, s.
    pub settle_s: f64,
    /// Length of the recording window, s, drop-outs included.
    pub length_s: f64,
    /// Quality.
    pub grade: Grade,
    /// The numbers.
    pub values: Option<Values>,
    /// Why there are none.
    pub why: Option<WhyNone>,
    /// Intervals in the window, flagged ones included.
    pub n: u32,
    /// Pairs of neighbouring NN intervals behind RMSSD.
    pub pairs: u32,
    /// Flagged intervals, % of `n`.
    pub artifact_pct: f64,
    /// Sum of intervals over time outside marked drop-outs.
    pub coverage: f64,
    /// Time in marked gaps, s.
    pub gap_s: f64,
    /// Time in clean intervals, s.
    pub clean_s: f64,
    /// Remarks.
    pub notes: Vec<Note>,
    /// Version of all algorithms behind the numbers.
    pub algo_version: u32,
}

/// The numbers of a valid check; definitions in `docs/signal.md`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Values {
    /// RMSSD over NN pairs, ms.
    pub rmssd_ms: f64,
    /// Natural logarithm of RMSSD in ms.
    pub ln_rmssd: f64,
    /// 60000 / mean NN, bpm.
    pub mean_hr_bpm: f64,
    /// Mean NN, ms.
    pub mean_rr_ms: f64,
    /// Standard deviation of NN (n − 1), ms.
    pub sdnn_ms: f64,
    /// Share of NN pairs that differ by more than 50 ms, %.
    pub pnn50_pct: f64,
    /// lnRMSSD over mean NN in s: tells saturation (Stanley 2015, IJSPP 10:528).
    pub ln_rmssd_rr_ratio: f64,
}
