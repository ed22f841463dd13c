//! What a strap's signal is worth, judged while it arrives: units, coverage, repeats, smoothing, contact, worn or not.
//!
//! A [`Judge`] is fed with what the engine has anyway (arrival, decoded measurement, placed beats) and answers at any
//! time with a [`Verdict`]. It never changes a beat; it says what is wrong, to people and to whoever grades. Memory is
//! bounded and each packet costs constant time. Where the evidence does not suffice yet, it says "unknown".

mod coverage;
mod doubled;
mod finding;
mod judge;
mod recent;
mod recorded;
mod rhythm;
mod smoothing;
mod source;
mod still;
mod units;
mod wear;

pub use coverage::Coverage;
pub use finding::{Finding, FindingId};
pub use judge::{Judge, PARAMS_DROP};
pub use recorded::{source_of, verdict_of};
pub use smoothing::SmoothingVerdict;
pub use source::{Source, Trust};
pub use units::Units;
pub use wear::Worn;

/// The judgement at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Units of RR on the wire, by the clock of this session or an earlier one.
    pub units: Units,
    /// How much of the time the intervals cover; `None` in the first minute.
    pub coverage: Option<Coverage>,
    /// Whether intervals are smoothed or calculated.
    pub smoothing: SmoothingVerdict,
    /// Whether somebody wears it.
    pub worn: Worn,
    /// What is wrong, in a fixed order; each with when it was first and last seen.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// What holds for the next session too.
    pub fn source(&self) -> Source {
        Source { units: self.units, smoothing: self.smoothing }
    }
}
