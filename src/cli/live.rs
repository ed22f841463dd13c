//! `hrvd live`: what the heart does now, until Ctrl-C.

use super::Exit;
use super::args::Global;
use super::ask::{complain, load_and_connect};
use super::terminal::Terminal;
use crate::config::Surroundings;
use crate::control::{ClientError, Op};
use crate::units::AthleteId;
use serde_json::Value;
use std::io::Write;

/// Prints live values, strap news and check phases as they come.
pub fn run(athlete: Option<&AthleteId>, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let mut client = match load_and_connect(global, around, terminal) {
        Ok(client) => client,
        Err(exit) => return exit,
    };
    let mut table = Table::default();
    let mut listen = || -> Result<(), ClientError> {
        client.ask(&Op::Subscribe { athlete: athlete.map(ToString::to_string) })?;
        while let Some(v) = client.receive()? {
            let written = if terminal.json { writeln!(terminal.out, "{v}") } else { table.show(&v, terminal.out) };
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

/// A table for people: a head now and then, a line whenever values come.
#[derive(Debug, Default)]
struct Table {
    /// Lines until the head is due again.
    left: u32,
}

/// Lines under one head: about a screen.
const LINES: u32 = 20;
const HEAD: &str = concat!(
    "             heart  RMSSD, ms          SDNN, ms    DFA   breaths   left\n",
    "               bpm  30 s  60 s  5 min     5 min     a1  a minute    out",
);

impl Table {
    fn show(&mut self, v: &Value, out: &mut dyn Write) -> std::io::Result<()> {
        let who = v["athlete"].as_str().unwrap_or("-");
        match v["type"].as_str() {
            Some("live") => {
                if self.left == 0 {
                    self.left = LINES;
                    writeln!(out, "{HEAD}")?;
                }
                self.left -= 1;
                writeln!(out, "{who:<10} {}", values(v))
            }
            Some("strap") => {
                let name = v["name"].as_str().or(v["strap"].as_str()).unwrap_or("strap");
                let link = v["link"].as_str().unwrap_or("?").replace('_', " ");
                let battery = v["battery_pct"].as_u64().map_or(String::new(), |b| format!(", battery {b} %"));
                writeln!(out, "{who:<10} {name}: {link}{battery}{}", signal(v))
            }
            Some("check") if v["changed"] == true && v["phase"] != "idle" => {
                writeln!(out, "{who:<10} check: {}", v["phase"].as_str().unwrap_or("?").replace('_', " "))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the strap is worn, and what is wrong with its signal now.
fn signal(v: &Value) -> String {
    let mut text = match v["worn"].as_str().filter(|_| v["online"] == true) {
        Some("worn") => ", worn".to_owned(),
        Some("not_worn") => ", not worn".to_owned(),
        _ => String::new(),
    };
    let findings = v["findings"].as_array().into_iter().flatten().filter(|f| f["current"] == true);
    for id in findings.filter_map(|f| f["id"].as_str()) {
        text += &format!(", {}", id.replace('_', " "));
    }
    text
}

/// The values of one moment under [`HEAD`]. What is not known is a dash: too little data yet, or too many artifacts.
fn values(v: &Value) -> String {
    let Some(hr) = v["hr_bpm"].as_u64() else { return "♥ no heart rate".to_owned() };
    let cell = |x: &Value, width: usize, decimals: usize| match x.as_f64() {
        Some(x) => format!("{x:>width$.decimals$}"),
        None => format!("{:>width$}", "–"),
    };
    let window = |i: usize, key: &str, width: usize| cell(&v["windows"][i][key], width, 0);
    let mut line = format!(
        "♥ {hr:>5}  {}  {}  {}  {}  {}  {}  {} %",
        window(0, "rmssd_ms", 4),
        window(1, "rmssd_ms", 4),
        window(2, "rmssd_ms", 5),
        window(2, "sdnn_ms", 8),
        cell(&v["dfa"]["alpha1"], 5, 2),
        cell(&v["breathing"]["per_min"], 8, 0),
        cell(&v["artifact_pct"], 3, 0),
    );
    if let Some(why) = v["why"].as_str() {
        line.push_str(&format!("  no HRV: {}", why.replace('_', " ")));
    }
    if v["contact"] == false {
        line.push_str("  no skin contact");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(all: &[Value]) -> String {
        let (mut table, mut out) = (Table::default(), Vec::new());
        for v in all {
            table.show(v, &mut out).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    fn live(hr: Option<u64>) -> Value {
        json!({"type": "live", "athlete": "alex", "hr_bpm": hr, "contact": null, "artifact_pct": 1.6,
            "windows": [{"rmssd_ms": 41.4, "sdnn_ms": 50.0}, {"rmssd_ms": 43.6}, {"rmssd_ms": null, "sdnn_ms": null}],
            "dfa": {"alpha1": 0.984}, "breathing": {"per_min": 14.0}})
    }

    #[test]
    fn values_stand_under_their_heads_and_the_unknown_is_a_dash() {
        let text = shown(&[live(Some(62)), json!({"type": "live", "athlete": "alex", "hr_bpm": null})]);
        let want = concat!(
            "             heart  RMSSD, ms          SDNN, ms    DFA   breaths   left\n",
            "               bpm  30 s  60 s  5 min     5 min     a1  a minute    out\n",
            "alex       ♥    62    41    44      –         –   0.98        14    2 %\n",
            "alex       ♥ no heart rate\n",
        );
        assert_eq!(text, want);
        let bare = json!({"type": "live", "athlete": "alex", "hr_bpm": 60, "contact": false, "windows": null});
        let text = shown(&[bare]);
        assert!(text.ends_with("no skin contact\n") && text.matches('–').count() == 7, "{text}");
    }

    #[test]
    fn the_head_comes_again() {
        let all: Vec<Value> = (0..2 * LINES + 1).map(|_| live(Some(60))).collect();
        assert_eq!(shown(&all).matches("heart").count(), 3);
    }
}
