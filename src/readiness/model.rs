//! The versions of the model: every constant of the verdict, in one place each.

use super::flag::FlagId;

/// One version of the readiness model. Versions are never edited, only added: a stored verdict can always be computed
/// again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// `algo_version` of the verdict.
    pub version: u32,
    /// Calendar days of the baseline, today not among them.
    pub base_days: usize,
    /// Days of the rolling mean, today among them.
    pub week_days: usize,
    /// Fewer valid days in the baseline: learning.
    pub min_base: usize,
    /// Fewer valid days: provisional.
    pub full_base: usize,
    /// Fewer values in the week: no 7-day mean.
    pub min_week: usize,
    /// Fewer values in the week: no CV.
    pub min_cv: usize,
    /// Half width of the normal range, in SD.
    pub k_range: f64,
    /// The 7-day mean is low below mean − this × SD.
    pub k_week: f64,
    /// Today is low below this z.
    pub z_low: f64,
    /// Today is very low below this z.
    pub z_very_low: f64,
    /// Today is high above this z.
    pub z_high: f64,
    /// Smallest SD of lnRMSSD that is believed.
    pub sd_floor_ln: f64,
    /// A baseline whose SD of lnRMSSD is smaller than this is no measurement; the HRV part abstains.
    pub sd_abstain: f64,
    /// Smallest SD of the resting heart rate, bpm.
    pub sd_floor_rhr: f64,
    /// Resting heart rate is high above this z ...
    pub rhr_z1: f64,
    /// ... if it is also this many bpm above the mean.
    pub rhr_d1: f64,
    /// Very high: z.
    pub rhr_z2: f64,
    /// Very high: bpm.
    pub rhr_d2: f64,
    /// The week is unstable if its CV exceeds this times the baseline's.
    pub cv_ratio: f64,
    /// Fewer valid days in the baseline: no such judgement.
    pub cv_min_base: usize,
    /// Hours of sleep a person needs unless better is known.
    pub sleep_need: f64,
    /// Nights from which a person's usual sleep is known and replaces a greater need; 0 = never.
    pub usual_sleep_nights: usize,
    /// Short below need − this, h.
    pub sleep_short_by: f64,
    /// Short below this, h.
    pub sleep_short: f64,
    /// Very short below this, h.
    pub sleep_very_short: f64,
    /// Debt if three nights average more than this below the need, h.
    pub sleep_debt: f64,
    /// Days with wellness before today that a z needs.
    pub hooper_min_base: usize,
    /// Wellness is poor above this z.
    pub hooper_z1: f64,
    /// Very poor above this z.
    pub hooper_z2: f64,
    /// Poor from this sum on; very poor from 4 more.
    pub hooper_abs: f64,
    /// Poor if an item reaches this.
    pub hooper_item: f64,
    /// Hours between hard sessions.
    pub hard_gap_h: f64,
    /// This week over the usual week.
    pub spike: f64,
    /// Days before this week that a usual week needs.
    pub spike_days: usize,
    /// Training monotony.
    pub monotony: f64,
    /// Weeks without a lighter one.
    pub cut_weeks: usize,
    /// A week is lighter at or below this share of the three before.
    pub cut_ratio: f64,
    /// Flags that are shown and do not count.
    pub informs_only: &'static [FlagId],
    /// Whether one flag of weight 2 is enough for EASY.
    pub one_is_enough: bool,
    /// Whether a low week together with a low today is agreement.
    pub week_confirms_today: bool,
    /// Whether a low HRV today and a raised resting heart rate confirm each other only if one of them is strong: both
    /// come from one recording and go together anyway. A low week confirms in either case.
    pub pair_needs_strong: bool,
    /// Chance alone brings one day in so many below `z_low` (normal distribution).
    pub chance_today_low: f64,
}

/// The published model: `docs/readiness.md`, with worked days.
pub const V1: Model = Model {
    version: 1,
    base_days: 60,
    week_days: 7,
    min_base: 14,
    full_base: 30,
    min_week: 3,
    min_cv: 5,
    k_range: 0.5,
    k_week: 0.5,
    z_low: -1.0,
    z_very_low: -2.0,
    z_high: 2.0,
    sd_floor_ln: 0.05,
    sd_abstain: 0.0,
    sd_floor_rhr: 1.0,
    rhr_z1: 1.0,
    rhr_d1: 3.0,
    rhr_z2: 2.0,
    rhr_d2: 5.0,
    cv_ratio: 1.5,
    cv_min_base: 28,
    sleep_need: 8.0,
    usual_sleep_nights: 0,
    sleep_short_by: 1.5,
    sleep_short: 6.0,
    sleep_very_short: 5.0,
    sleep_debt: 1.0,
    hooper_min_base: 7,
    hooper_z1: 1.0,
    hooper_z2: 2.0,
    hooper_abs: 20.0,
    hooper_item: 6.0,
    hard_gap_h: 48.0,
    spike: 1.5,
    spike_days: 28,
    monotony: 2.0,
    cut_weeks: 4,
    cut_ratio: 0.75,
    informs_only: &[FlagId::HrvWeekHigh, FlagId::HrvTodayHigh, FlagId::CutbackDue],
    one_is_enough: true,
    week_confirms_today: true,
    pair_needs_strong: false,
    chance_today_low: 6.0,
};

/// Fewer false alarms: `docs/decisions/0011-readiness.md`.
pub const V2: Model = Model {
    version: 2,
    k_week: 0.85,
    z_low: -1.75,
    sd_abstain: 0.005,
    rhr_z1: 1.75,
    usual_sleep_nights: 14,
    hooper_z1: 1.5,
    hooper_z2: 2.5,
    informs_only: &[
        FlagId::HrvWeekHigh,
        FlagId::HrvTodayHigh,
        FlagId::HrvUnstable,
        FlagId::HardRecent,
        FlagId::Monotony,
        FlagId::LoadSpike,
        FlagId::CutbackDue,
    ],
    one_is_enough: false,
    week_confirms_today: false,
    pair_needs_strong: true,
    chance_today_low: 25.0,
    ..V1
};

/// Every version, oldest first.
pub const MODELS: &[&Model] = &[&V1, &V2];

impl Model {
    /// The model of this `algo_version`.
    pub fn of_version(version: u32) -> Option<&'static Model> {
        MODELS.iter().copied().find(|m| m.version == version)
    }

    /// What a flag counts.
    pub fn weight(&self, id: FlagId) -> u8 {
        if self.informs_only.contains(&id) { 0 } else { id.full_weight() }
    }
}
