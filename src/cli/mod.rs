//! The command line: one file a command.

pub mod adopt;
pub mod analyze;
pub mod args;
mod ask;
pub mod athlete;
pub mod backup;
pub mod check;
pub mod completions;
pub mod config;
mod day_page;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod export;
mod guide;
pub mod ha;
pub mod history;
pub mod live;
pub mod log;
pub mod man;
pub mod readiness;
pub mod release;
pub mod replay;
pub mod run;
pub mod scan;
pub mod setup;
pub mod simulate;
mod tape;
pub mod terminal;
pub mod today;
mod whose;

pub use args::{Cli, Command, ConfigCommand, Global, Speed};
pub use exit::Exit;
pub use terminal::{Terminal, colors};

use crate::config::Surroundings;
use std::io;

/// Runs whatever was asked for.
pub fn dispatch(cli: &Cli) -> Exit {
    let around = Surroundings::of_process();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr());
    let mut terminal = Terminal { out: &mut out, err: &mut err, json: cli.global.json };
    if let Some(exit) = offline(cli, &around, &mut terminal) {
        return exit;
    }
    online(cli, &around, &mut terminal)
}

fn online(cli: &Cli, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let global = &cli.global;
    match &cli.command {
        Command::Run => run::run(global, around),
        Command::Adopt { address, athlete, name } => {
            adopt::adopt(*address, athlete, name.as_deref(), global, around, terminal)
        }
        Command::Forget { address } => adopt::forget(*address, global, around, terminal),
        Command::Release { address, minutes, end } => release::run(*address, *minutes, *end, global, around, terminal),
        Command::Check { athlete, posture, cancel } => {
            let args = check::CheckArgs { athlete: athlete.as_ref(), posture: *posture, cancel: *cancel };
            check::run(&args, global, around, terminal)
        }
        Command::Live { athlete } => live::run(athlete.as_ref(), global, around, terminal),
        Command::Replay { file, speed } => {
            // the protocol of the configuration, if there is a valid one: a replay shall not depend on it otherwise
            let check = crate::config::load(&global.request(), around)
                .map(|l| crate::daemon::Settings::from(&l.config).check)
                .unwrap_or_default();
            replay::run(file, *speed, check, global, terminal)
        }
        Command::Demo { speed, keep, broker, rr } => {
            let args = demo::DemoArgs { speed: *speed, keep: *keep, broker: broker.clone(), rr: rr.clone() };
            demo::run(&args, global, around, terminal)
        }
        Command::Setup(args) => setup::run(args, global, around, terminal),
        Command::Scan { seconds } => scan::run(*seconds, global, around, terminal),
        Command::Analyze(args) => analyze_files(args, terminal),
        Command::Readiness(args) => readiness::run(args, terminal),
        Command::Today(args) => today::run(args.athlete.as_ref(), global, around, terminal),
        Command::History(args) => history::run(args, global, around, terminal),
        Command::Explain(args) => explain::run(args, global, around, terminal),
        Command::Log(args) => log::run(args, global, around, terminal),
        Command::Simulate(args) => simulate::run(args, terminal),
        Command::Doctor => doctor::run(global, around, terminal),
        Command::Export { what, format, athlete, id, output } => {
            let args = export::ExportArgs {
                what: *what,
                format: *format,
                athlete: athlete.as_ref(),
                id: *id,
                output: output.as_deref(),
            };
            export::run(&args, global, around, terminal)
        }
        Command::Backup(args) => backup::backup(args, global, around, terminal),
        Command::Restore { file } => backup::restore(file, global, around, terminal),
        Command::Athlete(command) => athlete::run(command, global, around, terminal),
        Command::Ha(args) => ha::run(args, global, around, terminal),
        // done before, by `offline`
        Command::Config(_) | Command::Completions { .. } | Command::Man { .. } => Exit::Done,
    }
}

fn analyze_files(args: &analyze::AnalyzeArgs, terminal: &mut Terminal<'_>) -> Exit {
    let fine = analyze::run(args, terminal.json, &tape::series, terminal.out, terminal.err);
    terminal.ends(fine.map(|fine| if fine { Exit::Done } else { Exit::Usage }))
}

/// Runs the commands that need neither the daemon nor a runtime; `None` if it is another one.
pub fn offline(cli: &Cli, around: &Surroundings, terminal: &mut Terminal<'_>) -> Option<Exit> {
    let done = match &cli.command {
        Command::Config(ConfigCommand::Check) => config::check(&cli.global.request(), around, terminal),
        Command::Config(ConfigCommand::Show { origin }) => {
            config::show(&cli.global.request(), around, *origin, terminal)
        }
        Command::Completions { shell } => completions::run(*shell, terminal.out).map(|()| Exit::Done),
        Command::Man { dir } => man::run(dir).map(|()| Exit::Done),
        _ => return None,
    };
    Some(terminal.ends(done))
}
