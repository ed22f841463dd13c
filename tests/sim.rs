//! Simulated straps: nothing is sent that the truth does not say, and nothing is lost without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::hrs::{Defect, decode};
use hrvd::sim::{BeatKind, Course, How, Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent, Truth};
use hrvd::units::RrTicks;
use proptest::prelude::*;
use std::time::Duration;

fn play(profile: &'static Profile, seconds: u64, seed: u64) -> Vec<SimEvent> {
    let heart = Rhythm::new(RhythmConfig { seed, ectopics_per_1000: 10, ..RhythmConfig::default() });
    ProfileStrap::new(profile, heart, seed).take_while(|e| e.at() < Duration::from_secs(seconds)).collect()
}

/// Which of the heart's intervals an event accounts for, in order.
fn covered(truth: &[Truth]) -> impl Iterator<Item = u64> + '_ {
    truth.iter().flat_map(|t| t.first..t.first + u64::from(t.count))
}

fn truth_of(event: &SimEvent) -> &[Truth] {
    match event {
        SimEvent::Notification { truth, .. } | SimEvent::Lost { truth, .. } => truth,
        _ => &[],
    }
}

#[test]
fn every_profile_has_a_name_of_its_own_and_a_sentence() {
    let all = Profile::all();
    for (i, p) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|q| q.id != p.id), "{}", p.id);
        assert!(p.sentence.ends_with('.') || p.sentence.ends_with(')') || p.sentence.ends_with(")."), "{}", p.id);
        assert_eq!(Profile::by_id(p.id), Some(p));
    }
    assert_eq!(Profile::by_id("nonsense"), None);
    // the quirks that can be expressed in notifications
    let quirks: std::collections::BTreeSet<u8> = all.iter().flat_map(|p| p.quirks.iter().copied()).collect();
    let expected =
        [3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 31, 34, 39];
    assert_eq!(quirks.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_sent_is_what_the_truth_says_and_each_beat_is_accounted_for_once_in_order() {
    for profile in Profile::all() {
        for seed in 1..4 {
            let events = play(profile, 900, seed);
            let mut next = 0;
            for event in &events {
                for index in covered(truth_of(event)) {
                    assert_eq!(index, next, "{} seed {seed} at {:?}", profile.id, event.at());
                    next += 1;
                }
                let SimEvent::Notification { bytes, truth, .. } = event else { continue };
                let (m, _) = decode(bytes);
                let raws: Vec<u16> = truth.iter().filter(|t| t.how != How::NotSent).map(|t| t.raw).collect();
                let got: Vec<u16> = m.rr.iter().map(|r| r.0).collect();
                assert_eq!(got, raws, "{} seed {seed}", profile.id);
            }
            assert!(next > 500, "{}: {next}", profile.id);
            assert!(events.windows(2).all(|w| w[1].at() >= w[0].at()), "{}: time goes back", profile.id);
        }
    }
}

#[test]
fn the_same_seed_sends_the_same_bytes_and_another_one_others() {
    for profile in Profile::all() {
        assert_eq!(play(profile, 300, 7), play(profile, 300, 7), "{}", profile.id);
    }
    let plain = Profile::by_id("plain").unwrap();
    assert_ne!(play(plain, 60, 7), play(plain, 60, 8));
}

/// The bytes of every profile, as one number: the same on every machine and in every build.
#[test]
fn the_bytes_are_pinned() {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for profile in Profile::all() {
        for event in play(profile, 400, 42) {
            let SimEvent::Notification { at, bytes, .. } = event else { continue };
            for b in (at.as_micros() as u64).to_le_bytes().iter().chain(&bytes) {
                hash = (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    assert_eq!(
        hash, 0x1692_7971_5837_90cb,
        "if a profile or the heart was changed on purpose, pin the new number: {hash:#x}"
    );
}

fn defects(id: &str) -> Vec<Defect> {
    let events = play(Profile::by_id(id).unwrap(), 600, 3);
    let packets = events.iter().filter_map(|e| match e {
        SimEvent::Notification { bytes, .. } => Some(decode(bytes).1),
        _ => None,
    });
    packets.flatten().collect()
}

#[test]
fn only_broken_packets_are_broken() {
    for profile in Profile::all() {
        let found = defects(profile.id);
        match profile.id {
            "odd_tail" => assert!(found.len() > 50 && found.iter().all(|d| *d == Defect::OddTail)),
            "stale_tail" => assert!(found.len() > 5 && found.iter().all(|d| *d == Defect::Unannounced)),
            id => assert_eq!(found, [], "{id}"),
        }
    }
}

#[test]
fn profiles_do_what_their_sentence_says() {
    let count = |id: &str, how: How| {
        let events = play(Profile::by_id(id).unwrap(), 900, 5);
        events.iter().flat_map(truth_of).filter(|t| t.how == how).count()
    };
    assert!((120..180).contains(&count("garmin_extra_rr", How::Invented)));
    assert!((180..260).contains(&count("rr_twice", How::Repeat)));
    assert!(count("fixed_rate", How::Repeat) > 2000);
    assert!((15..25).contains(&count("empty_then_high", How::Wrong)));
    assert!(count("optical_smoothed", How::Smoothed) > 800);
    assert!((3..20).contains(&count("misses_and_doubles", How::Merged)));
    assert!((15..50).contains(&count("dry_start", How::SplitHead)));
    let lost = |id: &str| {
        play(Profile::by_id(id).unwrap(), 900, 5).iter().filter(|e| matches!(e, SimEvent::Lost { .. })).count()
    };
    assert!((80..150).contains(&lost("lossy")));
    let downs = |id: &str| -> Vec<u64> {
        let events = play(Profile::by_id(id).unwrap(), 900, 5);
        events.iter().filter(|e| matches!(e, SimEvent::LinkDown { .. })).map(|e| e.at().as_secs()).collect()
    };
    assert_eq!(downs("off_link_drops"), [645]);
    assert_eq!(downs("drops_30s")[..2], [30, 66]);
    // a whole second of ms is 1000, of ticks 1024
    let bytes = |id: &str| -> Vec<u16> {
        let list = [RrTicks(1024); 3];
        let strap = ProfileStrap::new(Profile::by_id(id).unwrap(), list.into_iter(), 1);
        strap.flat_map(|e| truth_of(&e).iter().map(|t| t.raw).collect::<Vec<_>>()).collect()
    };
    assert_eq!(bytes("plain"), [1024; 3]);
    assert_eq!(bytes("milliseconds"), [1000; 3]);
}

#[test]
fn ectopics_reach_the_truth_of_the_packets() {
    let kinds: Vec<BeatKind> =
        play(Profile::by_id("plain").unwrap(), 900, 5).iter().flat_map(truth_of).map(|t| t.kind).collect();
    let premature = kinds.iter().filter(|k| **k == BeatKind::Premature).count();
    assert!((3..20).contains(&premature), "{premature}");
    assert!(kinds.windows(2).all(|w| (w[0] == BeatKind::Premature) == (w[1] == BeatKind::Pause)));
}

#[test]
fn exercise_arrives_as_exercise() {
    let heart = Rhythm::new(RhythmConfig { course: Course::RAMP, ..RhythmConfig::default() });
    let top = ProfileStrap::new(Profile::by_id("plain").unwrap(), heart, 1)
        .take_while(|e| e.at() < Duration::from_secs(900))
        .filter_map(|e| match e {
            SimEvent::Notification { bytes, .. } => decode(&bytes).0.hr,
            _ => None,
        })
        .max();
    assert!((175..=182).contains(&top.unwrap()), "{top:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// A faultless strap sends any list of intervals exactly once, in order, untouched.
    #[test]
    fn a_faultless_strap_loses_nothing(
        list in proptest::collection::vec(200u16..6000, 0..200), seed in any::<u64>(),
        id in prop_oneof![Just("plain"), Just("contact"), Just("energy"), Just("wide_hr"), Just("per_beat"), Just("two_seconds"), Just("bursts"), Just("stalls")],
    ) {
        let strap = ProfileStrap::new(Profile::by_id(id).unwrap(), list.iter().copied().map(RrTicks), seed);
        let sent: Vec<u16> = strap.filter_map(|e| match e {
            SimEvent::Notification { bytes, .. } => Some(decode(&bytes).0.rr.iter().map(|r| r.0).collect::<Vec<_>>()),
            _ => None,
        }).flatten().collect();
        prop_assert_eq!(sent, list);
    }

    /// Any profile survives any list and accounts for each interval it took, in order.
    #[test]
    fn any_profile_on_any_list(list in proptest::collection::vec(1u16..u16::MAX, 0..100), seed in any::<u64>(), which in any::<prop::sample::Index>()) {
        let profile = which.get(Profile::all());
        let events: Vec<SimEvent> = ProfileStrap::new(profile, list.iter().copied().map(RrTicks), seed).collect();
        let indices: Vec<u64> = events.iter().flat_map(|e| covered(truth_of(e)).collect::<Vec<_>>()).collect();
        // what a strap keeps while it is away it cannot send any more when the heart ends meanwhile
        let ended =
            profile.traits.deaf.is_some_and(|d| d.link_drops_after_s.is_some()) || profile.traits.stores_while_away.is_some();
        if !ended {
            prop_assert_eq!(indices.len(), list.len());
        }
        prop_assert!(indices.iter().enumerate().all(|(i, x)| i as u64 == *x));
    }
}
