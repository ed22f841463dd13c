//! Every strap profile through the whole engine: what is published, what a check makes of it, what is shown as live.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim_common;

use hrvd::check::{Note, Posture, WhyNone};
use hrvd::engine::*;
use hrvd::sim::{After, Profile, Rhythm, RhythmConfig, RrSource, Tail};
use hrvd::timeline::GapReason;
use hrvd::units::Mono;
use hrvd::verdict::{SmoothingVerdict, Source, Units, Worn, source_of};
use jiff::tz::TimeZone;
use sim_common::*;
use std::time::Duration;

#[test]
fn every_profile_is_published_with_its_diagnosis() {
    let mut wrong = vec![];
    for profile in Profile::all() {
        let d = profile.diagnosis;
        let mut expected = d.findings.to_vec();
        expected.sort();
        for seed in 0..2 {
            let w = played(profile.id, seed, 900, &[]);
            let want = (expected.clone(), d.units, d.smoothing, d.worn);
            let told = |s: &StrapStatus| (ids(s), s.verdict.units, s.verdict.smoothing, s.verdict.worn);
            let (now, said) = (w.status(), w.straps());
            if told(&now) != want {
                wrong.push(format!("{} seed {seed}: {:?}, expected {want:?}", profile.id, told(&now)));
            }
            if told(said.last().unwrap().1) != want {
                let last = told(said.last().unwrap().1);
                wrong.push(format!("{} seed {seed}: last said {last:?}, expected {want:?}", profile.id));
            }
            // once a minute, and each change
            if said.len() > 15 + 20 && !matches!(profile.id, "drops_30s" | "stalls") {
                wrong.push(format!("{} seed {seed}: {} statuses in 15 minutes", profile.id, said.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn milliseconds_give_the_numbers_of_the_same_heart_on_a_faultless_strap() {
    for id in ["milliseconds", "milliseconds_floor"] {
        for seed in 0..3 {
            let (good, ms) = (played("plain", seed, 900, &[400]), played(id, seed, 900, &[400]));
            let (good, ms) = (good.results()[0].clone(), ms.results()[0].clone());
            let (v, w) = (good.values.unwrap(), ms.values.unwrap());
            assert!((w.rmssd_ms / v.rmssd_ms - 1.0).abs() < 0.02, "{id} seed {seed}: {w:?}, true {v:?}");
            assert!((w.mean_rr_ms / v.mean_rr_ms - 1.0).abs() < 0.003, "{id} seed {seed}: {w:?}, true {v:?}");
            assert!((ms.coverage - 1.0).abs() < 0.01, "{}", ms.coverage);
            assert_eq!((ms.grade, &ms.notes), (good.grade, &good.notes), "{id} seed {seed}");
        }
    }
}

/// The units become known in the middle of the first check: it is read again as a whole.
#[test]
fn the_first_check_on_a_strap_that_sends_milliseconds_does_not_mix() {
    let (mut right, mut refused) = (0, 0);
    for seed in 0..8 {
        let (good, w) = (played("plain", seed, 400, &[0]), played("milliseconds", seed, 400, &[0]));
        let (truth, r) = (good.results()[0].values.unwrap(), w.results()[0].clone());
        match r.values {
            Some(v) => {
                assert!((v.mean_rr_ms / truth.mean_rr_ms - 1.0).abs() < 0.005, "seed {seed}: {v:?}, true {truth:?}");
                assert!((v.rmssd_ms / truth.rmssd_ms - 1.0).abs() < 0.05, "seed {seed}: {v:?}, true {truth:?}");
                right += 1;
            }
            None => {
                assert_eq!(r.why, Some(WhyNone::Units), "seed {seed}");
                refused += 1;
            }
        }
        let units: Vec<_> = w.beats().into_iter().filter(|b| b.gap == Some(GapReason::Units)).collect();
        assert_eq!(units.len(), 1, "seed {seed}: one change of units, and it is marked");
        assert_eq!(w.straps().last().unwrap().1.gaps, 0, "seed {seed}: and no hole");
    }
    assert!(right >= 3, "{right} right, {refused} refused");
}

/// Live values after the change never come from a window that holds both.
#[test]
fn the_live_window_begins_anew_with_the_units() {
    let w = played("milliseconds", 1, 400, &[]);
    let changed = w.said.iter().find(|(_, o)| matches!(o, Output::Beats(b) if b.gap == Some(GapReason::Units)));
    let changed = changed.unwrap().0;
    let after: Vec<_> =
        w.lives().into_iter().filter(|(t, _)| *t >= changed && t.since(changed).as_secs() < 15).collect();
    assert!(
        !after.is_empty() && after.iter().all(|(_, l)| minute(l).is_none_or(|w| w.n < 30 && w.time.rmssd_ms.is_err())),
        "{after:?}"
    );
    assert!(minute(w.lives().last().unwrap().1).unwrap().time.rmssd_ms.is_ok());
}

#[test]
fn what_is_known_of_a_strap_holds_from_its_first_beat() {
    let mut w = World::new();
    let source = Source { units: Units::Milliseconds, smoothing: SmoothingVerdict::None };
    w.input(START, Input::Known { strap: STRAP, source });
    assert_eq!(w.status().verdict.units, Units::Milliseconds);
    w.play(profile("milliseconds"), heart(3), 400, &[0]);
    let truth = played("plain", 3, 400, &[0]).results()[0].values.unwrap();
    let v = w.results()[0].values.unwrap();
    assert!((v.mean_rr_ms / truth.mean_rr_ms - 1.0).abs() < 0.003, "{v:?} {truth:?}");
    let gaps: Vec<_> = w.beats().into_iter().filter_map(|b| b.gap).collect();
    assert_eq!(gaps, [GapReason::LinkUp]);
    // and a strap that has been repaired is believed again, by the clock
    let mut w = World::new();
    w.input(START, Input::Known { strap: STRAP, source });
    w.play(profile("plain"), heart(3), 600, &[]);
    assert_eq!(w.status().verdict.units, Units::Ticks1024);
    assert_eq!(ids(&w.status()), []);
}

/// A recording holds raw packets: it proves the same source, and a replay that knows it says the same numbers.
#[test]
fn a_replay_obeys_the_same_law() {
    let w = played("milliseconds", 5, 700, &[420]);
    let source = source_of(&w.records(), STRAP);
    assert_eq!(source.units, Units::Milliseconds);
    let mut again = World::new();
    again.input(START, Input::Known { strap: STRAP, source });
    for record in w.records() {
        let said = &mut again.said;
        again.player.record(record, &mut |at, o| said.push((at, o)));
    }
    assert_eq!(again.records(), w.records());
    let (a, b) = (w.results()[0], again.results()[0]);
    let (v, u) = (a.values.unwrap(), b.values.unwrap());
    assert!(
        (v.rmssd_ms - u.rmssd_ms).abs() < 0.05 * v.rmssd_ms
            && a.start.diff_micros(b.start).abs() < 1000
            && a.grade == b.grade,
        "{a:?} {b:?}"
    );
}

#[test]
fn a_signal_that_carries_no_hrv_gives_no_number_and_says_why() {
    for (id, why) in [
        ("optical_smoothed", WhyNone::Smoothed),
        ("optical_from_hr", WhyNone::Calculated),
        ("rr_twice", WhyNone::Repeated),
        ("fixed_rate", WhyNone::Repeated),
    ] {
        for seed in 0..3 {
            let w = played(id, seed, 900, &[600]);
            let r = w.results()[0];
            assert_eq!(
                (r.values, r.why, r.notes.contains(&Note::UnitsUnproven)),
                (None, Some(why), false),
                "{id} {seed}"
            );
        }
    }
    let r = played("flat_line", 1, 1000, &[680]).results()[0].clone();
    assert_eq!((r.values, r.why), (None, Some(WhyNone::Frozen)));
    // and nothing of it touches a good strap
    for id in ["plain", "contact_late", "two_seconds", "bursts", "misses_and_doubles", "doubled"] {
        let w = played(id, 2, 900, &[0, 500]);
        for r in w.results() {
            assert!(r.values.is_some() && !r.notes.contains(&Note::UnitsUnproven), "{id}: {r:?}");
        }
    }
}

/// Without the intervals that the strap invents the numbers are those of the heart.
#[test]
fn bogus_short_intervals_are_left_out() {
    for seed in 0..3 {
        let (good, w) = (played("plain", seed, 500, &[100]), played("garmin_extra_rr", seed, 500, &[100]));
        let (truth, r) = (good.results()[0].values.unwrap(), w.results()[0].clone());
        let v = r.values.unwrap();
        assert!((v.rmssd_ms / truth.rmssd_ms - 1.0).abs() < 0.02, "seed {seed}: {v:?}, true {truth:?}");
        assert!(r.artifact_pct < 1.0 && (r.coverage - 1.0).abs() < 0.008, "{r:?}");
    }
}

#[test]
fn a_strap_that_was_taken_off_shows_no_heart_rate() {
    for (id, limit) in [("off_honest", 8), ("off_hr_goes_on", 31), ("off_link_drops", 31)] {
        let w = played(id, 1, 900, &[]);
        let late: Vec<_> = w.lives().into_iter().filter(|(t, _)| *t > at(600 + limit)).collect();
        assert!(late.iter().all(|(_, l)| l.hr_bpm.is_none()), "{id}: {late:?}");
        let ends = w.lives().iter().filter(|(_, l)| l.hr_bpm.is_none()).count();
        assert_eq!(ends, 1, "{id}: the end is said once");
        assert_eq!(w.status().verdict.worn, Worn::NotWorn, "{id}");
    }
    // the strap of a band that never had intervals, and one that denies contact at first or always
    for id in ["hr_only", "contact_late", "contact_always_lost", "watch_broadcast"] {
        let w = played(id, 1, 120, &[]);
        let seen = w.lives().iter().filter(|(_, l)| l.hr_bpm.is_some()).count();
        assert!(seen >= 20, "{id}: {seen}");
    }
}

/// A strap that was taken off and goes on with its last value does not become live again because its link came anew.
#[test]
fn a_link_that_comes_back_makes_no_old_heart_rate_live() {
    let mut w = played("plain", 1, 180, &[]);
    let strap = w.status().strap;
    let said = &mut w.said;
    let mut say = |t: u64, input| w.player.input(at(t), input, &mut |at, o| said.push((at, o)));
    let dull = |say: &mut dyn FnMut(u64, Input), from: u64, to: u64| {
        (from..to).for_each(|t| say(t, Input::Packet { strap, bytes: vec![0x00, 61].into() }));
    };
    dull(&mut say, 181, 191);
    say(191, Input::Link { strap, state: LinkState::NotSeen });
    say(194, Input::Link { strap, state: LinkState::Connected });
    dull(&mut say, 194, 1000);
    let late: Vec<_> = w.lives().into_iter().filter(|(t, l)| *t > at(211) && l.hr_bpm.is_some()).collect();
    assert!(late.is_empty(), "{late:?}");
}

#[test]
fn worn_is_said_when_time_alone_changes_it() {
    let mut w = played("plain", 1, 100, &[]);
    assert_eq!(w.straps().last().unwrap().1.verdict.worn, Worn::Worn);
    let said = &mut w.said;
    w.player.advance(at(130), &mut |at, o| said.push((at, o)));
    assert_eq!(w.straps().last().unwrap().1.verdict.worn, Worn::Unsure);
}

/// Jitter, bursts, stalls, repeats and foreign units are no holes: where the radio loses nothing no gap is marked.
#[test]
fn no_gap_is_marked_where_nothing_is_lost() {
    let lossless = Profile::all().iter().filter(|p| {
        let t = p.traits;
        t.lost_per_1000 == 0
            && t.dropout.is_none()
            && t.tail == Tail::None
            && t.rr != RrSource::FixedRate
            && t.twice_every == 0
            && !t.deaf.is_some_and(|d| d.then == After::Garbage)
    });
    for profile in lossless {
        let w = played(profile.id, 7, 900, &[]);
        assert_eq!(w.status().gaps, 0, "{}", profile.id);
    }
}

/// What is proven about a strap is the strap's, whoever wears it.
#[test]
fn a_strap_that_changes_hands_keeps_its_proof() {
    let mut w = World::new();
    w.play(profile("milliseconds"), heart(3), 400, &[]);
    assert_eq!(w.status().verdict.units, Units::Milliseconds);
    let athlete = |id: &str| Athlete {
        id: id.parse().unwrap(),
        name: id.into(),
        time_zone: TimeZone::UTC,
        posture: Posture::Supine,
        wake_window: None,
    };
    let strap = Strap { id: STRAP, athlete: "kim".parse().unwrap(), name: None };
    let roster = Roster { athletes: vec![athlete("alex"), athlete("kim")], straps: vec![strap] };
    let before = w.status();
    w.input(at(401), Input::Roster(roster));
    let after = w.status();
    assert_eq!(after.verdict.units, Units::Milliseconds);
    assert_eq!(
        (after.athlete.as_str(), after.link, after.link_since),
        ("kim", LinkState::Connected, before.link_since)
    );
    assert_eq!((&after.facts, after.packets), (&before.facts, before.packets));
    assert_eq!(after.facts.battery_pct, Some(87));
    assert_eq!(after.contact, None, "nobody knows yet whether the new one wears it");
    assert_eq!(w.straps().last().unwrap().1.athlete.as_str(), "kim", "told at once");
    for s in [402, 403] {
        w.input(at(s), Input::Packet { strap: STRAP, bytes: [0x10, 60, 0xe8, 0x03].into_iter().collect() });
    }
    assert_eq!(w.beats().last().unwrap().beats[0].rr.0, 1024, "1000 ms");
    assert_eq!(w.beats().last().unwrap().athlete.as_str(), "kim");
}

/// A strap that kept its notifications while the link was down delivers them at once when it is up again: these seconds
/// say nothing about its clock, and a check is none the worse.
#[test]
fn a_backlog_at_link_up_is_no_strap_ahead_of_its_clock() {
    for backlog in [10, 20] {
        let mut w = World::new();
        w.input(at(1), Input::Link { strap: STRAP, state: LinkState::Connected });
        w.check(at(2));
        let mut heart = Rhythm::new(RhythmConfig { rest_bpm: 60.0, seed: 4, ..RhythmConfig::default() });
        let mut next = heart.next().unwrap();
        let mut end_us = 0;
        for second in 1..400u64 {
            let mut bytes = vec![0x10, 60];
            while end_us + next.rr.as_micros() <= second * 1_000_000 {
                end_us += next.rr.as_micros();
                bytes.extend(next.rr.0.to_le_bytes());
                next = heart.next().unwrap();
            }
            let real = Duration::from_secs(second.max(backlog)) + Duration::from_millis(10 * second.min(backlog));
            w.input(at(2) + real, Input::Packet { strap: STRAP, bytes: bytes.into_iter().collect() });
        }
        let said = &mut w.said;
        w.player.advance(at(420), &mut |at, o| said.push((at, o)));
        assert_eq!(ids(&w.status()), [], "{backlog} s");
        let r = w.results();
        assert!(r[0].is_valid(), "{:?}", r[0]);
    }
}

/// Beats stop for 25 s, or the heart rate goes on without them: what is live afterwards holds no more than what was heard
/// in its window of time.
#[test]
fn live_windows_hold_only_their_time_after_a_gap() {
    for heart_rate_goes_on in [false, true] {
        let mut w = World::new();
        let mut heard: Vec<Mono> = vec![];
        for second in 1..400u64 {
            let now = at(second);
            let silent = (350..375).contains(&second);
            if silent && !heart_rate_goes_on {
                continue;
            }
            // a beat a second and 20 ms of difference between neighbours
            let rr = if second % 2 == 0 { 1014u16 } else { 1034 };
            let mut bytes = vec![0x10, 60];
            if !silent {
                bytes.extend(rr.to_le_bytes());
                heard.push(now);
            }
            w.input(now, Input::Packet { strap: STRAP, bytes: bytes.into_iter().collect() });
        }
        let said = &mut w.said;
        w.player.advance(at(400), &mut |at, o| said.push((at, o)));
        let mut seen = 0;
        for (t, live) in w.lives().into_iter().filter(|(t, _)| *t >= at(375)) {
            let Some(beats) = &live.beats else { continue };
            seen += 1;
            for window in [&beats.last_30, &beats.last_60, &beats.last_300] {
                // what is judged is at most eight seconds behind
                let from = t.offset_micros(-(window.span.as_micros() as i64) - 8_000_000);
                let true_n = heard.iter().filter(|h| **h > from && **h <= t).count();
                assert!(window.n <= true_n, "{:?} s after: {} of {true_n}", t.since(at(375)), window.n);
            }
            assert!(beats.dfa.alpha1.is_err() && beats.breathing.per_min.is_err());
        }
        assert!(seen >= 3, "{seen}");
    }
}

/// Two beats lost 25 s apart, each of which alone may have slipped past a notification: with proven units the clock
/// hardly creeps in between, so that both together are seen.
#[test]
fn the_timeline_knows_that_units_are_proven() {
    for phase_ms in (0..1000).step_by(50) {
        let mut w = World::new();
        w.input(at(0), Input::Known { strap: STRAP, source: Source { units: Units::Ticks1024, ..Source::default() } });
        let (mut beat, mut end_ms) = (0u64, 1000);
        for second in 1..150 {
            let due = second * 1000 + phase_ms;
            let mut bytes = vec![0x10, 60];
            while end_ms <= due {
                beat += 1;
                end_ms += 1000;
                if beat != 100 && beat != 125 {
                    bytes.extend(1024u16.to_le_bytes());
                }
            }
            let now = START + Duration::from_millis(due);
            w.input(now, Input::Packet { strap: STRAP, bytes: bytes.into_iter().collect() });
        }
        assert_eq!(w.status().gaps, 1, "phase {phase_ms} ms");
    }
}

#[test]
fn a_battery_level_of_last_week_is_not_told_as_one_of_now() {
    let mut w = World::new();
    let facts = |pct| StrapFacts { battery_pct: Some(pct), ..StrapFacts::default() };
    let link = |state| Input::Link { strap: STRAP, state };
    w.input(at(0), link(LinkState::Connected));
    w.input(at(1), Input::Facts { strap: STRAP, facts: facts(80) });
    w.input(at(60), link(LinkState::NotSeen));
    w.input(at(90), link(LinkState::Connected));
    assert_eq!(w.status().facts.battery_pct, Some(80), "a short absence");
    w.input(at(120), link(LinkState::NotSeen));
    assert_eq!(w.status().facts.battery_pct, Some(80), "the last one known, of a strap that is away");
    w.input(at(7 * 86_400), link(LinkState::Connected));
    assert_eq!(w.straps().last().unwrap().1.facts.battery_pct, None);
    w.input(at(7 * 86_400 + 2), Input::Facts { strap: STRAP, facts: facts(71) });
    assert_eq!(w.straps().last().unwrap().1.facts.battery_pct, Some(71));
}
