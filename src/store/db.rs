//! Opening the database: settings, version, and what to do with a damaged file.

use super::error::{At, StoreError};
use super::{adoptions, migrate, replace};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

/// A file below this size is checked page by page after an unclean end.
const QUICK_CHECK_MAX: u64 = 64 << 20;

/// What happened while opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DbReport {
    /// Schema migration.
    pub migrated: migrate::Migrated,
    /// A damaged database, moved here, and what was wrong with it.
    pub moved_aside: Option<(PathBuf, String)>,
    /// Rows of straps, results and outbox that could be taken over from the damaged file, or adoptions from their copy.
    pub salvaged: usize,
}

/// Opens for writing. A damaged file is moved aside and a new one begun; a new one knows who adopted which strap if
/// that was ever known here.
pub(super) fn open(path: &Path) -> Result<(Connection, DbReport), StoreError> {
    let finished = replace::finish(path)?;
    if replace::only_log(path) {
        return replace(path, "there is a log and nothing that it belongs to".to_owned());
    }
    let (conn, report) = match open_once(path) {
        Ok(Some((conn, migrated))) => (conn, DbReport { migrated, ..DbReport::default() }),
        Ok(None) => {
            let built = replace::begin(path)?;
            let (conn, _) = open_whole(path)?;
            (conn, DbReport { migrated: built.migrated, salvaged: built.rows, moved_aside: None })
        }
        Err(StoreError::Corrupt { cause, .. }) => return replace(path, cause),
        Err(e) => return Err(e),
    };
    adoptions::keep(&conn, path); // a crash may have come between a change and its copy
    let Some(aside) = finished else { return Ok((conn, report)) };
    let salvaged = replace::count(&conn).at(path)?;
    let why = "found by an earlier start, which was interrupted".to_owned();
    Ok((conn, DbReport { moved_aside: Some((aside, why)), salvaged, ..report }))
}

/// Starts a new database with what can still be read of a damaged one, and moves that aside.
pub(super) fn replace(path: &Path, cause: String) -> Result<(Connection, DbReport), StoreError> {
    let (built, aside) = replace::replace(path)?;
    let (conn, _) = open_whole(path)?;
    adoptions::keep(&conn, path);
    Ok((conn, DbReport { migrated: built.migrated, moved_aside: Some((aside, cause)), salvaged: built.rows }))
}

fn open_whole(path: &Path) -> Result<(Connection, migrate::Migrated), StoreError> {
    let lost = || StoreError::Io { path: path.to_owned(), cause: "it is gone again".to_owned() };
    open_once(path)?.ok_or_else(lost)
}

/// `None` if there is nothing in it.
fn open_once(path: &Path) -> Result<Option<(Connection, migrate::Migrated)>, StoreError> {
    let unclean = fs::metadata(beside_sqlite(path, "-wal")).is_ok_and(|m| m.len() > 0);
    let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // refuse before anything is changed: also the switch to WAL writes
    if migrate::version(&conn, path, migrate::MIGRATIONS.len() as i64)? == 0 {
        return Ok(None);
    }
    // no auto_vacuum: its page map costs a page a seal, and pages that old packets leave (store.raw_keep) are used again
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
    Ok(Some((conn, migrated)))
}

/// Touches the schema and both ends of the tables that grow.
fn probe(conn: &Connection) -> rusqlite::Result<()> {
    for table in [
        "athlete",
        "strap",
        "strap_facts",
        "strap_battery",
        "preference",
        "input",
        "verdict",
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
    match fs::File::open(path) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            return Err(StoreError::Denied { path: path.to_owned(), cause: e.to_string() });
        }
        Err(e) => return Err(StoreError::io(path, &e)),
    }
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    migrate::version(&conn, path, migrate::MIGRATIONS.len() as i64)?;
    Ok(conn)
}

pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI)
        .at(path)?;
    conn.busy_timeout(Duration::from_secs(5)).at(path)?;
    Ok(conn)
}

/// The companions that SQLite names by appending to the whole file name.
pub(super) fn beside_sqlite(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
