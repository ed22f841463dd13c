//! What `analyze` refuses, and why: regular series, drop-outs, windows that the data do not fill.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::analyze::{Artifacts, DetectorKind, Options, Report, Series, Window, analyze, svg};
use hrvd::check::Grade;
use hrvd::hrv::bands::Bands;
use hrvd::hrv::dfa::{self, Variant};
use hrvd::hrv::{Metric, Why, baevsky, entropy};

fn calm(n: usize) -> Vec<f64> {
    (0..n).map(|i| 900.0 + 30.0 * (i as f64 * 1.3).sin() + ((i * 7) % 11) as f64).collect()
}

fn run(rr_ms: Vec<f64>, gaps: Vec<(usize, f64)>, options: Options) -> Report {
    analyze(&Series { rr_ms, gaps }, &options)
}

fn whole(rr_ms: Vec<f64>, options: Options) -> Window {
    run(rr_ms, vec![], options).windows.remove(0)
}

fn kubios() -> Options {
    Options { detector: DetectorKind::Kubios, ..Options::default() }
}

/// Every metric is refused, for this reason.
fn refused(w: &Window, why: Why) {
    for (name, value) in w.metrics() {
        assert_eq!(value, Err(why), "{name}");
    }
}

#[test]
fn a_regular_series_has_no_shape() {
    let none: Metric = Err(Why::NoVariation);
    for rr in [900.0, 2500.0 / 3.0, 1000.0 / 1.024, 857.142_857_142_857] {
        for n in [380, 400] {
            let series = vec![rr; n];
            for v in [Variant::Exercise, Variant::ExerciseRaw, Variant::Both, Variant::Forward, Variant::Half] {
                assert_eq!(dfa::alpha1(&series, v), none, "{rr} {v:?}");
            }
            assert_eq!((entropy::sample_entropy(&series), baevsky::stress_index(&series)), (none, none), "{rr}");
            for options in [Options::default(), kubios()] {
                let w = whole(series.clone(), options);
                assert_eq!((w.dfa_alpha1, w.sample_entropy, w.stress_index), (none, none, none), "{rr}");
                assert_eq!((w.welch, w.lomb), (Bands::none(Why::NoVariation), Bands::none(Why::NoVariation)), "{rr}");
                assert_eq!((w.time.sdnn_ms, w.time.rmssd_ms, w.time.sd2_ms), (Ok(0.0), Ok(0.0), Ok(0.0)), "{rr}");
            }
        }
    }
    // What detrending takes off entirely does not vary either.
    let ramp: Vec<f64> = (0..400).map(|i| 700.0 + f64::from(i) / 3.0).collect();
    assert_eq!(dfa::alpha1(&ramp, Variant::Exercise), none);
    assert!(dfa::alpha1(&ramp, Variant::Both).is_ok());
    // Nothing surprises in an alternation: zero, not minus zero.
    let alternating: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { 900.0 } else { 950.0 }).collect();
    assert!(entropy::sample_entropy(&alternating).unwrap().is_sign_positive());
}

#[test]
fn kubios_labels_see_the_whole_series_but_nothing_crosses_a_drop_out() {
    let (a, b) = (calm(200), calm(150));
    let rr = [a.clone(), vec![30_000.0], b.clone()].concat();
    let labels = run(rr.clone(), vec![], kubios()).labels;
    let want: String = hrvd::artifact::lipponen_tarvainen(&rr).iter().map(|l| l.letter()).collect();
    assert_eq!(labels, want);
    let w = whole(rr.clone(), kubios());
    let seconds = (a.iter().sum::<f64>() + b.iter().sum::<f64>()) / 1000.0;
    assert!((w.coverage - seconds / w.length_s).abs() < 1e-9, "{}", w.coverage);
    assert_eq!(w.grade, Grade::Poor);
    assert_eq!((w.welch, w.lomb), (Bands::none(Why::Gap), Bands::none(Why::Gap)));
    assert_eq!((w.dfa_alpha1, w.sample_entropy, w.breathing_per_min), (Err(Why::Gap), Err(Why::Gap), Err(Why::Gap)));
    assert!(w.time.rmssd_ms.unwrap() < 100.0 && w.stress_index.is_ok());
    let w = whole(rr.clone(), Options { artifacts: Artifacts::Correct, ..kubios() });
    assert!(w.time.rmssd_ms.unwrap() < 100.0, "{:?}", w.time.rmssd_ms);
    // A short drop-out: the longest stretch is measured, and says what it is.
    let short = [a.clone(), vec![4_500.0], b].concat();
    let (all, part) = (whole(short, kubios()), whole(a, kubios()));
    assert_eq!((all.dfa_alpha1, all.welch.hf_ms2), (part.dfa_alpha1, part.welch.hf_ms2));
    // As it is means as it is.
    let kept = whole(rr, Options { artifacts: Artifacts::Keep, ..kubios() });
    assert!((kept.coverage - 1.0).abs() < 1e-9 && kept.time.rmssd_ms.unwrap() > 1000.0);
}

#[test]
fn a_bad_grade_shows_nothing_and_says_why() {
    // A file that ends before its window.
    let long = Options { window_s: Some(600.0), ..Options::default() };
    for options in [long, Options { detector: DetectorKind::Kubios, ..long }] {
        let w = whole(calm(335), options);
        assert_eq!(w.grade, Grade::Bad);
        refused(&w, Why::TooShort);
    }
    assert!(whole(calm(335), Options { artifacts: Artifacts::Keep, ..long }).dfa_alpha1.is_ok());
    // Beats that are missing inside.
    let w = run(calm(400), vec![(250, 60.0)], Options::default()).windows.remove(0);
    assert_eq!(w.grade, Grade::Bad);
    refused(&w, Why::Gap);
    // Missing inside, and the recording ends early as well.
    let w = run(calm(400), vec![(250, 60.0)], long).windows.remove(0);
    refused(&w, Why::Gap);
    // Artifacts, even if the longest stretch has none.
    let torn: Vec<f64> = calm(300).iter().enumerate().map(|(i, x)| if i % 4 == 1 { 0.6 * x } else { *x }).collect();
    let w = run([calm(300), torn].concat(), vec![(300, 1.0)], Options::default()).windows.remove(0);
    assert_eq!(w.grade, Grade::Bad);
    refused(&w, Why::Artifacts);
}

#[test]
fn a_gap_at_the_edge_of_a_window_counts() {
    // 5 s are missing, 3 of them at the end of the first window and 2 at the beginning of the second.
    let a: Vec<f64> = [calm(400), vec![]].concat();
    let mut t = 0.0;
    let at = a.iter().position(|x| {
        t += x / 1000.0;
        t > 117.0
    });
    let options = Options { window_s: Some(120.0), ..Options::default() };
    let r = run(a, vec![(at.unwrap(), 5.0)], options);
    let grades: Vec<Grade> = r.windows.iter().map(|w| w.grade).collect();
    assert_eq!(grades, [Grade::Fair, Grade::Fair, Grade::Good]);
}

#[test]
fn limits_go_by_what_is_measured() {
    // Artifacts only in the shorter stretch: 4.3 % of the window, none of what sample entropy sees.
    let torn = |n: usize, every: usize| -> Vec<f64> {
        calm(n).iter().enumerate().map(|(i, x)| if i % every == 5 { 0.6 * x } else { *x }).collect()
    };
    let w = run([calm(300), torn(100, 7)].concat(), vec![(300, 2.0)], Options::default()).windows.remove(0);
    let pct = w.artifact_pct.unwrap();
    assert!((3.0..10.0).contains(&pct), "{pct}");
    assert!(w.sample_entropy.is_ok() && w.dfa_alpha1.is_ok() && w.welch.hf_ms2.is_ok());
    let stretch = w.stretch.unwrap();
    assert_eq!((stretch.n, stretch.artifact_pct, stretch.start_s), (300, Some(0.0), 0.0));
    assert!((stretch.length_s - calm(300).iter().sum::<f64>() / 1000.0).abs() < 1e-9);
    // The other way round: little in the window, too much in the stretch.
    let w = run([torn(200, 16), calm(190)].concat(), vec![(200, 2.0)], Options::default()).windows.remove(0);
    let (all, part) = (w.artifact_pct.unwrap(), w.stretch.unwrap().artifact_pct.unwrap());
    assert!(all < 5.0 && part > 5.0, "{all} {part}");
    assert_eq!((w.dfa_alpha1, w.welch.hf_ms2), (Err(Why::Artifacts), Err(Why::Artifacts)));
}

#[test]
fn the_stress_index_needs_no_continuity() {
    let (a, b) = (calm(180), calm(160).iter().map(|x| x - 120.0).collect::<Vec<_>>());
    let w = run([a.clone(), b.clone()].concat(), vec![(180, 5.0)], Options::default()).windows.remove(0);
    assert_eq!(w.artifact_pct, Some(0.0));
    assert_eq!(w.stress_index, baevsky::stress_index(&[a, b].concat()));
}

/// Area under the plot's spectrum over a band, from the picture's own points and tick labels.
fn drawn_power(picture: &str, (lo, hi): (f64, f64)) -> f64 {
    let line = picture.split("stroke='#2ca02c' points='").nth(1).unwrap().split('\'').next().unwrap();
    let highest: f64 = picture.split("text-anchor='end'>").last().unwrap().split('<').next().unwrap().parse().unwrap();
    let points: Vec<(f64, f64)> = line
        .split_whitespace()
        .map(|p| p.split_once(',').unwrap())
        .map(|(x, y)| (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap()))
        .map(|(x, y)| ((x - 430.0) / 540.0 * 0.5, (700.0 - y) / 290.0 * highest))
        .filter(|p| (lo..hi).contains(&p.0))
        .collect();
    points.windows(2).map(|p| 0.5 * (p[0].1 + p[1].1) * (p[1].0 - p[0].0)).sum()
}

#[test]
fn the_picture_shows_what_was_analysed() {
    let mut rr: Vec<f64> = calm(335)
        .iter()
        .scan(0.0, |t, x| {
            *t += x / 1000.0;
            Some(x + 40.0 * (std::f64::consts::TAU * 0.2 * *t).sin())
        })
        .collect();
    for k in [60, 150, 240] {
        rr[k] *= 2.0;
    }
    for options in [
        Options::default(),
        kubios(),
        Options { artifacts: Artifacts::Keep, ..Options::default() },
        Options { artifacts: Artifacts::Correct, ..kubios() },
    ] {
        let series = Series { rr_ms: rr.clone(), gaps: vec![] };
        let report = analyze(&series, &options);
        let picture = svg("x", &series, &report);
        let (drawn, want) = (drawn_power(&picture, (0.15, 0.4)), report.windows[0].welch.hf_ms2.unwrap());
        assert!((drawn / want - 1.0).abs() < 0.05, "{options:?}: {drawn} {want}");
        let dots = picture.matches("r='1.6'").count();
        assert_eq!(dots, report.windows[0].time.pairs, "{options:?}");
    }
    // What is refused is not drawn.
    let torn: Vec<f64> = calm(300).iter().enumerate().map(|(i, x)| if i % 5 == 1 { 0.6 * x } else { *x }).collect();
    let series = Series { rr_ms: torn, gaps: vec![] };
    let picture = svg("x", &series, &analyze(&series, &Options::default()));
    assert!(picture.contains("Spectrum: artifacts"));
}
