//! How much of a person goes to the broker. A sieve over finished messages: a payload that somebody adds later goes
//! through it too, and a key that it does not know says nothing.

use super::entity::{Entity, Source};
use crate::publication::Publication;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// How much of a person is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Publish {
    /// Everything.
    #[default]
    Live,
    /// No live values: the check without heart rate, and its result.
    Morning,
    /// Words and times, no number that was measured.
    Words,
    /// Neither the person nor the person's straps.
    Nothing,
}

impl Publish {
    /// From most to least.
    pub const ALL: [Self; 4] = [Self::Live, Self::Morning, Self::Words, Self::Nothing];

    /// As written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Morning => "morning",
            Self::Words => "words",
            Self::Nothing => "nothing",
        }
    }

    /// Whether an entity would ever say something.
    pub(super) fn keeps(self, entity: &Entity) -> bool {
        match self {
            Self::Live => true,
            Self::Morning => entity.source != Source::Live,
            Self::Words => entity.source != Source::Live && entity.field.is_none_or(|f| WORDS.contains(&f)),
            Self::Nothing => false,
        }
    }

    /// Takes out of a message of a person's what is not to be said; `false` if nothing is left.
    pub(super) fn sift(self, publication: &mut Publication) -> bool {
        // taking away is always allowed
        if self == Self::Live || publication.payload.is_empty() {
            return true;
        }
        if self == Self::Nothing || publication.topic.ends_with("/live") {
            return false;
        }
        let topic = publication.topic.as_str();
        let progress = topic.ends_with("/check") && !topic.ends_with("/event/check");
        let silenced = |key: &str| match self {
            Self::Words => !WORDS.contains(&key),
            _ => progress && ["hr", "clean_pct"].contains(&key),
        };
        let Ok(Value::Object(mut object)) = serde_json::from_slice(&publication.payload) else { return false };
        for (_, value) in object.iter_mut().filter(|(key, _)| silenced(key)) {
            *value = Value::Null;
        }
        publication.payload = Value::Object(object).to_string().into_bytes();
        true
    }
}

/// Keys that hold a word, a time, or how far a check has come; never how a heart beats.
const WORDS: [&str; 13] = [
    "event_type",
    "cause",
    "grade",
    "at",
    "date",
    "posture",
    "id",
    "algo_version",
    "phase",
    "seconds_left",
    "percent",
    "hint",
    "level",
];

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Publish {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|p| p.as_str() == text);
        found
            .ok_or_else(|| format!("{text:?} is none of {}", Self::ALL.map(|p| format!("{:?}", p.as_str())).join(", ")))
    }
}
