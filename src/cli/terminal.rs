//! Where a command writes: data to stdout, talk to stderr.

use super::args::Global;
use crate::config::Surroundings;
use std::io::{IsTerminal, Write};

/// The two streams of a command and how to write to them.
pub struct Terminal<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Talk: errors, warnings, progress.
    pub err: &'a mut dyn Write,
    /// Whether data is to be JSON.
    pub json: bool,
}

/// Writes a line to standard error. Nobody reading there is no reason to stop, let alone to panic as `eprintln!` does.
pub(super) fn talk(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether colours may be written to a stream: a terminal, and nobody objects (<https://no-color.org>).
pub fn colors(stream: &impl IsTerminal, global: &Global, around: &Surroundings) -> bool {
    !global.no_color && around.variable("NO_COLOR").is_none() && stream.is_terminal()
}
