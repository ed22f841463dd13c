//! The queue in front of the writer thread. A send never waits for the card: past the usual bound it spills into memory
//! and says so, past the hard bound raw records (never results) are dropped and counted.
//!
//! One lock holds queue and tail together, so that records are in both in the same order. It is held for a push or a pop
//! and one write to a file in RAM, never while the card is at work.

use super::tail::Tail;
use super::writer::Message;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Messages that may wait as a matter of course.
const USUAL: usize = 1024;
/// Messages that may wait at all: more than a day of one strap.
const HARD: usize = 100_000;

/// Counts of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// How often the usual bound was passed.
    pub(super) spills: u64,
    /// Records dropped at the hard bound.
    pub(super) dropped: u64,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Message>,
    /// Records in the queue.
    records: usize,
    tail: Tail,
    /// The writer is at work on a message that it took.
    busy: bool,
    spilling: bool,
    counts: Counts,
    closed: bool,
}

/// What the writer finds.
pub(super) enum Next {
    Message(Message),
    /// Nothing came in the time given.
    Quiet,
    /// No sender is left and everything was taken.
    Closed,
}

#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

impl Inbox {
    /// With a tail for the records.
    pub(super) fn new(tail: Tail) -> Self {
        Self { state: Mutex::new(State { tail, ..State::default() }), ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in; `false` if the writer is gone.
    pub(super) fn send(&self, message: Message) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        if state.queue.len() >= USUAL && !state.spilling {
            state.spilling = true;
            state.counts.spills += 1;
        }
        if let Message::Record(record) = &message {
            if state.queue.len() >= HARD {
                state.counts.dropped += 1;
                return true;
            }
            state.tail.append(record);
            state.records += 1;
        }
        state.queue.push_back(message);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Waits for the next message, for at most `patience` if given.
    pub(super) fn next(&self, patience: Option<Duration>) -> Next {
        let mut state = self.lock();
        state.busy = false;
        loop {
            if let Some(message) = state.queue.pop_front() {
                state.spilling &= !state.queue.is_empty();
                state.busy = true;
                state.records -= usize::from(matches!(message, Message::Record(_)));
                return Next::Message(message);
            }
            if state.closed {
                return Next::Closed;
            }
            let Some(limit) = patience else {
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (guard, out) = self.arrived.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if out.timed_out() && state.queue.is_empty() && !state.closed {
                return Next::Quiet;
            }
        }
    }

    /// No more messages are taken; the writer ends after those that wait.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Messages not yet dealt with.
    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        state.queue.len() + usize::from(state.busy)
    }

    /// Whether each record that is sent is safe from a kill.
    pub(super) fn tail_works(&self) -> bool {
        self.lock().tail.works()
    }

    /// All that was taken from the queue is safe elsewhere.
    pub(super) fn clear_tail(&self) {
        let mut state = self.lock();
        // what still waits is only there; the numbers tell later what was safe
        if state.records == 0 {
            state.tail.clear();
        }
    }

    /// The number of a record in the store's order is `shift` more than that of its sending.
    pub(super) fn settle_tail(&self, shift: i64) {
        self.lock().tail.settle(shift);
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Record, RecordKind};
    use crate::units::{Mono, StrapId};

    fn record(n: u64) -> Message {
        Message::Record(Record {
            at: Mono::from_micros(n),
            kind: RecordKind::Link { strap: StrapId([0; 6]), up: true },
        })
    }

    #[test]
    fn spills_past_the_usual_bound_and_drops_only_records_past_the_hard_one() {
        let inbox = Inbox::default();
        for n in 0..HARD as u64 + 5 {
            assert!(inbox.send(record(n)));
        }
        assert!(inbox.send(Message::Checking(true)));
        assert_eq!(inbox.counts(), Counts { spills: 1, dropped: 5 });
        for n in 0..HARD as u64 {
            match inbox.next(None) {
                Next::Message(Message::Record(r)) => assert_eq!(r.at.as_micros(), n),
                _ => panic!("out of order at {n}"),
            }
        }
        assert!(matches!(inbox.next(None), Next::Message(Message::Checking(true))));
        assert!(matches!(inbox.next(Some(Duration::ZERO)), Next::Quiet));
        inbox.close();
        assert!(matches!(inbox.next(None), Next::Closed));
        assert!(!inbox.send(record(0)));
    }
}
