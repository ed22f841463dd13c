//! A verdict over ten years of days: `cargo bench --no-default-features --bench readiness`.

#![allow(missing_docs)] // criterion_group! makes a public function

use criterion::{Criterion, criterion_group, criterion_main};
use hrvd::check::{Grade, Posture};
use hrvd::load::Session;
use hrvd::readiness::{Book, Day, Entry, Protocol, Reading, Source, V1, V2, Wellness, What, assess, counterfactuals};
use hrvd::units::StrapId;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
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

/// The same ten years as a book of readings, wellness and sessions; and its last day.
fn ten_year_book() -> (Book, Date, Timestamp) {
    let mut book = Book::default();
    let (mut today, mut at) = (date(2016, 1, 1), Timestamp::UNIX_EPOCH);
    for i in 0..DAYS {
        today = date(2016, 1, 1).saturating_add((i as i64).days());
        at = TimeZone::UTC.to_timestamp(today.at(7, 0, 0, 0)).unwrap_or_default();
        let wave = (i as f64 * 1.2).sin();
        book.put_reading(Reading {
            id: i.to_string(),
            date: today,
            at,
            protocol: Protocol::new(Posture::Supine, StrapId([1; 6])),
            grade: Grade::Good,
            values: Some((3.8 + 0.1 * wave, 51.0 - 2.0 * wave)),
            why: None,
        });
        let items = Wellness { sleep: 2 + (i % 3) as u8, stress: 2, fatigue: 3, soreness: 2 };
        book.put(Entry { date: today, at, source: Source::Mqtt, what: What::Wellness(items) });
        if i % 7 != 0 && i % 7 != 4 {
            let mut s = Session::new(i.to_string(), at, today);
            (s.minutes, s.rpe) = (Some(50.0), Some(3.0 + (i % 5) as f64));
            book.put(Entry { date: today, at, source: Source::Mqtt, what: What::Session(s) });
        }
    }
    (book, today, at)
}

fn book(c: &mut Criterion) {
    let (book, today, at) = ten_year_book();
    c.bench_function("ten years of a book: inputs and verdict", |b| {
        b.iter(|| assess(&black_box(&book).day(today, at, &V2), &V2));
    });
    let v = assess(&book.day(today, at, &V2), &V2);
    c.bench_function("ten years of a book: what goes with the verdict", |b| b.iter(|| book.context(today, &v)));
}

criterion_group!(benches, verdict, book);
criterion_main!(benches);
