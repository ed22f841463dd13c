//! Quartiles of a window that moves one value at a time, exact to the bit.

/// The values of a window, ascending.
#[derive(Clone, Debug, Default)]
struct Sorted(Vec<f64>);

impl Sorted {
    fn enter(&mut self, v: f64) {
        let at = self.place(v);
        self.0.insert(at, v);
    }

    fn leave(&mut self, v: f64) {
        let at = self.place(v);
        self.0.remove(at);
    }

    /// One leaves, another enters: only what lies between them moves.
    fn replace(&mut self, old: f64, new: f64) {
        let (from, to) = (self.place(old), self.place(new));
        if from < to {
            self.0.copy_within(from + 1..to, from);
            self.0[to - 1] = new;
        } else {
            self.0.copy_within(to..from, to + 1);
            self.0[to] = new;
        }
    }

    fn place(&self, v: f64) -> usize {
        self.0.partition_point(|x| *x < v)
    }
}

/// As the processor compares, without the cases that only NaN needs.
fn lesser(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

fn greater(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// For each position the difference of the upper and the lower quartile of the values up to `half` away, fewer at the
/// ends. Quartiles by linear interpolation. The values are finite.
pub(super) fn ranges(x: &[f64], half: usize) -> Vec<f64> {
    let n = x.len();
    let mut sorted = Sorted(Vec::with_capacity(2 * half + 2));
    x.iter().take(half).for_each(|v| sorted.enter(*v));
    let mut out = Vec::with_capacity(n);
    for i in 0..n {
        match (i.checked_sub(half + 1), x.get(i + half)) {
            (Some(old), Some(new)) => sorted.replace(x[old], *new),
            (Some(old), None) => sorted.leave(x[old]),
            (None, Some(new)) => sorted.enter(*new),
            (None, None) => {}
        }
        let quartile = |q: f64| {
            let h = q * (sorted.0.len() - 1) as f64;
            let rank = h as usize;
            between(sorted.0[rank], sorted.0[(rank + 1).min(sorted.0.len() - 1)], h - rank as f64)
        };
        out.push(quartile(0.75) - quartile(0.25));
    }
    out
}

/// Linear interpolation, from the nearer end as numpy does.
fn between(a: f64, b: f64, t: f64) -> f64 {
    if t < 0.5 { a + t * (b - a) } else { b - (b - a) * (1.0 - t) }
}

/// For each position the median of the values up to five away, fewer at the ends.
pub(super) fn medians_of_eleven(x: &[f64]) -> Vec<f64> {
    const HALF: usize = 5;
    const LANES: usize = 8;
    let n = x.len();
    let mut out: Vec<f64> = Vec::with_capacity(n);
    let plain = |i: usize| {
        let mut sorted = x[i.saturating_sub(HALF)..n.min(i + HALF + 1)].to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let h = 0.5 * (sorted.len() - 1) as f64;
        let rank = h as usize;
        between(sorted[rank], sorted[(rank + 1).min(sorted.len() - 1)], h - rank as f64)
    };
    out.extend((0..n.min(HALF)).map(plain));
    while out.len() + HALF + LANES <= n {
        let first = out.len() - HALF;
        // Eight positions at once; v[j] holds their j-th values.
        let mut v = [[0.0; LANES]; 11];
        for (j, v) in v.iter_mut().enumerate() {
            v.copy_from_slice(&x[first + j..first + j + LANES]);
        }
        // Of seven values the least and the greatest are no median of eleven; so one by one until one is left.
        let kept = 7;
        let mut from = 0;
        loop {
            for k in from + 1..kept {
                exchange(&mut v, from, k);
            }
            for k in from + 1..kept - 1 {
                exchange(&mut v, k, kept - 1);
            }
            if kept - from == 3 {
                break;
            }
            // The greatest one makes room for the next value, the least one is left behind.
            v[kept - 1] = v[7 + from];
            from += 1;
        }
        out.extend_from_slice(&v[from + 1]);
    }
    out.extend((out.len()..n).map(plain));
    out
}

/// The lesser of two to the front, the greater to the back, lane by lane.
fn exchange<const N: usize>(v: &mut [[f64; N]], front: usize, back: usize) {
    let (a, b) = (v[front], v[back]);
    for lane in 0..N {
        v[front][lane] = lesser(a[lane], b[lane]);
        v[back][lane] = greater(a[lane], b[lane]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quantile(window: &[f64], q: f64) -> f64 {
        let mut sorted = window.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let h = q * (sorted.len() - 1) as f64;
        let rank = h as usize;
        between(sorted[rank], sorted[(rank + 1).min(sorted.len() - 1)], h - rank as f64)
    }

    fn check(x: &[f64]) {
        let around = |i: usize, half: usize| &x[i.saturating_sub(half)..x.len().min(i + half + 1)];
        for half in [1, 7, 45] {
            for (i, got) in ranges(x, half).into_iter().enumerate() {
                let w = around(i, half);
                assert_eq!(got, quantile(w, 0.75) - quantile(w, 0.25), "{half} {i}");
            }
        }
        for (i, got) in medians_of_eleven(x).into_iter().enumerate() {
            assert_eq!(got, quantile(around(i, 5), 0.5), "{i}");
        }
    }

    #[test]
    fn runs_and_jumps() {
        check(&[]);
        check(&[3.0]);
        check(&[5.0; 200]);
        check(&(0..300).map(f64::from).collect::<Vec<_>>());
        check(&(0..300).rev().map(f64::from).collect::<Vec<_>>());
        check(&(0..400).map(|i| if i / 60 % 2 == 0 { 1.0 } else { 1000.0 + f64::from(i) }).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn equals_sorting(few in proptest::collection::vec(0..6u8, 0..300), many in proptest::collection::vec(-1e3..1e3f64, 0..300)) {
            // Many ties, and none.
            check(&few.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
            check(&many);
        }
    }
}
