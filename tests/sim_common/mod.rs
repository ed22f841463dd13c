//! A simulated strap through the whole engine, and what it said.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::check::{CheckConfig, CheckResult, Posture};
use hrvd::engine::*;
use hrvd::player::Player;
use hrvd::sim::{Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent};
use hrvd::units::{AthleteId, Mono, StrapId};
use hrvd::verdict::FindingId;
use jiff::tz::TimeZone;
use std::time::Duration;

pub const STRAP: StrapId = StrapId([0xa0, 0x9e, 0x1a, 0x9f, 0x6e, 0x53]);
pub const START: Mono = Mono::from_secs(5000);

pub fn alex() -> AthleteId {
    "alex".parse().unwrap()
}

pub fn profile(id: &str) -> &'static Profile {
    Profile::by_id(id).unwrap()
}

pub fn at(s: u64) -> Mono {
    START + Duration::from_secs(s)
}

pub struct World {
    pub player: Player,
    pub said: Vec<(Mono, Output)>,
}

impl World {
    pub fn new() -> Self {
        let config =
            Config { boot: "simulated".into(), live_interval: Duration::from_secs(5), check: CheckConfig::default() };
        let mut w = Self { player: Player::new(Engine::new(config), START, None), said: vec![] };
        let athlete = Athlete {
            id: alex(),
            name: "Alex".into(),
            time_zone: TimeZone::UTC,
            posture: Posture::Supine,
            wake_window: None,
        };
        let strap = Strap { id: STRAP, athlete: alex(), name: None };
        w.input(START, Input::Roster(Roster { athletes: vec![athlete], straps: vec![strap] }));
        w
    }

    pub fn input(&mut self, at: Mono, input: Input) {
        let said = &mut self.said;
        self.player.input(at, input, &mut |at, o| said.push((at, o)));
    }

    pub fn check(&mut self, at: Mono) {
        let command = Command::StartCheck { athlete: alex(), posture: None, trigger: Trigger::Manual };
        self.input(at, Input::Command(command));
    }

    /// Plays a strap for some seconds; checks begin at the given ones.
    pub fn play(&mut self, profile: &'static Profile, config: RhythmConfig, seconds: u64, checks: &[u64]) {
        self.play_from(0, profile, config, seconds, checks);
    }

    /// The same, later; checks count from the start of all.
    pub fn play_from(
        &mut self,
        from: u64,
        profile: &'static Profile,
        config: RhythmConfig,
        seconds: u64,
        checks: &[u64],
    ) {
        let mut checks = checks.iter().map(|s| at(*s)).peekable();
        let strap = ProfileStrap::new(profile, Rhythm::new(config), config.seed);
        for event in strap.take_while(|e| e.at() < Duration::from_secs(seconds)) {
            let now = at(from) + event.at();
            while let Some(start) = checks.next_if(|start| *start <= now) {
                self.check(start);
            }
            let input = match event {
                SimEvent::LinkUp { .. } => Input::Link { strap: STRAP, state: LinkState::Connected },
                SimEvent::LinkDown { .. } => Input::Link { strap: STRAP, state: LinkState::NotSeen },
                SimEvent::Notification { bytes, .. } => Input::Packet { strap: STRAP, bytes },
                SimEvent::Facts { facts, .. } => Input::Facts { strap: STRAP, facts },
                SimEvent::Lost { .. } => continue,
            };
            self.input(now, input);
        }
        let said = &mut self.said;
        self.player.advance(at(from + seconds), &mut |at, o| said.push((at, o)));
    }

    pub fn status(&self) -> StrapStatus {
        self.player.engine().strap_statuses(self.player.now().mono).remove(0)
    }

    pub fn results(&self) -> Vec<&CheckResult> {
        self.said.iter().filter_map(|(_, o)| if let Output::Result(r) = o { Some(&**r) } else { None }).collect()
    }

    pub fn straps(&self) -> Vec<(Mono, &StrapStatus)> {
        self.said.iter().filter_map(|(at, o)| if let Output::Strap(s) = o { Some((*at, s)) } else { None }).collect()
    }

    pub fn lives(&self) -> Vec<(Mono, &Live)> {
        self.said.iter().filter_map(|(at, o)| if let Output::Live(l) = o { Some((*at, &**l)) } else { None }).collect()
    }

    pub fn beats(&self) -> Vec<&Beats> {
        self.said.iter().filter_map(|(_, o)| if let Output::Beats(b) = o { Some(b) } else { None }).collect()
    }

    pub fn records(&self) -> Vec<Record> {
        self.said.iter().filter_map(|(_, o)| if let Output::Record(r) = o { Some(r.clone()) } else { None }).collect()
    }
}

/// The window of 60 s.
pub fn minute(l: &Live) -> Option<&LiveWindow> {
    l.beats.as_ref().map(|b| &b.last_60)
}

pub fn heart(seed: u64) -> RhythmConfig {
    RhythmConfig { seed, ..RhythmConfig::default() }
}

pub fn ids(s: &StrapStatus) -> Vec<FindingId> {
    s.verdict.findings.iter().map(|f| f.id).collect()
}

pub fn played(id: &str, seed: u64, seconds: u64, checks: &[u64]) -> World {
    let mut w = World::new();
    w.play(profile(id), heart(seed), seconds, checks);
    w
}
