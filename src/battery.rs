//! How long a strap's battery will last, from one reading a day over weeks. Coin cells fall in coarse steps, so most of
//! the time there is nothing honest to say, and then nothing is said.

use jiff::civil::Date;
use std::time::Duration;

/// A level that rises by at least this much, %, is a new cell: readings jitter by less.
const NEW_CELL: i16 = 8;
/// Readings, days and percent that a rate needs at least.
const MIN_READINGS: usize = 6;
const MIN_DAYS: i32 = 14;
const MIN_FALL: i16 = 4;
/// Two readings nearer than this tell more about rounding than about the cell.
const PAIR_DAYS: i32 = 7;
/// A last reading older than this says nothing about today.
const STALE_DAYS: i32 = 30;
/// Beyond this nobody has to know.
const MAX_DAYS: f64 = 400.0;
/// Fastest and slowest plausible rate may differ by this factor.
const MAX_SPREAD: f64 = 3.0;

/// One day's reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Local date.
    pub date: Date,
    /// Level, %.
    pub percent: u8,
}

/// What the readings say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Change a week, %; negative.
    pub per_week: f64,
    /// Days left at this rate of use.
    pub days_left: u32,
}

impl Forecast {
    /// The same as a span of time.
    pub fn left(&self) -> Duration {
        Duration::from_secs(u64::from(self.days_left) * 86_400)
    }
}

/// The forecast for `today`, or nothing if it would not beat "unknown".
///
/// The rate is the median of the slopes between readings at least a week apart (Theil–Sen). It is shown only if the
/// readings span weeks, the slopes agree within a factor of three, and the rate of the older two thirds would have
/// foretold the newest third better than "it stays as it is".
pub fn forecast(readings: &[Reading], today: Date) -> Option<Forecast> {
    let cell = this_cell(readings);
    let points: Vec<(f64, f64)> =
        cell.iter().map(|r| (f64::from(days(cell.first(), r.date)), f64::from(r.percent))).collect();
    let (first, last) = (cell.first()?, cell.last()?);
    let fall = cell.iter().map(|r| i16::from(r.percent)).max()? - i16::from(last.percent);
    let age = days(Some(last), today);
    if cell.len() < MIN_READINGS || days(Some(first), last.date) < MIN_DAYS || fall < MIN_FALL {
        return None;
    }
    if !(0..=STALE_DAYS).contains(&age) {
        return None;
    }
    let slopes = slopes(&points);
    let rate = -quantile(&slopes, 0.5)?;
    let (fast, slow) = (-quantile(&slopes, 0.25)?, -quantile(&slopes, 0.75)?);
    if rate <= 0.0 || slow <= 0.0 || fast / slow > MAX_SPREAD || !foretells(&points) {
        return None;
    }
    let left = f64::from(last.percent) / rate - f64::from(age);
    (left <= MAX_DAYS).then(|| Forecast { per_week: -7.0 * rate, days_left: left.max(0.0).round() as u32 })
}

/// The readings since the cell was changed, one a date, oldest first.
fn this_cell(readings: &[Reading]) -> Vec<Reading> {
    let mut all: Vec<Reading> = readings.iter().copied().filter(|r| r.percent <= 100).collect();
    all.sort_by_key(|r| r.date);
    let rises = all.windows(2).rposition(|w| i16::from(w[1].percent) - i16::from(w[0].percent) >= NEW_CELL);
    all.split_off(rises.map_or(0, |i| i + 1))
}

fn days(from: Option<&Reading>, to: Date) -> i32 {
    from.and_then(|f| (to - f.date).get_days().into()).unwrap_or(0)
}

fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let mut out = Vec::new();
    for (i, a) in points.iter().enumerate() {
        let far = points.iter().skip(i + 1).filter(|b| b.0 - a.0 >= f64::from(PAIR_DAYS));
        out.extend(far.map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    out.sort_unstable_by(f64::total_cmp);
    out
}

fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * q).round() as usize).copied()
}

/// Whether the older two thirds, drawn on as a line, come nearer to the newest third than their last value does.
fn foretells(points: &[(f64, f64)]) -> bool {
    let (old, new) = points.split_at(points.len() * 2 / 3);
    let Some((t0, y0)) = old.last().copied() else { return false };
    let Some(slope) = quantile(&slopes(old), 0.5) else { return false };
    let error = |f: &dyn Fn(f64) -> f64| new.iter().map(|(t, y)| (f(*t) - y).abs()).sum::<f64>();
    error(&|t| y0 + slope * (t - t0)) < error(&|_| y0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use proptest::prelude::*;

    fn day(n: i32) -> Date {
        jiff::civil::date(2026, 3, 1) + n.days()
    }

    fn series(levels: impl IntoIterator<Item = (i32, f64)>) -> Vec<Reading> {
        levels.into_iter().map(|(d, p)| Reading { date: day(d), percent: p.clamp(0.0, 100.0) as u8 }).collect()
    }

    #[test]
    fn a_steady_fall_is_drawn_on_to_its_end() {
        let r = series((0..40).map(|d| (d, 100.0 - f64::from(d))));
        let f = forecast(&r, day(39)).unwrap();
        assert!((f.per_week + 7.0).abs() < 0.01, "{f:?}");
        assert_eq!(f.days_left, 61);
        assert_eq!(forecast(&r, day(44)).unwrap().days_left, 56, "time goes on without readings");
        assert_eq!(forecast(&r, day(39 + 31)), None, "a month without a reading");
        assert_eq!(forecast(&r, day(10)), None, "readings from the future: the clock is wrong");
    }

    #[test]
    fn months_apart_are_counted_in_days() {
        let r = series((0..16).map(|i| (i * 10, 100.0 - f64::from(i) * 5.0)));
        let f = forecast(&r, day(150)).unwrap();
        assert!((f.per_week + 3.5).abs() < 0.01, "{f:?}");
        assert_eq!(f.days_left, 50);
    }

    #[test]
    fn too_little_is_unknown() {
        assert_eq!(forecast(&[], day(0)), None);
        assert_eq!(forecast(&series((0..13).map(|d| (d, 100.0 - 2.0 * f64::from(d)))), day(13)), None, "13 days");
        assert_eq!(forecast(&series([(0, 100.0), (30, 90.0), (60, 80.0)]), day(60)), None, "three readings");
        assert_eq!(forecast(&series((0..60).map(|d| (d, 100.0))), day(60)), None, "a flat line");
        assert_eq!(forecast(&series((0..60).map(|d| (d, 90.0 + f64::from(d % 3)))), day(60)), None, "jitter");
    }

    #[test]
    fn one_step_of_a_coarse_gauge_is_no_rate() {
        let r = series((0..60).map(|d| (d, if d < 50 { 100.0 } else { 90.0 })));
        assert_eq!(forecast(&r, day(60)), None);
    }

    #[test]
    fn a_fall_in_tens_becomes_a_rate_in_time() {
        // 10 % every ten days
        let r = series((0..60).map(|d| (d, 100.0 - 10.0 * f64::from(d / 10))));
        let f = forecast(&r, day(59)).unwrap();
        assert!((40..=65).contains(&f.days_left), "{f:?}");
    }

    #[test]
    fn a_new_cell_begins_anew() {
        let old = (0..30).map(|d| (d, 60.0 - 2.0 * f64::from(d)));
        let fresh = (30..40).map(|d| (d, 100.0 - f64::from(d - 30) * 0.5));
        let r = series(old.clone().chain(fresh));
        assert_eq!(forecast(&r, day(40)), None, "ten days of the new cell say nothing yet");
        assert!(forecast(&series(old), day(29)).is_some());
    }

    #[test]
    fn a_wild_reading_does_not_move_it() {
        let r = series((0..40).map(|d| (d, if d == 20 { 76.0 } else { 100.0 - f64::from(d) })));
        let f = forecast(&r, day(39)).unwrap();
        assert!((58..=64).contains(&f.days_left), "{f:?}");
    }

    #[test]
    fn a_cell_that_lasts_for_years_is_not_counted_down() {
        let r = series((0..120).map(|d| (d, 100.0 - f64::from(d) * 0.05)));
        assert_eq!(forecast(&r, day(119)), None);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_whatever_is_said_is_sane(
            levels in proptest::collection::vec((0i32..400, 0u8..=255), 0..60), today in 0i32..500
        ) {
            let r: Vec<_> = levels.iter().map(|(d, p)| Reading { date: day(*d), percent: *p }).collect();
            if let Some(f) = forecast(&r, day(today)) {
                prop_assert!(f.per_week < 0.0 && f.per_week.is_finite() && f.days_left <= 400);
            }
        }
    }
}
