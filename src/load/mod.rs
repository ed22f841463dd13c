//! The training load ledger: what was done, how hard it was, and what follows from it as information.
//!
//! Definitions and sources: `docs/readiness.md`. The ledger takes sessions from MQTT and the command line; a recorder
//! that runs on the strap itself only has to fill the same [`Session`].

pub mod fitness;
mod ledger;
mod plan;
pub mod rules;
pub mod series;
mod session;
pub(crate) mod stats;
pub mod trimp;
pub mod week;

pub use ledger::{Daily, Ledger, LoadUnit, REACH_DAYS};
pub(crate) use ledger::{days_between, plus_days};
pub use plan::{Conflict, Plan, PlanKind, Planned};
pub use session::{HardBecause, Session, SessionKind};
