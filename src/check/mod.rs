//! The two-minute morning check: protocol machine, grading and the frozen result.
//!
//! Protocol: one quiet minute, then two minutes of RMSSD (Bourdillon 2017, Front Neurosci 11:456).
//! Grades and limits: `docs/signal.md`.

mod grade;
mod machine;
mod result;
mod window;

pub use grade::Grade;
pub use machine::{CheckConfig, Machine, MachineEvent};
pub(crate) use result::words;

pub use result::{AbortCause, CheckId, CheckResult, CheckStatus, Hint, Note, Phase, Posture, Values, WhyNone};
