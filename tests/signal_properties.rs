//! Laws of the metrics: what may not matter does not, and no input makes a number that is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::analyze::{Artifacts, DetectorKind, Options, Report, Series, Window, analyze, svg};
use hrvd::hrv::bands::Bands;
use hrvd::hrv::dfa::{self, Variant};
use hrvd::hrv::welch::{Detrend, Welch};
use hrvd::hrv::{Metric, baevsky, breathing, entropy, lomb};
use proptest::prelude::*;
use std::ops::Range;

const VARIANTS: [Variant; 5] =
    [Variant::Exercise, Variant::ExerciseRaw, Variant::Both, Variant::Forward, Variant::Half];

fn close(a: Metric, b: f64, tolerance: f64) -> bool {
    a.is_ok_and(|a| (a - b).abs() <= tolerance * b.abs().max(1e-9))
}

fn each(b: Bands) -> [Metric; 3] {
    [b.vlf_ms2, b.lf_ms2, b.hf_ms2]
}

fn sound(m: Metric) -> bool {
    m.is_err() || m.unwrap().is_finite()
}

/// A heart in whole ms: a wave of breath, drift and chance.
fn heart(n: Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    (600.0..1200.0f64, 5.0..60.0f64, 0.05..0.4f64, prop::collection::vec(-20i32..20, n)).prop_map(
        |(mean, depth, hz, chance)| {
            let mut t = 0.0;
            chance
                .iter()
                .map(|c| {
                    let x = (mean + depth * (std::f64::consts::TAU * hz * t).sin()).round() + f64::from(*c);
                    t += x / 1000.0;
                    x
                })
                .collect()
        },
    )
}

/// Anything that fits a float, with intervals among it.
fn anything(n: Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    let one = prop_oneof![
        6 => 300.0..2000.0f64,
        1 => prop::num::f64::ANY,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => -1000.0..1000.0f64,
        1 => 2000.0..700_000.0f64,
    ];
    prop_oneof![prop::collection::vec(one, n.clone()), prop::collection::vec(prop::num::f64::ANY, n)]
}

fn options() -> impl Strategy<Value = Options> {
    (
        prop_oneof![Just(Artifacts::Keep), Just(Artifacts::Exclude), Just(Artifacts::Correct)],
        prop_oneof![Just(DetectorKind::Kubios), Just(DetectorKind::Live)],
        prop::option::of(20.0..200.0f64),
        prop::option::of(10.0..200.0f64),
        prop::sample::select(&VARIANTS[..]),
        prop_oneof![Just(Detrend::Linear), (1.0..10_000.0f64).prop_map(Detrend::SmoothnessPriors)],
        any::<bool>(),
    )
        .prop_map(|(artifacts, detector, window_s, step_s, dfa, detrend, untrusted)| Options {
            window_s,
            step_s,
            artifacts,
            detector,
            dfa,
            detrend,
            untrusted,
        })
}

fn is_sound(r: &Report, options: &Options) -> Result<(), TestCaseError> {
    for w in &r.windows {
        for (name, value) in w.metrics() {
            prop_assert!(sound(value), "{name} {value:?}");
        }
        prop_assert!(w.coverage.is_finite() && w.start_s.is_finite() && w.length_s.is_finite());
        prop_assert!(w.artifact_pct.is_none_or(|p| (0.0..=100.0).contains(&p)));
        prop_assert!(w.stretch.is_none_or(|s| s.start_s.is_finite() && s.length_s.is_finite()));
        if w.grade == hrvd::check::Grade::Bad && options.artifacts != Artifacts::Keep {
            prop_assert!(w.metrics().iter().all(|m| m.1.is_err()));
        }
    }
    prop_assert_eq!(r.labels.chars().count(), r.n);
    Ok(())
}

/// What does not depend on where in a recording a window lies.
fn same(a: &Window, b: &Window) -> Result<(), TestCaseError> {
    for ((name, x), (_, y)) in a.metrics().iter().zip(b.metrics()) {
        match (x, y) {
            (Ok(x), Ok(y)) => prop_assert!((x - y).abs() <= 1e-6 * y.abs().max(1e-6), "{name} {x} {y}"),
            (x, y) => prop_assert_eq!(*x, y, "{}", name),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn twice_the_intervals_have_four_times_the_power_at_half_the_frequency(rr in heart(140..400)) {
        let total = |rr: &[f64]| lomb::spectrum(rr).unwrap().density.iter().sum::<f64>();
        let twice: Vec<f64> = rr.iter().map(|x| 2.0 * x).collect();
        // A grid that is twice as fine and half as long holds the same waves: density times step is power.
        let (one, two) = (lomb::spectrum(&rr).unwrap(), lomb::spectrum(&twice).unwrap());
        for (k, p) in one.density.iter().enumerate() {
            prop_assert!((two.hz(k) - one.hz(k) / 2.0).abs() < 1e-12);
            let (a, b) = (p * one.step_hz(), two.density[k] * two.step_hz());
            prop_assert!((4.0 * a - b).abs() <= 1e-7 * 4.0 * total(&rr) * one.step_hz(), "{k} {a} {b}");
        }
    }

    #[test]
    fn dfa_sees_neither_level_nor_scale(rr in heart(100..300), k in 0.3..3.0f64, shift in -300.0..300.0f64) {
        for v in VARIANTS {
            let a = dfa::alpha1(&rr, v).unwrap();
            prop_assert!(close(dfa::alpha1(&rr.iter().map(|x| k * x).collect::<Vec<_>>(), v), a, 1e-7), "{v:?}");
            prop_assert!(close(dfa::alpha1(&rr.iter().map(|x| x + shift).collect::<Vec<_>>(), v), a, 1e-7), "{v:?}");
        }
    }

    #[test]
    fn entropy_sees_neither_level_nor_scale(rr in heart(100..300), shift in -300i32..300) {
        let e = entropy::sample_entropy(&rr);
        // Exactly, in binary.
        prop_assert_eq!(entropy::sample_entropy(&rr.iter().map(|x| 4.0 * x).collect::<Vec<_>>()), e);
        prop_assert_eq!(entropy::sample_entropy(&rr.iter().map(|x| 0.25 * x).collect::<Vec<_>>()), e);
        let shifted = entropy::sample_entropy(&rr.iter().map(|x| x + f64::from(shift)).collect::<Vec<_>>());
        match (e, shifted) {
            (Ok(e), Ok(s)) => prop_assert!((e - s).abs() < 1e-9),
            (e, s) => prop_assert_eq!(e, s),
        }
    }

    #[test]
    fn a_histogram_has_no_order(rr in heart(50..300), seed in any::<u64>(), bins in 1u8..8) {
        let mut mixed = rr.clone();
        let mut x = seed | 1;
        for i in (1..mixed.len()).rev() {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            mixed.swap(i, (x % (i as u64 + 1)) as usize);
        }
        prop_assert_eq!(baevsky::stress_index(&mixed), baevsky::stress_index(&rr));
        // A move by whole bins moves the mode and nothing else.
        let by = 50.0 * f64::from(bins);
        let (a, b) = (baevsky::Histogram::of(&rr).unwrap(), baevsky::Histogram::of(&rr.iter().map(|x| x + by).collect::<Vec<_>>()).unwrap());
        prop_assert_eq!((a.mode_pct, a.range_s), (b.mode_pct, b.range_s));
        prop_assert!((b.mode_s - a.mode_s - by / 1000.0).abs() < 1e-12);
    }

    #[test]
    fn breathing_stays_within_what_beats_can_show(rr in heart(60..300)) {
        if let Ok(b) = breathing::estimate(&rr) {
            let hr = 60_000.0 * rr.len() as f64 / rr.iter().sum::<f64>();
            prop_assert!(b.per_min >= 4.0 && (b.per_min < 0.4 * hr || b.is_slow()), "{b:?} at {hr}");
            prop_assert!((0.0..=1.0).contains(&b.confidence));
        }
    }

    #[test]
    fn a_window_does_not_know_when_it_began(rr in heart(200..330), before in prop::collection::vec(700u32..900, 5..60)) {
        // As it is: labels may look at what came before.
        let keep = Options { artifacts: Artifacts::Keep, ..Options::default() };
        // Half a ms, so that no end lies on the border.
        let length: f64 = (rr.iter().sum::<f64>() + 0.5) / 1000.0;
        let alone = analyze(&Series { rr_ms: rr.clone(), gaps: vec![] }, &Options { window_s: Some(length), ..keep });
        let lead: f64 = before.iter().map(|x| f64::from(*x)).sum::<f64>() / 1000.0;
        let rr_ms = before.iter().map(|x| f64::from(*x)).chain(rr).collect();
        let later = analyze(&Series { rr_ms, gaps: vec![] }, &Options { window_s: Some(length), step_s: Some(lead), ..keep });
        prop_assert_eq!(later.windows[1].n, alone.windows[0].n);
        same(&later.windows[1], &alone.windows[0])?;
    }

    #[test]
    fn no_metric_makes_a_number_that_is_none(rr in anything(0..300)) {
        let mut w = Welch::new();
        for detrend in [Detrend::Linear, Detrend::SmoothnessPriors(500.0)] {
            prop_assert!(each(w.bands(&rr, detrend)).into_iter().all(sound));
        }
        prop_assert!(each(lomb::bands(&rr)).into_iter().all(sound));
        for v in VARIANTS {
            prop_assert!(sound(dfa::alpha1(&rr, v)));
        }
        prop_assert!(sound(entropy::sample_entropy(&rr)));
        prop_assert!(sound(baevsky::stress_index(&rr)));
        prop_assert!(breathing::estimate(&rr).is_err() || breathing::estimate(&rr).unwrap().per_min.is_finite());
        prop_assert!(breathing::count(&rr).is_none_or(|c| c.per_min.is_finite() && c.coverage.is_finite()));
    }

    #[test]
    fn analyze_takes_anything(
        rr_ms in prop_oneof![anything(0..300), heart(0..300)],
        gaps in prop::collection::vec((0usize..320, prop_oneof![8 => 0.0..30.0f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(-5.0)]), 0..4),
        options in options(),
    ) {
        let mut gaps = gaps;
        gaps.sort_by_key(|g| g.0);
        let series = Series { rr_ms, gaps };
        let report = analyze(&series, &options);
        is_sound(&report, &options)?;
        let picture = svg("x", &series, &report);
        prop_assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }
}
