//! A short autoregressive model of the last intervals, from exact sums: what the next interval should be.

/// Order of the model: enough for one breath of four beats, short enough to be decided within five.
pub(super) const ORDER: usize = 3;
/// Undecided intervals that a fit takes along.
const AHEAD: usize = 6;
/// Intervals behind the model.
const WINDOW: usize = 90;
/// Steps per ms of the sums: finer than any strap (1.024 per ms). Whole steps stay below 2^53 in every sum, so that
/// adding and taking away is exact and nothing drifts.
const STEPS_PER_MS: f64 = 64.0;
/// Longest interval that enters the sums, ms.
const CEILING_MS: f64 = 4000.0;

/// Autocovariance sums over a trailing window of intervals.
#[derive(Clone, Debug)]
pub(super) struct Autoregression {
    ring: [f64; WINDOW],
    len: usize,
    next: usize,
    sum: f64,
    /// Sums of products of values `lag` apart, both inside the window.
    products: [f64; ORDER + 1],
}

/// What [`Autoregression::fit`] found.
pub(super) struct Model {
    /// The whitening filter `[1, c1, .., c_ORDER]`: applied to intervals around their level it leaves what could not be
    /// foreseen.
    pub(super) filter: [f64; ORDER + 1],
    /// That level, ms, if there are data.
    pub(super) level_ms: Option<f64>,
}

impl Autoregression {
    pub(super) const fn new() -> Self {
        Self { ring: [0.0; WINDOW], len: 0, next: 0, sum: 0.0, products: [0.0; ORDER + 1] }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// The value `back` places before the newest, `back` < WINDOW.
    fn back(&self, back: usize) -> f64 {
        let at = self.next + WINDOW - 1 - back;
        self.ring[if at >= WINDOW { at - WINDOW } else { at }]
    }

    /// The value `k` < ORDER places after the oldest, in a window that goes on into `ahead`.
    fn oldest(&self, k: usize, ahead: &[f64]) -> f64 {
        if k < self.len { self.back(self.len - 1 - k) } else { ahead[k - self.len] }
    }

    /// Takes an interval that is normal, or the best guess in place of one that is not.
    pub(super) fn push(&mut self, ms: f64) {
        let x = steps(ms);
        if self.len == WINDOW {
            let old = self.ring[self.next];
            for (lag, p) in self.products.iter_mut().enumerate() {
                let at = self.next + lag;
                *p -= old * self.ring[if at >= WINDOW { at - WINDOW } else { at }];
            }
            self.sum -= old;
            self.len -= 1;
        }
        self.ring[self.next] = x;
        self.next = if self.next + 1 == WINDOW { 0 } else { self.next + 1 };
        self.len += 1;
        self.sum += x;
        if self.len > ORDER {
            for lag in 0..=ORDER {
                self.products[lag] += x * self.back(lag);
            }
        } else {
            for lag in 0..self.len {
                self.products[lag] += x * self.back(lag);
            }
        }
    }

    /// Fits the model. The first `count` intervals `ahead`, not decided yet, but known, count as well. `ridge` and `noise_ms`
    /// (white noise that is assumed on top) keep it tame on little data.
    pub(super) fn fit(&self, ahead: &[f64; AHEAD], count: usize, ridge: f64, noise_ms: f64) -> Model {
        let mut r = [0.0; ORDER + 1];
        let count = count.min(AHEAD);
        let n = self.len + count;
        let mut level_ms = None;
        if n > ORDER && self.len > 0 {
            // The last three decided ones, then those ahead; places before the start hold zero.
            let mut known = [0.0; ORDER + AHEAD];
            for back in 0..ORDER.min(self.len) {
                known[ORDER - 1 - back] = self.back(back);
            }
            for (k, ms) in known[ORDER..ORDER + count].iter_mut().zip(ahead) {
                *k = steps(*ms);
            }
            // What is not there is zero and adds nothing.
            let (mut sum, mut products) = (self.sum, self.products);
            for i in ORDER..ORDER + AHEAD {
                sum += known[i];
                for (lag, p) in products.iter_mut().enumerate() {
                    *p += known[i] * known[i - lag];
                }
            }
            let mean = sum / n as f64;
            level_ms = Some(mean / STEPS_PER_MS);
            // Σ(x_t−m)(x_(t−lag)−m), multiplied out; only this last step rounds.
            let (mut without_newest, mut without_oldest) = (sum, sum);
            for (lag, out) in r.iter_mut().enumerate() {
                if lag > 0 {
                    without_newest -= known[ORDER + count - lag];
                    without_oldest -= self.oldest(lag - 1, &known[ORDER..]);
                }
                *out = products[lag] - mean * (without_newest + without_oldest) + (n - lag) as f64 * mean * mean;
            }
        }
        let noise = noise_ms * STEPS_PER_MS;
        r[0] = r[0] * (1.0 + ridge) + 20.0 * noise * noise;
        Model { filter: levinson(&r), level_ms }
    }
}

/// An interval in whole steps of the sums.
fn steps(ms: f64) -> f64 {
    ((ms.clamp(0.0, CEILING_MS) * STEPS_PER_MS + 0.5) as i64) as f64
}

/// Levinson-Durbin recursion; stops early if the error power vanishes.
fn levinson(r: &[f64; ORDER + 1]) -> [f64; ORDER + 1] {
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
    fn sums_equal_a_fresh_computation() {
        let xs: Vec<f64> =
            (0..300).map(|i| 900.0 + 80.0 * (f64::from(i) * 1.3).sin() + f64::from((i * 31) % 17)).collect();
        let mut m = Autoregression::new();
        for (i, x) in xs.iter().enumerate() {
            m.push(*x);
            let ahead = &xs[i + 1..(i + 1 + i % 7).min(xs.len())];
            let w: Vec<f64> = xs[(i + 1).saturating_sub(WINDOW)..i + 1 + ahead.len()]
                .iter()
                .map(|x| (x * STEPS_PER_MS + 0.5).floor())
                .collect();
            if w.len() <= ORDER {
                continue;
            }
            let mean = w.iter().sum::<f64>() / w.len() as f64;
            let mut r = [0.0; ORDER + 1];
            for (lag, r) in r.iter_mut().enumerate() {
                *r = (lag..w.len()).map(|t| (w[t] - mean) * (w[t - lag] - mean)).sum();
            }
            r[0] = r[0] * 1.05 + 20.0 * (3.0f64 * STEPS_PER_MS).powi(2);
            let mut six = [0.0; AHEAD];
            six[..ahead.len()].copy_from_slice(ahead);
            let got = m.fit(&six, ahead.len(), 0.05, 3.0);
            assert!((got.level_ms.unwrap() - mean / STEPS_PER_MS).abs() < 1e-9);
            for (a, b) in got.filter.iter().zip(levinson(&r)) {
                assert!((a - b).abs() < 1e-6, "{i}: {a} {b}");
            }
            // The normal equations, as the definition of the filter.
            for row in 1..=ORDER {
                let left: f64 = (0..=ORDER).map(|k| got.filter[k] * r[row.abs_diff(k)]).sum();
                assert!(left.abs() < 1e-5 * r[0], "{i}: {left}");
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
        let a = m.fit(&[0.0; AHEAD], 0, 0.0, 0.0).filter;
        let left: f64 = (0..=ORDER).map(|l| a[l] * (x(120 - l as i32) - 1000.0)).sum();
        assert!(left.abs() < 10.0, "{left}");
    }

    #[test]
    fn no_data_is_no_model() {
        let m = Autoregression::new().fit(&[0.0; AHEAD], 0, 0.05, 0.0);
        assert_eq!((m.filter, m.level_ms), ([1.0, 0.0, 0.0, 0.0], None));
    }
}
