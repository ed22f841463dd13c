//! A person's own usual: the background that today is judged against. Today never judges itself.

use super::day::View;
use super::model::Model;
use crate::check::words;
use crate::load::stats::{known, mean, median, sd};
use crate::load::week;
use std::fmt;
use std::str::FromStr;

words! {
    /// How far the baseline has come.
    Stage {
        /// Too few valid days: no HRV verdict.
        Learning = "learning",
        /// Enough for a verdict, not for high confidence.
        Provisional = "provisional",
        /// As good as it gets.
        Normal = "normal",
    }
}

impl Stage {
    /// With so many valid days.
    pub(super) fn of(valid: usize, m: &Model) -> Self {
        if valid < m.min_base {
            Self::Learning
        } else if valid < m.full_base {
            Self::Provisional
        } else {
            Self::Normal
        }
    }
}

/// Mean, spread and normal range of lnRMSSD over the baseline.
#[cfg_attr(feature = "daemon", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Mean, ln(ms).
    pub mean: f64,
    /// Standard deviation, floored.
    pub sd: f64,
    /// Lower end of the normal range.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// Everything but today.
#[derive(Clone, Debug)]
pub(super) struct Norms {
    pub(super) n_base: usize,
    pub(super) stage: Stage,
    pub(super) range: Option<Range>,
    /// Values of the week before today.
    pub(super) week_before: Vec<f64>,
    /// The baseline does not move at all: nothing can be said from it.
    pub(super) no_spread: bool,
    /// Mean and floored SD of the resting heart rate.
    pub(super) rhr: Option<(f64, f64)>,
    /// Hours slept in the two nights before the last one.
    pub(super) two_nights: Vec<f64>,
    pub(super) sleep_need: f64,
    /// Mean and floored SD of Hooper sums.
    pub(super) hooper: Option<(f64, f64)>,
    pub(super) load: LoadNorms,
}

/// What the load of past days says; all of it is yesterday's knowledge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoadNorms {
    pub(super) days: usize,
    pub(super) load7: Option<f64>,
    pub(super) monotony: Option<f64>,
    pub(super) strain: Option<f64>,
    pub(super) chronic_week: Option<f64>,
    pub(super) ratio: Option<f64>,
    pub(super) weeks_since_cutback: Option<u32>,
    pub(super) last_week: f64,
}

/// Entries before the last one, at most `n`.
fn before<T>(s: &[T], n: usize) -> &[T] {
    let end = s.len().saturating_sub(1);
    s.get(end.saturating_sub(n)..end).unwrap_or_default()
}

fn finite(s: &[Option<f64>]) -> Vec<f64> {
    known(s, s.len()).into_iter().filter(|v| v.is_finite()).collect()
}

impl Norms {
    pub(super) fn of(v: &View<'_>, m: &Model) -> Self {
        let past = finite(before(v.ln_rmssd, m.base_days));
        let n_base = past.len();
        let stage = Stage::of(n_base, m);
        let spread = sd(&past);
        let range = mean(&past).filter(|_| stage != Stage::Learning).map(|mean| {
            let sd = spread.max(m.sd_floor_ln);
            Range { mean, sd, lo: mean - m.k_range * sd, hi: mean + m.k_range * sd }
        });
        let pulses = finite(before(v.rhr, m.base_days));
        let rhr = mean(&pulses).filter(|_| pulses.len() >= m.min_base).map(|x| (x, sd(&pulses).max(m.sd_floor_rhr)));
        let wellness = finite(before(v.hooper, m.base_days));
        let enough = wellness.len() >= m.hooper_min_base;
        let hooper = mean(&wellness).filter(|_| enough).map(|x| (x, sd(&wellness).max(1.0)));
        Self {
            n_base,
            stage,
            range,
            week_before: finite(before(v.ln_rmssd, m.week_days - 1)),
            no_spread: range.is_some() && spread < m.sd_abstain,
            rhr,
            two_nights: finite(before(v.sleep_h, 2)),
            sleep_need: sleep_need(&finite(before(v.sleep_h, 28)), m),
            hooper,
            load: LoadNorms::of(v.load, m),
        }
    }
}

/// What a person sleeps anyway is no alarm, but below seven hours it is no measure either.
fn sleep_need(nights: &[f64], m: &Model) -> f64 {
    let usual = median(nights).filter(|_| m.usual_sleep_nights > 0 && nights.len() >= m.usual_sleep_nights);
    usual.map_or(m.sleep_need, |u| u.clamp(7.0_f64.min(m.sleep_need), m.sleep_need))
}

impl LoadNorms {
    fn of(load: &[f64], m: &Model) -> Self {
        let mut out = Self { days: load.len(), ..Self::default() };
        let tail = |n: usize| load.get(load.len().saturating_sub(n)..).unwrap_or_default();
        let sum7: f64 = tail(7).iter().sum();
        if let Some(days) = load.last_chunk() {
            out.load7 = Some(sum7);
            out.monotony = week::monotony(days);
            out.strain = out.monotony.filter(|x| *x > 0.0).map(|x| x * sum7);
        }
        if load.len() >= m.spike_days + 7 {
            let usual = tail(m.spike_days + 7).iter().take(m.spike_days).sum::<f64>() / (m.spike_days as f64 / 7.0);
            out.chronic_week = Some(usual);
            out.ratio = (usual > 0.0).then(|| sum7 / usual);
        }
        let weeks = week::sums(load);
        out.last_week = weeks.last().copied().unwrap_or(0.0);
        out.weeks_since_cutback = week::weeks_since_cutback(&weeks, m.cut_ratio);
        out
    }
}
