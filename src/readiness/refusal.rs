//! Why an input was not taken: the place, the cause, and what would be right.

use std::fmt;

/// A refusal. Nothing of the input was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which field.
    pub place: String,
    /// What is wrong with it.
    pub cause: String,
    /// What would be right.
    pub hint: String,
}

impl Refusal {
    /// From its three parts.
    pub fn new(place: impl Into<String>, cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { place: place.into(), cause: cause.into(), hint: hint.into() }
    }

    /// A number outside of its range.
    pub(crate) fn range(place: impl Into<String>, got: f64, low: f64, high: f64, hint: &str) -> Self {
        Self::new(place, format!("{got} lies outside of {low} to {high}"), hint)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.cause, self.hint)
    }
}

impl std::error::Error for Refusal {}
