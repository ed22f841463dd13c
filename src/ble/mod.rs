//! The Bluetooth edge: pure machines that decide ([`link`], [`arbiter`]) and, behind the feature `daemon`, the code
//! that executes their wishes.

pub mod arbiter;
pub mod backoff;
mod call;
mod event;
pub mod link;
mod record;
pub mod signal;
mod status;

pub use call::{AdapterCall, AdapterInfo, Answer, CallId, Failure, StrapCall};
pub use status::{Adapter, Counters, Hint, Recovery, Status, StrapStatus};

#[cfg(feature = "daemon")]
mod bluez;
#[cfg(feature = "daemon")]
mod errors;
#[cfg(feature = "daemon")]
mod outlet;
#[cfg(feature = "daemon")]
mod scan;
#[cfg(feature = "daemon")]
mod task;

#[cfg(feature = "daemon")]
pub use scan::{Advert, Probe, ScanError, ScanOptions, probe, scan};
#[cfg(feature = "daemon")]
pub use task::{BleConfig, BleHandle, Exit, Turns, spawn};
