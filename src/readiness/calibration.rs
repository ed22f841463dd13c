//! How often people say that the verdict was right.

use super::verdict::Level;
use jiff::civil::Date;

/// One answer to "was this right?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The day of the verdict.
    pub date: Date,
    /// What it said.
    pub level: Level,
    /// What the person thinks of it.
    pub right: bool,
}

/// Hit rate over 30 days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitRate {
    /// Answers behind it.
    pub answers: usize,
    /// Share of "right", %; `None` with fewer than five answers.
    pub percent: Option<f64>,
    /// Answers to GO that were "wrong": something was the matter and was not seen.
    pub missed: usize,
    /// Answers to CAUTION, EASY or REST that were "wrong": alarms for nothing.
    pub false_alarms: usize,
}

/// Fewer answers make no rate.
pub const MIN_ANSWERS: usize = 5;

/// Over the thirty days that end with `today`.
pub fn hit_rate(answers: &[Answer], today: Date) -> HitRate {
    let month = |a: &&Answer| (0..30).contains(&crate::load::days_between(a.date, today));
    let recent: Vec<&Answer> = answers.iter().filter(month).collect();
    let wrong = |a: &&&Answer| !a.right;
    let missed = recent.iter().filter(wrong).filter(|a| a.level == Level::Go).count();
    let false_alarms = recent.iter().filter(wrong).filter(|a| a.level.severity().is_some_and(|s| s > 0)).count();
    let right = recent.iter().filter(|a| a.right).count();
    let enough = recent.len() >= MIN_ANSWERS;
    let percent = enough.then(|| 100.0 * right as f64 / recent.len() as f64);
    HitRate { answers: recent.len(), percent, missed, false_alarms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_month_of_answers() {
        let day = |d: i8, level, right| Answer { date: date(2026, 3, d), level, right };
        let mut all = vec![
            day(1, Level::Go, false),
            day(10, Level::Go, true),
            day(11, Level::Caution, false),
            day(12, Level::Easy, true),
            day(13, Level::Go, false),
        ];
        let today = date(2026, 3, 31);
        assert_eq!(hit_rate(&all, today), HitRate { answers: 4, percent: None, missed: 1, false_alarms: 1 });
        all.push(day(31, Level::Rest, true));
        assert_eq!(hit_rate(&all, today).percent, Some(60.0));
        assert_eq!(hit_rate(&[], today).percent, None);
    }
}
