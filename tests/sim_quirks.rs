//! What straps do to the beats: whatever way they come, each beat of the heart is there once, at its time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim_common;

use hrvd::check::Grade;
use hrvd::engine::*;
use hrvd::sim::{Course, PLAIN, Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent, Traits};
use hrvd::timeline::GapReason;
use hrvd::units::RrTicks;
use hrvd::verdict::FindingId;
use sim_common::*;
use std::time::Duration;

/// The intervals in order, each with the end of its beat in ms since the start.
fn told(w: &World) -> Vec<(i64, u16)> {
    let all = w.beats().into_iter().flat_map(|b| &b.beats);
    all.map(|b| (b.at.diff_micros(START) / 1000, b.rr.0)).collect()
}

/// Plays a list of intervals instead of a heart.
fn listed(id: &str, list: &[u16]) -> World {
    let mut w = World::new();
    for event in ProfileStrap::new(profile(id), list.iter().copied().map(RrTicks), 1) {
        let now = START + event.at();
        match event {
            SimEvent::LinkUp { .. } => w.input(now, Input::Link { strap: STRAP, state: LinkState::Connected }),
            SimEvent::LinkDown { .. } => w.input(now, Input::Link { strap: STRAP, state: LinkState::NotSeen }),
            SimEvent::Notification { bytes, .. } => w.input(now, Input::Packet { strap: STRAP, bytes }),
            SimEvent::Facts { .. } | SimEvent::Lost { .. } => {}
        }
    }
    let (said, end) = (&mut w.said, w.player.now().mono + Duration::from_secs(60));
    w.player.advance(end, &mut |at, o| said.push((at, o)));
    w
}

/// Packets that arrive twice leave nothing behind, from the first one on, and cost no beat: what is twice is decided by the
/// clock. A heart as regular as a metronome, whose neighbours are all equal, keeps every beat of either strap.
#[test]
fn doubled_packets_leave_the_beats_of_the_same_heart() {
    let steady = [1024u16; 400];
    let pairs: Vec<u16> = (0..400u16).map(|n| 900 + n / 2 % 5 * 20).collect();
    let fast = [400u16; 900];
    let lists: [&[u16]; 3] = [&steady, &pairs, &fast];
    let worlds = lists.iter().map(|list| (listed("plain", list), listed("doubled", list)));
    let hearts = (0..5).map(|seed| (played("plain", seed, 600, &[]), played("doubled", seed, 600, &[])));
    for (n, (plain, doubled)) in worlds.chain(hearts).enumerate() {
        let (once, twice) = (told(&plain), told(&doubled));
        let values = |of: &[(i64, u16)]| of.iter().map(|(_, rr)| *rr).collect::<Vec<_>>();
        assert!(once.len() > 350, "{n}: {}", once.len());
        assert_eq!(values(&twice), values(&once), "{n}");
        assert!(once.iter().zip(&twice).all(|(a, b)| (a.0 - b.0).abs() <= 300), "{n}");
        assert_eq!(doubled.status().gaps, 0, "{n}");
        assert!(doubled.status().duplicates > 300, "{n}: {}", doubled.status().duplicates);
        assert_eq!(plain.status().duplicates, 0, "{n}: an equal neighbour was taken for a duplicate");
    }
}

/// Intervals that a strap kept while its link was away come in one go after it: they get the times at which the heart beat
/// them, once each, in order.
#[test]
fn stored_intervals_get_their_own_times() {
    for seed in 0..5 {
        let stored = played("stored_rr", seed, 600, &[]);
        let late = told(&stored);
        let mut ticks = 0;
        let heart = Rhythm::new(heart(seed)).take(late.len()).map(|beat| {
            ticks += i64::from(beat.rr.0);
            (ticks * 1000 / 1024, beat.rr.0)
        });
        assert!(late.last().unwrap().0 > 597_000, "seed {seed}: {:?}", late.last());
        for (truth, (ms, rr)) in heart.zip(&late) {
            // by the packet that brought it, or would have: up to a second after the beat, and as much for the next one
            let after = ms - truth.0;
            assert!(
                truth.1.abs_diff(*rr) <= 1 && (0..=1200).contains(&after),
                "seed {seed}: {rr} at {ms}, true {truth:?}"
            );
        }
        let away = stored.beats().iter().filter(|b| b.gap == Some(GapReason::LinkUp)).count();
        assert!(away >= 2, "seed {seed}: a link that was away is a gap, whatever came after it");
    }
}

/// More intervals than time has passed, from the first packet on: a check right after the strap was put on gives no number,
/// however little the surplus is above 6 %.
#[test]
fn a_check_on_a_surplus_of_intervals_gives_no_number() {
    for every in [2, 4, 8, 12] {
        for seed in 0..4 {
            let traits = Traits { twice_every: every, ..PLAIN };
            let more: &'static Profile = Box::leak(Box::new(Profile { traits, ..*profile("rr_twice") }));
            for check in [0, 120] {
                let mut w = World::new();
                w.play(more, heart(seed), check + 400, &[check]);
                let results = w.results();
                assert_eq!(results.len(), 1, "every {every}, seed {seed}, at {check} s");
                let r = results[0];
                assert!(r.coverage > 1.06, "every {every}, seed {seed}: {}", r.coverage);
                assert!(r.values.is_none() && r.why.is_some(), "every {every}, seed {seed}, at {check} s: {r:?}");
            }
        }
    }
}

/// A belt that is good at rest and moves in a run: the morning check is good, the run is named as noisy.
#[test]
fn a_belt_that_is_loose_in_motion_is_trusted_at_rest_only() {
    for seed in 0..3 {
        let w = played("loose_in_motion", seed, 700, &[300]);
        let r = w.results()[0].clone();
        assert_eq!((r.grade, r.why), (Grade::Good, None), "seed {seed}");
        assert_eq!(ids(&w.status()), [], "seed {seed}");
        let mut w = World::new();
        let run = RhythmConfig { course: Course::RAMP, ..heart(seed) };
        w.play(profile("loose_in_motion"), run, 900, &[360]);
        assert!(ids(&w.status()).contains(&FindingId::Noisy), "seed {seed}: {:?}", ids(&w.status()));
        for r in w.results() {
            assert_ne!(r.grade, Grade::Good, "seed {seed}: {r:?}");
        }
        let mut plain = World::new();
        plain.play(profile("plain"), run, 900, &[]);
        assert_eq!(ids(&plain.status()), [], "seed {seed}: a belt that fits");
    }
}
