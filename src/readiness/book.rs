//! One person's book: mornings, words, sessions; and every version of every verdict.

use super::baseline::{Mornings, Reading};
use super::calibration::Answer;
use super::card::{Morning, RestDayCard};
use super::cell::{Cell, Feel, suggests_change};
use super::day::{Day, PainCourse};
use super::input::{Caffeine, Entry, Item, Order, Quiet, Side, Wellness, What};
use super::model::Model;
use super::verdict::{Verdict, assess};
use crate::load::rules::{self, RuleNote};
use crate::load::{Conflict, Ledger, Plan, Planned, plus_days};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::time::Duration;

/// Day, kind and name.
type Slot = (Date, &'static str, String);

/// Everything that is known of one person.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Frozen checks.
    pub mornings: Mornings,
    /// Every input ever taken, those that were corrected later too.
    log: BTreeMap<(Date, Order), Entry>,
    /// What counts now: the last word of each slot.
    said: BTreeMap<Slot, Entry>,
    /// Sessions.
    pub ledger: Ledger,
    /// Planned days.
    pub plan: Plan,
    /// Changes of quiet mode.
    quiet: BTreeMap<Date, Quiet>,
    frozen: BTreeMap<Date, Vec<Version>>,
}

/// A verdict as it was given, with everything behind it. Never changed afterwards; what comes later makes a new version.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// 1 for the morning's.
    pub number: u32,
    /// When it was given.
    pub at: Timestamp,
    /// All inputs.
    pub day: Day,
    /// How the person felt by a button: no input of the verdict, but of what accompanies it.
    pub feel: Option<Feel>,
    /// The verdict.
    pub verdict: Verdict,
    /// Which inputs differ from the version before; empty for the first.
    pub changed: Vec<String>,
}

/// What accompanies a verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Where feel and data meet.
    pub cell: Option<Cell>,
    /// Whether a change of the plan is suggested.
    pub suggests_change: bool,
    /// The plan asks for more than fits.
    pub conflict: Option<Conflict>,
    /// What came back since the last hard day, on a day without training behind it.
    pub card: Option<RestDayCard>,
    /// Rules of training.
    pub rules: Vec<RuleNote>,
    /// Days of the last seven with a motivation of 1 or 2, if there are three.
    pub low_motivation: Option<u32>,
    /// Days of the last seven with more caffeine than usual, if there are three.
    pub more_caffeine: Option<u32>,
    /// What may be published.
    pub quiet: Quiet,
}

impl Book {
    /// Takes a reading.
    pub fn put_reading(&mut self, r: Reading) {
        self.mornings.put(r);
    }

    /// When something that is said now was said, so that it is the last word even if the clock was set back since.
    pub fn moment(&self, date: Date, what: &What, now: Timestamp) -> Timestamp {
        let (kind, name) = what.slot();
        let day = self.log(date).last();
        let slot = self.said.get(&(slot_date(date, what), kind, name));
        let last = day.into_iter().chain(slot).map(|e| e.at).max();
        let next = last.filter(|last| *last > now).and_then(|last| last.checked_add(Duration::from_micros(1)).ok());
        next.unwrap_or(now)
    }

    /// Takes an input that [`Entry::check`] has passed. The last word of a slot counts, in whatever order they arrive;
    /// all are kept. The same input twice is one.
    pub fn put(&mut self, e: Entry) {
        if self.log.insert((e.date, e.order()), e.clone()).is_some() {
            return;
        }
        let (kind, name) = e.what.slot();
        let slot = (slot_date(e.date, &e.what), kind, name);
        if self.said.get(&slot).is_some_and(|old| old.order() > e.order()) {
            return;
        }
        match &e.what {
            What::Session(s) => drop(self.ledger.put(s.clone())),
            What::Quiet(q) => drop(self.quiet.insert(e.date, *q)),
            What::Plan(kind) => self.plan.set(e.date, *kind),
            What::Recalibrate if !self.mornings.recalibrated.contains(&e.date) => {
                self.mornings.recalibrated.push(e.date);
            }
            _ => {}
        }
        self.said.insert(slot, e);
    }

    /// Days that a configuration plans; what was said of a day outranks them.
    pub fn plan_ahead(&mut self, planned: &Planned) {
        planned.week.iter().for_each(|(day, kind)| self.plan.set_weekday(*day, *kind));
        for (date, kind) in &planned.dates {
            if self.said(*date, "plan").is_none() {
                self.plan.set(*date, Some(*kind));
            }
        }
    }

    /// Takes in all that another book of the same person knows.
    pub fn merge(&mut self, other: &Book) {
        other.mornings.all().for_each(|r| self.put_reading(r.clone()));
        other.log.values().for_each(|e| self.put(e.clone()));
        for (date, versions) in &other.frozen {
            versions.iter().for_each(|v| self.put_version(*date, v.clone()));
        }
    }

    /// Every input about a date, corrected ones too, in the order in which they were said.
    pub fn log(&self, date: Date) -> impl Iterator<Item = &Entry> {
        let first = (date, (Timestamp::MIN, "", String::new()));
        self.log.range(first..).take_while(move |((d, _), _)| *d == date).map(|(_, e)| e)
    }

    /// Hooper's items of a day, each as it was last said.
    pub fn items(&self, date: Date) -> [Option<u8>; 4] {
        let mut items = [None; 4];
        for e in self.log(date) {
            match &e.what {
                What::Wellness(w) => items = w.items().map(Some),
                What::Item(item, x) => {
                    let slots = items.iter_mut().zip(Item::ALL).filter(|(_, i)| *i == item);
                    slots.for_each(|(slot, _)| *slot = Some(*x));
                }
                _ => {}
            }
        }
        items
    }

    /// Hours and quality of the night before a day, each as it was last said.
    pub fn sleep(&self, date: Date) -> (Option<f64>, Option<u8>) {
        self.log(date).fold((None, None), |(h, q), e| match e.what {
            What::Sleep { hours, quality } => (hours.or(h), quality.or(q)),
            _ => (h, q),
        })
    }

    /// Free words that stand for a day, by name.
    pub fn tags(&self, date: Date) -> Vec<&str> {
        let mut tags = std::collections::BTreeMap::new();
        for e in self.log(date) {
            if let What::Tag(name, on) = &e.what {
                tags.insert(name.as_str(), *on);
            }
        }
        tags.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
    }

    /// How a day feels, by the button.
    pub fn feel(&self, date: Date) -> Option<Feel> {
        match self.said(date, "feel") {
            Some(What::Feel(f)) => Some(*f),
            _ => None,
        }
    }

    /// Where it hurts on a day, and how.
    pub fn hurts(&self, date: Date) -> Option<(Side, PainCourse)> {
        match self.said(date, "pain") {
            Some(What::Pain(p)) => *p,
            _ => None,
        }
    }

    /// Motivation of a day.
    pub fn motivation(&self, date: Date) -> Option<u8> {
        match self.said(date, "motivation") {
            Some(What::Motivation(m)) => Some(*m),
            _ => None,
        }
    }

    /// Caffeine of a day against the usual.
    pub fn caffeine(&self, date: Date) -> Option<Caffeine> {
        match self.said(date, "caffeine") {
            Some(What::Caffeine(c)) => Some(*c),
            _ => None,
        }
    }

    /// The answer to "was this right?" about a day.
    pub fn was_right(&self, date: Date) -> Option<bool> {
        match self.said(date, "was_right") {
            Some(What::WasRight(right)) => Some(*right),
            _ => None,
        }
    }

    /// Whether enough was said of a day for a verdict without a check. A feel alone is none: it accompanies a verdict.
    pub fn is_told(&self, date: Date) -> bool {
        let told = self.is_ill(date) || self.hurts(date).is_some();
        told || self.sleep(date).0.is_some() || Wellness::of(self.items(date)).is_some()
    }

    fn said(&self, date: Date, kind: &'static str) -> Option<&What> {
        self.said.get(&(date, kind, String::new())).map(|e| &e.what)
    }

    fn pain(&self, date: Date) -> Option<PainCourse> {
        self.hurts(date).map(|(_, course)| course)
    }

    /// Whether the person says: ill.
    pub fn is_ill(&self, date: Date) -> bool {
        matches!(self.said(date, "illness"), Some(What::Illness(true)))
    }

    /// The inputs of a day. `at` is when it is judged; with a reading of that day its own time counts, so that nothing
    /// depends on when this is asked.
    pub fn day(&self, today: Date, at: Timestamp, model: &Model) -> Day {
        let values = self.mornings.values(today, model.base_days);
        let at = self.mornings.counting(today, None).map_or(at, |r| r.at);
        let back = |n: usize| (0..=n).rev().map(move |d| plus_days(today, -(d as i64)));
        let wellness = |d| Wellness::of(self.items(d));
        let sleep_h = back(28).map(|d| self.sleep(d).0);
        let mut load = self.ledger.daily(plus_days(today, -1)).map(|d| d.loads).unwrap_or_default();
        load.drain(..load.len().saturating_sub(LOAD_DAYS));
        let items = wellness(today).map(|w| w.items().map(f64::from).to_vec()).unwrap_or_default();
        let pain = self.pain(today);
        let stays = |d: &i64| self.pain(plus_days(today, -d)) == Some(PainCourse::Stays);
        let pain_days = (0..60).take_while(stays).count().max(usize::from(pain.is_some()));
        Day {
            ln_rmssd: values.ln_rmssd,
            rhr: values.rhr,
            sleep_h: sleep_h.collect(),
            hooper: back(model.base_days).map(|d| wellness(d).map(|w| w.sum())).collect(),
            hooper_items: items,
            load,
            hours_since_hard: self.ledger.hours_since_hard(at),
            sick: self.is_ill(today),
            pain,
            pain_days: pain_days as u32,
        }
    }

    /// Gives the verdict of a day. The first one is frozen; a later one becomes a new version if an input has changed
    /// since, and is returned then.
    pub fn freeze(&mut self, today: Date, at: Timestamp, model: &Model) -> Option<&Version> {
        // a day without a reading stays judged as of its first verdict: hours that pass are no new input
        let judged = self.versions(today).first().map_or(at, |v| v.at);
        let day = self.day(today, judged, model);
        let feel = self.feel(today);
        let versions = self.frozen.entry(today).or_default();
        let changed = match versions.last() {
            None => Vec::new(),
            Some(last) => {
                let mut changed = differences(&last.day, &day);
                if last.feel != feel {
                    changed.push("feel");
                }
                if changed.is_empty() && last.verdict.algo_version == model.version {
                    return None;
                }
                changed
            }
        };
        let verdict = assess(&day, model);
        let number = versions.last().map_or(0, |v| v.number) + 1;
        let changed = changed.into_iter().map(str::to_owned).collect();
        versions.push(Version { number, at, day, feel, verdict, changed });
        versions.last()
    }

    /// Takes back a version that was given before; in whatever order they come.
    pub fn put_version(&mut self, date: Date, version: Version) {
        let versions = self.frozen.entry(date).or_default();
        let place = versions.partition_point(|v| v.number < version.number);
        if versions.get(place).is_none_or(|v| v.number != version.number) {
            versions.insert(place, version);
        }
    }

    /// Every version of a day's verdict.
    pub fn versions(&self, date: Date) -> &[Version] {
        self.frozen.get(&date).map(Vec::as_slice).unwrap_or_default()
    }

    /// What accompanies a verdict of that day.
    pub fn context(&self, today: Date, verdict: &Verdict) -> Context {
        let feel = self.feel(today);
        let (ill, hurts) = (self.is_ill(today), self.pain(today).is_some());
        // a feel of the day's own outranks what sleep and wellness add up to; pain is a bad feel
        let feel = if hurts { Some(Feel::Bad) } else { feel };
        let cell = Cell::of(verdict, feel, ill);
        let hard_fits = verdict.hard != super::verdict::Hard::No;
        let days = |hit: &dyn Fn(Date) -> bool| {
            let n = (0..7i64).filter(|d| hit(plus_days(today, -d))).count() as u32;
            Some(n).filter(|n| *n >= 3)
        };
        Context {
            cell,
            suggests_change: suggests_change(cell, ill, hurts),
            conflict: Conflict::of(&self.plan, today, hard_fits),
            card: self.card(today),
            rules: rules::notes(&self.ledger, today),
            low_motivation: days(&|d| self.motivation(d).is_some_and(|m| m <= 2)),
            more_caffeine: days(&|d| self.caffeine(d) == Some(Caffeine::More)),
            quiet: self.quiet(today),
        }
    }

    /// Quiet mode holds from the day it was set until it is set otherwise.
    pub fn quiet(&self, today: Date) -> Quiet {
        self.quiet.range(..=today).next_back().map_or(Quiet::Off, |(_, q)| *q)
    }

    /// A card needs a day without training behind it and a hard day within the week.
    fn card(&self, today: Date) -> Option<RestDayCard> {
        let yesterday = plus_days(today, -1);
        if !self.ledger.between(yesterday, yesterday).is_empty() {
            return None;
        }
        let week = self.ledger.between(plus_days(today, -7), yesterday);
        let hard_day = week.iter().filter(|s| s.hard().is_some()).map(|s| s.date).max()?;
        let protocol = self.mornings.protocol(today);
        let morning = |d: i64| {
            let date = plus_days(today, -d);
            let (ln_rmssd, rhr) = self.mornings.counting(date, protocol)?.valid()?;
            Some(Morning { date, ln_rmssd, rhr })
        };
        let mornings: Vec<Morning> = (0..=7).filter_map(morning).collect();
        RestDayCard::of(&mornings, hard_day, today)
    }

    /// Answers to "was this right?", each with the level of the verdict it was about.
    pub fn answers(&self) -> Vec<Answer> {
        let answer = |((date, ..), e): (&Slot, &Entry)| match e.what {
            What::WasRight(right) => {
                let about =
                    self.versions(*date).iter().rev().find(|v| v.at <= e.at).or(self.versions(*date).first())?;
                Some(Answer { date: *date, level: about.verdict.level, right })
            }
            _ => None,
        };
        self.said.iter().filter_map(answer).collect()
    }
}

/// A session is corrected by its id even if it was of another day.
fn slot_date(date: Date, what: &What) -> Date {
    if matches!(what, What::Session(_)) { Date::MIN } else { date }
}

/// Days of load that a verdict is made from: whole weeks, a year of them.
const LOAD_DAYS: usize = 364;

/// Names of the inputs that differ.
pub fn differences(a: &Day, b: &Day) -> Vec<&'static str> {
    let pairs = [
        ("ln_rmssd", a.ln_rmssd != b.ln_rmssd),
        ("rhr", a.rhr != b.rhr),
        ("sleep_h", a.sleep_h != b.sleep_h),
        ("wellness", a.hooper != b.hooper || a.hooper_items != b.hooper_items),
        ("load", a.load != b.load),
        ("hours_since_hard", a.hours_since_hard != b.hours_since_hard),
        ("illness", a.sick != b.sick),
        ("pain", a.pain != b.pain || a.pain_days != b.pain_days),
    ];
    pairs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
