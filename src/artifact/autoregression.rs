//! A short autoregressive model of the last intervals, from exact integer sums: what the next interval should be.

/// Order of the model: enough for one breath of four beats, short enough to be decided within five.
pub(super) const ORDER: usize = 3;
/// Intervals behind the model.
const WINDOW: usize = 90;
/// Steps per ms of the integer sums: finer than any strap (1.024 per ms), small enough never to overflow.
const STEPS_PER_MS: f64 = 64.0;
/// Longest interval that enters the sums, ms.
const CEILING_MS: f64 = 4000.0;

/// Autocovariance sums over a trailing window of intervals.
#[derive(Clone, Debug)]
pub(super) struct Autoregression {
    ring: [i64; WINDOW],
    len: usize,
    next: usize,
    sum: i64,
    /// Sums of products of values `lag` apart, both inside the window.
    products: [i64; ORDER + 1],
}

impl Autoregression {
    pub(super) const fn new() -> Self {
        Self { ring: [0; WINDOW], len: 0, next: 0, sum: 0, products: [0; ORDER + 1] }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// The value `back` places before the newest.
    fn back(&self, back: usize) -> i64 {
        self.ring[(self.next + WINDOW - 1 - back) % WINDOW]
    }

    /// The value `k` places after the oldest, in a window that goes on into `ahead`.
    fn oldest(&self, k: usize, ahead: &[f64]) -> i64 {
        if k < self.len { self.back(self.len - 1 - k) } else { ahead.get(k - self.len).map_or(0, |ms| steps(*ms)) }
    }

    /// Takes an interval that is normal, or the best guess in place of one that is not.
    pub(super) fn push(&mut self, ms: f64) {
        let x = steps(ms);
        if self.len == WINDOW {
            let old = self.ring[self.next];
            for (lag, p) in self.products.iter_mut().enumerate() {
                *p -= old * self.ring[(self.next + lag) % WINDOW];
            }
            self.sum -= old;
            self.len -= 1;
        }
        self.ring[self.next] = x;
        self.next = (self.next + 1) % WINDOW;
        self.len += 1;
        self.sum += x;
        for lag in 0..=ORDER.min(self.len - 1) {
            self.products[lag] += x * self.back(lag);
        }
    }

    /// The whitening filter `[1, c1, .., c_ORDER]`: applied to intervals around their level it leaves what could not
    /// be foreseen. With it comes that level, ms, if there are data. Intervals `ahead` that are not decided yet, but known, count as well. `ridge` and `noise_ms` (white noise that is assumed on top) keep it tame on little data.
    pub(super) fn filter(&self, ahead: &[f64], ridge: f64, noise_ms: f64) -> ([f64; ORDER + 1], Option<f64>) {
        // Σ(x_t−m)(x_(t−lag)−m), multiplied out. The sums are whole numbers below 2^53: only the last step rounds.
        let mut r = [0.0; ORDER + 1];
        let n = self.len + ahead.len();
        let mut level = None;
        if n > ORDER && self.len > 0 {
            let (mut sum, mut products) = (self.sum, self.products);
            let mut newest = [0; ORDER + 1];
            for (back, v) in newest.iter_mut().enumerate().take(self.len).skip(1) {
                *v = self.back(back - 1);
            }
            if self.len >= ORDER {
                newest[ORDER] = self.back(ORDER - 1);
            }
            for ms in ahead {
                newest[0] = steps(*ms);
                sum += newest[0];
                for (p, v) in products.iter_mut().zip(newest) {
                    *p += newest[0] * v;
                }
                newest.copy_within(0..ORDER, 1);
            }
            let mean = sum as f64 / n as f64;
            level = Some(mean / STEPS_PER_MS);
            let (mut without_newest, mut without_oldest) = (sum, sum);
            for (lag, out) in r.iter_mut().enumerate() {
                if lag > 0 {
                    without_newest -= newest[lag];
                    without_oldest -= self.oldest(lag - 1, ahead);
                }
                *out = products[lag] as f64 - mean * (without_newest + without_oldest) as f64
                    + (n - lag) as f64 * mean * mean;
            }
        }
        let noise = noise_ms * STEPS_PER_MS;
        r[0] = r[0] * (1.0 + ridge) + 20.0 * noise * noise;
        (levinson(&r), level)
    }
}

/// An interval in steps of the sums.
fn steps(ms: f64) -> i64 {
    (ms.clamp(0.0, CEILING_MS) * STEPS_PER_MS + 0.5) as i64
}

/// Levinson-Durbin recursion; stops early if the error power vanishes.
fn levinson(r: &[f64; ORDER + 1]) -> [f64; ORDER + 1] {
    let mut a = [0.0; ORDER + 1];
    a[0] = 1.0;
    let mut error = r[0];
    for m in 1..=ORDER {
        if error <= 0.0 {
            break;
        }
        let acc: f64 = (0..m).map(|i| a[i] * r[m - i]).sum();
        let k = -acc / error;
        let before = a;
        for i in 1..=m {
            a[i] = before[i] + k * before[m - i];
        }
        error *= 1.0 - k * k;
    }
    a
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
            let w: Vec<f64> =
                xs[(i + 1).saturating_sub(WINDOW)..i + 1 + ahead.len()].iter().map(|x| (x * 64.0).round()).collect();
            let mean = w.iter().sum::<f64>() / w.len() as f64;
            let mut r = [0.0; ORDER + 1];
            for (lag, r) in r.iter_mut().enumerate() {
                *r = (lag..w.len()).map(|t| (w[t] - mean) * (w[t - lag] - mean)).sum();
            }
            if w.len() <= ORDER {
                continue;
            }
            r[0] = r[0] * 1.05 + 20.0 * (3.0f64 * 64.0).powi(2);
            for (a, b) in m.filter(ahead, 0.05, 3.0).0.iter().zip(levinson(&r)) {
                assert!((a - b).abs() < 1e-6, "{i}: {a} {b}");
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
        let a = m.filter(&[], 0.0, 0.0).0;
        let left: f64 = (0..=ORDER).map(|l| a[l] * (x(120 - l as i32) - 1000.0)).sum();
        assert!(left.abs() < 10.0, "{left}");
    }

    #[test]
    fn no_data_is_no_model() {
        assert_eq!(Autoregression::new().filter(&[], 0.05, 0.0), ([1.0, 0.0, 0.0, 0.0], None));
    }
}
