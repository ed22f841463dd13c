//! What is set, as a retained state: what holds now, and which of it is set above the configuration.

use super::message::{Message, retained};
use super::render::Renderer;
use crate::preference::{Choice, LogLevel, Personal, Preference};
use crate::units::AthleteId;
use serde_json::{Value, json};
use std::time::Duration;

fn words(set: &[Preference]) -> Value {
    json!(set.iter().map(|p| p.as_str()).collect::<Vec<_>>())
}

impl Renderer {
    /// What holds for a person; nothing if the person is not to be spoken of.
    pub fn personal_settings(&self, athlete: &AthleteId, now: &Personal, set: &[Preference]) -> Option<Message> {
        let time = |t| Choice::Time(t).to_string();
        let payload = json!({
            "max_hr": now.max_hr,
            "rest_hr": now.rest_hr,
            "wake_start": time(now.wake_window.from),
            "wake_end": time(now.wake_window.until),
            "auto_start": now.auto_start,
            "set": words(set),
        });
        self.sift(retained(self.topics().personal_settings(athlete), &payload))
    }

    /// What holds for the gateway. A log filter with exceptions for modules is no level, and is told as none.
    pub fn gateway_settings(&self, interval: Duration, log: Option<LogLevel>, set: &[Preference]) -> Message {
        let payload = json!({
            "publish_interval": interval.as_secs(),
            "log_level": log.map(LogLevel::as_str),
            "set": words(set),
        });
        retained(self.topics().gateway_settings(), &payload)
    }
}
