//! Notifications to beats: each beat gets its own time from ΣRR, anchored to arrival; gaps are data.

use crate::units::{Mono, RrTicks};

/// One heart beat: the interval that ends at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When the beat happened.
    pub at: Mono,
    /// The interval before it.
    pub rr: RrTicks,
}

/// Why beats are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// First beats of a link.
    LinkUp,
    /// The clock says that beats were lost between two notifications.
    LostBeats,
    /// The strap said that it had no skin contact.
    ContactLost,
    /// A packet was cut or held an impossible interval.
    Defect,
}
