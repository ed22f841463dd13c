//! Readiness: from frozen morning checks, how the person feels, sleep and training load to one honest verdict a day.
//!
//! The model, its evidence and its limits: `docs/readiness.md`. Everything here is a pure function of its inputs; dates
//! and instants are arguments.

mod baseline;
mod book;
pub mod calibration;
mod card;
mod cell;
mod counterfactual;
mod day;
mod day_state;
mod desk;
pub mod difference;
#[cfg(feature = "daemon")]
pub mod entry_json;
mod feel_first;
mod flag;
mod input;
#[cfg(feature = "daemon")]
pub mod json;
mod judge;
mod model;
mod norms;
mod refusal;
#[cfg(feature = "daemon")]
pub mod report;
mod saying;
#[cfg(feature = "daemon")]
pub mod saying_json;
mod table;
mod verdict;
pub mod words;
#[cfg(test)]
mod words_tests;

pub use baseline::{Baseline, Mornings, Protocol, Reading, Refused};
pub use book::{Book, Context, Version, differences};
pub use card::{Morning, RestDayCard};
pub use cell::{Cell, Feel, suggests_change};
pub use counterfactual::{Counterfactual, Lever, counterfactuals};
pub use day::{Day, PainCourse};
pub use day_state::DayState;
pub use desk::{Desk, DeskConfig, DeskInput, DeskOutput};
pub use feel_first::{DEFAULT_WAIT, FeelFirst, FeelInput, Release};
pub use flag::{Flag, FlagId, Group};
pub use input::{Caffeine, Entry, Item, LATE_DAYS, Quiet, Side, Source, Wellness, What};
pub use model::{MODELS, Model, V1, V2};
pub use norms::{Range, Stage};
pub use refusal::Refusal;
pub use saying::{Drafts, Saying, SessionWords};
pub use verdict::{Confidence, Hard, Level, Pattern, Verdict, assess};
