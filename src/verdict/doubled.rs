//! Packets that arrive twice. Straps repeat values; radios and two subscriptions repeat packets, within milliseconds.

use super::recent::Bits;
use crate::hrs::{Contact, Measurement};
use std::time::Duration;

/// The same packet within this time was delivered twice, not sent twice.
const TWICE: Duration = Duration::from_millis(100);

/// Heart rate, contact, energy, number of intervals and a checksum of them.
type Print = (Option<u16>, Contact, Option<u16>, usize, u64);

fn print(m: &Measurement) -> Print {
    let sum = m.rr.iter().fold(0u64, |sum, rr| sum.wrapping_mul(65_599).wrapping_add(u64::from(rr.0)));
    (m.hr, m.contact, m.energy_kj, m.rr.len(), sum)
}

/// Which of the packets came again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubled {
    /// What the packet before said.
    last: Option<Print>,
    again: Bits,
}

impl Doubled {
    /// A link came up or went down: what comes next repeats nothing.
    pub(super) fn link(&mut self) {
        self.last = None;
    }

    /// Whether this is the packet before, once more: `after` is the time since that one, `duplicate` what the timeline
    /// says of it.
    pub(super) fn packet(&mut self, after: Option<Duration>, m: &Measurement, duplicate: bool) -> bool {
        let print = print(m);
        let same = self.last == Some(print)
            && after.is_some_and(|after| after < TWICE)
            && (duplicate || m.rr.is_empty() || self.is_habit());
        self.again.push(same);
        self.last = Some(print);
        same
    }

    /// Whether notifications are known to arrive twice.
    pub(super) fn is_habit(&self) -> bool {
        self.again.len() >= 20 && self.again.share_64() >= 0.25
    }
}
