//! A verdict over ten years of days: `cargo bench --no-default-features --bench readiness`.

#![allow(missing_docs)] // criterion_group! makes a public function

use criterion::{Criterion, criterion_group, criterion_main};
use hrvd::readiness::{Day, V1, V2, assess, counterfactuals};
use std::hint::black_box;

const DAYS: usize = 3652;

/// Ten years of somebody who trains, with a hole every eleventh day. Today is a bad one, so that everything is looked for.
fn ten_years() -> Day {
    let wave = |i: usize, period: f64| (i as f64 * std::f64::consts::TAU / period).sin();
    let there = |i: usize| i % 11 != 5;
    let ln = |i: usize| 3.8 + 0.1 * wave(i, 5.3) + 0.05 * wave(i, 2.7);
    let mut day = Day {
        ln_rmssd: (0..DAYS).map(|i| there(i).then(|| ln(i))).collect(),
        rhr: (0..DAYS).map(|i| there(i).then(|| 51.0 + 2.0 * wave(i, 4.1))).collect(),
        sleep_h: (0..DAYS).map(|i| Some(7.4 + 0.5 * wave(i, 3.3))).collect(),
        hooper: (0..DAYS).map(|i| there(i).then(|| (10.0 + 2.0 * wave(i, 6.1)).round())).collect(),
        hooper_items: vec![4.0, 4.0, 5.0, 4.0],
        load: (0..DAYS - 1).map(|i| [0.0, 90.0, 40.0, 60.0, 0.0, 120.0, 40.0][i % 7]).collect(),
        hours_since_hard: Some(20.0),
        ..Day::default()
    };
    for (series, x) in
        [(&mut day.ln_rmssd, 3.4), (&mut day.rhr, 58.0), (&mut day.sleep_h, 5.5), (&mut day.hooper, 17.0)]
    {
        series.iter_mut().last().into_iter().for_each(|v| *v = Some(x));
    }
    day
}

fn verdict(c: &mut Criterion) {
    let day = ten_years();
    for model in [&V1, &V2] {
        c.bench_function(&format!("ten years: verdict, version {}", model.version), |b| {
            b.iter(|| assess(black_box(&day), model));
        });
    }
    let v = assess(&day, &V2);
    c.bench_function("ten years: what would change it", |b| b.iter(|| counterfactuals(black_box(&day), &V2, &v)));
}

criterion_group!(benches, verdict);
criterion_main!(benches);
