//! A person's readiness: the retained report and inputs of the day, and the events that tell of a verdict.

use super::message::{Delivery, Message, bytes, retained};
use super::privacy::{Publish, Sieve};
use super::render::Renderer;
use crate::language::Language;
use crate::publication::Publication;
use crate::readiness::report::{self, Detail};
use crate::readiness::{Desk, Quiet, Version};
use crate::units::AthleteId;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

impl Renderer {
    fn detail(&self, athlete: &AthleteId) -> Detail {
        match self.sieve.of(athlete) {
            Publish::Live | Publish::Morning => Detail::Full,
            Publish::Words => Detail::Words,
            Publish::Nothing => Detail::Nothing,
        }
    }

    /// From now on a person wants no numbers, or nothing, or everything again; says whether that is news.
    pub fn set_quiet(&mut self, athlete: &AthleteId, quiet: Quiet) -> bool {
        self.sieve.set_quiet(athlete, quiet)
    }

    /// From now on the result of this day waits until the person has said how it feels, and those without a day, or none
    /// does; says whether that is news.
    pub fn set_waiting(&self, athlete: &AthleteId, day: Option<Date>, undated: bool) -> bool {
        self.sieve.set_waiting(athlete, day, undated)
    }

    /// What of a message that waited is said when it is sent.
    pub fn sieve(&self) -> Sieve {
        self.sieve.clone()
    }

    /// In which language sentences are said.
    pub fn language(&self) -> Language {
        self.options.language
    }

    /// The day's report and what was said about it; nothing if the person is not to be spoken of.
    pub fn readiness(&self, athlete: &AthleteId, desk: &Desk) -> Vec<Message> {
        let detail = self.detail(athlete);
        let day = report::readiness(desk, detail, self.options.language);
        let inputs = report::inputs(desk, detail);
        let all = [(self.topics().readiness(athlete), day), (self.topics().inputs(athlete), inputs)];
        all.into_iter().filter_map(|(topic, payload)| self.sift(retained(topic, &payload))).collect()
    }

    /// An event about a verdict, or about one that waits (`version` is `None`).
    pub fn readiness_event(
        &self,
        athlete: &AthleteId,
        desk: &Desk,
        date: Date,
        version: Option<&Version>,
    ) -> Option<Message> {
        if desk.today().is_some_and(|d| desk.book().quiet(d) == Quiet::Nothing) {
            return None;
        }
        let kind = match version {
            None => "feel_wanted",
            Some(v) if v.number > 1 => "revised",
            Some(_) => "verdict",
        };
        let mut payload: Map<String, Value> = [("event_type".to_owned(), json!(kind))].into_iter().collect();
        if let Value::Object(day) = report::version(desk, date, version, self.detail(athlete), self.options.language) {
            payload.extend(day);
        }
        let topic = self.topics().readiness_event(athlete);
        let publication = Publication { topic, payload: bytes(&Value::Object(payload)), retain: false, qos: 1 };
        self.sift(Message { delivery: Delivery::Durable, publication })
    }
}
