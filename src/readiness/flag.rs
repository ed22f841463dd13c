//! Flags: what differs from a person's own usual. They are yellow, never orders.

use crate::check::words;
use std::fmt;
use std::str::FromStr;

words! {
    /// Three independent kinds of evidence.
    Group {
        /// Heart rate variability and resting heart rate.
        Autonomic = "autonomic",
        /// What the person says: wellness, sleep, pain.
        Subjective = "subjective",
        /// What was trained.
        Load = "load",
    }
}

words! {
    /// What a flag says; English and stable.
    FlagId {
        /// 7-day mean of lnRMSSD below the normal range.
        HrvWeekLow = "hrv_week_low",
        /// 7-day mean above the normal range.
        HrvWeekHigh = "hrv_week_high",
        /// Today far below the mean.
        HrvTodayVeryLow = "hrv_today_very_low",
        /// Today below the mean.
        HrvTodayLow = "hrv_today_low",
        /// Today far above the mean.
        HrvTodayHigh = "hrv_today_high",
        /// The week swings more than usual.
        HrvUnstable = "hrv_unstable",
        /// Resting heart rate far above the mean.
        RhrVeryHigh = "rhr_very_high",
        /// Resting heart rate above the mean.
        RhrHigh = "rhr_high",
        /// A very short night.
        SleepVeryShort = "sleep_very_short",
        /// A short night.
        SleepShort = "sleep_short",
        /// Three short nights.
        SleepDebt = "sleep_debt",
        /// Wellness far worse than usual.
        WellnessVeryPoor = "wellness_very_poor",
        /// Wellness worse than usual.
        WellnessPoor = "wellness_poor",
        /// Pain that stays when warm.
        PainStays = "pain_stays",
        /// Pain that goes away when warm.
        PainWarmsUp = "pain_warms_up",
        /// A hard session not long ago.
        HardRecent = "hard_recent",
        /// Every day alike.
        Monotony = "monotony",
        /// Far more than the usual week.
        LoadSpike = "load_spike",
        /// Long without a lighter week.
        CutbackDue = "cutback_due",
    }
}

impl FlagId {
    /// The kind of evidence.
    pub const fn group(self) -> Group {
        use FlagId::*;
        match self {
            HrvWeekLow | HrvWeekHigh | HrvTodayVeryLow | HrvTodayLow | HrvTodayHigh | HrvUnstable | RhrVeryHigh
            | RhrHigh => Group::Autonomic,
            SleepVeryShort | SleepShort | SleepDebt | WellnessVeryPoor | WellnessPoor | PainStays | PainWarmsUp => {
                Group::Subjective
            }
            HardRecent | Monotony | LoadSpike | CutbackDue => Group::Load,
        }
    }

    /// Points where a model lets the flag count.
    pub(super) const fn full_weight(self) -> u8 {
        use FlagId::*;
        match self {
            HrvTodayVeryLow | RhrVeryHigh | SleepVeryShort | WellnessVeryPoor | PainStays => 2,
            _ => 1,
        }
    }

    /// The same finding, one step milder; a flag that grew from it stands since the milder one stood.
    pub(super) const fn family(self) -> FlagId {
        use FlagId::*;
        match self {
            HrvTodayVeryLow => HrvTodayLow,
            RhrVeryHigh => RhrHigh,
            SleepVeryShort => SleepShort,
            WellnessVeryPoor => WellnessPoor,
            PainStays => PainWarmsUp,
            other => other,
        }
    }
}

/// One flag with its numbers.
#[cfg_attr(feature = "daemon", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flag {
    /// What.
    pub id: FlagId,
    /// What it counts: 0 informs, 1 yellow, 2 strong.
    pub weight: u8,
    /// The number that raised it. HRV is in ln(ms), see [`Flag::natural`].
    pub value: f64,
    /// Where that number usually lies; either end may be open.
    pub usual: (Option<f64>, Option<f64>),
    /// A second number for the words (z, the usual CV, the sum of the usual week); 0 where there is none.
    pub beside: f64,
    /// Whole days for which it has stood already; 0 = since today.
    pub since_days: u32,
}

impl Flag {
    /// Number and usual range as people read them: HRV in ms, the rest unchanged.
    pub fn natural(&self) -> (f64, Option<f64>, Option<f64>) {
        let as_ms = matches!(
            self.id,
            FlagId::HrvWeekLow
                | FlagId::HrvWeekHigh
                | FlagId::HrvTodayVeryLow
                | FlagId::HrvTodayLow
                | FlagId::HrvTodayHigh
        );
        let f = |x: f64| if as_ms { x.exp() } else { x };
        (f(self.value), self.usual.0.map(f), self.usual.1.map(f))
    }

    /// Unit of [`Flag::natural`].
    pub const fn unit(&self) -> &'static str {
        use FlagId::*;
        match self.id {
            HrvWeekLow | HrvWeekHigh | HrvTodayVeryLow | HrvTodayLow | HrvTodayHigh => "ms",
            HrvUnstable => "%",
            RhrVeryHigh | RhrHigh => "bpm",
            SleepVeryShort | SleepShort | SleepDebt | HardRecent => "h",
            WellnessVeryPoor | WellnessPoor => "points",
            PainStays | PainWarmsUp => "days",
            Monotony | LoadSpike => "ratio",
            CutbackDue => "weeks",
        }
    }
}
