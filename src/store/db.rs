//! Opening the database: settings, version, and what to do with a damaged file.

use super::error::{At, StoreError};
use super::{adoptions, free_name, journal, migrate};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file below this size is checked page by page after an unclean end.
const QUICK_CHECK_MAX: u64 = 64 << 20;

/// What happened while opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DbReport {
    /// Schema migration.
    pub migrated: migrate::Migrated,
    /// A damaged database, moved here, and what was wrong with it.
    pub moved_aside: Option<(PathBuf, String)>,
    /// Rows of straps, results and outbox that could be taken over from the damaged file.
    pub salvaged: usize,
}

/// Opens for writing; a damaged file is moved aside and a new one begun.
pub(super) fn open(path: &Path) -> Result<(Connection, DbReport), StoreError> {
    match open_once(path) {
        Ok((conn, migrated)) => {
            adoptions::keep(&conn, path); // a crash may have come between a change and its copy
            Ok((conn, DbReport { migrated, ..DbReport::default() }))
        }
        Err(StoreError::Corrupt { cause, .. }) => replace(path, cause),
        Err(e) => Err(e),
    }
}

/// Moves a damaged database aside, starts a new one and takes over what can still be read.
pub(super) fn replace(path: &Path, cause: String) -> Result<(Connection, DbReport), StoreError> {
    let aside = move_aside(path)?;
    let (conn, migrated) = open_once(path)?;
    let salvaged = salvage(&conn, &aside, path);
    adoptions::keep(&conn, path);
    Ok((conn, DbReport { migrated, moved_aside: Some((aside, cause)), salvaged }))
}

fn open_once(path: &Path) -> Result<(Connection, migrate::Migrated), StoreError> {
    let unclean = fs::metadata(beside_sqlite(path, "-wal")).is_ok_and(|m| m.len() > 0);
    let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // refuse before anything is changed: also the switch to WAL writes
    migrate::version(&conn, path, migrate::MIGRATIONS.len() as i64)?;
    // no auto_vacuum: nothing large is ever deleted, and its page map costs a page a seal
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).at(path)?;
    conn.pragma_update(None, "synchronous", "NORMAL").at(path)?;
    conn.pragma_update_and_check(None, "journal_size_limit", 4 << 20, |_| Ok(())).at(path)?;
    conn.pragma_update(None, "temp_store", "MEMORY").at(path)?;
    if unclean && fs::metadata(path).is_ok_and(|m| m.len() < QUICK_CHECK_MAX) {
        let found: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).at(path)?;
        if found != "ok" {
            return Err(StoreError::Corrupt { path: path.to_owned(), cause: found });
        }
    }
    let migrated = migrate::run(&mut conn, path, migrate::MIGRATIONS)?;
    probe(&conn).at(path)?;
    Ok((conn, migrated))
}

/// Touches the schema and both ends of the tables that grow.
fn probe(conn: &Connection) -> rusqlite::Result<()> {
    for table in [
        "athlete",
        "strap",
        "strap_facts",
        "strap_battery",
        "recording",
        "packet_chunk",
        "event_log",
        "check_result",
        "outbox",
    ] {
        for order in ["ASC", "DESC"] {
            let mut stmt = conn.prepare(&format!("SELECT * FROM {table} ORDER BY rowid {order} LIMIT 1"))?;
            stmt.query([])?.next()?;
        }
    }
    Ok(())
}

/// A connection that cannot write.
pub(super) fn read_only(path: &Path) -> Result<Connection, StoreError> {
    if let Err(e) = fs::metadata(path) {
        return Err(StoreError::io(path, &e));
    }
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    migrate::version(&conn, path, migrate::MIGRATIONS.len() as i64)?;
    Ok(conn)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI)
        .at(path)?;
    conn.busy_timeout(Duration::from_secs(5)).at(path)?;
    Ok(conn)
}

/// The companions that SQLite names by appending to the whole file name.
fn beside_sqlite(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn move_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let aside = free_name(path, "corrupt");
    fs::rename(path, &aside).at(path)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(beside_sqlite(path, suffix), beside_sqlite(&aside, suffix)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(StoreError::io(path, &e)),
            _ => {}
        }
    }
    journal::sync_dir(path).at(path)?;
    Ok(aside)
}

/// Copies whole tables as far as they can be read; adoptions come from their own file otherwise. Raw chunks stay in the
/// damaged file.
fn salvage(conn: &Connection, aside: &Path, path: &Path) -> usize {
    // the damaged file and its WAL are evidence: closing them must not checkpoint
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    let (mut rows, mut straps) = (0, false);
    if conn.execute("ATTACH ?1 AS old", [format!("file:{}?mode=ro", uri_path(aside))]).is_ok() {
        for table in ["athlete", "strap", "strap_facts", "strap_battery", "check_result", "outbox", "announced", "meta"]
        {
            let copy = format!("INSERT OR IGNORE INTO main.{table} SELECT * FROM old.{table}");
            let copied = conn.execute(&copy, []);
            straps |= table == "strap" && copied.is_ok();
            rows += copied.unwrap_or(0);
        }
        let _ = conn.execute("DETACH old", []);
    }
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
    if straps { rows } else { rows + adoptions::restore(conn, path) }
}

/// Percent-encodes what means something in an SQLite URI.
fn uri_path(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
