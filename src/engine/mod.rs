//! The engine: one object that turns inputs into outputs. It does no I/O, reads no clock and spawns nothing.

mod input;
mod output;

pub use input::*;
pub use output::*;
