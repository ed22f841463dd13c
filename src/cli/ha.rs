//! `hrvd ha`: what a Home Assistant needs beside the broker, made for the user's own people and straps.

use super::Exit;
use super::args::Global;
use super::terminal::Terminal;
use crate::config::{Config, Surroundings};
use crate::daemon::{Settings, merge};
use crate::engine::{Roster, Strap};
use crate::home_assistant::{Document, Home, blueprints, dashboard, recorder, yaml};
use crate::mqtt::{MqttConfig, Topics};
use crate::store::{Query, StoreError};
use crate::units::AthleteId;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct HaArgs {
    /// What to print
    #[arg(value_enum)]
    pub what: HaWhat,
    /// Only this athlete's
    #[arg(long, value_name = "SLUG")]
    pub athlete: Option<AthleteId>,
    /// Write files below this folder instead, such as Home Assistant's configuration folder
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HaWhat {
    /// The discovery messages, as the daemon publishes them
    Discovery,
    /// A dashboard of Home Assistant's own cards
    Dashboard,
    /// Blueprints for automations
    Blueprints,
    /// The recorder block that leaves out what no card shows
    Recorder,
}

/// Prints or writes it.
pub fn run(args: &HaArgs, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    let mut roster = match roster(&config) {
        Ok(roster) => roster,
        Err(e) => {
            return super::whose::failed(&e, terminal);
        }
    };
    if let Some(only) = &args.athlete {
        roster.athletes.retain(|a| a.id == *only);
        roster.straps.retain(|s| s.athlete == *only);
    }
    if roster.athletes.is_empty() {
        let (who, hint) = match &args.athlete {
            Some(id) => (format!("there is no athlete \"{id}\""), "`hrvd config show` lists them"),
            None => ("there are no athletes yet".to_owned(), "add an [[athlete]], or adopt a strap"),
        };
        let _ = writeln!(terminal.err, "error: {who}\nhint: {hint}");
        return Exit::NotFound;
    }
    let home = home(&config, &roster);
    let done = match &args.write {
        Some(dir) => write(&documents(args.what, &home, terminal.json), dir, terminal),
        None => print(args.what, &home, terminal),
    };
    terminal.ends(done.map(|()| Exit::Done))
}

/// What the daemon announces for these people.
pub(super) fn home(config: &Config, roster: &Roster) -> Home {
    let settings = Settings::from(config);
    let topics = Topics::new(
        &settings.mqtt.unwrap_or_else(|| MqttConfig { gateway_id: config.gateway.id.clone(), ..MqttConfig::default() }),
    );
    Home::new(&topics, settings.render, roster)
}

/// The people and straps that the daemon knows: the configuration's, and those adopted since. A strap without a name of
/// its own has the one that it told.
pub(super) fn roster(config: &Config) -> Result<Roster, StoreError> {
    let configured = config.roster();
    let Some(query) = Query::find(&config.store.path)? else { return Ok(configured) };
    let adopted: Vec<Strap> = query.straps()?.into_iter().map(|s| s.strap).collect();
    let facts = query.facts()?;
    let mut roster = merge(&configured, &adopted);
    for strap in roster.straps.iter_mut().filter(|s| s.name.is_none()) {
        strap.name = facts.iter().find(|(id, _)| *id == strap.id).and_then(|(_, f)| f.name.clone());
    }
    Ok(roster)
}

fn discovery(home: &Home) -> Vec<Value> {
    home.devices().map(|d| json!({"topic": d.topic, "payload": d.payload})).collect()
}

fn print(what: HaWhat, home: &Home, terminal: &mut Terminal<'_>) -> io::Result<()> {
    let out = &mut terminal.out;
    match what {
        HaWhat::Discovery if terminal.json => discovery(home).iter().try_for_each(|m| writeln!(out, "{m}")),
        HaWhat::Discovery => discovery(home)
            .iter()
            .try_for_each(|m| writeln!(out, "{}\n{:#}\n", m["topic"].as_str().unwrap_or(""), m["payload"])),
        HaWhat::Dashboard if terminal.json => writeln!(out, "{:#}", dashboard(home)),
        HaWhat::Recorder if terminal.json => writeln!(out, "{:#}", recorder(home)),
        HaWhat::Blueprints if terminal.json => {
            blueprints(home).iter().try_for_each(|d| writeln!(out, "{}", json!({"path": d.path, "text": d.text})))
        }
        HaWhat::Dashboard | HaWhat::Recorder | HaWhat::Blueprints => {
            let documents = documents(what, home, false);
            let several = documents.len() > 1;
            documents.iter().try_for_each(|d| match several {
                true => writeln!(out, "# {}\n{}", d.path, d.text),
                false => write!(out, "{}", d.text),
            })
        }
    }
}

fn documents(what: HaWhat, home: &Home, json: bool) -> Vec<Document> {
    let one = |name: &str, value: Value| {
        let (end, text) = if json { ("json", format!("{value:#}\n")) } else { ("yaml", yaml(&value)) };
        vec![Document { path: format!("{name}.{end}"), text }]
    };
    match what {
        HaWhat::Dashboard => one("dashboards/hrvd", dashboard(home)),
        HaWhat::Recorder => one("packages/hrvd_recorder", recorder(home)),
        HaWhat::Blueprints => blueprints(home),
        HaWhat::Discovery => home
            .devices()
            .map(|d| Document { path: format!("{}.json", d.topic), text: format!("{:#}\n", d.payload) })
            .collect(),
    }
}

fn write(documents: &[Document], dir: &Path, terminal: &mut Terminal<'_>) -> io::Result<()> {
    for d in documents {
        let path = dir.join(&d.path);
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(named)?;
        }
        std::fs::write(&path, &d.text).map_err(named)?;
        writeln!(terminal.out, "{}", path.display())?;
    }
    Ok(())
}
