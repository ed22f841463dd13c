//! The kinds of value a configuration holds. Each is checked where it is read, so an error points at the value.

use crate::check::Posture;
use crate::load::PlanKind;
use crate::mqtt::Publish;
use crate::preference::LogLevel;
use crate::units::{AthleteId, StrapId};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, fmt::strtime};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// A value that is written as text. `Err` is a message, with a hint after [`HINT`] if there is one.
pub(super) trait Text: Sized + fmt::Display {
    /// What is expected, for "expected …, found …".
    const WHAT: &'static str;
    fn parse(text: &str) -> Result<Self, String>;
    /// Advice for somebody who wrote a bare number.
    fn number_hint(n: i64) -> String {
        format!("put it in quotes: \"{n}\"")
    }
}

/// Divides a message from its hint, because serde errors carry one text only.
pub(super) const HINT: &str = "\nhint: ";

/// A checked text value in a raw section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: Text> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextVisitor<T>(PhantomData<T>);
        impl<T: Text> Visitor<'_> for TextVisitor<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::WHAT)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
                T::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<T, E> {
                Err(E::custom(format!("expected {}, found the number {n}{HINT}{}", T::WHAT, T::number_hint(n))))
            }
        }
        // `deserialize_any`, because `deserialize_str` makes config-rs turn numbers into text.
        from.deserialize_any(TextVisitor(PhantomData)).map(Parsed)
    }
}

impl<T: Text> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// A duration between `MIN` and `MAX` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period<const MIN: u64, const MAX: u64>(pub(super) Duration);

impl<const MIN: u64, const MAX: u64> Text for Period<MIN, MAX> {
    const WHAT: &'static str = "a duration such as \"30s\" or \"5m\"";
    fn parse(text: &str) -> Result<Self, String> {
        if text.parse::<f64>().is_ok() {
            return Err(format!("the duration {text:?} has no unit{HINT}write \"{text}s\" for seconds"));
        }
        let duration = SignedDuration::from_str(text).ok().and_then(|d| Duration::try_from(d).ok());
        let Some(duration) = duration else {
            return Err(format!(
                "{text:?} is not a duration{HINT}write a number and a unit, such as \"500ms\", \"30s\", \"5m\", \"1m30s\""
            ));
        };
        let (min, max) = (Duration::from_secs(MIN), Duration::from_secs(MAX));
        if duration < min || duration > max {
            return Err(format!("{text} is out of range: {} to {}", show_duration(min), show_duration(max)));
        }
        Ok(Self(duration))
    }
    fn number_hint(n: i64) -> String {
        format!("write \"{n}s\" for seconds")
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for Period<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_duration(self.0))
    }
}

/// A duration as a person would write it into the file.
pub(super) fn show_duration(d: Duration) -> String {
    match (d.as_millis() % 1000, d.as_secs()) {
        (0, s) if s >= 300 && s % 60 == 0 => format!("{}m", s / 60),
        (0, s) => format!("{s}s"),
        _ => format!("{}ms", d.as_millis()),
    }
}

/// A text that was checked and is kept as written.
macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) struct $name(pub(super) String);
        impl Text for $name {
            const WHAT: &'static str = $what;
            fn parse(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

/// How long something is kept: so many days, or `None` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep(pub(super) Option<u32>);

impl Text for Keep {
    const WHAT: &'static str = "a number of days such as \"365d\", or \"forever\"";
    fn parse(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self(None));
        }
        match text.strip_suffix('d').and_then(|n| n.parse::<u32>().ok()) {
            Some(days) if (7..=36_500).contains(&days) => Ok(Self(Some(days))),
            Some(_) => Err(format!("{text} is out of range: 7d to 36500d, or \"forever\"")),
            None => Err(format!("{text:?} is not so many days{HINT}write \"365d\", or \"forever\"")),
        }
    }
    fn number_hint(n: i64) -> String {
        format!("write \"{n}d\" for days")
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(days) => write!(f, "{days}d"),
            None => f.write_str("forever"),
        }
    }
}

checked_text!(
    /// Name of this gateway in topics and ids.
    GatewayId, "a short name such as \"hall\"", |text| {
        if text.parse::<AthleteId>().is_ok() {
            return Ok(());
        }
        let problem = format!("{text:?} is not a short name: 1 to 32 of a-z, 0-9, _ and -, starting with a letter or digit");
        match slug_of(text) {
            Some(slug) => Err(format!("{problem}{HINT}\"{slug}\" would do")),
            None => Err(problem),
        }
    }
);

/// The nearest short name to any text, if something remains.
pub fn slug_of(text: &str) -> Option<String> {
    let mapped: String =
        text.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let slug: String = mapped.trim_matches('-').chars().take(32).collect();
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

checked_text!(
    /// Host name or address of a broker.
    Host, "a host name or address such as \"broker.lan\"", |text| {
        if let Some((scheme, rest)) = text.split_once("://") {
            let bare = rest.rsplit('@').next().and_then(|r| r.split([':', '/']).next()).unwrap_or_default();
            let tls = if matches!(scheme, "mqtts" | "ssl") { ", and set enabled = true under [mqtt.tls]" } else { "" };
            return Err(format!("{text:?} is a URL{HINT}write only the host, \"{bare}\"{tls}"));
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Ok(());
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return Err(format!("{text:?} has brackets{HINT}write an IPv6 address without them: \"{inner}\""));
        }
        if let Some((host, port)) = text.split_once(':') {
            return Err(format!("{text:?} holds a port{HINT}write host = \"{host}\" and port = {port}"));
        }
        let ok = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if text.is_empty() || text.len() > 253 || !text.chars().all(ok) {
            return Err(format!("{text:?} is not a host name or address"));
        }
        Ok(())
    }
);

checked_text!(
    /// Prefix of MQTT topics.
    Topic, "a topic such as \"hrvd\"", |text| {
        if text.contains(['+', '#']) {
            return Err(format!("the topic {text:?} holds a wildcard"));
        }
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            let trimmed: Vec<_> = text.split('/').filter(|level| !level.is_empty()).collect();
            return Err(format!("the topic {text:?} has an empty level{HINT}write \"{}\"", trimmed.join("/")));
        }
        let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        if text.is_empty() || text.len() > 128 || !text.chars().all(ok) {
            return Err(format!("{text:?} is not a topic of 1 to 128 letters, digits, -, _, . and /"));
        }
        Ok(())
    }
);

checked_text!(
    /// Bluetooth adapter, empty for the first one.
    Adapter, "an adapter such as \"hci0\", or \"\" for the first", |text| {
        let number = text.strip_prefix("hci");
        let address = text.parse::<StrapId>().is_ok();
        let ok = text.is_empty() || address || number.is_some_and(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()));
        if ok { Ok(()) } else { Err(format!("{text:?} is not an adapter{HINT}`ls /sys/class/bluetooth` shows their names (hci0, hci1), `bluetoothctl list` their addresses")) }
    }
);

checked_text!(
    /// Language of names.
    Language, "a language such as \"en\"", |text| {
        let known = || crate::mqtt::Language::ALL.map(|l| format!("\"{}\"", l.as_str())).join(" and ");
        text.parse::<crate::mqtt::Language>().map(drop).map_err(|e| format!("{e}{HINT}there are {}", known()))
    }
);

checked_text!(
    /// A name for people, or a user name.
    Line, "a text in quotes", |text| {
        if text.trim() != text || text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
            return Err(format!("{text:?} is not a name: 1 to 64 characters on one line, no blanks around"));
        }
        Ok(())
    }
);

/// The log levels, quietest first.
pub(super) fn levels() -> Vec<&'static str> {
    LogLevel::ALL.iter().map(|l| l.as_str()).collect()
}

checked_text!(
    /// Log level, with exceptions for modules.
    LogFilter, "a log level such as \"info\"", |text| {
        for (at, part) in text.split(',').enumerate() {
            let level = match part.split_once('=') {
                Some((module, level)) if at > 0 && !module.is_empty() => level,
                None if at == 0 => part,
                _ => return Err(format!("{part:?} is out of place in a log filter{HINT}write a level, then modules: \"info,hrvd::mqtt=debug\"")),
            };
            if level.parse::<LogLevel>().is_err() {
                return Err(format!("{level:?} is not a log level{HINT}one of {}", levels().join(", ")));
            }
        }
        Ok(())
    }
);

/// An absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AbsolutePath(pub(super) PathBuf);

impl Text for AbsolutePath {
    const WHAT: &'static str = "an absolute path such as \"/var/lib/hrvd/hrvd.db\"";
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('~') {
            return Err(format!("{text:?} starts with ~{HINT}write the whole path: a daemon has no home"));
        }
        if !text.starts_with('/') || text.contains('\0') || text.ends_with('/') {
            return Err(format!(
                "{text:?} is not an absolute path of a file{HINT}begin with /: a daemon has no current directory"
            ));
        }
        Ok(Self(Path::new(text).to_owned()))
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

/// A time zone: the system's own, or one by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    System,
    Named(String, TimeZone),
}

impl Text for Zone {
    const WHAT: &'static str = "a time zone such as \"Europe/Berlin\", or \"system\"";
    fn parse(text: &str) -> Result<Self, String> {
        if text == "system" {
            return Ok(Self::System);
        }
        TimeZone::get(text).map(|zone| Self::Named(text.to_owned(), zone)).map_err(|_| {
            format!("{text:?} is not a known time zone{HINT}use a name of `timedatectl list-timezones`, such as \"Europe/Berlin\", or \"system\"")
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "system",
            Self::Named(name, _) => name,
        })
    }
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeOfDay(pub(super) Time);

impl Text for TimeOfDay {
    const WHAT: &'static str = "a time of day such as \"04:30\"";
    fn parse(text: &str) -> Result<Self, String> {
        let time = strtime::parse("%H:%M", text).and_then(|t| t.to_time());
        time.map(Self).map_err(|_| format!("{text:?} is not a time of day{HINT}write hours and minutes: \"04:30\""))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl Text for Posture {
    const WHAT: &'static str = "a posture: \"supine\", \"seated\" or \"standing\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Text for PlanKind {
    const WHAT: &'static str = "a kind of day: \"rest\", \"easy\", \"quality\", \"long\" or \"race\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Text for Publish {
    const WHAT: &'static str = "how much is published: \"live\", \"morning\", \"words\" or \"nothing\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Text for StrapId {
    const WHAT: &'static str = "a Bluetooth address such as \"A0:9E:1A:9F:6E:53\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|e: crate::units::IdError| format!("{e}{HINT}`hrvd scan` shows the addresses of straps"))
    }
}

impl Text for AthleteId {
    const WHAT: &'static str = "a short name such as \"alex\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|e: crate::units::IdError| match slug_of(text) {
            Some(slug) => format!("{e}{HINT}\"{slug}\" would do"),
            None => e.to_string(),
        })
    }
}
