//! One dashboard in Home Assistant's own cards: today, what is said about the day, live, trends, strap. Each card is there only if the entities it
//! shows are announced.

use super::home::{Device, Entity, Home, Person};
use super::words;
use crate::mqtt::Language;
use crate::readiness::DayState;
use serde_json::{Value, json};

/// Phases in which a check runs.
const RUNNING: [&str; 4] = ["waiting_for_strap", "settling", "recording", "grading"];
/// Days that trends look back.
const DAYS: u32 = 60;

/// A dashboard for everybody of this home; the first level of `ui-lovelace.yaml` or of the raw editor.
pub fn dashboard(home: &Home) -> Value {
    let cards = Cards(home.language);
    let several = home.people.len() > 1;
    let mut views = Vec::new();
    for person in &home.people {
        let page = Page { cards, person, several };
        views.extend([page.today(), page.inputs(), page.live(), page.trends()]);
    }
    views.push(cards.straps(home));
    json!({"title": cards.say("Heart"), "views": views})
}

/// Cards in a language.
#[derive(Clone, Copy)]
struct Cards(Language);

impl Cards {
    fn say(self, en: &'static str) -> &'static str {
        words::say(self.0, en)
    }

    /// Everything about straps and the gateway, for when something does not work.
    fn straps(self, home: &Home) -> Value {
        let mut sections: Vec<Option<Value>> = Vec::new();
        for strap in home.people.iter().flat_map(|p| &p.straps) {
            let advice = strap.entity("advice").zip(strap.entity("cause")).map(|(advice, cause)| {
                json!({
                    "type": "markdown", "content": format!("{{{{ states('{}') }}}}", advice.id),
                    "visibility": [{"condition": "state", "entity": cause.id, "state_not": ["none", "unknown", "unavailable"]}],
                })
            });
            let keys = ["connection", "link", "cause", "contact", "battery", "battery_days", "release"];
            sections.push(section(&strap.name, "mdi:heart-box", vec![advice, rows(strap, &keys)]));
        }
        let all: Vec<&str> = home.gateway.entities.iter().map(|e| e.key.as_str()).collect();
        sections.push(section(&home.gateway.name, "mdi:router-wireless", vec![rows(&home.gateway, &all)]));
        view(self.say("Strap"), "strap", "mdi:heart-box", vec![], sections)
    }

    fn strap_badges(self, strap: &Device) -> Vec<Value> {
        let shown = [("connection", self.say("Strap")), ("battery", self.say("Battery"))];
        shown.iter().filter_map(|(key, name)| Some(badge(strap.entity(key)?, name))).collect()
    }
}

/// Views of one person.
struct Page<'a> {
    cards: Cards,
    person: &'a Person,
    several: bool,
}

impl Page<'_> {
    fn say(&self, en: &'static str) -> &'static str {
        self.cards.say(en)
    }

    fn entity(&self, key: &str) -> Option<&Entity> {
        self.person.device.entity(key)
    }

    fn view(&self, title: &str, path: &str, icon: &str, badges: Vec<Value>, sections: Vec<Option<Value>>) -> Value {
        let (title, path) = match self.several {
            true => (format!("{}: {title}", self.person.device.name), format!("{}-{path}", self.person.id)),
            false => (title.to_owned(), path.to_owned()),
        };
        view(&title, &path, icon, badges, sections)
    }

    fn tile(&self, key: &str, name: &str, color: &str) -> Option<Value> {
        self.entity(key).map(|e| json!({"type": "tile", "entity": e.id, "name": name, "color": color}))
    }

    fn today(&self) -> Value {
        let phase = self.entity("check_phase");
        let while_running = |card: Option<Value>, running: bool| {
            let (mut card, phase) = (card?, phase?);
            let key = if running { "state" } else { "state_not" };
            card["visibility"] = json!([{"condition": "state", "entity": phase.id, key: RUNNING}]);
            Some(card)
        };
        let check = section(
            self.say("Morning check"),
            "mdi:meditation",
            vec![
                while_running(press(self.entity("start_check"), self.say("Start the check"), "green"), false),
                while_running(self.tile("check_phase", self.say("Phase"), "teal"), true),
                while_running(self.tile("check_seconds_left", self.say("Time left"), "teal"), true),
                while_running(wide(self.tile("check_hint", self.say("Hint"), "amber")), true),
                while_running(self.entity("check_progress").map(|e| gauge(e, self.say("Progress"))), true),
                while_running(press(self.entity("cancel_check"), self.say("Cancel the check"), "red"), true),
            ],
        );
        let result = section(
            self.say("Last result"),
            "mdi:weather-sunset-up",
            vec![
                self.told(self.tile("morning_rmssd", self.say("RMSSD"), "teal")),
                self.told(self.tile("morning_heart_rate", self.say("Heart rate"), "red")),
                self.tile("morning_quality", self.say("Quality"), "green"),
                self.tile("morning_time", self.say("Taken"), "grey"),
            ],
        );
        let readiness = section(
            self.say("Readiness"),
            "mdi:traffic-light",
            vec![
                wide(self.tile("readiness", self.say("Level"), "teal")),
                self.reasons(),
                self.feel("feel_good", self.say("Good"), "green"),
                self.feel("feel_ok", self.say("As usual"), "teal"),
                self.feel("feel_bad", self.say("Not good"), "amber"),
                self.given(self.tile("readiness_hard", self.say("Hard session"), "deep-orange")),
                self.given(self.tile("readiness_score", self.say("Score"), "teal")),
            ],
        );
        let mut badges: Vec<Value> = self.person.straps.iter().flat_map(|s| self.cards.strap_badges(s)).collect();
        badges.extend(phase.map(|e| badge(e, self.say("Check"))));
        self.view(self.say("Today"), "today", "mdi:white-balance-sunny", badges, vec![check, readiness, result])
    }

    /// Why the level is what it is, in the verdict's own sentences; or what it waits for. Home Assistant lets no
    /// attribute be called `state`, so that one is asked for by its own entity.
    fn reasons(&self) -> Option<Value> {
        let (level, state) = (&self.entity("readiness")?.id, &self.entity("readiness_state")?.id);
        let (waits, none) =
            (self.say("How do you feel? The verdict comes with your answer."), self.say("No verdict yet."));
        let content = format!(
            "{{% if is_state('{state}', '{waiting}') %}}{waits}\
             {{% else %}}{{{{ state_attr('{level}', 'level_text') or '{none}' }}}}\n\
             {{% for reason in state_attr('{level}', 'reasons') or [] %}}\n- {{{{ reason }}}}{{% endfor %}}{{% endif %}}",
            waiting = DayState::WaitingForFeel
        );
        Some(json!({"type": "markdown", "content": content}))
    }

    /// Once there is a verdict.
    fn given(&self, card: Option<Value>) -> Option<Value> {
        let (mut card, level) = (card?, self.entity("readiness")?);
        card["visibility"] =
            json!([{"condition": "state", "entity": level.id, "state_not": ["unknown", "unavailable"]}]);
        Some(card)
    }

    /// Not while the numbers wait for how it feels.
    fn told(&self, card: Option<Value>) -> Option<Value> {
        let mut card = card?;
        if let Some(state) = self.entity("readiness_state") {
            card["visibility"] =
                json!([{"condition": "state", "entity": state.id, "state_not": DayState::WaitingForFeel}]);
        }
        Some(card)
    }

    /// A third of a row; there until it was pressed.
    fn feel(&self, key: &str, name: &str, color: &str) -> Option<Value> {
        let mut card = press(self.entity(key), name, color)?;
        card["vertical"] = json!(true);
        card["grid_options"] = json!({"columns": 4, "rows": 2});
        if let Some(feel) = self.entity("feel") {
            card["visibility"] =
                json!([{"condition": "state", "entity": feel.id, "state": ["unknown", "unavailable"]}]);
        }
        Some(card)
    }

    /// What a person may say about the day, and whether the verdict was right.
    fn inputs(&self) -> Value {
        let rows = |keys: &[&str]| rows(&self.person.device, keys);
        // short names: a slider leaves little room for them
        let wellness = [
            ("wellness_sleep", self.say("Sleep")),
            ("wellness_stress", self.say("Stress")),
            ("wellness_fatigue", self.say("Fatigue")),
            ("wellness_soreness", self.say("Soreness")),
        ];
        let wellness = named(wellness.iter().filter_map(|(key, name)| Some((self.entity(key)?, *name))).collect());
        let more = ["motivation", "sleep_hours", "illness", "pain", "plan"];
        let day = section(
            self.say("How you are"),
            "mdi:clipboard-text-outline",
            vec![rows(&["feel"]), self.scale(), wellness, rows(&more)],
        );
        let session = section(
            self.say("Session"),
            "mdi:shoe-sneaker",
            vec![
                rows(&["session_kind", "session_minutes", "session_rpe"]),
                press(self.entity("session_log"), self.say("Log the session"), "green"),
            ],
        );
        let right = section(
            self.say("Was the verdict right?"),
            "mdi:bullseye-arrow",
            vec![
                half(press(self.entity("was_right"), self.say("Yes"), "green")),
                half(press(self.entity("was_wrong"), self.say("No"), "amber")),
            ],
        );
        self.view(self.say("Day"), "day", "mdi:clipboard-text-outline", vec![], vec![day, session, right])
    }

    /// Hooper's items run from best to worst, which nobody guesses.
    fn scale(&self) -> Option<Value> {
        self.entity("wellness_sleep")?;
        Some(
            json!({"type": "markdown", "content": self.say("Wellness: 1 is best, 7 is worst. All of it is optional.")}),
        )
    }

    fn live(&self) -> Value {
        let now = section(
            self.say("Now"),
            "mdi:heart-pulse",
            vec![
                wide(self.tile("heart_rate", self.say("Heart rate"), "red")),
                self.tile("rmssd_live", self.say("RMSSD 60 s"), "teal"),
                self.tile("breathing_live", self.say("Breathing"), "blue"),
            ],
        );
        let graph = |key: &str, title: &str| {
            let e = self.entity(key)?;
            let name = json!([{"entity": e.id, "name": title}]);
            Some(json!({"type": "history-graph", "title": title, "hours_to_show": 1, "entities": name}))
        };
        let course = section(
            self.say("Last hour"),
            "mdi:chart-line",
            vec![graph("heart_rate", self.say("Heart rate")), graph("rmssd_live", self.say("RMSSD 60 s"))],
        );
        let badges = self.person.straps.iter().flat_map(|s| self.cards.strap_badges(s)).collect();
        self.view(self.say("Live"), "live", "mdi:run", badges, vec![now, course])
    }

    /// By the hour: a value holds from one morning to the next, so the mean of a calendar day would mix two of them.
    fn trends(&self) -> Value {
        let graph = |title: &str, keys: &[(&str, &str)]| {
            let shown: Vec<Value> = keys
                .iter()
                .filter_map(|(key, name)| Some(json!({"entity": self.entity(key)?.id, "name": name})))
                .collect();
            (!shown.is_empty()).then(|| {
                json!({
                    "type": "statistics-graph", "title": title, "days_to_show": DAYS, "period": "hour",
                    "stat_types": ["mean"], "hide_legend": shown.len() == 1, "entities": shown,
                })
            })
        };
        let (rmssd, rate) = (self.say("RMSSD"), self.say("Heart rate"));
        let trends = section(
            self.say("60 days"),
            "mdi:chart-timeline-variant",
            vec![
                graph(self.say("Morning RMSSD"), &[("morning_rmssd", rmssd)]),
                graph(
                    self.say("lnRMSSD and its normal range"),
                    &[
                        ("morning_ln_rmssd", self.say("Day")),
                        ("ln_rmssd_7d", self.say("7 days")),
                        ("baseline_low", self.say("Range low")),
                        ("baseline_high", self.say("Range high")),
                    ],
                ),
                graph(self.say("Morning heart rate"), &[("morning_heart_rate", rate)]),
                graph(self.say("Load of 7 days"), &[("load_7d", self.say("Load"))]),
            ],
        );
        self.view(self.say("Trends"), "trends", "mdi:chart-timeline-variant", vec![], vec![trends])
    }
}

fn view(title: &str, path: &str, icon: &str, badges: Vec<Value>, sections: Vec<Option<Value>>) -> Value {
    let sections: Vec<Value> = sections.into_iter().flatten().collect();
    let mut view = json!({"title": title, "path": path, "icon": icon, "type": "sections", "max_columns": 3});
    if !badges.is_empty() {
        view["badges"] = json!(badges);
    }
    view["sections"] = json!(sections);
    view
}

/// A heading and what stands below it; nothing if nothing does.
fn section(title: &str, icon: &str, cards: Vec<Option<Value>>) -> Option<Value> {
    let mut all = vec![json!({"type": "heading", "heading": title, "icon": icon})];
    all.extend(cards.into_iter().flatten());
    (all.len() > 1).then(|| json!({"type": "grid", "cards": all}))
}

fn rows(device: &Device, keys: &[&str]) -> Option<Value> {
    named(keys.iter().filter_map(|key| device.entity(key)).map(|e| (e, e.name.as_str())).collect())
}

fn named(shown: Vec<(&Entity, &str)>) -> Option<Value> {
    let rows: Vec<Value> = shown.into_iter().map(|(e, name)| json!({"entity": e.id, "name": name})).collect();
    (!rows.is_empty()).then(|| json!({"type": "entities", "show_header_toggle": false, "entities": rows}))
}

/// The whole width of a section.
fn wide(card: Option<Value>) -> Option<Value> {
    let mut card = card?;
    card["grid_options"] = json!({"columns": "full"});
    Some(card)
}

/// Half of it.
fn half(card: Option<Value>) -> Option<Value> {
    let mut card = card?;
    card["grid_options"] = json!({"columns": 6});
    Some(card)
}

/// A tile that presses a button, wherever it is touched.
fn press(button: Option<&Entity>, name: &str, color: &str) -> Option<Value> {
    let id = &button?.id;
    let action = json!({"action": "perform-action", "perform_action": "button.press", "target": {"entity_id": id}});
    wide(Some(json!({
        "type": "tile", "entity": id, "name": name, "color": color, "hide_state": true,
        "tap_action": action, "icon_tap_action": action,
    })))
}

fn gauge(e: &Entity, name: &str) -> Value {
    json!({"type": "gauge", "entity": e.id, "name": name, "min": 0, "max": 100, "grid_options": {"columns": "full"}})
}

fn badge(e: &Entity, name: &str) -> Value {
    json!({"type": "entity", "entity": e.id, "name": name, "show_name": true})
}
