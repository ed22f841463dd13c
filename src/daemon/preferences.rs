//! What is set while the daemon runs: kept in the store, layered above the configuration, in force at once.

use super::hub::Hub;
use crate::engine::{Athlete, Input, Roster};
use crate::logging::LogControl;
use crate::mqtt::Wish;
use crate::preference::{Choice, LogLevel, Personal, Preference, seconds};
use crate::store::Preferred;
use crate::units::AthleteId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Refusals that are remembered, so that each is named once.
const MAX_NAMED: usize = 64;

/// What the configuration says of what can be set.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Of the people it names; everybody else has the defaults.
    pub people: BTreeMap<AthleteId, Personal>,
    /// Its log filter.
    pub log_level: String,
    /// A flag of the command line says how much is logged: that wins over what was set in an earlier run.
    pub log_by_flag: bool,
    /// Changes how much is logged.
    pub log: Option<LogControl>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Preferences {
    configured: Configured,
    live_interval: Duration,
    set: BTreeMap<(Option<AthleteId>, Preference), Choice>,
    refused: BTreeSet<String>,
}

impl Preferences {
    /// `people` are the configuration's; of those that `configured` does not speak of, only the wake window is known.
    pub(super) fn new(
        mut configured: Configured,
        people: &[Athlete],
        live_interval: Duration,
        stored: Vec<Preferred>,
    ) -> Self {
        for a in people {
            let usual = Personal::default();
            let wake_window = a.wake_window.unwrap_or(usual.wake_window);
            let plain = Personal { auto_start: a.wake_window.is_some(), wake_window, ..usual };
            configured.people.entry(a.id.clone()).or_insert(plain);
        }
        let mut all = Self { configured, live_interval, ..Self::default() };
        all.restore(stored);
        all
    }

    /// Takes up what an earlier run left, without what was set since.
    pub(super) fn restore(&mut self, stored: Vec<Preferred>) {
        for p in stored {
            let pinned = p.what == Preference::LogLevel && self.configured.log_by_flag;
            if !pinned {
                self.set.entry((p.athlete, p.what)).or_insert(p.choice);
            }
        }
    }

    /// Nothing is set for this person any more, and the configuration's word does not count.
    pub(super) fn forget(&mut self, athlete: &AthleteId) {
        self.set.retain(|(who, _), _| who.as_ref() != Some(athlete));
        self.configured.people.remove(athlete);
    }

    /// What holds for a person. Both ends of a window may have been set when the configuration said something else:
    /// one that is none is not taken.
    pub(super) fn personal(&self, athlete: &AthleteId) -> Personal {
        let plain = self.configured.people.get(athlete).copied().unwrap_or_default();
        let mine = self.set.iter().filter(|((who, _), _)| who.as_ref() == Some(athlete));
        let all = mine.fold(plain, |p, ((_, what), choice)| p.with(*what, *choice));
        if all.is_sound() { all } else { Personal { wake_window: plain.wake_window, ..all } }
    }

    pub(super) fn live_interval(&self) -> Duration {
        match self.set.get(&(None, Preference::PublishInterval)) {
            Some(Choice::Seconds(n)) => seconds(*n),
            _ => self.live_interval,
        }
    }

    fn log_level(&self) -> String {
        match self.set.get(&(None, Preference::LogLevel)) {
            Some(Choice::Level(level)) => level.to_string(),
            _ => self.configured.log_level.clone(),
        }
    }

    /// Which are set.
    fn of(&self, athlete: Option<&AthleteId>) -> Vec<Preference> {
        self.set.keys().filter(|(who, _)| who.as_ref() == athlete).map(|(_, what)| *what).collect()
    }

    /// The people with their wake windows.
    pub(super) fn apply(&self, mut roster: Roster) -> Roster {
        for athlete in &mut roster.athletes {
            athlete.wake_window = self.personal(&athlete.id).window();
        }
        roster
    }

    /// Logs as it was left.
    pub(super) fn log_again(&self) {
        if let Some(log) = &self.configured.log {
            log.set(&self.log_level());
        }
    }

    /// Takes a wish; what changes, or why it cannot be.
    fn take(&mut self, who: Option<&AthleteId>, wish: Wish) -> Result<Vec<(Preference, Option<Choice>)>, &'static str> {
        let changes = match wish {
            Wish::Set(what, choice) => vec![(what, Some(choice))],
            Wish::Default(what) => vec![(what, None)],
            Wish::Defaults => self.of(who).into_iter().map(|what| (what, None)).collect(),
        };
        let before = self.set.clone();
        for (what, choice) in &changes {
            let key = (who.cloned(), *what);
            match choice {
                Some(choice) => drop(self.set.insert(key, *choice)),
                None => drop(self.set.remove(&key)),
            }
        }
        let sound = who.is_none_or(|id| {
            let plain = self.configured.people.get(id).copied().unwrap_or_default();
            let mine = self.set.iter().filter(|((whose, _), _)| whose.as_ref() == Some(id));
            mine.fold(plain, |p, ((_, what), choice)| p.with(*what, *choice)).is_sound()
        });
        if sound {
            return Ok(changes);
        }
        self.set = before;
        Err("the wake window would end when it begins")
    }
}

impl Hub {
    /// Sets what is wished, or says once why not.
    pub(super) fn prefer(&mut self, who: Option<AthleteId>, wish: Wish) {
        let now = self.clock.now();
        let unknown = who.as_ref().is_some_and(|id| !self.roster.athletes.iter().any(|a| a.id == *id));
        let taken = match unknown {
            true => Err("no athlete has such a short name"),
            false => self.preferences.take(who.as_ref(), wish),
        };
        let changes = match taken {
            Ok(changes) => changes,
            Err(why) => {
                let told = format!("{who:?} {wish:?}");
                if self.preferences.refused.len() < MAX_NAMED && self.preferences.refused.insert(told) {
                    let whose = who.map_or(String::new(), |id| format!(" for {id}"));
                    tracing::warn!("not set{whose}: {why} ({wish})");
                }
                return;
            }
        };
        for (what, choice) in changes {
            let whose = who.as_ref().map_or(String::new(), |id| format!(" of {id}"));
            match choice {
                // a person's value is the person's: the journal cannot be deleted from
                Some(choice) if who.is_none() => tracing::info!("{what} is set to {choice}"),
                Some(_) => tracing::info!("{what}{whose} is set"),
                None => tracing::info!("{what}{whose} is what the configuration says again"),
            }
            self.store.prefer(who.clone(), what, choice, now.wall);
            match what {
                Preference::WakeStart | Preference::WakeEnd | Preference::AutoStart => self.new_roster(now),
                Preference::PublishInterval => self.pace(),
                Preference::LogLevel => self.preferences.log_again(),
                Preference::MaxHr | Preference::RestHr => {}
            }
        }
        self.say_settings();
    }

    /// Live values come at the interval that is set, and expire by it.
    pub(super) fn pace(&mut self) {
        let (now, interval) = (self.clock.now(), self.preferences.live_interval());
        self.handle(now, Input::LiveInterval(interval));
        self.renderer.set_live_interval(interval);
        for message in self.renderer.roster(&self.roster) {
            self.tell(message);
        }
    }

    /// Says what is set; what was said already costs nothing.
    pub(super) fn say_settings(&mut self) {
        let level: Option<LogLevel> = self.preferences.log_level().parse().ok();
        let gateways = self.preferences.of(None);
        let mut all = vec![self.renderer.gateway_settings(self.preferences.live_interval(), level, &gateways)];
        for athlete in &self.roster.athletes {
            let (now, set) = (self.preferences.personal(&athlete.id), self.preferences.of(Some(&athlete.id)));
            all.extend(self.renderer.personal_settings(&athlete.id, &now, &set));
        }
        for message in all {
            self.tell(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alex() -> AthleteId {
        "alex".parse().unwrap()
    }

    fn row(athlete: Option<AthleteId>, what: Preference, text: &str) -> Preferred {
        Preferred { athlete, what, choice: what.read(text).unwrap(), at: None }
    }

    fn with(stored: Vec<Preferred>) -> Preferences {
        let people = [(alex(), Personal::default())].into();
        let configured = Configured { people, log_level: "info,hrvd=debug".into(), ..Configured::default() };
        Preferences::new(configured, &[], seconds(5), stored)
    }

    #[test]
    fn layers_and_taking_back() {
        let mut p = with(vec![
            row(Some(alex()), Preference::MaxHr, "191"),
            row(None, Preference::PublishInterval, "20"),
            row(None, Preference::LogLevel, "warn"),
        ]);
        assert_eq!(
            (p.personal(&alex()).max_hr, p.live_interval(), p.log_level()),
            (Some(191), seconds(20), "warn".into())
        );
        p.take(Some(&alex()), Wish::Defaults).unwrap();
        assert_eq!(p.personal(&alex()), Personal::default());
        assert_eq!(p.live_interval(), seconds(20), "the gateway's stay");
        p.take(None, Wish::Default(Preference::LogLevel)).unwrap();
        assert_eq!(p.log_level(), "info,hrvd=debug");
        assert_eq!(p.of(None), [Preference::PublishInterval]);
    }

    #[test]
    fn a_window_that_would_be_none_is_refused_and_one_that_became_none_is_not_taken() {
        let mut p = with(vec![]);
        let set = |text| Wish::Set(Preference::WakeStart, Preference::WakeStart.read(text).unwrap());
        assert!(p.take(Some(&alex()), set("10:00")).is_err());
        assert_eq!(p.personal(&alex()), Personal::default());
        p.take(Some(&alex()), set("05:00")).unwrap();
        let end = Preference::WakeEnd.read("05:00").unwrap();
        assert!(p.take(Some(&alex()), Wish::Set(Preference::WakeEnd, end)).is_err());
        // the file says now what was set as the beginning
        let stale = with(vec![row(Some(alex()), Preference::WakeStart, "10:00")]);
        assert_eq!(stale.personal(&alex()).wake_window, Personal::default().wake_window);
    }

    #[test]
    fn a_flag_for_the_log_wins_over_an_earlier_run_and_not_over_a_wish() {
        let configured = Configured { log_level: "debug".into(), log_by_flag: true, ..Configured::default() };
        let mut p = Preferences::new(configured, &[], seconds(5), vec![row(None, Preference::LogLevel, "error")]);
        assert_eq!(p.log_level(), "debug");
        let warn = Preference::LogLevel.read("warn").unwrap();
        p.take(None, Wish::Set(Preference::LogLevel, warn)).unwrap();
        assert_eq!(p.log_level(), "warn");
    }
}
