//! A short autoregressive model of the last intervals: what the next interval should be.

/// Order of the model: enough for one breath of four beats, short enough to be decided within five.
pub(super) const ORDER: usize = 3;
/// Intervals behind the model.
const WINDOW: usize = 90;
/// Room for the window and for what comes until it is moved to the front again.
const ROOM: usize = 256;
/// Most intervals that a fit looks at.
const MOST: usize = WINDOW + 8;

/// The whitening filter `[1, c1, .., c_ORDER]`: applied to intervals around their level it leaves what could not be
/// foreseen.
pub(super) type Filter = [f64; ORDER + 1];

/// A trailing window of intervals that a model can be fitted to.
#[derive(Clone, Debug)]
pub(super) struct Autoregression {
    kept: [f64; ROOM],
    end: usize,
}

impl Autoregression {
    pub(super) const fn new() -> Self {
        Self { kept: [0.0; ROOM], end: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.end = 0;
    }

    /// Takes an interval that is normal, or the best guess in place of one that is not.
    pub(super) fn push(&mut self, ms: f64) {
        if self.end == ROOM {
            self.kept.copy_within(ROOM - WINDOW.., 0);
            self.end = WINDOW;
        }
        self.kept[self.end] = ms;
        self.end += 1;
    }

    /// Fits the model to the window and to the intervals `ahead`, known but not decided yet; gives its filter and its
    /// level in ms. `ridge` and `noise_ms` (white noise that is assumed on top) keep it tame on little data. `None`
    /// while there is hardly any.
    pub(super) fn fit(&self, ahead: &[f64], ridge: f64, noise_ms: f64) -> Option<(Filter, f64)> {
        let window = &self.kept[self.end.saturating_sub(WINDOW)..self.end];
        let n = window.len() + ahead.len();
        if n <= ORDER || window.is_empty() || n > MOST {
            return None;
        }
        let mut around = [0.0; MOST];
        let around = &mut around[..n];
        around[..window.len()].copy_from_slice(window);
        around[window.len()..].copy_from_slice(ahead);
        let level = around.iter().sum::<f64>() / n as f64;
        for v in around.iter_mut() {
            *v -= level;
        }
        let mut r = [0.0; ORDER + 1];
        for (lag, r) in r.iter_mut().enumerate() {
            *r = dot(&around[lag..], &around[..n - lag]);
        }
        r[0] = r[0] * (1.0 + ridge) + 20.0 * noise_ms * noise_ms;
        Some((levinson(&r), level))
    }
}

/// Inner product in four independent sums, so that it can use wide registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a4.zip(b4) {
        for k in 0..4 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Levinson-Durbin recursion; stops early if the error power vanishes.
fn levinson(r: &[f64; ORDER + 1]) -> Filter {
    let mut a = [1.0, 0.0, 0.0, 0.0];
    if r[0] <= 0.0 {
        return a;
    }
    a[1] = -r[1] / r[0];
    let error = r[0] * (1.0 - a[1] * a[1]);
    if error <= 0.0 {
        return a;
    }
    let k = -(r[2] + a[1] * r[1]) / error;
    a[1] += k * a[1];
    a[2] = k;
    let error = error * (1.0 - k * k);
    if error <= 0.0 {
        return a;
    }
    let k = -(r[3] + a[1] * r[2] + a[2] * r[1]) / error;
    [1.0, a[1] + k * a[2], a[2] + k * a[1], k]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_the_normal_equations_of_the_last_intervals() {
        let xs: Vec<f64> =
            (0..700).map(|i| 900.0 + 80.0 * (f64::from(i) * 1.3).sin() + f64::from((i * 31) % 17)).collect();
        let mut m = Autoregression::new();
        for (i, x) in xs.iter().enumerate() {
            m.push(*x);
            let ahead = &xs[i + 1..(i + 1 + i % 7).min(xs.len())];
            let w = &xs[(i + 1).saturating_sub(WINDOW)..i + 1 + ahead.len()];
            let Some((filter, level)) = m.fit(ahead, 0.05, 3.0) else {
                assert!(w.len() <= ORDER);
                continue;
            };
            let mean = w.iter().sum::<f64>() / w.len() as f64;
            assert!((level - mean).abs() < 1e-9);
            let r = |lag: usize| (lag..w.len()).map(|t| (w[t] - mean) * (w[t - lag] - mean)).sum::<f64>();
            let r0 = r(0) * 1.05 + 20.0 * 9.0;
            for row in 1..=ORDER {
                let left: f64 = (0..=ORDER).map(|k| filter[k] * if row == k { r0 } else { r(row.abs_diff(k)) }).sum();
                assert!(left.abs() < 1e-9 * r0, "{i}: {left}");
            }
        }
    }

    #[test]
    fn a_sine_is_foreseen() {
        let mut m = Autoregression::new();
        let x = |i: i32| 1000.0 + 150.0 * (f64::from(i) * std::f64::consts::FRAC_PI_2 + 0.3).sin();
        for i in 0..120 {
            m.push(x(i));
        }
        let (a, _) = m.fit(&[], 0.0, 0.0).unwrap();
        let left: f64 = (0..=ORDER).map(|l| a[l] * (x(120 - l as i32) - 1000.0)).sum();
        assert!(left.abs() < 10.0, "{left}");
    }

    #[test]
    fn no_data_is_no_model() {
        assert!(Autoregression::new().fit(&[900.0; 6], 0.05, 1.0).is_none());
    }
}
