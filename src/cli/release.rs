//! `hrvd release`: lets a strap go for a while, so that another app can have it.

use super::Exit;
use super::args::Global;
use super::ask::{complain, load_and_connect};
use super::terminal::Terminal;
use crate::config::Surroundings;
use crate::control::Op;
use crate::units::StrapId;
use serde_json::json;

/// Lets the strap go, or takes it back.
pub fn run(
    strap: StrapId,
    minutes: Option<u32>,
    end: bool,
    global: &Global,
    around: &Surroundings,
    terminal: &mut Terminal<'_>,
) -> Exit {
    // without a daemon nobody holds the strap, and `complain` says that none runs
    let mut client = match load_and_connect(global, around, terminal) {
        Ok(client) => client,
        Err(exit) => return exit,
    };
    let answer = match client.ask(&Op::Release { address: strap.to_string(), minutes, end }) {
        Ok(answer) => answer,
        Err(e) => return complain(&e, terminal),
    };
    let left = answer["released_s"].as_u64();
    let _ = if terminal.json {
        writeln!(terminal.out, "{}", json!({"strap": strap.to_string(), "released_s": left}))
    } else {
        match left {
            Some(s) => writeln!(terminal.out, "{strap} is free for {} min; then hrvd takes it back.", s.div_ceil(60)),
            None => writeln!(terminal.out, "{strap} is hrvd's again: it connects when it sees the strap."),
        }
    };
    Exit::Done
}
