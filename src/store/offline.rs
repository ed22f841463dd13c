//! Changes without a running daemon. The files are opened as a daemon does: it is kept away meanwhile, and what a killed
//! one left is taken over first, for whom it belonged to before the change.

use super::error::StoreError;
use super::{Erased, OpenOptions, Query, StoreHandle, open};
use crate::engine::Strap;
use crate::units::{AthleteId, StrapId};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// Adopts a strap without a running daemon; the database is created if need be.
pub fn adopt_offline(options: OpenOptions, strap: &Strap, now: Option<Timestamp>) -> Result<(), StoreError> {
    change(options, |handle| {
        handle.adopt(strap.clone(), now);
        wait(handle.flush())
    })
}

/// Forgets a strap without a running daemon; says whether it was known.
pub fn forget_offline(options: OpenOptions, strap: StrapId) -> Result<bool, StoreError> {
    let path = options.path.clone();
    change(options, |handle| {
        let known = Query::open(&path)?.straps()?.iter().any(|s| s.strap.id == strap);
        handle.forget(strap);
        wait(handle.flush()).map(|()| known)
    })
}

/// Deletes everything of a person without a running daemon.
pub fn erase_offline(options: OpenOptions, who: &AthleteId) -> Result<Erased, StoreError> {
    change(options, |handle| wait(handle.erase(who.clone())))
}

/// Waits in a thread of its own: setup asks from within a runtime, where tokio lets nothing block.
fn wait<T: Send>(done: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    let waited = std::thread::scope(|s| s.spawn(|| done.blocking_recv()).join());
    waited.map_or(Err(StoreError::Stopped), |got| got.unwrap_or(Err(StoreError::Stopped)))
}

fn change<T>(
    options: OpenOptions,
    change: impl FnOnce(&StoreHandle) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let path = options.path.clone();
    let opened = open(options)?;
    opened.report.trouble.map_or(Ok(()), Err)?;
    let changed = change(&opened.handle);
    opened.handle.stop()?;
    give_to_folder_owner(&path);
    changed
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
