//! Where a command writes: data to stdout, talk to stderr.

use super::args::Global;
use super::exit::Exit;
use crate::config::Surroundings;
use std::io::{self, IsTerminal, Write};

/// The two streams of a command and how to write to them.
pub struct Terminal<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Talk: errors, warnings, progress.
    pub err: &'a mut dyn Write,
    /// Whether data is to be JSON.
    pub json: bool,
}

impl Terminal<'_> {
    /// How a command ends that wrote data, or could not. `hrvd … | head` is no failure.
    pub(super) fn ends(&mut self, written: io::Result<Exit>) -> Exit {
        match written {
            Ok(exit) => exit,
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Err(e) => {
                let _ = writeln!(self.err, "error: cannot write: {e}");
                Exit::Failed
            }
        }
    }
}

/// Writes a line to standard error. Nobody reading there is no reason to stop, let alone to panic as `eprintln!` does.
pub(super) fn talk(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether colours may be written to a stream: a terminal, and nobody objects (<https://no-color.org>).
pub fn colors(stream: &impl IsTerminal, global: &Global, around: &Surroundings) -> bool {
    !global.no_color && around.variable("NO_COLOR").is_none() && stream.is_terminal()
}
