//! The newest records in RAM, outside of the process: a file on a RAM disk that takes each record as it comes.
//!
//! The journal on the card is written every ten seconds, which a power cut may cost; a process that is killed must not
//! cost that much, and here it costs nothing, without a byte on the card. The format is the journal's. What the journal
//! has is taken out, so the file holds seconds. It is a second line: whatever goes wrong with it, the store works without.

use super::journal::{Content, Journal};
use crate::engine::Record;
use std::path::{Path, PathBuf};

/// Bytes kept while the journal cannot be written: half a day of one strap.
const LIMIT: u64 = 2 << 20;

/// The file. `None` inside once it failed.
#[derive(Debug, Default)]
pub(super) struct Tail {
    file: Option<Journal>,
}

impl Tail {
    /// Opens or creates the file for a database; also says what a killed process left in it.
    pub(super) fn open(dir: Option<&Path>, db: &Path) -> (Self, Content) {
        let opened = dir.and_then(|dir| Journal::volatile(&path_of(dir, db)?).ok());
        match opened.map(|mut file| (file.read(), file)) {
            Some((Ok(left), file)) => (Self { file: Some(file) }, left),
            _ => (Self::default(), Content::default()),
        }
    }

    /// Whether it works.
    pub(super) fn works(&self) -> bool {
        self.file.is_some()
    }

    /// Adds records.
    pub(super) fn append<'a>(&mut self, boot: &str, records: impl IntoIterator<Item = (u64, &'a Record)>) {
        if let Some(file) = self.file.as_mut().filter(|f| f.len() < LIMIT) {
            if file.append(boot, records).is_err() {
                self.file = None;
            }
        }
    }

    /// Forgets all: it is safe elsewhere.
    pub(super) fn clear(&mut self) {
        if self.file.as_mut().is_some_and(|file| file.clear().is_err()) {
            self.file = None;
        }
    }
}

/// `hrvd.db` has `hrvd.db.tail`.
fn path_of(dir: &Path, db: &Path) -> Option<PathBuf> {
    let mut name = db.file_name()?.to_owned();
    name.push(".tail");
    Some(dir.join(name))
}

/// Whether a directory lies in RAM: it survives a process and no power cut, and costs a card nothing.
pub fn is_ram(dir: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    // the type's width differs between machines
    rustix::fs::statfs(dir).is_ok_and(|s| [TMPFS, RAMFS].contains(&(s.f_type as u64 & 0xffff_ffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ram_and_cards_are_told_apart() {
        assert!(!is_ram(Path::new("/proc")));
        assert!(!is_ram(Path::new("/no such directory")));
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let tmpfs = mounts.lines().filter_map(|l| {
            let mut words = l.split(' ');
            let (_, dir, kind) = (words.next()?, words.next()?, words.next()?);
            (kind == "tmpfs" && Path::new(dir).is_dir()).then_some(dir)
        });
        let tmpfs: Vec<_> = tmpfs.collect();
        // Some may be hidden below another mount.
        assert!(tmpfs.is_empty() || tmpfs.iter().any(|dir| is_ram(Path::new(dir))), "{tmpfs:?}");
    }

    #[test]
    fn without_a_directory_there_is_none_and_nothing_fails() {
        let dir = tempfile::tempdir().unwrap();
        let (mut tail, left) = Tail::open(Some(&dir.path().join("gone")), Path::new("/x/hrvd.db"));
        assert!(!tail.works() && left == Content::default());
        tail.append("boot", []);
        tail.clear();
    }
}
