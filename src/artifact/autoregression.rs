//! A short autoregressive model of the last intervals: what the next interval should be.

/// Order of the model: enough for one breath of four beats, short enough to be decided within five.
pub(super) const ORDER: usize = 3;
/// Intervals behind the model.
const WINDOW: usize = 90;
/// Room for the window and for what comes until it is moved to the front again.
const ROOM: usize = 256;
/// Intervals are kept in whole 1/16 ms, so that every sum of products below is exact: nothing drifts.
pub(super) const PARTS: f64 = 16.0;

/// The whitening filter `[1, c1, .., c_ORDER]`: applied to intervals around their level it leaves what could not be
/// foreseen.
pub(super) type Filter = [f64; ORDER + 1];

/// Sum of intervals, and of products of intervals that lie 0..=ORDER apart.
#[derive(Clone, Copy, Debug)]
struct Sums {
    sum: f64,
    products: [f64; ORDER + 1],
}

/// A trailing window of intervals that a model can be fitted to.
#[derive(Clone, Debug)]
pub(super) struct Autoregression {
    kept: [f64; ROOM],
    start: usize,
    end: usize,
    sums: Sums,
}

impl Autoregression {
    pub(super) const fn new() -> Self {
        let sums = Sums { sum: 0.0, products: [0.0; ORDER + 1] };
        Self { kept: [0.0; ROOM], start: 0, end: 0, sums }
    }

    pub(super) fn clear(&mut self) {
        (self.start, self.end, self.sums) = (0, 0, Self::new().sums);
    }

    /// The last intervals, oldest first, in 1/16 ms.
    pub(super) fn window(&self) -> &[f64] {
        &self.kept[self.start..self.end]
    }

    /// Takes an interval that is normal, or the best guess in place of one that is not.
    pub(super) fn push(&mut self, ms: f64) {
        if self.end >= ROOM {
            self.kept.copy_within(ROOM - WINDOW.., 0);
            (self.start, self.end) = (0, WINDOW);
        }
        let x = whole(ms);
        self.kept[self.end] = x;
        self.end += 1;
        let n = self.end - self.start;
        let Sums { sum, products } = &mut self.sums;
        *sum += x;
        if n <= ORDER {
            for (lag, p) in products.iter_mut().enumerate().take(n) {
                *p += x * self.kept[self.end - 1 - lag];
            }
            return;
        }
        if let [.., c, b, a, _] = self.kept[..self.end] {
            let [p0, p1, p2, p3] = products;
            (*p0, *p1, *p2, *p3) = (*p0 + x * x, *p1 + x * a, *p2 + x * b, *p3 + x * c);
        }
        if n > WINDOW {
            if let [x, a, b, c, ..] = self.kept[self.start..] {
                let [p0, p1, p2, p3] = products;
                (*p0, *p1, *p2, *p3) = (*p0 - x * x, *p1 - x * a, *p2 - x * b, *p3 - x * c);
                *sum -= x;
            }
            self.start += 1;
        }
    }

    /// Fits the model to the window and to the intervals `ahead`, known but not decided yet; gives its filter and its
    /// level in ms. `ridge` and `noise_ms` (white noise that is assumed on top) keep it tame on little data. `None`
    /// while there is hardly any.
    pub(super) fn fit(&self, ahead: &[f64], ridge: f64, noise_ms: f64) -> Option<(Filter, f64)> {
        let window = &self.kept[self.start..self.end];
        let total = window.len() + ahead.len();
        if total <= ORDER || window.len() < ORDER {
            return None;
        }
        // The last three and those ahead go on as one series.
        let mut last = [window[window.len() - 1], window[window.len() - 2], window[window.len() - 3]];
        let Sums { mut sum, products: [mut p0, mut p1, mut p2, mut p3] } = self.sums;
        for ms in ahead {
            let x = whole(*ms);
            sum += x;
            (p0, p1, p2, p3) = (p0 + x * x, p1 + x * last[0], p2 + x * last[1], p3 + x * last[2]);
            last = [x, last[0], last[1]];
        }
        let n = total as f64;
        let level = sum / n;
        // What each lag's products lack at either end. With three intervals all of them are in the window.
        let ends = [window[0] + last[0], window[1] + last[1], window[2] + last[2]];
        let around = |lag: f64, products: f64, missing: f64| {
            products - level * (2.0 * sum - missing) + (n - lag) * level * level
        };
        let r0 = around(0.0, p0, 0.0) * (1.0 + ridge) + 20.0 * noise_ms * noise_ms * PARTS * PARTS;
        let r1 = around(1.0, p1, ends[0]);
        let r2 = around(2.0, p2, ends[0] + ends[1]);
        let r3 = around(3.0, p3, ends[0] + ends[1] + ends[2]);
        Some((levinson(&[r0, r1, r2, r3]), level / PARTS))
    }
}

fn whole(ms: f64) -> f64 {
    (ms * PARTS) as i32 as f64
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
        let xs: Vec<f64> = (0..700)
            .map(|i| 900.0 + whole(80.0 * (f64::from(i) * 1.3).sin()) / PARTS + f64::from((i * 31) % 17))
            .collect();
        let mut m = Autoregression::new();
        for (i, x) in xs.iter().enumerate() {
            m.push(*x);
            let ahead = &xs[i + 1..(i + 1 + i % 7).min(xs.len())];
            let w = &xs[(i + 1).saturating_sub(WINDOW)..i + 1 + ahead.len()];
            let Some((filter, level)) = m.fit(ahead, 0.05, 3.0) else {
                assert!(i < ORDER || w.len() <= ORDER);
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
