//! The two-minute morning check: protocol machine, grading and the frozen result.
//!
//! Protocol: one quiet minute, then two minutes of RMSSD (Bourdillon 2017, Front Neurosci 11:456).
//! Grades and limits: `docs/signal.md`.

mod grade;

mod result;

pub use grade::Grade;

pub use result::{AbortCause, CheckId, CheckResult, CheckStatus, Hint, Note, Phase, Posture, Values, WhyNone};
