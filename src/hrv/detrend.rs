//! Smoothness priors (Tarvainen 2002, IEEE Trans Biomed Eng 49:172): removes what a stiff line can follow.

/// λ as used for DFA and as an option for spectra.
pub const LAMBDA: f64 = 500.0;

/// `x` minus its trend (I + λ²D₂ᵀD₂)⁻¹x, D₂ the second differences. The matrix has five diagonals, so one banded
/// LDLᵀ pass does it. Fewer than three values have no curvature: they are their own trend.
pub fn smoothness_priors(x: &[f64], lambda: f64) -> Vec<f64> {
    let n = x.len();
    if n < 3 {
        return vec![0.0; n];
    }
    let l2 = lambda * lambda;
    // Diagonals of D₂ᵀD₂: 1 5 6 … 6 5 1, −2 −4 … −4 −2, 1 … 1 (fewer where rows are missing).
    let rows = |i: usize, c: [f64; 3]| -> f64 {
        // Row r of D₂ covers columns r, r+1, r+2.
        (0..3).filter(|k| i >= *k && i - k + 2 < n).map(|k| c[k]).sum()
    };
    let (mut d, mut e, mut f, mut z) = (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    for i in 0..n {
        let inner = i >= 2 && i + 2 < n;
        let a0 = if inner { 6.0 } else { rows(i, [1.0, 4.0, 1.0]) };
        let a1 = if inner && i + 3 < n {
            -4.0
        } else if i + 1 < n {
            off_one(i, n)
        } else {
            0.0
        };
        let a2 = if i + 2 < n { 1.0 } else { 0.0 };
        let (mut pivot, mut next) = (1.0 + l2 * a0, l2 * a1);
        let mut v = x[i];
        if i >= 1 {
            pivot -= d[i - 1] * e[i - 1] * e[i - 1];
            next -= d[i - 1] * e[i - 1] * f[i - 1];
            v -= e[i - 1] * z[i - 1];
        }
        if i >= 2 {
            pivot -= d[i - 2] * f[i - 2] * f[i - 2];
            v -= f[i - 2] * z[i - 2];
        }
        d[i] = pivot;
        e[i] = next / pivot;
        f[i] = l2 * a2 / pivot;
        z[i] = v;
    }
    for i in (0..n).rev() {
        z[i] /= d[i];
        if i + 1 < n {
            z[i] -= e[i] * z[i + 1];
        }
        if i + 2 < n {
            z[i] -= f[i] * z[i + 2];
        }
    }
    x.iter().zip(z).map(|(x, trend)| x - trend).collect()
}

/// Element (i, i+1) of D₂ᵀD₂: −2 from each row of D₂ that covers both columns.
fn off_one(i: usize, n: usize) -> f64 {
    let mut v = 0.0;
    if i + 2 < n {
        v -= 2.0;
    }
    if i >= 1 {
        v -= 2.0;
    }
    v
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
