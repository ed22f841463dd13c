//! Blueprints for automations. Each stands in `config/home-assistant/` as it is shipped, without an id; where the home
//! has one person, the person's entities become the defaults of the inputs.

use super::Document;
use super::home::Home;
use crate::mqtt::Language;

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../config/home-assistant/blueprints/automation/hrvd/", $name, ".yaml")))),+]
    };
}

const SHIPPED: [(&str, &str); 10] = shipped![
    "morning_check_ready",
    "feel_first",
    "no_check_by",
    "heart_rate_fan",
    "heart_rate_light",
    "breathing_pacer",
    "easy_ceiling",
    "strap_battery_low",
    "wake_up_light",
    "hard_session_moved",
];

/// Marks, in a shipped file, an input whose default is known for one person: `# own: athlete.heart_rate`.
const MARK: &str = "# own: ";

/// Marks, in a shipped file, a text that has a German one: `default: Morning check  # de: Morgenmessung`.
const GERMAN: &str = "  # de: ";

/// Every blueprint, as a file below Home Assistant's configuration folder.
pub fn blueprints(home: &Home) -> Vec<Document> {
    let file = |(name, text): &(&str, &str)| Document {
        path: format!("blueprints/automation/hrvd/{name}.yaml"),
        text: text.lines().map(|line| format!("{}\n", personal(&spoken(line, home.language), home))).collect(),
    };
    SHIPPED.iter().map(file).collect()
}

/// The default in the home's language.
fn spoken(line: &str, language: Language) -> String {
    match (language, line.split_once(GERMAN), line.split_once("default: ")) {
        (Language::De, Some((_, german)), Some((before, _))) => format!("{before}default: {german}"),
        _ => line.to_owned(),
    }
}

/// The default in place of the mark, if there is exactly one entity that it can mean.
fn personal(line: &str, home: &Home) -> String {
    let unchanged = || line.to_owned();
    let Some((before, what)) = line.split_once(MARK) else { return unchanged() };
    let indent = &before[..before.len() - before.trim_start().len()];
    let (Some((device, key)), [person]) = (what.split_once('.'), home.people.as_slice()) else { return unchanged() };
    let device = match (device, person.straps.as_slice()) {
        ("athlete", _) => &person.device,
        ("strap", [strap]) => strap,
        _ => return unchanged(),
    };
    // an input that takes several has a list as its default
    let several = before.trim_start().starts_with("default: []");
    device.entity(key).map_or_else(unchanged, |e| match several {
        true => format!("{indent}default: [{}]", e.id),
        false => format!("{indent}default: {}", e.id),
    })
}
