//! `hrvd adopt` and `hrvd forget`: by the running daemon, or straight into the database if none runs.

use super::Exit;
use super::args::Global;
use super::ask::{complain, connect};
use super::backup::options;
use super::terminal::Terminal;
use super::whose::failed;
use crate::config::{Config, Surroundings};
use crate::control::{ClientError, Op};
use crate::engine::Strap;
use crate::store::{self, StoreError};
use crate::units::{AthleteId, StrapId};
use serde_json::json;

/// Makes a strap an athlete's own.
pub fn adopt(
    strap: StrapId,
    athlete: &AthleteId,
    name: Option<&str>,
    global: &Global,
    around: &Surroundings,
    terminal: &mut Terminal<'_>,
) -> Exit {
    let op = Op::Adopt { address: strap.to_string(), athlete: athlete.to_string(), name: name.map(str::to_owned) };
    let offline = |config: &Config| {
        let strap = Strap { id: strap, athlete: athlete.clone(), name: name.map(str::to_owned) };
        store::adopt_offline(options(config), &strap, crate::clock::Clock::system(Default::default()).now().wall)
            .map(|()| true)
    };
    let said = format!("{strap} is {athlete}'s now. Wear it: hrvd connects when it sees it.");
    change(&op, offline, &said, strap, global, around, terminal)
}

/// Never connects this strap again.
pub fn forget(strap: StrapId, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let op = Op::Forget { address: strap.to_string() };
    let offline = |config: &Config| store::forget_offline(options(config), strap);
    let said = format!("{strap} is forgotten; what it recorded stays.");
    change(&op, offline, &said, strap, global, around, terminal)
}

fn change(
    op: &Op,
    offline: impl FnOnce(&Config) -> Result<bool, StoreError>,
    said: &str,
    strap: StrapId,
    global: &Global,
    around: &Surroundings,
    terminal: &mut Terminal<'_>,
) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    if let Some(listed) = config.straps.iter().find(|s| s.address == strap) {
        let whose = &listed.athlete;
        let _ = writeln!(
            terminal.err,
            "error: {strap} belongs to {whose} by the configuration file\nhint: change it there"
        );
        return Exit::Usage;
    }
    let daemon = match connect(&config).and_then(|mut client| client.ask(op)) {
        Ok(_) => true,
        Err(ClientError::NotRunning(_)) => match offline(&config) {
            Ok(true) => false,
            Ok(false) => {
                let _ = writeln!(terminal.err, "error: {strap} is not adopted");
                return Exit::NotFound;
            }
            Err(e) => return failed(&e, terminal),
        },
        Err(e) => return complain(&e, terminal),
    };
    let _ = if terminal.json {
        writeln!(terminal.out, "{}", json!({"strap": strap.to_string(), "daemon": daemon}))
    } else {
        let later = if daemon { "" } else { " hrvd is not running; it takes effect at its next start." };
        writeln!(terminal.out, "{said}{later}")
    };
    Exit::Done
}
