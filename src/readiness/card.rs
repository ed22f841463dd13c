//! The rest-day card: what came back since the last hard day. No guilt, two numbers.

use super::words::{self, Language};
use jiff::civil::Date;

/// lnRMSSD and resting heart rate of one morning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Morning {
    /// Its date.
    pub date: Date,
    /// ln(ms).
    pub ln_rmssd: f64,
    /// bpm.
    pub rhr: f64,
}

/// Two mornings after a hard day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestDayCard {
    /// The hard day.
    pub hard_day: Date,
    /// The first morning after it.
    pub then: Morning,
    /// This morning.
    pub now: Morning,
}

impl RestDayCard {
    /// From the mornings of a person, for a rest day at most a week after a hard one. `None` if one of the two mornings
    /// was not measured.
    pub fn of(mornings: &[Morning], hard_day: Date, today: Date) -> Option<Self> {
        let after = |m: &&Morning| m.date > hard_day && m.date < today;
        let then = *mornings.iter().filter(after).min_by_key(|m| m.date)?;
        let now = *mornings.iter().find(|m| m.date == today)?;
        let days = crate::load::days_between(hard_day, today);
        (2..=7).contains(&days).then_some(Self { hard_day, then, now })
    }

    /// Whether RMSSD rose and the pulse did not.
    pub fn rebounded(&self) -> bool {
        self.now.ln_rmssd > self.then.ln_rmssd && self.now.rhr <= self.then.rhr
    }

    /// Its text.
    pub fn say(&self, language: Language) -> String {
        let whole = |x: f64| format!("{x:.0}");
        let blanks = [
            ("date", self.hard_day.to_string()),
            ("from_ms", whole(self.then.ln_rmssd.exp())),
            ("to_ms", whole(self.now.ln_rmssd.exp())),
            ("from_bpm", whole(self.then.rhr)),
            ("to_bpm", whole(self.now.rhr)),
        ];
        words::fill(if self.rebounded() { "card.rebounded" } else { "card.on_its_way" }, language, &blanks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn morning(day: i8, ms: f64, rhr: f64) -> Morning {
        Morning { date: date(2026, 3, day), ln_rmssd: ms.ln(), rhr }
    }

    #[test]
    fn two_numbers_that_came_back() {
        let m = [morning(3, 60.0, 50.0), morning(4, 44.0, 55.0), morning(6, 58.0, 51.0)];
        let card = RestDayCard::of(&m, date(2026, 3, 3), date(2026, 3, 6)).unwrap();
        assert_eq!((card.then, card.now, card.rebounded()), (m[1], m[2], true));
        assert_eq!(
            card.say(Language::En),
            "Invisible work: since the morning after 2026-03-03, RMSSD went from 44 to 58 ms and resting heart rate from 55 to 51 bpm."
        );
        let low = [m[1], morning(6, 42.0, 56.0)];
        let card = RestDayCard::of(&low, date(2026, 3, 3), date(2026, 3, 6)).unwrap();
        assert!(!card.rebounded() && card.say(Language::De).contains("seine eigene Zeit"));
    }

    #[test]
    fn no_card_without_both_mornings() {
        let m = [morning(4, 44.0, 55.0), morning(6, 58.0, 51.0)];
        assert_eq!(RestDayCard::of(&m[..1], date(2026, 3, 3), date(2026, 3, 6)), None);
        assert_eq!(RestDayCard::of(&m[1..], date(2026, 3, 3), date(2026, 3, 6)), None);
        assert_eq!(RestDayCard::of(&m, date(2026, 2, 20), date(2026, 3, 6)), None, "too long ago to mean anything");
    }
}
