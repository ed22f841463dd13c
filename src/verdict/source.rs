//! What is a property of the device and not of the day: proven once, it holds for the next session.

use super::{FindingId, SmoothingVerdict, Units};
use crate::ALGO_VERSION;

/// What is proven about a strap's intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Units on the wire.
    pub units: Units,
    /// Whether intervals are measured.
    pub smoothing: SmoothingVerdict,
}

impl Source {
    /// Nothing is proven.
    pub fn is_unknown(self) -> bool {
        self == Self::default()
    }

    /// One line for the store, with the version of the algorithms that proved it.
    pub fn to_text(self) -> String {
        format!("algo={ALGO_VERSION} units={} smoothing={}", self.units.as_str(), self.smoothing.as_str())
    }

    /// What another version of the algorithms proved counts for nothing: it is judged anew.
    pub fn from_text(text: &str) -> Option<Self> {
        let word = |key: &str| text.split(' ').find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
        if word("algo")?.parse() != Ok(ALGO_VERSION) {
            return None;
        }
        let units = [Units::Unknown, Units::Ticks1024, Units::Milliseconds];
        use SmoothingVerdict::{FromHeartRate, None as Measured, Smoothed, Unknown};
        let smoothing = [Unknown, Measured, Smoothed, FromHeartRate];
        Some(Self {
            units: units.into_iter().find(|u| Some(u.as_str()) == word("units"))?,
            smoothing: smoothing.into_iter().find(|s| Some(s.as_str()) == word("smoothing"))?,
        })
    }
}

/// Whether a number may be made of the intervals at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Proven units.
    pub units: Units,
    /// What they look like before there is a proof.
    pub leaning: Units,
    /// What forbids a number.
    pub trouble: Option<FindingId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_proven_survives_as_text() {
        let source = Source { units: Units::Milliseconds, smoothing: SmoothingVerdict::Smoothed };
        assert_eq!(source.to_text(), format!("algo={ALGO_VERSION} units=milliseconds smoothing=smoothed"));
        assert_eq!(Source::from_text(&source.to_text()), Some(source));
        for bad in ["", "milliseconds", "algo=0 units=milliseconds smoothing=none"] {
            assert_eq!(Source::from_text(bad), None, "{bad}");
        }
    }
}
