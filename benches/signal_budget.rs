//! Work to be counted by callgrind: `signal_budget STAGE N` does STAGE N times. Two runs with different N, and only the
//! stage itself is left in the difference:
//! `valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/deps/signal_budget-* dfa 100`.

use hrvd::artifact::{self, Detector, LiveDetector};
use hrvd::hrs;
use hrvd::hrv::bands::Bands;
use hrvd::hrv::dfa::{Variant, alpha1};
use hrvd::hrv::lomb::Lomb;
use hrvd::hrv::nn::Segment;
use hrvd::hrv::rolling::{LIVE_SPANS, Windows};
use hrvd::hrv::time::TimeDomain;
use hrvd::hrv::welch::{Detrend, Welch};
use hrvd::hrv::{breathing, entropy};
use hrvd::units::{Mono, RrTicks};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

/// An interval of a heart that breathes.
fn tick(i: usize) -> u16 {
    (900.0 + 60.0 * (i as f64 * 1.3).sin() + 25.0 * (i as f64 * 0.13).cos()) as u16 + (i * 37 % 23) as u16
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let stage = args.next().unwrap_or_default();
    let n: usize = args.next().and_then(|a| a.parse().ok()).unwrap_or(1000);
    // Two minutes at 140 beats a minute for DFA; five minutes at rest for the rest.
    let exercise: Vec<f64> = (0..280).map(|i| 428.0 + f64::from(i) * 0.01 + (f64::from(i * 31 % 17) - 8.0)).collect();
    let rest: Vec<f64> = (0..330).map(|i| RrTicks(tick(i)).as_ms()).collect();
    let labels = artifact::classify(&rest);
    if stage == "live" {
        live(n);
        return;
    }
    let (mut welch, mut lomb) = (Welch::new(), Lomb::new());
    for _ in 0..n {
        let (exercise, rest) = (black_box(exercise.as_slice()), black_box(rest.as_slice()));
        match stage.as_str() {
            "dfa" => drop(black_box(alpha1(exercise, Variant::Exercise))),
            "time" => drop(black_box(TimeDomain::of(&[Segment::new(rest, &labels, false)]))),
            "welch" => drop(black_box::<Bands>(welch.bands(rest, Detrend::Linear))),
            "lomb" => drop(black_box::<Bands>(lomb.bands(rest))),
            "entropy" => drop(black_box(entropy::sample_entropy(rest))),
            "breathing" => drop(black_box(breathing::estimate_with(&mut lomb, rest))),
            "kubios" => drop(black_box(artifact::lipponen_tarvainen(rest))),
            _ => {}
        }
    }
}

/// `n` beats through decoding, detection and the three live windows.
fn live(n: usize) {
    let mut detector = LiveDetector::new();
    let mut windows = Windows::over(LIVE_SPANS);
    let mut undecided = VecDeque::new();
    let mut at = Mono::from_secs(1000);
    let ticks: Vec<u16> = (0..1000).map(tick).collect();
    for tick in ticks.iter().cycle().take(n) {
        let [lo, hi] = tick.to_le_bytes();
        let (m, _) = hrs::decode(black_box(&[0x10, 65, lo, hi]));
        for rr in m.rr {
            at = at + Duration::from_micros(rr.as_micros());
            undecided.push_back((at, rr));
            let Some(label) = detector.push(rr.as_ms()) else { continue };
            let Some((at, rr)) = undecided.pop_front() else { continue };
            windows.push(at, rr, label);
        }
    }
    for window in windows.windows() {
        black_box(window.time_domain());
    }
}
