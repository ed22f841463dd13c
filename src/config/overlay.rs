//! What was set while the daemon ran, as a layer on top of files, environment and flags.

use super::error::Origin;
use super::load::{Loaded, Setting};
use crate::preference::{Choice, Preference};
use crate::store::Preferred;
use crate::units::AthleteId;

impl Loaded {
    /// Puts it on top of what is shown. What belongs to a person that the configuration does not name is left out, and
    /// a log level that a flag gives stays.
    pub fn overlay(&mut self, stored: &[Preferred]) {
        for p in stored {
            let Some(key) = self.key_of(p.athlete.as_ref(), p.what) else { continue };
            let value = match p.choice {
                Choice::Bpm(n) => i64::from(n).into(),
                Choice::On(on) => on.into(),
                Choice::Seconds(n) => format!("{n}s").into(),
                Choice::Time(_) | Choice::Level(_) => p.choice.to_string().into(),
            };
            let origin = Origin::Set(p.at);
            match self.settings.iter_mut().find(|s| s.key == key) {
                Some(s) if matches!(s.origin, Origin::Flag(_)) => {}
                Some(s) => (s.value, s.origin) = (value, origin),
                None => self.insert(Setting { key, value, origin }),
            }
        }
    }

    fn key_of(&self, athlete: Option<&AthleteId>, what: Preference) -> Option<String> {
        let field = match what {
            Preference::PublishInterval => return Some("mqtt.live_interval".to_owned()),
            Preference::LogLevel => return Some("log.level".to_owned()),
            Preference::WakeStart => "wake_window.from",
            Preference::WakeEnd => "wake_window.to",
            Preference::MaxHr | Preference::RestHr | Preference::AutoStart => what.as_str(),
        };
        let n = self.config.athletes.iter().position(|a| Some(&a.slug) == athlete)?;
        Some(format!("athlete[{n}].{field}"))
    }

    /// Behind its own table.
    fn insert(&mut self, setting: Setting) {
        let table = setting.key.split('.').next().map(|t| format!("{t}.")).unwrap_or_default();
        let last = self.settings.iter().rposition(|s| s.key.starts_with(&table));
        self.settings.insert(last.map_or(self.settings.len(), |at| at + 1), setting);
    }
}
