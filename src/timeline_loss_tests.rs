//! Beats that never arrive, against a clock that jitters: what is seen, and where, and that nothing is seen where
//! nothing is lost. `cargo test --lib timeline::loss -- --nocapture` prints the shares that docs/straps.md names.

use super::*;
use crate::sim::random::Random;
use crate::sim::{Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent};
use std::collections::BTreeSet;

/// How a strap notifies.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// µs between notifications; 0: with each beat.
    period_us: u64,
    jitter_us: u32,
    /// Its clock is so many millionths slow.
    ppm: i64,
    proven: bool,
}

const EACH_SECOND: Way = Way { period_us: 1_000_000, jitter_us: 40_000, ppm: 0, proven: true };

/// What became of a series in which some beats never arrive.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    lost: usize,
    /// Marked at the very place.
    there: usize,
    /// Marked there or in the 30 s after.
    soon: usize,
    /// Marked where nothing was lost.
    falsely: usize,
}

impl Seen {
    fn share(self) -> f64 {
        self.there as f64 / self.lost.max(1) as f64
    }

    fn add(&mut self, more: Self) {
        self.lost += more.lost;
        self.there += more.there;
        self.soon += more.soon;
        self.falsely += more.falsely;
    }
}

/// A notification: when it is sent, and the beats in it.
type Packet = (u64, Vec<usize>);

fn notify(rr: &[RrTicks], way: Way, phase_us: u64) -> Vec<Packet> {
    let (mut end_us, mut due) = (0, phase_us);
    let mut list: Vec<Packet> = vec![(due, vec![])];
    for (i, beat) in rr.iter().enumerate() {
        end_us += beat.as_micros();
        if way.period_us == 0 {
            list.push((end_us, vec![i]));
            continue;
        }
        while end_us > due {
            due += way.period_us;
            list.push((due, vec![]));
        }
        list.last_mut().unwrap().1.push(i);
    }
    list
}

/// Plays notifications without those that are `lost`.
fn play(rr: &[RrTicks], packets: &[Packet], way: Way, lost: &BTreeSet<usize>, seed: u64) -> Seen {
    let mut timeline = Timeline::new();
    timeline.know_units(way.proven);
    let mut random = Random::new(seed);
    let (mut placed, mut gaps, mut sent) = (0usize, vec![], Vec::<usize>::new());
    let mut take = |p: Placed| {
        assert!(!p.duplicate, "no packet came twice");
        if p.gap == Some(GapReason::LostBeats) {
            gaps.push(placed);
        }
        placed += p.beats.len();
    };
    for (k, (at_us, beats)) in packets.iter().enumerate() {
        let jitter = i64::from(random.below(way.jitter_us));
        if lost.contains(&k) {
            continue;
        }
        let at = Mono::from_secs(1000).offset_micros(*at_us as i64 * (1_000_000 + way.ppm) / 1_000_000 + jitter);
        if let Some(due) = timeline.poll_timeout().filter(|t| *t <= at) {
            take(timeline.expire(due));
        }
        sent.extend(beats);
        take(timeline.push(at, &beats.iter().map(|i| rr[*i]).collect::<Vec<_>>()));
    }
    // runs of lost beats, by the delivered beat that follows
    let holes: Vec<usize> = (1..sent.len()).filter(|i| sent[*i] > sent[i - 1] + 1).collect();
    let soon = |hole: usize, gap: usize| {
        let passed: u64 = (hole..gap).map(|i| rr[sent[i]].as_micros()).sum();
        gap >= hole && passed < 30_000_000
    };
    Seen {
        lost: holes.len(),
        there: holes.iter().filter(|h| gaps.contains(h)).count(),
        soon: holes.iter().filter(|h| gaps.iter().any(|g| soon(**h, *g))).count(),
        falsely: gaps.iter().filter(|g| !holes.iter().any(|h| soon(*h, **g))).count(),
    }
}

fn heart(rr_s: f64, seed: u64, seconds: f64) -> Vec<RrTicks> {
    let rest_bpm = 60.0 / rr_s;
    // as variability shrinks with the rate
    let scale = (rr_s / 1.03).powi(3).min(1.0);
    let config =
        RhythmConfig { rest_bpm, rsa_ms: 35.0 * scale, slow_ms: 30.0 * scale, seed, ..RhythmConfig::default() };
    Rhythm::new(config).take((seconds / rr_s) as usize).map(|b| b.rr).collect()
}

/// Notifications that never arrive, `k` beats each time, about 40 s apart.
fn losses(packets: &[Packet], k: usize, seed: u64) -> BTreeSet<usize> {
    let mut random = Random::stream(seed, 77);
    let (mut lost, mut next_us) = (BTreeSet::new(), 35_000_000);
    for from in 0..packets.len().saturating_sub(60) {
        if packets[from].0 < next_us || packets[from].1.is_empty() {
            continue;
        }
        let mut to = from;
        let mut beats = 0;
        while beats < k && to < packets.len() {
            beats += packets[to].1.len();
            to += 1;
        }
        if beats == k {
            lost.extend(from..to);
            next_us = packets[from].0 + 33_000_000 + u64::from(random.below(14_000_000));
        }
    }
    lost
}

fn measure(rr_s: f64, k: usize, way: Way, seeds: std::ops::Range<u64>) -> Seen {
    let mut all = Seen::default();
    for seed in seeds {
        let rr = heart(rr_s, seed, 1800.0);
        let packets = notify(&rr, way, seed * 137_911 % 1_000_000);
        all.add(play(&rr, &packets, way, &losses(&packets, k, seed), seed));
    }
    all
}

/// A heart without any variability, and one run of beats that is taken out of its packets: gaps in the 30 s after.
fn one_loss(ticks: u16, k: usize, phase_us: u64, way: Way) -> usize {
    let rr = vec![RrTicks(ticks); 200];
    let mut packets = notify(&rr, way, phase_us);
    for packet in &mut packets {
        packet.1.retain(|i| !(100..100 + k).contains(i));
    }
    let seen = play(&rr, &packets, way, &BTreeSet::new(), 1);
    // the packet that is cut in two by the loss is marked where it begins
    seen.soon.max(seen.falsely)
}

#[test]
fn two_beats_lost_are_seen_at_every_phase_of_the_second() {
    let phases = || (0..1000u64).step_by(10).map(|ms| ms * 1000);
    for ticks in [716, 768, 819, 870, 922, 973, 1075, 1200, 1400] {
        for proven in [true, false] {
            let way = Way { proven, ..EACH_SECOND };
            let seen = phases().filter(|p| one_loss(ticks, 2, *p, way) == 1).count();
            assert_eq!(seen, 100, "{ticks} ticks, proven: {proven}");
        }
    }
}

#[test]
fn single_losses_add_up() {
    // one alone mostly passes for a beat that slipped past its notification; three in ten seconds do not
    for ticks in [768, 870, 973, 1100] {
        for phase_us in (0..1_000_000).step_by(50_000) {
            for proven in [true, false] {
                let way = Way { proven, ..EACH_SECOND };
                let rr = vec![RrTicks(ticks); 200];
                let every = (5 * 1024 / usize::from(ticks)).max(1);
                let mut packets = notify(&rr, way, phase_us);
                for packet in &mut packets {
                    packet.1.retain(|i| ![100, 100 + every, 100 + 2 * every].contains(i));
                }
                let seen = play(&rr, &packets, way, &BTreeSet::new(), 1);
                assert!(seen.soon + seen.falsely > 0, "{ticks} ticks, phase {phase_us} µs, proven: {proven}");
            }
        }
    }
}

/// The shares that docs/straps.md names. One at a place where beats are not lost is one too many.
#[test]
fn lost_beats_are_marked_where_they_were_lost() {
    let ways = [
        ("each second", EACH_SECOND),
        ("each second, late by up to 0.25 s", Way { jitter_us: 250_000, ..EACH_SECOND }),
        ("each second, units unproven", Way { proven: false, ..EACH_SECOND }),
        ("each beat", Way { period_us: 0, ..EACH_SECOND }),
        ("each two seconds", Way { period_us: 2_000_000, ..EACH_SECOND }),
        ("each two seconds, units unproven", Way { period_us: 2_000_000, proven: false, ..EACH_SECOND }),
    ];
    for (name, way) in ways {
        for k in 1..=4 {
            let mut all = Seen::default();
            for rr_s in [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4] {
                let seen = measure(rr_s, k, way, 0..3);
                println!("{name}: {k} lost at {rr_s} s: {} of {} there, {} soon", seen.there, seen.lost, seen.soon);
                assert_eq!(seen.falsely, 0, "{name}, {rr_s} s");
                if rr_s >= 0.6 {
                    all.add(seen);
                }
            }
            println!("{name}: {k} lost: {} of {} there, {} soon", all.there, all.lost, all.soon);
            if k >= 2 {
                let least = if way.proven { 0.99 } else { 0.97 };
                assert!(all.lost > 500 && all.share() >= least, "{name}: {k} beats: {all:?}");
            }
        }
    }
}

#[test]
fn hearts_that_lose_nothing_get_no_gap() {
    for seed in 0..6 {
        for rr_s in [0.36, 0.45, 0.6, 0.85, 1.0, 1.25, 1.55] {
            let rr = heart(rr_s, seed, 1800.0);
            for (period_us, jitter_us) in [(0, 40_000), (1_000_000, 40_000), (1_000_000, 300_000), (2_000_000, 100_000)]
            {
                for (ppm, proven) in [(200, true), (-200, true), (200, false), (-200, false)] {
                    let way = Way { period_us, jitter_us, ppm, proven };
                    let seen = play(&rr, &notify(&rr, way, seed * 100_003), way, &BTreeSet::new(), seed);
                    assert_eq!(seen.falsely, 0, "{rr_s} s, {way:?}, seed {seed}");
                }
            }
        }
    }
}

#[test]
fn a_strap_that_sends_milliseconds_loses_no_beats_until_that_is_proven_and_after() {
    for seed in 0..6 {
        for rr_s in [0.36, 0.6, 0.85, 1.0, 1.25, 1.55] {
            let ticks = heart(rr_s, seed, 1800.0);
            let raw: Vec<RrTicks> = ticks.iter().map(|r| RrTicks(r.as_ms().round() as u16)).collect();
            let read: Vec<RrTicks> = raw.iter().map(|r| crate::verdict::Units::Milliseconds.read(*r)).collect();
            for ppm in [0, 200, -200] {
                let way = Way { ppm, proven: false, ..EACH_SECOND };
                let packets = notify(&ticks, way, seed * 100_003);
                assert_eq!(play(&raw, &packets, way, &BTreeSet::new(), seed).falsely, 0, "{rr_s} s, {ppm} ppm");
                let way = Way { proven: true, ..way };
                assert_eq!(play(&read, &packets, way, &BTreeSet::new(), seed).falsely, 0, "{rr_s} s, {ppm} ppm");
            }
        }
    }
}

/// Strap profiles on which nothing is lost, through link, stall and burst.
#[test]
fn straps_that_lose_nothing_get_no_gap() {
    let ids = [
        "plain",
        "contact",
        "contact_late",
        "energy",
        "wide_hr",
        "per_beat",
        "two_seconds",
        "bursts",
        "rounds_up",
        "truncates",
        "misses_and_doubles",
        "milliseconds",
        "milliseconds_floor",
        "stalls",
        "doubled",
        "odd_tail",
    ];
    let mut wrong = vec![];
    for id in ids {
        let profile = Profile::by_id(id).unwrap();
        for seed in 0..8 {
            let hearts = [
                RhythmConfig { seed, ..RhythmConfig::default() },
                RhythmConfig { ectopics_per_1000: 20, rest_bpm: 72.0, seed, ..RhythmConfig::default() },
                RhythmConfig::athlete(seed),
                RhythmConfig::rigid(seed),
                RhythmConfig { course: crate::sim::Course::RAMP, seed, ..RhythmConfig::default() },
            ];
            for (which, heart) in hearts.into_iter().enumerate() {
                for proven in [true, false] {
                    if proven && id.starts_with("milli") {
                        continue;
                    }
                    let gaps = gaps_of(profile, heart, proven);
                    if gaps > 0 {
                        wrong.push(format!("{id}: heart {which}, seed {seed}, proven {proven}: {gaps}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn gaps_of(profile: &'static Profile, heart: RhythmConfig, proven: bool) -> usize {
    let mut timeline = Timeline::new();
    timeline.know_units(proven);
    let mut gaps = 0;
    let mut take = |p: &Placed| gaps += usize::from(p.gap == Some(GapReason::LostBeats));
    let strap = ProfileStrap::new(profile, Rhythm::new(heart), heart.seed);
    for event in strap.take_while(|e| e.at() < Duration::from_secs(900)) {
        let at = Mono::from_secs(1000) + event.at();
        if let Some(due) = timeline.poll_timeout().filter(|t| *t <= at) {
            take(&timeline.expire(due));
        }
        if let SimEvent::Notification { bytes, .. } = event {
            take(&timeline.push(at, &crate::hrs::decode(&bytes).0.rr));
        }
    }
    gaps
}

#[test]
fn an_equal_packet_that_comes_when_its_beats_do_is_no_duplicate() {
    // two packets of two equal intervals, the first one late and the second one not
    let mut timeline = Timeline::new();
    let packets = [(500_000, 1), (1_050_000, 1), (2_230_000, 2), (3_070_000, 2), (4_000_000, 1)];
    let placed = packets.map(|(at, n)| timeline.push(Mono::from_micros(at), &[RrTicks(603); 2][..n]));
    assert_eq!(placed.map(|p| (p.duplicate, p.beats.len())), [0, 2, 2, 2, 1].map(|n| (false, n)));
}
