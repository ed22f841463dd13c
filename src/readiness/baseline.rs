//! The baseline of a person: which mornings count, which do not and why, and how many are still missing.

use super::model::Model;
use super::norms::Stage;
use super::words::{self, Language};
use crate::check::{CheckResult, Grade, Posture, WhyNone, words};
use crate::load::stats::{mean, sd};
use crate::load::{days_between, plus_days};
use crate::units::StrapId;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What makes mornings comparable. Values of different protocols are never mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protocol {
    /// Posture, by its word.
    posture: &'static str,
    /// Strap.
    pub strap: StrapId,
}

impl Protocol {
    /// From its parts.
    pub const fn new(posture: Posture, strap: StrapId) -> Self {
        Self { posture: posture.as_str(), strap }
    }

    /// The posture's word.
    pub const fn posture(&self) -> &'static str {
        self.posture
    }
}

/// One frozen check as readiness sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The check's id.
    pub id: String,
    /// The person's local date.
    pub date: Date,
    /// When its recording began.
    pub at: Timestamp,
    /// Under which protocol.
    pub protocol: Protocol,
    /// Its grade.
    pub grade: Grade,
    /// lnRMSSD and mean heart rate.
    pub values: Option<(f64, f64)>,
    /// Why there are none.
    pub why: Option<WhyNone>,
}

impl Reading {
    /// From a check's result; `None` while its date is not known.
    pub fn of(r: &CheckResult) -> Option<Self> {
        Some(Self {
            id: r.id.0.clone(),
            date: r.local_date?,
            at: r.wall?,
            protocol: Protocol::new(r.posture, r.strap),
            grade: r.grade,
            values: r.values.map(|v| (v.ln_rmssd, v.mean_hr_bpm)),
            why: r.why,
        })
    }

    /// The values, if they may be compared with others.
    pub fn valid(&self) -> Option<(f64, f64)> {
        let finite = |(ln, hr): &(f64, f64)| ln.is_finite() && hr.is_finite();
        self.values.filter(|_| self.grade.enters_baseline()).filter(finite)
    }
}

words! {
    /// Why a morning does not count.
    Refused {
        /// No honest number came out of it.
        NoValue = "no_value",
        /// Too many artifacts for a comparison; the number is shown.
        PoorGrade = "poor_grade",
        /// Taken with another strap.
        OtherStrap = "other_strap",
        /// Taken in another posture.
        OtherPosture = "other_posture",
        /// Before the person recalibrated.
        BeforeRecalibration = "before_recalibration",
    }
}

/// The state of a baseline on a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Under which protocol; that of today's first valid reading, else of the newest one. `None` before the first.
    pub protocol: Option<Protocol>,
    /// How far it has come.
    pub stage: Stage,
    /// Valid days in the 60 before today.
    pub valid: usize,
    /// Valid days still missing to the next stage.
    pub missing: usize,
    /// Days of the 60 with a reading that does not count, newest first. Days with a counting one are not among them.
    pub refused: Vec<(Date, Refused)>,
    /// Valid mornings that another strap or posture left behind: what the change costs.
    pub left_behind: usize,
    /// Two weeks lie on one side of the rest by more than an SD: recalibrating is offered.
    pub offers_recalibration: bool,
}

impl Baseline {
    /// In words: where it stands, what a change has cost, what is offered.
    pub fn say(&self, language: Language) -> Vec<String> {
        let blanks = [
            ("valid", self.valid.to_string()),
            ("missing", self.missing.to_string()),
            ("earlier", self.left_behind.to_string()),
        ];
        let mut out = vec![words::fill(&format!("baseline.{}", self.stage), language, &blanks)];
        if self.left_behind > 0 && self.stage != Stage::Normal {
            out.push(words::fill("baseline.changed", language, &blanks));
        }
        if self.offers_recalibration {
            out.push(words::text("baseline.offer", language));
        }
        out
    }
}

/// Every reading of a person by its id. In which order different ones arrived does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mornings {
    by_date: BTreeMap<Date, BTreeMap<(Timestamp, String), Reading>>,
    /// Where each reading is.
    places: BTreeMap<String, (Date, Timestamp)>,
    /// Days on which the baseline was begun anew.
    pub(super) recalibrated: Vec<Date>,
}

/// Values of consecutive days, oldest first, the last one today's.
pub(super) struct Values {
    pub(super) ln_rmssd: Vec<Option<f64>>,
    pub(super) rhr: Vec<Option<f64>>,
}

impl Mornings {
    /// Takes a reading. One with the same id is the same check: it replaces itself, so that a replay changes nothing and
    /// one that got another date, because the clock was wrong, counts once. Returns the date that it left.
    pub fn put(&mut self, r: Reading) -> Option<Date> {
        let old = self.places.insert(r.id.clone(), (r.date, r.at));
        if let Some((date, at)) = old.filter(|old| *old != (r.date, r.at)) {
            if let Some(day) = self.by_date.get_mut(&date) {
                day.remove(&(at, r.id.clone()));
                if day.is_empty() {
                    self.by_date.remove(&date);
                }
            }
        }
        let left = old.map(|(date, _)| date).filter(|date| *date != r.date);
        self.by_date.entry(r.date).or_default().insert((r.at, r.id.clone()), r);
        left
    }

    /// Every reading.
    pub(super) fn all(&self) -> impl Iterator<Item = &Reading> {
        self.by_date.values().flat_map(BTreeMap::values)
    }

    /// Every reading of a date, the earliest first.
    pub fn of(&self, date: Date) -> impl Iterator<Item = &Reading> {
        self.by_date.get(&date).into_iter().flat_map(BTreeMap::values)
    }

    /// The reading that counts for a date: the first valid one, of this protocol if one is given.
    pub fn counting(&self, date: Date, protocol: Option<Protocol>) -> Option<&Reading> {
        self.of(date).find(|r| r.valid().is_some() && protocol.is_none_or(|p| p == r.protocol))
    }

    /// Readings of a date that were kept and do not count.
    pub fn second(&self, date: Date) -> Vec<&Reading> {
        let counts = self.counting(date, None).map(|r| r.id.as_str());
        self.of(date).filter(|r| Some(r.id.as_str()) != counts).collect()
    }

    /// The protocol of a day.
    pub fn protocol(&self, today: Date) -> Option<Protocol> {
        let newest = self.by_date.range(..=today).rev().find_map(|(d, _)| self.counting(*d, None));
        newest.map(|r| r.protocol)
    }

    /// The first day that counts.
    fn floor(&self, today: Date) -> Date {
        self.recalibrated.iter().copied().filter(|d| *d <= today).max().unwrap_or(Date::MIN)
    }

    /// The values of the `n` days before today and of today.
    pub(super) fn values(&self, today: Date, n: usize) -> Values {
        let (protocol, floor) = (self.protocol(today), self.floor(today));
        let mut out = Values { ln_rmssd: vec![None; n + 1], rhr: vec![None; n + 1] };
        let first = plus_days(today, -(n as i64));
        for date in self.by_date.range(first.max(floor)..=today).map(|(d, _)| *d) {
            let value = self.counting(date, protocol).filter(|_| protocol.is_some()).and_then(Reading::valid);
            let i = usize::try_from(days_between(first, date)).unwrap_or(usize::MAX);
            if let (Some((ln, hr)), Some(a), Some(b)) = (value, out.ln_rmssd.get_mut(i), out.rhr.get_mut(i)) {
                (*a, *b) = (Some(ln), Some(hr));
            }
        }
        out
    }

    /// The state of the baseline.
    pub fn baseline(&self, today: Date, model: &Model) -> Baseline {
        let (protocol, floor) = (self.protocol(today), self.floor(today));
        let values = self.values(today, model.base_days);
        let past: Vec<f64> = values.ln_rmssd.iter().take(model.base_days).filter_map(|v| *v).collect();
        let valid = past.len();
        let stage = Stage::of(valid, model);
        let next = match stage {
            Stage::Learning => model.min_base,
            Stage::Provisional => model.full_base,
            Stage::Normal => valid,
        };
        let first = plus_days(today, -(model.base_days as i64));
        let mut refused = Vec::new();
        let mut left_behind = 0;
        for date in self.by_date.range(first..=today).rev().map(|(d, _)| *d) {
            let counts = self.counting(date, protocol).is_some();
            if counts && date >= floor {
                continue;
            }
            let other = self.counting(date, None);
            let why = match (other, protocol) {
                (Some(_), _) if date < floor => Refused::BeforeRecalibration,
                (Some(r), Some(p)) if r.protocol.strap != p.strap => Refused::OtherStrap,
                (Some(_), _) => Refused::OtherPosture,
                (None, _) if self.of(date).any(|r| r.values.is_some()) => Refused::PoorGrade,
                (None, _) => Refused::NoValue,
            };
            left_behind += usize::from(matches!(why, Refused::OtherStrap | Refused::OtherPosture));
            refused.push((date, why));
        }
        Baseline {
            protocol,
            stage,
            valid,
            missing: next - valid,
            refused,
            left_behind,
            offers_recalibration: settled_elsewhere(&past),
        }
    }
}

/// Whether the newest 14 values lie, on average, more than an SD away from the older ones, of which there are 14 too.
fn settled_elsewhere(past: &[f64]) -> bool {
    let Some((old, new)) = past.len().checked_sub(14).map(|n| past.split_at(n)) else { return false };
    match (mean(old), mean(new)) {
        (Some(before), Some(now)) if old.len() >= 14 => (now - before).abs() > sd(old).max(0.05),
        _ => false,
    }
}
