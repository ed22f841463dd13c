//! One honest verdict a day: level, flags, doubt.

use super::day::{Day, PainCourse, Today, View};
use super::flag::{Flag, FlagId, Group};
use super::judge::flags;
use super::model::Model;
use super::norms::{Norms, Range, Stage};
use crate::check::words;
use crate::load::stats::{mean, sd};
use std::fmt;
use std::str::FromStr;

words! {
    /// The answer.
    Level {
        /// Nothing differs from usual.
        Go = "GO",
        /// Something is worth a look.
        Caution = "CAUTION",
        /// Independent signs agree.
        Easy = "EASY",
        /// Many signs agree, or the person is ill or in pain.
        Rest = "REST",
        /// Nothing is known today.
        Unknown = "UNKNOWN",
    }
}

impl Level {
    /// 0 = GO to 3 = REST; `None` for UNKNOWN, which is no place on that line.
    pub const fn severity(self) -> Option<u8> {
        match self {
            Level::Go => Some(0),
            Level::Caution => Some(1),
            Level::Easy => Some(2),
            Level::Rest => Some(3),
            Level::Unknown => None,
        }
    }
}

words! {
    /// Whether a hard session fits today.
    Hard {
        /// It does.
        Yes = "yes",
        /// If the warm-up feels good.
        IfWarmupFeelsGood = "if_warmup_feels_good",
        /// Another day fits better.
        No = "no",
        /// Nothing is known.
        YourCall = "your_call",
    }
}

words! {
    /// How much is behind the verdict.
    Confidence {
        /// One kind of evidence, or a baseline that is still learning.
        Low = "low",
        /// Two kinds.
        Medium = "medium",
        /// All three, and a full baseline.
        High = "high",
    }
}

words! {
    /// Patterns that people should know the literature of.
    Pattern {
        /// Low HRV with a raised resting heart rate.
        LowHrvHighRhr = "low_hrv_high_rhr",
        /// High HRV while the person feels poor.
        HighHrvPoorWellness = "high_hrv_poor_wellness",
        /// Low HRV with a low resting heart rate.
        Saturation = "saturation",
    }
}

/// A verdict with all of its numbers. What is not known is `None`.
#[cfg_attr(feature = "daemon", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Model behind it.
    pub algo_version: u32,
    /// How far the baseline has come.
    pub baseline: Stage,
    /// Valid days in the baseline.
    pub n_base: usize,
    /// Valid days in the week, today among them.
    pub n_week: usize,
    /// Normal range of lnRMSSD; `None` while learning.
    pub range: Option<Range>,
    /// The HRV part abstains because the baseline does not move.
    pub no_spread: bool,
    /// 7-day mean of lnRMSSD.
    pub mean7: Option<f64>,
    /// Today against the baseline, in SD.
    pub z_today: Option<f64>,
    /// CV of the week, %.
    pub cv7: Option<f64>,
    /// CV of the baseline, %.
    pub cv_base: Option<f64>,
    /// Resting heart rate against the baseline, in SD.
    pub rhr_z: Option<f64>,
    /// The same in bpm.
    pub rhr_delta: Option<f64>,
    /// Wellness against the usual, in SD; positive is worse.
    pub hooper_z: Option<f64>,
    /// Load of the last seven days.
    pub load7: Option<f64>,
    /// Foster's monotony of these.
    pub monotony: Option<f64>,
    /// Foster's strain.
    pub strain: Option<f64>,
    /// Load of the usual week: mean of the four weeks before.
    pub chronic_week: Option<f64>,
    /// This week over the usual one.
    pub load_ratio: Option<f64>,
    /// Weeks without a lighter one.
    pub weeks_since_cutback: Option<u32>,
    /// Low HRV is confirmed inside the autonomic group.
    pub agreement: bool,
    /// What differs, in a fixed order.
    pub flags: Vec<Flag>,
    /// Points a group, in the order of [`Group::ALL`], 2 at most each.
    pub points: [u8; 3],
    /// Their sum.
    pub total: u8,
    /// The answer.
    pub level: Level,
    /// Kinds of evidence that were there.
    pub known: Vec<Group>,
    /// How much is behind it.
    pub confidence: Confidence,
    /// Whether a hard session fits.
    pub hard: Hard,
    /// 0 to 100 for a gauge; says no more than the points.
    pub score: Option<u8>,
    /// Patterns.
    pub notes: Vec<Pattern>,
}

/// The verdict of a day. `since_days` of every flag is found by judging the days before with the same series.
pub fn assess(day: &Day, model: &Model) -> Verdict {
    let view = View::of(day);
    let norms = Norms::of(&view, model);
    let mut verdict = judge(&norms, &view.today, model);
    let mut open: Vec<usize> = (0..verdict.flags.len()).collect();
    for back in 1..=LOOK_BACK {
        let earlier = view.back(back);
        let before = flags(&Norms::of(&earlier, model), &earlier.today, model).flags;
        open.retain(|&i| {
            let Some(flag) = verdict.flags.get_mut(i) else { return false };
            let stood = before.iter().any(|b| b.id.family() == flag.id.family());
            flag.since_days += u32::from(stood);
            stood
        });
        if open.is_empty() {
            break;
        }
    }
    verdict
}

/// How far back the beginning of a flag is looked for, days.
const LOOK_BACK: usize = 28;

/// The verdict of today against given norms.
pub(super) fn judge(norms: &Norms, today: &Today<'_>, model: &Model) -> Verdict {
    let found = flags(norms, today, model);
    let has = |ids: &[FlagId]| found.flags.iter().any(|f| ids.contains(&f.id));
    let hrv_low = has(&[FlagId::HrvTodayLow, FlagId::HrvTodayVeryLow, FlagId::HrvWeekLow]);
    let rhr_high = has(&[FlagId::RhrHigh, FlagId::RhrVeryHigh]);
    let week_confirms = has(&[FlagId::HrvWeekLow]) && has(&[FlagId::HrvTodayLow]) && model.week_confirms_today;
    let pair_counts =
        has(&[FlagId::HrvWeekLow, FlagId::HrvTodayVeryLow, FlagId::RhrVeryHigh]) || !model.pair_needs_strong;
    let agreement = (hrv_low && rhr_high && pair_counts) || week_confirms;
    let heavy = found.flags.iter().any(|f| f.weight >= 2);

    let mut points = [0u8; 3];
    for f in &found.flags {
        if let Some(p) = points.get_mut(f.id.group() as usize) {
            *p = (*p + f.weight).min(2);
        }
    }
    let total: u8 = points.iter().sum();
    let groups = points.iter().filter(|p| **p > 0).count();
    let pain = today.pain == Some(PainCourse::Stays);
    let strong = agreement || pain || (heavy && model.one_is_enough);
    let level = if today.sick || (pain && today.pain_days >= 2) {
        Level::Rest
    } else if !(found.autonomic_known || found.subjective_known) && total == 0 {
        Level::Unknown
    } else if total == 0 {
        Level::Go
    } else if total >= 4 && groups >= 2 {
        Level::Rest
    } else if strong || (total >= 2 && groups >= 2) {
        Level::Easy
    } else {
        Level::Caution
    };
    let hard = match level {
        Level::Unknown => Hard::YourCall,
        Level::Go if has(&[FlagId::HardRecent]) => Hard::No,
        Level::Go => Hard::Yes,
        Level::Caution if heavy || has(&[FlagId::HrvWeekLow, FlagId::HardRecent]) => Hard::No,
        Level::Caution => Hard::IfWarmupFeelsGood,
        Level::Easy | Level::Rest => Hard::No,
    };
    let load_known = norms.load.days >= 7 || today.hours_since_hard.is_some();
    let known: Vec<Group> = [
        (Group::Autonomic, found.autonomic_known),
        (Group::Subjective, found.subjective_known),
        (Group::Load, load_known),
    ]
    .into_iter()
    .filter_map(|(g, k)| k.then_some(g))
    .collect();
    let confidence = if known.len() == 3 && norms.stage == Stage::Normal && !norms.no_spread {
        Confidence::High
    } else if known.len() >= 2 && norms.stage != Stage::Learning {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    let score = match level {
        Level::Unknown => None,
        _ if today.sick => Some(0),
        _ => Some((100.0 * (1.0 - f64::from(total) / 6.0)).round() as u8),
    };
    let mut notes = Vec::new();
    if hrv_low && rhr_high {
        notes.push(Pattern::LowHrvHighRhr);
    }
    let hrv_high = has(&[FlagId::HrvWeekHigh, FlagId::HrvTodayHigh]);
    if hrv_high && has(&[FlagId::WellnessPoor, FlagId::WellnessVeryPoor]) {
        notes.push(Pattern::HighHrvPoorWellness);
    }
    if has(&[FlagId::HrvWeekLow]) && found.rhr_z.is_some_and(|z| z < -1.0) {
        notes.push(Pattern::Saturation);
    }
    Verdict {
        algo_version: model.version,
        baseline: norms.stage,
        n_base: norms.n_base,
        n_week: found.n_week,
        range: norms.range,
        no_spread: norms.no_spread,
        mean7: found.mean7,
        z_today: found.z_today,
        cv7: found.cv7,
        cv_base: found.cv_base,
        rhr_z: found.rhr_z,
        rhr_delta: found.rhr_delta,
        hooper_z: found.hooper_z,
        load7: norms.load.load7,
        monotony: norms.load.monotony,
        strain: norms.load.strain,
        chronic_week: norms.load.chronic_week,
        load_ratio: norms.load.ratio,
        weeks_since_cutback: norms.load.weeks_since_cutback,
        agreement,
        flags: found.flags,
        points,
        total,
        level,
        known,
        confidence,
        hard,
        score,
        notes,
    }
}

/// The week with today in it: values, mean, CV.
pub(super) fn week(norms: &Norms, today: &Today<'_>) -> (Vec<f64>, Option<f64>, f64) {
    let mut week = norms.week_before.clone();
    week.extend(today.ln_rmssd);
    let (mean, sd) = (mean(&week), sd(&week));
    (week, mean, sd)
}
