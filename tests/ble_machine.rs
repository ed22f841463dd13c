//! The Bluetooth machines in a simulated world: hours pass in milliseconds, and any sequence of faults can happen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "ble_machine/sim.rs"]
mod sim;

use hrvd::ble::arbiter::{ArbiterConfig, Event};
use hrvd::ble::{AdapterCall, Answer, CallId, Failure, Hint, StrapCall};
use hrvd::engine::LinkState;
use hrvd::units::StrapId;
use proptest::prelude::*;
use sim::{Fate, Ground, Sim, strap};
use std::time::Duration;

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

const HOUR: Duration = s(3600);

fn one() -> Sim {
    Sim::new(ArbiterConfig::default(), &[strap(1)])
}

fn hint(sim: &Sim) -> Option<Hint> {
    sim.machine.status().straps[0].hint
}

#[test]
fn a_good_strap_is_connected_within_seconds_and_then_left_alone() {
    let mut sim = one();
    sim.run(s(3));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
    sim.run(HOUR);
    let calls: Vec<StrapCall> = sim.log.iter().map(|(_, _, c)| *c).collect();
    assert_eq!(calls, [StrapCall::Connect, StrapCall::Setup { reopen: false }, StrapCall::ReadFacts]);
    assert_eq!(sim.count(AdapterCall::StartScan), 1, "nothing scans while all straps are connected");
    sim.run(6 * HOUR);
    assert_eq!(sim.calls(strap(1), StrapCall::ReadFacts).len(), 2, "the battery is read again now and then");
    assert_eq!(sim.calls(strap(1), StrapCall::Connect).len(), 1);
}

#[test]
fn an_absent_strap_is_looked_for_in_bursts_and_never_called() {
    let mut sim = one();
    sim.body(strap(1)).in_range = false;
    sim.run(HOUR);
    assert_eq!(sim.state(strap(1)), LinkState::NotSeen);
    assert!(sim.log.is_empty(), "{:?}", sim.log);
    let bursts = sim.count(AdapterCall::StartScan);
    assert!((250..=310).contains(&bursts), "{bursts} bursts of 8 s with 4 s between them in an hour");
    sim.body(strap(1)).in_range = true;
    sim.run(s(14));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

#[test]
fn a_strap_that_was_away_is_back_within_twelve_seconds_however_long_it_was() {
    for away in (3..60).chain([600, 601, 602, 603, 604, 605, 606, 607, 608, 609, 610, 611]) {
        let mut sim = one();
        sim.run(s(400));
        sim.body(strap(1)).in_range = false;
        sim.body(strap(1)).connected = false;
        sim.send(Event::Disconnected(strap(1)));
        sim.run(s(away));
        sim.body(strap(1)).in_range = true;
        sim.run(s(12));
        assert_eq!(sim.state(strap(1)), LinkState::Connected, "after {away} s");
    }
}

#[test]
fn connect_then_drop_is_braked_like_a_refusal_and_named() {
    let mut sim = one();
    sim.body(strap(1)).drops_after = Some(s(30));
    sim.run(HOUR);
    let tries = sim.calls(strap(1), StrapCall::Connect);
    assert!(tries.len() < 50, "{} connects in an hour", tries.len());
    let gaps: Vec<u64> = tries.windows(2).map(|w| w[1].since(w[0]).as_secs()).collect();
    assert!(gaps.last().unwrap() > &90, "back-off does not grow: {gaps:?}");
    assert_eq!(hint(&sim), Some(Hint::DropsAfter30s));
    assert!(sim.states[&strap(1)].contains(&LinkState::Unstable));
    // Minutes of good data clear the record.
    sim.body(strap(1)).drops_after = None;
    sim.run(s(400));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
    assert_eq!(sim.machine.status().straps[0].failures, 0);
    // A drop after a good run is made up for at once.
    sim.body(strap(1)).connected = false;
    sim.send(Event::Disconnected(strap(1)));
    assert_eq!(sim.state(strap(1)), LinkState::NotSeen);
    sim.run(s(5));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

/// The 30 s count from the connect, and a slow machine needs some of them to subscribe.
#[test]
fn links_that_end_after_thirty_seconds_are_named_on_a_slow_machine_too() {
    let mut sim = one();
    sim.body(strap(1)).drops_after = Some(Duration::from_millis(29_500));
    sim.body(strap(1)).setup_takes = s(6);
    sim.run(s(150));
    assert!(sim.machine.status().straps[0].drops >= 3);
    assert_eq!(hint(&sim), Some(Hint::DropsAfter30s));
}

#[test]
fn a_short_good_run_does_not_clear_the_record() {
    let mut sim = one();
    sim.body(strap(1)).drops_after = Some(s(100));
    sim.run(HOUR);
    assert!(sim.machine.status().straps[0].failures > 10);
}

#[test]
fn a_refusing_strap_is_named_and_every_failed_attempt_is_cancelled() {
    let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1), strap(2)]);
    sim.body(strap(1)).connect = Fate::Fails(Failure::Refused);
    sim.run(s(120));
    assert_eq!(sim.state(strap(1)), LinkState::Refuses);
    assert_eq!(sim.state(strap(2)), LinkState::Connected);
    assert_eq!(hint(&sim), Some(Hint::HeldByAnother));
    let tries = sim.calls(strap(1), StrapCall::Connect).len();
    assert_eq!(sim.calls(strap(1), StrapCall::Disconnect).len(), tries);
    // It does not flicker: once named, it stays named until it connects.
    let states = &sim.states[&strap(1)];
    let named = states.iter().position(|s| *s == LinkState::Refuses).unwrap();
    assert_eq!(states.len(), named + 1, "{states:?}");
    sim.body(strap(1)).connect = Fate::Works;
    sim.run(s(90));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

#[test]
fn attempts_that_fail_for_any_reason_are_named_once_and_stay_named() {
    use Failure::{Gone, InProgress, NotConnected, Other, Timeout};
    let setups = [Timeout, InProgress, Other, NotConnected].map(|f| (Fate::Works, Fate::Fails(f)));
    let connects = [Other, InProgress, NotConnected, Gone].map(|f| (Fate::Fails(f), Fate::Works));
    for (connect, setup) in setups.into_iter().chain(connects) {
        let mut sim = one();
        (sim.body(strap(1)).connect, sim.body(strap(1)).setup) = (connect, setup);
        sim.run(HOUR);
        assert_eq!(sim.state(strap(1)), LinkState::Fails, "{connect:?} {setup:?}");
        assert_eq!(hint(&sim), Some(Hint::AttemptsFail), "{connect:?} {setup:?}");
        let states = &sim.states[&strap(1)];
        let named = states.iter().position(|s| *s == LinkState::Fails).unwrap();
        assert_eq!(states.len(), named + 1, "it does not flicker: {states:?}");
        let tries = sim.calls(strap(1), StrapCall::Connect).len();
        assert!((10..=130).contains(&tries), "{tries} attempts in an hour");
        (sim.body(strap(1)).connect, sim.body(strap(1)).setup) = (Fate::Works, Fate::Works);
        sim.run(s(120));
        assert_eq!(sim.state(strap(1)), LinkState::Connected);
        assert_eq!(hint(&sim), None);
    }
}

#[test]
fn a_strap_at_the_edge_of_reach_is_not_said_to_be_held_by_another() {
    for (rssi, state) in [(-92, LinkState::Fails), (-60, LinkState::Refuses)] {
        let mut sim = one();
        sim.body(strap(1)).rssi = rssi;
        sim.body(strap(1)).connect = Fate::Fails(Failure::Timeout);
        sim.run(s(600));
        assert_eq!(sim.state(strap(1)), state, "{rssi} dBm");
    }
}

#[test]
fn seven_straps_are_carried_and_the_eighth_is_told_why_not() {
    let all: Vec<StrapId> = (1..=8).map(strap).collect();
    let mut sim = Sim::new(ArbiterConfig::default(), &all);
    sim.limit = 7;
    sim.run(s(300));
    let full: Vec<StrapId> = all.iter().copied().filter(|s| sim.state(*s) != LinkState::Connected).collect();
    let [eighth] = full[..] else { panic!("{full:?} are not connected") };
    assert_eq!(sim.state(eighth), LinkState::AdapterFull);
    let status = sim.machine.status();
    assert_eq!(status.straps.iter().find(|s| s.strap == eighth).unwrap().hint, Some(Hint::AdapterFull));
    // It is asked again now and then, does not flicker, and disturbs nobody.
    let tries = sim.calls(eighth, StrapCall::Connect).len();
    assert!((2..=12).contains(&tries), "{tries} attempts in five minutes");
    let states = &sim.states[&eighth];
    let named = states.iter().position(|s| *s == LinkState::AdapterFull).unwrap();
    assert_eq!(states.len(), named + 1, "{states:?}");
    assert_eq!(status.counters.drops, 0);
    // Room is used at once, back-off or not.
    let others: Vec<StrapId> = all.iter().copied().filter(|s| *s != strap(1) && *s != eighth).chain([eighth]).collect();
    assert_ne!(eighth, strap(1));
    sim.want(&others);
    sim.run(s(20));
    assert_eq!(sim.state(eighth), LinkState::Connected);
}

#[test]
fn what_a_strap_did_long_ago_explains_nothing() {
    let mut sim = one();
    sim.body(strap(1)).drops_after = Some(s(30));
    sim.run(s(600));
    assert_eq!(hint(&sim), Some(Hint::DropsAfter30s));
    sim.body(strap(1)).in_range = false;
    sim.body(strap(1)).connected = false;
    sim.send(Event::Disconnected(strap(1)));
    let gone = sim.now;
    sim.run(s(200));
    assert_eq!(hint(&sim), Some(Hint::DropsAfter30s), "it may only be between two attempts");
    sim.run(s(200));
    assert_eq!(sim.state(strap(1)), LinkState::NotSeen);
    assert_eq!(hint(&sim), None);
    let status = sim.machine.status();
    assert!(status.straps[0].failures > 2, "its back-off stays: only good data clears it");
    let seen = status.straps[0].last_seen.unwrap();
    assert!(seen <= gone && gone.since(seen) < s(120), "last seen {seen:?}, gone {gone:?}");
}

#[test]
fn a_hanging_strap_does_not_keep_another_one_out() {
    let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1), strap(2)]);
    sim.body(strap(1)).connect = Fate::Fails(Failure::Timeout);
    sim.run(s(60));
    assert_eq!(sim.state(strap(2)), LinkState::Connected);
    let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1), strap(2)]);
    sim.body(strap(1)).connect = Fate::Vanishes;
    sim.run(s(60));
    assert_eq!(sim.state(strap(2)), LinkState::Connected);
    assert!(sim.machine.status().counters.unanswered >= 1);
}

#[test]
fn silence_is_asked_about_then_cured_then_escalated() {
    let mut sim = one();
    sim.body(strap(1)).beats = false;
    sim.run(s(30));
    assert!(sim.states[&strap(1)].contains(&LinkState::Silent));
    let up = sim.calls(strap(1), StrapCall::Setup { reopen: false })[0];
    let after = |call| sim.calls(strap(1), call).first().map(|at| at.since(up).as_secs());
    assert_eq!(after(StrapCall::CheckConnected), Some(5));
    assert_eq!(after(StrapCall::Resubscribe), Some(10));
    assert_eq!(after(StrapCall::Disconnect), Some(20));
    sim.run(s(120));
    // The next connection gets a new stream; when that does not help either, the bus connection is replaced, seldom.
    assert!(!sim.calls(strap(1), StrapCall::Setup { reopen: true }).is_empty());
    sim.run(s(300));
    assert_eq!(sim.count(AdapterCall::NewManager), 2);
    assert_eq!(hint(&sim), Some(Hint::SubscribedButSilent));
    sim.body(strap(1)).beats = true;
    sim.run(s(120));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
    assert_eq!(hint(&sim), None);
}

#[test]
fn a_silent_strap_beside_a_good_one_leaves_the_bus_alone() {
    let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1), strap(2)]);
    sim.body(strap(1)).beats = false;
    sim.run(HOUR);
    assert_eq!(sim.count(AdapterCall::NewManager), 1);
    assert_eq!(sim.calls(strap(2), StrapCall::Connect).len(), 1, "the good strap was disturbed");
}

#[test]
fn a_death_without_a_word_is_found_by_silence() {
    let mut sim = one();
    sim.run(s(10));
    sim.body(strap(1)).connected = false; // no event
    sim.run(s(12));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
    assert_eq!(sim.machine.status().counters.silences, 1);
    assert_eq!(sim.count(AdapterCall::NewManager), 1);
}

#[test]
fn normal_states_of_a_machine_are_reported_for_a_day_without_giving_up() {
    for (ground, state) in [
        (Ground::NoAdapter, LinkState::NoAdapter),
        (Ground::Off, LinkState::AdapterOff),
        (Ground::NoService, LinkState::AdapterOff),
        (Ground::NoBus, LinkState::AdapterOff),
    ] {
        for announced in [false, true] {
            let mut sim = one();
            sim.run(s(5));
            sim.set_ground(ground, announced);
            sim.run(s(30));
            assert_eq!(sim.state(strap(1)), state, "{ground:?}");
            sim.run(24 * HOUR);
            assert!(!sim.gave_up, "{ground:?}");
            assert_eq!(sim.ground, ground, "the adapter was switched on");
            sim.set_ground(Ground::On, announced);
            sim.run(s(60));
            assert_eq!(sim.state(strap(1)), LinkState::Connected, "{ground:?}");
        }
    }
}

#[test]
fn an_adapter_that_was_switched_off_is_not_held_against_its_straps() {
    // BlueZ tells the end of each link first and of the adapter some 30 ms later: without this, straps waited up to a
    // minute after a few switches of the adapter.
    let mut sim = one();
    sim.run(s(5));
    for round in 0..20 {
        sim.set_ground(Ground::Off, true);
        sim.run(s(2));
        sim.set_ground(Ground::On, true);
        sim.run(s(10));
        assert_eq!(sim.state(strap(1)), LinkState::Connected, "round {round}");
    }
    let status = sim.machine.status();
    assert_eq!((status.straps[0].failures, status.straps[0].drops), (0, 0));
    // A link that ends long before the adapter goes is a drop.
    sim.body(strap(1)).in_range = false;
    sim.body(strap(1)).connected = false;
    sim.send(Event::Disconnected(strap(1)));
    sim.run(s(5));
    sim.set_ground(Ground::Off, true);
    assert_eq!(sim.machine.status().straps[0].drops, 1);
}

/// An adapter that goes ends what is under way, with whatever error, before or after it tells of itself: no strap's failure.
#[test]
fn an_attempt_that_an_adapter_ended_is_not_held_against_the_strap() {
    for failure in [Failure::Refused, Failure::NotConnected, Failure::Other] {
        for (call, told_first) in [(0, true), (0, false), (1, true), (1, false)] {
            let mut sim = one();
            let is = |of: StrapCall| matches!((call, of), (0, StrapCall::Connect) | (1, StrapCall::Setup { .. }));
            for round in 0..10 {
                let before = sim.log.iter().filter(|l| is(l.2)).count();
                let begun = sim.now;
                while sim.log.iter().filter(|l| is(l.2)).count() == before {
                    sim.run(Duration::from_millis(20));
                    assert!(sim.now.since(begun) < s(15), "{failure:?} in round {round}: braked");
                }
                if !told_first {
                    sim.end_attempts(failure);
                    sim.run(Duration::from_millis(30));
                }
                sim.set_ground(Ground::Off, true);
                sim.end_attempts(failure);
                sim.run(s(2));
                sim.set_ground(Ground::On, true);
            }
            let status = sim.machine.status();
            assert_eq!((status.straps[0].failures, status.straps[0].refusals, status.straps[0].drops), (0, 0, 0));
            sim.run(s(10));
            assert_eq!(sim.state(strap(1)), LinkState::Connected, "{failure:?}");
        }
    }
}

#[test]
fn power_on_switches_the_adapter_on() {
    let mut sim = Sim::new(ArbiterConfig { power_on: true, ..ArbiterConfig::default() }, &[strap(1)]);
    sim.set_ground(Ground::Off, false);
    sim.run(s(15));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

#[test]
fn a_hung_bluetoothd_leads_to_new_connections_and_in_the_end_to_giving_up() {
    let mut sim = one();
    sim.run(s(5));
    sim.set_ground(Ground::Hung, false);
    sim.run(s(240));
    assert!(sim.count(AdapterCall::NewManager) >= 3);
    assert!(!sim.gave_up);
    sim.run(s(120));
    assert!(sim.gave_up);
    assert_eq!(sim.machine.status().counters.gave_up, 1);
    // Healed in time it does not give up.
    let mut sim = one();
    sim.set_ground(Ground::Hung, false);
    sim.run(s(200));
    sim.set_ground(Ground::On, false);
    sim.run(HOUR);
    assert!(!sim.gave_up);
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

#[test]
fn a_link_that_appears_by_itself_is_adopted_even_during_back_off() {
    let mut sim = one();
    sim.body(strap(1)).connect = Fate::Fails(Failure::Refused);
    sim.run(s(300));
    sim.body(strap(1)).connect = Fate::Works;
    sim.body(strap(1)).in_range = true;
    sim.body(strap(1)).connected = true;
    sim.send(Event::Connected(strap(1)));
    sim.run(s(3));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
    assert_eq!(sim.machine.status().counters.adopted, 1);
}

#[test]
fn a_link_announced_but_not_there_is_not_adopted() {
    let mut sim = one();
    sim.body(strap(1)).in_range = false;
    sim.run(s(20));
    sim.send(Event::Connected(strap(1)));
    sim.send(Event::Frame(strap(1)));
    sim.run(s(60));
    assert!(sim.calls(strap(1), StrapCall::Connect).is_empty(), "a connect would have hung for 30 s");
}

#[test]
fn unwanted_straps_are_let_go_and_wanted_again_connected() {
    let mut sim = one();
    sim.run(s(5));
    sim.want(&[]);
    assert_eq!(sim.state(strap(1)), LinkState::Connected, "it is free only when it was disconnected");
    sim.run(s(2));
    assert_eq!(sim.state(strap(1)), LinkState::Released);
    assert!(!sim.body(strap(1)).connected);
    let calls = sim.log.len();
    sim.run(HOUR);
    assert_eq!(sim.log.len(), calls);
    sim.want(&[strap(1)]);
    sim.run(s(15));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

#[test]
fn a_strap_that_is_forgotten_while_the_bus_is_lost_is_let_go() {
    // bluetoothd keeps a connection when our connection to the bus ends
    let mut sim = one();
    sim.run(s(5));
    sim.whim = Some(Fate::Fails(Failure::BusLost));
    sim.run(s(6));
    sim.whim = None;
    assert!(sim.body(strap(1)).connected && sim.count(AdapterCall::NewManager) >= 2);
    sim.want(&[]);
    assert!(sim.body(strap(1)).connected);
    sim.run(s(30));
    assert!(!sim.body(strap(1)).connected, "nobody let it go");
    assert_eq!(sim.state(strap(1)), LinkState::Released);
    // Where no adapter is, nothing can be held, and nothing is waited for.
    let mut sim = one();
    sim.run(s(5));
    sim.set_ground(Ground::NoAdapter, true);
    sim.run(s(10));
    sim.want(&[]);
    sim.run(s(1));
    assert_eq!(sim.state(strap(1)), LinkState::Released);
}

/// Found by the property below: a success is claimed while the adapter is off, and the machine, which knows that it is off,
/// has nothing to let go.
#[test]
fn an_adapter_that_is_off_carries_no_strap_that_was_forgotten() {
    let mut sim = one();
    sim.want(&[]);
    sim.whim = Some(Fate::Works);
    sim.run(Duration::from_millis(11));
    sim.set_ground(Ground::Hung, false);
    sim.want(&[strap(1)]);
    sim.run(Duration::from_millis(5010));
    sim.set_ground(Ground::Off, false);
    sim.send(Event::Frame(strap(1)));
    sim.run(Duration::from_millis(2010));
    sim.whim = None;
    sim.set_ground(Ground::On, false);
    sim.want(&[strap(2)]);
    sim.run(s(60));
    assert!(!sim.body(strap(1)).connected, "{:?}", sim.machine.status());
}

#[test]
fn an_unwanted_strap_is_let_go_in_the_middle_of_a_connect() {
    let mut sim = one();
    sim.body(strap(1)).connect = Fate::Fails(Failure::Timeout);
    sim.run(s(3));
    assert_eq!(sim.calls(strap(1), StrapCall::Connect).len(), 1);
    sim.want(&[]);
    assert_eq!(sim.calls(strap(1), StrapCall::Disconnect).len(), 1);
    sim.run(s(1));
    assert!(sim.machine.status().straps.is_empty());
}

#[test]
fn the_end_lets_all_go_at_once_and_is_bounded() {
    let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1), strap(2), strap(3)]);
    sim.run(s(10));
    let at = sim.now;
    sim.shut_down();
    for n in 1..=3 {
        assert_eq!(sim.calls(strap(n), StrapCall::Disconnect), [at], "not in parallel");
    }
    sim.run(s(1));
    assert!(sim.machine.is_finished());
    // The same with a world that does not answer.
    let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1)]);
    sim.run(s(10));
    sim.whim = Some(Fate::Vanishes);
    sim.shut_down();
    sim.run(s(4));
    assert!(!sim.machine.is_finished());
    sim.run(s(1));
    assert!(sim.machine.is_finished());
}

#[test]
fn a_night_in_suspend_is_survived() {
    let mut sim = one();
    sim.run(s(10));
    sim.body(strap(1)).connected = false;
    sim.now = sim.now + 8 * HOUR;
    sim.send(Event::Timeout);
    sim.run(s(20));
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

#[test]
fn a_late_answer_is_nobodys_answer() {
    let mut sim = one();
    sim.run(s(10));
    sim.send(Event::Done(CallId(1), Err(Failure::BusLost)));
    sim.send(Event::Done(CallId(u64::MAX), Ok(Answer::NoAdapter)));
    assert_eq!(sim.machine.status().counters.late, 2);
    assert_eq!(sim.state(strap(1)), LinkState::Connected);
}

// ---------------------------------------------------------------- any sequence of faults

#[derive(Clone, Debug)]
enum Fault {
    Pass(u64),
    Whim(Option<Fate>),
    Ground(Ground, bool),
    InRange(u8, bool),
    Beats(u8, bool),
    Connect(u8, Fate),
    Setup(u8, Fate),
    Drop(u8, bool),
    Event(Event),
    Want(u8),
}

fn failure() -> impl Strategy<Value = Failure> {
    use Failure::*;
    prop::sample::select(vec![
        Timeout,
        InProgress,
        Refused,
        NotConnected,
        Gone,
        NoService,
        BusLost,
        Stale,
        Denied,
        AdapterOff,
        Full,
        NoHeartRate,
        Other,
    ])
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Works), failure().prop_map(Fate::Fails), Just(Fate::Vanishes)]
}

fn fault() -> impl Strategy<Value = Fault> {
    use Ground::*;
    let n = 1u8..=3;
    prop_oneof![
        4 => (1u64..40_000).prop_map(Fault::Pass),
        2 => prop::option::of(fate()).prop_map(Fault::Whim),
        1 => (prop::sample::select(vec![On, On, Off, NoAdapter, NoService, Hung, NoBus]), any::<bool>())
            .prop_map(|(g, a)| Fault::Ground(g, a)),
        1 => (n.clone(), any::<bool>()).prop_map(|(n, b)| Fault::InRange(n, b)),
        1 => (n.clone(), any::<bool>()).prop_map(|(n, b)| Fault::Beats(n, b)),
        1 => (n.clone(), fate()).prop_map(|(n, f)| Fault::Connect(n, f)),
        1 => (n.clone(), fate()).prop_map(|(n, f)| Fault::Setup(n, f)),
        2 => (n.clone(), any::<bool>()).prop_map(|(n, b)| Fault::Drop(n, b)),
        2 => (n, 0u8..5).prop_map(|(n, kind)| Fault::Event(match kind {
            0 => Event::Connected(strap(n)),
            1 => Event::Disconnected(strap(n)),
            2 => Event::Frame(strap(n)),
            3 => Event::Advert { strap: strap(n), rssi: -90 },
            _ => Event::Done(CallId(u64::MAX - u64::from(n)), Ok(Answer::Done)),
        })),
        1 => (0u8..8).prop_map(Fault::Want),
    ]
}

fn apply(sim: &mut Sim, fault: Fault) {
    match fault {
        Fault::Pass(ms) => sim.run(Duration::from_millis(ms)),
        Fault::Whim(whim) => sim.whim = whim,
        Fault::Ground(ground, announced) => sim.set_ground(ground, announced),
        Fault::InRange(n, b) => sim.body(strap(n)).in_range = b,
        Fault::Beats(n, b) => sim.body(strap(n)).beats = b,
        Fault::Connect(n, f) => sim.body(strap(n)).connect = f,
        Fault::Setup(n, f) => sim.body(strap(n)).setup = f,
        Fault::Drop(n, announced) => {
            sim.body(strap(n)).connected = false;
            if announced {
                sim.send(Event::Disconnected(strap(n)));
            }
        }
        Fault::Event(event) => sim.send(event),
        Fault::Want(mask) => {
            let straps: Vec<_> = (1..=3).filter(|n| mask & (1 << (n - 1)) != 0).map(strap).collect();
            sim.want(&straps);
        }
    }
}

/// More by `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(128)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    /// The simulated world checks at every step: one connect at a time, no call beside one that may hang, nothing but
    /// wanted straps, no scan while connecting, no timeout in the past. And whatever happened: once the world is well
    /// again, every wanted strap is connected and delivers within minutes.
    #[test]
    fn whatever_happens_a_healthy_world_ends_connected(faults in prop::collection::vec(fault(), 1..60)) {
        let all = [strap(1), strap(2), strap(3)];
        let mut sim = Sim::new(ArbiterConfig::default(), &all);
        for fault in faults {
            apply(&mut sim, fault);
        }
        if sim.gave_up {
            return Ok(());
        }
        sim.whim = None;
        for body in sim.bodies.values_mut() {
            *body = sim::Body { connected: body.connected, ..sim::Body::default() };
        }
        sim.set_ground(Ground::On, false);
        sim.want(&all);
        // The longest way: a hanging connect for each strap, a rebuilt bus, and a full back-off of 75 s.
        sim.run(s(300));
        for strap in all {
            prop_assert_eq!(sim.state(strap), LinkState::Connected, "{:?}", sim.machine.status());
            prop_assert!(sim.body(strap).connected);
        }
        // And it stays so.
        let calls = sim.log.len();
        sim.run(s(600));
        prop_assert_eq!(sim.log.len(), calls, "{:?}", &sim.log[calls..]);
    }

    /// No state without an exit by time: when nothing answers and nothing comes any more, nothing stays "connecting" or
    /// "connected" for longer than its calls and the silence may take.
    #[test]
    fn in_a_dead_world_no_state_lasts(faults in prop::collection::vec(fault(), 1..60)) {
        let all = [strap(1), strap(2), strap(3)];
        let mut sim = Sim::new(ArbiterConfig::default(), &all);
        for fault in faults {
            apply(&mut sim, fault);
        }
        sim.want(&all);
        sim.whim = Some(Fate::Vanishes);
        for body in sim.bodies.values_mut() {
            (body.in_range, body.beats, body.connected) = (false, false, false);
        }
        // for each strap at most: its silence, a hanging connect, and a disconnect after it
        sim.run(s(240));
        for strap in all {
            let state = sim.state(strap);
            let waits = matches!(state, LinkState::Connecting | LinkState::Connected | LinkState::Silent);
            prop_assert!(!waits || sim.gave_up, "{state:?}: {:?}", sim.machine.status());
        }
        prop_assert!(sim.gave_up || sim.machine.poll_timeout().is_some(), "it waits for nothing");
    }

    /// Never connected to a strap that is not adopted: neither after any faults, nor for long after it was forgotten.
    #[test]
    fn a_forgotten_strap_is_free_soon(faults in prop::collection::vec(fault(), 1..60), keep in 0u8..8) {
        let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1), strap(2), strap(3)]);
        for fault in faults {
            // a disconnect that nobody ever makes cannot be made good by asking
            let lost = matches!(fault, Fault::Whim(Some(Fate::Vanishes)));
            apply(&mut sim, if lost { Fault::Whim(Some(Fate::Fails(Failure::Timeout))) } else { fault });
        }
        if sim.gave_up {
            return Ok(());
        }
        sim.whim = None;
        sim.set_ground(Ground::On, false);
        apply(&mut sim, Fault::Want(keep));
        // a call that hangs may have to be waited for first
        sim.run(s(60));
        for n in 1..=3 {
            let wanted = sim.wanted.contains(&strap(n));
            prop_assert!(wanted || !sim.body(strap(n)).connected, "{n}: {:?}", sim.machine.status());
        }
    }

    /// Letting go ends in time, whatever happened before and whatever answers.
    #[test]
    fn the_end_comes_within_five_seconds(faults in prop::collection::vec(fault(), 1..40)) {
        let mut sim = Sim::new(ArbiterConfig::default(), &[strap(1), strap(2), strap(3)]);
        for fault in faults {
            apply(&mut sim, fault);
        }
        sim.shut_down();
        sim.run(s(5));
        prop_assert!(sim.machine.is_finished());
    }
}
