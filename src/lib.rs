//! hrvd: from a Bluetooth heart-rate strap to a morning HRV check.
//!
//! The core of this crate does no I/O, reads no clock, spawns nothing and never panics on data. Time is an argument;
//! the same [`engine::Engine`] is driven by the daemon, by replays, by the demo and by the tests. It builds with
//! `--no-default-features`. Everything that touches the world stands behind the feature `daemon`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(panic = "abort")]
compile_error!("hrvd needs panic = \"unwind\": a lost D-Bus makes bluez-async panic in a spawned task");

pub mod analyze;
pub mod artifact;
pub mod battery;
pub mod ble;
pub mod check;
pub mod diagnosis;
pub mod engine;
pub mod hrs;
pub mod hrv;
pub mod language;
pub mod load;
pub mod player;
pub mod preference;
pub mod publication;
pub mod readiness;
pub mod recheck;
pub mod recording;
pub mod release;
pub mod sim;
pub mod timeline;
pub mod units;
pub mod verdict;

#[cfg(feature = "daemon")]
pub mod cli;
#[cfg(feature = "daemon")]
pub mod clock;
#[cfg(feature = "daemon")]
pub mod config;
#[cfg(feature = "daemon")]
pub mod control;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "daemon")]
pub mod home_assistant;
#[cfg(feature = "daemon")]
pub mod json;
#[cfg(feature = "daemon")]
pub mod logging;
#[cfg(feature = "daemon")]
pub mod mqtt;
#[cfg(feature = "daemon")]
pub mod store;

/// Version of all algorithms behind stored numbers. Rises with any change that can change a number.
pub const ALGO_VERSION: u32 = 1;
