//! Breathing rate from respiratory sinus arrhythmia: the heart quickens with each breath in.

use super::Why;
use super::bands::Spectrum;
use super::lomb::Lomb;
use super::stats::{mean, percentile, sum_of};
use super::tachogram::{RATE_HZ, Tachogram};

/// An estimate that was confident enough to be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breathing {
    /// Breaths a minute.
    pub per_min: f64,
    /// How sure, 0 to 1: the share of the window that the accepted breaths fill or, for slow breathing, of the power
    /// that the slow peak holds.
    pub confidence: f64,
}

/// What the counting method saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// Breaths a minute.
    pub per_min: f64,
    /// Share of the window that is made of accepted breaths.
    pub coverage: f64,
}

/// Counting method "count-orig" (Schäfer & Kratky 2008, Ann Biomed Eng 36:476): spline to 4 Hz, zero-phase band-pass
/// 0.1–0.5 Hz, maxima above 0.2 times their third quartile; a breath lies between two successive ones with exactly one
/// minimum below zero between them. `None` with fewer than four breaths.
pub fn count(rr_ms: &[f64]) -> Option<Count> {
    count_of(&Tachogram::of(rr_ms).ok()?)
}

fn count_of(tachogram: &Tachogram<'_>) -> Option<Count> {
    if tachogram.rr_ms().len() < 8 {
        return None;
    }
    let mut x = tachogram.even().ok()?;
    if (x.len() - 1) as f64 / RATE_HZ >= tachogram.length_s() {
        x = &x[..x.len() - 1];
    }
    if x.len() <= PADDING {
        return None;
    }
    let x = band_pass(x, mean(x));
    let turns = |sign: f64| -> Vec<usize> {
        (1..x.len() - 1).filter(|&i| sign * x[i] > sign * x[i - 1] && sign * x[i] >= sign * x[i + 1]).collect()
    };
    let (tops, bottoms) = (turns(1.0), turns(-1.0));
    if tops.len() < 5 {
        return None;
    }
    let heights: Vec<f64> = tops.iter().map(|&i| x[i]).collect();
    let least = 0.2 * percentile(&heights, 75.0);
    let tops: Vec<usize> = tops.into_iter().filter(|&i| x[i] > least).collect();
    let mut breaths = Vec::new();
    for pair in tops.windows(2) {
        let from = bottoms.partition_point(|&i| i <= pair[0]);
        let to = bottoms.partition_point(|&i| i < pair[1]);
        if to == from + 1 && x[bottoms[from]] < 0.0 {
            breaths.push((pair[1] - pair[0]) as f64 / RATE_HZ);
        }
    }
    if breaths.len() < 4 {
        return None;
    }
    let per_min = 60.0 / mean(&breaths);
    let coverage = breaths.iter().sum::<f64>() / (x.len() as f64 / RATE_HZ);
    (per_min.is_finite() && coverage.is_finite()).then_some(Count { per_min, coverage })
}

/// Butterworth band-pass of design order 5, 0.1–0.5 Hz at 4 Hz, as second-order sections (b0 b1 b2 a1 a2), from
/// `scipy.signal.butter(5, [0.1, 0.5], "band", fs=4, output="sos")`.
const SECTIONS: [[f64; 5]; 5] = [
    [
        1.282_581_078_960_685_5e-3,
        2.565_162_157_921_371e-3,
        1.282_581_078_960_685_5e-3,
        -1.140_009_831_827_117_7,
        0.448_370_611_713_774_1,
    ],
    [1.0, 2.0, 1.0, -std::f64::consts::SQRT_2, 0.509_525_449_494_428_8],
    [1.0, 0.0, -1.0, -1.246_880_663_812_511_2, 0.741_198_337_214_507_5],
    [1.0, -2.0, 1.0, -1.761_050_682_680_123, 0.792_752_140_497_773_2],
    [1.0, -2.0, 1.0, -1.909_696_838_245_408_7, 0.934_391_107_770_968_6],
];
/// Samples mirrored at either end.
const PADDING: usize = 33;

/// Forward and backward, so that nothing is delayed; the ends are continued by odd reflection.
fn band_pass(x: &[f64], mean: f64) -> Vec<f64> {
    let n = x.len();
    let v = |i: usize| x[i] - mean;
    let mut y = Vec::with_capacity(n + 2 * PADDING);
    y.extend((1..=PADDING).rev().map(|i| 2.0 * v(0) - v(i)));
    y.extend(x.iter().map(|x| x - mean));
    y.extend((1..=PADDING).map(|i| 2.0 * v(n - 1) - v(n - 1 - i)));
    let first = y[0];
    filter(y.iter_mut(), first);
    let last = y[y.len() - 1];
    filter(y.iter_mut().rev(), last);
    y.drain(..PADDING);
    y.truncate(n);
    y
}

/// One pass, started in the steady state of the first sample. All sections of a sample before the next sample: a
/// section waits only for itself then.
fn filter<'a>(y: impl Iterator<Item = &'a mut f64>, first: f64) {
    let mut level = first;
    let mut state = SECTIONS.map(|[b0, b1, b2, a1, a2]| {
        // Steady state of a transposed direct form II section under a constant input.
        let gain = (b0 + b1 + b2) / (1.0 + a1 + a2);
        let state = ((gain - b0) * level, (b2 - a2 * gain) * level);
        level *= gain;
        state
    });
    for v in y {
        let mut x = *v;
        for ([b0, b1, b2, a1, a2], (z1, z2)) in SECTIONS.iter().zip(&mut state) {
            let out = b0 * x + *z1;
            *z1 = (b1 * x + *z2) - a1 * out;
            *z2 = b2 * x - a2 * out;
            x = out;
        }
        *v = x;
    }
}

/// Shortest and longest window that an estimate is made from, s.
const SHORTEST_S: f64 = 45.0;
const LONGEST_S: f64 = 900.0;
/// Share of the window that accepted breaths must fill. Below 0.8 a constant guess was as good (docs/signal.md).
const LEAST_COVERAGE: f64 = 0.8;
/// Where slow breathing is looked for, Hz: 4.2 to 9 a minute. Counting is blind there, its filter starts at 0.1 Hz.
const SLOW_HZ: (f64, f64) = (0.07, 0.15);
/// Slow breathing concentrates the power around one frequency; the spontaneous wave near 0.1 Hz is broader.
const SLOW_SHARE: f64 = 0.65;
/// Amplitude of the slow wave, as a share of the mean interval: slow breaths swing the heart far, the wave little.
const SLOW_AMPLITUDE: f64 = 0.025;
const SLOW_HALF_WIDTH_HZ: f64 = 0.02;
/// Below this the spontaneous wave of blood pressure lies, Hz. A narrow one looks like breathing at five or six a
/// minute; only a swing beyond what that wave does is taken for breaths here.
const WAVE_HZ: f64 = 0.12;
const WAVE_SHARE: f64 = 0.75;
const WAVE_AMPLITUDE: f64 = 0.065;
/// Breaths counted this regularly and this much faster than the slow peak are the breathing; the peak is something else.
const FASTER: f64 = 1.3;
const REGULAR: f64 = 0.6;
/// Fastest breathing that is given, as a share of the heart rate. Beats sample the breath: half the heart rate is all
/// that they can show, anything faster is mirrored below it, and beats that alternate look like breathing right there.
const FASTEST: f64 = 0.4;
/// Least amplitude of a counted breath, ms, and least share of the power from 0.1 to 0.5 Hz that lies around its rate.
/// White noise has a fifth there.
const LEAST_AMPLITUDE_MS: f64 = 1.0;
const LEAST_SHARE: f64 = 0.25;
const HALF_WIDTH_HZ: f64 = 0.04;
const COUNTED_HZ: (f64, f64) = (0.1, 0.5);
/// Breathing below this rate inflates RMSSD and moves respiratory arrhythmia out of the HF band.
pub const SLOW_PER_MIN: f64 = 9.0;

impl Breathing {
    /// Whether it is slower than nine a minute.
    pub fn is_slow(self) -> bool {
        self.per_min < SLOW_PER_MIN
    }
}

/// Breathing rate of a window of corrected intervals without gaps, or [`Why::Unclear`].
pub fn estimate(rr_ms: &[f64]) -> Result<Breathing, Why> {
    estimate_with(&mut Lomb::new(), rr_ms)
}

/// The same with a spectrum estimator that has planned its transforms already.
pub fn estimate_with(lomb: &mut Lomb, rr_ms: &[f64]) -> Result<Breathing, Why> {
    length_s(rr_ms)?;
    let tachogram = Tachogram::of(rr_ms)?;
    let spectrum = lomb.spectrum_of(&tachogram)?;
    estimate_of(&tachogram, &spectrum)
}

/// The same of a tachogram and its Lomb–Scargle spectrum that others use, too.
pub fn estimate_of(tachogram: &Tachogram<'_>, lomb: &Spectrum) -> Result<Breathing, Why> {
    let rr_ms = tachogram.rr_ms();
    let length_s = length_s(rr_ms)?;
    let counted = count_of(tachogram);
    let slow = slow_peak(lomb, rr_ms)
        .filter(|slow| !counted.is_some_and(|c| c.coverage >= REGULAR && c.per_min > FASTER * slow.per_min));
    if let Some(slow) = slow {
        return Ok(slow);
    }
    let mean_hr = 60.0 * rr_ms.len() as f64 / length_s;
    match counted {
        // Slow ones are the spectrum's.
        Some(c)
            if c.coverage >= LEAST_COVERAGE
                && (SLOW_PER_MIN..FASTEST * mean_hr).contains(&c.per_min)
                && stands_out(lomb, c.per_min / 60.0, mean_hr / 120.0) =>
        {
            Ok(Breathing { per_min: c.per_min, confidence: c.coverage.min(1.0) })
        }
        _ => Err(Why::Unclear),
    }
}

/// Whether there is a wave at this frequency that noise and the strap's resolution do not make. Above `mirror` the
/// spectrum repeats itself.
fn stands_out(lomb: &Spectrum, hz: f64, mirror: f64) -> bool {
    let near = lomb.power((hz - HALF_WIDTH_HZ, hz + HALF_WIDTH_HZ)).unwrap_or(0.0);
    let all = lomb.power((COUNTED_HZ.0, COUNTED_HZ.1.min(mirror))).unwrap_or(f64::INFINITY);
    (2.0 * near).sqrt() >= LEAST_AMPLITUDE_MS && near >= LEAST_SHARE * all
}

/// Length of a window that is neither too short nor too long, s.
fn length_s(rr_ms: &[f64]) -> Result<f64, Why> {
    let length_s = sum_of(rr_ms, |rr| rr) / 1000.0;
    if length_s.is_nan() || length_s < SHORTEST_S {
        Err(Why::TooShort)
    } else if length_s > LONGEST_S {
        Err(Why::TooLong)
    } else {
        Ok(length_s)
    }
}

/// The slow peak of the spectrum, if it holds most of the power between 4 and 30 breaths a minute.
fn slow_peak(s: &Spectrum, rr_ms: &[f64]) -> Option<Breathing> {
    let from = s.first_at(SLOW_HZ.0);
    let (mut peak, mut top, mut total) = (from, 0.0, 0.0);
    for (k, p) in s.density.iter().enumerate().skip(from) {
        total += p;
        if *p > top {
            (peak, top) = (k, *p);
        }
    }
    let hz = s.hz(peak);
    if hz >= SLOW_HZ.1 || total <= 0.0 {
        return None;
    }
    let near = s.density.get(s.first_at(hz - SLOW_HALF_WIDTH_HZ).max(from)..s.first_at(hz + SLOW_HALF_WIDTH_HZ))?;
    let inside: f64 = near.iter().sum();
    let confidence = inside / total;
    let amplitude = (2.0 * inside * s.step_hz()).sqrt();
    let (share, swing) = if hz < WAVE_HZ { (WAVE_SHARE, WAVE_AMPLITUDE) } else { (SLOW_SHARE, SLOW_AMPLITUDE) };
    let enough = confidence >= share && amplitude >= swing * mean(rr_ms);
    enough.then_some(Breathing { per_min: 60.0 * hz, confidence })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breathing at a rate, with a broad 0.1-Hz wave and some jitter.
    fn heart(per_min: f64, rsa_ms: f64) -> Vec<f64> {
        let (mut t, mut rr, mut k) = (0.0f64, Vec::new(), 0u64);
        while t < 120.0 {
            k += 1;
            let jitter = ((k * k * 7919) % 17) as f64 - 8.0;
            let wave = 12.0 * (0.55 * t + 2.0 * (0.05 * t).sin()).sin();
            let x = 950.0 + rsa_ms * (std::f64::consts::TAU * per_min / 60.0 * t).sin() + wave + jitter;
            t += x / 1000.0;
            rr.push(x);
        }
        rr
    }

    #[test]
    fn a_clear_breath_is_measured() {
        for (per_min, rsa_ms) in [
            (5.0, 80.0),
            (6.0, 80.0),
            (7.5, 50.0),
            (10.0, 50.0),
            (12.0, 50.0),
            (15.0, 50.0),
            (18.0, 50.0),
            (21.0, 50.0),
        ] {
            let b = estimate(&heart(per_min, rsa_ms)).unwrap();
            assert!((b.per_min - per_min).abs() < 0.6, "{per_min}: {b:?}");
            assert_eq!(b.is_slow(), per_min < 9.0);
        }
    }

    /// A heart that breathes 15 times a minute, hardly visibly, under a narrow wave near 0.1 Hz.
    fn under_a_wave(wave_ms: f64, hz: f64) -> Vec<f64> {
        let (mut t, mut rr, mut k) = (0.0f64, Vec::new(), 0u64);
        while t < 120.0 {
            k += 1;
            let jitter = ((k * k * 7919) % 17) as f64 - 8.0;
            let wave = wave_ms * (std::f64::consts::TAU * hz * t + 0.5 * (0.05 * t).sin()).sin();
            let x = 950.0 + 6.0 * (std::f64::consts::TAU * 0.25 * t).sin() + wave + jitter;
            t += x / 1000.0;
            rr.push(x);
        }
        rr
    }

    #[test]
    fn a_wave_near_a_tenth_of_a_hertz_is_no_slow_breathing() {
        for wave_ms in [20.0, 28.0, 35.0, 42.0, 60.0] {
            for hz in [0.074, 0.08, 0.09, 0.1, 0.11] {
                let b = estimate(&under_a_wave(wave_ms, hz));
                assert!(!b.is_ok_and(Breathing::is_slow), "{wave_ms} ms at {hz} Hz: {b:?}");
            }
        }
    }

    /// A sine over beats, and jitter.
    fn sine(mean_ms: f64, rsa_ms: f64, per_min: f64, jitter_ms: f64) -> Vec<f64> {
        let (mut t, mut rr, mut k) = (0.0f64, Vec::new(), 0u64);
        while t < 121.0 {
            k += 1;
            let jitter = jitter_ms * (((k * k * 7919) % 17) as f64 / 8.0 - 1.0);
            let x = mean_ms + rsa_ms * (std::f64::consts::TAU * per_min / 60.0 * t).sin() + jitter;
            t += x / 1000.0;
            rr.push(x);
        }
        rr
    }

    #[test]
    fn what_beats_cannot_sample_is_unknown() {
        // Beats that alternate, alone and over a slow wave.
        let alternating: Vec<f64> = (0..130).map(|i| if i % 2 == 0 { 1000.0 } else { 940.0 }).collect();
        let waving: Vec<f64> = alternating.iter().enumerate().map(|(i, x)| x + 10.0 * (0.6 * i as f64).sin()).collect();
        assert_eq!((estimate(&alternating), estimate(&waving)), (Err(Why::Unclear), Err(Why::Unclear)));
        // 35 a minute at 60 bpm looks like 25, 24 at 45 like 21.
        for (mean_ms, per_min) in [(1000.0, 35.0), (1000.0, 26.0), (1330.0, 24.0), (1330.0, 20.0)] {
            assert_eq!(estimate(&sine(mean_ms, 40.0, per_min, 8.0)), Err(Why::Unclear), "{mean_ms} {per_min}");
        }
        for (mean_ms, per_min) in [(1000.0, 22.0), (1330.0, 16.0), (400.0, 28.0)] {
            let b = estimate(&sine(mean_ms, 0.03 * mean_ms, per_min, 2.0)).unwrap();
            assert!((b.per_min - per_min).abs() < 0.6, "{mean_ms} {per_min}: {b:?}");
        }
        // A breath that the strap's resolution could have made.
        assert_eq!(estimate(&sine(950.0, 0.5, 15.0, 0.0)), Err(Why::Unclear));
    }

    #[test]
    fn noise_does_not_breathe() {
        let mut x = 88_172_645_463_325_252u64;
        let mut noise = || {
            let mut sum = 0.0;
            for _ in 0..4 {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                sum += (x >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
            }
            sum
        };
        let mut given = 0;
        for (mean_ms, sd_ms, n) in [(1000.0, 40.0, 130), (800.0, 30.0, 160), (660.0, 20.0, 190), (500.0, 8.0, 250)] {
            for _ in 0..100 {
                let rr: Vec<f64> = (0..n).map(|_| mean_ms + 1.73 * sd_ms * noise()).collect();
                given += usize::from(estimate(&rr).is_ok());
            }
        }
        assert!(given <= 6, "{given} of 400");
    }

    #[test]
    fn no_visible_breath_is_unknown() {
        assert_eq!(estimate(&heart(15.0, 1.0)), Err(Why::Unclear));
        assert_eq!(estimate(&heart(15.0, 50.0)[..30]), Err(Why::TooShort));
        assert_eq!(estimate(&[900.0; 120]), Err(Why::Unclear));
        assert_eq!(estimate(&[f64::NAN; 120]), Err(Why::TooShort));
        assert_eq!(estimate(&[900.0; 2000]), Err(Why::TooLong));
    }
}
