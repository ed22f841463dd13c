//! Small memories of fixed size.

use crate::units::Mono;
use std::time::Duration;

/// Times of the last three events of a kind: three within the span are a habit, one is an accident.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Thrice([Option<Mono>; 3]);

/// Three events within this span are a habit.
const SPAN: Duration = Duration::from_secs(600);

impl Thrice {
    /// Notes an event; whether it is the third within the span.
    pub(super) fn push(&mut self, now: Mono) -> bool {
        self.0 = [self.0[1], self.0[2], Some(now)];
        self.0[0].is_some_and(|first| now.since(first) <= SPAN)
    }

    pub(super) fn clear(&mut self) {
        self.0 = [None; 3];
    }
}

/// The last 128 answers to a yes/no question.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bits {
    bits: u128,
    len: u32,
}

impl Bits {
    pub(super) fn push(&mut self, yes: bool) {
        self.bits = self.bits << 1 | u128::from(yes);
        self.len = (self.len + 1).min(128);
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many of the last `n` were yes.
    pub(super) fn count(&self, n: u32) -> u32 {
        (self.bits & (u128::MAX >> (128 - n.clamp(1, 128)))).count_ones()
    }

    /// The share of yes among the last `n`.
    pub(super) fn share(&self, n: u32) -> f64 {
        f64::from(self.count(n)) / f64::from(self.len.min(n).max(1))
    }
}
