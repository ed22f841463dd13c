//! The command line: one file a command.

pub mod args;
pub mod completions;
pub mod config;
pub mod exit;
pub mod terminal;

pub use args::{Cli, Command, ConfigCommand, Global, Speed};
pub use exit::Exit;
pub use terminal::{Terminal, colors};

use crate::config::Surroundings;
use std::io;

/// Runs the commands that need neither the daemon nor a runtime; `None` if it is another one.
pub fn offline(cli: &Cli, around: &Surroundings, terminal: &mut Terminal<'_>) -> Option<Exit> {
    let done = match &cli.command {
        Command::Config(ConfigCommand::Check) => config::check(&cli.global.request(), around, terminal),
        Command::Config(ConfigCommand::Show { origin }) => {
            config::show(&cli.global.request(), around, *origin, terminal)
        }
        Command::Completions { shell } => completions::run(*shell, terminal.out).map(|()| Exit::Done),
        _ => return None,
    };
    Some(match done {
        Ok(exit) => exit,
        // `hrvd config show | head` is no failure.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(e) => {
            let _ = writeln!(terminal.err, "error: cannot write: {e}");
            Exit::Failed
        }
    })
}
