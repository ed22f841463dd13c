//! Devices and entities as Home Assistant will know them.

use crate::engine::Roster;
use crate::mqtt::{Language, RenderOptions, Renderer, Topics};
use crate::units::AthleteId;
use serde_json::Value;

/// One gateway with its people and their straps.
#[derive(Clone, Debug)]
pub struct Home {
    /// Of names and of the dashboard's own words.
    pub language: Language,
    /// The gateway.
    pub gateway: Device,
    /// People in the order of the roster.
    pub people: Vec<Person>,
}

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    /// Short name.
    pub id: AthleteId,
    /// The person's own device.
    pub device: Device,
    /// The person's straps.
    pub straps: Vec<Device>,
}

/// A device of Home Assistant's.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Name to show.
    pub name: String,
    /// Topic of its discovery message.
    pub topic: String,
    /// The discovery message.
    pub payload: Value,
    /// Its entities in the order of the table.
    pub entities: Vec<Entity>,
}

/// An entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Key in the table of entities.
    pub key: String,
    /// Entity id.
    pub id: String,
    /// Name without its device's.
    pub name: String,
    /// Whether it is there without being asked for.
    pub enabled: bool,
    /// Whether it is a live value.
    pub live: bool,
}

impl Home {
    /// What the daemon announces for these people, and nothing else.
    pub fn new(topics: &Topics, options: RenderOptions, roster: &Roster) -> Self {
        let language = options.language;
        let messages = Renderer::new(topics.clone(), options).roster(roster);
        let device = |topic: String| {
            let found = messages.iter().map(|m| &m.publication).find(|p| p.topic == topic);
            Device::read(topic, found.map_or(&[], |p| &p.payload))
        };
        let people = roster.athletes.iter().map(|a| Person {
            id: a.id.clone(),
            device: device(topics.athlete_discovery(&a.id)),
            straps: roster
                .straps
                .iter()
                .filter(|s| s.athlete == a.id)
                .map(|s| device(topics.strap_discovery(s.id)))
                .collect(),
        });
        Self { language, gateway: device(topics.gateway_discovery()), people: people.collect() }
    }

    /// Every device, in the order of announcement.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        let straps = self.people.iter().flat_map(|p| &p.straps);
        std::iter::once(&self.gateway).chain(straps).chain(self.people.iter().map(|p| &p.device))
    }
}

impl Device {
    fn read(topic: String, payload: &[u8]) -> Self {
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let entities = payload["cmps"].as_object().into_iter().flatten().filter(|(_, c)| c["def_ent_id"].is_string());
        let entities = entities.map(|(key, c)| Entity {
            key: key.clone(),
            id: text(&c["def_ent_id"]),
            name: text(&c["name"]),
            enabled: c["en"] != false,
            live: c.get("exp_aft").is_some(),
        });
        Self { name: text(&payload["dev"]["name"]), topic, entities: entities.collect(), payload }
    }

    /// The entity of this key, if it is announced and there without being asked for.
    pub fn entity(&self, key: &str) -> Option<&Entity> {
        self.entities.iter().find(|e| e.key == key && e.enabled)
    }
}
