//! Packets that wait until it is known when their beats were.

use crate::units::{Mono, RrTicks};
use smallvec::SmallVec;

/// A packet whose lag rose too far, held until the next ones tell whether beats were lost or only late; or the first
/// of a link.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) first_arrival: Mono,
    pub(super) last_arrival: Mono,
    /// Where the first interval begins if none ends after its arrival.
    pub(super) start: Mono,
    /// Sum of all, ticks.
    pub(super) ticks: u64,
    pub(super) rr: SmallVec<[RrTicks; 16]>,
    /// It is one packet, and the same at once again.
    pub(super) twice: bool,
}

impl Held {
    pub(super) fn new(arrival: Mono, rr: &[RrTicks]) -> Self {
        let (first_arrival, last_arrival, start) = (arrival, arrival, start_of(arrival, rr));
        Self { first_arrival, last_arrival, start, ticks: sum(rr), rr: SmallVec::from_slice(rr), twice: false }
    }

    /// Takes the repeat out again.
    pub(super) fn once(&mut self) {
        self.rr.truncate(self.rr.len() / 2);
        *self = Self::new(self.first_arrival, &self.rr);
    }

    pub(super) fn push(&mut self, arrival: Mono, rr: &[RrTicks]) {
        self.rr.extend_from_slice(rr);
        self.ticks += sum(rr);
        self.last_arrival = arrival;
        self.start = self.start.min(arrival.offset_micros(-(micros(self.ticks) as i64)));
    }
}

pub(super) fn sum(rr: &[RrTicks]) -> u64 {
    rr.iter().map(|r| u64::from(r.0)).sum()
}

/// When the first interval begins if the last one ends now.
pub(super) fn start_of(arrival: Mono, rr: &[RrTicks]) -> Mono {
    arrival.offset_micros(-(micros(sum(rr)) as i64))
}

pub(super) fn micros(ticks: u64) -> u64 {
    ticks * 1_000_000 / 1024
}
