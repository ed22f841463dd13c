//! The corrected series behind spectra, DFA and entropy, for labels that mark every interval of an artifact.

use super::Label;

/// How far a run may be stretched to keep the time, and still look like beats.
const STRETCH: f64 = 0.12;

/// Replaces each run of flagged intervals by as many as fit its duration, in line with the normal ones around it.
/// They are stretched to the duration of the run if that is a whole number of beats, give or take 12 %: then the
/// total time is kept. Otherwise time was wrong in the first place, and only plausible beats remain.
/// A series without any normal interval comes back as it is.
pub fn repair(rr_ms: &[f64], labels: &[Label]) -> Vec<f64> {
    let normal = |i: usize| labels.get(i).is_none_or(|l| l.is_normal());
    if !(0..rr_ms.len()).any(normal) {
        return rr_ms.to_vec();
    }
    let mut out = Vec::with_capacity(rr_ms.len());
    let mut i = 0;
    while i < rr_ms.len() {
        if normal(i) {
            out.push(rr_ms[i]);
            i += 1;
            continue;
        }
        let start = i;
        while i < rr_ms.len() && !normal(i) {
            i += 1;
        }
        let before = level((0..start).rev().filter(|k| normal(*k)).map(|k| rr_ms[k]));
        let after = level((i..rr_ms.len()).filter(|k| normal(*k)).map(|k| rr_ms[k]));
        let (Some(a), Some(b)) = (before.or(after), after.or(before)) else { continue };
        let time: f64 = rr_ms[start..i].iter().sum();
        let beats = (time / (0.5 * (a + b))).round().clamp(1.0, 3.0 * (i - start) as f64) as usize;
        let line = (1..=beats).map(|k| a + (b - a) * k as f64 / (beats + 1) as f64);
        let stretch = time / line.clone().sum::<f64>();
        let factor = if (stretch - 1.0).abs() <= STRETCH { stretch } else { 1.0 };
        out.extend(line.map(|x| x * factor));
    }
    out
}

/// Mean of the nearest two normal intervals on one side.
fn level(near: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sum = 0.0;
    let mut n = 0.0;
    for x in near.take(2) {
        sum += x;
        n += 1.0;
    }
    (n > 0.0).then(|| sum / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Label::*;

    #[test]
    fn time_is_kept_where_it_was_right() {
        let n = Normal;
        assert_eq!(repair(&[900.0, 1800.0, 900.0], &[n, Missed, n]), [900.0; 4]);
        assert_eq!(repair(&[900.0, 400.0, 500.0, 900.0], &[n, Extra, Extra, n]), [900.0; 3]);
        assert_eq!(repair(&[900.0, 600.0, 1200.0, 900.0], &[n, Ectopic, Ectopic, n]), [900.0; 4]);
        assert_eq!(repair(&[900.0, 1300.0, 900.0], &[n, Long, n]), [900.0; 3]);
        assert_eq!(repair(&[500.0, 900.0, 900.0], &[Short, n, n]), [900.0; 3]);
        assert_eq!(repair(&[500.0, 400.0], &[Short, Short]), [500.0, 400.0]);
        assert!(repair(&[], &[]).is_empty());
    }
}
