//! Time domain and Poincaré plot, over normal intervals and over usable pairs of them.

use super::nn::Segment;
use super::stats::{mean, sum_of, variance, variance_around};
use super::{Metric, Why, finite};

/// Time-domain metrics of one window. Differences never cross a gap or an artifact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeDomain {
    /// Normal intervals.
    pub normal: usize,
    /// Usable pairs of neighbouring normal intervals.
    pub pairs: usize,
    /// Mean interval, ms.
    pub mean_rr_ms: Metric,
    /// 60000 over the mean interval, bpm (not the mean of instantaneous rates).
    pub mean_hr_bpm: Metric,
    /// Standard deviation of intervals (n − 1), ms.
    pub sdnn_ms: Metric,
    /// Root mean square of successive differences, ms.
    pub rmssd_ms: Metric,
    /// Natural logarithm of RMSSD in ms.
    pub ln_rmssd: Metric,
    /// Standard deviation of successive differences (n − 1), ms.
    pub sdsd_ms: Metric,
    /// Share of pairs that differ by more than 50 ms, %.
    pub pnn50_pct: Metric,
    /// Share of pairs that differ by more than 20 ms, %.
    pub pnn20_pct: Metric,
    /// Poincaré width: standard deviation of (b − a)/√2 (n − 1), ms.
    pub sd1_ms: Metric,
    /// Poincaré length: standard deviation of (b + a)/√2 (n − 1), ms.
    pub sd2_ms: Metric,
}

impl TimeDomain {
    /// Computes all of them.
    pub fn of(segments: &[Segment<'_>]) -> Self {
        let normal: Vec<f64> = segments.iter().flat_map(|s| s.normal()).collect();
        let (mut differences, mut sums) = (Vec::with_capacity(normal.len()), Vec::with_capacity(normal.len()));
        for (a, b) in segments.iter().flat_map(|s| s.pairs()) {
            differences.push(b - a);
            sums.push(b + a);
        }
        let pairs = differences.len();
        let few = |have: usize, need: usize, value: f64| {
            if have < need { Err(Why::TooFew) } else { finite(value, Why::TooFew) }
        };
        let mean_of_normal = mean(&normal);
        let mean_rr = few(normal.len(), 1, mean_of_normal);
        let rmssd = few(pairs, 1, mean_square(&differences).sqrt());
        let sdsd = few(pairs, 2, variance(&differences).sqrt());
        let share = |limit: f64| 100.0 * sum_of(&differences, |d| f64::from(u8::from(d.abs() > limit))) / pairs as f64;
        Self {
            normal: normal.len(),
            pairs,
            mean_rr_ms: mean_rr,
            mean_hr_bpm: mean_rr.and_then(|rr| finite(60_000.0 / rr, Why::TooFew)),
            sdnn_ms: few(normal.len(), 2, variance_around(&normal, mean_of_normal).sqrt()),
            rmssd_ms: rmssd,
            ln_rmssd: rmssd.and_then(|v| finite(v.ln(), Why::NoVariation)),
            sdsd_ms: sdsd,
            pnn50_pct: few(pairs, 1, share(50.0)),
            pnn20_pct: few(pairs, 1, share(20.0)),
            sd1_ms: sdsd.map(|v| v / std::f64::consts::SQRT_2),
            sd2_ms: few(pairs, 2, (variance(&sums) / 2.0).sqrt()),
        }
    }
}

impl TimeDomain {
    /// The counts stay, the numbers go.
    pub fn refused(self, why: Why) -> Self {
        let none = Err(why);
        Self { mean_rr_ms: none, mean_hr_bpm: none, sdnn_ms: none, ..self.without_differences(why) }
    }

    /// Only mean interval and heart rate stay.
    pub fn only_mean(self, why: Why) -> Self {
        Self { sdnn_ms: Err(why), ..self.without_differences(why) }
    }

    /// The counts and what needs no pairs stay.
    pub fn without_differences(self, why: Why) -> Self {
        let none = Err(why);
        Self {
            rmssd_ms: none,
            ln_rmssd: none,
            sdsd_ms: none,
            pnn50_pct: none,
            pnn20_pct: none,
            sd1_ms: none,
            sd2_ms: none,
            ..self
        }
    }
}

fn mean_square(x: &[f64]) -> f64 {
    sum_of(x, |v| v * v) / x.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Label;
    use proptest::prelude::*;

    fn plain(rr: &[f64]) -> TimeDomain {
        TimeDomain::of(&[Segment::new(rr, &vec![Label::Normal; rr.len()], false)])
    }

    #[test]
    fn by_hand() {
        let t = plain(&[1000.0, 1060.0, 1030.0, 1030.0]);
        assert_eq!((t.normal, t.pairs), (4, 3));
        assert_eq!(t.mean_rr_ms, Ok(1030.0));
        assert!((t.rmssd_ms.unwrap() - 1500.0f64.sqrt()).abs() < 1e-12);
        assert!((t.sdnn_ms.unwrap() - 600.0f64.sqrt()).abs() < 1e-12);
        assert!((t.sdsd_ms.unwrap() - 2100.0f64.sqrt()).abs() < 1e-12);
        assert!((t.pnn50_pct.unwrap() - 100.0 / 3.0).abs() < 1e-12);
        assert!((t.pnn20_pct.unwrap() - 200.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn too_little_is_absent_not_zero() {
        assert_eq!(plain(&[]).mean_rr_ms, Err(Why::TooFew));
        let one = plain(&[900.0]);
        assert_eq!((one.mean_rr_ms, one.rmssd_ms, one.sdnn_ms), (Ok(900.0), Err(Why::TooFew), Err(Why::TooFew)));
        let flat = plain(&[900.0; 5]);
        assert_eq!((flat.rmssd_ms, flat.ln_rmssd), (Ok(0.0), Err(Why::NoVariation)));
        assert_eq!(plain(&[900.0, f64::NAN]).mean_rr_ms, Err(Why::TooFew));
    }

    proptest! {
        #[test]
        fn laws(rr in proptest::collection::vec(300.0..2000.0f64, 3..120), k in 0.5..2.0f64, shift in 0.0..500.0f64) {
            let close = |a: Metric, b: f64| { let a = a.unwrap(); (a - b).abs() <= 1e-9 * b.abs().max(1.0) };
            let t = plain(&rr);
            // Scaling scales, shifting leaves the spread alone, reversal and SD1 = SDSD/√2.
            let scaled = plain(&rr.iter().map(|x| x * k).collect::<Vec<_>>());
            prop_assert!(close(scaled.rmssd_ms, k * t.rmssd_ms.unwrap()));
            prop_assert!(close(scaled.sdnn_ms, k * t.sdnn_ms.unwrap()));
            let shifted = plain(&rr.iter().map(|x| x + shift).collect::<Vec<_>>());
            prop_assert!(close(shifted.rmssd_ms, t.rmssd_ms.unwrap()));
            prop_assert!(close(shifted.sd2_ms, t.sd2_ms.unwrap()));
            let back = plain(&rr.iter().rev().copied().collect::<Vec<_>>());
            prop_assert!(close(back.rmssd_ms, t.rmssd_ms.unwrap()));
            prop_assert!(close(t.sd1_ms, t.sdsd_ms.unwrap() / 2.0f64.sqrt()));
            // Any order of the intervals has the same SDNN.
            let mut sorted = rr.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            prop_assert!(close(plain(&sorted).sdnn_ms, t.sdnn_ms.unwrap()));
        }

        #[test]
        fn segments_are_not_one_series(a in proptest::collection::vec(300.0..2000.0f64, 2..40), b in proptest::collection::vec(300.0..2000.0f64, 2..40)) {
            let n = vec![Label::Normal; 80];
            let apart = TimeDomain::of(&[Segment::new(&a, &n, false), Segment::new(&b, &n, false)]);
            let joined = plain(&[a.clone(), b.clone()].concat());
            prop_assert_eq!(apart.pairs + 1, joined.pairs);
            prop_assert_eq!(apart.sdnn_ms, joined.sdnn_ms);
            let square = |t: &TimeDomain| t.rmssd_ms.unwrap().powi(2) * t.pairs as f64;
            let step = b[0] - a[a.len() - 1];
            prop_assert!((square(&joined) - square(&apart) - step * step).abs() < 1e-6 * square(&joined).max(1.0));
        }

        #[test]
        fn never_nan(rr in proptest::collection::vec(proptest::num::f64::ANY, 0..30)) {
            let t = plain(&rr);
            for m in [t.mean_rr_ms, t.mean_hr_bpm, t.sdnn_ms, t.rmssd_ms, t.ln_rmssd, t.sdsd_ms, t.pnn50_pct, t.pnn20_pct, t.sd1_ms, t.sd2_ms] {
                prop_assert!(m.is_err() || m.unwrap().is_finite());
            }
        }
    }
}
