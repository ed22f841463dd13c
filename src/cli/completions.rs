//! `hrvd completions SHELL`.

use super::args::Cli;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::{self, Write};

/// Writes the completion script.
pub fn run(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    // Into memory first: `generate` panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hrvd", &mut script);
    out.write_all(&script)
}
