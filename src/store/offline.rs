//! Changes without a running daemon: the database is opened, created if need be, for one change.

use super::error::{At, StoreError};
use super::{Erased, OpenOptions, adoptions, db, open, rows};
use crate::engine::Strap;
use crate::units::{AthleteId, StrapId};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// Adopts a strap without a running daemon: opens the database, creating it if need be, for this one change.
pub fn adopt_offline(path: &Path, strap: &Strap, now: Option<Timestamp>) -> Result<(), StoreError> {
    let (conn, _) = db::open(path)?;
    rows::adopt(&conn, strap, now).at(path)?;
    adoptions::keep(&conn, path);
    give_to_folder_owner(path);
    Ok(())
}

/// root adopts, and the daemon runs as somebody else: the files belong to whom the folder belongs.
pub(super) fn give_to_folder_owner(path: &Path) {
    use std::os::unix::fs::{MetadataExt, chown};
    let Some(folder) = path.parent().and_then(|p| std::fs::metadata(p).ok()) else { return };
    for suffix in ["", "-wal", "-shm", ".adopted", ".journal-raw"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        if std::fs::metadata(&file).is_ok_and(|m| m.uid() != folder.uid()) {
            // only root can; anybody else would not have got this far
            let _ = chown(&file, Some(folder.uid()), Some(folder.gid()));
        }
    }
}

/// Forgets a strap without a running daemon; says whether it was known.
pub fn forget_offline(path: &Path, strap: StrapId) -> Result<bool, StoreError> {
    let (conn, _) = db::open(path)?;
    let known = rows::forget(&conn, strap).at(path)?;
    adoptions::keep(&conn, path);
    give_to_folder_owner(path);
    Ok(known)
}

/// Deletes everything of a person without a running daemon.
pub fn erase_offline(options: OpenOptions, who: &AthleteId) -> Result<Erased, StoreError> {
    let path = options.path.clone();
    let opened = open(options)?;
    opened.report.trouble.map_or(Ok(()), Err)?;
    let erased = opened.handle.erase(who.clone()).blocking_recv().unwrap_or(Err(StoreError::Stopped));
    opened.handle.stop()?;
    give_to_folder_owner(&path);
    erased
}
