//! Every strap profile gets its diagnosis, and hearts without fault get none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::hrs::{Defect, decode};
use hrvd::sim::{Course, Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent};
use hrvd::timeline::{GapReason, Timeline};
use hrvd::units::{Mono, RrTicks};
use hrvd::verdict::{FindingId, Judge, SmoothingVerdict, Units, Verdict, Worn};
use std::time::Duration;

const START: Mono = Mono::from_secs(5000);

/// What the engine does with a strap, as far as the judge is concerned.
#[derive(Default)]
struct Listener {
    timeline: Option<Timeline>,
    judge: Judge,
}

impl Listener {
    fn hear(&mut self, event: &SimEvent) {
        let now = START + event.at();
        let timeline = self.timeline.get_or_insert_with(Timeline::new);
        match event {
            SimEvent::LinkUp { .. } => self.judge.link(now, true),
            SimEvent::LinkDown { .. } => {
                let owed = timeline.break_off(GapReason::LinkUp);
                self.judge.placed(&owed);
                self.judge.link(now, false);
            }
            SimEvent::Notification { bytes, .. } => {
                while let Some(due) = timeline.poll_timeout().filter(|d| *d <= now) {
                    let placed = timeline.expire(due);
                    self.judge.placed(&placed);
                }
                let (m, defect) = decode(bytes);
                let placed = timeline.push(now, &m.rr);
                self.judge.packet(now, &m, defect, &placed);
                if matches!(defect, Some(Defect::OddTail | Defect::Truncated | Defect::ImpossibleRr)) {
                    let owed = timeline.break_off(GapReason::Defect);
                    self.judge.placed(&owed);
                }
            }
            SimEvent::Lost { .. } | SimEvent::Facts { .. } => {}
        }
    }
}

fn listen(profile: &'static Profile, config: RhythmConfig, seconds: u64) -> Verdict {
    let mut l = Listener::default();
    let strap = ProfileStrap::new(profile, Rhythm::new(config), config.seed);
    for event in strap.take_while(|e| e.at() < Duration::from_secs(seconds)) {
        l.hear(&event);
    }
    l.judge.verdict(START + Duration::from_secs(seconds))
}

fn ids(v: &Verdict) -> Vec<FindingId> {
    v.findings.iter().map(|f| f.id).collect()
}

fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("HRVD_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5)
}

#[test]
fn every_profile_gets_exactly_its_diagnosis() {
    let mut wrong = vec![];
    for profile in Profile::all() {
        let d = profile.diagnosis;
        let mut expected = d.findings.to_vec();
        expected.sort();
        for seed in seeds() {
            let v = listen(profile, RhythmConfig { seed, ..RhythmConfig::default() }, 900);
            let got = (ids(&v), v.units, v.smoothing, v.worn);
            if got != (expected.clone(), d.units, d.smoothing, d.worn) {
                wrong.push(format!("{} seed {seed}: {got:?} {:?}, expected {d:?}", profile.id, v.coverage));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A profile about which nothing is to be said, worn to the end.
fn faultless(p: &&Profile) -> bool {
    p.diagnosis.findings.is_empty() && p.diagnosis.worn == Worn::Worn
}

/// Hearts that look odd and are not.
fn hearts(seed: u64) -> [(&'static str, RhythmConfig); 8] {
    let base = RhythmConfig { seed, ..RhythmConfig::default() };
    let slow = RhythmConfig { breaths_per_min: 6.0, rsa_ms: 60.0, noise_ms: 7.0, ..base };
    let settling = Course::Settling { bpm: 30.0, tau_s: 40.0 };
    [
        ("rest", base),
        ("athlete at 40", RhythmConfig::athlete(seed)),
        ("slow deep breathing", slow),
        (
            "slow deep breathing, athlete",
            RhythmConfig { breaths_per_min: 6.0, rsa_ms: 110.0, ..RhythmConfig::athlete(seed) },
        ),
        ("rigid", RhythmConfig::rigid(seed)),
        ("exercise", RhythmConfig { course: Course::RAMP, ..base }),
        ("settling", RhythmConfig { course: settling, rest_bpm: 52.0, ..base }),
        ("ectopic", RhythmConfig { ectopics_per_1000: 15, ..base }),
    ]
}

#[test]
fn a_healthy_signal_gets_no_diagnosis() {
    let mut wrong = vec![];
    for seed in seeds() {
        for (name, config) in hearts(seed + 100) {
            // what it does to a fast heart is its fault
            for profile in Profile::all().iter().filter(faultless).filter(|p| p.traits.moving.0 == 0) {
                let v = listen(profile, config, 900);
                // a link of three minutes may be too short to prove them
                let short = profile.traits.stores_while_away.is_some();
                let units = v.units == Units::Ticks1024 || short && v.units == Units::Unknown;
                if !ids(&v).is_empty() || !units || v.worn != Worn::Worn {
                    wrong.push(format!("{name} on {} seed {seed}: {v:?}", profile.id));
                }
                let covered = v.coverage.unwrap().share;
                let least = if short { 0.95 } else { 0.98 };
                assert!((least..1.02).contains(&covered), "{name} on {}: {covered}", profile.id);
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn before_there_is_evidence_nothing_is_claimed() {
    for profile in Profile::all() {
        let v = listen(profile, RhythmConfig::default(), 45);
        assert_eq!((v.units, v.coverage), (Units::Unknown, None), "{}", profile.id);
        assert_ne!(v.smoothing, SmoothingVerdict::Smoothed, "{}", profile.id);
        let early = [
            FindingId::NoRr,
            FindingId::DoubledDelivery,
            FindingId::ExtraShortRr,
            FindingId::DryStart,
            FindingId::Malformed,
            FindingId::ContactFalselyLost,
        ];
        assert!(
            ids(&v)
                .iter()
                .all(|f| early.contains(f) && profile.diagnosis.findings.contains(f) || *f == FindingId::DryStart),
            "{}: {v:?}",
            profile.id
        );
    }
}

#[test]
fn milliseconds_are_recognised_on_every_heart_and_never_where_there_are_none() {
    let ms = Profile::by_id("milliseconds").unwrap();
    for seed in seeds() {
        for (name, config) in hearts(seed) {
            let v = listen(ms, config, 600);
            assert_eq!(v.units, Units::Milliseconds, "{name} seed {seed}");
            for id in ["lossy", "stalls", "rr_twice", "fixed_rate", "empty_then_high", "drops_30s", "bad_electrodes"] {
                for seconds in [150, 300, 900] {
                    let v = listen(Profile::by_id(id).unwrap(), config, seconds);
                    assert_ne!(v.units, Units::Milliseconds, "{name} on {id} seed {seed} after {seconds} s");
                }
            }
        }
    }
}

#[test]
fn worn_follows_the_strap_in_time() {
    let at = |id: &str, seconds: u64| listen(Profile::by_id(id).unwrap(), RhythmConfig::default(), seconds).worn;
    for id in ["plain", "contact", "contact_late", "contact_always_lost"] {
        assert_eq!(at(id, 90), Worn::Worn, "{id}");
    }
    assert_eq!(at("plain", 4), Worn::Unsure);
    assert_eq!(at("off_honest", 599), Worn::Worn);
    assert_eq!(at("off_honest", 625), Worn::NotWorn);
    assert_eq!(at("off_hr_goes_on", 620), Worn::Unsure);
    assert_eq!(at("off_hr_goes_on", 640), Worn::NotWorn);
    // the link went with it: still not worn, an hour later too
    assert_eq!(at("off_link_drops", 4000), Worn::NotWorn);
    // a strap that fell silent while worn: nobody knows
    let mut l = Listener::default();
    let heart = Rhythm::new(RhythmConfig::default());
    for e in ProfileStrap::new(Profile::by_id("plain").unwrap(), heart, 1).take_while(|e| e.at().as_secs() < 100) {
        l.hear(&e);
    }
    assert_eq!(l.judge.worn(START + Duration::from_secs(101)), Worn::Worn);
    assert_eq!(l.judge.worn(START + Duration::from_secs(130)), Worn::Unsure);
}

/// A real heart on every faultless strap: rest, recorded.
#[test]
fn a_recorded_rest_gets_no_diagnosis() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pyhrv_short.txt")).unwrap();
    let rr: Vec<RrTicks> =
        hrvd::analyze::parse_rr_text(&text).unwrap().rr_ms.into_iter().filter_map(RrTicks::from_ms).collect();
    for profile in Profile::all().iter().filter(faultless) {
        let mut l = Listener::default();
        let mut end = START;
        for event in ProfileStrap::new(profile, rr.iter().copied(), 1) {
            end = START + event.at();
            l.hear(&event);
        }
        let v = l.judge.verdict(end);
        assert_eq!((ids(&v), v.units, v.worn), (vec![], Units::Ticks1024, Worn::Worn), "{}", profile.id);
    }
}

/// docs/straps.md holds a row for each finding and each profile, in order.
#[test]
fn the_page_about_straps_is_complete() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/straps.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|l| l.starts_with("| `")).collect();
    let words = |list: Vec<String>| list.join(" ");
    let findings = FindingId::ALL.iter().map(|f| format!("| `{}` | {} |", f.as_str(), f.sentence()));
    let profiles = Profile::all().iter().map(|p| {
        let quirks = words(p.quirks.iter().map(|q| format!("Q{q}")).collect());
        let findings = words(p.diagnosis.findings.iter().map(|f| format!("`{}`", f.as_str())).collect());
        format!("| `{}` | {quirks} | {} | {findings} |", p.id, p.sentence)
    });
    for row in findings.chain(profiles) {
        assert!(rows.contains(&row.as_str()), "docs/straps.md lacks:\n{row}");
    }
    assert_eq!(rows.len(), FindingId::ALL.len() + Profile::all().len() + 5, "rows of things that are gone");
}

/// Plays packets of a strap without contact bit: heart rate 60, with an interval or without.
fn packet(judge: &mut Judge, timeline: &mut Timeline, second: u64, interval: bool) {
    let now = START + Duration::from_secs(second);
    // neighbours differ, so that it does not look frozen
    let (rr, hr) = (1000 + (second * second % 49) as u16, 59 + (second / 7 % 3) as u8);
    let mut bytes = vec![0x10, hr];
    if interval {
        bytes.extend(rr.to_le_bytes());
    }
    let (m, defect) = decode(&bytes);
    let placed = timeline.push(now, &m.rr);
    judge.packet(now, &m, defect, &placed);
}

/// A strap was away, and its first packets hold no interval yet: that is no strap that was taken off.
#[test]
fn a_link_that_comes_back_is_judged_by_its_own_intervals() {
    let at = |second| START + Duration::from_secs(second);
    let (mut judge, mut timeline) = (Judge::new(), Timeline::new());
    judge.link(at(0), true);
    (1..300).for_each(|s| packet(&mut judge, &mut timeline, s, true));
    assert_eq!(judge.worn(at(299)), Worn::Worn);
    judge.placed(&timeline.break_off(GapReason::LinkUp));
    judge.link(at(300), false);
    judge.link(at(360), true);
    for s in 361..364 {
        packet(&mut judge, &mut timeline, s, false);
        assert_ne!(judge.worn(at(s)), Worn::NotWorn);
    }
    packet(&mut judge, &mut timeline, 364, true);
    assert_eq!(judge.worn(at(364)), Worn::Worn, "with the first interval");
    assert_eq!(ids(&judge.verdict(at(364))), []);
}

/// One that was taken off stays off over a link that brings heart rate alone, until it is heard.
#[test]
fn a_strap_that_was_taken_off_stays_off_until_it_is_heard() {
    let at = |second| START + Duration::from_secs(second);
    let (mut judge, mut timeline) = (Judge::new(), Timeline::new());
    judge.link(at(0), true);
    (1..300).for_each(|s| packet(&mut judge, &mut timeline, s, true));
    (300..340).for_each(|s| packet(&mut judge, &mut timeline, s, false));
    assert_eq!(judge.worn(at(340)), Worn::NotWorn);
    judge.link(at(340), false);
    judge.link(at(360), true);
    (361..380).for_each(|s| packet(&mut judge, &mut timeline, s, false));
    assert_eq!(judge.worn(at(380)), Worn::NotWorn);
    packet(&mut judge, &mut timeline, 381, true);
    assert_eq!(judge.worn(at(381)), Worn::Worn, "with the first interval");
}
