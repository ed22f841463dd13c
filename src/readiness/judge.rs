//! The rules: which flags a day raises against a person's norms.

use super::day::{PainCourse, Today};
use super::flag::{Flag, FlagId};
use super::model::Model;
use super::norms::{Norms, Range, Stage};
use super::verdict::week;
use crate::load::stats::mean;

/// Flags and the numbers behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) flags: Vec<Flag>,
    pub(super) n_week: usize,
    pub(super) mean7: Option<f64>,
    pub(super) z_today: Option<f64>,
    pub(super) cv7: Option<f64>,
    pub(super) cv_base: Option<f64>,
    pub(super) rhr_z: Option<f64>,
    pub(super) rhr_delta: Option<f64>,
    pub(super) hooper_z: Option<f64>,
    pub(super) autonomic_known: bool,
    pub(super) subjective_known: bool,
}

/// Where a number usually lies.
type Usual = (Option<f64>, Option<f64>);

struct Rules<'a> {
    norms: &'a Norms,
    today: &'a Today<'a>,
    model: &'a Model,
    found: Found,
}

/// Applies every rule.
pub(super) fn flags(norms: &Norms, today: &Today<'_>, model: &Model) -> Found {
    let mut rules = Rules { norms, today, model, found: Found::default() };
    rules.hrv();
    rules.rhr();
    rules.sleep();
    rules.wellness();
    rules.pain();
    rules.load();
    rules.found
}

impl Rules<'_> {
    fn raise(&mut self, id: FlagId, value: f64, usual: Usual, beside: f64) {
        let weight = self.model.weight(id);
        self.found.flags.push(Flag { id, weight, value, usual, beside, since_days: 0 });
    }

    fn hrv(&mut self) {
        let m = self.model;
        let (values, mean7, sd7) = week(self.norms, self.today);
        self.found.n_week = values.len();
        let Some(range) = self.norms.range.filter(|_| self.norms.stage != Stage::Learning) else { return };
        if self.norms.no_spread {
            return;
        }
        let Range { mean, sd, lo, hi } = range;
        if let Some(m7) = mean7.filter(|_| values.len() >= m.min_week) {
            self.found.autonomic_known = true;
            self.found.mean7 = Some(m7);
            let low = if m.k_week == m.k_range { lo } else { mean - m.k_week * sd };
            if m7 < low {
                self.raise(FlagId::HrvWeekLow, m7, (Some(low), Some(hi)), lo);
            } else if m7 > hi {
                self.raise(FlagId::HrvWeekHigh, m7, (Some(low), Some(hi)), lo);
            }
        }
        if let Some(x) = self.today.ln_rmssd {
            self.found.autonomic_known = true;
            let z = (x - mean) / sd;
            self.found.z_today = Some(z);
            let usual = (Some(mean + m.z_low * sd), Some(mean + m.z_high * sd));
            if z < m.z_very_low {
                self.raise(FlagId::HrvTodayVeryLow, x, usual, z);
            } else if z < m.z_low {
                self.raise(FlagId::HrvTodayLow, x, usual, z);
            } else if z > m.z_high {
                self.raise(FlagId::HrvTodayHigh, x, usual, z);
            }
        }
        if let Some(m7) = mean7.filter(|_| self.norms.n_base >= m.cv_min_base && values.len() >= m.min_cv) {
            let (cv7, base) = (100.0 * sd7 / m7, 100.0 * sd / mean);
            if cv7.is_finite() && base.is_finite() {
                (self.found.cv7, self.found.cv_base) = (Some(cv7), Some(base));
                if cv7 > m.cv_ratio * base {
                    self.raise(FlagId::HrvUnstable, cv7, (None, Some(m.cv_ratio * base)), base);
                }
            }
        }
    }

    fn rhr(&mut self) {
        let m = self.model;
        let (Some(x), Some((mean, sd))) = (self.today.rhr, self.norms.rhr) else { return };
        let delta = x - mean;
        let z = delta / sd;
        (self.found.rhr_z, self.found.rhr_delta) = (Some(z), Some(delta));
        self.found.autonomic_known = true;
        let usual = (None, Some(mean + (m.rhr_z1 * sd).max(m.rhr_d1)));
        if z > m.rhr_z2 && delta >= m.rhr_d2 {
            self.raise(FlagId::RhrVeryHigh, x, usual, delta);
        } else if z > m.rhr_z1 && delta >= m.rhr_d1 {
            self.raise(FlagId::RhrHigh, x, usual, delta);
        }
    }

    fn sleep(&mut self) {
        let (m, need) = (self.model, self.norms.sleep_need);
        let Some(hours) = self.today.sleep_h else { return };
        self.found.subjective_known = true;
        let enough = m.sleep_short.max(need - m.sleep_short_by);
        if hours < m.sleep_very_short {
            return self.raise(FlagId::SleepVeryShort, hours, (Some(enough), None), need);
        }
        if hours < enough {
            return self.raise(FlagId::SleepShort, hours, (Some(enough), None), need);
        }
        let mut nights = self.norms.two_nights.clone();
        nights.push(hours);
        if let Some(mean) = mean(&nights).filter(|mean| nights.len() == 3 && need - mean > m.sleep_debt) {
            self.raise(FlagId::SleepDebt, mean, (Some(need - m.sleep_debt), None), need);
        }
    }

    fn wellness(&mut self) {
        let m = self.model;
        let Some(sum) = self.today.hooper else { return };
        self.found.subjective_known = true;
        let z = self.norms.hooper.map(|(mean, sd)| (sum - mean) / sd);
        self.found.hooper_z = z;
        let above = |limit: f64| z.is_some_and(|z| z > limit);
        let own = self.norms.hooper.map_or(f64::INFINITY, |(mean, sd)| mean + m.hooper_z1 * sd);
        let usual = (None, Some(own.min(m.hooper_abs)));
        let item = self.today.hooper_items.iter().any(|x| *x >= m.hooper_item);
        if above(m.hooper_z2) || sum >= m.hooper_abs + 4.0 {
            self.raise(FlagId::WellnessVeryPoor, sum, usual, z.unwrap_or(0.0));
        } else if above(m.hooper_z1) || sum >= m.hooper_abs || item {
            self.raise(FlagId::WellnessPoor, sum, usual, z.unwrap_or(0.0));
        }
    }

    fn pain(&mut self) {
        let Some(pain) = self.today.pain else { return };
        self.found.subjective_known = true;
        let days = f64::from(self.today.pain_days.max(1));
        let id = match pain {
            PainCourse::Stays => FlagId::PainStays,
            PainCourse::WarmsUp => FlagId::PainWarmsUp,
        };
        self.raise(id, days, (None, Some(0.0)), 0.0);
    }

    fn load(&mut self) {
        let (m, load) = (self.model, self.norms.load);
        if let Some(h) = self.today.hours_since_hard.filter(|h| *h < m.hard_gap_h) {
            self.raise(FlagId::HardRecent, h, (Some(m.hard_gap_h), None), 0.0);
        }
        if let Some(x) = load.monotony.filter(|x| *x > m.monotony) {
            self.raise(FlagId::Monotony, x, (None, Some(m.monotony)), load.strain.unwrap_or(0.0));
        }
        if let Some(x) = load.ratio.filter(|x| *x > m.spike) {
            self.raise(FlagId::LoadSpike, x, (None, Some(m.spike)), load.chronic_week.unwrap_or(0.0));
        }
        if let Some(k) = load.weeks_since_cutback.filter(|k| *k as usize >= m.cut_weeks && load.last_week > 0.0) {
            self.raise(FlagId::CutbackDue, f64::from(k), (None, Some((m.cut_weeks - 1) as f64)), 0.0);
        }
    }
}
