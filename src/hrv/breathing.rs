//! Breathing from respiratory sinus arrhythmia.

use crate::artifact::Label;

/// Whether most of the variability between 0.04 and 0.5 Hz sits below `per_min` breaths a minute: breathing that slow
/// inflates RMSSD. `false` when it cannot be told.
pub fn slow(rr_ms: &[f64], labels: &[Label], per_min: f64) -> bool {
    let mut t = 0.0;
    let mut points = vec![];
    for (rr, label) in rr_ms.iter().zip(labels) {
        t += rr / 1000.0;
        if label.is_normal() {
            points.push((t, *rr));
        }
    }
    if points.len() < 45 {
        return false;
    }
    let n = points.len() as f64;
    let mean = points.iter().map(|p| p.1).sum::<f64>() / n;
    let (mut peak, mut peak_power, mut low, mut all) = (0.0, 0.0, 0.0, 0.0);
    // slower than 4 breaths a minute cannot be told from drift in two minutes
    for step in 0..160 {
        let f = 0.06 + 0.0025 * f64::from(step);
        let (mut c, mut s) = (0.0, 0.0);
        for (t, x) in &points {
            let (sin, cos) = (2.0 * std::f64::consts::PI * f * t).sin_cos();
            c += (x - mean) * cos;
            s += (x - mean) * sin;
        }
        let power = c * c + s * s;
        all += power;
        if f < per_min / 60.0 {
            low += power;
        }
        if power > peak_power {
            (peak, peak_power) = (f, power);
        }
    }
    peak < per_min / 60.0 && low > 0.7 * all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(per_min: f64, depth: f64) -> Vec<f64> {
        let mut t = 0.0;
        (0..150)
            .map(|_| {
                let rr = 900.0 + depth * (2.0 * std::f64::consts::PI * per_min / 60.0 * t).sin();
                t += rr / 1000.0;
                rr
            })
            .collect()
    }

    #[test]
    fn six_a_minute_is_slow_and_fifteen_is_not() {
        for (per_min, want) in [(6.0, true), (8.0, true), (10.5, false), (15.0, false), (20.0, false)] {
            let rr = rsa(per_min, 40.0);
            assert_eq!(slow(&rr, &vec![Label::Normal; rr.len()], 9.0), want, "{per_min}");
        }
        assert!(!slow(&[900.0; 20], &[Label::Normal; 20], 9.0));
        assert!(!slow(&[900.0; 200], &[Label::Normal; 200], 9.0));
    }
}
