//! The engine: one object that turns inputs into outputs. It does no I/O, reads no clock and spawns nothing.
//!
//! Protocol, in this order, for the daemon, replays, the demo and the tests alike:
//! 1. [`Engine::handle`] with what happened and when;
//! 2. [`Engine::poll_output`] until it returns `None`;
//! 3. [`Engine::poll_timeout`]: at that moment, if nothing else happens before, call `handle` with [`Input::Timeout`].

mod input;
mod output;
mod person;
mod put_on;
mod signal;
mod strap;
mod windows;

pub use input::*;
pub use output::*;
pub(crate) use signal::Reread;

use crate::check::{AbortCause, CheckConfig, CheckId, CheckStatus, Machine, MachineEvent, Phase};
use crate::timeline::Placed;
use crate::units::{AthleteId, Mono, Now, StrapId};
use person::Person;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use strap::StrapState;

/// What the engine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names the boot in which `Mono` counts; part of every check's id.
    pub boot: String,
    /// Live values are said this often.
    pub live_interval: Duration,
    /// The morning check.
    pub check: CheckConfig,
}

/// A wall clock that moved this much against the monotonic one has jumped.
const CLOCK_JUMP_US: i64 = 2_000_000;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Engine {
    config: Config,
    straps: BTreeMap<StrapId, StrapState>,
    people: BTreeMap<AthleteId, Person>,
    /// Wall clock minus monotonic time, µs, once known.
    wall_offset: Option<i64>,
    out: VecDeque<Output>,
}

impl Engine {
    /// An engine that knows nobody yet; send it a [`Input::Roster`].
    pub fn new(config: Config) -> Self {
        Self { config, straps: BTreeMap::new(), people: BTreeMap::new(), wall_offset: None, out: VecDeque::new() }
    }

    /// Takes one input. Never fails and never blocks.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.see_clock(now);
        match input {
            Input::Timeout => {}
            Input::Packet { strap, bytes } => self.on_packet(now, strap, &bytes),
            Input::Link { strap, state } => self.on_link(now, strap, state),
            Input::Facts { strap, facts } => {
                if let Some(s) = self.straps.get_mut(&strap) {
                    s.on_facts(now.mono, facts);
                }
            }
            Input::Known { strap, source } => {
                if let Some((reread, athlete)) =
                    self.straps.get_mut(&strap).and_then(|s| Some((s.remember(source)?, s.athlete.clone())))
                {
                    self.reread(strap, &athlete, reread);
                }
            }
            Input::Command(command) => self.on_command(now, command),
            Input::Roster(roster) => self.on_roster(now, roster),
            Input::CheckedOn { athlete, date } => {
                if let Some(p) = self.people.get_mut(&athlete) {
                    p.checked_on = p.checked_on.max(Some(date));
                }
            }
            Input::LiveInterval(interval) => {
                self.config.live_interval = interval;
                self.people.values_mut().for_each(|p| p.hurry_live(now.mono, interval));
            }
        }
        self.on_time(now);
    }

    /// The next thing to be said or stored.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When the engine next wants to be called.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let straps = self.straps.values().filter_map(StrapState::poll_timeout);
        let person = |p: &Person| p.poll_timeout(p.live_strap.and_then(|id| self.straps.get(&id)));
        straps.chain(self.people.values().filter_map(person)).min()
    }

    /// Whether any check is running.
    pub fn is_checking(&self) -> bool {
        self.people.values().any(Person::is_checking)
    }

    /// State of every strap, for somebody who just came.
    pub fn strap_statuses(&self, now: Mono) -> Vec<StrapStatus> {
        self.straps.values().map(|s| s.status(now)).collect()
    }

    /// State of everybody's check, for somebody who just came.
    pub fn check_statuses(&self, now: Mono) -> Vec<CheckStatus> {
        self.people.values().map(|p| p.machine.as_ref().map_or_else(|| idle(p), |m| m.status(now, true))).collect()
    }

    /// Notices when the wall clock becomes known and when it jumps.
    fn see_clock(&mut self, now: Now) {
        let Some(wall) = now.wall else { return };
        let offset = wall.as_microsecond() - now.mono.as_micros() as i64;
        let jump = match self.wall_offset {
            Some(old) if (offset - old).abs() < CLOCK_JUMP_US => return,
            Some(old) => Some((offset - old) / 1000),
            None => None,
        };
        self.wall_offset = Some(offset);
        self.out.push_back(Output::Record(Record { at: now.mono, kind: RecordKind::Anchor { wall } }));
        if let Some(ms) = jump {
            for person in self.people.values_mut() {
                person.see_clock(|start| wall_at(offset, start));
            }
            self.out.push_back(Output::Notice(Notice::ClockJump { ms }));
        }
    }

    fn on_packet(&mut self, now: Now, id: StrapId, bytes: &PacketBytes) {
        let Some(strap) = self.straps.get_mut(&id) else {
            self.out.push_back(Output::Notice(Notice::UnknownStrap { strap: id }));
            return;
        };
        let before = self.out.len();
        let heard = strap.on_packet(now.mono, bytes, &mut self.out);
        let athlete = strap.athlete.clone();
        let other = self.people.get(&athlete).and_then(|p| p.live_strap).filter(|s| *s != id);
        let is_live = |id: &StrapId| self.straps.get(id).is_some_and(|s| s.is_live(now.mono));
        let (this_is_live, other_is_live) = (is_live(&id), other.is_some_and(|s| is_live(&s)));
        let Some(person) = self.people.get_mut(&athlete) else { return };
        if this_is_live {
            person.on_packet(now.mono, id, other_is_live);
        }
        if heard.put_on && now.wall.is_some_and(|wall| person.wants_check(wall)) {
            self.start_check(now, &athlete, None, Trigger::StrapOn);
            // on record before its packet: a replay that knows no wake window starts at the same beat
            if let Some(command) = self.out.pop_back() {
                self.out.insert(before, command);
            }
        }
        let mut others = self.straps.values().filter(|s| s.athlete == athlete && s.id != id);
        let another_may_come = others.any(|s| !s.sends_no_rr(now.mono));
        let Some(machine) = self.people.get_mut(&athlete).and_then(|p| p.machine.as_mut()) else { return };
        if machine.strap().is_none_or(|s| s == id) {
            machine.on_hope(another_may_come);
            machine.on_packet(now.mono, heard.hr, heard.contact, heard.has_rr);
        }
        for placed in &heard.placed {
            self.give_beats(now.mono, id, &athlete, placed);
        }
        if let Some(reread) = heard.reread {
            self.reread(id, &athlete, reread);
        }
    }

    /// The units of a strap became known, or others: a running check must not mix both.
    fn reread(&mut self, strap: StrapId, athlete: &AthleteId, reread: Reread) {
        if let Some(machine) = self.people.get_mut(athlete).and_then(|p| p.machine.as_mut()) {
            machine.reread(strap, reread);
        }
    }

    fn give_beats(&mut self, now: Mono, strap: StrapId, athlete: &AthleteId, placed: &Placed) {
        if let Some(machine) = self.people.get_mut(athlete).and_then(|p| p.machine.as_mut()) {
            if placed.surplus.ticks > 0 {
                machine.on_surplus(now, strap, placed.surplus);
            }
            machine.on_beats(now, strap, placed.gap, &placed.beats);
        }
    }

    fn on_link(&mut self, now: Now, id: StrapId, state: LinkState) {
        let Some(strap) = self.straps.get_mut(&id) else { return };
        let owed = strap.on_link(now.mono, state, &mut self.out);
        let athlete = strap.athlete.clone();
        self.give_beats(now.mono, id, &athlete, &owed);
        let Some(machine) = self.people.get_mut(&athlete).and_then(|p| p.machine.as_mut()) else { return };
        if machine.strap().is_none_or(|s| s == id) {
            machine.on_link(state.is_up());
        }
    }

    fn on_command(&mut self, now: Now, command: Command) {
        let refused = match &command {
            Command::StartCheck { athlete, posture, trigger } => {
                match self.people.get(athlete) {
                    None => Some("no such athlete"),
                    Some(p) if p.is_checking() => Some("a check is already running"),
                    Some(_) => {
                        self.start_check(now, athlete, *posture, *trigger);
                        return; // recorded there
                    }
                }
            }
            Command::CancelCheck { athlete } => match self.people.get_mut(athlete).and_then(|p| p.machine.as_mut()) {
                Some(m) if m.is_running() => {
                    m.abort(AbortCause::Cancelled);
                    None
                }
                _ => Some("no check is running"),
            },
        };
        self.out.push_back(match refused {
            Some(why) => Output::Notice(Notice::Refused { command, why }),
            None => Output::Record(Record { at: now.mono, kind: RecordKind::Command(command) }),
        });
    }

    fn start_check(&mut self, now: Now, athlete: &AthleteId, posture: Option<crate::check::Posture>, trigger: Trigger) {
        let Some(person) = self.people.get_mut(athlete) else { return };
        let id = CheckId(format!("{athlete}-{}-{}", short(&self.config.boot), now.mono.as_micros() / 1000));
        let posture = posture.unwrap_or(person.athlete.posture);
        let mut machine = Machine::new(self.config.check.clone(), id, athlete.clone(), posture, trigger, now.mono);
        let up = self.straps.values().any(|s| s.athlete == *athlete && s.online(now.mono));
        machine.on_link(up);
        person.machine = Some(machine);
        let command = Command::StartCheck { athlete: athlete.clone(), posture: Some(posture), trigger };
        self.out.push_back(Output::Record(Record { at: now.mono, kind: RecordKind::Command(command) }));
    }

    fn on_roster(&mut self, now: Now, roster: Roster) {
        let mut people = std::mem::take(&mut self.people);
        for athlete in roster.athletes {
            let mut person = people.remove(&athlete.id).unwrap_or_else(|| Person::new(athlete.clone()));
            person.athlete = athlete;
            self.people.insert(person.athlete.id.clone(), person);
        }
        // whoever left: an open check ends and says so
        for (_, mut person) in people {
            self.end_check(now.mono, &mut person);
        }
        let mut straps = std::mem::take(&mut self.straps);
        let mut lost = vec![];
        for s in roster.straps {
            let mut state = match straps.remove(&s.id) {
                Some(same) if same.athlete == s.athlete => same,
                Some(old) => {
                    lost.push(s.id); // it is somebody else's now, and still the same strap
                    old.given_to(s.athlete.clone(), now.mono)
                }
                None => StrapState::new(s.id, s.athlete.clone(), now.mono),
            };
            if let Some(name) = s.name {
                state.rename(name);
            }
            self.straps.insert(s.id, state);
        }
        for id in straps.into_keys().chain(lost) {
            let affected = self.people.values_mut().filter(|p| p.machine.as_ref().and_then(Machine::strap) == Some(id));
            let mut orphans: Vec<AthleteId> = affected.map(|p| p.athlete.id.clone()).collect();
            while let Some(athlete) = orphans.pop() {
                if let Some(mut person) = self.people.remove(&athlete) {
                    self.end_check(now.mono, &mut person);
                    self.people.insert(athlete, person);
                }
            }
        }
    }

    fn end_check(&mut self, now: Mono, person: &mut Person) {
        if let Some(m) = person.machine.as_mut().filter(|m| m.is_running()) {
            m.abort(AbortCause::Removed);
            while let Some(MachineEvent::Status(status)) = m.poll_event(now) {
                self.out.push_back(Output::Check(status));
            }
        }
    }

    /// Everything that is due at `now`.
    fn on_time(&mut self, now: Now) {
        let ids: Vec<StrapId> = self.straps.keys().copied().collect();
        for id in ids {
            let Some(strap) = self.straps.get_mut(&id) else { continue };
            let placed = strap.on_time(now.mono, &mut self.out);
            let athlete = strap.athlete.clone();
            if let Some(status) = strap.poll_status(now.mono) {
                self.out.push_back(Output::Strap(status));
            }
            self.give_beats(now.mono, id, &athlete, &placed);
        }
        for person in self.people.values_mut() {
            if let Some(machine) = &mut person.machine {
                machine.on_time(now.mono);
                if machine.phase() == Phase::Grading {
                    let trust = machine.strap().and_then(|id| self.straps.get(&id)).map(|s| s.trust(now.mono));
                    machine.on_trust(trust.unwrap_or_default());
                }
            }
            while let Some(event) = person.poll_check(now.mono) {
                self.out.push_back(match event {
                    MachineEvent::Status(status) => Output::Check(status),
                    MachineEvent::Result(mut result) => {
                        result.wall = self.wall_offset.and_then(|offset| wall_at(offset, result.start));
                        result.local_date = result.wall.map(|w| person.date(w));
                        if result.is_valid() {
                            // not the later of the two: a clock that was wrong once must not count for ever
                            person.checked_on = result.local_date.or(person.checked_on);
                            person.measured = Some(result.start);
                        }
                        Output::Result(result)
                    }
                });
            }
            let strap = person.live_strap.and_then(|id| self.straps.get(&id));
            if let Some(live) = person.poll_live(now.mono, self.config.live_interval, strap) {
                self.out.push_back(Output::Live(Box::new(live)));
            }
        }
    }
}

/// The wall clock at a moment of this boot.
fn wall_at(offset_us: i64, at: Mono) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(offset_us + at.as_micros() as i64).ok()
}

fn idle(p: &Person) -> CheckStatus {
    CheckStatus {
        athlete: p.athlete.id.clone(),
        check: None,
        strap: None,
        phase: Phase::Idle,
        changed: true,
        seconds_left: None,
        percent: 0,
        hr_bpm: None,
        clean_pct: None,
        hint: None,
        cause: None,
    }
}

/// The first eight characters of a boot id tell boots apart well enough.
fn short(boot: &str) -> &str {
    boot.get(..8).unwrap_or(boot)
}
