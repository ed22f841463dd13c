//! The ways out of Bluetooth's tasks: events to the machine, stamped inputs to the engine.

use super::arbiter::Event;
use crate::clock::Clock;
use crate::engine::{Input, StrapFacts};
use crate::units::{Now, StrapId};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Where pumps and calls put what they learn.
#[derive(Clone, Debug)]
pub(super) struct Sink {
    /// Unbounded, because its reader never waits for anything else, and wanted straps say little.
    pub(super) events: Option<mpsc::UnboundedSender<Event>>,
    pub(super) out: Option<mpsc::Sender<(Now, Input)>>,
    pub(super) sightings: Option<mpsc::Sender<super::scan::Advert>>,
    pub(super) clock: Clock,
    pub(super) wanted: Arc<Mutex<BTreeSet<StrapId>>>,
    pub(super) full: Arc<AtomicU64>,
}

impl Sink {
    pub(super) fn wants(&self, strap: StrapId) -> bool {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).contains(&strap)
    }

    pub(super) fn event(&self, event: Event) {
        if let Some(events) = &self.events {
            // Nobody listens any more only while everything ends.
            let _ = events.send(event);
        }
    }

    /// Sends an input stamped now. A full queue makes it wait, not vanish.
    pub(super) async fn input(&self, input: Input) {
        let stamped = (self.clock.now(), input);
        if let Some(out) = &self.out {
            if let Err(mpsc::error::TrySendError::Full(stamped)) = out.try_send(stamped) {
                self.full.fetch_add(1, Ordering::Relaxed);
                let _ = out.send(stamped).await;
            }
        }
    }

    pub(super) async fn facts(&self, strap: StrapId, facts: StrapFacts) {
        if facts != StrapFacts::default() {
            self.input(Input::Facts { strap, facts }).await;
        }
    }
}

/// A strap's way to the engine. Each input is stamped when it arrives, also while the engine's queue is full: a late stamp
/// would move beats.
#[derive(Debug)]
pub(super) struct Outlet {
    sink: Sink,
    waiting: VecDeque<(Now, Input)>,
}

impl Outlet {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, waiting: VecDeque::new() }
    }

    /// Takes an input that arrives now; sends it at once if nothing waits before it.
    pub(super) fn push(&mut self, input: Input) {
        let stamped = (self.sink.clock.now(), input);
        let Some(out) = &self.sink.out else { return };
        let held_back = match self.waiting.is_empty() {
            true => match out.try_send(stamped) {
                Err(mpsc::error::TrySendError::Full(stamped)) => stamped,
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
            },
            false => stamped,
        };
        self.sink.full.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_back(held_back);
    }

    /// Waits for room and sends what waits longest; never ends if nothing waits.
    pub(super) async fn drain_one(&mut self) {
        match &self.sink.out {
            Some(out) if !self.waiting.is_empty() => match out.reserve().await {
                Ok(permit) => {
                    if let Some(stamped) = self.waiting.pop_front() {
                        permit.send(stamped);
                    }
                }
                Err(_) => self.waiting.clear(),
            },
            _ => std::future::pending().await,
        }
    }
}

impl Drop for Outlet {
    /// A stream may be closed while its last beats still wait: they go on their own.
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if let (false, Some(out), Ok(runtime)) =
            (waiting.is_empty(), self.sink.out.clone(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(async move {
                for stamped in waiting {
                    let _ = out.send(stamped).await;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::units::Mono;
    use std::time::Duration;

    #[tokio::test]
    async fn beats_keep_their_arrival_time_while_the_engine_stalls() {
        let clock = ManualClock::new(Now { mono: Mono::from_secs(1), wall: None });
        let (tx, mut rx) = mpsc::channel(2);
        let sink = Sink {
            events: None,
            out: Some(tx),
            sightings: None,
            clock: clock.clock(),
            wanted: Arc::default(),
            full: Arc::default(),
        };
        let mut outlet = Outlet::new(sink.clone());
        let strap = StrapId([1; 6]);
        for n in 0..5u8 {
            outlet.push(Input::Packet { strap, bytes: [n].into_iter().collect() });
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(sink.full.load(Ordering::Relaxed), 3);
        let mut got = Vec::new();
        while got.len() < 5 {
            tokio::select! {
                () = outlet.drain_one() => {}
                Some((now, Input::Packet { bytes, .. })) = rx.recv() => got.push((now.mono, bytes[0])),
            }
        }
        let want: Vec<(Mono, u8)> = (0..5).map(|n| (Mono::from_secs(1 + u64::from(n)), n)).collect();
        assert_eq!(got, want);
        // With the way free again, the next one goes at once.
        outlet.push(Input::Packet { strap, bytes: [9].into_iter().collect() });
        assert_eq!(rx.try_recv().map(|(now, _)| now.mono), Ok(Mono::from_secs(6)));
        assert_eq!(sink.full.load(Ordering::Relaxed), 3);
        // A stream that is closed meanwhile loses nothing either.
        for n in 10..14u8 {
            outlet.push(Input::Packet { strap, bytes: [n].into_iter().collect() });
        }
        drop(outlet);
        for n in 10..14u8 {
            assert!(matches!(rx.recv().await, Some((_, Input::Packet { bytes, .. })) if bytes[..] == [n]));
        }
    }
}
