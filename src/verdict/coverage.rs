//! How much of the time the intervals cover, minute by minute: 1 is right, less is loss, more is repetition.

use super::FindingId;
use crate::units::Mono;
use std::time::Duration;

/// How much of the time the intervals cover.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// Beats as placed in time (repeats dropped) / wall time, over the last full minutes.
    pub share: f64,
    /// Intervals as received / wall time, repeats included.
    pub received: f64,
    /// How many minutes this is about, 1 to 5.
    pub minutes: u8,
}

/// Below this share beats are lost (a strap that sends ms covers 0.977).
const LOW: f64 = 0.94;
/// Above this share intervals are repeated.
const HIGH: f64 = 1.06;
/// Packets jitter by one beat at either end: fewer minutes than this say nothing.
const LEAST: usize = 3;
const MINUTES: usize = 5;
/// The first seconds of a link are no evidence: a strap may deliver then what it kept while there was none.
const BACKLOG: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    received_us: u64,
    kept_us: u64,
    /// Of the received: equal to the interval before.
    equal_us: u64,
    /// Time in which the strap itself said that it hears no beat.
    explained_us: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Minutes {
    /// When the first intervals of the link arrived.
    first: Option<Mono>,
    end: Option<Mono>,
    now: Minute,
    done: [Minute; MINUTES],
    len: usize,
}

impl Minutes {
    /// Time begins anew: the link was down.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Lets time pass to `arrival`; whether a minute ended.
    pub(super) fn advance(&mut self, arrival: Mono) -> bool {
        let Some(mut end) = self.end else { return false };
        let mut ended = false;
        while arrival >= end {
            self.done.rotate_right(1);
            self.done[0] = std::mem::take(&mut self.now);
            self.len = (self.len + 1).min(MINUTES);
            end = end + Duration::from_secs(60);
            if arrival.since(end) > Duration::from_secs(600) {
                end = arrival + Duration::from_secs(60);
                self.len = 0;
            }
            ended = true;
        }
        self.end = Some(end);
        ended
    }

    /// Intervals received. The first ones, and a backlog, start the clock: they lie before it.
    pub(super) fn received(&mut self, arrival: Mono, us: u64, equal_us: u64) {
        if arrival.since(*self.first.get_or_insert(arrival)) < BACKLOG {
            (self.end, self.now) = (Some(arrival + Duration::from_secs(60)), Minute::default());
            return;
        }
        self.now.received_us += us;
        self.now.equal_us += equal_us;
    }

    /// Beats placed in time.
    pub(super) fn kept(&mut self, us: u64) {
        self.now.kept_us += us;
    }

    /// Time without beats that the strap admits.
    pub(super) fn explained(&mut self, us: u64) {
        self.now.explained_us += us;
    }

    fn total(&self) -> Minute {
        self.done.iter().take(self.len).fold(Minute::default(), |a, m| Minute {
            received_us: a.received_us + m.received_us,
            kept_us: a.kept_us + m.kept_us,
            equal_us: a.equal_us + m.equal_us,
            explained_us: a.explained_us + m.explained_us,
        })
    }

    pub(super) fn coverage(&self) -> Option<Coverage> {
        let wall = self.len as f64 * 60e6;
        let t = self.total();
        (self.len > 0).then(|| Coverage {
            share: t.kept_us as f64 / wall,
            received: t.received_us as f64 / wall,
            minutes: self.len as u8,
        })
    }

    /// What the last minutes show.
    pub(super) fn finding(&self) -> Option<FindingId> {
        if self.len < LEAST {
            return None;
        }
        let wall = self.len as f64 * 60e6;
        let t = self.total();
        let excess = t.received_us as f64 - wall;
        if excess > (HIGH - 1.0) * wall {
            let repeated = t.equal_us as f64 >= 0.6 * excess;
            return Some(if repeated { FindingId::RepeatedRr } else { FindingId::RrAheadOfClock });
        }
        let covered = t.received_us.max(t.kept_us) + t.explained_us;
        ((covered as f64) < LOW * wall).then_some(FindingId::LostBeats)
    }
}
