//! Heart-rate variability. Successive differences exist only inside a segment and only between two normal intervals,
//! the second of which does not directly follow a flagged one.

pub mod breathing;
pub mod rolling;
pub mod time_domain;
