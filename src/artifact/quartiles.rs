//! Quartiles of a window that moves one value at a time, exact to the bit.

/// Neighbouring ranks that are known at a time.
const KNOWN: usize = 16;

/// The sorted values around one rank of a window. The others are only counted: a value that comes or goes far from
/// that rank costs two comparisons.
#[derive(Clone, Debug)]
struct Ranks {
    /// Ascending; infinity behind the known ones.
    values: [f64; KNOWN + 1],
    known: usize,
    /// Values of the window that are ranked below the known ones.
    below: usize,
    /// The rank that was asked for last.
    asked: usize,
}

impl Ranks {
    fn new() -> Self {
        Self { values: [f64::INFINITY; KNOWN + 1], known: 0, below: 0, asked: 0 }
    }

    fn covers(&self, v: f64) -> bool {
        self.known > 0 && v >= self.values[0] && v <= self.values[self.known - 1]
    }

    fn enter(&mut self, v: f64) {
        if self.covers(v) {
            if self.known == KNOWN {
                self.forget_one();
            }
            if !self.covers(v) {
                self.below += usize::from(v < self.values[0]);
                return;
            }
            let old = self.values;
            for k in 1..=KNOWN {
                self.values[k] = greater(old[k - 1], lesser(old[k], v));
            }
            self.values[0] = lesser(old[0], v);
            self.known += 1;
        } else if v < self.values[0] {
            self.below += 1;
        }
    }

    fn leave(&mut self, v: f64) {
        if self.covers(v) {
            let old = self.values;
            for k in 0..KNOWN {
                self.values[k] = if old[k] < v { old[k] } else { old[k + 1] };
            }
            self.known -= 1;
        } else if v < self.values[0] {
            self.below -= 1;
        }
    }

    /// Forgets the end that lies further from what is asked for.
    fn forget_one(&mut self) {
        if self.asked.saturating_sub(self.below) >= KNOWN / 2 {
            self.forget_bottom();
        } else {
            self.forget_top();
        }
    }

    fn forget_bottom(&mut self) {
        self.values.copy_within(1.., 0);
        self.known -= 1;
        self.below += 1;
    }

    fn forget_top(&mut self) {
        self.known -= 1;
        self.values[self.known] = f64::INFINITY;
    }

    /// The values of this rank and the next one. `window` is what entered and did not leave, in any order.
    fn pair(&mut self, rank: usize, window: &[f64]) -> (f64, f64) {
        let next = (rank + 1).min(window.len() - 1);
        self.asked = rank;
        if rank < self.below || next >= self.below + self.known {
            self.reach(rank, next, window);
        }
        (self.values[rank - self.below], self.values[next - self.below])
    }

    #[cold]
    fn reach(&mut self, rank: usize, next: usize, window: &[f64]) {
        if self.known == 0 || rank + KNOWN < self.below || next > self.below + self.known + KNOWN {
            self.sort(rank, window);
        }
        while rank < self.below {
            self.extend_down(window);
        }
        while next >= self.below + self.known {
            self.extend_up(window);
        }
    }

    fn sort(&mut self, rank: usize, window: &[f64]) {
        let mut sorted = window.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let from = (rank + 1).saturating_sub(KNOWN / 2).min(window.len().saturating_sub(KNOWN));
        let part = &sorted[from..window.len().min(from + KNOWN)];
        *self = Self::new();
        self.values[..part.len()].copy_from_slice(part);
        (self.known, self.below, self.asked) = (part.len(), from, rank);
    }

    fn extend_down(&mut self, window: &[f64]) {
        if self.known == KNOWN {
            self.forget_top();
        }
        let lowest = self.values[0];
        let (mut less, mut best) = (0, f64::NEG_INFINITY);
        for v in window {
            less += usize::from(*v < lowest);
            best = greater(best, if *v < lowest { *v } else { f64::NEG_INFINITY });
        }
        // If fewer are less than are ranked below, the rest of those equals the lowest one known.
        let new = if less < self.below { lowest } else { best };
        self.values.copy_within(..KNOWN, 1);
        self.values[0] = new;
        self.known += 1;
        self.below -= 1;
    }

    fn extend_up(&mut self, window: &[f64]) {
        if self.known == KNOWN {
            self.forget_bottom();
        }
        let highest = self.values[self.known - 1];
        let (mut not_greater, mut best) = (0, f64::INFINITY);
        for v in window {
            not_greater += usize::from(*v <= highest);
            best = lesser(best, if *v <= highest { f64::INFINITY } else { *v });
        }
        self.values[self.known] = if not_greater > self.below + self.known { highest } else { best };
        self.known += 1;
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
    let (mut low, mut high) = (Ranks::new(), Ranks::new());
    let place = |length: usize, q: f64| {
        let h = q * (length - 1) as f64;
        (h as usize, h - (h as usize) as f64)
    };
    let (mut length, mut quarter, mut three) = (0, (0, 0.0), (0, 0.0));
    let mut out = Vec::with_capacity(n);
    for i in 0..n {
        let window = &x[i.saturating_sub(half)..n.min(i + half + 1)];
        if let Some(new) = x.get(i + half) {
            low.enter(*new);
            high.enter(*new);
        }
        if i > half {
            low.leave(x[i - half - 1]);
            high.leave(x[i - half - 1]);
        }
        if window.len() != length {
            length = window.len();
            (quarter, three) = (place(length, 0.25), place(length, 0.75));
        }
        let quartile = |ranks: &mut Ranks, (rank, part): (usize, f64)| {
            let (a, b) = ranks.pair(rank, window);
            between(a, b, part)
        };
        out.push(quartile(&mut high, three) - quartile(&mut low, quarter));
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
