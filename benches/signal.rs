//! The batch signal path on one core: `cargo bench --no-default-features --bench signal`.

#![allow(missing_docs)] // criterion_group! makes a public function

use criterion::{Criterion, criterion_group, criterion_main};
use hrvd::analyze::{Options, Series, analyze};
use hrvd::artifact::{self, Label};
use hrvd::hrv::dfa::{Variant, alpha1};
use hrvd::hrv::lomb::Lomb;
use hrvd::hrv::nn::Segment;
use hrvd::hrv::time::TimeDomain;
use hrvd::hrv::welch::{Detrend, Welch};
use hrvd::hrv::{baevsky, breathing, entropy};
use std::hint::black_box;
use std::path::Path;

/// The sample recording, over and over until `seconds` are full.
fn recording(seconds: f64) -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pyhrv_long.txt");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let once: Vec<f64> = text.lines().filter_map(|l| l.trim().parse().ok()).collect();
    let mut sum = 0.0;
    once.iter()
        .cycle()
        .copied()
        .take_while(|x| {
            sum += x;
            sum <= 1000.0 * seconds
        })
        .collect()
}

fn windows(rr: &[f64]) -> Vec<&[f64]> {
    let mut out = Vec::new();
    let (mut from, mut sum) = (0, 0.0);
    for (i, x) in rr.iter().enumerate() {
        sum += x;
        if sum > 300_000.0 {
            out.push(&rr[from..i]);
            (from, sum) = (i, *x);
        }
    }
    out
}

fn day(c: &mut Criterion) {
    let rr = recording(269.5 * 300.0);
    let mut group = c.benchmark_group("day");
    group.sample_size(10);
    group.bench_function("269 windows: labels, time, Welch, DFA", |b| {
        let mut welch = Welch::new();
        b.iter(|| {
            let labels = artifact::classify(&rr);
            let normal = vec![Label::Normal; rr.len()];
            black_box(&labels);
            for w in windows(&rr) {
                black_box(TimeDomain::of(&[Segment::new(w, &normal, false)]));
                black_box(welch.bands(w, Detrend::Linear));
                black_box(alpha1(w, Variant::Both)).ok();
            }
        });
    });
    group.bench_function("labels, live detector", |b| b.iter(|| artifact::classify(black_box(&rr))));
    group.bench_function("labels, Lipponen-Tarvainen", |b| b.iter(|| artifact::lipponen_tarvainen(black_box(&rr))));
    let series = Series { rr_ms: rr.clone(), gaps: Vec::new() };
    let options = Options { window_s: Some(300.0), ..Options::default() };
    group.bench_function("analyze, every metric in 5-minute windows", |b| {
        b.iter(|| analyze(black_box(&series), &options))
    });
    group.bench_function("analyze, every metric over the whole day", |b| {
        b.iter(|| analyze(black_box(&series), &Options::default()));
    });
    group.finish();
}

fn five_minutes(c: &mut Criterion) {
    let all = recording(301.0);
    let rr = windows(&all).first().map_or(all.as_slice(), |w| w);
    let normal = vec![Label::Normal; rr.len()];
    let segment = [Segment::new(rr, &normal, false)];
    let (mut welch, mut lomb) = (Welch::new(), Lomb::new());
    let mut group = c.benchmark_group("five minutes");
    group.bench_function("time domain", |b| b.iter(|| TimeDomain::of(black_box(&segment))));
    group.bench_function("Welch", |b| b.iter(|| welch.bands(black_box(rr), Detrend::Linear)));
    group.bench_function("Lomb", |b| b.iter(|| lomb.bands(black_box(rr))));
    group.bench_function("DFA", |b| b.iter(|| alpha1(black_box(rr), Variant::Exercise)));
    group.bench_function("sample entropy", |b| b.iter(|| entropy::sample_entropy(black_box(rr))));
    group.bench_function("breathing", |b| b.iter(|| breathing::estimate_with(&mut lomb, black_box(rr))));
    group.bench_function("every metric", |b| {
        b.iter(|| {
            let rr = black_box(rr);
            black_box(TimeDomain::of(&segment));
            black_box(welch.bands(rr, Detrend::Linear));
            black_box(lomb.bands(rr));
            black_box(alpha1(rr, Variant::Exercise)).ok();
            black_box(entropy::sample_entropy(rr)).ok();
            black_box(baevsky::stress_index(rr)).ok();
            black_box(breathing::estimate_with(&mut lomb, rr)).ok();
        });
    });
    group.finish();
}

criterion_group!(benches, day, five_minutes);
criterion_main!(benches);
