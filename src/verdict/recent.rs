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

/// The last 128 answers to a yes/no question, counted as they come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bits {
    bits: u128,
    len: u32,
    /// Yes among the last 64, and among all.
    yes: (u32, u32),
}

impl Bits {
    pub(super) fn push(&mut self, yes: bool) {
        let [newer, older] = [self.bits as u64, (self.bits >> 64) as u64].map(|half| (half >> 63) as u32);
        self.yes.0 = self.yes.0 + u32::from(yes) - newer;
        self.yes.1 = self.yes.1 + u32::from(yes) - older;
        self.bits = self.bits << 1 | u128::from(yes);
        self.len = (self.len + 1).min(128);
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many of the last 64 were yes.
    pub(super) fn count_64(&self) -> u32 {
        self.yes.0
    }

    /// The share of yes among the last 64.
    pub(super) fn share_64(&self) -> f64 {
        f64::from(self.yes.0) / f64::from(self.len.clamp(1, 64))
    }

    /// The share of yes among the last 128.
    pub(super) fn share_128(&self) -> f64 {
        f64::from(self.yes.1) / f64::from(self.len.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_over_both_spans() {
        let (mut bits, mut all, mut chance) = (Bits::default(), vec![], 7u32);
        for _ in 0..1000 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            all.push(chance >> 30 == 0);
            bits.push(chance >> 30 == 0);
            let yes = |n: usize| all.iter().rev().take(n).filter(|x| **x).count() as u32;
            assert_eq!((bits.count_64(), bits.yes.1, bits.len()), (yes(64), yes(128), all.len().min(128) as u32));
        }
        assert_eq!(bits.share_64(), f64::from(bits.count_64()) / 64.0);
    }
}
