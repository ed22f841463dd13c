//! `hrvd replay`: a recording or a text of RR intervals through the same engine as live beats, into a morning check.

use super::Exit;
use super::args::{Global, Speed};
use super::guide::{Guide, Look, cause_words, result_words};
use super::terminal::Terminal;
use crate::analyze::parse_rr_text;
use crate::check::CheckConfig;
use crate::clock::{Clock, ClockTrust};
use crate::engine::{Athlete, Command, Config, Engine, Input, Output, Record, RecordKind, Roster, Strap, Trigger};
use crate::json::{self, Zero};
use crate::player::Player;
use crate::recording::text;
use crate::sim::StrapSim;
use crate::units::{AthleteId, Mono, RrTicks, StrapId};
use crate::verdict::source_of;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// The strap of a text that names none.
const TEXT_STRAP: StrapId = StrapId([0; 6]);
/// Simulated time starts here; far enough from zero for look-backs.
const START: Mono = Mono::from_secs(1000);
/// After the last record the engine is given this long to say what is still due.
const TAIL: Duration = Duration::from_secs(600);

/// What a file holds.
struct Tape {
    records: Vec<Record>,
    skipped: usize,
}

/// Reads a file; every bad line is named.
fn read(path: &Path) -> Result<Tape, Vec<String>> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|e| vec![format!("{name}: cannot be read: {e}")])?;
    let content = String::from_utf8(bytes).map_err(|e| {
        vec![format!(
            "{name}: not text (byte {} is no UTF-8): neither RR text nor a recording",
            e.utf8_error().valid_up_to()
        )]
    })?;
    if content.starts_with("#hrvd-recording") {
        let decoded = text::decode(&content).map_err(|e| vec![format!("{name}: {e}")])?;
        if !decoded.records.iter().any(|r| matches!(r.kind, RecordKind::Packet { .. })) {
            return Err(vec![format!("{name}: holds no packets")]);
        }
        return Ok(Tape { records: decoded.records, skipped: decoded.skipped });
    }
    let rr = parse_rr_text(&content)
        .map_err(|errors| errors.iter().map(|e| format!("{name}: {e}")).collect::<Vec<_>>())?
        .rr_ms;
    let ticks: Option<Vec<RrTicks>> = rr.iter().map(|ms| RrTicks::from_ms(*ms)).collect();
    let ticks = ticks.ok_or_else(|| vec![format!("{name}: holds an interval over 63.9 s, which no strap can send")])?;
    let notifications = StrapSim::new(ticks.into_iter());
    let records = notifications
        .map(|n| Record { at: START + n.at, kind: RecordKind::Packet { strap: TEXT_STRAP, bytes: n.bytes } })
        .collect();
    Ok(Tape { records, skipped: 0 })
}

/// Everybody a recording speaks of. A strap belongs to the athlete of the check, or to `replay`.
fn roster(records: &[Record]) -> Option<(Roster, AthleteId)> {
    let named = records.iter().find_map(|r| match &r.kind {
        RecordKind::Command(Command::StartCheck { athlete, .. }) => Some(athlete.clone()),
        _ => None,
    });
    let athlete = match named {
        Some(a) => a,
        None => "replay".parse().ok()?,
    };
    let straps: BTreeSet<StrapId> = records
        .iter()
        .filter_map(|r| match r.kind {
            RecordKind::Packet { strap, .. } | RecordKind::Link { strap, .. } => Some(strap),
            RecordKind::Command(_) | RecordKind::Anchor { .. } => None,
        })
        .collect();
    let athletes = vec![Athlete {
        id: athlete.clone(),
        name: athlete.to_string(),
        time_zone: TimeZone::system(),
        posture: crate::check::Posture::Supine,
        wake_window: None,
    }];
    let straps = straps.into_iter().map(|id| Strap { id, athlete: athlete.clone(), name: None }).collect();
    Some((Roster { athletes, straps }, athlete))
}

/// Replays a file through a morning check.
pub fn run(file: &Path, speed: Speed, check: CheckConfig, global: &Global, terminal: &mut Terminal<'_>) -> Exit {
    let tape = match read(file) {
        Ok(tape) => tape,
        Err(problems) => {
            for p in problems.iter().take(20) {
                let _ = writeln!(terminal.err, "error: {p}");
            }
            if problems.len() > 20 {
                let _ = writeln!(terminal.err, "error: and {} more", problems.len() - 20);
            }
            if file.exists() {
                let hint = "one RR interval in ms a line, '#' begins a comment; or a recording that hrvd export wrote";
                let _ = writeln!(terminal.err, "hint: {hint}");
            }
            return Exit::Usage;
        }
    };
    let _ = match tape.skipped {
        0 => Ok(()),
        1 => writeln!(terminal.err, "1 line of a newer hrvd was skipped"),
        n => writeln!(terminal.err, "{n} lines of a newer hrvd were skipped"),
    };
    let Some((roster, athlete)) = roster(&tape.records) else { return Exit::Failed };
    let first = tape.records.first().map_or(START, |r| r.at);
    let has_check = tape.records.iter().any(|r| matches!(r.kind, RecordKind::Command(Command::StartCheck { .. })));
    // a text counts from the start of its first interval, a recording from its first record
    let start = if first > START && first.since(START) < Duration::from_secs(60) { START } else { first };
    let config = Config { boot: "replay".into(), live_interval: Duration::from_secs(5), check };
    let mut player = Player::new(Engine::new(config), start, None);

    let look = Look::of_stderr(global.no_color);
    let mut shown = Shown {
        zero: Zero(start),
        guide: Guide::new(look),
        look,
        result: None,
        cause: None,
        gone: false,
        over: false,
        tape_over: false,
    };
    let pace = Pace::new(speed, start);
    let mut say = |at: Mono, o: Output, terminal: &mut Terminal<'_>| shown.output(at, &o, terminal);
    let mut step =
        |player: &mut Player, record: Option<Record>, input: Option<Input>, at: Mono, t: &mut Terminal<'_>| {
            pace.wait(at);
            let mut said = |at, o| say(at, o, t);
            if let Some(record) = record {
                player.record(record, &mut said);
            }
            if let Some(input) = input {
                player.input(at, input, &mut said);
            }
        };
    // a finished recording knows its units from the first beat on
    let known: Vec<Input> =
        roster.straps.iter().map(|s| Input::Known { strap: s.id, source: source_of(&tape.records, s.id) }).collect();
    step(&mut player, None, Some(Input::Roster(roster)), start, terminal);
    for input in known {
        step(&mut player, None, Some(input), start, terminal);
    }
    if !has_check {
        let command = Command::StartCheck { athlete, posture: None, trigger: Trigger::Manual };
        step(&mut player, None, Some(Input::Command(command)), start, terminal);
    }
    let mut last = start;
    for record in tape.records {
        last = record.at;
        step(&mut player, Some(record), None, last, terminal);
    }
    // let what is due happen: the end of a window, a drop-out that nobody ends
    shown.tape_over = true;
    let mut said = |at: Mono, o: Output| shown.output(at, &o, terminal);
    let until = last + TAIL;
    while player.engine().is_checking() && player.now().mono < until {
        let Some(due) = player.engine().poll_timeout().filter(|d| *d <= until) else { break };
        player.advance(due, &mut said);
    }
    shown.end(terminal)
}

/// What the replay shows, and what it remembers for its end.
struct Shown {
    zero: Zero,
    guide: Guide,
    look: Look,
    result: Option<serde_json::Value>,
    /// Why a check ended without one.
    cause: Option<String>,
    /// Nobody reads any more.
    gone: bool,
    over: bool,
    /// There is nothing left to play: what ends now ends for that.
    tape_over: bool,
}

impl Shown {
    fn output(&mut self, at: Mono, output: &Output, terminal: &mut Terminal<'_>) {
        let v = json::output(self.zero, at, output);
        if terminal.json {
            self.gone = self.gone || writeln!(terminal.out, "{v}").is_err();
        }
        if v["type"] == "check" && v["phase"] == "aborted" {
            let cause = v["cause"].as_str().filter(|c| !self.tape_over || !matches!(*c, "strap_lost" | "no_strap"));
            self.over |= cause.is_none();
            self.cause = cause.map(str::to_owned);
        }
        if !terminal.json && !self.over {
            self.over = self.guide.see(&v);
        }
        if v["type"] == "check_result" {
            self.result = Some(v);
        }
    }

    fn end(self, terminal: &mut Terminal<'_>) -> Exit {
        match self.result {
            Some(v) => {
                if !terminal.json {
                    let _ = write!(terminal.out, "{}", result_words(self.look, &v));
                }
                if v["rmssd_ms"].is_null() { Exit::NoResult } else { Exit::Done }
            }
            None => {
                // an aborted check has said so already, unless the words went to a machine
                let words = match self.cause.as_deref() {
                    None => Some("the recording is too short for a check: it takes about three minutes".to_owned()),
                    Some(cause) if terminal.json => Some(format!("no result: {}", cause_words(cause))),
                    Some(_) => None,
                };
                let _ = words.map(|w| writeln!(terminal.err, "{w}"));
                Exit::NoResult
            }
        }
    }
}

/// Real time for a replay that is not as fast as it can be.
struct Pace {
    clock: Option<Clock>,
    offset_us: i64,
}

impl Pace {
    fn new(speed: Speed, start: Mono) -> Self {
        let clock = match speed {
            Speed::Max => None,
            Speed::Times(n) => Some(Clock::system(ClockTrust::Auto).scaled(n)),
        };
        let offset_us = clock.as_ref().map_or(0, |c| c.mono().diff_micros(start));
        Self { clock, offset_us }
    }

    fn wait(&self, at: Mono) {
        if let Some(clock) = &self.clock {
            std::thread::sleep(clock.until(at.offset_micros(self.offset_us)));
        }
    }
}
