//! What would have changed the verdict: the smallest single changes, each verified by judging again.

use super::day::{Day, Today, View};
use super::model::Model;
use super::norms::Norms;
use super::verdict::{Level, Verdict, judge};
use super::words::{self, Language};
use crate::check::words;
use std::fmt;
use std::str::FromStr;

words! {
    /// The one thing that is imagined different.
    Lever {
        /// Today's RMSSD, ms.
        Rmssd = "rmssd",
        /// The 7-day mean of RMSSD, ms: the six days before today all shifted alike.
        WeekMean = "week_mean",
        /// Resting heart rate, bpm.
        Rhr = "rhr",
        /// Last night, h.
        Sleep = "sleep",
        /// Hooper sum, no single item standing out.
        Wellness = "wellness",
        /// Hours since the last hard session.
        HoursSinceHard = "hours_since_hard",
        /// Load of the last seven days, all scaled alike.
        WeekLoad = "week_load",
        /// No pain.
        Pain = "pain",
        /// Not ill.
        Illness = "illness",
    }
}

/// One change and the level it leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counterfactual {
    /// What is changed.
    pub lever: Lever,
    /// To what level it leads.
    pub level: Level,
    /// From where on; 0 for pain and illness.
    pub at: f64,
    /// Whether more of it leads there (otherwise less).
    pub up: bool,
    /// Whether the level is a stricter one.
    pub stricter: bool,
}

impl Counterfactual {
    /// In words: "GO with an RMSSD of 44 ms or more today".
    pub fn say(&self, language: Language) -> String {
        let edge = words::text(if self.up { "edge.up" } else { "edge.down" }, language);
        let blanks = [("level", self.level.to_string()), ("at", words::short(self.at)), ("edge", edge)];
        words::fill(&format!("what.{}", self.lever), language, &blanks)
    }

    /// The day with this change made.
    pub fn applied(&self, day: &Day) -> Day {
        let mut out = day.clone();
        let set = |s: &mut Vec<Option<f64>>, x: f64| s.last_mut().into_iter().for_each(|v| *v = Some(x));
        match self.lever {
            Lever::Rmssd => set(&mut out.ln_rmssd, self.at.ln()),
            Lever::WeekMean => shift_week(&mut out, self.at),
            Lever::Rhr => set(&mut out.rhr, self.at),
            Lever::Sleep => set(&mut out.sleep_h, self.at),
            Lever::Wellness => {
                set(&mut out.hooper, self.at);
                out.hooper_items.clear();
            }
            Lever::HoursSinceHard => out.hours_since_hard = Some(self.at),
            Lever::WeekLoad => scale_week(&mut out, self.at),
            Lever::Pain => (out.pain, out.pain_days) = (None, 0),
            Lever::Illness => out.sick = false,
        }
        out
    }
}

/// Shifts the six days before today so that the 7-day mean becomes `mean7_ms`.
fn shift_week(day: &mut Day, mean7_ms: f64) {
    let today = day.ln_rmssd.len().saturating_sub(1);
    let from = today.saturating_sub(6);
    let week: Vec<f64> = day.ln_rmssd.iter().skip(from).filter_map(|v| *v).collect();
    let before: Vec<&mut f64> = day.ln_rmssd.iter_mut().take(today).skip(from).filter_map(|v| v.as_mut()).collect();
    if before.is_empty() || mean7_ms.is_nan() || mean7_ms <= 0.0 {
        return;
    }
    let missing = mean7_ms.ln() * week.len() as f64 - week.iter().sum::<f64>();
    let each = missing / before.len() as f64;
    before.into_iter().for_each(|v| *v += each);
}

/// Scales the last seven days so that their sum becomes `sum`.
fn scale_week(day: &mut Day, sum: f64) {
    let from = day.load.len().saturating_sub(7);
    let now: f64 = day.load.iter().skip(from).sum();
    if now > 0.0 {
        day.load.iter_mut().skip(from).for_each(|l| *l *= sum / now);
    }
}

/// Every lever whose single change moves the level: to each milder level it can reach, and to the first stricter one.
/// Changes are looked for in whole ms, bpm, points, hours and quarters of an hour of sleep, and in hundredths of load.
pub fn counterfactuals(day: &Day, model: &Model, verdict: &Verdict) -> Vec<Counterfactual> {
    // older days decide no level; without them a week is cheap to imagine differently
    let day = &day.recent();
    let view = View::of(day);
    let norms = Norms::of(&view, model);
    let (today, Some(severity)) = (view.today, verdict.level.severity()) else { return Vec::new() };
    let mut search = Search { severity, out: Vec::new() };
    let with = |change: &dyn Fn(&mut Today<'_>)| {
        let mut t = today;
        change(&mut t);
        judge(&norms, &t, model).level
    };
    if today.sick {
        search.once(Lever::Illness, with(&|t| t.sick = false));
    }
    if today.pain.is_some() {
        search.once(Lever::Pain, with(&|t| t.pain = None));
    }
    if let Some(ln) = today.ln_rmssd.filter(|_| verdict.range.is_some()) {
        let now = ln.exp();
        let level = |x: f64| with(&|t| t.ln_rmssd = Some(x.ln()));
        search.both(Lever::Rmssd, now, (1.0, (3.0 * now).max(60.0)), 1.0, true, &level);
    }
    if let Some(m7) = verdict.mean7.filter(|_| verdict.n_week > usize::from(today.ln_rmssd.is_some())) {
        let now = m7.exp();
        let level = |x: f64| {
            let mut other = day.clone();
            shift_week(&mut other, x);
            let view = View::of(&other);
            judge(&Norms::of(&view, model), &view.today, model).level
        };
        search.both(Lever::WeekMean, now, (1.0_f64.max(now / 2.0), 2.0 * now), 1.0, true, &level);
    }
    if let Some(now) = today.rhr.filter(|_| verdict.rhr_z.is_some()) {
        search.both(Lever::Rhr, now, (20.0, 140.0), 1.0, false, &|x| with(&|t| t.rhr = Some(x)));
    }
    if let Some(now) = today.sleep_h {
        search.both(Lever::Sleep, now, (0.0, 14.0), 0.25, true, &|x| with(&|t| t.sleep_h = Some(x)));
    }
    if let Some(now) = today.hooper {
        let level = |x: f64| {
            with(&|t| {
                t.hooper = Some(x);
                t.hooper_items = &[];
            })
        };
        search.both(Lever::Wellness, now, (4.0, 28.0), 1.0, false, &level);
    }
    if let Some(now) = today.hours_since_hard.filter(|h| *h < model.hard_gap_h) {
        search.milder(Lever::HoursSinceHard, now, model.hard_gap_h, 1.0, &|x| with(&|t| t.hours_since_hard = Some(x)));
    }
    // the grid of hundredths begins at 1/100 of the week: "with a load of 0 or less" would be true and of no use
    if let Some(now) = verdict.load7.filter(|l| *l > 0.0) {
        let level = |x: f64| {
            let mut other = day.clone();
            scale_week(&mut other, x);
            let view = View::of(&other);
            judge(&Norms::of(&view, model), &view.today, model).level
        };
        search.milder(Lever::WeekLoad, now, now / 100.0, now / 100.0, &level);
    }
    search.out
}

struct Search {
    severity: u8,
    out: Vec<Counterfactual>,
}

impl Search {
    fn once(&mut self, lever: Lever, level: Level) {
        if level.severity().is_none_or(|s| s < self.severity) {
            self.out.push(Counterfactual { lever, level, at: 0.0, up: false, stricter: false });
        }
    }

    /// Looks towards milder levels in one direction and towards stricter ones in the other.
    fn both(
        &mut self,
        lever: Lever,
        now: f64,
        (low, high): (f64, f64),
        step: f64,
        more_is_better: bool,
        level: &dyn Fn(f64) -> Level,
    ) {
        let (better, worse) = if more_is_better { (high, low) } else { (low, high) };
        self.milder(lever, now, better, step, level);
        if self.severity < 3 {
            let stricter = |x: f64| level(x).severity().filter(|s| *s > self.severity);
            if let Some((at, found)) = first(now, worse, step, &mut |x| stricter(x).map(|_| level(x))) {
                self.out.push(Counterfactual { lever, level: found, at, up: worse > now, stricter: true });
            }
        }
    }

    fn milder(&mut self, lever: Lever, now: f64, to: f64, step: f64, level: &dyn Fn(f64) -> Level) {
        let mut best = self.severity;
        let mut from = now;
        while best > 0 {
            let mut find = |x: f64| Some(level(x)).filter(|l| l.severity().is_some_and(|s| s < best));
            let Some((at, found)) = first(from, to, step, &mut find) else { return };
            best = found.severity().unwrap_or(0);
            from = at;
            self.out.push(Counterfactual { lever, level: found, at, up: to > now, stricter: false });
        }
    }
}

/// The first value on the grid of `step` from `now` (not itself) towards `to` for which `found` answers.
fn first<T>(now: f64, to: f64, step: f64, found: &mut dyn FnMut(f64) -> Option<T>) -> Option<(f64, T)> {
    let up = to > now;
    // on the grid, strictly beyond now
    let start = if up { (now / step + 1e-9).floor() + 1.0 } else { (now / step - 1e-9).ceil() - 1.0 };
    let mut k = start;
    for _ in 0..2000 {
        let x = k * step;
        if (up && x > to + 1e-9) || (!up && x < to - 1e-9) {
            return None;
        }
        if let Some(t) = found(x) {
            return Some((x, t));
        }
        k += if up { 1.0 } else { -1.0 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::{FlagId, V1, assess};

    #[test]
    fn doing_nothing_for_a_week_is_no_advice() {
        // equal days stay equal however little they weigh: only a week of nothing at all has no monotony
        let day = Day {
            load: (0..35).map(|i| 50.0 + f64::from(i % 3)).collect(),
            sleep_h: vec![Some(8.0); 30],
            ..Day::default()
        };
        let v = assess(&day, &V1);
        assert!(v.level == Level::Caution && v.flags.iter().any(|f| f.id == FlagId::Monotony));
        let offered = counterfactuals(&day, &V1, &v);
        assert!(offered.iter().all(|c| c.lever != Lever::WeekLoad), "{offered:?}");
    }
}
