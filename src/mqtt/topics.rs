//! Every topic that we publish or listen to, in one place.

use super::config::MqttConfig;
use crate::units::{AthleteId, StrapId};

/// Availability payload: there.
pub const ONLINE: &str = "online";
/// Availability payload: not there.
pub const OFFLINE: &str = "offline";

/// Topic templates as `docs/mqtt.md` lists them, with retain flag and QoS; a test compares the two.
pub const TOPICS: &[(&str, Use)] = &[
    ("<base>/<gateway>/status", Use::State),
    ("<base>/<gateway>/bridge", Use::State),
    ("<base>/<gateway>/strap/<strap>/availability", Use::State),
    ("<base>/<gateway>/strap/<strap>/state", Use::State),
    ("<base>/<gateway>/strap/<strap>/release/set", Use::Command),
    ("<base>/<gateway>/athlete/<athlete>/live", Use::Live),
    ("<base>/<gateway>/athlete/<athlete>/check", Use::StateAndProgress),
    ("<base>/<gateway>/athlete/<athlete>/morning", Use::State),
    ("<base>/<gateway>/athlete/<athlete>/event/check", Use::Event),
    ("<base>/<gateway>/athlete/<athlete>/check/set", Use::Command),
    ("<base>/<gateway>/athlete/<athlete>/readiness", Use::State),
    ("<base>/<gateway>/athlete/<athlete>/event/readiness", Use::Event),
    ("<base>/<gateway>/athlete/<athlete>/inputs", Use::State),
    ("<base>/<gateway>/athlete/<athlete>/input/<input>/set", Use::Command),
    ("<base>/<gateway>/athlete/<athlete>/settings", Use::State),
    ("<base>/<gateway>/athlete/<athlete>/setting/<setting>/set", Use::Command),
    ("<base>/<gateway>/settings", Use::State),
    ("<base>/<gateway>/setting/<setting>/set", Use::Command),
    ("<discovery>/device/<object>/config", Use::State),
    ("<ha_status>", Use::Birth),
];

/// How a topic is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Retained, QoS 1.
    State,
    /// Not retained, QoS 0.
    Live,
    /// Retained at QoS 1 when the state changes, not retained at QoS 0 in between.
    StateAndProgress,
    /// Not retained, QoS 1.
    Event,
    /// We listen; QoS 1, retained ones are ignored.
    Command,
    /// We listen to Home Assistant's birth message.
    Birth,
}

/// In which order retained topics are said again: who needs to be known first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    GatewayDiscovery,
    StrapDiscovery,
    AthleteDiscovery,
    Availability,
    State,
}

impl Rank {
    /// Whether Home Assistant sets something up by it.
    pub(super) fn is_discovery(self) -> bool {
        self <= Self::AthleteDiscovery
    }
}

/// Whose a topic is; the text is whatever stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner<'t> {
    Athlete(&'t str),
    Strap(&'t str),
}

/// Builds topics for one gateway.
#[derive(Clone, Debug)]
pub struct Topics {
    root: String,
    discovery: String,
    gateway: String,
    ha_status: String,
}

impl Topics {
    /// For these settings.
    pub fn new(config: &MqttConfig) -> Self {
        Self {
            root: format!("{}/{}", config.base_topic, config.gateway_id),
            discovery: format!("{}/device/hrvd_{}", config.discovery_prefix, config.gateway_id),
            gateway: config.gateway_id.clone(),
            ha_status: config.ha_status_topic.clone(),
        }
    }
    /// The gateway's id.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }
    /// Whether the gateway is there; also the last will.
    pub fn status(&self) -> String {
        format!("{}/status", self.root)
    }
    /// State of the gateway.
    pub fn bridge(&self) -> String {
        format!("{}/bridge", self.root)
    }
    /// Whether heart rate arrives from a strap.
    pub fn strap_availability(&self, strap: StrapId) -> String {
        format!("{}/strap/{}/availability", self.root, strap.slug())
    }
    /// Slow facts of a strap.
    pub fn strap_state(&self, strap: StrapId) -> String {
        format!("{}/strap/{}/state", self.root, strap.slug())
    }
    /// Where a strap is let go and taken back.
    pub fn release_set(&self, strap: StrapId) -> String {
        format!("{}/strap/{}/release/set", self.root, strap.slug())
    }
    /// Live values of a person.
    pub fn live(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/live", self.root)
    }
    /// Phase and progress of a person's check.
    pub fn check(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/check", self.root)
    }
    /// The last valid morning result of a person.
    pub fn morning(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/morning", self.root)
    }
    /// Events of a person's check.
    pub fn check_event(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/event/check", self.root)
    }
    /// Where a person's check is started and cancelled.
    pub fn check_set(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/check/set", self.root)
    }
    /// The verdict of a person's day.
    pub fn readiness(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/readiness", self.root)
    }
    /// What happened to it.
    pub fn readiness_event(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/event/readiness", self.root)
    }
    /// What a person has said about the day.
    pub fn inputs(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/inputs", self.root)
    }
    /// Where one of these is said.
    pub fn input_set(&self, athlete: &AthleteId, what: &str) -> String {
        format!("{}/athlete/{athlete}/input/{what}/set", self.root)
    }
    /// What may be changed of a person while the daemon runs, and what it is.
    pub fn personal_settings(&self, athlete: &AthleteId) -> String {
        format!("{}/athlete/{athlete}/settings", self.root)
    }
    /// The same of the gateway.
    pub fn gateway_settings(&self) -> String {
        format!("{}/settings", self.root)
    }
    /// Where one of a person's, or of the gateway's own, is set.
    pub fn setting_set(&self, athlete: Option<&AthleteId>, what: &str) -> String {
        match athlete {
            Some(athlete) => format!("{}/athlete/{athlete}/setting/{what}/set", self.root),
            None => format!("{}/setting/{what}/set", self.root),
        }
    }
    /// Discovery of the gateway.
    pub fn gateway_discovery(&self) -> String {
        format!("{}/config", self.discovery)
    }
    /// Discovery of a strap.
    pub fn strap_discovery(&self, strap: StrapId) -> String {
        format!("{}_strap_{}/config", self.discovery, strap.slug())
    }
    /// Discovery of an athlete.
    pub fn athlete_discovery(&self, athlete: &AthleteId) -> String {
        format!("{}_athlete_{athlete}/config", self.discovery)
    }
    /// Home Assistant's birth and will.
    pub fn ha_status(&self) -> &str {
        &self.ha_status
    }
    /// What all topics of this gateway but discovery begin with.
    pub(super) fn root(&self) -> &str {
        &self.root
    }
    /// What the broker may still keep of straps and athletes that are gone; looked at once after each connection.
    pub(super) fn strays(&self) -> Vec<String> {
        vec![format!("{}/strap/+/availability", self.root), format!("{}/athlete/+/check", self.root)]
    }
    /// All topics of the strap or athlete that one of them belongs to.
    pub(super) fn siblings(&self, topic: &str) -> Vec<String> {
        let mut levels = topic.strip_prefix(self.root.as_str()).unwrap_or_default().split('/').skip(1);
        match (levels.next(), levels.next()) {
            (Some("strap"), Some(slug)) => slug.parse().map_or_else(|_| Vec::new(), |id| self.all_of_strap(id)),
            (Some("athlete"), Some(slug)) => slug.parse().map_or_else(|_| Vec::new(), |id| self.all_of_athlete(&id)),
            _ => Vec::new(),
        }
    }
    /// Whose a topic of ours is, and what of theirs it tells (`morning`, `event/check`); discovery and the gateway's own
    /// topics are nobody's. Asked here, because a short name may be `event` or `check` as well.
    pub(super) fn owner<'t>(&self, topic: &'t str) -> Option<(Owner<'t>, &'t str)> {
        let mut levels = topic.strip_prefix(self.root.as_str())?.splitn(4, '/').skip(1);
        let owner = match (levels.next()?, levels.next()?) {
            ("athlete", slug) => Owner::Athlete(slug),
            ("strap", slug) => Owner::Strap(slug),
            _ => return None,
        };
        Some((owner, levels.next().unwrap_or_default()))
    }
    /// Everything we listen to as long as we are connected.
    pub fn subscriptions(&self) -> Vec<String> {
        vec![
            format!("{}/athlete/+/check/set", self.root),
            format!("{}/strap/+/release/set", self.root),
            format!("{}/athlete/+/setting/+/set", self.root),
            format!("{}/athlete/+/input/+/set", self.root),
            format!("{}/setting/+/set", self.root),
            self.status(),
            self.ha_status.clone(),
        ]
    }
    /// Whose check a command topic means; the text is whatever stands there.
    pub(super) fn command_athlete<'t>(&self, topic: &'t str) -> Option<&'t str> {
        topic.strip_prefix(self.root.as_str())?.strip_prefix("/athlete/")?.strip_suffix("/check/set")
    }
    /// Which strap a command topic means; the text is whatever stands there.
    pub(super) fn command_strap<'t>(&self, topic: &'t str) -> Option<&'t str> {
        topic.strip_prefix(self.root.as_str())?.strip_prefix("/strap/")?.strip_suffix("/release/set")
    }
    /// Whose setting a command topic means (nobody's: the gateway's), and which; the texts are whatever stands there.
    pub(super) fn command_setting<'t>(&self, topic: &'t str) -> Option<(Option<&'t str>, &'t str)> {
        let rest = topic.strip_prefix(self.root.as_str())?.strip_suffix("/set")?;
        if let Some(name) = rest.strip_prefix("/setting/") {
            return Some((None, name));
        }
        let (athlete, name) = rest.strip_prefix("/athlete/")?.split_once("/setting/")?;
        Some((Some(athlete), name))
    }
    /// Whose input a command topic means, and which; the texts are whatever stands there.
    pub(super) fn command_input<'t>(&self, topic: &'t str) -> Option<(&'t str, &'t str)> {
        let rest = topic.strip_prefix(self.root.as_str())?.strip_prefix("/athlete/")?.strip_suffix("/set")?;
        rest.split_once("/input/").filter(|(athlete, what)| !athlete.contains('/') && !what.contains('/'))
    }
    /// Whether a topic is one of those that we take commands from.
    pub(super) fn is_command(&self, topic: &str) -> bool {
        self.command_athlete(topic).is_some()
            || self.command_strap(topic).is_some()
            || self.command_setting(topic).is_some()
            || self.command_input(topic).is_some()
    }
    /// Retained topics of a strap; an empty retained payload on each removes it from broker and Home Assistant.
    pub fn all_of_strap(&self, strap: StrapId) -> Vec<String> {
        vec![self.strap_discovery(strap), self.strap_availability(strap), self.strap_state(strap)]
    }
    /// Retained topics of an athlete.
    pub fn all_of_athlete(&self, athlete: &AthleteId) -> Vec<String> {
        vec![
            self.athlete_discovery(athlete),
            self.check(athlete),
            self.morning(athlete),
            self.readiness(athlete),
            self.inputs(athlete),
            self.personal_settings(athlete),
        ]
    }
    pub(super) fn rank(&self, topic: &str) -> Rank {
        match topic.strip_prefix(self.discovery.as_str()) {
            Some("/config") => Rank::GatewayDiscovery,
            Some(rest) if rest.starts_with("_strap_") => Rank::StrapDiscovery,
            Some(_) => Rank::AthleteDiscovery,
            None if topic.ends_with("/availability") => Rank::Availability,
            None => Rank::State,
        }
    }
}
