//! What may be changed while the daemon runs, and what it is set to. A layer above the configuration: each can be taken
//! back, and then the configuration's value holds again.

use crate::check::words;
use crate::engine::WakeWindow;
use jiff::civil::{Time, time};
use jiff::fmt::strtime;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

words! {
    /// How much is logged.
    LogLevel {
        /// What does not work.
        Error = "error",
        /// What somebody should look at.
        Warn = "warn",
        /// What happens.
        Info = "info",
        /// Why.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

words! {
    /// One thing that may be changed.
    Preference {
        /// A person's maximum heart rate.
        MaxHr = "max_hr",
        /// A person's resting heart rate.
        RestHr = "rest_hr",
        /// When a person's wake window begins.
        WakeStart = "wake_start",
        /// When it ends.
        WakeEnd = "wake_end",
        /// Whether putting the strap on inside it starts the check.
        AutoStart = "auto_start",
        /// Time between live values.
        PublishInterval = "publish_interval",
        /// How much is logged.
        LogLevel = "log_level",
    }
}

/// Maximum heart rates that a person can have, bpm.
pub const MAX_HR: (u16, u16) = (120, 230);
/// Resting heart rates that a person can have, bpm.
pub const REST_HR: (u16, u16) = (25, 110);
/// Times between live values, s.
pub const PUBLISH_INTERVAL: (u16, u16) = (1, 60);
/// The payload that takes a preference back.
pub const DEFAULT: &str = "default";

/// What a preference is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Beats a minute.
    Bpm(u16),
    /// A time of day.
    Time(Time),
    /// Yes or no.
    On(bool),
    /// Seconds.
    Seconds(u16),
    /// A log level.
    Level(LogLevel),
}

impl Preference {
    /// Whether it belongs to a person; else to the gateway.
    pub const fn is_personal(self) -> bool {
        !matches!(self, Self::PublishInterval | Self::LogLevel)
    }

    /// Reads a choice as it is sent and stored; `None` if it is none of [`Self::takes`].
    pub fn read(self, text: &str) -> Option<Choice> {
        let whole = |(low, high): (u16, u16)| {
            // a number entity may write 190 as 190.0
            let n: f64 = text.parse().ok()?;
            (n.fract() == 0.0 && n >= low.into() && n <= high.into()).then_some(n as u16)
        };
        match self {
            Self::MaxHr => whole(MAX_HR).map(Choice::Bpm),
            Self::RestHr => whole(REST_HR).map(Choice::Bpm),
            Self::PublishInterval => whole(PUBLISH_INTERVAL).map(Choice::Seconds),
            Self::WakeStart | Self::WakeEnd => {
                let short = text.strip_suffix(":00").filter(|t| t.contains(':')).unwrap_or(text);
                strtime::parse("%H:%M", short).and_then(|t| t.to_time()).ok().map(Choice::Time)
            }
            Self::AutoStart => match text {
                "on" => Some(Choice::On(true)),
                "off" => Some(Choice::On(false)),
                _ => None,
            },
            Self::LogLevel => text.parse().ok().map(Choice::Level),
        }
    }

    /// What it can be set to, in words.
    pub fn takes(self) -> String {
        let between = |(low, high): (u16, u16), what: &str| format!("a whole number of {what} from {low} to {high}");
        match self {
            Self::MaxHr => between(MAX_HR, "beats a minute"),
            Self::RestHr => between(REST_HR, "beats a minute"),
            Self::PublishInterval => between(PUBLISH_INTERVAL, "seconds"),
            Self::WakeStart | Self::WakeEnd => "a time of day such as 04:30".to_owned(),
            Self::AutoStart => "on or off".to_owned(),
            Self::LogLevel => {
                format!("one of {}", LogLevel::ALL.iter().map(|l| l.as_str()).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl fmt::Display for Choice {
    /// As [`Preference::read`] takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bpm(n) | Self::Seconds(n) => write!(f, "{n}"),
            Self::Time(t) => write!(f, "{:02}:{:02}", t.hour(), t.minute()),
            Self::On(on) => f.write_str(if *on { "on" } else { "off" }),
            Self::Level(level) => level.fmt(f),
        }
    }
}

/// What holds for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Personal {
    /// Maximum heart rate, bpm, if it is known.
    pub max_hr: Option<u16>,
    /// Resting heart rate, bpm, if it is known.
    pub rest_hr: Option<u16>,
    /// Whether putting the strap on inside the window starts the check.
    pub auto_start: bool,
    /// When the person wakes up.
    pub wake_window: WakeWindow,
}

impl Default for Personal {
    fn default() -> Self {
        let wake_window = WakeWindow { from: time(4, 30, 0, 0), until: time(10, 0, 0, 0) };
        Self { max_hr: None, rest_hr: None, auto_start: true, wake_window }
    }
}

impl Personal {
    /// With one choice on top.
    pub fn with(mut self, what: Preference, choice: Choice) -> Self {
        match (what, choice) {
            (Preference::MaxHr, Choice::Bpm(n)) => self.max_hr = Some(n),
            (Preference::RestHr, Choice::Bpm(n)) => self.rest_hr = Some(n),
            (Preference::WakeStart, Choice::Time(t)) => self.wake_window.from = t,
            (Preference::WakeEnd, Choice::Time(t)) => self.wake_window.until = t,
            (Preference::AutoStart, Choice::On(on)) => self.auto_start = on,
            _ => {}
        }
        self
    }

    /// When a check may start by itself.
    pub fn window(&self) -> Option<WakeWindow> {
        self.auto_start.then_some(self.wake_window)
    }

    /// A window that ends when it begins is none.
    pub fn is_sound(&self) -> bool {
        self.wake_window.from != self.wake_window.until
    }
}

/// Seconds as a duration.
pub fn seconds(n: u16) -> Duration {
    Duration::from_secs(n.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_each_takes_and_refuses() {
        use Preference::*;
        let good: [(Preference, &[(&str, &str)]); 7] = [
            (MaxHr, &[("120", "120"), ("190", "190"), ("190.0", "190"), ("230", "230")]),
            (RestHr, &[("25", "25"), ("48", "48"), ("110", "110")]),
            (WakeStart, &[("04:30", "04:30"), ("00:00", "00:00"), ("23:59", "23:59"), ("05:15:00", "05:15")]),
            (WakeEnd, &[("10:00", "10:00")]),
            (AutoStart, &[("on", "on"), ("off", "off")]),
            (PublishInterval, &[("1", "1"), ("5.0", "5"), ("60", "60")]),
            (LogLevel, &[("error", "error"), ("trace", "trace")]),
        ];
        for (what, pairs) in good {
            for (text, want) in pairs {
                assert_eq!(what.read(text).map(|c| c.to_string()).as_deref(), Some(*want), "{what} {text}");
            }
        }
        let bad: [(Preference, &[&str]); 7] = [
            (MaxHr, &["", "119", "231", "190.5", "NaN", "inf", "-190", "1e400", "none", "19O", DEFAULT]),
            (RestHr, &["24", "111", "", "low"]),
            (WakeStart, &["", "24:00", "4.30", "noon", "04:60", "04:30:15", ":00", "04:"]),
            (WakeEnd, &["10", "10:00 Uhr"]),
            (AutoStart, &["ON", "true", "1", ""]),
            (PublishInterval, &["0", "61", "5s", "0.5"]),
            (LogLevel, &["INFO", "info,hrvd=debug", "loud", ""]),
        ];
        for (what, texts) in bad {
            for text in texts {
                assert_eq!(what.read(text), None, "{what} {text:?}");
            }
        }
    }

    #[test]
    fn a_choice_lies_on_top_and_touches_nothing_else() {
        let plain = Personal::default();
        let set = |what: Preference, text: &str| plain.with(what, what.read(text).unwrap());
        assert_eq!(set(Preference::MaxHr, "191"), Personal { max_hr: Some(191), ..plain });
        assert_eq!(set(Preference::AutoStart, "off").window(), None);
        assert_eq!(set(Preference::WakeEnd, "09:00").window().unwrap().until, time(9, 0, 0, 0));
        assert!(!set(Preference::WakeStart, "10:00").is_sound());
        assert_eq!(set(Preference::LogLevel, "debug"), plain, "the gateway's is nobody's");
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_read_again_from_its_own_words(text in "\\PC{0,12}|[0-9:.]{1,8}") {
            for what in Preference::ALL {
                if let Some(choice) = what.read(&text) {
                    prop_assert_eq!(what.read(&choice.to_string()), Some(choice));
                }
            }
        }
    }
}
