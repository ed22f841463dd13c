use super::*;
use crate::ble::{Adapter, AdapterInfo};
use crate::engine::{Config, Engine, Input, Roster, Strap};
use crate::release::By;
use crate::units::{Now, StrapId};

const ID: StrapId = StrapId([1; 6]);

fn link(state: LinkState, hint: Option<Hint>) -> ble::StrapStatus {
    ble::StrapStatus {
        strap: ID,
        state,
        rssi: None,
        signal: ble::signal::Signal::default(),
        last_seen: None,
        failures: 0,
        refusals: 0,
        drops: 0,
        retry_at: None,
        up_since: None,
        last_failure: None,
        hint,
        recovery: ble::Recovery::None,
        counters: ble::Counters::default(),
    }
}

fn here(powered: bool) -> Adapter {
    Adapter::Here(AdapterInfo { powered, ..AdapterInfo::default() })
}

/// A strap as the real engine sees it.
struct Body {
    engine: Engine,
    now: u64,
}

impl Body {
    fn new() -> Self {
        let alex: crate::units::AthleteId = "alex".parse().unwrap();
        let config = Config {
            boot: "b".into(),
            live_interval: Duration::from_secs(5),
            check: crate::check::CheckConfig::default(),
        };
        let mut body = Self { engine: Engine::new(config), now: 1000 };
        let athlete = crate::engine::Athlete {
            id: alex.clone(),
            name: "Alex".into(),
            time_zone: jiff::tz::TimeZone::UTC,
            posture: crate::check::Posture::Supine,
            wake_window: None,
        };
        let straps = vec![Strap { id: ID, athlete: alex, name: None }];
        body.input(Input::Roster(Roster { athletes: vec![athlete], straps }));
        body.link(LinkState::Connected);
        body
    }
    fn input(&mut self, input: Input) {
        self.engine.handle(Now { mono: Mono::from_secs(self.now), wall: None }, input);
        while self.engine.poll_output().is_some() {}
    }
    fn link(&mut self, state: LinkState) {
        self.input(Input::Link { strap: ID, state });
    }
    /// Sends once a second for so long.
    fn send(&mut self, seconds: u64, contact: Option<bool>, rr: bool) {
        for _ in 0..seconds {
            self.now += 1;
            let flags = 0x10
                | match contact {
                    None => 0,
                    Some(false) => 0x04,
                    Some(true) => 0x06,
                };
            // a heart that does not move at all would be another story
            let rr_low = (self.now * 37 % 61) as u8;
            let bytes: &[u8] = if rr { &[flags, 60, rr_low, 4] } else { &[flags & !0x10, 60] };
            self.input(Input::Packet { strap: ID, bytes: bytes.iter().copied().collect() });
        }
    }
    fn cause(&self, state: LinkState) -> Cause {
        let now = Mono::from_secs(self.now);
        let status = self.engine.strap_statuses(now).remove(0);
        diagnose(now, &status, Some(&here(true)), Some(&link(state, None)), None)
    }
}

#[test]
fn a_strap_that_sends_beats_needs_no_words() {
    let mut b = Body::new();
    b.send(120, None, true);
    assert_eq!(b.cause(LinkState::Connected), Cause::None);
    b.send(15, None, false);
    assert_eq!(b.cause(LinkState::Connected), Cause::None, "below 60 bpm packets without RR are normal");
}

#[test]
fn heart_rate_without_rr_is_named_after_a_minute() {
    let mut b = Body::new();
    b.send(59, Some(true), false);
    assert_eq!(b.cause(LinkState::Connected), Cause::None);
    b.send(3, Some(true), false);
    assert_eq!(b.cause(LinkState::Connected), Cause::NoRr);
}

#[test]
fn rr_that_ends_is_another_story_than_rr_that_never_came() {
    let mut b = Body::new();
    b.send(120, None, true);
    b.send(25, None, false);
    assert_eq!(b.cause(LinkState::Connected), Cause::RrEnded);
    b.send(1, None, true);
    assert_eq!(b.cause(LinkState::Connected), Cause::None);
}

#[test]
fn lost_contact_is_believed_only_without_rr() {
    let mut b = Body::new();
    b.send(60, Some(false), true);
    assert_eq!(b.cause(LinkState::Connected), Cause::None, "a lying contact bit");
    b.send(8, Some(false), false);
    assert_eq!(b.cause(LinkState::Connected), Cause::None);
    b.send(4, Some(false), false);
    assert_eq!(b.cause(LinkState::Connected), Cause::ContactLost);
    b.send(1, Some(true), true);
    assert_eq!(b.cause(LinkState::Connected), Cause::None);
}

/// What is wrong with the beats of a simulated strap is told while it is so.
#[test]
fn a_signal_that_carries_nothing_is_explained() {
    use crate::sim::{Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent};
    for (profile, cause) in [
        ("flat_line", Cause::Frozen),
        ("rr_twice", Cause::RepeatedRr),
        ("fixed_rate", Cause::RepeatedRr),
        ("optical_smoothed", Cause::NoHrv),
        ("optical_from_hr", Cause::NoHrv),
        ("lossy", Cause::LostBeats),
        ("bad_electrodes", Cause::Noisy),
        ("empty_then_high", Cause::Noisy),
        ("milliseconds", Cause::None),
        ("garmin_extra_rr", Cause::None),
        ("plain", Cause::None),
    ] {
        let mut b = Body::new();
        let strap = ProfileStrap::new(Profile::by_id(profile).unwrap(), Rhythm::new(RhythmConfig::default()), 1);
        for event in strap.take_while(|e| e.at().as_secs() < 800) {
            if let SimEvent::Notification { at, bytes, .. } = event {
                let now = Now { mono: Mono::from_secs(1000) + at, wall: None };
                b.now = 1000 + at.as_secs();
                b.engine.handle(now, Input::Packet { strap: ID, bytes });
                while b.engine.poll_output().is_some() {}
            }
        }
        b.now += 1;
        assert_eq!(b.cause(LinkState::Connected), cause, "{profile}");
    }
}

#[test]
fn a_strap_taken_off_falls_asleep_and_a_lost_one_is_not_seen() {
    let mut off = Body::new();
    off.send(120, None, true);
    off.send(45, None, false);
    off.link(LinkState::NotSeen);
    assert_eq!(off.cause(LinkState::NotSeen), Cause::Asleep);
    off.link(LinkState::Connected);
    off.send(2, None, true);
    off.link(LinkState::NotSeen);
    assert_eq!(off.cause(LinkState::NotSeen), Cause::NotSeen, "it was put on again and lost while worn");

    let mut lost = Body::new();
    lost.send(120, None, true);
    lost.now += 30; // out of reach: silence, then the supervision timeout
    lost.link(LinkState::NotSeen);
    assert_eq!(lost.cause(LinkState::NotSeen), Cause::NotSeen);

    let mut told = Body::new();
    told.send(120, Some(true), true);
    told.send(8, Some(false), false);
    told.link(LinkState::NotSeen);
    assert_eq!(told.cause(LinkState::NotSeen), Cause::Asleep, "by its own word");
}

#[test]
fn what_lies_lower_explains_more() {
    let mut b = Body::new();
    b.link(LinkState::NotSeen);
    let status = b.engine.strap_statuses(Mono::from_secs(b.now)).remove(0);
    let why = |adapter: Option<&Adapter>, l: Option<&ble::StrapStatus>, r| {
        diagnose(Mono::from_secs(b.now), &status, adapter, l, r)
    };
    let free = Some(Released { by: By::Schedule, left: Duration::ZERO });
    assert_eq!(why(Some(&Adapter::Missing), None, free), Cause::Released);
    assert_eq!(why(Some(&Adapter::Missing), None, None), Cause::NoAdapter);
    assert_eq!(why(Some(&here(false)), None, None), Cause::AdapterOff);
    assert_eq!(why(Some(&Adapter::Unreachable(None)), None, None), Cause::BluetoothDown);
    for (state, hint, cause) in [
        (LinkState::Refuses, Hint::HeldByAnother, Cause::Refuses),
        (LinkState::Unstable, Hint::DropsAfter30s, Cause::DropsAfter30s),
        (LinkState::AdapterFull, Hint::AdapterFull, Cause::AdapterFull),
        (LinkState::Seen, Hint::NoHeartRate, Cause::NoHeartRate),
        (LinkState::Silent, Hint::SubscribedButSilent, Cause::Silent),
    ] {
        assert_eq!(why(Some(&here(true)), Some(&link(state, Some(hint))), None), cause);
    }
    assert_eq!(why(Some(&here(true)), Some(&link(LinkState::Unstable, None)), None), Cause::Unstable);
    let weak = ble::signal::Signal { dbm: Some(-92), trend: None };
    let faint = ble::StrapStatus { signal: weak, ..link(LinkState::Connecting, None) };
    assert_eq!(why(Some(&here(true)), Some(&faint), None), Cause::WeakSignal);
    assert_eq!(why(None, None, None), Cause::NotSeen, "without bluetoothd the engine's own word counts");
}

#[test]
fn words_are_unique_and_advice_is_given() {
    let words: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|c| c.as_str()).collect();
    assert_eq!(words.len(), Cause::ALL.len());
    assert!(Cause::ALL.iter().all(|c| (*c == Cause::None) == c.advice().is_none()));
    assert!(!Cause::Refuses.is_calm() && Cause::Asleep.is_calm());
}

#[test]
fn the_document_explains_every_cause_and_every_link_state() {
    let doc = include_str!("../docs/bluetooth.md");
    let causes: Vec<&str> = Cause::ALL.iter().map(|c| c.as_str()).collect();
    let (_, rest) = doc.split_once("## Causes").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let rows = table.lines().filter_map(|l| l.strip_prefix("| `")?.split_once('`'));
    assert_eq!(rows.map(|(word, _)| word).collect::<Vec<_>>(), causes, "in the order in which they are told");
}
