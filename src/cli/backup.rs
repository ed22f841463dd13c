//! `hrvd backup` and `hrvd restore`: one file that holds everything, and the way back.

use super::Exit;
use super::args::Global;
use super::ask::connect;
use super::terminal::Terminal;
use crate::clock::{Clock, ClockTrust, boot_id};
use crate::config::{Config, Surroundings};
use crate::control::{ClientError, Op};
use crate::store::{self, Backup, OpenOptions, StoreError};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where to.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The new file, or a folder to put one with today's date into
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}

/// Copies the database while the daemon runs on it, or without one.
pub fn backup(args: &BackupArgs, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    let file = target(&args.file);
    if file.exists() && !args.force {
        let _ = writeln!(terminal.err, "error: {} is there already\nhint: --force replaces it", file.display());
        return Exit::Usage;
    }
    if matches!(config.store.path.try_exists(), Ok(false)) {
        let _ = writeln!(terminal.err, "error: nothing is stored there: {}", config.store.path.display());
        return Exit::NotFound;
    }
    // what a running daemon still holds in its journal belongs to the copy too
    let sealed = match connect(&config).and_then(|mut c| c.ask(&Op::Seal)) {
        Ok(_) => Ok(()),
        Err(ClientError::NotRunning(_)) if store::is_untidy(&config.store.path) => store::tidy(options(&config)),
        Err(ClientError::NotRunning(_)) => Ok(()),
        Err(e) => {
            let _ = writeln!(terminal.err, "the newest minutes may be missing: {e}");
            Ok(())
        }
    };
    match sealed.and_then(|()| Backup::of(&config.store.path)?.write(&file)) {
        Ok(c) => {
            let _ = match terminal.json {
                true => writeln!(
                    terminal.out,
                    "{}",
                    json!({"file": file.display().to_string(), "bytes": c.bytes, "results": c.results, "recordings": c.recordings})
                ),
                false => writeln!(
                    terminal.out,
                    "{}: {} with {} results and {} recordings, every page read back. It is not encrypted: keep it private.",
                    file.display(),
                    size(c.bytes),
                    c.results,
                    c.recordings
                ),
            };
            Exit::Done
        }
        Err(e) => complain(&e, terminal),
    }
}

/// Puts a backup in the place of the database.
pub fn restore(from: &Path, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    if !matches!(connect(&config), Err(ClientError::NotRunning(_))) {
        let _ = writeln!(
            terminal.err,
            "error: hrvd is running on {}\nhint: sudo systemctl stop hrvd, restore, then start it again",
            config.store.path.display()
        );
        return Exit::Failed;
    }
    match store::restore(options(&config), from) {
        Ok(r) => {
            let aside = r.aside.as_ref().map(|p| p.display().to_string());
            let _ = match (terminal.json, &aside) {
                (true, _) => writeln!(
                    terminal.out,
                    "{}",
                    json!({"results": r.contents.results, "recordings": r.contents.recordings, "old": aside})
                ),
                (false, old) => writeln!(
                    terminal.out,
                    "{} results and {} recordings are in force. {} Start hrvd: sudo systemctl start hrvd",
                    r.contents.results,
                    r.contents.recordings,
                    old.as_ref()
                        .map_or("There was no database before.".into(), |p| format!("The old database is {p}."))
                ),
            };
            Exit::Done
        }
        Err(e) => complain(&e, terminal),
    }
}

/// How the daemon of this configuration opens the store.
pub(super) fn options(config: &Config) -> OpenOptions {
    let roster = config.roster();
    let ram = config.control_socket.parent().filter(|dir| store::is_ram(dir)).map(Path::to_owned);
    let boot = boot_id().unwrap_or_else(|_| "unknown".to_owned());
    let options = OpenOptions::new(&config.store.path, boot);
    OpenOptions { athletes: roster.athletes, straps: roster.straps, tail: ram, ..options }
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=1_048_575 => format!("{} kB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MB", bytes as f64 / 1_048_576.0),
    }
}

fn target(file: &Path) -> PathBuf {
    if !file.is_dir() {
        return file.to_owned();
    }
    // a backup needs no synchronised clock: the name only tells it from others
    let now =
        Clock::system(ClockTrust::Plausible).now().wall.map(|w| w.to_zoned_datetime(jiff::tz::TimeZone::system()));
    file.join(now.map_or("hrvd.db".to_owned(), |now| format!("hrvd-{}.db", now.date())))
}

fn complain(e: &StoreError, terminal: &mut Terminal<'_>) -> Exit {
    let _ = writeln!(terminal.err, "error: {e}\nhint: {}", e.hint());
    Exit::Failed
}
