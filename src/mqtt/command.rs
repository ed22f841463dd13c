//! Commands that arrive by MQTT.

use super::link::Message;
use super::topics::Topics;
use crate::check::Posture;
use crate::engine::{Command, Trigger};
use crate::preference::{self, Choice, Preference};
use crate::release::{self, Ask};
use crate::units::{AthleteId, StrapId};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Longest command payload that is looked at.
pub const MAX_COMMAND: usize = 1024;

/// How many topics with something to complain about are remembered, so that each is named once.
const MAX_NAMED: usize = 64;

/// What somebody asks for by MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Something for the engine.
    Engine(Command),
    /// A strap shall be let go, or taken back.
    Release(StrapId, Ask),
    /// A person says something: what, and the payload as it came.
    Input(AthleteId, String, String),
    /// Something shall be set, of a person or of the gateway.
    Prefer(Option<AthleteId>, Wish),
}

/// For the journal, which many can read and from which nothing is deleted: who and what, never what was said.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(command) => write!(f, "{command:?}"),
            Self::Release(strap, _) => write!(f, "release of strap {strap}"),
            Self::Input(athlete, what, _) => write!(f, "{what} of {athlete}"),
            Self::Prefer(Some(athlete), wish) => write!(f, "{wish} of {athlete}"),
            Self::Prefer(None, wish) => write!(f, "{wish}"),
        }
    }
}

/// What is wished of a preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It shall be this.
    Set(Preference, Choice),
    /// What the configuration says shall hold again.
    Default(Preference),
    /// The same of everything that was set.
    Defaults,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(what, _) | Self::Default(what) => write!(f, "{what}"),
            Self::Defaults => f.write_str("all settings"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    action: &'a str,
    #[serde(default)]
    posture: Option<&'a str>,
}

/// Why a message is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum Ignored {
    #[error("this topic is no command")]
    Topic,
    #[error("a retained command is ignored: it would be repeated at each connection; publish it without retain")]
    Retained,
    #[error("the payload is longer than {MAX_COMMAND} bytes")]
    TooLong,
    #[error("no athlete has such a short name")]
    Athlete,
    #[error("the payload is neither start, cancel nor {{\"action\":\"start\",\"posture\":\"seated\"}}")]
    Payload,
    #[error("the payload is no text")]
    Text,
    #[error("no strap has such an address")]
    Strap,
    #[error("the payload is neither on, off nor a number of minutes from 1 to 1440")]
    Release,
    #[error("the posture is none of supine, seated, standing")]
    Posture,
    #[error("there is no such setting here")]
    Setting,
    #[error("all settings at once can only be set to default")]
    Defaults,
    #[error("{} is {} or default", .0, .0.takes())]
    Choice(Preference),
}

/// Reads a message as a command.
pub(super) fn parse(topics: &Topics, message: &Message) -> Result<Order, Ignored> {
    if !topics.is_command(&message.topic) {
        return Err(Ignored::Topic);
    }
    if message.retained {
        return Err(Ignored::Retained);
    }
    if message.payload.len() > MAX_COMMAND {
        return Err(Ignored::TooLong);
    }
    if let Some(strap) = topics.command_strap(&message.topic) {
        return release(strap, &message.payload);
    }
    if let Some((athlete, what)) = topics.command_input(&message.topic) {
        let athlete: AthleteId = athlete.parse().map_err(|_| Ignored::Athlete)?;
        let text = std::str::from_utf8(&message.payload).map_err(|_| Ignored::Text)?;
        return Ok(Order::Input(athlete, what.to_owned(), text.to_owned()));
    }
    if let Some((athlete, name)) = topics.command_setting(&message.topic) {
        return prefer(athlete, name, &message.payload);
    }
    let athlete = topics.command_athlete(&message.topic).ok_or(Ignored::Topic)?;
    let athlete: AthleteId = athlete.parse().map_err(|_| Ignored::Athlete)?;
    let text = std::str::from_utf8(&message.payload).map_err(|_| Ignored::Payload)?.trim();
    let request = if text.starts_with('{') {
        serde_json::from_str(text).map_err(|_| Ignored::Payload)?
    } else {
        Request { action: text, posture: None }
    };
    match request.action {
        "start" => {
            let posture: Option<Posture> = request.posture.map(str::parse).transpose().map_err(|_| Ignored::Posture)?;
            Ok(Order::Engine(Command::StartCheck { athlete, posture, trigger: Trigger::Manual }))
        }
        "cancel" => Ok(Order::Engine(Command::CancelCheck { athlete })),
        _ => Err(Ignored::Payload),
    }
}

/// The name that means all of them.
const ALL: &str = "all";

fn prefer(athlete: Option<&str>, name: &str, payload: &[u8]) -> Result<Order, Ignored> {
    let athlete: Option<AthleteId> = athlete.map(str::parse).transpose().map_err(|_| Ignored::Athlete)?;
    let text = std::str::from_utf8(payload).unwrap_or_default().trim();
    if name == ALL {
        return match text {
            preference::DEFAULT => Ok(Order::Prefer(athlete, Wish::Defaults)),
            _ => Err(Ignored::Defaults),
        };
    }
    let what: Preference = name.parse().map_err(|_| Ignored::Setting)?;
    if what.is_personal() != athlete.is_some() {
        return Err(Ignored::Setting);
    }
    let wish = match (text, what.read(text)) {
        (preference::DEFAULT, _) => Wish::Default(what),
        (_, Some(choice)) => Wish::Set(what, choice),
        (_, None) => return Err(Ignored::Choice(what)),
    };
    Ok(Order::Prefer(athlete, wish))
}

fn release(strap: &str, payload: &[u8]) -> Result<Order, Ignored> {
    let strap: StrapId = strap.parse().map_err(|_| Ignored::Strap)?;
    let text = std::str::from_utf8(payload).map_err(|_| Ignored::Release)?.trim();
    let ask = match text {
        "on" => Ask::Release(release::USUAL),
        "off" => Ask::End,
        minutes => match minutes.parse::<u64>().map(|m| Duration::from_secs(m.saturating_mul(60))) {
            Ok(length) if !length.is_zero() && length <= release::LONGEST => Ask::Release(length),
            _ => return Err(Ignored::Release),
        },
    };
    Ok(Order::Release(strap, ask))
}

/// Names what is ignored once a topic and reason.
#[derive(Debug, Default)]
pub(super) struct Complaints(BTreeSet<(String, Ignored)>);

impl Complaints {
    pub(super) fn is_new(&mut self, topic: &str, why: Ignored) -> bool {
        self.0.len() < MAX_NAMED && self.0.insert((topic.to_owned(), why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::MqttConfig;
    use proptest::prelude::*;

    fn topics() -> Topics {
        Topics::new(&MqttConfig { gateway_id: "g".into(), ..MqttConfig::default() })
    }

    fn read(topic: &str, payload: &[u8], retained: bool) -> Result<Order, Ignored> {
        parse(&topics(), &Message { topic: topic.into(), payload: payload.into(), retained })
    }

    const SET: &str = "hrvd/g/athlete/alex/check/set";
    const FREE: &str = "hrvd/g/strap/a09e1a9f6e53/release/set";

    #[test]
    fn the_forms_of_a_command() {
        let alex: AthleteId = "alex".parse().unwrap();
        let start =
            |posture| Order::Engine(Command::StartCheck { athlete: alex.clone(), posture, trigger: Trigger::Manual });
        let cancel = || Order::Engine(Command::CancelCheck { athlete: alex.clone() });
        assert_eq!(read(SET, b"start", false), Ok(start(None)));
        assert_eq!(read(SET, b" start\n", false), Ok(start(None)));
        assert_eq!(read(SET, br#"{"action":"start"}"#, false), Ok(start(None)));
        assert_eq!(read(SET, br#"{"action":"start","posture":"seated"}"#, false), Ok(start(Some(Posture::Seated))));
        assert_eq!(read(SET, b"cancel", false), Ok(cancel()));
        assert_eq!(read(SET, br#"{"action":"cancel"}"#, false), Ok(cancel()));
    }

    #[test]
    fn the_journal_hears_who_and_what_but_not_what_was_said() {
        let told = |topic: &str, payload: &[u8]| {
            read(&format!("hrvd/g/{topic}"), payload, false).map(|order| order.to_string())
        };
        assert_eq!(told("athlete/alex/input/tag/set", b"alcohol"), Ok("tag of alex".into()));
        assert_eq!(told("athlete/alex/setting/rest_hr/set", b"48"), Ok("rest_hr of alex".into()));
        assert_eq!(told("setting/log_level/set", b"debug"), Ok("log_level".into()));
    }

    #[test]
    fn a_strap_is_let_go_and_taken_back() {
        let strap: StrapId = "A0:9E:1A:9F:6E:53".parse().unwrap();
        let mins = |m: u64| Ask::Release(Duration::from_secs(m * 60));
        for (payload, ask) in [("on", mins(60)), ("off", Ask::End), (" 90\n", mins(90)), ("1440", mins(1440))] {
            assert_eq!(read(FREE, payload.as_bytes(), false), Ok(Order::Release(strap, ask)), "{payload}");
        }
        for payload in ["", "ON", "0", "1441", "-5", "1.5", "18446744073709551615", "start"] {
            assert_eq!(read(FREE, payload.as_bytes(), false), Err(Ignored::Release), "{payload}");
        }
        assert_eq!(read(FREE, b"on", true), Err(Ignored::Retained));
        assert_eq!(read("hrvd/g/strap/h10/release/set", b"on", false), Err(Ignored::Strap));
        assert_eq!(read("hrvd/g/strap/a09e1a9f6e53/release", b"on", false), Err(Ignored::Topic));
    }

    #[test]
    fn a_setting_is_set_and_taken_back() {
        let alex: Option<AthleteId> = Some("alex".parse().unwrap());
        let set = |what: Preference, text: &str| Wish::Set(what, what.read(text).unwrap());
        let mine = |name: &str, payload: &str| {
            read(&format!("hrvd/g/athlete/alex/setting/{name}/set"), payload.as_bytes(), false)
        };
        let gateways =
            |name: &str, payload: &str| read(&format!("hrvd/g/setting/{name}/set"), payload.as_bytes(), false);
        let order = |wish| Ok(Order::Prefer(alex.clone(), wish));
        assert_eq!(mine("max_hr", " 191\n"), order(set(Preference::MaxHr, "191")));
        assert_eq!(mine("wake_start", "05:00"), order(set(Preference::WakeStart, "05:00")));
        assert_eq!(mine("wake_start", "default"), order(Wish::Default(Preference::WakeStart)));
        assert_eq!(mine("all", "default"), order(Wish::Defaults));
        assert_eq!(gateways("log_level", "debug"), Ok(Order::Prefer(None, set(Preference::LogLevel, "debug"))));
        for (name, payload, why) in [
            ("max_hr", "300", Ignored::Choice(Preference::MaxHr)),
            ("max_hr", "", Ignored::Choice(Preference::MaxHr)),
            ("auto_start", "yes", Ignored::Choice(Preference::AutoStart)),
            ("all", "off", Ignored::Defaults),
            ("log_level", "debug", Ignored::Setting),
            ("shoe_size", "44", Ignored::Setting),
        ] {
            assert_eq!(mine(name, payload), Err(why), "{name} {payload}");
        }
        assert_eq!(gateways("max_hr", "190"), Err(Ignored::Setting));
        assert_eq!(read("hrvd/g/setting/log_level/set", b"debug", true), Err(Ignored::Retained));
        assert_eq!(
            Ignored::Choice(Preference::MaxHr).to_string(),
            "max_hr is a whole number of beats a minute from 120 to 230 or default"
        );
    }

    #[test]
    fn an_input_is_handed_on_as_it_came() {
        let topic = "hrvd/g/athlete/alex/input/feel/set";
        let order = Order::Input("alex".parse().unwrap(), "feel".into(), " good".into());
        assert_eq!(read(topic, b" good", false), Ok(order));
        assert_eq!(read(topic, b"good", true), Err(Ignored::Retained));
        assert_eq!(read(topic, b"\xff", false), Err(Ignored::Text));
        assert_eq!(read("hrvd/g/athlete/Al ex/input/feel/set", b"good", false), Err(Ignored::Athlete));
        assert_eq!(read("hrvd/g/athlete/alex/input/a/b/set", b"good", false), Err(Ignored::Topic));
    }

    #[test]
    fn what_is_ignored_and_why() {
        assert_eq!(read(SET, b"start", true), Err(Ignored::Retained));
        assert_eq!(read(SET, b"", false), Err(Ignored::Payload));
        assert_eq!(read(SET, b"START", false), Err(Ignored::Payload));
        assert_eq!(read(SET, b"\xff\xfe", false), Err(Ignored::Payload));
        assert_eq!(read(SET, br#"{"action":"start","postur":"seated"}"#, false), Err(Ignored::Payload));
        assert_eq!(read(SET, br#"{"action":"start","posture":"lying"}"#, false), Err(Ignored::Posture));
        assert_eq!(read(SET, &[b' '; MAX_COMMAND + 1], false), Err(Ignored::TooLong));
        assert_eq!(read("hrvd/g/athlete/Al ex/check/set", b"start", false), Err(Ignored::Athlete));
        assert_eq!(read("hrvd/g/athlete/a/b/check/set", b"start", false), Err(Ignored::Athlete));
        for topic in ["", "hrvd/g2/athlete/alex/check/set", "hrvd/g/athlete/alex/check", "hrvd/g/athlete/check/set"] {
            assert_eq!(read(topic, b"start", false), Err(Ignored::Topic), "{topic}");
        }
    }

    #[test]
    fn each_complaint_is_made_once_and_memory_is_bounded() {
        let mut c = Complaints::default();
        assert!(c.is_new(SET, Ignored::Payload));
        assert!(!c.is_new(SET, Ignored::Payload));
        assert!(c.is_new(SET, Ignored::Retained));
        for i in 0..1000 {
            c.is_new(&i.to_string(), Ignored::Payload);
        }
        assert_eq!(c.0.len(), MAX_NAMED);
    }

    proptest! {
        #[test]
        fn nothing_panics(topic in ".{0,60}", payload in proptest::collection::vec(any::<u8>(), 0..80), r in any::<bool>()) {
            let _ = read(&topic, &payload, r);
            let _ = read(SET, &payload, r);
            let _ = read(FREE, &payload, r);
        }
    }
}
