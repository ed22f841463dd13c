//! Copies of the whole database, and the way back from one.
//!
//! A copy is made by SQLite itself from a connection of its own, so it is consistent while the daemon writes and makes
//! nobody wait. It gets its name only when it is whole, verified and on the card.

use super::error::{At, StoreError};
use super::replace::{self, WHOLE};
use super::{OpenOptions, beside, db, journal, migrate};
use rusqlite::{Connection, InterruptHandle, OptionalExtension};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Bytes of the file.
    pub bytes: u64,
    /// Version of its schema.
    pub version: i64,
    /// Results of checks.
    pub results: u64,
    /// Recordings.
    pub recordings: u64,
}

/// What became of the old database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What is in force now.
    pub contents: Contents,
    /// Where the old one is, if there was one.
    pub aside: Option<PathBuf>,
}

/// Stops a copy that is being made.
pub struct Interrupt(InterruptHandle);

impl Interrupt {
    /// The copy ends with an error and leaves nothing.
    pub fn now(&self) {
        self.0.interrupt();
    }
}

/// A copy that can be made.
pub struct Backup {
    conn: Connection,
}

impl Backup {
    /// Of this database, which may be in use.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { conn: db::read_only(path)? })
    }

    /// For somebody who has to end it.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt(self.conn.get_interrupt_handle())
    }

    /// Makes the copy: whole at `to`, or not at all. A file that is there is replaced.
    pub fn write(&self, to: &Path) -> Result<Contents, StoreError> {
        let part = beside(to, "part");
        let made = self.fill(&part).and_then(|contents| {
            fs::rename(&part, to).and_then(|()| journal::sync_dir(to)).at(to)?;
            Ok(contents)
        });
        if made.is_err() {
            let _ = replace::remove(&part); // it takes the room that is missing
        }
        made
    }

    /// Fills a file and forces it to the card.
    fn fill(&self, part: &Path) -> Result<Contents, StoreError> {
        replace::remove(part)?;
        // health data: nobody else may read it, not even while it is made; SQLite takes an empty file
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(part).at(part)?;
        self.conn.execute("VACUUM INTO ?1", [part.to_string_lossy()]).at(part)?;
        File::open(part).and_then(|f| f.sync_all()).at(part)?;
        verify(part)
    }
}

/// Looks at every page of a database of ours, and says what is in it.
pub fn verify(path: &Path) -> Result<Contents, StoreError> {
    let conn = db::read_only(path)?;
    let version = migrate::version(&conn, path, migrate::MIGRATIONS.len() as i64)?;
    let corrupt = |cause: &str| StoreError::Corrupt { path: path.to_owned(), cause: cause.to_owned() };
    if version == 0 {
        return Err(corrupt("it is empty"));
    }
    let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0)).at(path)?;
    if found != "ok" {
        return Err(corrupt(&found));
    }
    let count = |table: &str| -> Result<u64, StoreError> {
        let n = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get::<_, i64>(0)).optional();
        Ok(n.at(path)?.unwrap_or(0) as u64)
    };
    let bytes = fs::metadata(path).at(path)?.len();
    Ok(Contents { bytes, version, results: count("check_result")?, recordings: count("recording")? })
}

/// Whether records wait beside the database that no running daemon will move into it.
pub fn is_untidy(db: &Path) -> bool {
    fs::metadata(journal::path_of(db)).is_ok_and(|m| m.len() > 0)
}

/// Moves what an unclean end left into the database. Fails if a daemon runs on it.
pub fn tidy(options: OpenOptions) -> Result<(), StoreError> {
    let path = options.path.clone();
    let opened = super::open(options)?;
    opened.report.trouble.map_or(Ok(()), Err)?;
    opened.handle.stop()?;
    super::give_to_folder_owner(&path);
    Ok(())
}

/// Puts a copy in the place of the database; no daemon may run on it. The copy is verified and on the card before the
/// old file is touched, and that is moved aside. Whenever the power goes, one of the two is in force.
pub fn restore(options: OpenOptions, from: &Path) -> Result<Restored, StoreError> {
    let path = options.path.clone();
    let same = |a: &Path, b: &Path| matches!((fs::metadata(a), fs::metadata(b)), (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()));
    if same(&path, from) {
        return Err(StoreError::Busy { path, cause: "it is the database itself".to_owned() });
    }
    drop(journal::Journal::open(&path)?); // is anybody there?
    verify(from)?;
    // not under the name of a replacement yet: opening the old database would take it for an interrupted one
    let waiting = beside(&path, "restoring");
    let contents = Backup::of(from)?.write(&waiting)?;
    let ready = settle_outbox(&waiting);
    let ready = ready.and_then(|()| old_is_tidy(options, &path)).and_then(|()| journal::Journal::open(&path));
    if ready.is_err() {
        let _ = replace::remove(&waiting);
    }
    let lock = ready?;
    fs::rename(&waiting, beside(&path, WHOLE)).at(&waiting)?;
    let there = path.exists();
    let aside = super::free_name(&path, "before-restore");
    replace::move_file(&path, &aside)?;
    // also those that lost their file: the new one must not take them for its own
    replace::move_logs(&path, &aside)?;
    for file in ["adopted", "journal-raw"] {
        let kept = beside(&path, file);
        if fs::metadata(&kept).is_ok_and(|m| m.len() > 0) {
            replace::move_file(&kept, &beside(&aside, file))?;
        }
    }
    replace::put(&path)?;
    // what an unclean end left beside the copy belongs to it
    match fs::copy(journal::path_of(from), journal::path_of(&path)) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(StoreError::io(&path, &e)),
        _ => {}
    }
    drop(lock);
    super::give_to_folder_owner(&path);
    Ok(Restored { contents, aside: there.then_some(aside) })
}

/// What waited for the broker when the copy was made was sent since, or is no news any more: an event of then would set
/// automations off today.
fn settle_outbox(copy: &Path) -> Result<(), StoreError> {
    let conn = Connection::open(copy).at(copy)?;
    conn.execute("DELETE FROM outbox WHERE sent = 0", []).at(copy)?;
    conn.close().map_err(|(_, e)| e).at(copy)?;
    File::open(copy).and_then(|f| f.sync_all()).at(copy)
}

/// What waits beside the old database goes into it first, so that it is complete when it is moved. One that cannot be
/// opened is moved as it is, its journal with it.
fn old_is_tidy(options: OpenOptions, path: &Path) -> Result<(), StoreError> {
    if !path.exists() || db::read_only(path).is_err() {
        return Ok(());
    }
    match tidy(options) {
        Err(e @ (StoreError::Busy { .. } | StoreError::Full { .. })) => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A copy that is killed stays as it is then.
    #[test]
    fn a_copy_is_for_nobody_else_from_its_first_byte() {
        let dir = tempfile::tempdir().unwrap();
        let (db, to) = (dir.path().join("hrvd.db"), dir.path().join("copy.db"));
        super::super::open(OpenOptions::new(&db, "boot")).unwrap().handle.stop().unwrap();
        let conn = Connection::open(&db).unwrap();
        conn.execute("INSERT INTO meta VALUES ('large', hex(randomblob(8000000)))", []).unwrap();
        drop(conn);
        let (part, over) = (beside(&to, "part"), AtomicBool::new(false));
        let watch = || {
            let mut modes = vec![];
            while !over.load(Ordering::Relaxed) {
                modes.extend(fs::metadata(&part).map(|m| m.permissions().mode() & 0o777));
                modes.dedup();
            }
            modes
        };
        let modes = std::thread::scope(|s| {
            let watcher = s.spawn(watch);
            Backup::of(&db).unwrap().write(&to).unwrap();
            over.store(true, Ordering::Relaxed);
            watcher.join().unwrap()
        });
        assert_eq!(modes, [0o600]);
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
