//! Which intervals are not normal sinus intervals, and why.
//!
//! A detector is causal with a bounded delay: it sees one segment of intervals (no gap inside) one by one and gives
//! each its final label at most [`Detector::delay`] intervals later. A gap starts a new segment.

mod autoregression;
mod earlier;
mod evidence;
mod explanation;
mod lipponen;
mod live;
mod neighbours;
mod quartiles;
mod repair;
mod trailing_quantile;

pub use lipponen::{correct, lipponen_tarvainen};
pub use live::LiveDetector;
pub use repair::repair;

/// What an interval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// Normal: an NN interval.
    Normal,
    /// Too long because a beat was missed.
    Missed,
    /// Too short because something was counted that is no beat.
    Extra,
    /// Belongs to a premature or escape beat.
    Ectopic,
    /// Too long, not explained by a missed beat.
    Long,
    /// Too short, not explained by an extra beat.
    Short,
}

impl Label {
    /// Whether the interval counts as NN.
    pub const fn is_normal(self) -> bool {
        matches!(self, Self::Normal)
    }
    /// One letter: N normal, M missed, X extra, E ectopic, L long, S short.
    pub const fn letter(self) -> char {
        match self {
            Self::Normal => 'N',
            Self::Missed => 'M',
            Self::Extra => 'X',
            Self::Ectopic => 'E',
            Self::Long => 'L',
            Self::Short => 'S',
        }
    }
}

/// A live artifact detector over one segment. Labels come out in the order in which intervals went in.
pub trait Detector {
    /// How many intervals a label may lag behind.
    fn delay(&self) -> usize;
    /// Takes the next interval (ms) and returns the label of the oldest undecided one, once it is decided.
    fn push(&mut self, rr_ms: f64) -> Option<Label>;
    /// Ends the segment: returns the labels still owed, oldest first, and forgets everything.
    fn finish(&mut self) -> Vec<Label>;
}

/// The labels that the live detector gives to a whole segment (no gap inside).
pub fn classify(segment_ms: &[f64]) -> Vec<Label> {
    let mut detector = LiveDetector::new();
    let mut labels: Vec<Label> = segment_ms.iter().filter_map(|rr| detector.push(*rr)).collect();
    labels.extend(detector.finish());
    labels
}
