//! Live equals batch: what the windows say against batch functions over the same beats and labels.

use super::*;
use crate::hrv::Metric;
use crate::hrv::nn::Segment;
use crate::hrv::time::TimeDomain;
use crate::units::RrTicks;
use proptest::prelude::*;

/// A stream of beats cut into packets; `true` begins after a gap.
type Stream = Vec<(bool, Vec<Beat>)>;

/// Beats of a breathing heart with artifacts where the plan says so and holes between segments.
fn stream(plan: &[(u16, u8, u8)]) -> Vec<(bool, Beat)> {
    let mut at = Mono::from_secs(1000);
    let mut out = vec![];
    for (i, (jitter, artifact, hole)) in plan.iter().enumerate() {
        let breath = 40.0 * (i as f64 * 1.3).sin();
        let rr = (820.0 + breath + f64::from(jitter % 40)) * if *artifact == 0 { 0.6 } else { 1.0 };
        let gap = i > 0 && *hole == 0;
        if gap {
            at = at + Duration::from_millis(1500 + u64::from(*jitter) * 20);
        }
        let rr = RrTicks(rr as u16);
        at = at + Duration::from_micros(rr.as_micros());
        out.push((gap, Beat { at, rr }));
    }
    out
}

/// Cuts into packets of the given sizes; a gap always begins a new one.
fn packets(beats: &[(bool, Beat)], sizes: &[usize]) -> Stream {
    let mut out: Stream = vec![];
    let mut sizes = sizes.iter().cycle();
    let mut room = 0;
    for (gap, beat) in beats {
        if *gap || room == 0 {
            out.push((*gap, vec![]));
            room = *sizes.next().unwrap_or(&1);
        }
        out.last_mut().unwrap().1.push(*beat);
        room = room.saturating_sub(1);
    }
    out
}

fn beats_of(stream: &[(bool, Beat)]) -> Vec<Vec<Beat>> {
    let mut out = vec![vec![]];
    for (gap, beat) in stream {
        if *gap {
            out.push(vec![]);
        }
        out.last_mut().unwrap().push(*beat);
    }
    out
}

/// Batch labels of the whole recording.
fn judged(segments: &[Vec<Beat>]) -> Vec<Vec<(Beat, Label)>> {
    let labels = |s: &Vec<Beat>| artifact::classify(&s.iter().map(|b| b.rr.as_ms()).collect::<Vec<_>>());
    segments.iter().map(|s| s.iter().copied().zip(labels(s)).collect()).collect()
}

fn close(a: Metric, b: Metric) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1e-3),
        (a, b) => a.is_err() && b.is_err(),
    }
}

fn metrics(t: &TimeDomain) -> [Metric; 10] {
    [
        t.mean_rr_ms,
        t.mean_hr_bpm,
        t.sdnn_ms,
        t.rmssd_ms,
        t.ln_rmssd,
        t.sdsd_ms,
        t.pnn50_pct,
        t.pnn20_pct,
        t.sd1_ms,
        t.sd2_ms,
    ]
}

/// The part of judged beats that ends in (until − span, until], a segment each, and whether its first beat follows an
/// artifact.
fn cut(all: &[Vec<(Beat, Label)>], until: Mono, span: Duration) -> Vec<(Vec<f64>, Vec<Label>, bool)> {
    let inside = |b: &Beat| b.at <= until && until.since(b.at) < span;
    all.iter()
        .map(|s| {
            let first = s.iter().position(|(b, _)| inside(b)).unwrap_or(s.len());
            let part = s[first..].iter().filter(|(b, _)| inside(b));
            let (rr, labels) = part.map(|(b, l)| (b.rr.as_ms(), *l)).unzip();
            (rr, labels, first > 0 && !s[first - 1].1.is_normal())
        })
        .collect()
}

/// What `read` has to say of a window, from batch functions over batch labels.
fn batch_window(all: &[Vec<(Beat, Label)>], until: Mono, got: &LiveWindow) -> Result<(), TestCaseError> {
    let parts = cut(all, until, got.span);
    let n: usize = parts.iter().map(|p| p.0.len()).sum();
    let flagged = parts.iter().flat_map(|p| &p.1).filter(|l| !l.is_normal()).count();
    let seconds: f64 = parts.iter().flat_map(|p| &p.0).sum::<f64>() / 1000.0;
    let pct = 100.0 * flagged as f64 / n as f64;
    prop_assert_eq!((got.n, got.artifact_pct), (n, (n > 0).then_some(pct)));
    prop_assert!((got.coverage - seconds / got.span.as_secs_f64()).abs() < 1e-9);
    let segments: Vec<Segment<'_>> = parts.iter().map(|(rr, l, after)| Segment::new(rr, l, *after)).collect();
    let want = TimeDomain::of(&segments);
    prop_assert_eq!((got.time.normal, got.time.pairs), (want.normal, want.pairs));
    let want_pairs = want.pairs;
    let shown = pct <= 10.0 && got.coverage >= 0.90;
    for (i, (value, want)) in metrics(&got.time).into_iter().zip(metrics(&want)).enumerate() {
        let enough = i < 3 || want_pairs >= got.span.as_secs() as usize / 3;
        if shown && enough {
            prop_assert!(close(value, want), "{}: {:?} {:?}", i, value, want);
        } else {
            prop_assert!(value.is_err(), "{}: {:?}", i, value);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// At every packet, for any chunking: the same bits, and those of the batch functions.
    #[test]
    fn live_equals_batch(
        plan in proptest::collection::vec((0u16..100, 0u8..60, 0u8..250), 50..700),
        sizes in proptest::collection::vec(1usize..9, 1..5),
    ) {
        let beats = stream(&plan);
        let all = judged(&beats_of(&beats));
        let mut one_by_one = Windows::new();
        let mut at_each = std::collections::BTreeMap::new();
        for (gap, beat) in &beats {
            one_by_one.take(*gap, &[*beat]);
            at_each.insert(beat.at, (one_by_one.until, one_by_one.read()));
        }
        let mut live = Windows::new();
        for (k, (gap, packet)) in packets(&beats, &sizes).iter().enumerate() {
            live.take(*gap, packet);
            let (until, read) = at_each[&packet.last().unwrap().at];
            prop_assert_eq!(live.until, until);
            prop_assert_eq!(live.read(), read);
            if let Some(until) = until.filter(|_| k % 7 == 0) {
                for window in [read.last_30, read.last_60, read.last_300] {
                    batch_window(&all, until, &window)?;
                }
            }
        }
    }

    /// Whatever comes, each number is one, or absent.
    #[test]
    fn nonsense_gives_finite_numbers_or_none(
        plan in proptest::collection::vec((1u16..=65535, 0u8..40), 1..300),
        short in any::<bool>(),
    ) {
        let mut live = Windows::new();
        let mut at = Mono::from_secs(1000);
        for (ticks, gap) in plan {
            let rr = RrTicks(if short { ticks % 2000 + 1 } else { ticks });
            at = at + Duration::from_micros(rr.as_micros());
            live.take(gap == 0, &[Beat { at, rr }]);
            let r = live.read();
            let windows = [r.last_30, r.last_60, r.last_300];
            let numbers = windows.iter().flat_map(|w| metrics(&w.time)).chain([r.dfa.alpha1, r.breathing.per_min]);
            prop_assert!(numbers.flatten().all(f64::is_finite));
            prop_assert!(windows.iter().all(|w| w.coverage.is_finite() && w.artifact_pct.is_none_or(f64::is_finite)));
        }
    }

    /// DFA and breathing have the bits of the batch functions over the stretch that ended when they were computed.
    #[test]
    fn dfa_and_breathing_equal_batch(plan in proptest::collection::vec((0u16..100, 0u8..90, 0u8..255), 200..500)) {
        let beats = stream(&plan);
        let all = judged(&beats_of(&beats));
        let mut live = Windows::new();
        let mut segment = 0;
        let mut at = None::<Mono>;
        let (mut dfa, mut breathing) = (Err(Why::TooShort), Err(Why::TooShort));
        for (gap, beat) in &beats {
            live.take(*gap, &[*beat]);
            if *gap {
                segment += 1;
                (dfa, breathing, at) = (Err(Why::Gap), Err(Why::Gap), None);
            }
            // in the first beats after a gap the last judged one still lies before it
            let Some(now) = live.until.filter(|now| all[segment].iter().any(|(b, _)| b.at == *now)) else { continue };
            if at.is_some_and(|at| at.as_micros() / 5_000_000 != now.as_micros() / 5_000_000) {
                let (rr, labels, _) = cut(&all[segment..=segment], now, STRETCH).remove(0);
                let flagged = labels.iter().filter(|l| !l.is_normal()).count() as f64;
                let fixed = artifact::repair(&rr, &labels);
                let refused = if rr.iter().sum::<f64>() < 118_000.0 {
                    Some(Why::TooShort)
                } else {
                    (100.0 * flagged / rr.len() as f64 > 5.0).then_some(Why::Artifacts)
                };
                let few = (fixed.len() < 100).then_some(Why::TooFew);
                dfa = refused.or(few).map_or_else(|| dfa::alpha1(&fixed, Variant::Exercise), Err);
                if at.is_some_and(|at| at.as_micros() / 10_000_000 != now.as_micros() / 10_000_000) {
                    let rate = || breathing::estimate(&fixed).map(|b| b.per_min.round());
                    breathing = refused.map_or_else(rate, Err);
                }
            }
            at = Some(now);
            prop_assert_eq!((live.dfa.alpha1, live.breathing.per_min), (dfa, breathing));
        }
    }
}

/// A calm heart at 140/min, as DFA is made for.
fn runner(n: usize) -> Vec<Beat> {
    let mut at = Mono::from_secs(50);
    (0..n)
        .map(|i| {
            let rr = RrTicks((440.0 + 12.0 * (i as f64 * 0.9).sin() + ((i * i * 31) % 13) as f64) as u16);
            at = at + Duration::from_micros(rr.as_micros());
            Beat { at, rr }
        })
        .collect()
}

#[test]
fn each_value_comes_when_its_window_is_full_and_goes_with_a_gap() {
    let mut w = Windows::new();
    let beats = runner(900);
    let start = beats[0].at;
    let mut first = [None; 5];
    for beat in &beats {
        w.take(false, &[*beat]);
        let r = w.read();
        let there = [
            r.last_30.time.rmssd_ms.is_ok(),
            r.last_60.time.rmssd_ms.is_ok(),
            r.last_300.time.rmssd_ms.is_ok(),
            r.dfa.alpha1.is_ok(),
            r.breathing.per_min.is_ok(),
        ];
        for (first, there) in first.iter_mut().zip(there) {
            *first = first.or(there.then(|| beat.at.since(start).as_secs()));
        }
    }
    let [s30, s60, s300, dfa, breathing] = first.map(Option::unwrap);
    assert!((27..=31).contains(&s30) && (54..=58).contains(&s60) && (270..=274).contains(&s300), "{first:?}");
    assert!((118..=126).contains(&dfa) && (118..=131).contains(&breathing), "{first:?}");

    let last = beats.last().unwrap();
    let after = Beat { at: last.at + Duration::from_secs(8), rr: RrTicks(440) };
    w.take(true, &[after]);
    let r = w.read();
    // time went on, although nothing was judged since: the windows end where the beat after the gap begins
    assert_eq!((r.last_30.time.rmssd_ms, r.last_60.time.rmssd_ms), (Err(Why::Gap), Err(Why::Gap)));
    assert!((0.70..0.76).contains(&r.last_30.coverage), "{}", r.last_30.coverage);
    assert!(r.last_300.time.rmssd_ms.is_ok(), "eight seconds of five minutes");
    assert_eq!((r.dfa.alpha1, r.breathing.per_min), (Err(Why::Gap), Err(Why::Gap)));
    let mut at = after.at;
    for _ in 0..12 {
        at = at + Duration::from_micros(RrTicks(440).as_micros());
        w.take(false, &[Beat { at, rr: RrTicks(440) }]);
    }
    let r = w.read();
    assert_eq!((r.last_30.time.rmssd_ms, r.last_60.time.rmssd_ms), (Err(Why::Gap), Err(Why::Gap)));
    assert!(r.last_300.time.rmssd_ms.is_ok(), "eight seconds of five minutes");
}

#[test]
fn after_a_long_gap_nothing_of_before_is_left() {
    let mut w = Windows::new();
    let beats = runner(900);
    w.take(false, &beats);
    let at = beats.last().unwrap().at + Duration::from_secs(70);
    w.take(true, &[Beat { at, rr: RrTicks(440) }]);
    let r = w.read();
    assert_eq!((r.last_30.n, r.last_60.n), (0, 0));
    assert_eq!((r.last_30.coverage, r.last_30.time.mean_rr_ms), (0.0, Err(Why::Gap)));
    assert_eq!(r.last_300.time.rmssd_ms, Err(Why::Gap), "a quarter is missing");
}

#[test]
fn dfa_needs_a_hundred_beats_and_few_artifacts() {
    let mut slow = Windows::new();
    let mut at = Mono::from_secs(50);
    for i in 0..120u64 {
        let rr = RrTicks(1500 + (i * i % 37) as u16);
        at = at + Duration::from_micros(rr.as_micros());
        slow.take(false, &[Beat { at, rr }]);
    }
    assert_eq!(slow.read().dfa.alpha1, Err(Why::TooFew));
    let mut noisy = Windows::new();
    let mut at = Mono::from_secs(50);
    for (i, beat) in runner(400).into_iter().enumerate() {
        let rr = if i % 15 == 7 { RrTicks(beat.rr.0 * 2) } else { beat.rr };
        at = at + Duration::from_micros(rr.as_micros());
        noisy.take(false, &[Beat { at, rr }]);
    }
    let r = noisy.read();
    assert!(r.dfa.artifact_pct.unwrap() > 5.0);
    assert_eq!((r.dfa.alpha1, r.breathing.per_min), (Err(Why::Artifacts), Err(Why::Artifacts)));
    assert!(r.last_60.time.rmssd_ms.is_ok(), "up to ten per cent");
}
