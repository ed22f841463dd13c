//! Like places in earlier breaths: what a displacement would have looked like there, although nothing was displaced.

use super::autoregression::PARTS;
use super::explanation::Lens;

/// Intervals that one place takes: three, the two that the beat parts, three.
pub(super) const PLACE: usize = 8;
/// Fewer earlier places tell nothing.
const LEAST: usize = 20;
const MOST: usize = 96;
/// A place is alike if the square of how far it is off is below this share of the mean over all places.
const ALIKE: f64 = 0.3;
/// Weight of the sum of the two intervals beside that of each neighbour: what parts them does not change it.
const SUM: f64 = 0.7;
/// Share of a common difference of level that does not count: `1 - (1 - 0.5)^2`, over the five that are compared.
const LEVEL: f64 = 0.75 / 5.0;
/// Alike places as many as this say nothing, in whose favour either result is shrunk.
const DOUBT_MEAN: f64 = 0.3;
const DOUBT_SCALE: f64 = 4.0;
/// The 85 % quantile of normal values over their standard deviation.
const QUANTILE: f64 = 1.44;

/// Where the place looked alike, the sizes of a displacement that were found there without one: their mean and their
/// scale, ms. `scale` is the scale over all places, for want of enough like ones. `None` with too little past.
///
/// The autoregressive model knows one frequency; a breath has a shape, and comes back.
pub(super) fn alike(past: &[f64], here: &[f64; PLACE], lens: &Lens, scale: f64) -> Option<(f64, f64)> {
    let around = |[_, b, c, x, y, d, e, _]: [f64; PLACE]| [b, c, SUM * (x + y), d, e];
    let now = around(here.map(|ms| ms * PARTS));
    let (mut far, mut sizes) = ([0.0; MOST], [0.0; MOST]);
    let (mut count, mut total) = (0, 0.0);
    for ((far, size), place) in far.iter_mut().zip(&mut sizes).zip(past.windows(PLACE)) {
        let Ok(place) = <[f64; PLACE]>::try_from(place) else { break };
        let [a, b, c, d, e] = around(place);
        let off = [now[0] - a, now[1] - b, now[2] - c, now[3] - d, now[4] - e];
        let sum: f64 = off.iter().sum();
        *far = off.iter().map(|o| o * o).sum::<f64>() - LEVEL * sum * sum;
        *size = lens.pair(&place);
        total += *far;
        count += 1;
    }
    if count < LEAST {
        return None;
    }
    let reach = (ALIKE * total / count as f64).max(1e-9);
    let (mut weights, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (far, size) in far.iter().zip(&sizes).take(count) {
        let near = (1.0 - far / reach).max(0.0);
        let weight = near * near;
        weights += weight;
        sum += weight * size;
        squares += weight * size * size;
    }
    let mean = sum / (weights + DOUBT_MEAN);
    let variance = (squares - 2.0 * mean * sum + mean * mean * weights).max(0.0) / (PARTS * PARTS);
    let pooled = (QUANTILE * QUANTILE * variance + DOUBT_SCALE * scale * scale) / (weights + DOUBT_SCALE);
    Some((mean / PARTS, pooled.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two harmonics over a breath of five beats.
    fn breath(k: usize) -> f64 {
        let phase = std::f64::consts::TAU * k as f64 / 5.0;
        1100.0 + 90.0 * phase.sin() + 50.0 * (2.0 * phase + 0.5).sin()
    }

    fn past() -> Vec<f64> {
        (0..90).map(|k| breath(k) * PARTS).collect()
    }

    /// A filter that foresees next to nothing: the statistic is hardly more than half the difference of the two.
    fn dull() -> Lens {
        Lens::new([1.0, -0.1, 0.0, 0.0], 1100.0)
    }

    #[test]
    fn a_breath_that_comes_back_is_known() {
        for from in 90..95 {
            let here: [f64; PLACE] = std::array::from_fn(|k| breath(from + k));
            let (mean, scale) = alike(&past(), &here, &dull(), 60.0).unwrap();
            let now = dull().pair(&here);
            assert!((now - mean).abs() < 0.03 * now.abs() + 0.1, "{now} {mean}");
            assert!(scale < 35.0, "{scale}");
            // A beat that comes late leaves the place what it is, and shows in full.
            let mut late = here;
            (late[3], late[4]) = (late[3] + 80.0, late[4] - 80.0);
            let (same, _) = alike(&past(), &late, &dull(), 60.0).unwrap();
            assert!((same - mean).abs() < 1e-9);
            assert!(dull().pair(&late) - same > 75.0);
        }
    }

    #[test]
    fn nothing_alike_is_no_news() {
        let here = [1100.0, 1500.0, 900.0, 2000.0, 2000.0, 400.0, 1900.0, 1100.0];
        let (mean, scale) = alike(&past(), &here, &dull(), 60.0).unwrap();
        assert!(mean.abs() < 1e-9 && (scale - 60.0).abs() < 1e-9, "{mean} {scale}");
        assert!(alike(&past()[..26], &here, &dull(), 60.0).is_none());
        // A heart that is paced: every place is alike.
        let paced = [16_000.0; 90];
        let (mean, scale) = alike(&paced, &[1000.0; PLACE], &dull(), 1.0).unwrap();
        assert!(mean.abs() < 1e-9 && scale.is_finite(), "{mean} {scale}");
    }
}
