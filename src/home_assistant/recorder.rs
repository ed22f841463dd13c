//! What Home Assistant's recorder can leave out without a loss: no card of ours shows its history.

use super::home::Home;
use serde_json::{Value, json};

/// Progress of a running check: of no use a minute later, and a row a second meanwhile.
const PASSING: [&str; 2] = ["check_progress", "check_seconds_left"];

/// The `recorder:` block. Long-term statistics of what it leaves out are not made either.
pub fn recorder(home: &Home) -> Value {
    let entities = home.devices().flat_map(|d| &d.entities);
    // a live value that is off by default is for looking at, or for an automation
    let out = entities.filter(|e| PASSING.contains(&e.key.as_str()) || (e.live && !e.enabled));
    json!({"recorder": {"exclude": {"entities": out.map(|e| e.id.as_str()).collect::<Vec<_>>()}}})
}
