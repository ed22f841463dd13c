//! Simulated straps: RR intervals in, 0x2A37 notifications out, as a strap on a chest sends them.
//!
//! Pure and seeded; the demo, `hrvd replay` of a text file and the tests use the same code.

mod heart;
mod strap;

pub use heart::{Heart, HeartConfig};
pub use strap::{Notification, StrapSim};
