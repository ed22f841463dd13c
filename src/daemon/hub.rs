//! The engine's task: takes inputs from every edge, one after the other, and hands outputs to every edge. It waits for
//! nobody: each way out returns at once.

use super::audience;
use super::night::Night;
use super::preferences::Preferences;
use super::readiness::Desks;
use super::report::adapter_problem;
use super::roster;
use super::straps::{Recalled, Straps, answer};
use super::systemd::Systemd;
use crate::ble;
use crate::check::Phase;
use crate::clock::Clock;
use crate::control::{Kind, Line, Op, Refusal, Request, pick_address, pick_athlete, pick_posture};
use crate::engine::{Command, Engine, Input, Notice, Output, Roster, Strap, Trigger};
use crate::json::{self, Zero};
use crate::mqtt::{BridgeStatus, ConnectionState, Delivery, Message, MqttHandle, Order, Renderer};
use crate::player;
use crate::release::{self, Ask};
use crate::store::{StoreEvent, StoreHandle, StoreHealth};
use crate::timeline::GapReason;
use crate::units::{AthleteId, Mono, Now, StrapId};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Longest sleep: a suspended machine and a stuck timer are noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// The ends of the channels that the hub reads.
pub(super) struct Inlets {
    pub(super) radio: mpsc::Receiver<(Now, Input)>,
    pub(super) mqtt: mpsc::Receiver<Order>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) store_events: mpsc::UnboundedReceiver<StoreEvent>,
    pub(super) radio_status: watch::Receiver<ble::Status>,
    /// Of the Bluetooth edge, if it is used.
    pub(super) radio_turns: Option<ble::Turns>,
}

/// Why the hub ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HubEnd {
    Stopped,
    /// Nothing can be kept any more: only a new process can.
    StoreGone,
}

/// See the module.
pub(super) struct Hub {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) store: StoreHandle,
    pub(super) mqtt: MqttHandle,
    pub(super) renderer: Renderer,
    pub(super) listeners: broadcast::Sender<Arc<Line>>,
    pub(super) wanted: watch::Sender<Vec<StrapId>>,
    pub(super) systemd: Systemd,
    /// People and straps of the configuration.
    pub(super) configured: Roster,
    /// Straps adopted into the store.
    pub(super) adopted: Vec<Strap>,
    pub(super) roster: Roster,
    pub(super) preferences: Preferences,
    pub(super) straps: Straps,
    pub(super) started: Option<Timestamp>,
    pub(super) checking: bool,
    /// As last told, and when.
    pub(super) bridge: Option<(Mono, BridgeStatus)>,
    pub(super) radio_used: bool,
    pub(super) strangers: BTreeSet<StrapId>,
    /// Straps forgotten since the start: an answer of the store may be older than that.
    pub(super) forgotten: BTreeSet<StrapId>,
    /// What the store is asked for after it was opened anew.
    pub(super) learning: Option<Recalled>,
    /// Everybody's readiness, and where it is kept.
    pub(super) desks: Desks,
    pub(super) store_path: PathBuf,
    pub(super) night: Night,
    /// The latest moment that the engine was told.
    pub(super) latest: Mono,
}

impl Hub {
    /// Runs until cancelled, then takes what the radio still had to say.
    pub(super) async fn run(mut self, mut inlets: Inlets, cancel: CancellationToken) -> (Self, HubEnd) {
        let mut health = self.store.health();
        let mut mqtt_state = self.mqtt.status();
        let mut watchdog = Systemd::watchdog_interval().map(tokio::time::interval);
        self.drain();
        self.say_status(&inlets.radio_status.borrow().clone(), &mqtt_state.borrow().clone());
        loop {
            let due = self.engine.poll_timeout().into_iter().chain(self.desks.poll_timeout()).min();
            let sleep = due.map_or(LONGEST_SLEEP, |t| self.clock.until(t).min(LONGEST_SLEEP));
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some((now, input)) = inlets.radio.recv() => self.handle(now, input),
                Some(request) = inlets.requests.recv() => self.request(request, &inlets.radio_status),
                Some(order) = inlets.mqtt.recv() => self.order(order, &inlets.radio_status),
                Some(event) = inlets.store_events.recv() => self.on_store(event),
                changed = health.changed() => {
                    if changed.is_err() {
                        tracing::error!("the store's thread has ended");
                        return (self, HubEnd::StoreGone);
                    }
                    let h = health.borrow_and_update().clone();
                    self.on_health(&h, &inlets.radio_status);
                }
                Ok(()) = mqtt_state.changed() => {
                    let state = mqtt_state.borrow_and_update().clone();
                    tracing::debug!("MQTT {state}");
                }
                Ok(()) = inlets.radio_status.changed() => {
                    self.say_bridge(&inlets.radio_status);
                }
                known = answer(&mut self.learning) => self.learn(known),
                () = tick(&mut watchdog) => {}
                () = tokio::time::sleep(sleep) => self.handle(self.clock.now(), Input::Timeout),
            }
            self.drain();
            self.wake_desks();
            self.look_after_straps(&inlets.radio_status.borrow().clone(), false);
            self.look_after_night(&inlets.radio_status);
            if !inlets.radio_turns.as_ref().is_some_and(|turns| turns.is_stuck(self.clock.mono())) {
                self.systemd.alive();
            }
            self.say_status(&inlets.radio_status.borrow().clone(), &mqtt_state.borrow().clone());
        }
        // what arrived before the straps were let go is still truth
        while let Ok((now, input)) = inlets.radio.try_recv() {
            self.handle(now, input);
            self.drain();
        }
        (self, HubEnd::Stopped)
    }

    /// A packet may have been stamped a moment before a command that was taken first. For the engine and its records
    /// time never runs back: a recording in which it does would be refused by its reader.
    pub(super) fn handle(&mut self, mut now: Now, input: Input) {
        let behind = self.latest.since(now.mono);
        now = Now { mono: now.mono + behind, wall: now.wall.and_then(|w| w.checked_add(behind).ok()) };
        // a machine that is late now and then changes no number
        while let Some(due) = player::next_due(&self.engine, self.latest, now) {
            let again = due.mono == self.latest;
            self.engine.handle(due, Input::Timeout);
            self.latest = due.mono;
            if again {
                break;
            }
        }
        self.latest = now.mono;
        if let Input::Facts { strap, facts } = &input {
            self.store.facts(*strap, facts.clone());
            if let Some(percent) = facts.battery_pct {
                self.learn_battery(now, *strap, percent);
            }
        }
        self.engine.handle(now, input);
    }

    fn order(&mut self, order: Order, radio: &watch::Receiver<ble::Status>) {
        match order {
            Order::Engine(command) => self.handle(self.clock.now(), Input::Command(command)),
            Order::Input(athlete, what, payload) => self.input(&athlete, &what, &payload),
            Order::Prefer(who, wish) => self.prefer(who, wish),
            Order::Release(strap, ask) => {
                if self.release(strap, ask, &radio.borrow().clone()).is_none() {
                    tracing::warn!("not done: nobody has a strap {strap} that could be let go");
                }
            }
        }
    }

    pub(super) fn drain(&mut self) {
        let now = self.clock.now();
        while let Some(output) = self.engine.poll_output() {
            self.listen(now.mono, &output);
            match &output {
                Output::Record(record) => self.store.record(record.clone()),
                Output::Notice(notice) => self.notice(notice),
                Output::Check(status) if status.changed => {
                    tracing::info!("check of {}: {}", status.athlete, status.phase);
                }
                Output::Strap(status) => self.learn_source(status.strap, status.verdict.source()),
                Output::Beats(_) | Output::Live(_) | Output::Check(_) | Output::Result(_) => {}
            }
            let failed = match &output {
                Output::Check(c) if c.changed && c.phase == Phase::Aborted => {
                    Some((super::revive::failed_key(&c.athlete), c.check.as_ref().map(|id| id.0.clone())))
                }
                _ => None,
            };
            // whether the result waits for the feel decides what is said of it
            if let Output::Result(result) = &output {
                self.desks.take(result, now);
                self.desks.reserve(&result.athlete, &mut self.renderer);
            }
            let durable: Vec<_> =
                self.renderer.output(&output, now).into_iter().filter_map(|m| self.mqtt.deliver(m)).collect();
            if let Output::Result(result) = output {
                tracing::info!("check of {} is {}: {}", result.athlete, result.grade, result.id);
                self.store.result(*result, durable);
                self.drain_desks();
            } else if !durable.is_empty() {
                self.store.publish(durable, now.wall);
                if let Some((key, id)) = failed {
                    self.store.set_meta(key, id); // after the event: twice is better than never
                }
            }
        }
        if self.engine.is_checking() != self.checking {
            self.checking = !self.checking;
            self.store.checking(self.checking);
        }
    }

    fn listen(&self, now: Mono, output: &Output) {
        if self.listeners.receiver_count() == 0 {
            return;
        }
        let whose = audience::whose(output, &self.roster);
        let json = format!("{}\n", json::output(Zero::default(), now, output));
        let _ = self.listeners.send(Arc::new(Line { whose, json }));
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Defect { strap, what, count } => tracing::warn!("strap {strap}: {what} ({count} so far)"),
            Notice::Gap { strap, reason: GapReason::TimeBase } => {
                tracing::info!("strap {strap}: more intervals came than time has passed; what has no time is left out");
            }
            Notice::Gap { strap, reason } => tracing::info!("strap {strap}: beats are missing ({})", reason.as_str()),
            Notice::TooLate { strap, intervals } => {
                tracing::info!("strap {strap}: {intervals} intervals came too late to have a place in time");
            }
            Notice::Refused { command, why } => tracing::warn!("not done: {why} ({command:?})"),
            Notice::ClockJump { ms } => tracing::info!("the wall clock jumped by {ms} ms"),
            Notice::UnknownStrap { strap } => {
                if self.strangers.insert(*strap) {
                    tracing::warn!("heart rate from {strap}, which nobody adopted: dropped");
                }
            }
        }
    }

    fn on_store(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::Redated(results) => {
                for result in results {
                    tracing::info!("the clock is set: check {} was on {:?}", result.id, result.local_date);
                    let id = result.id.clone();
                    if let Some(date) = result.local_date.filter(|_| result.is_valid()) {
                        let athlete = result.athlete.clone();
                        self.handle(self.clock.now(), Input::CheckedOn { athlete, date });
                    }
                    self.desks.take(&result, self.clock.now());
                    self.desks.reserve(&result.athlete, &mut self.renderer);
                    // an event that was sent is not sent again; one that waits gets its date
                    let output = Output::Result(Box::new(result.clone()));
                    let messages = self.renderer.output(&output, self.clock.now()).into_iter();
                    let events = messages.filter(|m| m.delivery == Delivery::Durable).map(|m| m.publication);
                    self.store.redate_unsent(id.clone(), events.collect());
                    let durable =
                        self.renderer.morning(&result).and_then(|m| self.mqtt.deliver(m)).into_iter().collect();
                    self.store.republish(id, durable);
                    self.drain_desks();
                }
            }
            StoreEvent::Opened(report) => {
                super::log_opened(&report);
                self.learning = Some(self.recall());
                self.reopen_desks();
            }
        }
    }

    fn on_health(&mut self, health: &StoreHealth, radio: &watch::Receiver<ble::Status>) {
        if health.outbox_unsent > 0 {
            self.mqtt.outbox_wake();
        }
        let problem = self.bridge.as_ref().and_then(|(_, b)| b.store_problem.clone());
        match (&health.message, problem) {
            (Some(now), before) if before.as_ref() != Some(now) => tracing::error!("store: {now}"),
            (None, Some(_)) => tracing::info!("store: all is written again"),
            _ => {}
        }
        self.say_bridge(radio);
    }

    pub(super) fn tell(&mut self, message: Message) {
        if let Some(durable) = self.mqtt.deliver(message) {
            self.store.publish(vec![durable], self.clock.now().wall);
        }
    }

    /// One true sentence for `systemctl status`.
    fn say_status(&mut self, radio: &ble::Status, mqtt: &ConnectionState) {
        let now = self.clock.mono();
        let straps = self.engine.strap_statuses(now);
        let online = straps.iter().filter(|s| s.online).count();
        let problem = if self.radio_used { adapter_problem(radio) } else { None };
        let troubles = straps.iter().filter(|_| problem.is_none()).filter_map(|s| {
            let cause = self.straps.explained(s.strap).cause.filter(|c| !c.is_calm())?;
            let name = s.facts.name.clone().unwrap_or_else(|| s.strap.to_string());
            Some(format!("{name}: {}", cause.as_str().replace('_', " ")))
        });
        let troubles: Vec<String> = troubles.collect();
        let mut parts = vec![match (straps.len(), problem) {
            (_, Some(problem)) => problem,
            (0, None) => "no strap adopted yet: run sudo hrvd setup".to_owned(),
            (n, None) => format!("{online} of {n} straps sending"),
        }];
        parts.extend(troubles);
        parts.push(format!("MQTT {mqtt}"));
        if let Some(c) = self
            .engine
            .check_statuses(now)
            .into_iter()
            .find(|c| matches!(c.phase, Phase::WaitingForStrap | Phase::Settling | Phase::Recording))
        {
            parts.push(format!("check of {}: {}", c.athlete, c.phase.as_str().replace('_', " ")));
        }
        if let Some(problem) = self.bridge.as_ref().and_then(|(_, b)| b.store_problem.as_ref()) {
            parts.push(format!("store: {problem}"));
        }
        self.systemd.status(&parts.join("; "));
    }

    fn request(&mut self, request: Request, radio: &watch::Receiver<ble::Status>) {
        let Request { op, reply } = request;
        // what the card has to take before the answer is true; the writer answers in its own time, the hub waits for
        // nobody
        let (answer, written) = match op {
            Op::DeleteAthlete { athlete } => return self.erase(&athlete, reply),
            Op::Seal => (Ok(json!({})), Some(self.store.seal())),
            op @ (Op::Adopt { .. } | Op::Forget { .. } | Op::Say { .. }) => {
                let answer = self.answer(op, radio);
                let flush = answer.is_ok().then(|| self.store.flush());
                (answer, flush)
            }
            op => (self.answer(op, radio), None),
        };
        let Some(written) = written else {
            let _ = reply.send(answer);
            return;
        };
        tokio::spawn(async move {
            let answer = match written.await {
                Ok(Ok(())) => answer,
                Ok(Err(e)) => Err(Refusal::new(format!("done, but it cannot be stored: {e}"))),
                Err(_) => Err(Refusal::new("hrvd is stopping")),
            };
            let _ = reply.send(answer);
        });
    }

    pub(super) fn athletes(&self) -> Vec<AthleteId> {
        self.roster.athletes.iter().map(|a| a.id.clone()).collect()
    }

    pub(super) fn answer(&mut self, op: Op, radio: &watch::Receiver<ble::Status>) -> Result<Value, Refusal> {
        let now = self.clock.now();
        match op {
            Op::Subscribe { athlete } => {
                let only = athlete.as_deref().map(|a| pick_athlete(Some(a), &self.athletes())).transpose()?;
                let mine = |a: &AthleteId| only.as_ref().is_none_or(|o| o == a);
                let straps = self.engine.strap_statuses(now.mono).into_iter().filter(|s| mine(&s.athlete));
                let checks = self.engine.check_statuses(now.mono).into_iter().filter(|c| mine(&c.athlete));
                let mut state: Vec<Value> = straps.map(|s| json::strap(Zero::default(), now.mono, &s)).collect();
                state.extend(checks.map(|c| json::check(Zero::default(), now.mono, &c)));
                Ok(Value::Array(state))
            }
            Op::StartCheck { athlete, posture } => {
                let athlete = pick_athlete(athlete.as_deref(), &self.athletes())?;
                let posture = pick_posture(posture.as_deref())?;
                if self.is_checking(now.mono, &athlete) {
                    return Err(Refusal::new(format!("a check of {athlete} is already running"))
                        .hint("hrvd check --cancel ends it"));
                }
                let command = Command::StartCheck { athlete: athlete.clone(), posture, trigger: Trigger::Manual };
                self.handle(now, Input::Command(command));
                Ok(json!({"athlete": athlete.as_str()}))
            }
            Op::CancelCheck { athlete } => {
                let athlete = pick_athlete(athlete.as_deref(), &self.athletes())?;
                if !self.is_checking(now.mono, &athlete) {
                    return Err(Refusal::new(format!("no check of {athlete} is running")).kind(Kind::NotFound));
                }
                self.handle(now, Input::Command(Command::CancelCheck { athlete: athlete.clone() }));
                Ok(json!({"athlete": athlete.as_str()}))
            }
            Op::Adopt { address, athlete, name } => {
                let id = pick_address(&address)?;
                let athlete: AthleteId =
                    athlete.parse().map_err(|e| Refusal::new(format!("{e}")).kind(Kind::Invalid))?;
                if let Some(s) = self.configured.straps.iter().find(|s| s.id == id) {
                    return Err(Refusal::new(format!("{id} belongs to {} by the configuration file", s.athlete))
                        .hint("change it there"));
                }
                let strap = Strap { id, athlete, name };
                self.store.adopt(strap.clone(), now.wall);
                self.adopted.retain(|s| s.id != id);
                self.adopted.push(strap);
                self.forgotten.remove(&id);
                self.ask_again();
                let is_new = self.straps.is_new(id);
                self.new_roster(now);
                if is_new {
                    self.straps.begin(id);
                }
                Ok(json!({"strap": id.to_string()}))
            }
            Op::Forget { address } => {
                let id = pick_address(&address)?;
                if self.configured.straps.iter().any(|s| s.id == id) {
                    return Err(
                        Refusal::new(format!("{id} is listed in the configuration file")).hint("remove it there")
                    );
                }
                if !self.adopted.iter().any(|s| s.id == id) {
                    return Err(Refusal::new(format!("{id} is not adopted"))
                        .kind(Kind::NotFound)
                        .hint("hrvd scan shows what is"));
                }
                self.store.forget(id);
                self.forget_kept(id);
                self.adopted.retain(|s| s.id != id);
                self.forgotten.insert(id);
                self.ask_again();
                self.new_roster(now);
                Ok(json!({"strap": id.to_string()}))
            }
            Op::Release { address, minutes, end } => {
                let id = pick_address(&address)?;
                let length = minutes.map_or(release::USUAL, |m| Duration::from_secs(u64::from(m) * 60));
                if length.is_zero() || length > release::LONGEST {
                    return Err(Refusal::new("a strap is let go for 1 to 1440 minutes").kind(Kind::Invalid));
                }
                let ask = if end { Ask::End } else { Ask::Release(length) };
                let released = self.release(id, ask, &radio.borrow().clone());
                let released = released.ok_or_else(|| {
                    Refusal::new(format!("nobody has a strap {id}"))
                        .kind(Kind::NotFound)
                        .hint("hrvd scan shows whose straps are known")
                })?;
                let left = released.map(|r| r.left.as_secs());
                Ok(json!({"strap": id.to_string(), "released": released.is_some(), "released_s": left}))
            }
            Op::Say { athlete, what, value, date } => self.say(athlete.as_deref(), &what, &value, date.as_deref()),
            Op::Today { athlete } => self.today(athlete.as_deref()),
            Op::Status => Ok(self.status(now, &radio.borrow())),
            Op::Seal | Op::DeleteAthlete { .. } => Ok(json!({})),
        }
    }

    pub(super) fn is_checking(&self, now: Mono, athlete: &AthleteId) -> bool {
        use crate::check::Phase::{Aborted, Done, Idle};
        let statuses = self.engine.check_statuses(now);
        statuses.iter().any(|c| c.athlete == *athlete && !matches!(c.phase, Idle | Done | Aborted))
    }

    pub(super) fn new_roster(&mut self, now: Now) {
        let old = std::mem::take(&mut self.roster.straps);
        self.roster = self.preferences.apply(roster::merge(&self.configured, &self.adopted));
        self.store.athletes(self.roster.athletes.clone());
        self.store.straps(self.configured.straps.clone());
        self.straps.set_roster(&self.roster);
        self.wanted.send_replace(self.straps.wanted(&self.roster));
        self.handle(now, Input::Roster(self.roster.clone()));
        // what ends with somebody who leaves is said while their topics are still there: after the removal it would
        // bring them back
        self.drain();
        for message in self.renderer.roster(&self.roster) {
            self.tell(message);
        }
        self.tell_given(now, &old);
        self.say_settings();
        self.desk_people(now);
    }
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(i) => {
            i.tick().await;
        }
        None => std::future::pending().await,
    }
}
