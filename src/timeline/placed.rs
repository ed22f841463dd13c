//! Beats placed in time, and why some are missing.

use crate::units::{Mono, RrTicks};
use smallvec::SmallVec;

/// One heart beat: the interval that ends at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When the beat happened.
    pub at: Mono,
    /// The interval before it.
    pub rr: RrTicks,
}

impl Beat {
    /// When its interval began.
    pub fn start(&self) -> Mono {
        self.at.offset_micros(-(self.rr.as_micros() as i64))
    }
}

/// Why beats are missing, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// First beats of a link.
    LinkUp,
    /// The clock says that beats were lost between two notifications.
    LostBeats,
    /// A packet was cut or held an impossible interval.
    Defect,
    /// More intervals than time: the time base was lost and taken anew.
    TimeBase,
    /// From here on intervals are read in other units. No beat is missing.
    Units,
}

impl GapReason {
    /// Stable word for JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinkUp => "link_up",
            Self::LostBeats => "lost_beats",
            Self::Defect => "defect",
            Self::TimeBase => "time_base",
            Self::Units => "units",
        }
    }
}

/// What one notification (or the end of a wait) added to the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Why the first of `beats` does not follow the beat placed before, if it does not.
    pub gap: Option<GapReason>,
    /// New beats, oldest first. Room for what a strap says at once; a burst after a stall is rare.
    pub beats: SmallVec<[Beat; 3]>,
    /// Whether the packet was dropped as a duplicate.
    pub duplicate: bool,
    /// Intervals left out because no time had passed for them.
    pub surplus: Surplus,
    /// Intervals left out because they ended before beats that were placed already: the strap sent them too late.
    pub old: u32,
}

/// Sums of intervals for which there was no time, ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surplus {
    /// All.
    pub ticks: u32,
    /// Of these: equal to the interval before.
    pub equal: u32,
}
