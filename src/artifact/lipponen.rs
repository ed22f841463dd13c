//! Batch labels after Lipponen & Tarvainen 2019 (J Med Eng Technol 43:173), decision for decision as NeuroKit2's
//! non-iterative pass, and its time-preserving correction, so that results can be compared with other tools.

use super::Label;
use super::quartiles::{medians_of_eleven, ranges};

const ALPHA: f64 = 5.2;
const C1: f64 = 0.13;
const C2: f64 = 0.17;
/// Half of the 91-beat window of the thresholds.
const HALF_WINDOW: usize = 45;

/// One label per interval.
pub fn lipponen_tarvainen(rr_ms: &[f64]) -> Vec<Label> {
    let n = rr_ms.len() + 1;
    // Too short for the padded decisions, or not a series at all.
    if rr_ms.len() < 2 || !rr_ms.iter().all(|x| x.is_finite()) {
        return vec![Label::Normal; rr_ms.len()];
    }
    let mut labels = vec![Label::Normal; n];
    // The method works on beats; the interval before the first beat is taken to be the mean one.
    let mut rr = Vec::with_capacity(n);
    rr.push(rr_ms.iter().sum::<f64>() / rr_ms.len() as f64);
    rr.extend_from_slice(rr_ms);
    let mut d: Vec<f64> = std::iter::once(0.0).chain(rr.windows(2).map(|w| w[1] - w[0])).collect();
    d[0] = d[1..].iter().sum::<f64>() / (n - 1) as f64;
    normalise(&mut d);
    let median = medians_of_eleven(&rr);
    let mut m: Vec<f64> = rr.iter().zip(&median).map(|(r, c)| if r < c { 2.0 * (r - c) } else { r - c }).collect();
    let threshold2 = normalise(&mut m);

    // d with two values reflected on either side; index 0 of `d` is index 2 here.
    let at = |i: usize| match i {
        0 => d[2],
        1 => d[1],
        i if i - 2 < n => d[i - 2],
        i => d[2 * (n - 1) - (i - 2)],
    };
    let mut i = 0;
    while i + 2 < n {
        let s = d[i];
        if s.is_nan() || s.abs() <= 1.0 {
            i += 1;
            continue;
        }
        let (before, after) = (at(i + 1), at(i + 3));
        let opposite = if s > 0.0 { largest(before, after) } else { smallest(before, after) };
        if (s > 1.0 && opposite < -C1 * s - C2) || (s < -1.0 && opposite > -C1 * s + C2) {
            labels[i] = Label::Ectopic;
            i += 1;
            continue;
        }
        let both = at(i + 3).abs() < at(i + 4).abs();
        let (first, last) = (i, i + usize::from(both));
        for j in first..=last {
            let s = at(j + 2);
            let next = if s >= 0.0 { smallest(at(j + 3), at(j + 4)) } else { largest(at(j + 3), at(j + 4)) };
            let long = s > 1.0 && next < -1.0;
            let short = s < -1.0 && next > 1.0;
            let far = m[j].abs() > 3.0;
            i += 1;
            if !(long || short || far) {
                continue;
            }
            let half = (rr[j] / 2.0 - median[j]).abs() < threshold2[j];
            let whole = (rr[j] + rr[j + 1] - median[j]).abs() < threshold2[j];
            labels[j] = if short && whole {
                Label::Extra
            } else if long && half {
                Label::Missed
            } else if rr[j] > median[j] {
                Label::Long
            } else {
                Label::Short
            };
        }
    }
    labels.remove(0);
    labels
}

/// As Python's `max(a, b)`: the first unless the second is greater, NaN included.
fn largest(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// As Python's `min(a, b)`.
fn smallest(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// Divides by 5.2 quartile deviations of the absolute values around each; where that is zero the quotient is NaN.
fn normalise(x: &mut [f64]) -> Vec<f64> {
    let absolute: Vec<f64> = x.iter().map(|v| v.abs()).collect();
    let mut threshold = ranges(&absolute, HALF_WINDOW);
    for t in &mut threshold {
        *t = ALPHA * *t / 2.0;
    }
    for (v, t) in x.iter_mut().zip(&threshold) {
        *v = if *t > 0.0 { *v / t } else { f64::NAN };
    }
    threshold
}

/// NeuroKit2's correction of one pass: beats that end an extra interval are deleted, a missed beat is put in the
/// middle, the beats of ectopic and then of long and short intervals move to the middle of their neighbours.
/// The total time is kept except at the ends. Labels are expected as [`lipponen_tarvainen`] gives them: one per event.
pub fn correct(rr_ms: &[f64], labels: &[Label]) -> Vec<f64> {
    let mut beats: Vec<f64> = Vec::with_capacity(rr_ms.len() + 1);
    beats.push(0.0);
    for rr in rr_ms {
        beats.push(beats[beats.len() - 1] + rr);
    }
    let of = |wanted: &[Label]| -> Vec<usize> {
        labels.iter().enumerate().filter(|(_, l)| wanted.contains(l)).map(|(i, _)| i + 1).collect()
    };
    let extra = of(&[Label::Extra]);
    let mut missed = of(&[Label::Missed]);
    let mut ectopic = of(&[Label::Ectopic]);
    let mut displaced = of(&[Label::Long, Label::Short]);

    if !extra.is_empty() {
        let mut index = 0;
        let mut gone = extra.iter().peekable();
        beats.retain(|_| {
            let drop = gone.next_if(|e| **e == index).is_some();
            index += 1;
            !drop
        });
        for list in [&mut missed, &mut ectopic, &mut displaced] {
            shift(&extra, list, -1);
        }
    }
    if !missed.is_empty() {
        let n = beats.len();
        for &i in missed.iter().rev().filter(|i| (2..n).contains(*i)) {
            beats.insert(i, beats[i - 1] + (beats[i] - beats[i - 1]) / 2.0);
        }
        for list in [&mut ectopic, &mut displaced] {
            shift(&missed, list, 1);
        }
    }
    for list in [&ectopic, &displaced] {
        let n = beats.len();
        let before = beats.clone();
        for &i in list.iter().filter(|i| **i > 1 && **i + 1 < n) {
            beats[i] = before[i - 1] + (before[i + 1] - before[i - 1]) / 2.0;
        }
        beats.sort_unstable_by(f64::total_cmp);
    }
    beats.windows(2).map(|w| w[1] - w[0]).collect()
}

/// Moves the indices in `list` that lie behind each of `from` by one, one after the other as the original does.
fn shift(from: &[usize], list: &mut Vec<usize>, by: isize) {
    for &s in from {
        for i in list.iter_mut().filter(|i| **i > s) {
            *i = i.saturating_add_signed(by);
        }
    }
    list.sort_unstable();
    list.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_odd_series_are_left_alone() {
        assert_eq!(lipponen_tarvainen(&[]), []);
        assert_eq!(lipponen_tarvainen(&[900.0; 50]), [Label::Normal; 50]);
        assert_eq!(lipponen_tarvainen(&[900.0, f64::NAN, 900.0, 900.0, 900.0]), [Label::Normal; 5]);
        assert!(correct(&[], &[]).is_empty());
    }

    /// Values of the plain definitions in `spec/metrics.py`.
    #[test]
    fn the_shortest_series_are_judged_as_well() {
        let cases: &[(&[f64], &str)] = &[
            (&[902.67, 926.53, 953.11], "ENN"),
            (&[370.26], "N"),
            (&[800.66], "N"),
            (&[980.33, 868.99], "NN"),
            (&[824.44, 789.80], "NN"),
            (&[878.45, 1430.06, 1039.61], "NNN"),
            (&[1155.58, 839.73, 383.27], "ENN"),
            (&[1160.49, 941.29, 538.46], "NNN"),
            (&[898.45, 902.75, 905.77], "ENN"),
            (&[903.90, 894.71, 901.07, 894.26], "AENN"),
            (&[901.70, 897.57, 896.80, 900.28], "NNNN"),
            (&[495.30, 659.30, 1327.07, 730.57], "NNNN"),
            (&[857.15, 887.17, 927.20, 880.39], "AANN"),
            (&[918.19, 791.81, 645.09, 868.48], "AANN"),
            (&[320.23, 1004.79, 650.18, 444.21], "NENN"),
            (&[852.40, 996.42, 895.83, 848.70], "NENN"),
            (&[1618.36, 1105.91, 718.18, 1075.06], "MXNN"),
        ];
        for (rr, want) in cases {
            let long_or_short = |l: &Label| if matches!(l, Label::Long | Label::Short) { 'A' } else { l.letter() };
            let got: String = lipponen_tarvainen(rr).iter().map(long_or_short).collect();
            assert_eq!(&got, want, "{rr:?}");
        }
    }

    #[test]
    fn correction_keeps_the_time() {
        let mut rr = vec![900.0; 12];
        let mut labels = vec![Label::Normal; 12];
        (rr[4], rr[5]) = (600.0, 1200.0);
        labels[4] = Label::Ectopic;
        (rr[8], labels[8]) = (1800.0, Label::Missed);
        let fixed = correct(&rr, &labels);
        assert_eq!(fixed, vec![900.0; 13]);
    }
}
