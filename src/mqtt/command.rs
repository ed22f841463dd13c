//! Commands that arrive by MQTT.

use super::link::Message;
use super::topics::Topics;
use crate::check::Posture;
use crate::engine::{Command, Trigger};
use crate::units::AthleteId;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Longest command payload that is looked at.
pub const MAX_COMMAND: usize = 1024;

/// How many topics with something to complain about are remembered, so that each is named once.
const MAX_NAMED: usize = 64;

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
    #[error("the posture is none of supine, seated, standing")]
    Posture,
}

/// Reads a message as a command.
pub(super) fn parse(topics: &Topics, message: &Message) -> Result<Command, Ignored> {
    let athlete = topics.command_athlete(&message.topic).ok_or(Ignored::Topic)?;
    if message.retained {
        return Err(Ignored::Retained);
    }
    if message.payload.len() > MAX_COMMAND {
        return Err(Ignored::TooLong);
    }
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
            Ok(Command::StartCheck { athlete, posture, trigger: Trigger::Manual })
        }
        "cancel" => Ok(Command::CancelCheck { athlete }),
        _ => Err(Ignored::Payload),
    }
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

    fn read(topic: &str, payload: &[u8], retained: bool) -> Result<Command, Ignored> {
        parse(&topics(), &Message { topic: topic.into(), payload: payload.into(), retained })
    }

    const SET: &str = "hrvd/g/athlete/alex/check/set";

    #[test]
    fn the_forms_of_a_command() {
        let alex: AthleteId = "alex".parse().unwrap();
        let start = |posture| Command::StartCheck { athlete: alex.clone(), posture, trigger: Trigger::Manual };
        assert_eq!(read(SET, b"start", false), Ok(start(None)));
        assert_eq!(read(SET, b" start\n", false), Ok(start(None)));
        assert_eq!(read(SET, br#"{"action":"start"}"#, false), Ok(start(None)));
        assert_eq!(read(SET, br#"{"action":"start","posture":"seated"}"#, false), Ok(start(Some(Posture::Seated))));
        assert_eq!(read(SET, b"cancel", false), Ok(Command::CancelCheck { athlete: alex.clone() }));
        assert_eq!(read(SET, br#"{"action":"cancel"}"#, false), Ok(Command::CancelCheck { athlete: alex }));
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
        }
    }
}
