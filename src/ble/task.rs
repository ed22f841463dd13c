//! The task that turns the machine's wishes into calls and the world's answers into events.

use super::arbiter::{Action, Arbiter, ArbiterConfig, Event};
use super::bluez::Session;
use super::call::{AdapterCall, Answer, CallId, Failure, StrapCall};
use super::outlet::Sink;
use super::status::Status;
use crate::clock::Clock;
use crate::engine::{Input, StrapFacts};
use crate::units::{Mono, Now, StrapId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// A turn of the loop at least so often: a sleep does not notice that the machine was suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// So many of them without a turn: the loop hangs.
const STUCK: Duration = Duration::from_secs(60);
/// The signal strength of a strap is news once in so long.
const RSSI_EVERY: Duration = Duration::from_secs(30);

/// How Bluetooth is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BleConfig {
    /// Which adapter: name (`hci0`) or address; `None` takes the first that is on.
    pub adapter: Option<String>,
    /// Everything that the machine decides by: power, scanning, silence.
    pub machine: ArbiterConfig,
}

/// How the task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to, and let all straps go as far as five seconds allowed.
    Stopped,
    /// Recovery failed for minutes although the bus exists: end the process and let systemd restart it.
    GaveUp,
    /// A bug: the task panicked.
    Panicked,
}

/// A running Bluetooth edge.
#[derive(Debug)]
pub struct BleHandle {
    status: watch::Receiver<Status>,
    turns: Turns,
    task: JoinHandle<Exit>,
}

/// When the loop of the Bluetooth edge last turned; it does so every five seconds at least.
#[derive(Clone, Debug)]
pub struct Turns(Arc<AtomicU64>);

impl Turns {
    /// It turned `now`.
    fn turned(&self, now: Mono) {
        self.0.store(now.as_micros(), Ordering::Relaxed);
    }

    /// Whether it has stood still for so long that only a new process helps. One that just came out of suspend turns
    /// before anybody acts on it.
    pub fn is_stuck(&self, now: Mono) -> bool {
        now.since(Mono::from_micros(self.0.load(Ordering::Relaxed))) >= STUCK
    }
}

impl BleHandle {
    /// What there is to tell, as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
    /// Whether its loop turns, for the watchdog.
    pub fn turns(&self) -> Turns {
        self.turns.clone()
    }
    /// Waits for the end.
    pub async fn join(&mut self) -> Exit {
        (&mut self.task).await.unwrap_or(Exit::Panicked)
    }
}

/// Starts the Bluetooth edge: keeps the `wanted` straps connected and sends what they say to `tx`.
///
/// Only straps in `wanted` are ever connected; a strap that leaves it is let go.
pub fn spawn(
    config: BleConfig,
    wanted: watch::Receiver<Vec<StrapId>>,
    tx: mpsc::Sender<(Now, Input)>,
    clock: Clock,
    cancel: CancellationToken,
) -> BleHandle {
    let (status_tx, status) = watch::channel(Status::default());
    let turns = Turns(Arc::new(AtomicU64::new(clock.mono().as_micros())));
    let (events_tx, events) = mpsc::unbounded_channel();
    let sink = Sink {
        events: Some(events_tx),
        out: Some(tx.clone()),
        sightings: None,
        clock: clock.clone(),
        wanted: Arc::default(),
        full: Arc::default(),
    };
    let worker = Worker {
        adapter: config.adapter,
        machine: Arbiter::new(config.machine, clock.mono()),
        sink,
        session: Arc::default(),
        adapter_call: None,
        strap_calls: BTreeMap::new(),
        outbox: VecDeque::new(),
        rssi_told: BTreeMap::new(),
        gave_up: false,
    };
    let task = tokio::spawn(worker.run(wanted, events, tx, status_tx, turns.clone(), cancel));
    BleHandle { status, turns, task }
}

struct Worker {
    adapter: Option<String>,
    machine: Arbiter,
    sink: Sink,
    /// Filled by the call that opens a new session; a late one finds its slot replaced.
    session: Arc<Mutex<Option<Arc<Session>>>>,
    adapter_call: Option<AbortHandle>,
    strap_calls: BTreeMap<StrapId, AbortHandle>,
    outbox: VecDeque<(Now, Input)>,
    rssi_told: BTreeMap<StrapId, Mono>,
    gave_up: bool,
}

impl Worker {
    async fn run(
        mut self,
        mut wanted: watch::Receiver<Vec<StrapId>>,
        mut events: mpsc::UnboundedReceiver<Event>,
        tx: mpsc::Sender<(Now, Input)>,
        status: watch::Sender<Status>,
        turns: Turns,
        cancel: CancellationToken,
    ) -> Exit {
        let mut cancelled = false;
        let mut wanted_open = true;
        let first = wanted.borrow_and_update().clone();
        self.want(first);
        loop {
            while let Some(action) = self.machine.poll_action() {
                self.execute(action);
            }
            let now = self.sink.clock.mono();
            turns.turned(now);
            let mut report = self.machine.status();
            report.counters.queue_full = self.sink.full.load(Ordering::Relaxed);
            status.send_if_modified(|old| {
                let changed = *old != report;
                *old = report;
                changed
            });
            if self.machine.is_finished() {
                break;
            }
            let due = self.machine.poll_timeout().map_or(LONGEST_SLEEP, |at| at.since(now)).min(LONGEST_SLEEP);
            // Rounded up: tokio counts in ms, and waking early would spin.
            let sleep = tokio::time::sleep(due + Duration::from_millis(1));
            tokio::select! {
                Some(event) = events.recv() => {
                    if let Event::Advert { strap, rssi } = event {
                        self.tell_rssi(strap, rssi);
                    }
                    self.machine.handle(self.sink.clock.mono(), event);
                }
                () = sleep => self.machine.handle(self.sink.clock.mono(), Event::Timeout),
                permit = tx.reserve(), if !self.outbox.is_empty() => {
                    match (permit, self.outbox.pop_front()) {
                        (Ok(permit), Some(input)) => permit.send(input),
                        _ => self.outbox.clear(),
                    }
                }
                changed = wanted.changed(), if wanted_open => {
                    wanted_open = changed.is_ok();
                    let straps = wanted.borrow_and_update().clone();
                    self.want(straps);
                }
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.machine.handle(self.sink.clock.mono(), Event::Shutdown);
                }
            }
        }
        for input in self.outbox.drain(..) {
            // The engine may have stopped listening; the end does not wait for it.
            let _ = tx.try_send(input);
        }
        self.drop_session();
        // Give aborted pumps a turn each, so that their streams die while the runtime still lives.
        tokio::task::yield_now().await;
        if self.gave_up { Exit::GaveUp } else { Exit::Stopped }
    }

    fn want(&mut self, straps: Vec<StrapId>) {
        *self.sink.wanted.lock().unwrap_or_else(PoisonError::into_inner) = straps.iter().copied().collect();
        self.machine.handle(self.sink.clock.mono(), Event::Wanted(straps));
    }

    /// BlueZ forgets the strength when the scan ends, so it can only be had here.
    fn tell_rssi(&mut self, strap: StrapId, rssi: i16) {
        let now = self.sink.clock.now();
        if self.rssi_told.get(&strap).is_none_or(|at| now.mono.since(*at) >= RSSI_EVERY) {
            self.rssi_told.insert(strap, now.mono);
            let facts = StrapFacts { rssi_dbm: Some(rssi), ..StrapFacts::default() };
            self.outbox.push_back((now, Input::Facts { strap, facts }));
        }
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn drop_session(&mut self) {
        for (_, call) in std::mem::take(&mut self.strap_calls) {
            call.abort();
        }
        if let Some(call) = self.adapter_call.take() {
            call.abort();
        }
        let slot = std::mem::take(&mut self.session);
        if let Some(session) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
            session.close();
        }
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Publish(strap, state) => {
                info!("strap {strap}: {}", state.as_str().replace('_', " "));
                self.outbox.push_back((self.sink.clock.now(), Input::Link { strap, state }));
            }
            Action::Forget(strap) => {
                if let Some(call) = self.strap_calls.remove(&strap) {
                    call.abort();
                }
                if let Some(session) = self.session() {
                    session.forget(strap);
                }
            }
            Action::GiveUp => {
                warn!("Bluetooth recovery failed for minutes: giving up");
                self.gave_up = true;
                self.machine.handle(self.sink.clock.mono(), Event::Shutdown);
            }
            Action::Adapter(id, call) => self.call_adapter(id, call),
            Action::Strap(id, strap, call) => self.call_strap(id, strap, call),
        }
    }

    fn call_adapter(&mut self, id: CallId, call: AdapterCall) {
        debug!(?call, "adapter");
        if let Some(old) = self.adapter_call.take() {
            old.abort();
        }
        if call == AdapterCall::NewManager {
            self.drop_session();
        }
        let sink = self.sink.clone();
        let session = self.session();
        let slot = self.session.clone();
        let want = self.adapter.clone();
        let task = tokio::spawn(async move {
            let work = async {
                if call == AdapterCall::NewManager {
                    let session = Arc::new(Session::open().await?);
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
                    return Ok(Answer::Done);
                }
                let Some(session) = session else { return Err(Failure::BusLost) };
                match call {
                    AdapterCall::NewManager => Ok(Answer::Done),
                    AdapterCall::FindAdapter => session.find_adapter(want.as_deref(), &sink).await,
                    AdapterCall::CheckAdapter => session.check_adapter().await,
                    AdapterCall::StartScan => session.start_scan(true).await.map(|()| Answer::Done),
                    AdapterCall::StopScan => session.stop_scan().await.map(|()| Answer::Done),
                }
            };
            let result = tokio::time::timeout(call.limit(), work).await.unwrap_or(Err(Failure::Timeout));
            sink.event(Event::Done(id, result));
        });
        self.adapter_call = Some(task.abort_handle());
    }

    fn call_strap(&mut self, id: CallId, strap: StrapId, call: StrapCall) {
        debug!(%strap, ?call, "strap");
        let sink = self.sink.clone();
        let session = self.session();
        let task = tokio::spawn(async move {
            let work = async {
                let Some(session) = session else { return Err(Failure::BusLost) };
                match call {
                    StrapCall::Connect => session.connect(strap).await,
                    StrapCall::Setup { reopen } => session.setup(strap, reopen, &sink).await,
                    StrapCall::Resubscribe => session.resubscribe(strap).await,
                    StrapCall::CheckConnected => session.check_connected(strap).await,
                    StrapCall::ReadFacts => session.read_facts(strap, &sink).await,
                    StrapCall::Disconnect => session.disconnect(strap).await,
                }
            };
            let result = tokio::time::timeout(call.limit(), work).await.unwrap_or(Err(Failure::Timeout));
            debug!(%strap, ?call, ?result, "done");
            sink.event(Event::Done(id, result.map(|()| Answer::Done)));
        });
        if let Some(old) = self.strap_calls.insert(strap, task.abort_handle()) {
            old.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stands_still_for_a_minute_is_stuck() {
        let turns = Turns(Arc::default());
        turns.turned(Mono::from_secs(1000));
        assert!(!turns.is_stuck(Mono::from_secs(1059)));
        assert!(turns.is_stuck(Mono::from_secs(1060)));
        turns.turned(Mono::from_secs(1061));
        assert!(!turns.is_stuck(Mono::from_secs(1061)));
    }
}
