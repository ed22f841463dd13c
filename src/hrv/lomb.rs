//! Lomb–Scargle spectrum of the intervals at their own, uneven times, scaled to ms²/Hz.

use super::bands::{Bands, Spectrum};
use super::fft::RealFft;
use super::stats::{dot, mean, sum_of};
use super::tachogram::Tachogram;
use super::{Why, finite};
use rustfft::num_complex::Complex;
use std::f64::consts::{PI, TAU};

/// Highest frequency, Hz.
const TOP_HZ: f64 = 0.5;
/// Grid points per 1/T.
const OVERSAMPLING: f64 = 4.0;
/// About ten days; a longer series would need more memory than a small computer has.
const MOST_FREQUENCIES: usize = 1 << 21;

/// The spectrum of a corrected series without gaps; see [`Lomb::spectrum`].
pub fn spectrum(rr_ms: &[f64]) -> Result<Spectrum, Why> {
    Lomb::new().spectrum(rr_ms)
}

/// Band powers of a corrected series without gaps; no minimum length is enforced here.
pub fn bands(rr_ms: &[f64]) -> Bands {
    spectrum(rr_ms).map_or_else(Bands::none, |s| s.bands())
}

/// A Lomb–Scargle estimator that keeps the transform it has planned last.
#[derive(Default)]
pub struct Lomb {
    fine: Option<FineGrid>,
}

impl std::fmt::Debug for Lomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lomb").finish_non_exhaustive()
    }
}

impl Lomb {
    /// An estimator with nothing planned yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line in time removed, Scargle's P on the grid 1/(4T) … 0.5 Hz, density 2·P·T/N so that its integral is the
    /// variance. The sums over beats at all frequencies come from two non-uniform fast transforms: a day takes a
    /// fraction of a second.
    pub fn spectrum(&mut self, rr_ms: &[f64]) -> Result<Spectrum, Why> {
        self.spectrum_of(&Tachogram::of(rr_ms)?)
    }

    /// The same of a tachogram that others use, too.
    pub fn spectrum_of(&mut self, tachogram: &Tachogram<'_>) -> Result<Spectrum, Why> {
        let (t, n) = (tachogram.times_s(), tachogram.rr_ms().len() as f64);
        let length = tachogram.length_s();
        let y = without_line(t, tachogram.rr_ms());
        let per_hz = OVERSAMPLING * length;
        let step_hz = 1.0 / per_hz;
        let count = (TOP_HZ * OVERSAMPLING * length) as usize;
        if count > MOST_FREQUENCIES {
            return Err(Why::TooLong);
        }
        let cells = FineGrid::cells_for(count);
        let fine = match &mut self.fine {
            Some(fine) if fine.cells() == cells => fine,
            other => other.insert(FineGrid::new(cells)),
        };
        for (t, y) in t.iter().zip(&y) {
            fine.spread(t * step_hz, *y);
        }
        fine.transform();
        let scale = 2.0 * length / n;
        // With Y = Σ y·e^(iωt) and D = Σ e^(2iωt), Scargle's P and its phase τ become one fraction without roots:
        // τ turns D onto the real axis, so Σcos² = (n + |D|)/2, Σsin² = (n − |D|)/2 about τ, and with them
        // P = (n·|Y|² − Re(Y²·conj D)) / (n² − |D|²).
        let density: Vec<f64> = fine.undo[1..=count]
            .iter()
            .zip(fine.weighted[1..].iter().zip(&fine.double[1..]))
            .map(|(undo, (y, d))| {
                let (y, d) = (y * undo, d * undo);
                let (yy, dd) = (y.re * y.re + y.im * y.im, d.re * d.re + d.im * d.im);
                let turned = (y.re * y.re - y.im * y.im) * d.re + 2.0 * y.re * y.im * d.im;
                scale * (n * yy - turned) / (n * n - dd)
            })
            .collect();
        finite(sum_of(&density, |p| p), Why::Unclear)?;
        Ok(Spectrum { first: 1, per_hz, density })
    }

    /// Band powers of a corrected series without gaps; no minimum length is enforced here.
    pub fn bands(&mut self, rr_ms: &[f64]) -> Bands {
        self.spectrum(rr_ms).map_or_else(Bands::none, |s| s.bands())
    }
}

/// Grid cells to either side that a beat is spread over: an error near 1e-12.
const REACH: usize = 12;
/// Cells under one beat.
const SPAN: usize = 2 * REACH + 1;

/// Non-uniform fast transform of beats at u in [0, ¼]: each is spread over a fine grid with a Gaussian, the grid is
/// transformed, and the Gaussian divided out (Greengard & Lee 2004, SIAM Rev 46:443). Two at once: Σ w·e^(−2πik·u), and
/// Σ e^(−2πik·2u), whose Gaussian follows from that of the first without another exponential.
struct FineGrid {
    plan: RealFft,
    /// The grids, cell 0 at index REACH.
    weights: Vec<f64>,
    ones: Vec<f64>,
    weighted: Vec<Complex<f64>>,
    double: Vec<Complex<f64>>,
    /// What divides the Gaussian out, for each frequency that is kept.
    undo: Vec<f64>,
    /// exp(−(l·cell)²/4τ) for l from −REACH to REACH.
    tail: [f64; SPAN],
    /// 1/4τ and cell/2τ, with distances counted in cells.
    narrow: f64,
    tilt: f64,
}

impl FineGrid {
    /// Twice as many cells as two-sided frequencies, rounded up to a length that transforms fast.
    fn cells_for(frequencies: usize) -> usize {
        let least = 4 * frequencies.max(16);
        let power = least.next_power_of_two();
        [power / 8 * 5, power / 4 * 3].into_iter().find(|n| *n >= least).unwrap_or(power)
    }

    fn new(cells: usize) -> Self {
        let plan = RealFft::new(cells);
        // Both-sided frequencies are half of the cells: the ratio is 2.
        let both = (cells / 2) as f64;
        let tau = PI * REACH as f64 / (both * both * 2.0 * 1.5);
        let cell = TAU / cells as f64;
        let narrow = cell * cell / (4.0 * tau);
        let mut tail = [0.0; SPAN];
        for (l, v) in tail.iter_mut().enumerate() {
            let away = l as f64 - REACH as f64;
            *v = (-away * away * narrow).exp();
        }
        let scale = (PI / tau).sqrt() / cells as f64;
        Self {
            weights: vec![0.0; cells + REACH],
            ones: vec![0.0; cells + REACH],
            weighted: plan.output(),
            double: plan.output(),
            undo: (0..=cells / 4).map(|k| scale * ((k * k) as f64 * tau).exp()).collect(),
            tail,
            narrow,
            tilt: 2.0 * narrow,
            plan,
        }
    }

    fn cells(&self) -> usize {
        self.plan.len()
    }

    fn spread(&mut self, u: f64, weight: f64) {
        let x = u * self.cells() as f64;
        let near = x as usize;
        let off = x - near as f64;
        // exp(−(off − l)²·narrow) = exp(−off²·narrow) · exp(off·tilt)^l · tail.
        let head = (-off * off * self.narrow).exp();
        let ratio = (off * self.tilt).exp();
        add(&mut self.weights[near..near + SPAN], weight * head, ratio, &self.tail);
        // Twice as far lies at twice the distance, perhaps in the next cell.
        let (two, four) = (ratio * ratio, head * head * (head * head));
        let next = usize::from(off >= 0.5);
        let (head, ratio) = if next == 1 {
            let one = self.tail[REACH + 1];
            (four * two * one, two * one * one)
        } else {
            (four, two)
        };
        let near = 2 * near + next;
        add(&mut self.ones[near..near + SPAN], head, ratio, &self.tail);
    }

    /// Transforms both grids and leaves them empty.
    fn transform(&mut self) {
        let cells = self.cells();
        for (grid, out) in [(&mut self.weights, &mut self.weighted), (&mut self.ones, &mut self.double)] {
            // Index REACH is cell 0; what reached below it belongs to the upper end, where no beat lies.
            grid.copy_within(..REACH, cells);
            self.plan.run(&grid[REACH..], out);
            grid.fill(0.0);
        }
    }
}

/// Adds head · ratio^l · tail for l from −REACH to REACH.
fn add(cells: &mut [f64], head: f64, ratio: f64, tail: &[f64; SPAN]) {
    // Powers by doubling: none waits for the one before it.
    let mut up = powers(ratio);
    let mut down = powers(1.0 / ratio);
    for v in up.iter_mut().chain(&mut down) {
        *v *= head;
    }
    for (l, (cell, t)) in cells[REACH..].iter_mut().zip(&tail[REACH..]).enumerate() {
        *cell += up[l] * t;
    }
    for (l, (cell, t)) in cells[..REACH].iter_mut().zip(&tail[..REACH]).enumerate() {
        *cell += down[REACH - l] * t;
    }
}

fn powers(x: f64) -> [f64; 16] {
    let mut p = [1.0; 16];
    p[1] = x;
    let mut have = 2;
    let mut square = x * x;
    while have < 16 {
        for k in 0..have {
            p[have + k] = p[k] * square;
        }
        square *= square;
        have *= 2;
    }
    p
}

fn without_line(t: &[f64], y: &[f64]) -> Vec<f64> {
    let (mt, my) = (mean(t), mean(y));
    let t: Vec<f64> = t.iter().map(|t| t - mt).collect();
    let slope = dot(&t, y) / dot(&t, &t);
    t.iter().zip(y).map(|(t, y)| y - my - slope * t).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_variance_in_its_band() {
        let (mut t, mut rr) = (0.0, Vec::new());
        while t < 300.0 {
            let x = 900.0 + 40.0 * (std::f64::consts::TAU * 0.25 * t).sin();
            t += x / 1000.0;
            rr.push(x);
        }
        let b = bands(&rr);
        assert!((b.hf_ms2.unwrap() / 800.0 - 1.0).abs() < 0.05, "{b:?}");
    }

    /// The definition, frequency by frequency.
    fn plain(rr_ms: &[f64]) -> Vec<f64> {
        let tachogram = Tachogram::of(rr_ms).unwrap();
        let (t, length) = (tachogram.times_s(), tachogram.length_s());
        let y = without_line(t, rr_ms);
        (1..=(2.0 * length) as usize)
            .map(|k| {
                let w = TAU * k as f64 / (4.0 * length);
                let over = |f: &dyn Fn(f64, f64) -> f64| t.iter().zip(&y).map(|(t, y)| f(w * t, *y)).sum::<f64>();
                let phase = 0.5 * over(&|a, _| (2.0 * a).sin()).atan2(over(&|a, _| (2.0 * a).cos()));
                let along = over(&|a, y| y * (a - phase).cos()).powi(2) / over(&|a, _| (a - phase).cos().powi(2));
                let across = over(&|a, y| y * (a - phase).sin()).powi(2) / over(&|a, _| (a - phase).sin().powi(2));
                length / t.len() as f64 * (along + across)
            })
            .collect()
    }

    #[test]
    fn equals_the_definition() {
        for n in [5, 40, 300] {
            let rr: Vec<f64> =
                (0..n).map(|i| 850.0 + 60.0 * f64::from(i * i).sin() + f64::from((i * 29) % 83)).collect();
            let (got, want) = (spectrum(&rr).unwrap().density, plain(&rr));
            assert_eq!(got.len(), want.len());
            let top = want.iter().copied().fold(0.0, f64::max);
            for (g, w) in got.iter().zip(&want) {
                assert!((g - w).abs() < 1e-9 * top, "{n}: {g} {w}");
            }
        }
    }

    /// Series in whole ms over a multiple of 0.625 s, so that edges of bands are points of the grid. Values of the plain
    /// definitions in `spec/metrics.py`.
    #[test]
    fn an_edge_of_a_band_that_is_a_point_of_the_grid_belongs_to_the_next_band() {
        for (n, length_ms, vlf, lf, hf) in [
            (200, 175000, 13.62864029817682, 176.57587054418687, 309.9992938332452),
            (330, 300000, 19.934687516258517, 192.94720520020246, 308.9633449660691),
            (320, 290625, 25.139339951580936, 186.3829608441662, 313.260052790091),
            (360, 310625, 12.996826588609975, 186.349236513928, 306.5295800893591),
            (140, 121250, 23.264276722030342, 155.36857355258826, 305.27867290183804),
            (345, 299375, 13.648097635973127, 190.15226557561562, 307.9588017410973),
        ] {
            let mut rr: Vec<i64> = (0..n).map(|i| 850 + (37 * i) % 71 + (13 * i * i) % 83).collect();
            let mut missing = length_ms - rr[1..].iter().sum::<i64>();
            let mut k = 1;
            while missing != 0 {
                rr[k] += missing.signum();
                missing -= missing.signum();
                k = 1 + k % (rr.len() - 1);
            }
            let b = bands(&rr.iter().map(|x| *x as f64).collect::<Vec<_>>());
            for (got, want) in [(b.vlf_ms2, vlf), (b.lf_ms2, lf), (b.hf_ms2, hf)] {
                let got = got.unwrap();
                assert!((got - want).abs() < 1e-9 * want, "{length_ms}: {got} {want}");
            }
        }
    }

    #[test]
    fn one_estimator_serves_any_length_with_the_same_bits() {
        let rr: Vec<f64> = (0..400).map(|i| 850.0 + 60.0 * f64::from(i * i).sin()).collect();
        let mut lomb = Lomb::new();
        for n in [400, 40, 390, 400] {
            assert_eq!(lomb.spectrum(&rr[..n]), spectrum(&rr[..n]), "{n}");
        }
    }

    #[test]
    fn absent_with_a_reason() {
        assert_eq!(bands(&[900.0; 3]), Bands::none(Why::TooFew));
        assert_eq!(bands(&[900.0, f64::NAN, 900.0, 900.0]), Bands::none(Why::Unclear));
        assert_eq!(bands(&[900.0, -5.0, 900.0, 900.0]), Bands::none(Why::Unclear));
    }
}
