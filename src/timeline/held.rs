//! Packets that wait until it is known when their beats were.

use crate::units::{Mono, RrTicks};
use smallvec::SmallVec;

/// A packet whose lag rose too far, held until the next ones tell whether beats were lost or only late; or the first
/// of a link.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) first_arrival: Mono,
    pub(super) last_arrival: Mono,
    pub(super) rr: SmallVec<[RrTicks; 16]>,
    /// Each packet's arrival, and how many intervals had come by then.
    packets: SmallVec<[(Mono, usize); 4]>,
    /// It is one packet, and the same at once again.
    pub(super) twice: bool,
}

impl Held {
    pub(super) fn new(arrival: Mono, rr: &[RrTicks]) -> Self {
        let packets = SmallVec::from_slice(&[(arrival, rr.len())]);
        Self { first_arrival: arrival, last_arrival: arrival, rr: SmallVec::from_slice(rr), packets, twice: false }
    }

    /// Takes the repeat out again.
    pub(super) fn once(&mut self) {
        self.rr.truncate(self.rr.len() / 2);
        *self = Self::new(self.first_arrival, &self.rr);
    }

    pub(super) fn push(&mut self, arrival: Mono, rr: &[RrTicks]) {
        self.rr.extend_from_slice(rr);
        self.packets.push((arrival, self.rr.len()));
        self.last_arrival = arrival;
    }

    /// Sum of all, ticks. Units may change while they wait, so that nothing of their length is kept.
    pub(super) fn ticks(&self) -> u64 {
        sum(&self.rr)
    }

    /// Where the first interval begins if none ends after its arrival.
    pub(super) fn start(&self) -> Mono {
        let (mut start, mut ticks, mut from) = (self.last_arrival, 0, 0);
        for &(arrival, to) in &self.packets {
            ticks += sum(self.rr.get(from..to).unwrap_or_default());
            start = start.min(arrival.offset_micros(-(micros(ticks) as i64)));
            from = to;
        }
        start
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
