//! Weeks of load: sums, Foster's monotony and strain, lighter weeks.

use super::stats::{mean, sd};

/// Sums of whole weeks, oldest first, the last one ending with the last day. Days that fill no week are left out.
pub fn sums(days: &[f64]) -> Vec<f64> {
    days.rchunks_exact(7).rev().map(|week| week.iter().sum()).collect()
}

/// Foster's training monotony: mean over standard deviation (n − 1) of seven daily loads, rest days as 0. `None` where
/// the days do not differ at all (Foster 1998, Med Sci Sports Exerc 30:1164).
pub fn monotony(days: &[f64; 7]) -> Option<f64> {
    let spread = sd(days);
    mean(days).filter(|_| spread > 0.0).map(|m| m / spread)
}

/// Foster's strain: the sum of the week times its monotony.
pub fn strain(days: &[f64; 7]) -> Option<f64> {
    monotony(days).map(|m| m * days.iter().sum::<f64>())
}

/// Weeks since one was at most `ratio` of the mean of the three before it; `None` with fewer than four weeks. If there
/// never was one, all weeks count.
pub fn weeks_since_cutback(weeks: &[f64], ratio: f64) -> Option<u32> {
    weeks_since(weeks.len(), |i| {
        let usual = mean_of_three_before(weeks, i);
        usual > 0.0 && weeks[i] <= ratio * usual
    })
}

/// Weeks since a lighter one, of `n`; three have to lie before it. `None` with fewer than four, all if there never was one.
pub(super) fn weeks_since(n: usize, is_lighter: impl Fn(usize) -> bool) -> Option<u32> {
    if n < 4 {
        return None;
    }
    let since = (3..n).rev().take_while(|i| !is_lighter(*i)).count();
    let never = since == n - 3;
    u32::try_from(if never { n } else { since }).ok()
}

/// What is usual for a week.
pub(super) fn mean_of_three_before(weeks: &[f64], i: usize) -> f64 {
    i.checked_sub(3).and_then(|from| weeks.get(from..i)).and_then(mean).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foster() {
        let week = [60.0, 0.0, 90.0, 40.0, 0.0, 120.0, 50.0];
        assert!((monotony(&week).unwrap() - 1.165339).abs() < 1e-6);
        assert!((strain(&week).unwrap() - 419.522207).abs() < 1e-6);
        assert_eq!((monotony(&[50.0; 7]), strain(&[0.0; 7])), (None, None));
    }

    #[test]
    fn weeks_end_with_the_last_day() {
        let days: Vec<f64> = (0..16).map(f64::from).collect();
        assert_eq!(sums(&days), [35.0, 84.0]);
        assert!(sums(&days[..6]).is_empty());
    }

    #[test]
    fn a_lighter_week_counts_from_its_end() {
        let since = |w: &[f64]| weeks_since_cutback(w, 0.75);
        assert_eq!(since(&[1.0; 3]), None);
        assert_eq!(since(&[1.0; 6]), Some(6));
        assert_eq!(since(&[4.0, 4.0, 4.0, 3.0]), Some(0));
        assert_eq!(since(&[4.0, 4.0, 4.0, 3.0, 4.0, 4.0]), Some(2));
        assert_eq!(since(&[0.0; 5]), Some(5), "weeks of nothing are no lighter ones");
    }
}
