//! The last `N` values, kept in order of size as well: a quantile costs nothing, a new value one short move.

/// A trailing window over non-negative values with its order statistics.
#[derive(Clone, Debug)]
pub(super) struct SortedWindow<const N: usize> {
    /// In order of arrival, as a ring.
    ring: [f32; N],
    /// The same values, ascending.
    sorted: [f32; N],
    len: usize,
    next: usize,
}

impl<const N: usize> SortedWindow<N> {
    pub(super) const fn new() -> Self {
        Self { ring: [0.0; N], sorted: [0.0; N], len: 0, next: 0 }
    }

    pub(super) fn clear(&mut self) {
        (self.len, self.next) = (0, 0);
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Takes a value; the oldest leaves once the window is full. A NaN is dropped.
    pub(super) fn push(&mut self, value: f64) {
        let value = value as f32;
        if value.is_nan() {
            return;
        }
        if self.len == N {
            let old = self.ring[self.next];
            let at = self.sorted.partition_point(|v| *v < old);
            self.sorted.copy_within(at + 1.., at);
            self.len -= 1;
        }
        let at = self.sorted[..self.len].partition_point(|v| *v < value);
        self.sorted.copy_within(at..self.len, at + 1);
        self.sorted[at] = value;
        self.ring[self.next] = value;
        self.next = (self.next + 1) % N;
        self.len += 1;
    }

    /// The `q`-quantile by linear interpolation; 0 while empty.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        if self.len == 0 {
            return 0.0;
        }
        let h = q * (self.len - 1) as f64;
        let i = h as usize;
        let a = f64::from(self.sorted[i]);
        let b = f64::from(self.sorted[(i + 1).min(self.len - 1)]);
        a + (h - i as f64) * (b - a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_sorting_the_last_values() {
        let mut w = SortedWindow::<7>::new();
        let values: Vec<f64> = (0..60).map(|i| f64::from((i * 37) % 11)).collect();
        for (i, v) in values.iter().enumerate() {
            w.push(*v);
            let mut last = values[(i + 1).saturating_sub(7)..=i].to_vec();
            last.sort_by(f64::total_cmp);
            assert_eq!(w.len(), last.len());
            assert_eq!(w.quantile(0.0), last[0]);
            assert_eq!(w.quantile(1.0), last[last.len() - 1]);
            assert_eq!(w.quantile(0.5), {
                let h = 0.5 * (last.len() - 1) as f64;
                let k = h as usize;
                last[k] + (h - k as f64) * (last[(k + 1).min(last.len() - 1)] - last[k])
            });
        }
        w.push(f64::NAN);
        assert_eq!(w.len(), 7);
        w.clear();
        assert_eq!(w.quantile(0.5), 0.0);
    }
}
