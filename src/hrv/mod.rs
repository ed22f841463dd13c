//! Heart-rate variability metrics.
