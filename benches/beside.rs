//! Our side of `scripts/beside-peers`: `beside FILE STAGE N` reads RR text and does STAGE N times. The caller measures
//! the CPU time of runs with different N, so that only the stage is left in the difference.

use hrvd::analyze::parse_rr_text;
use hrvd::artifact::{self, Label};
use hrvd::hrv::dfa::{Dfa, Variant};
use hrvd::hrv::lomb::Lomb;
use hrvd::hrv::nn::Segment;
use hrvd::hrv::tachogram::Tachogram;
use hrvd::hrv::time::TimeDomain;
use hrvd::hrv::welch::{Detrend, Welch};
use hrvd::hrv::{baevsky, breathing, entropy};
use std::hint::black_box;

/// Intervals whose end lies in (300 k, 300 k + 300].
fn windows(rr: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut ends = Vec::with_capacity(rr.len());
    let mut sum = 0.0;
    for x in rr {
        sum += x;
        ends.push(sum / 1000.0);
    }
    let at = |t: f64| ends.partition_point(|e| *e <= t);
    (0..(sum / 300_000.0) as usize).map(|k| at(300.0 * k as f64)..at(300.0 * (k + 1) as f64)).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [file, stage, n] = args.as_slice() else {
        eprintln!("usage: beside FILE STAGE N");
        return;
    };
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let rr = parse_rr_text(&text).map(|s| s.rr_ms).unwrap_or_default();
    let windows = windows(&rr);
    let Some(first) = windows.first().map(|w| &rr[w.clone()]) else {
        eprintln!("{file}: less than five minutes");
        return;
    };
    println!("{} intervals, {} windows", rr.len(), windows.len());
    let normal = vec![Label::Normal; rr.len()];
    let (mut welch, mut lomb, mut dfa) = (Welch::new(), Lomb::new(), Dfa::new());
    for _ in 0..n.parse().unwrap_or(1) {
        let (rr, first) = (black_box(rr.as_slice()), black_box(first));
        match stage.as_str() {
            "day" => {
                let labels = artifact::classify(rr);
                for w in &windows {
                    let (x, labels) = (&rr[w.clone()], &labels[w.clone()]);
                    black_box(TimeDomain::of(&[Segment::new(x, labels, false)]));
                    black_box(welch.bands(x, Detrend::Linear));
                    black_box(dfa.alpha1(x, Variant::Both)).ok();
                }
            }
            "five" => {
                black_box(TimeDomain::of(&[Segment::new(first, &normal, false)]));
                if let Ok(t) = Tachogram::of(first) {
                    black_box(welch.bands_of(&t, Detrend::Linear));
                    if let Ok(s) = lomb.spectrum_of(&t) {
                        black_box(s.bands());
                        black_box(breathing::estimate_of(&t, &s)).ok();
                    }
                }
                black_box(dfa.alpha1(first, Variant::Exercise)).ok();
                black_box(entropy::sample_entropy(first)).ok();
                black_box(baevsky::stress_index(first)).ok();
            }
            "labels-kubios" => drop(black_box(artifact::lipponen_tarvainen(rr))),
            "labels-live" => drop(black_box(artifact::classify(rr))),
            "time" => drop(black_box(TimeDomain::of(&[Segment::new(first, &normal, false)]))),
            "welch" => drop(black_box(welch.bands(first, Detrend::Linear))),
            "lomb" => drop(black_box(lomb.bands(first))),
            "dfa" => drop(black_box(dfa.alpha1(first, Variant::Exercise))),
            "dfa-both" => drop(black_box(dfa.alpha1(first, Variant::Both))),
            "entropy" => drop(black_box(entropy::sample_entropy(first))),
            "si" => drop(black_box(baevsky::stress_index(first))),
            "breathing" => drop(black_box(breathing::count(first))),
            _ => {
                eprintln!("no such stage: {stage}");
                return;
            }
        }
    }
}
