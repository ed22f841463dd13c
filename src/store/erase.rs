//! Deleting a person: from the rows, from the pages they stood on, from the write-ahead log and from the copies of
//! adoptions. What other files still hold is named.

use super::error::{At, StoreError};
use super::files::Files;
use super::{OpenOptions, adoptions, db, personal};
use crate::units::AthleteId;
use rusqlite::{Connection, TransactionBehavior};
use std::fs;
use std::path::{Path, PathBuf};

/// What was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Rows by table, where there were any.
    pub rows: Vec<(String, usize)>,
}

impl Erased {
    /// Rows in all.
    pub fn total(&self) -> usize {
        self.rows.iter().map(|(_, n)| n).sum()
    }
}

/// Deletes in one transaction, then writes the file anew, so that no free page and no log keeps a byte of it.
pub(super) fn erase(files: &mut Files, options: &OpenOptions, who: &AthleteId) -> Result<Erased, StoreError> {
    let path = &options.path;
    let erased = delete(&mut files.conn, options, who).at(path)?;
    files.recordings_gone(options).at(path)?;
    files.conn.pragma_update(None, "temp_store", "DEFAULT").at(path)?; // not in memory: it is a whole copy
    let rebuilt = files.conn.execute_batch("VACUUM").at(path);
    files.conn.pragma_update(None, "temp_store", "MEMORY").at(path)?;
    rebuilt?;
    let busy: i64 = files.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0)).at(path)?;
    if busy != 0 {
        let cause =
            "it is deleted, but somebody reads the database, and the log keeps old pages until that ends".into();
        return Err(StoreError::Busy { path: path.clone(), cause });
    }
    adoptions::try_keep(&files.conn, path)?;
    Ok(erased)
}

fn delete(conn: &mut Connection, options: &OpenOptions, who: &AthleteId) -> rusqlite::Result<Erased> {
    conn.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut out = Erased::default();
    for rows in personal::rows(&tx, who, &options.straps)? {
        let n = rows.delete(&tx)?;
        if n > 0 {
            out.rows.push((rows.table, n));
        }
    }
    tx.commit()?;
    conn.pragma_update_and_check(None, "secure_delete", "OFF", |_| Ok(()))?;
    Ok(out)
}

/// Other files that may hold the person: copies from before migrations and restores, damaged ones, backups, and what an
/// interrupted one of these left.
pub fn copies(path: &Path, backups: Option<&Path>) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let listed = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect::<Vec<_>>();
    let beside = path.parent().map(listed).unwrap_or_default().into_iter().filter(|p| {
        let own = p.file_name().unwrap_or_default().to_string_lossy();
        let kind = own.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        let kinds = ["backup-", "corrupt", "before-restore-", "journal-damaged-", "restoring", "replac", "part"];
        kinds.iter().any(|k| kind.starts_with(k))
    });
    let unfinished = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().contains(".db.part"));
    let kept = backups.map(listed).unwrap_or_default();
    let kept = kept
        .into_iter()
        .filter(|p| p != path)
        .filter(|p| unfinished(p) || p.extension().is_some_and(|e| e == "db") && db::read_only(p).is_ok());
    let mut out: Vec<PathBuf> = beside.chain(kept).collect();
    out.sort();
    out.dedup(); // the backups may lie beside the database
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Strap;
    use crate::units::StrapId;

    #[test]
    fn a_copy_of_adoptions_that_cannot_be_written_anew_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("hrvd.db");
        let opened = crate::store::open(OpenOptions::new(&db, "boot-1")).unwrap();
        let strap = Strap { id: StrapId([1; 6]), athlete: "alex".parse().unwrap(), name: None };
        opened.handle.adopt(strap, None);
        opened.handle.flush().blocking_recv().unwrap().unwrap();
        let part = dir.path().join("hrvd.db.adopted-new");
        fs::create_dir(&part).unwrap();
        let erase = || opened.handle.erase("alex".parse().unwrap()).blocking_recv().unwrap();
        assert!(matches!(erase(), Err(StoreError::Io { path, .. }) if path == part));
        fs::remove_dir(&part).unwrap();
        assert_eq!(erase(), Ok(Erased::default()), "its rows are gone already");
        let copy = fs::read_to_string(dir.path().join("hrvd.db.adopted")).unwrap();
        assert!(!copy.contains("alex"), "{copy}");
    }

    #[test]
    fn what_an_interrupted_copy_left_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let backups = dir.path().join("copies");
        fs::create_dir(&backups).unwrap();
        let left = [
            "hrvd.db.part",
            "hrvd.db.replacing",
            "hrvd.db.replacing-journal",
            "hrvd.db.replacement",
            "hrvd.db.restoring",
            "hrvd.db.restoring.part",
            "copies/hrvd-2026-11-25.db.part",
            "copies/hrvd-2026-11-25.db.part-journal",
        ];
        for name in left.iter().chain(&["hrvd.db", "hrvd.db-wal", "notes.txt", "copies/notes.txt"]) {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut want: Vec<PathBuf> = left.iter().map(|n| dir.path().join(n)).collect();
        want.sort();
        assert_eq!(copies(&dir.path().join("hrvd.db"), Some(&backups)), want);
        assert_eq!(copies(&dir.path().join("hrvd.db"), Some(dir.path())).len(), 6);
    }
}
