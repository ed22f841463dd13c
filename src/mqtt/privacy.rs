//! How much of a person goes to the broker. A sieve over finished messages: a payload that somebody adds later goes
//! through it too, and a key that it does not know says nothing.

use super::entity::{Entity, Source};
use super::topics::{Owner, Topics};
use crate::publication::Publication;
use crate::readiness::{Quiet, report};
use crate::units::{AthleteId, StrapId};
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// How much of a person is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Publish {
    /// Everything.
    #[default]
    Live,
    /// No live values: the check without heart rate, and its result.
    Morning,
    /// Words and times, no number that was measured; of a strap what is the device's own.
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
        let is_word = match entity.source {
            Source::StrapState | Source::StrapRelease => is_devices,
            _ => is_word,
        };
        match self {
            Self::Live => true,
            Self::Morning => entity.source != Source::Live,
            Self::Words => {
                // what a person may set is taken, also where it is not said back
                let spoken = entity.takes.is_some() || entity.field.is_none_or(is_word);
                entity.source != Source::Live && spoken
            }
            Self::Nothing => false,
        }
    }

    /// Takes out of a message of a person's what is not to be said; `false` if nothing is left.
    fn sift(self, (owner, what): (Owner<'_>, &str), publication: &mut Publication) -> bool {
        let is_word = match (self, owner) {
            (Self::Nothing, _) => return false,
            // straps tell of themselves
            (Self::Live, _) | (Self::Morning, Owner::Strap(_)) => return true,
            (Self::Words, Owner::Strap(_)) if what == "availability" => return true,
            (Self::Words, Owner::Strap(_)) => is_devices,
            (Self::Morning | Self::Words, Owner::Athlete(_)) => is_word,
        };
        if what == "live" {
            return false;
        }
        let Ok(Value::Object(mut object)) = serde_json::from_slice(&publication.payload) else { return false };
        // a report that was made whole gives its reasons in sentences with numbers
        let whole = !object.get("flags").is_none_or(Value::is_null);
        let silenced = |key: &str| match self {
            Self::Words => !is_word(key) || (whole && key == "reasons"),
            _ => what == "check" && ["hr", "clean_pct"].contains(&key),
        };
        for (_, value) in object.iter_mut().filter(|(key, _)| silenced(key)) {
            *value = Value::Null;
        }
        publication.payload = Value::Object(object).to_string().into_bytes();
        true
    }
}

fn is_word(key: &str) -> bool {
    WORDS.contains(&key) || report::WORDS.contains(&key) || report::INPUT_WORDS.contains(&key)
}

fn is_devices(key: &str) -> bool {
    DEVICE.contains(&key)
}

/// The sieve for everybody: whose a message is, and what of it may be said.
#[derive(Clone, Debug)]
pub struct Sieve {
    topics: Topics,
    publish: BTreeMap<AthleteId, Publish>,
    /// Who wants no numbers for a while. Copies share it, and what follows: a message that waits in the outbox is sent as
    /// it may be said then.
    quiet: Arc<Mutex<BTreeMap<AthleteId, Quiet>>>,
    /// Whose results wait until the person has said how it feels: those of a day, and those whose day is not known yet.
    waiting: Arc<Mutex<BTreeMap<AthleteId, Waits>>>,
}

/// Of which day results wait, and whether those without a day do.
type Waits = (Option<Date>, bool);

impl Sieve {
    /// Everything is said of who is not named.
    pub fn new(topics: Topics, publish: BTreeMap<AthleteId, Publish>) -> Self {
        Self { topics, publish, quiet: Arc::default(), waiting: Arc::default() }
    }

    /// How much is said of a person.
    pub(super) fn of(&self, athlete: &AthleteId) -> Publish {
        self.publish.get(athlete).copied().unwrap_or_default()
    }

    /// From now on a person wants no numbers, or nothing, or everything again; says whether that is news.
    pub(super) fn set_quiet(&self, athlete: &AthleteId, quiet: Quiet) -> bool {
        let mut all = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(athlete.clone(), quiet).unwrap_or(Quiet::Off) != quiet
    }

    /// From now on the result of this day waits for the feel, and those without a day, or none does; says whether that is
    /// news.
    pub(super) fn set_waiting(&self, athlete: &AthleteId, day: Option<Date>, undated: bool) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match (day, undated) {
            (None, false) => waiting.remove(athlete).is_some(),
            wait => waiting.insert(athlete.clone(), wait) != Some(wait),
        }
    }

    /// A number colours the answer to how it feels, so until then a result is told in words. That there is one, and when,
    /// is told at once. Asked when a message leaves, not when it is written down: what waits longer leaves whole.
    pub fn hold(&self, publication: &mut Publication) {
        let topic = publication.topic.clone();
        let Some(of @ (Owner::Athlete(slug), what)) = self.topics.owner(&topic) else { return };
        if publication.payload.is_empty() || !["morning", "event/check"].contains(&what) {
            return;
        }
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((day, undated)) = slug.parse::<AthleteId>().ok().and_then(|a| waiting.get(&a).copied()) else {
            return;
        };
        let object: Option<Value> = serde_json::from_slice(&publication.payload).ok();
        let date: Option<Date> = object.and_then(|v| v["date"].as_str()?.parse().ok());
        if date.map_or(undated, |date| Some(date) == day) {
            Publish::Words.sift(of, publication);
        }
    }

    /// In a data holiday there are no live values; of results there are words or nothing, and straps tell of themselves
    /// only. What a person sets stays to be seen, or nobody could end the holiday: what of it is told, the report itself
    /// decides.
    fn hush(&self, athlete: &AthleteId, (owner, what): (Owner<'_>, &str), publication: &mut Publication) -> bool {
        let all = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = all.get(athlete).copied().unwrap_or(Quiet::Off);
        let persons = matches!(owner, Owner::Athlete(_));
        if quiet == Quiet::Off || (persons && ["readiness", "inputs", "settings"].contains(&what)) {
            return true;
        }
        if persons && quiet == Quiet::Nothing {
            if what.starts_with("event/") {
                return false;
            }
            if what == "morning" {
                let Ok(Value::Object(mut all)) = serde_json::from_slice(&publication.payload) else { return false };
                all.iter_mut().for_each(|(_, v)| *v = Value::Null);
                publication.payload = Value::Object(all).to_string().into_bytes();
                return true;
            }
        }
        Publish::Words.sift((owner, what), publication)
    }

    /// Takes out what is not to be said; `false` if nothing is left. `wearer` tells whose a strap is; what a strap of
    /// nobody's says is not said.
    pub fn sift(&self, publication: &mut Publication, wearer: impl Fn(StrapId) -> Option<AthleteId>) -> bool {
        // taking away is always allowed
        if publication.payload.is_empty() {
            return true;
        }
        let topic = publication.topic.clone();
        let Some(of) = self.topics.owner(&topic) else { return true };
        let athlete = match of.0 {
            Owner::Athlete(slug) => slug.parse().ok(),
            Owner::Strap(slug) => slug.parse().ok().and_then(wearer),
        };
        athlete.is_some_and(|a| self.of(&a).sift(of, publication) && self.hush(&a, of, publication))
    }
}

/// Keys that hold a word, a time, or how far a check has come; never how a heart beats.
const WORDS: [&str; 17] = [
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
    "wake_start",
    "wake_end",
    "auto_start",
    "set",
];

/// Keys of a strap's state that are the device's own. What is measured of the body through it (contact, worn, packets,
/// gaps, coverage) is not among them.
const DEVICE: [&str; 20] = [
    "link",
    "link_since",
    "battery",
    "rssi",
    "defects",
    "duplicates",
    "units",
    "smoothing",
    "findings",
    "cause",
    "advice",
    "last_seen",
    "signal",
    "signal_trend",
    "battery_per_week",
    "battery_days",
    "released",
    "released_until",
    "recovery",
    "link_counts",
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
