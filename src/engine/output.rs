//! Everything the engine says, as one closed enum; edges match it exhaustively.

use super::input::{Command, LinkState, PacketBytes, StrapFacts};
use crate::check::{CheckResult, CheckStatus, WhyNone};
use crate::hrv::time::TimeDomain;
use crate::hrv::{Metric, Why};
use crate::timeline::{Beat, GapReason};
use crate::units::{AthleteId, Mono, StrapId};
use crate::verdict::Verdict;
use std::time::Duration;

/// An output of the engine.
// Outputs are handed on one by one; a box for the largest would cost more than its size.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be stored: raw truth, in the order it happened.
    Record(Record),
    /// Beats that were just placed in time.
    Beats(Beats),
    /// The newest live values of a person, at the publish interval; all `None` once when they end.
    Live(Box<Live>),
    /// A check changed phase, or its once-a-second progress.
    Check(CheckStatus),
    /// A check was graded; this never changes again.
    Result(Box<CheckResult>),
    /// Something about a strap changed.
    Strap(StrapStatus),
    /// Worth a line in the log.
    Notice(Notice),
}

/// One item of the raw truth. A recording is a list of these and replays to the same outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it happened.
    pub at: Mono,
    /// What happened.
    pub kind: RecordKind,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordKind {
    /// A notification as received.
    Packet {
        /// From which strap.
        strap: StrapId,
        /// Untouched bytes.
        bytes: PacketBytes,
    },
    /// The link went up or down (only these two matter for the beats).
    Link {
        /// Of which strap.
        strap: StrapId,
        /// Up or down.
        up: bool,
    },
    /// A command that the engine accepted.
    Command(Command),
    /// Where the wall clock stood at this monotonic time; written when it becomes known and when it jumps.
    Anchor {
        /// Wall clock.
        wall: jiff::Timestamp,
    },
}

/// Beats placed in time, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Beats {
    /// From which strap.
    pub strap: StrapId,
    /// Whose.
    pub athlete: AthleteId,
    /// The gap that precedes them, if any.
    pub gap: Option<GapReason>,
    /// The beats.
    pub beats: Vec<Beat>,
}

/// Live values of one person. Absent values are `None`, never zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Whose.
    pub athlete: AthleteId,
    /// By which strap.
    pub strap: StrapId,
    /// When it was true.
    pub at: Mono,
    /// Heart rate as the strap says it, bpm.
    pub hr_bpm: Option<u16>,
    /// Newest RR interval, ms.
    pub rr_ms: Option<f64>,
    /// Skin contact; `None` if the strap cannot tell.
    pub contact: Option<bool>,
    /// What the beats say; `None` when no beats come.
    pub beats: Option<LiveBeats>,
    /// Why nothing but heart rate is said of this signal: then `rr_ms` and all metrics of `beats` are absent.
    pub why: Option<WhyNone>,
}

impl Live {
    /// The end of a stream: nothing is known any more.
    pub fn nothing(athlete: AthleteId, strap: StrapId, at: Mono) -> Self {
        Self { athlete, strap, at, hr_bpm: None, rr_ms: None, contact: None, beats: None, why: None }
    }
}

/// The live windows. All end at the last judged beat, at most five beats behind the newest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveBeats {
    /// Time domain over the last 30 s.
    pub last_30: LiveWindow,
    /// The same over 60 s.
    pub last_60: LiveWindow,
    /// The same over 300 s.
    pub last_300: LiveWindow,
    /// DFA α1 over 120 s, every 5 s.
    pub dfa: LiveDfa,
    /// Breathing over 120 s, every 10 s.
    pub breathing: LiveBreathing,
}

impl LiveBeats {
    /// What the windows rest on stays, the numbers go: they are none of a heart.
    pub(super) fn refused(self) -> Self {
        let window = |w: LiveWindow| LiveWindow { time: w.time.refused(Why::Refused), ..w };
        Self {
            last_30: window(self.last_30),
            last_60: window(self.last_60),
            last_300: window(self.last_300),
            dfa: LiveDfa { alpha1: Err(Why::Refused), ..self.dfa },
            breathing: LiveBreathing::none(Why::Refused),
        }
    }
}

/// One time-domain window with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveWindow {
    /// Its length.
    pub span: Duration,
    /// Intervals inside, flagged ones included.
    pub n: usize,
    /// Flagged ones, %; `None` without any interval.
    pub artifact_pct: Option<f64>,
    /// Sum of all intervals over the length.
    pub coverage: f64,
    /// The numbers, within the limits of `docs/signal.md`.
    pub time: TimeDomain,
}

/// DFA α1 with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveDfa {
    /// The exercise variant, on the corrected series.
    pub alpha1: Metric,
    /// Intervals inside, flagged ones included.
    pub n: usize,
    /// Flagged ones, %; above 3 % to be read with care.
    pub artifact_pct: Option<f64>,
}

impl LiveDfa {
    pub(super) fn none(why: Why) -> Self {
        Self { alpha1: Err(why), n: 0, artifact_pct: None }
    }
}

/// Breathing with how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveBreathing {
    /// Breaths a minute, whole ones: it is not finer than that.
    pub per_min: Metric,
    /// How sure, 0 to 1; `None` without a value.
    pub confidence: Option<f64>,
}

impl LiveBreathing {
    pub(super) fn none(why: Why) -> Self {
        Self { per_min: Err(why), confidence: None }
    }
}

/// All that is known of one strap.
#[derive(Clone, Debug, PartialEq)]
pub struct StrapStatus {
    /// Which strap.
    pub strap: StrapId,
    /// Whose.
    pub athlete: AthleteId,
    /// Link state.
    pub link: LinkState,
    /// Since when.
    pub link_since: Mono,
    /// Whether notifications arrive now: link up and a packet in the last seconds. Whether a heart is behind them says
    /// [`Verdict::worn`].
    pub online: bool,
    /// When the last packet came.
    pub last_packet: Option<Mono>,
    /// Skin contact; `None` if the strap cannot tell.
    pub contact: Option<bool>,
    /// Slow facts.
    pub facts: StrapFacts,
    /// Packets received.
    pub packets: u64,
    /// Packets with a defect (truncated, odd tail, impossible interval).
    pub defects: u64,
    /// Gaps marked.
    pub gaps: u64,
    /// Repeated packets dropped by the clock test.
    pub duplicates: u64,
    /// What explains the state of the link.
    pub signs: Signs,
    /// What the signal is worth.
    pub verdict: Verdict,
}

/// What a strap's packets told beside their numbers, for whoever explains its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// First packet of this connection.
    pub first_packet: Option<Mono>,
    /// Last packet with RR intervals, in any connection.
    pub last_rr: Option<Mono>,
    /// Whether this connection brought RR intervals.
    pub any_rr: bool,
    /// Since when the strap says that it has no skin contact.
    pub no_contact_since: Option<Mono>,
    /// The last connection ended like that of a strap that was taken off.
    pub taken_off: bool,
}

/// A line for the log, with its facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The first defect of a kind, then every hundredth.
    Defect {
        /// From which strap.
        strap: StrapId,
        /// What was wrong.
        what: &'static str,
        /// How often of this kind so far.
        count: u64,
    },
    /// A hole in the beats was marked.
    Gap {
        /// From which strap.
        strap: StrapId,
        /// Why.
        reason: GapReason,
    },
    /// Intervals have no place in time: they ended before beats that were placed already, or before the link came up.
    TooLate {
        /// From which strap.
        strap: StrapId,
        /// How many.
        intervals: u32,
    },
    /// A command could not be followed.
    Refused {
        /// The command.
        command: Command,
        /// Why not.
        why: &'static str,
    },
    /// The wall clock jumped, by this many ms.
    ClockJump {
        /// New minus old, ms.
        ms: i64,
    },
    /// A packet came from a strap that nobody adopted; dropped.
    UnknownStrap {
        /// Its address.
        strap: StrapId,
    },
}
