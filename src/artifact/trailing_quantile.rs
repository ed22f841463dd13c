//! One quantile of the last `N` values from counts in bins: a new value costs a handful of instructions.

/// Width of a bin, ms; far below any threshold that is made from it.
const BIN_MS: f64 = 0.5;
/// Values from 256 ms on share the last bin: thresholds made from them are capped long before.
const BINS: usize = 512;

/// A trailing window over non-negative values with one of its quantiles.
#[derive(Clone, Debug)]
pub(super) struct TrailingQuantile<const N: usize> {
    /// Bins of the values in order of arrival, as a ring.
    ring: [u16; N],
    counts: [u8; BINS],
    len: usize,
    next: usize,
    /// The bin that the quantile was last found in, and how many values lie in bins before it.
    at: usize,
    below: usize,
}

impl<const N: usize> TrailingQuantile<N> {
    pub(super) const fn new() -> Self {
        assert!(N < 256, "a count fits a byte");
        Self { ring: [0; N], counts: [0; BINS], len: 0, next: 0, at: 0, below: 0 }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Takes a value, ms; the oldest leaves once the window is full. A NaN counts as zero.
    #[inline(always)]
    pub(super) fn push(&mut self, ms: f64) {
        let bin = ((ms * (1.0 / BIN_MS)) as i32).clamp(0, BINS as i32 - 1) as usize;
        if self.len == N {
            let old = usize::from(self.ring[self.next]);
            self.counts[old] -= 1;
            self.below -= usize::from(old < self.at);
        } else {
            self.len += 1;
        }
        self.counts[bin] += 1;
        self.below += usize::from(bin < self.at);
        self.ring[self.next] = bin as u16;
        self.next = if self.next + 1 == N { 0 } else { self.next + 1 };
    }

    /// Middle of the first bin at or below which lie `q` of the values; 0 while empty.
    #[inline(always)]
    pub(super) fn quantile(&mut self, q: f64) -> f64 {
        if self.len == 0 {
            return 0.0;
        }
        let rank = (q * self.len as f64) as usize;
        while self.below > rank {
            self.at -= 1;
            self.below -= usize::from(self.counts[self.at]);
        }
        while self.at + 1 < BINS && self.below + usize::from(self.counts[self.at]) <= rank {
            self.below += usize::from(self.counts[self.at]);
            self.at += 1;
        }
        (self.at as f64 + 0.5) * BIN_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_sorting_the_last_values() {
        let mut w = TrailingQuantile::<60>::new();
        assert_eq!(w.quantile(0.5), 0.0);
        let values: Vec<f64> = (0..900).map(|i| f64::from((i * i * 37) % 2003) * f64::from(i % 60) / 200.0).collect();
        for (i, v) in values.iter().enumerate() {
            w.push(*v);
            let mut last = values[(i + 1).saturating_sub(60)..=i].to_vec();
            last.sort_by(f64::total_cmp);
            assert_eq!(w.len(), last.len());
            for q in [0.85, 0.3] {
                let want = last[(q * last.len() as f64) as usize].min(255.75);
                assert!((w.quantile(q) - want).abs() <= 0.5 * BIN_MS + 1e-9, "{i} {q}: {} {want}", w.quantile(q));
            }
        }
        w.push(f64::NAN);
        w.clear();
        assert_eq!((w.len(), w.quantile(0.5)), (0, 0.0));
    }
}
