//! `hrvd export`: what the store holds, for spreadsheets, notebooks and bug reports.

use super::Exit;
use super::args::Global;
use super::ask::connect;
use super::tape::segments;
use super::terminal::Terminal;
use crate::artifact;
use crate::check::CheckResult;
use crate::config::Surroundings;
use crate::control::{ClientError, Op};
use crate::engine::Record;
use crate::json::{self, Zero};
use crate::recording::text;
use crate::store::{Query, RecordingInfo, StoreError};
use crate::units::AthleteId;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;

/// What to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportWhat {
    /// Results of morning checks, one a line
    Checks,
    /// Beats of one recording with their labels, one a line
    Beats,
    /// The list of recordings
    Recordings,
    /// One recording, raw, to replay or to send with a bug report
    Recording,
}

/// Format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values with a header
    Csv,
    /// One JSON object a line
    Jsonl,
}

/// What is asked for.
#[derive(Debug)]
pub struct ExportArgs<'a> {
    /// What to write.
    pub what: ExportWhat,
    /// Format of tables.
    pub format: ExportFormat,
    /// Only this athlete's.
    pub athlete: Option<&'a AthleteId>,
    /// Which recording.
    pub id: Option<i64>,
    /// File instead of stdout.
    pub output: Option<&'a Path>,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("nothing is stored there: {0}")]
    Nothing(String),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes what was asked for.
pub fn run(args: &ExportArgs<'_>, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    // what a running daemon still holds in its journal belongs to the export too
    match connect(&config).and_then(|mut c| c.ask(&Op::Seal)) {
        Ok(_) | Err(ClientError::NotRunning(_)) => {}
        Err(e) => {
            let _ = writeln!(terminal.err, "the newest minutes may be missing: {e}");
        }
    }
    let path = config.store.path;
    let done = (|| -> Result<(), ExportError> {
        let Some(query) = Query::find(&path)? else {
            return Err(ExportError::Nothing(format!("{} is made at the daemon's first start", path.display())));
        };
        match args.output {
            None => write(args, &query, terminal.out),
            Some(file) => {
                let mut out = Late { path: file, file: None };
                write(args, &query, &mut out)?;
                Ok(out.flush()?)
            }
        }
    })();
    match done {
        Ok(()) => Exit::Done,
        // `hrvd export beats | head` is no failure
        Err(ExportError::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(e) => {
            let _ = writeln!(terminal.err, "error: {e}");
            match e {
                ExportError::Nothing(_) => Exit::NotFound,
                ExportError::Write(_) => Exit::Failed,
                ExportError::Store(e) => {
                    let _ = writeln!(terminal.err, "hint: {}", e.hint());
                    Exit::Failed
                }
            }
        }
    }
}

fn write(args: &ExportArgs<'_>, query: &Query, out: &mut dyn Write) -> Result<(), ExportError> {
    let mut table = Table { format: args.format, header: false, out };
    match args.what {
        ExportWhat::Checks => {
            let mut results: Vec<CheckResult> = query.results(args.athlete, u32::MAX >> 1)?;
            results.reverse();
            for r in &results {
                let mut v = json::result(Zero::default(), r);
                v["notes"] = json!(r.notes.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(" "));
                table.row(&v)?;
            }
            if results.is_empty() {
                return Err(ExportError::Nothing("no check was taken yet".into()));
            }
        }
        ExportWhat::Recordings => {
            for r in recordings(args, query)? {
                table.row(&json!({
                    "id": r.id, "strap": r.strap.to_string(), "athlete": r.athlete.map(|a| a.to_string()),
                    "start": r.wall.map(|w| w.to_string()), "seconds": r.end.since(r.start).as_secs(),
                    "packets": r.packets, "running": r.running,
                }))?;
            }
        }
        ExportWhat::Beats => beats(&chosen(args, query)?, query, &mut table)?,
        ExportWhat::Recording => {
            let records = records(&chosen(args, query)?, query)?;
            table.out.write_all(text::encode(&records).as_bytes())?;
        }
    }
    Ok(())
}

fn recordings(args: &ExportArgs<'_>, query: &Query) -> Result<Vec<RecordingInfo>, ExportError> {
    let mut all = query.recordings()?;
    all.retain(|r| args.athlete.is_none_or(|a| r.athlete.as_ref() == Some(a)));
    if all.is_empty() { Err(ExportError::Nothing("no recording yet".into())) } else { Ok(all) }
}

fn chosen(args: &ExportArgs<'_>, query: &Query) -> Result<RecordingInfo, ExportError> {
    let all = recordings(args, query)?;
    let found = match args.id {
        Some(id) => all.into_iter().find(|r| r.id == id),
        None => all.into_iter().max_by_key(|r| r.id),
    };
    found.ok_or_else(|| ExportError::Nothing("no recording with this id; hrvd export recordings lists them".into()))
}

fn records(info: &RecordingInfo, query: &Query) -> Result<Vec<Record>, ExportError> {
    query.export(info.id)?.ok_or_else(|| ExportError::Nothing(format!("recording {} is gone", info.id)))
}

/// One row a beat: its time since boot and by the wall clock, its interval, its label, the gap before it.
fn beats(info: &RecordingInfo, query: &Query, table: &mut Table<'_>) -> Result<(), ExportError> {
    for (gap, beats) in segments(&records(info, query)?, info.strap) {
        let rr: Vec<f64> = beats.iter().map(|b| b.rr.as_ms()).collect();
        let labels = artifact::classify(&rr);
        for (i, (beat, label)) in beats.iter().zip(labels).enumerate() {
            let wall = info
                .wall
                .and_then(|w| w.checked_add(jiff::SignedDuration::from_micros(beat.at.diff_micros(info.start))).ok());
            table.row(&json!({
                "t_s": beat.at.as_secs_f64(),
                "at": wall.map(|w| w.to_string()),
                "rr_ms": beat.rr.as_ms(),
                "label": label.letter().to_string(),
                "gap": gap.filter(|_| i == 0).map(|g| g.as_str()),
            }))?;
        }
    }
    Ok(())
}

/// A file that is made with its first byte: an export of nothing leaves nothing.
struct Late<'a> {
    path: &'a Path,
    file: Option<io::BufWriter<std::fs::File>>,
}

impl Write for Late<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(io::BufWriter::new(std::fs::File::create(self.path)?));
        }
        self.file.as_mut().map_or(Ok(0), |f| f.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), io::Write::flush)
    }
}

/// Rows of equal shape, as CSV with a header or as JSON lines.
struct Table<'a> {
    format: ExportFormat,
    header: bool,
    out: &'a mut dyn Write,
}

impl Table<'_> {
    fn row(&mut self, v: &Value) -> io::Result<()> {
        let Some(object) = v.as_object() else { return Ok(()) };
        if self.format == ExportFormat::Jsonl {
            return writeln!(self.out, "{v}");
        }
        if !self.header {
            self.header = true;
            let keys: Vec<&str> = object.keys().map(String::as_str).collect();
            writeln!(self.out, "{}", keys.join(","))?;
        }
        let cells: Vec<String> = object.values().map(cell).collect();
        writeln!(self.out, "{}", cells.join(","))
    }
}

fn cell(v: &Value) -> String {
    match v {
        Value::Null => String::new(),
        Value::String(s) if s.contains([',', '"', '\n']) => format!("\"{}\"", s.replace('"', "\"\"")),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}
