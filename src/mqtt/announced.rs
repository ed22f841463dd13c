//! What Home Assistant was told to set up, by this run or one before it. What is no longer announced is a ghost, until
//! Home Assistant has surely taken it away: it keeps what a later message leaves out, and what is taken away while it is
//! not there it keeps too.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A device's components by key.
type Components = Map<String, Value>;

/// One device as it was announced.
#[derive(Clone, Debug, Default, PartialEq)]
struct Device {
    /// Everything but the components.
    head: Map<String, Value>,
    /// Ghosts included.
    components: Components,
}

impl Device {
    /// Nothing if it is no device announcement.
    fn parse(payload: &[u8]) -> Option<Self> {
        let Ok(Value::Object(mut head)) = serde_json::from_slice(payload) else { return None };
        match head.remove("cmps") {
            Some(Value::Object(components)) if head.get("dev").is_some_and(Value::is_object) => {
                Some(Self { head, components: components.into_iter().filter(|(_, c)| is_whole(c)).collect() })
            }
            _ => None,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut whole = self.head.clone();
        whole.insert("cmps".into(), Value::Object(self.components.clone()));
        serde_json::to_vec(&whole).unwrap_or_default()
    }
}

/// Whether it sets something up; the platform alone takes it away.
fn is_whole(component: &Value) -> bool {
    component["p"].is_string() && component.as_object().is_some_and(|c| c.len() > 1)
}

/// What has to be written down at a topic: a device, or nothing any more.
pub(super) type Row = (String, Option<Vec<u8>>);

/// Everything that was announced, by topic.
#[derive(Debug, Default)]
pub(super) struct Announced {
    devices: BTreeMap<String, Device>,
}

impl Announced {
    /// From an earlier run, or as the broker kept it; says what has to be written down, if it is news.
    pub(super) fn learn(&mut self, topic: &str, payload: &[u8]) -> Option<Row> {
        let told = Device::parse(payload)?;
        let device =
            self.devices.entry(topic.to_owned()).or_insert_with(|| Device { head: told.head, ..Device::default() });
        let before = device.components.len();
        for (key, component) in told.components {
            device.components.entry(key).or_insert(component);
        }
        (device.components.len() > before).then(|| self.row(topic))
    }

    /// Whether something was announced at a topic.
    pub(super) fn knows(&self, topic: &str) -> bool {
        self.devices.contains_key(topic)
    }

    /// Where something was announced.
    pub(super) fn topics(&self) -> impl Iterator<Item = &String> {
        self.devices.keys()
    }

    /// Nothing is known of this topic any more, and nothing of it will be said.
    pub(super) fn forget(&mut self, topic: &str) {
        self.devices.remove(topic);
    }

    /// What is announced now, with the ghosts in the form that takes them away.
    pub(super) fn complete(&self, topic: &str, payload: Vec<u8>) -> Vec<u8> {
        let ghosts = self.ghosts_in(topic, &payload);
        if ghosts.is_empty() {
            return payload;
        }
        match serde_json::from_slice::<Value>(&payload) {
            Ok(mut now) if now["cmps"].is_object() => {
                for (key, ghost) in ghosts {
                    if now["cmps"].get(&key).is_none() {
                        now["cmps"][key] = json!({"p": ghost["p"]});
                    }
                }
                serde_json::to_vec(&now).unwrap_or(payload)
            }
            _ => payload,
        }
    }

    /// The ghosts alone as they were, so that a Home Assistant that began without them knows what is taken away next.
    pub(super) fn ghosts(&self, topic: &str, payload: &[u8]) -> Option<Vec<u8>> {
        let (ghosts, device) = (self.ghosts_in(topic, payload), self.devices.get(topic)?);
        let mut device = Device { head: device.head.clone(), components: ghosts };
        if payload.is_empty() {
            // of who is gone no more is said than which device it was
            device.head.insert("dev".into(), json!({"ids": device.head["dev"]["ids"]}));
        }
        (!device.components.is_empty()).then(|| device.bytes())
    }

    /// The broker has what is announced at a topic now.
    pub(super) fn said(&mut self, topic: &str, payload: &[u8]) -> Option<Row> {
        let before = self.devices.get(topic).cloned();
        if let Some(now) = Device::parse(payload) {
            let device = self.devices.entry(topic.to_owned()).or_default();
            device.head = now.head;
            device.components.extend(now.components);
        }
        (self.devices.get(topic) != before.as_ref()).then(|| self.row(topic))
    }

    /// Home Assistant took away what is not announced at a topic.
    pub(super) fn laid(&mut self, topic: &str, payload: &[u8]) -> Option<Row> {
        let before = self.devices.remove(topic)?;
        if let Some(now) = Device::parse(payload) {
            self.devices.insert(topic.to_owned(), now);
        }
        (self.devices.get(topic) != Some(&before)).then(|| self.row(topic))
    }

    fn ghosts_in(&self, topic: &str, payload: &[u8]) -> Components {
        let Some(device) = self.devices.get(topic) else { return Components::new() };
        let now = Device::parse(payload).unwrap_or_default();
        let gone = device.components.iter().filter(|(key, _)| !now.components.contains_key(*key));
        gone.map(|(key, c)| (key.clone(), c.clone())).collect()
    }

    fn row(&self, topic: &str) -> Row {
        (topic.to_owned(), self.devices.get(topic).map(Device::bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "homeassistant/device/hrvd_g/config";

    fn device(keys: &[&str], name: &str) -> Vec<u8> {
        let cmps: Components =
            keys.iter().map(|k| ((*k).to_owned(), json!({"p": "sensor", "uniq_id": k, "stat_t": "t"}))).collect();
        json!({"dev": {"ids": ["g"], "name": name}, "o": {"name": "hrvd"}, "cmps": cmps}).to_string().into_bytes()
    }

    fn keys(payload: &[u8]) -> Vec<(String, bool)> {
        let v: Value = serde_json::from_slice(payload).unwrap();
        let cmps = v["cmps"].as_object().unwrap().iter().map(|(k, c)| (k.clone(), is_whole(c)));
        cmps.collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    fn pair(key: &str, whole: bool) -> (String, bool) {
        (key.to_owned(), whole)
    }

    #[test]
    fn a_dropped_component_is_taken_away_until_it_is_gone_for_sure() {
        let mut a = Announced::default();
        assert!(a.learn(TOPIC, &device(&["a", "old"], "before")).is_some());
        let now = device(&["a", "b"], "now");
        let completed = a.complete(TOPIC, now.clone());
        assert_eq!(keys(&completed), [pair("a", true), pair("b", true), pair("old", false)]);
        assert_eq!(serde_json::from_slice::<Value>(&completed).unwrap()["cmps"]["old"], json!({"p": "sensor"}));
        // what was said is written down, and the ghost stays in it
        let (topic, row) = a.said(TOPIC, &now).unwrap();
        assert_eq!(
            (topic.as_str(), keys(&row.unwrap())),
            (TOPIC, vec![pair("a", true), pair("b", true), pair("old", true)])
        );
        assert_eq!(a.said(TOPIC, &now), None, "the same again is no news");
        // for a Home Assistant that began without it: the ghost alone, as it was, on the device as it is
        let ghosts = a.ghosts(TOPIC, &now).unwrap();
        assert_eq!(keys(&ghosts), [pair("old", true)]);
        assert_eq!(serde_json::from_slice::<Value>(&ghosts).unwrap()["dev"]["name"], "now");
        let (_, row) = a.laid(TOPIC, &now).unwrap();
        assert_eq!(keys(&row.unwrap()), [pair("a", true), pair("b", true)]);
        assert_eq!(a.complete(TOPIC, now.clone()), now);
        assert_eq!((a.ghosts(TOPIC, &now), a.laid(TOPIC, &now)), (None, None));
    }

    #[test]
    fn a_device_that_is_no_longer_announced_is_a_ghost_as_a_whole() {
        let mut a = Announced::default();
        a.learn(TOPIC, &device(&["a", "b"], "kim"));
        assert_eq!(a.complete(TOPIC, vec![]), b"");
        assert_eq!(a.said(TOPIC, b""), None);
        let ghosts = a.ghosts(TOPIC, b"").unwrap();
        assert_eq!(keys(&ghosts), [pair("a", true), pair("b", true)]);
        assert_eq!(serde_json::from_slice::<Value>(&ghosts).unwrap()["dev"], json!({"ids": ["g"]}), "no name");
        assert_eq!(a.laid(TOPIC, b""), Some((TOPIC.to_owned(), None)));
        assert_eq!(a.topics().count(), 0);
    }

    #[test]
    fn what_is_withheld_is_a_ghost_too_and_comes_back() {
        let mut a = Announced::default();
        a.said(TOPIC, &device(&["a", "b"], "alex"));
        let mut words: Value = serde_json::from_slice(&device(&["a"], "alex")).unwrap();
        words["cmps"]["b"] = json!({"p": "sensor"});
        let words = serde_json::to_vec(&words).unwrap();
        assert_eq!(a.complete(TOPIC, words.clone()), words, "it says so already");
        assert_eq!(keys(&a.ghosts(TOPIC, &words).unwrap()), [pair("b", true)]);
        assert_eq!(a.ghosts(TOPIC, &device(&["a", "b"], "alex")), None);
    }

    #[test]
    fn what_the_broker_kept_changes_nothing_that_is_known_and_nonsense_is_nothing() {
        let mut a = Announced::default();
        a.learn(TOPIC, &device(&["a"], "known"));
        assert_eq!(a.learn(TOPIC, &device(&["a"], "other")), None);
        for nonsense in
            ["", "state of x", "[]", "{}", r#"{"cmps":{}}"#, r#"{"dev":{},"cmps":[1]}"#, r#"{"dev":1,"cmps":{}}"#]
        {
            assert_eq!(a.learn("x/y", nonsense.as_bytes()), None, "{nonsense}");
            assert_eq!(a.complete("x/y", nonsense.into()), nonsense.as_bytes());
        }
        assert_eq!(a.learn("x/y", br#"{"dev":{},"cmps":{"a":{"p":"sensor"},"b":7,"c":{"q":1,"r":2}}}"#), None);
        a.forget(TOPIC);
        assert_eq!(a.ghosts(TOPIC, b""), None);
    }
}
