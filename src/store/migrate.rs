//! Schema versions: `PRAGMA user_version` counts the migrations that ran; a copy is made before an old file is changed.

use super::error::{At, StoreError};
use rusqlite::{Connection, TransactionBehavior};
use std::fs::File;
use std::path::{Path, PathBuf};

/// `hrvd` in ASCII: tells our files from those of other programs.
pub(super) const APPLICATION_ID: i64 = 0x6872_7664;

/// All migrations, oldest first. Append only.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_init.sql")];

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Version before; 0 for a new file.
    pub from: i64,
    /// Version now.
    pub to: i64,
    /// The copy that was made before.
    pub backup: Option<PathBuf>,
}

/// Version of a file; refuses files of others and newer ones.
pub(super) fn version(conn: &Connection, path: &Path, known: i64) -> Result<i64, StoreError> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).at(path);
    let found = pragma("user_version")?;
    match pragma("application_id")? {
        APPLICATION_ID if found > known => Err(StoreError::TooNew { path: path.to_owned(), found, known }),
        APPLICATION_ID => Ok(found),
        0 if found == 0
            && conn.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get::<_, i64>(0)).at(path)? == 0 =>
        {
            Ok(0)
        }
        _ => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}

/// Brings a file to the newest version, in one transaction.
pub(super) fn run(conn: &mut Connection, path: &Path, migrations: &[&str]) -> Result<Migrated, StoreError> {
    let to = migrations.len() as i64;
    let from = version(conn, path, to)?;
    if from == to {
        return Ok(Migrated { from, to, backup: None });
    }
    let backup = if from > 0 { Some(backup(conn, path, from)?) } else { None };
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).at(path)?;
    for sql in migrations.iter().skip(usize::try_from(from).unwrap_or(0)) {
        tx.execute_batch(sql).at(path)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).at(path)?;
    tx.pragma_update(None, "user_version", to).at(path)?;
    tx.commit().at(path)?;
    Ok(Migrated { from, to, backup })
}

fn backup(conn: &Connection, path: &Path, from: i64) -> Result<PathBuf, StoreError> {
    let target = super::free_name(path, &format!("backup-v{from}"));
    let done = conn
        .execute("VACUUM INTO ?1", [target.to_string_lossy()])
        .at(path)
        .and_then(|_| File::open(&target).and_then(|f| f.sync_all()).at(&target));
    if let Err(e) = done {
        let _ = std::fs::remove_file(&target); // half a copy would be mistaken for a whole one
        return Err(e);
    }
    Ok(target)
}
