//! Smoothness priors (Tarvainen 2002, IEEE Trans Biomed Eng 49:172): removes what a stiff line can follow.

/// λ as used for DFA and as an option for spectra.
pub const LAMBDA: f64 = 500.0;

/// `x` minus its trend (I + λ²D₂ᵀD₂)⁻¹x, D₂ the second differences. The matrix has five diagonals, so one banded
/// LDLᵀ pass does it. Fewer than three values have no curvature: they are their own trend.
pub fn smoothness_priors(x: &[f64], lambda: f64) -> Vec<f64> {
    SmoothnessPriors::new(lambda).remove(x)
}

/// The same for many series: the factors of all rows but the last two are the same for any length, and are kept.
#[derive(Clone, Debug)]
pub struct SmoothnessPriors {
    weight: f64,
    rows: Vec<Row>,
}

/// One row of LDLᵀ.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// The pivot, and one over it.
    pivot: f64,
    inverse: f64,
    /// Elements below the diagonal, one and two rows further down.
    next: f64,
    after: f64,
}

/// Rows that are kept. Far from the ends the factors no longer change, so later rows use the last of them.
const KEPT: usize = 2048;

impl SmoothnessPriors {
    /// For one λ.
    pub fn new(lambda: f64) -> Self {
        Self { weight: lambda * lambda, rows: Vec::new() }
    }

    /// `x` minus its trend.
    pub fn remove(&mut self, x: &[f64]) -> Vec<f64> {
        let n = x.len();
        if n < 3 {
            return vec![0.0; n];
        }
        while self.rows.len() < (n - 2).min(KEPT) {
            let i = self.rows.len();
            // Diagonals of D₂ᵀD₂ where all rows of D₂ are there: 1 5 6 6 …, −2 −4 −4 …, 1 1 ….
            let (own, next) = ([1.0, 5.0, 6.0][i.min(2)], [-2.0, -4.0][i.min(1)]);
            self.rows.push(self.row(i, own, next, 1.0));
        }
        let last = self.rows[self.rows.len() - 1];
        let kept = |i: usize| self.rows.get(i).copied().unwrap_or(last);
        // Three values have one row of D₂ only, four have two.
        let (own, next) = if n == 3 { (4.0, -2.0) } else { (5.0, -2.0) };
        let end1 = self.row(n - 2, own, next, 0.0);
        let end2 = Self::reduced(self.weight, 1.0, 0.0, 0.0, Some(end1), Some(kept(n - 3)));
        let row = |i: usize| match n - i {
            1 => end2,
            2 => end1,
            _ => kept(i),
        };
        let mut z = x.to_vec();
        let (mut one, mut two, mut before, mut above) = (0.0, 0.0, Row::default(), Row::default());
        for (i, v) in z.iter_mut().enumerate() {
            // The older one first: it is there already when the newer one comes.
            *v = *v - above.after * two - before.next * one;
            (two, one) = (one, *v);
            (above, before) = (before, row(i));
        }
        let (mut one, mut two) = (0.0, 0.0);
        for (i, v) in z.iter_mut().enumerate().rev() {
            let r = row(i);
            *v = *v * r.inverse - r.after * two - r.next * one;
            (two, one) = (one, *v);
        }
        for (z, x) in z.iter_mut().zip(x) {
            *z = x - *z;
        }
        z
    }

    /// Row `i` of the factors, given its elements of D₂ᵀD₂.
    fn row(&self, i: usize, own: f64, next: f64, after: f64) -> Row {
        let kept = |i: Option<usize>| i.and_then(|i| self.rows.get(i).or(self.rows.last()).copied());
        Self::reduced(self.weight, own, next, after, kept(i.checked_sub(1)), kept(i.checked_sub(2)))
    }

    fn reduced(weight: f64, own: f64, next: f64, after: f64, before: Option<Row>, above: Option<Row>) -> Row {
        let (b, a) = (before.unwrap_or_default(), above.unwrap_or_default());
        let pivot = 1.0 + weight * own - b.pivot * b.next * b.next - a.pivot * a.after * a.after;
        let inverse = 1.0 / pivot;
        let next = (weight * next - b.pivot * b.next * b.after) * inverse;
        Row { pivot, inverse, next, after: weight * after * inverse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, by dense elimination.
    fn dense(x: &[f64], lambda: f64) -> Vec<f64> {
        let n = x.len();
        let mut a = vec![vec![0.0; n + 1]; n];
        for (i, row) in a.iter_mut().enumerate() {
            row[i] = 1.0;
            row[n] = x[i];
        }
        for r in 0..n - 2 {
            let c = [1.0, -2.0, 1.0];
            for i in 0..3 {
                for j in 0..3 {
                    a[r + i][r + j] += lambda * lambda * c[i] * c[j];
                }
            }
        }
        for k in 0..n {
            for i in k + 1..n {
                let m = a[i][k] / a[k][k];
                let row = a[k].clone();
                for (v, r) in a[i].iter_mut().zip(&row).skip(k) {
                    *v -= m * r;
                }
            }
        }
        let mut z = vec![0.0; n];
        for i in (0..n).rev() {
            z[i] = (a[i][n] - (i + 1..n).map(|j| a[i][j] * z[j]).sum::<f64>()) / a[i][i];
        }
        x.iter().zip(z).map(|(x, z)| x - z).collect()
    }

    #[test]
    fn equals_the_dense_solution() {
        for n in [3, 4, 5, 6, 7, 40] {
            let x: Vec<f64> = (0..n).map(|i| 800.0 + 3.0 * i as f64 + 40.0 * (i as f64).sin()).collect();
            for (a, b) in smoothness_priors(&x, 10.0).iter().zip(dense(&x, 10.0)) {
                assert!((a - b).abs() < 1e-8, "{n}: {a} {b}");
            }
        }
    }

    #[test]
    fn a_line_is_all_trend() {
        let x: Vec<f64> = (0..200).map(|i| 700.0 + 2.5 * f64::from(i)).collect();
        assert!(smoothness_priors(&x, LAMBDA).iter().all(|v| v.abs() < 1e-6));
        assert_eq!(smoothness_priors(&[1.0, 2.0], LAMBDA), [0.0, 0.0]);
    }
}
