//! Feel against data: four cells, each with its own calm text.

use super::flag::Group;
use super::verdict::Verdict;
use super::words::{self, Language};
use crate::check::words;
use std::fmt;
use std::str::FromStr;

words! {
    /// How the person feels, in one of three buttons.
    Feel {
        /// Good.
        Good = "good",
        /// As ever.
        Ok = "ok",
        /// Bad.
        Bad = "bad",
    }
}

words! {
    /// Where feel and data meet.
    Cell {
        /// Both like usual.
        BothGood = "both_good",
        /// Both off.
        BothBad = "both_bad",
        /// The data are off.
        FeelGoodDataBad = "feel_good_data_bad",
        /// The person is off.
        FeelBadDataGood = "feel_bad_data_good",
    }
}

impl Cell {
    /// `None` unless both are known. How the person feels is what the button says, else what wellness, sleep and pain
    /// add up to; the data are the autonomic group.
    pub fn of(verdict: &Verdict, feel: Option<Feel>, ill: bool) -> Option<Self> {
        let known = |g: Group| verdict.known.contains(&g);
        let points = |g: Group| verdict.points.get(g as usize).copied().unwrap_or(0);
        let told =
            feel.map(|f| f == Feel::Bad).or_else(|| known(Group::Subjective).then(|| points(Group::Subjective) > 0));
        let bad_feel = if ill { true } else { told? };
        if !known(Group::Autonomic) {
            return None;
        }
        Some(match (bad_feel, points(Group::Autonomic) > 0) {
            (false, false) => Cell::BothGood,
            (true, true) => Cell::BothBad,
            (false, true) => Cell::FeelGoodDataBad,
            (true, false) => Cell::FeelBadDataGood,
        })
    }

    /// Its text.
    pub fn say(self, language: Language) -> String {
        words::text(&format!("cell.{self}"), language)
    }
}

/// Whether a change of the plan is suggested: only if feel and data agree that something is off, or if the person says
/// that he is ill or hurt.
pub fn suggests_change(cell: Option<Cell>, ill: bool, hurts: bool) -> bool {
    ill || hurts || cell == Some(Cell::BothBad)
}
