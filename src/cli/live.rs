//! `hrvd live`: what the heart does now, until Ctrl-C.

use super::Exit;
use super::args::Global;
use super::ask::{complain, load_and_connect};
use super::terminal::Terminal;
use crate::config::Surroundings;
use crate::control::{ClientError, Op};
use crate::units::AthleteId;
use serde_json::Value;

/// Prints live values, strap news and check phases as they come.
pub fn run(athlete: Option<&AthleteId>, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let mut client = match load_and_connect(global, around, terminal) {
        Ok(client) => client,
        Err(exit) => return exit,
    };
    let mut listen = || -> Result<(), ClientError> {
        client.ask(&Op::Subscribe { athlete: athlete.map(ToString::to_string) })?;
        while let Some(v) = client.receive()? {
            let written = if terminal.json { writeln!(terminal.out, "{v}") } else { plain(&v, terminal) };
            if written.and_then(|()| terminal.out.flush()).is_err() {
                return Ok(()); // nobody reads any more
            }
        }
        Ok(())
    };
    match listen() {
        Ok(()) => Exit::Done,
        Err(e) => complain(&e, terminal),
    }
}

fn plain(v: &Value, terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    let who = v["athlete"].as_str().unwrap_or("-");
    match v["type"].as_str() {
        Some("live") => match v["hr_bpm"].as_u64() {
            None => writeln!(terminal.out, "{who:<10} no heart rate"),
            Some(hr) => {
                let rmssd = v["rmssd_ms"].as_f64().map_or("   –".to_owned(), |x| format!("{x:4.0}"));
                let share = v["artifact_pct"].as_f64().map_or(String::new(), |x| format!("  {x:.0} % left out"));
                let contact = if v["contact"] == false { "  no skin contact" } else { "" };
                writeln!(terminal.out, "{who:<10} ♥ {hr:>3} bpm  RMSSD {rmssd} ms (60 s){share}{contact}")
            }
        },
        Some("strap") => {
            let name = v["name"].as_str().or(v["strap"].as_str()).unwrap_or("strap");
            let link = v["link"].as_str().unwrap_or("?").replace('_', " ");
            let battery = v["battery_pct"].as_u64().map_or(String::new(), |b| format!(", battery {b} %"));
            writeln!(terminal.out, "{who:<10} {name}: {link}{battery}")
        }
        Some("check") if v["changed"] == true && v["phase"] != "idle" => {
            writeln!(terminal.out, "{who:<10} check: {}", v["phase"].as_str().unwrap_or("?").replace('_', " "))
        }
        _ => Ok(()),
    }
}
