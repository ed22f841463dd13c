//! A new database in the place of one that is damaged, empty or gone.
//!
//! It is built beside it under a name of its own, forced to the card, and named whole; only then the old file is moved
//! aside and the new one takes its place. So whenever the power goes, either the old file is there, from which all of it
//! begins anew, or the new one is whole. A card that is full leaves the old file where it is.

use super::db::{beside_sqlite, connect};
use super::error::{At, StoreError};
use super::{adoptions, beside, journal, migrate};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Being built: worth nothing after a crash.
const PART: &str = "replacing";
/// Whole, and forced to the card.
pub(super) const WHOLE: &str = "replacement";
/// What is taken over. Raw chunks stay in the damaged file.
const TABLES: [&str; 11] = [
    "athlete",
    "strap",
    "strap_facts",
    "strap_battery",
    "preference",
    "input",
    "verdict",
    "check_result",
    "outbox",
    "announced",
    "meta",
];

/// What the new one was made of.
pub(super) struct Built {
    pub(super) migrated: migrate::Migrated,
    /// Rows taken over.
    pub(super) rows: usize,
}

/// A database where there is none or nothing in it.
pub(super) fn begin(path: &Path) -> Result<Built, StoreError> {
    let built = build(path, false)?;
    put(path)?;
    Ok(built)
}

/// The same in the place of a damaged one; also where that is now.
pub(super) fn replace(path: &Path) -> Result<(Built, PathBuf), StoreError> {
    // an empty file is not asked: that would delete its log
    let built = build(path, len(path) > 0)?;
    let aside = free_aside(path);
    move_file(path, &aside)?;
    move_logs(path, &aside)?;
    put(path)?;
    Ok((built, aside))
}

/// Ends what a crash interrupted; where the damaged file is if that was a replacement.
pub(super) fn finish(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let whole = beside(path, WHOLE);
    remove(&beside(path, PART))?;
    if !whole.exists() {
        return Ok(None);
    }
    if path.exists() {
        remove(&whole)?; // begin anew, if it must be
        return Ok(None);
    }
    let moved = newest_aside(path);
    // a log without its file would be taken for the new one's
    let logs = beside_sqlite(path, "-wal").exists();
    let aside = moved.clone().filter(|a| !logs || !beside_sqlite(a, "-wal").exists());
    move_logs(path, &aside.unwrap_or_else(|| free_aside(path)))?;
    put(path)?;
    Ok(moved)
}

/// A log whose file is gone or empty: SQLite would delete it.
pub(super) fn only_log(path: &Path) -> bool {
    len(path) == 0 && len(&beside_sqlite(path, "-wal")) > 0
}

/// Rows of what is taken over.
pub(super) fn count(conn: &Connection) -> rusqlite::Result<usize> {
    let one = |table| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get::<_, i64>(0));
    TABLES.iter().try_fold(0, |sum, table| Ok(sum + one(table)? as usize))
}

fn build(path: &Path, with_old: bool) -> Result<Built, StoreError> {
    let part = beside(path, PART);
    remove(&part)?;
    let filled = fill(&part, path, with_old);
    if filled.is_err() {
        let _ = remove(&part); // it takes the room that is missing
    }
    let built = filled?;
    File::open(&part).and_then(|f| f.sync_all()).at(path)?;
    fs::rename(&part, beside(path, WHOLE)).and_then(|()| journal::sync_dir(path)).at(path)?;
    Ok(built)
}

fn fill(part: &Path, path: &Path, with_old: bool) -> Result<Built, StoreError> {
    let mut conn = connect(part, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    conn.pragma_update(None, "synchronous", "OFF").at(path)?; // forced to the card as a whole
    let migrated = migrate::run(&mut conn, path, migrate::MIGRATIONS)?;
    let (rows, straps) = if with_old { salvage(&conn, path)? } else { (0, false) };
    let rows = if straps { rows } else { rows + adoptions::restore(&conn, path)? };
    conn.close().map_err(|(_, e)| e).at(path)?;
    Ok(Built { migrated, rows })
}

/// Copies whole tables as far as they can be read; the number of rows, and whether the straps are among them.
fn salvage(conn: &Connection, old: &Path) -> Result<(usize, bool), StoreError> {
    // the damaged file and its log are evidence: closing them must not merge them
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).at(old)?;
    let (mut rows, mut straps) = (0, false);
    let attached = conn.execute("ATTACH ?1 AS old", [format!("file:{}?mode=ro", uri_path(old))]);
    if readable(attached).at(old)?.is_some() {
        for table in TABLES {
            let copy = format!("INSERT OR IGNORE INTO main.{table} SELECT * FROM old.{table}");
            let copied = readable(conn.execute(&copy, [])).at(old)?;
            straps |= table == "strap" && copied.is_some();
            rows += copied.unwrap_or(0);
        }
        let _ = conn.execute("DETACH old", []);
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).at(old)?;
    Ok((rows, straps))
}

/// `None` for what will never be read; an error for what may be, once there is room or the file is free.
fn readable(copied: rusqlite::Result<usize>) -> rusqlite::Result<Option<usize>> {
    let e = match copied {
        Ok(rows) => return Ok(Some(rows)),
        Err(e) => e,
    };
    let passing = match e.sqlite_error() {
        Some(e) => match e.code {
            ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory => true,
            // a sector that cannot be read stays so
            ErrorCode::SystemIoFailure => ![
                rusqlite::ffi::SQLITE_IOERR_READ,
                rusqlite::ffi::SQLITE_IOERR_SHORT_READ,
                rusqlite::ffi::SQLITE_IOERR_CORRUPTFS,
            ]
            .contains(&e.extended_code),
            _ => false,
        },
        None => false,
    };
    if passing { Err(e) } else { Ok(None) }
}

/// The new one takes its place.
pub(super) fn put(path: &Path) -> Result<(), StoreError> {
    fs::rename(beside(path, WHOLE), path).and_then(|()| journal::sync_dir(path)).at(path)
}

pub(super) fn move_logs(path: &Path, aside: &Path) -> Result<(), StoreError> {
    for suffix in ["-wal", "-shm"] {
        move_file(&beside_sqlite(path, suffix), &beside_sqlite(aside, suffix))?;
    }
    journal::sync_dir(path).at(path)
}

/// Moves a file if it is there.
pub(super) fn move_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    unless_missing(fs::rename(from, to)).at(from)
}

/// Removes a database that was being built, if it is there.
pub(super) fn remove(part: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        unless_missing(fs::remove_file(beside_sqlite(part, suffix))).at(part)?;
    }
    Ok(())
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

fn asides(path: &Path) -> impl Iterator<Item = PathBuf> {
    (1..u32::MAX).map(move |n| beside(path, &format!("corrupt-{n}")))
}

fn is_aside(aside: &Path) -> bool {
    aside.exists() || beside_sqlite(aside, "-wal").exists()
}

fn free_aside(path: &Path) -> PathBuf {
    asides(path).find(|a| !is_aside(a)).unwrap_or_else(|| beside(path, "corrupt"))
}

fn newest_aside(path: &Path) -> Option<PathBuf> {
    asides(path).take_while(|a| is_aside(a)).last()
}

/// Percent-encodes what means something in an SQLite URI.
fn uri_path(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
