//! A strap: collects the beats of about a second and notifies them.

use crate::engine::PacketBytes;
use crate::hrs::{Contact, Measurement, encode};
use crate::units::RrTicks;
use smallvec::SmallVec;
use std::time::Duration;

/// One notification and when it is sent, counted from the start of the first interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// When it is sent.
    pub at: Duration,
    /// The value of 0x2A37.
    pub bytes: PacketBytes,
}

/// Turns intervals into notifications once a period; a period without a beat sends heart rate alone, as straps do.
#[derive(Clone, Debug)]
pub struct StrapSim<I> {
    intervals: I,
    period: Duration,
    contact: Contact,
    /// End of the next period.
    due: Duration,
    /// Beat that ended after `due`: (its end, interval).
    next: Option<(u64, RrTicks)>,
    /// End of the last interval taken, ticks.
    ticks: u64,
    /// The strap's own smoothed interval, ms.
    smoothed_ms: Option<f64>,
    /// Intervals that did not fit the notification before.
    ended: bool,
}

/// Most intervals in one notification at the default MTU.
const MAX_RR: usize = 9;

impl<I: Iterator<Item = RrTicks>> StrapSim<I> {
    /// A strap that notifies once a second and has no contact detection, like a Polar H10.
    pub fn new(intervals: I) -> Self {
        Self {
            intervals,
            period: Duration::from_secs(1),
            contact: Contact::Unsupported,
            due: Duration::ZERO,
            next: None,
            ticks: 0,
            smoothed_ms: None,
            ended: false,
        }
    }

    /// What the strap says about skin contact.
    pub fn contact(mut self, contact: Contact) -> Self {
        self.contact = contact;
        self
    }

    fn pull(&mut self) -> Option<(u64, RrTicks)> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        let rr = self.intervals.next()?;
        self.ticks += u64::from(rr.0);
        Some((self.ticks, rr))
    }
}

fn ticks_to_duration(ticks: u64) -> Duration {
    Duration::from_micros(ticks * 1_000_000 / 1024)
}

impl<I: Iterator<Item = RrTicks>> Iterator for StrapSim<I> {
    type Item = Notification;

    fn next(&mut self) -> Option<Notification> {
        if self.ended {
            return None;
        }
        self.due += self.period;
        let mut rr: SmallVec<[RrTicks; 9]> = SmallVec::new();
        while rr.len() < MAX_RR {
            match self.pull() {
                None => {
                    self.ended = true;
                    break;
                }
                Some((end, interval)) if ticks_to_duration(end) > self.due => {
                    self.next = Some((end, interval));
                    break;
                }
                Some((_, interval)) => {
                    let ms = interval.as_ms();
                    self.smoothed_ms = Some(self.smoothed_ms.map_or(ms, |s| s + (ms - s) / 4.0));
                    rr.push(interval);
                }
            }
        }
        if self.ended && rr.is_empty() {
            return None;
        }
        let hr = self.smoothed_ms.map(|ms| (60_000.0 / ms).round().clamp(1.0, 65_535.0) as u16);
        let bytes = encode(&Measurement { hr, contact: self.contact, energy_kj: None, rr });
        Some(Notification { at: self.due, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hrs::decode;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_interval_is_sent_once_in_order(list in proptest::collection::vec(200u16..4000, 0..200)) {
            let sent: Vec<RrTicks> = StrapSim::new(list.iter().copied().map(RrTicks))
                .flat_map(|n| decode(&n.bytes).0.rr)
                .collect();
            prop_assert_eq!(sent, list.into_iter().map(RrTicks).collect::<Vec<_>>());
        }
    }

    #[test]
    fn notifies_once_a_second_even_without_a_beat() {
        let list = [1024u16, 2048, 512, 512].map(RrTicks);
        let got: Vec<(u64, usize)> =
            StrapSim::new(list.into_iter()).map(|n| (n.at.as_secs(), decode(&n.bytes).0.rr.len())).collect();
        assert_eq!(got, [(1, 1), (2, 0), (3, 1), (4, 2)]);
    }
}
