//! A simulated world around the machine: no sleeping, no clock. It checks the machine's promises at every step.

use hrvd::ble::arbiter::{Action, Arbiter, ArbiterConfig, Event};
use hrvd::ble::{Adapter, AdapterCall, AdapterInfo, Answer, CallId, Failure, StrapCall};
use hrvd::engine::LinkState;
use hrvd::units::{Mono, StrapId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Longer than any call is believed in.
const VANISHED: Duration = Duration::from_secs(1000);

pub fn strap(n: u8) -> StrapId {
    StrapId([0xc0, 0, 0, 0, 0, n])
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Works,
    Fails(Failure),
    /// The executor itself never answers.
    Vanishes,
}

/// How a strap behaves.
#[derive(Clone, Debug)]
pub struct Body {
    pub in_range: bool,
    /// How its advertisements are heard, dBm.
    pub rssi: i16,
    pub connect: Fate,
    pub setup: Fate,
    pub setup_takes: Duration,
    pub beats: bool,
    pub connected: bool,
    /// The link ends by itself after so long.
    pub drops_after: Option<Duration>,
    pub since: Mono,
    pub next_beat: Mono,
}

impl Default for Body {
    fn default() -> Self {
        Self {
            in_range: true,
            rssi: -60,
            connect: Fate::Works,
            setup: Fate::Works,
            setup_takes: Duration::from_millis(100),
            beats: true,
            connected: false,
            drops_after: None,
            since: Mono::default(),
            next_beat: Mono::default(),
        }
    }
}

/// The layers below the straps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    On,
    Off,
    NoAdapter,
    NoService,
    /// The bus can be reached, but nothing on it answers.
    Hung,
    NoBus,
}

#[derive(Clone, Debug)]
enum InFlight {
    Adapter(AdapterCall),
    Strap(StrapId, StrapCall),
}

pub struct Sim {
    pub machine: Arbiter,
    pub now: Mono,
    pub ground: Ground,
    pub bodies: BTreeMap<StrapId, Body>,
    pub wanted: BTreeSet<StrapId>,
    pub states: BTreeMap<StrapId, Vec<LinkState>>,
    pub log: Vec<(Mono, StrapId, StrapCall)>,
    pub adapter_log: Vec<(Mono, AdapterCall)>,
    pub gave_up: bool,
    /// Decides over the next call instead of the world.
    pub whim: Option<Fate>,
    /// The controller carries so many connections.
    pub limit: usize,
    power_on: bool,
    scanning: bool,
    flying: BTreeMap<CallId, (Mono, InFlight, Result<Answer, Failure>)>,
    /// Straps that BlueZ may be connecting: from Connect until its success, or until the Disconnect after it.
    connecting: BTreeSet<StrapId>,
    next_advert: Mono,
}

impl Sim {
    pub fn new(config: ArbiterConfig, straps: &[StrapId]) -> Self {
        let now = Mono::from_secs(1000);
        let mut sim = Self {
            machine: Arbiter::new(config, now),
            now,
            ground: Ground::On,
            bodies: straps.iter().map(|s| (*s, Body::default())).collect(),
            wanted: BTreeSet::new(),
            states: BTreeMap::new(),
            log: Vec::new(),
            adapter_log: Vec::new(),
            gave_up: false,
            whim: None,
            limit: usize::MAX,
            power_on: config.power_on,
            scanning: false,
            flying: BTreeMap::new(),
            connecting: BTreeSet::new(),
            next_advert: now,
        };
        sim.want(straps);
        sim
    }

    pub fn body(&mut self, strap: StrapId) -> &mut Body {
        self.bodies.get_mut(&strap).unwrap()
    }

    pub fn want(&mut self, straps: &[StrapId]) {
        self.wanted = straps.iter().copied().collect();
        self.send(Event::Wanted(straps.to_vec()));
    }

    pub fn state(&self, strap: StrapId) -> LinkState {
        self.states.get(&strap).and_then(|s| s.last()).copied().unwrap_or(LinkState::Unknown)
    }

    pub fn calls(&self, strap: StrapId, call: StrapCall) -> Vec<Mono> {
        self.log.iter().filter(|(_, s, c)| *s == strap && *c == call).map(|(at, _, _)| *at).collect()
    }

    pub fn count(&self, call: AdapterCall) -> usize {
        self.adapter_log.iter().filter(|(_, c)| *c == call).count()
    }

    pub fn shut_down(&mut self) {
        self.wanted.clear();
        self.send(Event::Shutdown);
    }

    pub fn send(&mut self, event: Event) {
        self.machine.handle(self.now, event);
        self.obey();
    }

    /// Lets so much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let mut next = end;
            if let Some(at) = self.machine.poll_timeout() {
                assert!(at > self.now, "a timeout in the past spins the loop");
                next = next.min(at);
            }
            for (at, _, _) in self.flying.values() {
                next = next.min(*at);
            }
            next = next.min(self.next_advert);
            for body in self.bodies.values().filter(|b| b.connected) {
                next = next.min(body.next_beat);
            }
            if next >= end {
                self.now = end;
                self.send(Event::Timeout);
                return;
            }
            self.now = next.max(self.now);
            self.step();
        }
    }

    fn step(&mut self) {
        let due: Vec<CallId> = self.flying.iter().filter(|(_, f)| f.0 <= self.now).map(|(id, _)| *id).collect();
        for id in due {
            if let Some((_, call, result)) = self.flying.remove(&id) {
                self.take_effect(&call, &result);
                self.send(Event::Done(id, result));
            }
        }
        if self.next_advert <= self.now {
            self.next_advert = self.now + Duration::from_millis(500);
            if self.scanning && self.ground == Ground::On {
                let here: Vec<StrapId> =
                    self.bodies.iter().filter(|(_, b)| b.in_range && !b.connected).map(|(s, _)| *s).collect();
                for strap in here {
                    let rssi = self.body(strap).rssi;
                    self.send(Event::Advert { strap, rssi });
                }
            }
        }
        let up: Vec<StrapId> = self.bodies.iter().filter(|(_, b)| b.connected).map(|(s, _)| *s).collect();
        for strap in up {
            let now = self.now;
            let body = self.body(strap);
            if body.next_beat > now {
                continue;
            }
            body.next_beat = now + Duration::from_secs(1);
            let ended = body.drops_after.is_some_and(|after| now.since(body.since) >= after);
            if ended {
                body.connected = false;
                self.send(Event::Disconnected(strap));
            } else if body.beats {
                self.send(Event::Frame(strap));
            }
        }
        self.send(Event::Timeout);
    }

    fn take_effect(&mut self, call: &InFlight, result: &Result<Answer, Failure>) {
        let now = self.now;
        match call {
            InFlight::Strap(strap, StrapCall::Connect) if result.is_ok() => {
                self.connecting.remove(strap);
                // A whim may claim a success where there is no radio; nothing is carried for all that.
                let carried = matches!(self.ground, Ground::On | Ground::Hung);
                let body = self.body(*strap);
                body.connected = carried;
                body.since = now;
                body.next_beat = now + Duration::from_millis(500);
            }
            // Rejected at once: whatever BlueZ is doing, this call did not begin it.
            InFlight::Strap(strap, StrapCall::Connect) if *result == Err(Failure::InProgress) => {
                self.connecting.remove(strap);
            }
            InFlight::Strap(strap, StrapCall::Disconnect) => {
                self.connecting.remove(strap);
                self.body(*strap).connected = false;
            }
            InFlight::Adapter(AdapterCall::StopScan) => self.scanning = false,
            InFlight::Adapter(AdapterCall::StartScan)
                if result.is_ok() && matches!(self.ground, Ground::On | Ground::Off) =>
            {
                if self.ground == Ground::Off {
                    self.ground = Ground::On;
                }
                self.scanning = true;
            }
            _ => {}
        }
    }

    /// The world below changes; whoever was connected is not any more.
    pub fn set_ground(&mut self, ground: Ground, announced: bool) {
        self.ground = ground;
        if ground == Ground::On {
            if announced {
                self.send(Event::Powered(true));
            }
            return;
        }
        self.scanning = false;
        self.end_attempts(Failure::Refused);
        let up: Vec<StrapId> = self.bodies.iter().filter(|(_, b)| b.connected).map(|(s, _)| *s).collect();
        for strap in up {
            self.body(strap).connected = false;
            if announced {
                self.send(Event::Disconnected(strap));
            }
        }
        if announced {
            self.send(Event::Powered(false));
        }
    }

    /// Connects and set-ups that are under way end like this.
    pub fn end_attempts(&mut self, failure: Failure) {
        for (at, call, result) in self.flying.values_mut() {
            if let InFlight::Strap(_, StrapCall::Connect | StrapCall::Setup { .. }) = call {
                (*at, *result) = ((*at).min(self.now + Duration::from_millis(10)), Err(failure));
            }
        }
    }

    fn obey(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Publish(strap, state) => {
                    let states = self.states.entry(strap).or_default();
                    assert_ne!(states.last(), Some(&state), "published twice");
                    states.push(state);
                }
                Action::Forget(strap) => assert!(!self.wanted.contains(&strap), "forgot a wanted strap"),
                Action::GiveUp => self.gave_up = true,
                Action::Adapter(id, call) => self.begin_adapter(id, call),
                Action::Strap(id, strap, call) => self.begin_strap(id, strap, call),
            }
        }
    }

    fn begin_adapter(&mut self, id: CallId, call: AdapterCall) {
        self.adapter_log.push((self.now, call));
        if call == AdapterCall::NewManager {
            // The executor throws everything away first, and BlueZ what belonged to the old connection; but what it was
            // told to disconnect it disconnects, and what was connected stays so.
            for (_, f, _) in std::mem::take(&mut self.flying).into_values() {
                if let InFlight::Strap(strap, StrapCall::Disconnect) = f {
                    self.body(strap).connected = false;
                }
            }
            self.connecting.clear();
        }
        let lost = call == AdapterCall::StopScan && self.whim == Some(Fate::Vanishes);
        if call == AdapterCall::NewManager || lost {
            self.scanning = false;
        }
        // A call whose executor vanished is given up by its deadline; any other must have ended.
        self.flying.retain(|_, (at, f, _)| !(matches!(f, InFlight::Adapter(_)) && at.since(self.now) > VANISHED));
        let busy = self.flying.values().any(|(at, f, _)| matches!(f, InFlight::Adapter(_)) && *at > self.now);
        assert!(!busy, "{call:?} while another call about the adapter is under way");
        if call == AdapterCall::StartScan {
            let off = matches!(&self.machine.status().adapter, Adapter::Here(AdapterInfo { powered: false, .. }));
            assert!(!off || self.power_on, "scanning would switch the adapter on");
            assert!(self.connecting.is_empty(), "scanning while a connect is under way");
        }
        let fate = self.whim.unwrap_or(Fate::Works);
        let (wait, result) = match (fate, self.ground) {
            (Fate::Vanishes, _) => (Duration::from_secs(1_000_000), Err(Failure::Timeout)),
            (Fate::Fails(f), _) => (Duration::from_millis(10), Err(f)),
            (_, Ground::NoBus) => (Duration::from_millis(10), Err(Failure::BusLost)),
            (_, Ground::Hung) if call == AdapterCall::NewManager => (Duration::from_millis(10), Ok(Answer::Done)),
            (_, Ground::Hung) => (call.limit(), Err(Failure::Timeout)),
            (_, _) if call == AdapterCall::NewManager => (Duration::from_millis(10), Ok(Answer::Done)),
            (_, Ground::NoService) => (Duration::from_millis(10), Err(Failure::NoService)),
            (_, Ground::NoAdapter) => match call {
                AdapterCall::FindAdapter => (Duration::from_millis(10), Ok(Answer::NoAdapter)),
                _ => (Duration::from_millis(10), Err(Failure::Gone)),
            },
            (_, Ground::On | Ground::Off) => {
                let powered = self.ground == Ground::On;
                let info = AdapterInfo { name: "hci0".to_owned(), address: None, powered };
                let answer = match call {
                    AdapterCall::FindAdapter | AdapterCall::CheckAdapter => Ok(Answer::Adapter(info)),
                    AdapterCall::StopScan if !powered => Err(Failure::AdapterOff),
                    _ => Ok(Answer::Done),
                };
                (Duration::from_millis(10), answer)
            }
        };
        self.flying.insert(id, (self.now + wait, InFlight::Adapter(call), result));
    }

    fn begin_strap(&mut self, id: CallId, strap: StrapId, call: StrapCall) {
        self.log.push((self.now, strap, call));
        let older: Vec<(CallId, bool)> = self
            .flying
            .iter()
            .filter(|(_, (_, f, _))| matches!(f, InFlight::Strap(s, _) if *s == strap))
            .map(|(id, (at, ..))| (*id, at.since(self.now) < VANISHED))
            .collect();
        // A call whose executor vanished is given up by its deadline; any other must have ended.
        let busy = older.iter().any(|(_, alive)| *alive);
        assert!(!busy || call == StrapCall::Disconnect, "{call:?} to {strap} while another call to it is under way");
        for (id, _) in older {
            self.flying.remove(&id);
        }
        if call == StrapCall::Connect {
            assert!(self.wanted.contains(&strap), "{strap} is not wanted");
            assert!(self.connecting.is_empty(), "a second connect while {:?} connects", self.connecting);
            assert!(!self.scanning, "connecting while scanning");
            self.connecting.insert(strap);
        }
        let body = self.bodies[&strap].clone();
        let here = self.ground == Ground::On && body.in_range;
        let fate = match (self.whim, call) {
            (Some(whim), _) => whim,
            (None, _) if self.ground == Ground::Hung => Fate::Fails(Failure::Timeout),
            (None, _) if self.ground == Ground::NoBus => Fate::Fails(Failure::BusLost),
            (None, StrapCall::Connect)
                if here && self.bodies.values().filter(|b| b.connected).count() >= self.limit =>
            {
                Fate::Fails(Failure::Full)
            }
            (None, StrapCall::Connect) if here => body.connect,
            (None, StrapCall::Connect) => Fate::Fails(Failure::Timeout),
            (None, StrapCall::Disconnect) => Fate::Works,
            (None, StrapCall::Setup { .. }) if here && body.connected => body.setup,
            (None, _) if here && body.connected => Fate::Works,
            (None, _) => Fate::Fails(Failure::NotConnected),
        };
        if (fate, call) == (Fate::Vanishes, StrapCall::Disconnect) {
            // Nobody can know then what BlueZ does.
            self.connecting.remove(&strap);
        }
        let (wait, result) = match fate {
            Fate::Works if matches!(call, StrapCall::Setup { .. }) => (body.setup_takes, Ok(Answer::Done)),
            Fate::Works => (Duration::from_millis(100), Ok(Answer::Done)),
            Fate::Fails(Failure::Timeout) => (call.limit(), Err(Failure::Timeout)),
            Fate::Fails(f) => (Duration::from_millis(100), Err(f)),
            Fate::Vanishes => (Duration::from_secs(1_000_000), Err(Failure::Timeout)),
        };
        self.flying.insert(id, (self.now + wait, InFlight::Strap(strap, call), result));
    }
}
