//! One person's desk: takes checks and words as they come, holds the verdict back until the feel is known, gives it
//! once, and gives a new version when something about it changes. No I/O, no clock.

use super::baseline::Reading;
use super::book::{Book, Version};
use super::day_state::DayState;
use super::feel_first::{FeelFirst, FeelInput, Release};
use super::input::{Entry, Source, What};
use super::model::Model;
use super::refusal::Refusal;
use super::saying::{Drafts, Saying, SessionWords};
use super::verdict::{Level, assess};
use crate::load::plus_days;
use crate::units::{Mono, Now};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How a desk works.
#[derive(Clone, Debug)]
pub struct DeskConfig {
    /// Where the person lives: days are theirs.
    pub time_zone: TimeZone,
    /// The verdict waits this long for the feel; 0 holds nothing back.
    pub feel_wait: Duration,
    /// From this time of day on a verdict without a check is given, if the person said anything that makes one.
    pub closes: Time,
    /// Which version judges.
    pub model: &'static Model,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum DeskInput {
    /// A check is frozen.
    Reading(Reading),
    /// A check with numbers is frozen whose day is not known yet.
    Undated,
    /// [`Desk::poll_timeout`] has passed, or the clock was set.
    Timeout,
}

/// What it means.
#[derive(Clone, Debug, PartialEq)]
pub enum DeskOutput {
    /// Store this.
    Keep(Entry),
    /// Store this version and tell of it.
    Given {
        /// The day it is about.
        date: Date,
        /// The version; 1 is the day's first.
        version: Box<Version>,
    },
    /// A check is done and the verdict waits for the feel until then. Store that, and ask.
    FeelWanted {
        /// The day.
        date: Date,
        /// The end of the wait.
        until: Timestamp,
    },
    /// What is being filled in has changed. Store it.
    Drafts(Drafts),
    /// What is shown may have changed.
    Changed,
}

/// What the last process left.
#[derive(Clone, Copy, Debug)]
struct Left {
    waiting: Option<(Date, Timestamp)>,
    drafts: Option<(Date, Drafts)>,
}

/// One person's desk.
#[derive(Clone, Debug)]
pub struct Desk {
    config: DeskConfig,
    /// What is known.
    book: Book,
    feel: FeelFirst,
    drafts: Drafts,
    today: Option<Date>,
    /// What a restart goes on with, until the date is known.
    left: Option<Left>,
    /// Until when the numbers of a check wait whose day is not known.
    undated: Option<Mono>,
    /// Midnight, or the time from which a verdict needs no check.
    wake: Option<Mono>,
    out: VecDeque<DeskOutput>,
}

impl Desk {
    /// An empty desk, or one with what was stored; goes on with [`Desk::restore`].
    pub fn new(config: DeskConfig, book: Book) -> Self {
        let feel = FeelFirst::new(config.feel_wait);
        Self {
            config,
            book,
            feel,
            drafts: Drafts::default(),
            today: None,
            left: None,
            undated: None,
            wake: None,
            out: VecDeque::new(),
        }
    }

    /// Goes on after a restart: `waiting` is what [`DeskOutput::FeelWanted`] said last. Nothing is given twice, and a
    /// verdict that is held back waits for the rest of its wait.
    pub fn restore(&mut self, now: Now, waiting: Option<(Date, Timestamp)>, drafts: Option<(Date, Drafts)>) {
        self.left = Some(Left { waiting, drafts });
        self.see_date(now);
        self.settle(now);
    }

    fn go_on(&mut self, today: Date, now: Now) {
        let Some(Left { waiting, drafts }) = self.left.take() else { return };
        if let Some((_, drafts)) = drafts.filter(|(date, _)| *date == today) {
            self.drafts = drafts;
        }
        if !self.book.versions(today).is_empty() {
            self.feel.already_released(today);
        }
        if self.is_felt(today) {
            self.feel.handle(now.mono, FeelInput::FeelGiven(today));
        }
        match (waiting, now.wall) {
            // the wait ended while nobody was there
            (Some((date, _)), _) if date < today && date >= plus_days(today, -2) => self.give_if_counted(date, now),
            (Some((date, until)), Some(wall)) if date == today && !self.is_felt(today) => {
                let rest = until.duration_since(wall).max(SignedDuration::ZERO).unsigned_abs();
                self.feel.resume(now.mono, date, rest);
            }
            _ if self.has_numbers(today) => self.check_done(today, now),
            _ => {}
        }
    }

    fn has_numbers(&self, date: Date) -> bool {
        self.book.mornings.of(date).any(|r| r.values.is_some())
    }

    /// The plan that the configuration holds, and what is known.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Which version judges.
    pub fn model(&self) -> &'static Model {
        self.config.model
    }

    /// The person's date, once the clock is known.
    pub fn today(&self) -> Option<Date> {
        self.today
    }

    /// The person's time zone.
    pub fn time_zone(&self) -> &TimeZone {
        &self.config.time_zone
    }

    /// Where they live now, and when a day needs no check any more.
    pub fn set_person(&mut self, time_zone: TimeZone, closes: Time) {
        (self.config.time_zone, self.config.closes) = (time_zone, closes);
    }

    /// What is being filled in.
    pub fn drafts(&self) -> Drafts {
        self.drafts
    }

    /// Where a day stands.
    pub fn state(&self, date: Date) -> DayState {
        if self.waiting_for() == Some(date) {
            DayState::WaitingForFeel
        } else if self.book.versions(date).is_empty() {
            DayState::None
        } else {
            DayState::Given
        }
    }

    /// The day whose verdict waits for the feel, and with it the numbers of its check. Until the clock is known that is
    /// what the last process left.
    pub fn waiting_for(&self) -> Option<Date> {
        let left = self.left.and_then(|l| l.waiting).map(|(date, _)| date);
        let left = left.filter(|d| self.book.versions(*d).is_empty() && !self.is_felt(*d));
        self.feel.waiting_for().or(left)
    }

    /// Whether the numbers of a check wait whose day is not known yet.
    pub fn waits_undated(&self) -> bool {
        self.undated.is_some()
    }

    /// Takes what happens.
    pub fn handle(&mut self, now: Now, input: DeskInput) {
        self.see_date(now);
        match input {
            DeskInput::Reading(reading) => self.take_reading(reading, now),
            DeskInput::Undated if !self.feel.wait().is_zero() => {
                self.undated = Some(now.mono + self.feel.wait());
                self.out.push_back(DeskOutput::Changed);
            }
            DeskInput::Undated | DeskInput::Timeout => {}
        }
        self.settle(now);
    }

    fn take_reading(&mut self, reading: Reading, now: Now) {
        let date = reading.date;
        let (valid, shown) = (reading.valid().is_some(), reading.values.is_some());
        self.undated = None;
        if let Some(before) = self.book.mornings.put(reading) {
            if !self.has_numbers(before) {
                self.feel.handle(now.mono, FeelInput::Moved(before));
            }
            self.revise([before].into(), now);
        }
        let today = *self.today.get_or_insert(date);
        if !self.book.versions(date).is_empty() {
            self.revise([date].into(), now);
        } else if shown && date >= today {
            self.check_done(date, now);
        } else if valid {
            self.give_first(date, now);
        }
        self.out.push_back(DeskOutput::Changed);
    }

    /// Takes what the person says about `date` (today if absent). Returns the day it is about and, if it is more than a
    /// draft, the entry; every refusal at once, and then nothing has changed.
    pub fn say(
        &mut self,
        now: Now,
        date: Option<Date>,
        source: Source,
        saying: Saying,
    ) -> Result<(Date, Option<Entry>), Vec<Refusal>> {
        self.see_date(now);
        let (Some(today), Some(at)) = (self.today, now.wall) else {
            let hint = "wait until the machine has got the time from the network";
            return Err(vec![Refusal::new("date", "the clock is not known yet", hint)]);
        };
        let date = date.unwrap_or(today);
        let what = match &saying {
            Saying::Word(what) => Some(what.clone()),
            Saying::Pain { course, side } => self.pain(date, *course, *side),
            Saying::Session(words) => Some(self.session(words, date, today, at)?),
            Saying::LogDraft => Some(self.session(&self.drafts.session(), date, today, at)?),
            Saying::DraftRpe(_) | Saying::DraftMinutes(_) | Saying::DraftKind(_) => None,
        };
        let Some(what) = what else {
            let drafts = self.drafts.with(&saying)?;
            self.set_drafts(drafts);
            self.out.push_back(DeskOutput::Changed);
            return Ok((date, None));
        };
        let at = self.book.moment(date, &what, at);
        let entry = Entry { date, at, source, what };
        entry.check(today)?;
        if saying == Saying::LogDraft {
            self.set_drafts(Drafts { side: self.drafts.side, ..Drafts::default() });
        }
        self.take(entry.clone(), now);
        self.settle(now);
        Ok((date, Some(entry)))
    }

    fn take(&mut self, entry: Entry, now: Now) {
        let date = entry.date;
        let ill = entry.what == What::Illness(true);
        self.book.put(entry.clone());
        self.out.push_back(DeskOutput::Keep(entry));
        if self.is_felt(date) {
            self.feel.handle(now.mono, FeelInput::FeelGiven(date));
            self.release(now);
        }
        // what was said of one day can count on the next; the days in between stay as they were
        let days: BTreeSet<Date> = [Some(date), self.today].into_iter().flatten().collect();
        self.revise(days, now);
        if ill && Some(date) == self.today && self.state(date) == DayState::None {
            self.give_first(date, now);
        }
        self.out.push_back(DeskOutput::Changed);
    }

    /// Whether the person has said how a day feels, in whatever way.
    fn is_felt(&self, date: Date) -> bool {
        let b = &self.book;
        let wellness = b.items(date).iter().all(Option::is_some);
        b.feel(date).is_some() || b.is_ill(date) || b.hurts(date).is_some() || wellness
    }

    fn session(&self, words: &SessionWords, date: Date, today: Date, at: Timestamp) -> Result<What, Vec<Refusal>> {
        let mut session = words.resolve(date, today, at, &self.config.time_zone)?;
        if words.id.is_none() && words.end.is_none() {
            session.id = self.book.ledger.free_id(&session);
        }
        Ok(What::Session(session))
    }

    fn pain(
        &mut self,
        date: Date,
        course: Option<Option<super::PainCourse>>,
        side: Option<super::Side>,
    ) -> Option<What> {
        let stands = self.book.hurts(date);
        let side = side.or(stands.map(|(side, _)| side)).or(self.drafts.side).unwrap_or(super::Side::Both);
        match course {
            Some(course) => Some(What::Pain(course.map(|c| (side, c)))),
            None => stands.map(|(_, course)| What::Pain(Some((side, course)))).or_else(|| {
                // where it hurts alone says nothing yet
                self.set_drafts(Drafts { side: Some(side), ..self.drafts });
                None
            }),
        }
    }

    fn set_drafts(&mut self, drafts: Drafts) {
        if self.drafts != drafts {
            self.drafts = drafts;
            self.out.push_back(DeskOutput::Drafts(drafts));
        }
    }

    fn check_done(&mut self, date: Date, now: Now) {
        if self.state(date) == DayState::WaitingForFeel {
            return;
        }
        if self.feel.is_released(date) {
            // asked already, for one that did not count
            self.give_if_counted(date, now);
            return;
        }
        self.feel.handle(now.mono, FeelInput::CheckDone(date));
        self.release(now);
        if let (Some(due), Some(wall)) = (self.feel.poll_timeout(), now.wall) {
            let until = wall.checked_add(due.since(now.mono)).unwrap_or(wall);
            self.out.push_back(DeskOutput::FeelWanted { date, until });
        }
    }

    /// Gives what the wait has let go.
    fn release(&mut self, now: Now) {
        while let Some(Release { date, .. }) = self.feel.poll_output() {
            self.give_if_counted(date, now);
            self.out.push_back(DeskOutput::Changed);
        }
    }

    /// A check that does not count has shown its numbers and makes no verdict.
    fn give_if_counted(&mut self, date: Date, now: Now) {
        if self.book.mornings.counting(date, None).is_some() {
            self.give(date, now);
        }
    }

    /// A verdict without a wait, unless there is one or one is waited for.
    fn give_first(&mut self, date: Date, now: Now) {
        if self.state(date) == DayState::None {
            self.feel.already_released(date);
            self.give(date, now);
        }
    }

    fn give(&mut self, date: Date, now: Now) {
        let reading = self.book.mornings.counting(date, None).map(|r| r.at);
        let Some(at) = now.wall.or(reading) else { return };
        if let Some(version) = self.book.freeze(date, at, self.config.model).cloned() {
            self.out.push_back(DeskOutput::Given { date, version: Box::new(version) });
            self.out.push_back(DeskOutput::Changed);
        }
    }

    fn revise(&mut self, days: BTreeSet<Date>, now: Now) {
        for date in days {
            if !self.book.versions(date).is_empty() {
                self.give(date, now);
            }
        }
    }

    /// What time alone brings.
    fn settle(&mut self, now: Now) {
        self.feel.handle(now.mono, FeelInput::Timeout);
        self.release(now);
        if self.undated.take_if(|until| *until <= now.mono).is_some() {
            self.out.push_back(DeskOutput::Changed);
        }
        let (Some(today), Some(wall)) = (self.today, now.wall) else {
            self.wake = None;
            return;
        };
        let closes = self.instant(today, self.config.closes).filter(|at| wall < *at);
        if closes.is_none() && self.book.is_told(today) && self.state(today) == DayState::None {
            let day = self.book.day(today, wall, self.config.model);
            if assess(&day, self.config.model).level != Level::Unknown {
                self.give_first(today, now);
            }
        }
        let midnight = self.instant(plus_days(today, 1), Time::midnight());
        let next = closes.into_iter().chain(midnight).min();
        self.wake = next.map(|at| now.mono + at.duration_since(wall).max(SignedDuration::ZERO).unsigned_abs());
    }

    fn instant(&self, date: Date, time: Time) -> Option<Timestamp> {
        self.config.time_zone.to_timestamp(date.to_datetime(time)).ok()
    }

    fn see_date(&mut self, now: Now) {
        let Some(wall) = now.wall else { return };
        let today = self.config.time_zone.to_datetime(wall).date();
        if self.today == Some(today) {
            return;
        }
        if self.today.replace(today).is_some() {
            self.set_drafts(Drafts::default());
        }
        self.out.push_back(DeskOutput::Changed);
        self.go_on(today, now);
    }

    /// When to say [`DeskInput::Timeout`]: the end of the wait, midnight, the end of the morning.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.feel.poll_timeout().into_iter().chain(self.wake).chain(self.undated).min()
    }

    /// What is next to be done.
    pub fn poll_output(&mut self) -> Option<DeskOutput> {
        self.out.pop_front()
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
