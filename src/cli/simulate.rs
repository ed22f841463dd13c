//! `hrvd simulate`: what a strap of a profile sends, as lines to read, as JSON, or as a recording to replay.

use super::{Exit, Terminal};
use crate::analyze::parse_rr_text;
use crate::engine::{Record, RecordKind};
use crate::recording::text;
use crate::sim::{Course, HeartBeat, How, Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent, Truth};
use crate::units::{Mono, RrTicks, StrapId};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Address of the simulated strap: locally administered, so no real strap has it.
const STRAP: StrapId = StrapId([0x02, 0x00, 0x00, 0x00, 0x00, 0x01]);
/// Recordings begin here; far enough from zero for look-backs.
const START: Mono = Mono::from_secs(1000);

/// What to simulate.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// List the profiles, what each does and what must be said about it
    #[arg(long, conflicts_with_all = ["rr", "recording"])]
    pub list: bool,
    /// Kind of strap or fault
    #[arg(long, value_name = "ID", default_value = "plain")]
    pub profile: String,
    /// RR intervals to send, one in ms a line, instead of a simulated heart
    #[arg(long, value_name = "FILE", conflicts_with = "heart")]
    pub rr: Option<PathBuf>,
    /// What the simulated heart does
    #[arg(long, value_enum, default_value_t = HeartKind::Settling)]
    pub heart: HeartKind,
    /// The same number gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long; with --rr at most to its end
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub seconds: u32,
    /// Write a recording that `hrvd replay` takes
    #[arg(long)]
    pub recording: bool,
}

/// A simulated heart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeartKind {
    /// At rest since long
    Rest,
    /// Just lain down, settling
    Settling,
    /// Rest, a ramp up to 178 bpm, recovery
    Exercise,
    /// An endurance athlete: 40 bpm, strong respiratory arrhythmia
    Athlete,
    /// Rest with ectopic beats
    Ectopic,
}

impl HeartKind {
    fn config(self, seed: u64) -> RhythmConfig {
        let rest = RhythmConfig { seed, ..RhythmConfig::default() };
        match self {
            Self::Rest => rest,
            Self::Settling => RhythmConfig { course: Course::Settling { bpm: 15.0, tau_s: 25.0 }, ..rest },
            Self::Exercise => RhythmConfig { course: Course::RAMP, ..rest },
            Self::Athlete => RhythmConfig::athlete(seed),
            Self::Ectopic => RhythmConfig { ectopics_per_1000: 20, ..rest },
        }
    }
}

/// Simulates.
pub fn run(args: &SimulateArgs, terminal: &mut Terminal<'_>) -> Exit {
    let done = if args.list {
        list(terminal)
    } else {
        let Some(profile) = Profile::by_id(&args.profile) else {
            let _ = writeln!(terminal.err, "error: no profile '{}'", args.profile);
            let _ = writeln!(terminal.err, "hint: `hrvd simulate --list` shows them");
            return Exit::Usage;
        };
        let heart: Box<dyn Iterator<Item = HeartBeat>> = match &args.rr {
            None => Box::new(Rhythm::new(args.heart.config(args.seed))),
            Some(path) => match read(path) {
                Ok(rr) => Box::new(rr.into_iter().map(HeartBeat::from)),
                Err(problems) => {
                    for p in problems.iter().take(20) {
                        let _ = writeln!(terminal.err, "error: {p}");
                    }
                    return Exit::Usage;
                }
            },
        };
        let end = Duration::from_secs(u64::from(args.seconds));
        let events = ProfileStrap::new(profile, heart, args.seed).take_while(|e| e.at() < end);
        write(events, args.recording, terminal)
    };
    terminal.ends(done.map(|()| Exit::Done))
}

fn read(path: &Path) -> Result<Vec<RrTicks>, Vec<String>> {
    let name = path.display();
    let content = std::fs::read_to_string(path).map_err(|e| vec![format!("{name}: cannot be read: {e}")])?;
    let series =
        parse_rr_text(&content).map_err(|errors| errors.iter().map(|e| format!("{name}: {e}")).collect::<Vec<_>>())?;
    let ticks: Option<Vec<RrTicks>> = series.rr_ms.into_iter().map(RrTicks::from_ms).collect();
    ticks.ok_or_else(|| vec![format!("{name}: holds an interval over 63.9 s, which no strap can send")])
}

fn list(terminal: &mut Terminal<'_>) -> io::Result<()> {
    for p in Profile::all() {
        let findings: Vec<&str> = p.diagnosis.findings.iter().map(|f| f.as_str()).collect();
        if terminal.json {
            let d = &p.diagnosis;
            let v = json!({
                "id": p.id, "does": p.sentence, "quirks": p.quirks, "findings": findings,
                "units": d.units.as_str(), "smoothing": d.smoothing.as_str(), "worn": d.worn.as_str(),
            });
            writeln!(terminal.out, "{v}")?;
        } else {
            writeln!(terminal.out, "{:<20} {}", p.id, p.sentence)?;
            if !findings.is_empty() {
                writeln!(terminal.out, "{:<20} -> {}", "", findings.join(", "))?;
            }
        }
    }
    Ok(())
}

fn write(events: impl Iterator<Item = SimEvent>, recording: bool, terminal: &mut Terminal<'_>) -> io::Result<()> {
    if recording {
        writeln!(terminal.out, "{}", text::HEADER)?;
    }
    for event in events {
        let line = match (recording, terminal.json) {
            (true, _) => record(event).map(|r| text::line(&r)),
            (false, true) => Some(as_json(&event).to_string()),
            (false, false) => Some(words(&event)),
        };
        if let Some(line) = line {
            writeln!(terminal.out, "{line}")?;
        }
    }
    Ok(())
}

/// What a gateway would have recorded.
fn record(event: SimEvent) -> Option<Record> {
    let at = START + event.at();
    let kind = match event {
        SimEvent::LinkUp { .. } => RecordKind::Link { strap: STRAP, up: true },
        SimEvent::LinkDown { .. } => RecordKind::Link { strap: STRAP, up: false },
        SimEvent::Notification { bytes, .. } => RecordKind::Packet { strap: STRAP, bytes },
        SimEvent::Facts { .. } | SimEvent::Lost { .. } => return None,
    };
    Some(Record { at, kind })
}

fn words(event: &SimEvent) -> String {
    let at = event.at().as_secs_f64();
    match event {
        SimEvent::LinkUp { .. } => format!("# {at:.3} link up"),
        SimEvent::LinkDown { .. } => format!("# {at:.3} link down"),
        SimEvent::Facts { facts, .. } => {
            let battery = facts.battery_pct.map_or("no battery level".to_owned(), |b| format!("battery {b} %"));
            format!("# {at:.3} {}, {battery}", facts.name.as_deref().unwrap_or_default())
        }
        SimEvent::Lost { .. } => format!("# {at:.3} lost"),
        SimEvent::Notification { bytes, .. } => format!("{at:.3} {}", hex(bytes)),
    }
}

fn as_json(event: &SimEvent) -> Value {
    let at = event.at().as_secs_f64();
    match event {
        SimEvent::LinkUp { .. } => json!({"type": "link", "at_s": at, "up": true}),
        SimEvent::LinkDown { .. } => json!({"type": "link", "at_s": at, "up": false}),
        SimEvent::Facts { facts, .. } => {
            json!({"type": "facts", "at_s": at, "name": facts.name, "battery_pct": facts.battery_pct, "location": facts.location})
        }
        SimEvent::Lost { truth, .. } => json!({"type": "lost", "at_s": at, "truth": truths(truth)}),
        SimEvent::Notification { bytes, truth, .. } => {
            json!({"type": "notification", "at_s": at, "hex": hex(bytes), "truth": truths(truth)})
        }
    }
}

fn truths(truth: &[Truth]) -> Value {
    truth.iter().map(|t| json!({"how": how(t.how), "first": t.first, "count": t.count, "raw": t.raw})).collect()
}

fn how(how: How) -> &'static str {
    match how {
        How::True => "true",
        How::Merged => "merged",
        How::SplitHead => "split_head",
        How::SplitTail => "split_tail",
        How::Smoothed => "smoothed",
        How::Wrong => "wrong",
        How::Repeat => "repeat",
        How::Invented => "invented",
        How::NotSent => "not_sent",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn simulate(words: &[&str], json: bool) -> (Exit, String, String) {
        let cli = Cli::try_parse_from([&["simulate"], words].concat()).unwrap();
        let (mut out, mut err) = (vec![], vec![]);
        let exit = run(&cli.args, &mut Terminal { out: &mut out, err: &mut err, json });
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_recording_can_be_replayed() {
        let (exit, out, _) = simulate(&["--profile", "drops_30s", "--seconds", "100", "--recording"], false);
        assert_eq!(exit, Exit::Done);
        let decoded = text::decode(&out).unwrap();
        let links = decoded.records.iter().filter(|r| matches!(r.kind, RecordKind::Link { .. })).count();
        assert_eq!((links, decoded.skipped), (5, 0), "{out}");
        assert!((80..100).contains(&(decoded.records.len() - links)));
    }

    #[test]
    fn a_file_of_intervals_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rr.txt");
        std::fs::write(&path, "1000\n812.5\n").unwrap();
        let (_, out, _) = simulate(&["--rr", path.to_str().unwrap()], false);
        let packets: Vec<&str> =
            out.lines().filter(|l| !l.starts_with('#')).map(|l| l.split(' ').nth(1).unwrap()).collect();
        assert_eq!(packets, ["103c0004", "103f4003"]);
        std::fs::write(&path, "1000\nabc\n").unwrap();
        let (exit, _, err) = simulate(&["--rr", path.to_str().unwrap()], false);
        assert!(exit == Exit::Usage && err.contains("line 2"), "{err}");
    }

    #[test]
    fn the_list_and_json_are_machine_readable() {
        let (_, out, _) = simulate(&["--list"], true);
        assert_eq!(out.lines().count(), Profile::all().len());
        for line in out.lines().chain(simulate(&["--profile", "lossy", "--seconds", "60"], true).1.lines()) {
            assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
        }
        let (exit, _, err) = simulate(&["--profile", "nonsense"], false);
        assert!(exit == Exit::Usage && err.contains("--list"));
    }
}
