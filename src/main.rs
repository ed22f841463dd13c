//! The program: parses the command line, dispatches, ends with a documented exit code.

use clap::Parser;
use hrvd::cli::{Cli, Exit, dispatch};

fn main() -> Exit {
    dispatch(&Cli::parse())
}
