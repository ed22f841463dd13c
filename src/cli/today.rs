//! `hrvd today`: where the day stands.

use super::Exit;
use super::args::Global;
use super::ask::{complain, connect};
use super::day_page::page;
use super::guide::Look;
use super::terminal::Terminal;
use super::whose::{failed, open, pick};
use crate::clock::{Clock, ClockTrust};
use crate::config::{Config, Surroundings};
use crate::control::{ClientError, Op};
use crate::daemon::{self, Settings};
use crate::readiness::report::{self, Detail};
use crate::units::AthleteId;
use serde_json::{Value, json};

/// Arguments of `hrvd today`.
#[derive(Clone, Debug, clap::Args)]
pub struct TodayArgs {
    /// Whose; needed if there are several
    #[arg(long, value_name = "SLUG")]
    pub athlete: Option<AthleteId>,
}

/// Asks the daemon; without one, reads the store.
pub fn run(athlete: Option<&AthleteId>, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    let asked = athlete.map(ToString::to_string);
    let day = match connect(&config).and_then(|mut c| c.ask(&Op::Today { athlete: asked })) {
        Ok(day) => day,
        Err(ClientError::NotRunning(_) | ClientError::Permission(_)) => match read(athlete, &config, terminal) {
            Ok(day) => day,
            Err(exit) => return exit,
        },
        Err(e) => return complain(&e, terminal),
    };
    let look = Look::of_stdout(global.no_color);
    let language = Settings::from(&config).render.language;
    let written = if terminal.json {
        writeln!(terminal.out, "{day}")
    } else {
        page(terminal.out, look, &day["readiness"], language)
    };
    terminal.ends(written.map(|()| Exit::Done))
}

fn read(athlete: Option<&AthleteId>, config: &Config, terminal: &mut Terminal<'_>) -> Result<Value, Exit> {
    let query = open(config, terminal)?;
    let athlete = pick(athlete, config, &query, terminal)?;
    // this machine's clock is believed: nothing is written by it
    let now = Clock::system(ClockTrust::Plausible).now();
    let settings = Settings::from(config);
    let desk = daemon::look(&settings.readiness, &query, &athlete, now).map_err(|e| failed(&e, terminal))?;
    Ok(json!({
        "type": "today", "athlete": athlete.id.as_str(),
        "numbers_wait": desk.waiting_for().is_some(),
        "readiness": report::readiness(&desk, Detail::Full, settings.render.language),
        "inputs": report::inputs(&desk, Detail::Full),
    }))
}
