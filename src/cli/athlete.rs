//! `hrvd athlete export` and `hrvd athlete delete`: everything of a person, to take along or to be gone.

use super::Exit;
use super::args::Global;
use super::ask::{complain, connect};
use super::backup::options;
use super::setup::{self, files::is_unedited};
use super::terminal::Terminal;
use super::whose::failed;
use crate::config::{self, Config, DEFAULT_FILE, Loaded, Origin, Surroundings};
use crate::control::{ClientError, Kind, Op};
use crate::daemon::Settings;
use crate::json::{self, Zero};
use crate::mqtt::{self, Places};
use crate::recording::text;
use crate::store::{self, Query};
use crate::units::{AthleteId, StrapId};
use clap::{Args, Subcommand};
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to do with a person's data.
#[derive(Clone, Debug, Subcommand)]
pub enum AthleteCommand {
    /// Write everything that is stored of a person into a folder: recordings, results, and every other row
    #[command(after_help = "Example:\n  sudo hrvd athlete export alex --out alex-data")]
    Export(ExportArgs),
    /// Delete everything of a person: database, logs, adoptions, and what the broker keeps
    ///
    /// Nothing brings it back but a backup; files that may still hold it are named.
    #[command(after_help = "Example:\n  sudo hrvd athlete delete alex")]
    Delete(DeleteArgs),
}

/// Whose, and where to.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Short name of the person
    #[arg(value_name = "NAME")]
    pub athlete: AthleteId,
    /// The new folder [default: hrvd-NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Whose.
#[derive(Args, Clone, Debug)]
pub struct DeleteArgs {
    /// Short name of the person
    #[arg(value_name = "NAME")]
    pub athlete: AthleteId,
    /// Do not ask for the name again
    #[arg(short, long)]
    pub yes: bool,
}

/// Time for the broker to forget.
const CLEAR: Duration = Duration::from_secs(20);

/// Does it.
pub fn run(command: &AthleteCommand, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let loaded = match super::run::load(global, around) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    match command {
        AthleteCommand::Export(args) => export(args, &loaded.config, terminal),
        AthleteCommand::Delete(args) => delete(args, &loaded, global, around, terminal),
    }
}

/// What is written, for whoever opens the folder.
const READ_ME: &str = "Everything that hrvd stored of one person.

recordings/*.hrvd   the packets of a strap as they came; `hrvd replay` and `hrvd analyze` read them
checks.jsonl        results of checks, one JSON object a line
tables/*.jsonl      all other rows of the database, table by table

hrvd's docs/recording.md and docs/control.md describe the formats.
";

fn export(args: &ExportArgs, config: &Config, terminal: &mut Terminal<'_>) -> Exit {
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("hrvd-{}", args.athlete)));
    if fs::read_dir(&dir).is_ok_and(|mut d| d.next().is_some()) {
        let _ = writeln!(terminal.err, "error: {} is not empty\nhint: --out names another folder", dir.display());
        return Exit::Usage;
    }
    match connect(config).and_then(|mut c| c.ask(&Op::Seal)) {
        Ok(_) => {}
        Err(ClientError::NotRunning(_)) if store::is_untidy(&config.store.path) => {
            if let Err(e) = store::tidy(options(config)) {
                let _ = writeln!(terminal.err, "the newest minutes may be missing: {e}");
            }
        }
        Err(ClientError::NotRunning(_)) => {}
        Err(e) => {
            let _ = writeln!(terminal.err, "the newest minutes may be missing: {e}");
        }
    }
    let written =
        Query::open(&config.store.path).map_err(io::Error::other).and_then(|query| write(args, config, &query, &dir));
    match written {
        Ok(Written { recordings: 0, results: 0, rows: 0 }) => {
            let _ = writeln!(terminal.err, "error: nothing is stored of '{}'", args.athlete);
            Exit::NotFound
        }
        Ok(w) => {
            let _ = match terminal.json {
                true => writeln!(
                    terminal.out,
                    "{}",
                    json!({"folder": dir.display().to_string(), "recordings": w.recordings, "results": w.results, "rows": w.rows})
                ),
                false => writeln!(
                    terminal.out,
                    "{}: {} recordings, {} results, {} rows in all. Keep it private.",
                    dir.display(),
                    w.recordings,
                    w.results,
                    w.rows
                ),
            };
            Exit::Done
        }
        Err(e) => {
            let _ = writeln!(terminal.err, "error: {e}\nhint: use sudo, and a folder with room");
            Exit::Failed
        }
    }
}

#[derive(Default)]
struct Written {
    recordings: usize,
    results: usize,
    rows: usize,
}

fn write(args: &ExportArgs, config: &Config, query: &Query, dir: &Path) -> io::Result<Written> {
    let mut out = Written::default();
    let tables = query.personal(&args.athlete, &config.roster().straps).map_err(io::Error::other)?;
    out.rows = tables.iter().map(|(_, rows)| rows.len()).sum();
    if out.rows == 0 {
        return Ok(out);
    }
    let put = |name: &str, text: &str| {
        let path = dir.join(name);
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
        }
        // health data: for nobody else
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(named)?;
        file.write_all(text.as_bytes()).map_err(named)
    };
    put("README.txt", READ_ME)?;
    // as the table says: also what a strap of this person sent that stands under no name
    let rows = tables.iter().filter(|(table, _)| table == "recording").flat_map(|(_, rows)| rows);
    let own: HashSet<i64> = rows.filter_map(|row| row["id"].as_i64()).collect();
    let exports = query.exports().map_err(io::Error::other)?;
    for r in exports.recordings.iter().filter(|r| own.contains(&r.id)) {
        let records = exports.records(r).map_err(io::Error::other)?;
        let date = r.wall.map_or("undated".to_owned(), |w| w.strftime("%Y-%m-%dT%H%MZ").to_string());
        put(&format!("recordings/{date}-{}.hrvd", r.id), &text::encode(&records))?;
        out.recordings += 1;
    }
    let mut results = query.results(Some(&args.athlete), u32::MAX >> 1).map_err(io::Error::other)?;
    results.reverse();
    out.results = results.len();
    let lines: String = results.iter().map(|r| format!("{}\n", json::result(Zero::default(), r))).collect();
    put("checks.jsonl", &lines)?;
    for (table, rows) in tables.iter().filter(|(_, rows)| !rows.is_empty()) {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        put(&format!("tables/{table}.jsonl"), &lines)?;
    }
    Ok(out)
}

fn delete(
    args: &DeleteArgs,
    loaded: &Loaded,
    global: &Global,
    around: &Surroundings,
    terminal: &mut Terminal<'_>,
) -> Exit {
    let (who, config) = (&args.athlete, &loaded.config);
    let main = global.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let own = setup::athlete_file(&main, who);
    if let Some((place, ours)) = configured(loaded, who, &own) {
        if !ours {
            let _ = writeln!(
                terminal.err,
                "error: {who} stands in the configuration, at {place}\nhint: take the [[athlete]] and [[strap]] blocks \
                 out, restart hrvd, then delete"
            );
            return Exit::Usage;
        }
    }
    if !args.yes && !agreed(who, terminal) {
        let _ = writeln!(terminal.err, "Nothing was deleted.");
        return Exit::Usage;
    }
    // known before it is forgotten
    let straps = straps_of(config, who);
    if own.exists() {
        if let Err(e) = fs::remove_file(&own) {
            let _ = writeln!(terminal.err, "error: {}: {e}\nhint: use sudo", own.display());
            return Exit::Failed;
        }
    }
    let daemon = connect(config).and_then(|mut c| c.ask(&Op::DeleteAthlete { athlete: who.to_string() }));
    let rows = match daemon {
        Ok(v) => v["rows"].as_u64().unwrap_or(0),
        // its rows may be gone already, and its topics not
        Err(ClientError::Refused { kind: Kind::NotFound, .. }) => 0,
        Err(ClientError::NotRunning(_)) if matches!(config.store.path.try_exists(), Ok(false)) => 0,
        Err(ClientError::NotRunning(_)) => match store::erase_offline(options(config), who) {
            Ok(erased) => erased.total() as u64,
            Err(e) => return failed(&e, terminal),
        },
        Err(e) => return complain(&e, terminal),
    };
    let broker = clear(config, who, &straps, around);
    let copies = store::copies(&config.store.path, config.store.backup_dir.as_deref());
    say(who, rows, &broker, &copies, terminal);
    match broker {
        Some(Err(_)) => Exit::Failed,
        Some(Ok(found)) if !found.is_empty() => Exit::Done,
        _ if rows == 0 => Exit::NotFound,
        _ => Exit::Done,
    }
}

/// Where the configuration names the person, and whether only setup's own unedited fragment does.
fn configured(loaded: &Loaded, who: &AthleteId, own: &Path) -> Option<(String, bool)> {
    let names = |s: &&config::Setting| {
        (s.key.starts_with("athlete[") && s.key.ends_with(".slug")
            || s.key.starts_with("strap[") && s.key.ends_with(".athlete"))
            && s.value.as_str() == Some(who.as_str())
    };
    let place = |origin: &Origin| match origin {
        Origin::File { file, .. } => file.path.clone(),
        _ => PathBuf::from("the configuration"),
    };
    let places: Vec<PathBuf> = loaded.settings.iter().filter(names).map(|s| place(&s.origin)).collect();
    let strange = places.iter().find(|p| *p != own);
    let edited = || fs::read_to_string(own).is_ok_and(|text| !is_unedited(&text));
    match (strange, places.first()) {
        (Some(path), _) => Some((path.display().to_string(), false)),
        (None, Some(path)) => Some((path.display().to_string(), !edited())),
        (None, None) => None,
    }
}

/// Asks for the name at a terminal.
fn agreed(who: &AthleteId, terminal: &mut Terminal<'_>) -> bool {
    if !io::stdin().is_terminal() {
        let _ = writeln!(terminal.err, "hint: --yes deletes without a question");
        return false;
    }
    let _ = write!(terminal.err, "Everything of {who} will be deleted for good. Type the name again: ");
    let _ = terminal.err.flush();
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == who.as_str()
}

/// Straps that are or were this person's, as far as anybody knows.
fn straps_of(config: &Config, who: &AthleteId) -> Vec<StrapId> {
    let Ok(query) = Query::open(&config.store.path) else { return vec![] };
    let adopted = query.straps().unwrap_or_default().into_iter().map(|s| (s.strap.id, s.strap.athlete));
    let recorded = query.recordings().unwrap_or_default().into_iter().filter_map(|r| Some((r.strap, r.athlete?)));
    let listed = config.straps.iter().map(|s| (s.address, s.athlete.clone()));
    let all: Vec<(StrapId, AthleteId)> = adopted.chain(recorded).chain(listed).collect();
    let others: Vec<StrapId> = all.iter().filter(|(_, a)| a != who).map(|(s, _)| *s).collect();
    let mut own: Vec<StrapId> = all.iter().filter(|(s, a)| a == who && !others.contains(s)).map(|(s, _)| *s).collect();
    own.sort();
    own.dedup();
    own
}

/// Takes the person off the broker; `None` without one.
fn clear(
    config: &Config,
    who: &AthleteId,
    straps: &[StrapId],
    around: &Surroundings,
) -> Option<Result<Vec<String>, mqtt::NoEntry>> {
    let settings = Settings::from(config).mqtt?;
    let places = Places::of(&settings, who, straps);
    let mut out = None;
    super::run::with_runtime(around, async |_| {
        out = Some(mqtt::clear(&settings, &places, CLEAR).await);
        Exit::Done
    });
    out
}

fn say(
    who: &AthleteId,
    rows: u64,
    broker: &Option<Result<Vec<String>, mqtt::NoEntry>>,
    copies: &[PathBuf],
    terminal: &mut Terminal<'_>,
) {
    let copies: Vec<String> = copies.iter().map(|p| p.display().to_string()).collect();
    let trouble = broker.as_ref().and_then(|b| b.as_ref().err()).map(ToString::to_string);
    if terminal.json {
        let v = json!({
            "athlete": who.as_str(), "rows": rows, "broker": if broker.is_some() { json!(trouble.is_none()) } else { json!(null) },
            "broker_problem": trouble, "copies": copies,
        });
        let _ = writeln!(terminal.out, "{v}");
    } else {
        let _ = match rows {
            0 => writeln!(terminal.out, "Nothing was stored of {who}."),
            n => {
                writeln!(terminal.out, "{n} rows of {who} are deleted, and the database was written anew without them.")
            }
        };
        let _ = match (&trouble, broker) {
            (Some(_), _) | (None, None) => Ok(()),
            (None, Some(_)) => writeln!(terminal.out, "The broker keeps nothing of {who}."),
        };
        if !copies.is_empty() {
            let _ = writeln!(terminal.out, "These copies may still hold {who}; delete them if they shall not:");
            copies.iter().for_each(|c| drop(writeln!(terminal.out, "  {c}")));
        }
    }
    if let Some(trouble) = trouble {
        let _ = writeln!(
            terminal.err,
            "error: the broker was not cleared: {trouble}\nhint: run this again when it is reached; until then it may keep \
             the last state of {who}"
        );
    }
}
