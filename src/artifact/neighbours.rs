//! The intervals around the one in question.

/// Room for what came last, a power of two.
const ROOM: usize = 16;

/// Remembers enough intervals to give the median from `SIDE` before to `SIDE` after one of them.
#[derive(Clone, Debug)]
pub(super) struct Neighbours<const SIDE: usize> {
    came: [f64; ROOM],
    count: usize,
}

impl<const SIDE: usize> Neighbours<SIDE> {
    pub(super) const fn new() -> Self {
        assert!(2 * SIDE < ROOM);
        Self { came: [0.0; ROOM], count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    #[inline]
    pub(super) fn enter(&mut self, x: f64) {
        self.came[self.count % ROOM] = x;
        self.count += 1;
    }

    /// Median around the `at`-th interval that came, as far as its neighbours exist; 0 without any.
    pub(super) fn median(&self, at: usize) -> f64 {
        let (from, to) = (at.saturating_sub(SIDE), (at + SIDE + 1).min(self.count));
        let mut sorted = [0.0; ROOM];
        let mut n = 0;
        for k in from..to.min(from + ROOM) {
            let x = self.came[k % ROOM];
            let mut place = n;
            while place > 0 && sorted[place - 1] > x {
                sorted[place] = sorted[place - 1];
                place -= 1;
            }
            sorted[place] = x;
            n += 1;
        }
        0.5 * (sorted[n.saturating_sub(1) / 2] + sorted[n / 2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_sorting() {
        let xs: Vec<f64> = (0..200).map(|i| f64::from((i * i * 37) % 101)).collect();
        let mut w = Neighbours::<5>::new();
        assert_eq!(w.median(0), 0.0);
        for (i, x) in xs.iter().enumerate() {
            w.enter(*x);
            for at in i.saturating_sub(5)..=i {
                let mut want = xs[at.saturating_sub(5)..=i.min(at + 5)].to_vec();
                want.sort_by(f64::total_cmp);
                let n = want.len();
                assert_eq!(w.median(at), 0.5 * (want[(n - 1) / 2] + want[n / 2]), "{i} {at}");
            }
        }
        w.clear();
        assert_eq!(w.median(0), 0.0);
    }
}
