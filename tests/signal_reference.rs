//! Conformance with the reference values: `rr/reference.json` where the shared data lie, and always the set in
//! `tests/data/signal_reference.json`, both computed with the plain definitions and with NeuroKit2.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod signal_common;

use hrvd::artifact::{Label, correct, lipponen_tarvainen};
use hrvd::hrv::bands::Bands;
use hrvd::hrv::detrend::LAMBDA;
use hrvd::hrv::dfa::{Variant, alpha1};
use hrvd::hrv::nn::Segment;
use hrvd::hrv::time::TimeDomain;
use hrvd::hrv::welch::{Detrend, Welch};
use hrvd::hrv::{Metric, baevsky, breathing, entropy, lomb};
use serde_json::Value;
use signal_common::{data, read_rr, shared};
use std::path::Path;

/// Compared so far, by metric: a test that compared nothing must not pass.
#[derive(Default)]
struct Tally {
    counts: std::collections::BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Tally {
    fn number(&mut self, at: &str, metric: &str, got: Metric, want: &Value, tolerance: f64) {
        let Some(want) = want.as_f64() else { return };
        *self.counts.entry(metric.to_owned()).or_default() += 1;
        match got {
            Ok(got) if (got - want).abs() <= tolerance * want.abs().max(1e-9) => {}
            got => self.wrong.push(format!("{at} {metric}: got {got:?}, want {want}")),
        }
    }
    fn finish(self, least: &[(&str, usize)]) {
        println!("compared: {:?}", self.counts);
        assert!(
            self.wrong.is_empty(),
            "{} wrong, first:\n{}",
            self.wrong.len(),
            self.wrong[..self.wrong.len().min(12)].join("\n")
        );
        for (metric, n) in least {
            let have = self.counts.get(*metric).copied().unwrap_or(0);
            assert!(have >= *n, "{metric}: only {have} compared");
        }
    }
}

fn window(rr: &[f64], start_s: f64, length_s: f64) -> Vec<f64> {
    let mut sum = 0.0;
    rr.iter()
        .copied()
        .filter(|x| {
            sum += x;
            let t = sum / 1000.0;
            t > start_s && t <= start_s + length_s
        })
        .collect()
}

fn plain(rr: &[f64]) -> TimeDomain {
    TimeDomain::of(&[Segment::new(rr, &vec![Label::Normal; rr.len()], false)])
}

fn time(t: &mut Tally, at: &str, got: &TimeDomain, want: &Value) {
    for (name, metric) in [
        ("mean_rr", got.mean_rr_ms),
        ("mean_hr", got.mean_hr_bpm),
        ("sdnn", got.sdnn_ms),
        ("rmssd", got.rmssd_ms),
        ("ln_rmssd", got.ln_rmssd),
        ("sdsd", got.sdsd_ms),
        ("pnn50", got.pnn50_pct),
        ("pnn20", got.pnn20_pct),
        ("sd1", got.sd1_ms),
        ("sd2", got.sd2_ms),
    ] {
        t.number(at, name, metric, &want[name], 1e-6);
    }
}

fn bands(t: &mut Tally, at: &str, method: &str, got: Bands, want: &Value) {
    for (name, metric) in [("vlf", got.vlf_ms2), ("lf", got.lf_ms2), ("hf", got.hf_ms2)] {
        t.number(at, &format!("{method}.{name}"), metric, &want[name], 1e-6);
    }
}

/// Letters as the reference writes them: A for long and short.
fn letters(labels: &[Label]) -> String {
    labels.iter().map(|l| if matches!(l, Label::Long | Label::Short) { 'A' } else { l.letter() }).collect()
}

fn series(t: &mut Tally, w: &mut Welch, at: &str, rr: &[f64], want: &Value) {
    let raw = &want["raw"];
    time(t, at, &plain(rr), &raw["time"]["spec"]);
    let freq = &raw["freq"]["spec"];
    bands(t, at, "welch", w.bands(rr, Detrend::Linear), &freq["welch"]);
    bands(t, at, "welch_sp500", w.bands(rr, Detrend::SmoothnessPriors(LAMBDA)), &freq["welch_sp500"]);
    bands(t, at, "lomb", lomb::bands(rr), &freq["lomb"]);
    let non = &raw["nonlinear"]["spec"];
    for (name, variant) in [
        ("a1_both", Variant::Both),
        ("a1_fwd", Variant::Forward),
        ("a1_half", Variant::Half),
        ("a1_fatmaxxer", Variant::ExerciseRaw),
        ("a1_fatmaxxer_sp500", Variant::Exercise),
    ] {
        t.number(at, name, alpha1(rr, variant), &non[name], 1e-9);
    }
    t.number(at, "sampen", entropy::sample_entropy(rr), &non["sampen"], 1e-9);
    t.number(at, "si", baevsky::stress_index(rr), &non["baevsky"]["si"], 1e-9);
    let h = baevsky::Histogram::of(rr).unwrap();
    t.number(at, "si_median", h.stress_index_by_median(), &non["baevsky"]["si_median_mo"], 1e-9);

    let art = &want["spec_artifacts"];
    let labels = lipponen_tarvainen(rr);
    if let Some(want) = art["lt_nk"]["labels"].as_str() {
        *t.counts.entry("labels".into()).or_default() += 1;
        let got = letters(&labels);
        if got != want {
            let first = got.chars().zip(want.chars()).position(|(a, b)| a != b);
            t.wrong.push(format!("{at} labels differ, first at {first:?}, lengths {} {}", got.len(), want.len()));
        }
        let excluded = TimeDomain::of(&[Segment::new(rr, &labels, false)]);
        t.number(at, "pairs", Ok(excluded.pairs as f64), &art["lt_nk"]["pairs"], 0.0);
        t.number(at, "rmssd_excl", excluded.rmssd_ms, &art["lt_nk"]["rmssd_excl"], 1e-9);
    }
    let corrected = correct(rr, &labels);
    time(t, &format!("{at} corrected"), &plain(&corrected), &art["time_corr"]);
    t.number(at, "dfa_corr", alpha1(&corrected, Variant::Exercise), &art["dfa_fatmaxxer_sp500_corr"], 1e-9);
    for (name, rr) in [("resp_raw", rr), ("resp_corr", &corrected)] {
        let (want, got) = (&art[name], breathing::count(rr));
        if want["resp_count_bpm"].is_null() {
            continue;
        }
        let none = || hrvd::hrv::Why::Unclear;
        t.number(at, name, got.map(|c| c.per_min).ok_or_else(none), &want["resp_count_bpm"], 1e-6);
        t.number(at, name, got.map(|c| c.coverage).ok_or_else(none), &want["resp_coverage"], 1e-6);
    }
}

fn all(t: &mut Tally, reference: &Path, recordings: &Path) {
    let text = std::fs::read_to_string(reference).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let mut w = Welch::new();
    for (file, windows) in reference["files"].as_object().unwrap() {
        let rr = read_rr(&recordings.join(format!("{file}.txt")));
        for (name, want) in windows.as_object().unwrap() {
            let part = if name == "full" {
                rr.clone()
            } else {
                let (length, start) = name.trim_start_matches('w').split_once("_at").unwrap();
                window(&rr, start.parse().unwrap(), length.parse().unwrap())
            };
            series(t, &mut w, &format!("{file} {name}"), &part, want);
        }
    }
}

#[test]
fn reference_inside_the_project() {
    let mut t = Tally::default();
    all(&mut t, &data("signal_reference.json"), &data(""));
    t.finish(&[
        ("rmssd", 26),
        ("welch.hf", 11),
        ("welch_sp500.lf", 11),
        ("lomb.hf", 11),
        ("a1_both", 13),
        ("a1_fatmaxxer_sp500", 13),
        ("sampen", 11),
        ("si", 13),
        ("labels", 13),
        ("pairs", 13),
        ("dfa_corr", 13),
        ("resp_raw", 14),
    ]);
}

/// NeuroKit2 itself: labels of its non-iterative pass and time domain, on series in whole ms (it takes no other).
#[test]
fn neurokit2() {
    let reference: Value =
        serde_json::from_str(&std::fs::read_to_string(data("signal_reference.json")).unwrap()).unwrap();
    let mut flagged = 0;
    for file in ["pyhrv_short", "pyhrv_long"] {
        let rr = read_rr(&data(&format!("{file}.txt")));
        let want = &reference["files"][file]["full"];
        let labels = lipponen_tarvainen(&rr);
        for (kind, letters) in [("ectopic", "E"), ("missed", "M"), ("extra", "X"), ("longshort", "LS")] {
            // Its indices count beats: the interval that ends at beat k is interval k − 1.
            let got: Vec<usize> =
                (0..labels.len()).filter(|i| letters.contains(labels[*i].letter())).map(|i| i + 1).collect();
            let want: Vec<usize> = want["neurokit2_labels"][kind]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_u64().unwrap() as usize)
                .collect();
            assert_eq!(got, want, "{file} {kind}");
            flagged += got.len();
        }
        let mut t = Tally::default();
        let (got, want) = (plain(&rr), &want["raw"]["time"]["neurokit2"]);
        t.number(file, "sdnn", got.sdnn_ms, &want["sdnn"], 1e-9);
        t.number(file, "rmssd", got.rmssd_ms, &want["rmssd"], 1e-9);
        t.number(file, "sdsd", got.sdsd_ms, &want["sdsd"], 1e-9);
        t.finish(&[("sdnn", 1), ("rmssd", 1), ("sdsd", 1)]);
    }
    assert!(flagged > 30, "only {flagged} labels compared");
}

#[test]
fn shared_reference() {
    let Some(dir) = shared() else { return };
    let mut t = Tally::default();
    all(&mut t, &dir.join("rr/reference.json"), &dir.join("rr/open"));
    t.finish(&[
        ("rmssd", 100),
        ("welch.hf", 30),
        ("lomb.hf", 30),
        ("a1_both", 40),
        ("sampen", 40),
        ("labels", 50),
        ("resp_raw", 20),
    ]);
}

#[test]
fn dfa_golden_vector() {
    let Some(dir) = shared() else { return };
    let rr = read_rr(&dir.join("vectors/dfa_golden_vector.txt"));
    let a = alpha1(&rr, Variant::ExerciseRaw).unwrap();
    assert!((a - 1.550_317_330_957_320_8).abs() < 1e-9, "{a}");
}

/// Breathing against a respiration belt: what is given must beat the best constant guess on the same windows.
#[test]
fn breathing_against_a_belt() {
    let Some(dir) = shared() else { return };
    let text = std::fs::read_to_string(dir.join("rr/reference.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let rr = read_rr(&dir.join("rr/open/systole_task1_ecg.txt"));
    let mut given = Vec::new();
    let windows = reference["respiration_truth"].as_array().unwrap();
    for w in windows {
        let part = window(&rr, w["start_s"].as_f64().unwrap(), 120.0);
        let fixed = hrvd::artifact::repair(&part, &hrvd::artifact::classify(&part));
        if let Ok(b) = breathing::estimate(&fixed) {
            given.push((b.per_min, w["truth_peaks_bpm"].as_f64().unwrap()));
        }
    }
    let n = given.len() as f64;
    let mean = given.iter().map(|g| g.1).sum::<f64>() / n;
    let error = given.iter().map(|g| (g.0 - g.1).abs()).sum::<f64>() / n;
    let guess = given.iter().map(|g| (mean - g.1).abs()).sum::<f64>() / n;
    println!("{} of {} windows, mean error {error:.2}, constant guess {guess:.2}", given.len(), windows.len());
    assert!(given.len() >= 5 && error < guess, "{error} {guess}");
    assert!(given.iter().all(|g| g.0 > 9.0), "nobody breathed slowly there");
}
