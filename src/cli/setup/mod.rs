//! `hrvd setup`: from an installed package to a strap that is known in Home Assistant. Asks at a terminal, or does what
//! its flags say. What it changes is shown before, and a second run changes only what is different.

mod broker;
pub(super) mod files;
mod login;
mod service;
mod signal;
mod strap;
mod talk;
mod write;

use super::Exit;
use super::args::Global;
use super::terminal::Terminal;
use crate::config::{Config, DEFAULT_FILE, Loaded, Surroundings};
use crate::units::{AthleteId, StrapId};
use broker::{is_user, short_name};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use talk::Talk;
use tokio_util::sync::CancellationToken;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct SetupArgs {
    /// The broker [default: the configured one, or one that answers nearby]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub broker: Option<String>,
    /// Encrypt the way to the broker; the port is 8883 then
    #[arg(long)]
    pub tls: bool,
    /// The authority that signed the broker's certificate, if it is none of the system's
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_file: Option<PathBuf>,
    /// User name at the broker
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// File that holds the password at the broker; it is copied
    #[arg(long, value_name = "FILE", requires = "username")]
    pub password_file: Option<PathBuf>,
    /// Keep the password encrypted with this machine's key (systemd-creds)
    #[arg(long)]
    pub encrypt: bool,
    /// Who wears the strap; a name
    #[arg(long, value_name = "NAME")]
    pub athlete: Option<String>,
    /// The strap, as `hrvd scan` shows it
    #[arg(long, value_name = "ADDRESS")]
    pub strap: Option<StrapId>,
    /// Leave the strap for later
    #[arg(long, conflicts_with = "strap")]
    pub no_strap: bool,
    /// How long to look for straps
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=300))]
    pub seconds: u16,
    /// Ask nothing: do what the flags say
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be written and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The unit to restart [default: hrvd, if the configuration is the usual one]
    #[arg(long, value_name = "UNIT")]
    pub service: Option<String>,
    /// Where systemd looks for drop-ins; with --encrypt
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system")]
    pub unit_dir: PathBuf,
}

/// Why it ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Ctrl-C, or the end of the input.
    Cancelled,
    /// A script did not say something.
    Missing { what: String, flag: String },
    /// It does not work, and what helps.
    Failed { why: String, hint: String },
    /// All was said already.
    Said,
}

impl Stop {
    fn missing(what: &str, flag: &str) -> Self {
        Self::Missing { what: what.to_owned(), flag: flag.to_owned() }
    }

    fn failed(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), hint: hint.into() }
    }
}

/// Entities that are named first.
const FIRST: [&str; 6] = ["start_check", "morning_rmssd", "hr", "link", "battery", "worn"];

/// Everything that is fixed from the start, and what was done so far.
struct Setup<'a> {
    args: &'a SetupArgs,
    global: &'a Global,
    around: &'a Surroundings,
    /// The configuration file; what is written lies beside it.
    main: PathBuf,
    written: Vec<PathBuf>,
}

/// Asks, shows, writes, restarts, adopts and tests.
pub fn run(args: &SetupArgs, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let loaded = match super::run::load(global, around) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let main = global.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let mut setup = Setup { args, global, around, main, written: vec![] };
    super::run::with_runtime(around, async |cancel: CancellationToken| {
        let mut talk = Talk::new(terminal, !args.yes, cancel);
        let stop = match setup.all(loaded, &mut talk).await {
            Ok(summary) => {
                if talk.terminal.json {
                    let _ = writeln!(talk.terminal.out, "{summary}");
                }
                return Exit::Done;
            }
            Err(stop) => stop,
        };
        let (exit, last) = match stop {
            Stop::Cancelled => (Exit::Failed, "Stopped.".to_owned()),
            Stop::Missing { what, flag } => {
                (Exit::Usage, format!("error: not said: {what}\nhint: {flag}; at a terminal it is asked for"))
            }
            Stop::Failed { why, hint } => (Exit::Failed, format!("error: {why}\nhint: {hint}")),
            Stop::Said => (Exit::Failed, String::new()),
        };
        if !last.is_empty() {
            talk.say(last);
        }
        talk.say(match setup.written.len() {
            0 => "Nothing was changed.".to_owned(),
            n => format!("{n} files were written and stay; run setup again to go on."),
        });
        exit
    })
}

impl Setup<'_> {
    async fn all(&mut self, loaded: Loaded, talk: &mut Talk<'_, '_>) -> Result<Value, Stop> {
        let login = self.broker(&loaded.config, talk).await?;
        let athlete = self.person(&loaded.config, talk).await?;
        let config = self.write(&loaded, login.as_ref(), &athlete, talk).await?;
        if self.args.dry_run {
            return Ok(json!({"written": [], "dry_run": true}));
        }
        let strap = match self.args.no_strap {
            true => None,
            false => strap::choose(self.args.strap, self.args.seconds, &config, talk).await?,
        };
        let mut grade = None;
        if let Some(id) = strap {
            let daemon = strap::adopt(id, &athlete.0, &config)?;
            talk.say(format!("{id} is {}'s.", athlete.0));
            match daemon {
                true => grade = strap::test(id, 10, &config, talk).await?,
                false => talk.say("hrvd is not running: the strap is connected and tested when it is."),
            }
        }
        let status = service::status(&config.control_socket);
        let connected = status.as_ref().is_some_and(|s| s["mqtt"] == "connected");
        self.end(&config, &athlete.0, connected, talk);
        Ok(json!({
            "broker": login.map(|l| l.place.to_string()), "mqtt": status.map(|s| s["mqtt"].clone()),
            "athlete": athlete.0.as_str(), "strap": strap.map(|s| s.to_string()), "signal": grade.map(|g| g.as_str()),
            "written": self.written.iter().map(|p| p.display().to_string()).collect::<Vec<_>>(),
        }))
    }

    /// Who wears the strap: short name, and name to show if the person is new.
    async fn person(&self, config: &Config, talk: &mut Talk<'_, '_>) -> Result<(AthleteId, Option<String>), Stop> {
        let known = super::ha::roster(config).unwrap_or_else(|_| config.roster());
        let default = match &known.athletes[..] {
            [only] => Some(only.name.clone()),
            _ => None,
        };
        loop {
            let asked = match &self.args.athlete {
                Some(name) => name.clone(),
                None => talk.ask("Who wears the strap? A name", default.as_deref(), "--athlete").await?,
            };
            let name = asked.trim();
            if let Some(a) = known.athletes.iter().find(|a| a.id.as_str() == name || a.name == name) {
                return Ok((a.id.clone(), None));
            }
            match short_name(name).filter(|_| is_user(name)) {
                Some(id) if known.athletes.iter().all(|a| a.id != id) => return Ok((id, Some(name.to_owned()))),
                Some(id) => talk.say(format!("\"{name}\" would have the same short name as somebody else: {id}")),
                None => {
                    talk.say(format!("\"{name}\" has no letter or digit for a short name, or more than 64 of them"))
                }
            }
            if self.args.athlete.is_some() {
                return Err(Stop::failed("no short name can be made of it", "--athlete with another name"));
            }
        }
    }

    /// What is there now.
    fn end(&self, config: &Config, athlete: &AthleteId, connected: bool, talk: &mut Talk<'_, '_>) {
        let Ok(mut roster) = super::ha::roster(config) else { return };
        roster.athletes.retain(|a| a.id == *athlete);
        roster.straps.retain(|s| s.athlete == *athlete);
        let home = super::ha::home(config, &roster);
        talk.say(match connected {
            true => "Home Assistant (its MQTT integration on the same broker) has these devices now:",
            false => "As soon as hrvd runs and is connected, Home Assistant gets these devices:",
        });
        for device in home.devices().filter(|d| !d.name.is_empty()) {
            let shown = || device.entities.iter().filter(|e| e.enabled);
            // what somebody looks for first
            let first = FIRST.iter().filter_map(|key| shown().find(|e| e.key == *key));
            let others = shown().filter(|e| !FIRST.iter().any(|key| *key == e.key));
            let ids: Vec<&str> = first.chain(others).map(|e| e.id.as_str()).collect();
            let shown = ids.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            talk.say(format!("  {:<24} {} entities: {shown}, …", device.name, ids.len()));
        }
        talk.say(format!(
            "Next: tomorrow after waking, lying still, `hrvd check --athlete {athlete}` or the button in Home Assistant.\n\
             A dashboard: `hrvd ha dashboard`. If something does not work: `sudo hrvd doctor`."
        ));
    }
}

/// The fragment that setup makes for a person.
pub(super) fn athlete_file(main: &Path, athlete: &AthleteId) -> PathBuf {
    main.with_file_name("conf.d").join(format!("60-athlete-{athlete}.toml"))
}
