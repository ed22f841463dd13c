//! One adapter and its straps as a machine: who may connect, when to scan, what to rebuild. No I/O, no clock.
//!
//! Levels of recovery, each counted: (a) reconnect a strap, (b) a new scan burst, (c) look for the adapter again,
//! (d) a new connection to the bus, (e) give up, so that the service manager restarts the process.

use super::call::{AdapterCall, AdapterInfo, Answer, CallId, Failure};
pub use super::event::{Action, ArbiterConfig, Event};
use super::link::{Link, LinkEvent};
use super::status::{Adapter, Counters, Recovery, Status, StrapStatus};
use crate::engine::LinkState;
use crate::units::{Mono, StrapId};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Added to a call's own limit before the machine stops believing that its executor will answer.
const GRACE: Duration = Duration::from_secs(2);
/// Cheap calls without an answer in a row that condemn the connection to the bus.
const STRIKES: u32 = 2;
/// Between two tries to switch the adapter on or to start a scan that failed.
const SCAN_RETRY: Duration = Duration::from_secs(5);
/// A rest between a scan that was cut short for a connection and the next one.
const SCAN_BREATH: Duration = Duration::from_millis(300);
/// Silence that outlives so many reconnects of a strap condemns the connection to the bus...
const SILENT_CYCLES: u32 = 3;
/// ...but not more often than this.
const SILENT_REBUILD_EVERY: Duration = Duration::from_secs(600);
/// How long letting all straps go may take.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    /// Not scanning; the next burst may begin at this moment.
    Off(Mono),
    Starting,
    On(Mono),
    Stopping(Mono),
    /// bluetoothd was not heard meanwhile: the scan may be gone or not. It is stopped before anything else.
    Unsure,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    id: CallId,
    call: AdapterCall,
    deadline: Mono,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Arbiter {
    config: ArbiterConfig,
    links: BTreeMap<StrapId, Link>,
    calls: BTreeMap<StrapId, CallId>,
    published: BTreeMap<StrapId, LinkState>,
    actions: VecDeque<Action>,
    counters: Counters,
    now: Mono,
    next_id: u64,
    pending: Option<Pending>,
    adapter: Adapter,
    /// There is a connection to the bus.
    connected: bool,
    /// The adapter at hand may not be the right object any more.
    lookup: bool,
    poll_at: Mono,
    manager_at: Mono,
    manager_tries: u32,
    strikes: u32,
    failed_lookups: u32,
    /// Since when nothing healthy was heard, and how often the bus was reached meanwhile.
    sick: Option<(Mono, u32)>,
    silent_rebuild: Option<Mono>,
    scan: Scan,
    /// Connections of the adapter that are ours.
    carried: usize,
    shutdown: Option<Mono>,
    given_up: bool,
}

impl Arbiter {
    /// A machine that knows nothing yet.
    pub fn new(config: ArbiterConfig, now: Mono) -> Self {
        Self {
            config,
            links: BTreeMap::new(),
            calls: BTreeMap::new(),
            published: BTreeMap::new(),
            actions: VecDeque::new(),
            counters: Counters::default(),
            now,
            next_id: 0,
            pending: None,
            adapter: Adapter::Unknown,
            connected: false,
            lookup: true,
            poll_at: now,
            manager_at: now,
            manager_tries: 0,
            strikes: 0,
            failed_lookups: 0,
            sick: None,
            silent_rebuild: None,
            scan: Scan::Off(now),
            carried: 0,
            shutdown: None,
            given_up: false,
        }
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Mono, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Wanted(straps) => self.on_wanted(&straps),
            Event::Advert { strap, rssi } => self.tell(strap, LinkEvent::Advert { rssi }),
            Event::Connected(strap) => self.tell(strap, LinkEvent::Connected),
            Event::Disconnected(strap) => self.tell(strap, LinkEvent::Disconnected),
            Event::Frame(strap) => self.tell(strap, LinkEvent::Frame),
            Event::Powered(on) => self.on_powered(on),
            Event::Done(id, result) => self.on_done(id, result),
            Event::Shutdown => self.on_shutdown(),
            Event::Timeout => {}
        }
        self.decide();
    }

    /// The next thing to do, if any.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to send [`Event::Timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let links = self.links.values().filter_map(Link::poll_timeout);
        let adapter = match self.pending {
            Some(p) => p.deadline,
            None if !self.connected => self.manager_at,
            None => self.poll_at,
        };
        let scan = match self.scan {
            Scan::Off(until) => Some(until),
            Scan::On(since) => Some(since + self.config.scan_on),
            Scan::Starting | Scan::Stopping(_) | Scan::Unsure => None,
        };
        links.chain([adapter]).chain(scan).chain(self.shutdown).filter(|at| *at > self.now).min()
    }

    /// Whether all straps were let go after [`Event::Shutdown`], or the time for it is over.
    pub fn is_finished(&self) -> bool {
        self.shutdown.is_some_and(|until| self.now >= until || (self.links.is_empty() && self.pending.is_none()))
    }

    /// What there is to tell.
    pub fn status(&self) -> Status {
        Status {
            adapter: self.adapter.clone(),
            scanning: matches!(self.scan, Scan::On(_)),
            counters: self.counters,
            straps: self.links.iter().map(|(strap, link)| self.strap_status(*strap, link)).collect(),
        }
    }

    fn strap_status(&self, strap: StrapId, link: &Link) -> StrapStatus {
        let mut status = link.status(self.now, self.published.get(&strap).copied().unwrap_or(link.state()));
        if matches!(self.adapter, Adapter::Unreachable(_)) && status.recovery != Recovery::None {
            status.recovery = Recovery::Bus;
        }
        status
    }

    fn tell(&mut self, strap: StrapId, event: LinkEvent) {
        if let Some(link) = self.links.get_mut(&strap) {
            link.handle(self.now, event, &mut self.counters);
        }
    }

    fn tell_all(&mut self, event: LinkEvent) {
        for link in self.links.values_mut() {
            link.handle(self.now, event, &mut self.counters);
        }
    }

    fn on_wanted(&mut self, straps: &[StrapId]) {
        if self.shutdown.is_some() {
            return;
        }
        for strap in straps {
            let link = self.links.entry(*strap).or_insert_with(|| Link::new(*strap, self.config.link, self.now));
            link.handle(self.now, LinkEvent::Want, &mut self.counters);
        }
        for (strap, link) in &mut self.links {
            if !straps.contains(strap) {
                link.handle(self.now, LinkEvent::Release, &mut self.counters);
            }
        }
    }

    fn on_shutdown(&mut self) {
        if self.shutdown.is_none() {
            self.shutdown = Some(self.now + SHUTDOWN_LIMIT);
            self.tell_all(LinkEvent::Release);
        }
    }

    fn on_powered(&mut self, on: bool) {
        if let Adapter::Here(info) = &self.adapter {
            let info = AdapterInfo { powered: on, ..info.clone() };
            self.set_adapter(Adapter::Here(info));
        }
        // Events are only the fast path: let the adapter itself confirm it.
        self.poll_soon();
    }

    fn poll_soon(&mut self) {
        self.poll_at = self.now;
    }

    fn set_adapter(&mut self, adapter: Adapter) {
        if self.adapter.is_on() && !adapter.is_on() {
            self.tell_all(LinkEvent::AdapterLost);
        }
        if !adapter.is_on() && !matches!(self.scan, Scan::Off(_)) {
            // bluetoothd forgets a scan when the adapter goes. But did it go, or was it only not heard?
            let surely = matches!(adapter, Adapter::Here(_));
            self.scan = if surely { Scan::Off(self.now) } else { Scan::Unsure };
        }
        self.adapter = adapter;
    }

    fn on_done(&mut self, id: CallId, result: Result<Answer, Failure>) {
        if let Some(p) = self.pending.filter(|p| p.id == id) {
            self.pending = None;
            self.on_adapter_done(p.call, result);
            return;
        }
        let Some(strap) = self.calls.iter().find(|(_, call)| **call == id).map(|(strap, _)| *strap) else {
            self.counters.late += 1;
            return;
        };
        self.calls.remove(&strap);
        if let Err(failure) = result {
            match failure {
                Failure::BusLost => self.rebuild(),
                Failure::NoService | Failure::AdapterOff | Failure::Timeout | Failure::Gone => self.poll_soon(),
                _ => {}
            }
        }
        self.tell(strap, LinkEvent::Done(result.map(|_| ())));
    }

    fn on_adapter_done(&mut self, call: AdapterCall, result: Result<Answer, Failure>) {
        if let (AdapterCall::FindAdapter | AdapterCall::CheckAdapter, Ok(answer)) = (call, &result) {
            self.strikes = 0;
            self.failed_lookups = 0;
            self.manager_tries = 0;
            self.sick = None;
            self.poll_at = self.now + self.config.poll;
            match answer {
                Answer::Adapter(info) => {
                    // One that is off may not be the one to use any more: another may have been plugged in.
                    self.lookup = !info.powered;
                    self.set_adapter(Adapter::Here(info.clone()));
                }
                Answer::NoAdapter | Answer::Done => {
                    self.lookup = true;
                    self.set_adapter(Adapter::Missing);
                }
            }
            return;
        }
        match (call, result) {
            (AdapterCall::NewManager, Ok(_)) => {
                self.connected = true;
                self.lookup = true;
                self.poll_soon();
                if let Some((_, times)) = &mut self.sick {
                    *times += 1;
                }
            }
            (AdapterCall::NewManager, Err(failure)) => {
                self.set_adapter(Adapter::Unreachable(Some(failure)));
                // Without a bus there is nothing that a restart of this process could cure.
                self.sick = Some((self.now, 0));
                self.schedule_manager();
            }
            (AdapterCall::StartScan, Ok(_) | Err(Failure::InProgress)) => {
                self.scan = Scan::On(self.now);
                self.strikes = 0;
            }
            (AdapterCall::StopScan, result) => {
                match self.scan {
                    Scan::Stopping(next) => self.scan = Scan::Off(next),
                    Scan::Unsure if self.adapter.is_on() => self.scan = Scan::Off(self.now),
                    _ => {}
                }
                if let Err(failure) = result {
                    self.suspect(failure);
                }
            }
            (AdapterCall::StartScan, Err(failure)) => {
                self.scan = Scan::Off(self.now + SCAN_RETRY);
                self.suspect(failure);
            }
            (AdapterCall::CheckAdapter, Err(Failure::Gone)) => {
                self.lookup = true;
                self.poll_soon();
                self.set_adapter(Adapter::Missing);
            }
            (AdapterCall::FindAdapter | AdapterCall::CheckAdapter, Err(failure)) => {
                self.poll_at = self.now + self.config.poll;
                if call == AdapterCall::FindAdapter {
                    self.failed_lookups += 1;
                }
                self.lookup = true;
                if !matches!(failure, Failure::Timeout) {
                    self.set_adapter(Adapter::Unreachable(Some(failure)));
                }
                self.suspect(failure);
            }
            (AdapterCall::FindAdapter | AdapterCall::CheckAdapter, Ok(_)) => {}
        }
    }

    /// A call that should have worked did not: is the bus still there?
    fn suspect(&mut self, failure: Failure) {
        match failure {
            Failure::BusLost | Failure::Stale => self.rebuild(),
            Failure::Timeout => {
                self.strikes += 1;
                self.poll_soon();
                if self.strikes >= STRIKES {
                    self.rebuild();
                }
            }
            // Normal states of a machine: bluetoothd stopped, adapter off, no permission. Report and ask again.
            Failure::NoService | Failure::Denied => {}
            Failure::AdapterOff => self.poll_soon(),
            _ if self.failed_lookups >= 2 => self.rebuild(),
            _ => {}
        }
    }

    /// Level (d): throw the connection to the bus away.
    fn rebuild(&mut self) {
        if !self.connected {
            return;
        }
        self.connected = false;
        self.pending = None;
        self.calls.clear();
        self.strikes = 0;
        self.failed_lookups = 0;
        self.sick.get_or_insert((self.now, 0));
        self.set_adapter(Adapter::Unreachable(Some(Failure::BusLost)));
        self.scan = Scan::Off(self.now);
        self.tell_all(LinkEvent::Reset);
        self.schedule_manager();
    }

    fn schedule_manager(&mut self) {
        let wait = Duration::from_secs(1u64 << self.manager_tries.min(5)).min(Duration::from_secs(30));
        self.manager_at = self.now + if self.manager_tries == 0 { Duration::ZERO } else { wait };
        self.manager_tries += 1;
    }

    fn call_adapter(&mut self, call: AdapterCall) {
        let id = self.new_id();
        self.pending = Some(Pending { id, call, deadline: self.now + call.limit() + GRACE });
        self.actions.push_back(Action::Adapter(id, call));
    }

    fn new_id(&mut self) -> CallId {
        self.next_id += 1;
        CallId(self.next_id)
    }

    fn decide(&mut self) {
        if let Some(p) = self.pending.filter(|p| self.now >= p.deadline) {
            self.pending = None;
            self.counters.unanswered += 1;
            self.on_adapter_done(p.call, Err(Failure::Timeout));
        }
        self.tell_all(LinkEvent::Timeout);
        let before = std::mem::replace(&mut self.carried, self.links.values().filter(|l| l.is_connected()).count());
        self.free_the_held();
        self.end_silence_of_the_bus();
        self.drive_adapter();
        self.make_room(before);
        self.grant();
        self.collect();
        self.publish();
        self.give_up();
    }

    /// Straps to be let go that were down already: bluetoothd may hold them all the same, if it is still there.
    fn free_the_held(&mut self) {
        let on = match &self.adapter {
            Adapter::Here(info) => info.powered,
            Adapter::Missing => false,
            Adapter::Unknown | Adapter::Unreachable(_) if self.shutdown.is_some() => false,
            Adapter::Unknown | Adapter::Unreachable(_) => return, // when it can be reached again
        };
        for link in self.links.values_mut().filter(|l| l.may_be_held()) {
            link.handle(self.now, LinkEvent::Free(on), &mut self.counters);
        }
    }

    /// Straps that stay silent through reconnects, while none delivers: the signal path itself may be dead.
    fn end_silence_of_the_bus(&mut self) {
        let silent = self.links.values().any(|l| l.silent_cycles() >= SILENT_CYCLES);
        let delivering = self.links.values().any(|l| l.is_delivering(self.now));
        let lately = self.silent_rebuild.is_some_and(|at| self.now.since(at) < SILENT_REBUILD_EVERY);
        if silent && !delivering && !lately && self.connected && self.shutdown.is_none() {
            self.silent_rebuild = Some(self.now);
            self.rebuild();
        }
    }

    /// A full adapter has room again when any of its connections ended.
    fn make_room(&mut self, before: usize) {
        if self.carried < before {
            self.tell_all(LinkEvent::RoomMade);
        }
    }

    fn drive_adapter(&mut self) {
        if self.pending.is_some() {
            return;
        }
        let stop = matches!(self.scan, Scan::On(_)) && (self.shutdown.is_some() || !self.should_scan());
        match self.scan {
            Scan::On(since) if stop || self.now.since(since) >= self.config.scan_on => {
                let whole = self.now.since(since) >= self.config.scan_on;
                if whole {
                    self.tell_all(LinkEvent::BurstEnded(since));
                }
                let rest = if whole { self.config.scan_off } else { SCAN_BREATH };
                self.scan = Scan::Stopping(self.now + rest);
                self.call_adapter(AdapterCall::StopScan);
            }
            _ if self.shutdown.is_some() => {}
            _ if !self.connected => self.reach_bus(),
            _ if self.now >= self.poll_at => {
                if self.lookup {
                    // Asking again about one that its owner switched off recovers nothing.
                    self.counters.adapter_lookups += u64::from(!matches!(self.adapter, Adapter::Here(_)));
                    self.call_adapter(AdapterCall::FindAdapter);
                } else {
                    self.call_adapter(AdapterCall::CheckAdapter);
                }
            }
            Scan::Unsure if self.adapter.is_on() => {
                self.scan = Scan::Stopping(self.now);
                self.call_adapter(AdapterCall::StopScan);
            }
            Scan::Off(next) if self.now >= next && self.should_scan() => {
                self.scan = Scan::Starting;
                self.counters.scans += 1;
                self.call_adapter(AdapterCall::StartScan);
            }
            _ => {}
        }
    }

    fn reach_bus(&mut self) {
        if self.now >= self.manager_at {
            self.counters.managers += u64::from(self.next_id > 0);
            self.call_adapter(AdapterCall::NewManager);
        }
    }

    /// Nothing scans when all wanted straps are connected, nor while one connects.
    fn should_scan(&self) -> bool {
        let on = match &self.adapter {
            Adapter::Here(info) => info.powered || self.config.power_on,
            Adapter::Unknown | Adapter::Unreachable(_) | Adapter::Missing => false,
        };
        on && self.links.values().any(|l| l.wants_scan(self.now))
            && !self.links.values().any(|l| l.holds_slot() || l.wants_connect(self.now).is_some())
    }

    fn grant(&mut self) {
        let free = self.adapter.is_on()
            && self.shutdown.is_none()
            && matches!(self.scan, Scan::Off(_))
            && !self.links.values().any(Link::holds_slot);
        if !free {
            return;
        }
        let first = self.links.values().filter_map(|l| l.wants_connect(self.now)).min();
        if let Some((_, _, strap)) = first {
            if let Some(link) = self.links.get_mut(&strap) {
                link.connect(self.now, &mut self.counters);
            }
        }
    }

    fn collect(&mut self) {
        let mut gone = Vec::new();
        for (strap, link) in &mut self.links {
            while let Some(call) = link.poll_call() {
                self.next_id += 1;
                let id = CallId(self.next_id);
                self.calls.insert(*strap, id);
                self.actions.push_back(Action::Strap(id, *strap, call));
            }
            if link.is_released() {
                gone.push(*strap);
            }
        }
        for strap in gone {
            if self.published.remove(&strap) != Some(LinkState::Released) {
                self.actions.push_back(Action::Publish(strap, LinkState::Released));
            }
            self.actions.push_back(Action::Forget(strap));
            self.links.remove(&strap);
            self.calls.remove(&strap);
        }
    }

    fn publish(&mut self) {
        for (strap, link) in self.links.iter().filter(|(_, l)| !l.is_leaving()) {
            let state = match (&self.adapter, link.state()) {
                (_, LinkState::Released) => LinkState::Released,
                (Adapter::Unknown, _) => LinkState::Unknown,
                (Adapter::Missing, _) => LinkState::NoAdapter,
                (Adapter::Unreachable(_), _) => LinkState::AdapterOff,
                (Adapter::Here(info), _) if !info.powered => LinkState::AdapterOff,
                (Adapter::Here(_), state) => state,
            };
            if self.published.insert(*strap, state) != Some(state) {
                self.actions.push_back(Action::Publish(*strap, state));
            }
        }
    }

    fn give_up(&mut self) {
        let hopeless = self
            .sick
            .is_some_and(|(since, reached)| reached >= 3 && self.now.since(since) >= self.config.give_up_after);
        if hopeless && !self.given_up {
            self.given_up = true;
            self.counters.gave_up += 1;
            self.actions.push_back(Action::GiveUp);
        }
    }
}
