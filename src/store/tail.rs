//! The newest records in RAM, outside of the process: a file on a RAM disk that takes each record as it is sent.
//!
//! The journal on the card is written every ten seconds, which a power cut may cost; a process that is killed must not
//! cost that much, and here it costs nothing, without a byte on the card. Whoever sends a record writes it here, so it
//! is safe while the writer waits for a card that stalls, or for one that is not there yet. What the journal has is
//! taken out, so the file holds seconds. It is a second line: whatever goes wrong with it, the store works without.
//!
//! Records are numbered as they are sent, from 0 in each process. What that means in the store's order is known when
//! its files are open: then the difference is noted at the head. A file without it holds what no other file has.

use super::batch::{Batch, Numbered};
use super::error::{At, StoreError};
use super::journal::{frame, frames, lock, take_frame};
use crate::engine::Record;
use crate::recording::crc32;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"hrvd-tail 1\n";
/// Bytes kept while the journal cannot be written: half a day of one strap.
const LIMIT: u64 = 2 << 20;
/// The difference that stands there until it is known.
const UNKNOWN: i64 = i64::MIN;

/// The file that takes records.
#[derive(Debug, Default)]
pub(super) struct Tail {
    file: Option<File>,
    boot: String,
    len: u64,
    failed: bool,
    /// Number of the next record.
    next: u64,
    /// What to add to it for the store's order.
    shift: Option<i64>,
}

/// What was found while opening.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) tail: Tail,
    /// What killed processes left, oldest first.
    pub(super) left: Vec<Left>,
    /// Files of theirs whose begin is damaged. They stay.
    pub(super) unread: Vec<PathBuf>,
    /// Why it cannot be used.
    pub(super) trouble: Option<StoreError>,
}

impl Tail {
    /// Opens the file of a database; what others left in it is put aside, to be taken over.
    pub(super) fn open(dir: Option<&Path>, db: &Path, boot: &str) -> Opened {
        let Some(dir) = dir else { return Opened::default() };
        let opened = path_of(dir, db).at(dir).and_then(|path| Self::try_open(&path, boot));
        opened.unwrap_or_else(|e| Opened { trouble: Some(e), ..Opened::default() })
    }

    fn try_open(path: &Path, boot: &str) -> Result<Opened, StoreError> {
        let mut file = open(path)?;
        let (mut left, mut unread) = (Vec::new(), Vec::new());
        let mut take = |path: PathBuf, file: Option<File>| match file.and_then(|file| Left::read(&path, file)) {
            Some(found) => left.push(found),
            None => unread.push(path),
        };
        let mut n = 1;
        while aside(path, n).symlink_metadata().is_ok() {
            take(aside(path, n), open(&aside(path, n)).ok());
            n += 1;
        }
        if file.metadata().at(path)?.len() > 0 {
            fs::rename(path, aside(path, n)).at(path)?;
            take(aside(path, n), Some(file));
            file = open(path)?;
        }
        let tail = Self { file: Some(file), boot: boot.to_owned(), ..Self::default() };
        Ok(Opened { tail, left, unread, trouble: None })
    }

    /// Whether each record that is sent gets there.
    pub(super) fn works(&self) -> bool {
        self.file.is_some() && !self.failed
    }

    /// Takes a record.
    pub(super) fn append(&mut self, record: &Record) {
        let number = self.next;
        self.next += 1;
        let Some(file) = self.file.as_ref().filter(|_| !self.failed && self.len < LIMIT) else { return };
        let mut bytes = Vec::new();
        if self.len == 0 {
            bytes.extend_from_slice(MAGIC);
            bytes.extend_from_slice(&shift_field(self.shift));
            frame(&mut bytes, self.boot.as_bytes());
        }
        frame(&mut bytes, &Batch::split([(number, record)]).encode());
        match file.write_all_at(&bytes, self.len) {
            Ok(()) => self.len += bytes.len() as u64,
            Err(_) => self.failed = true,
        }
    }

    /// The store's order is known: the next record will have this number in it. Those before it stand in line.
    pub(super) fn settle(&mut self, shift: i64) {
        self.shift = Some(shift);
        if let Some(file) = self.file.as_ref().filter(|_| self.len > 0) {
            self.failed |= write_shift(file, shift).is_err();
        }
    }

    /// Forgets all: it is safe elsewhere.
    pub(super) fn clear(&mut self) {
        if let Some(file) = self.file.as_ref().filter(|_| self.len > 0 || self.failed) {
            match file.set_len(0) {
                Ok(()) => self.len = 0,
                Err(_) => self.failed = true,
            }
        }
    }
}

/// The file of a process that was killed.
#[derive(Debug)]
pub(super) struct Left {
    path: PathBuf,
    file: File,
    pub(super) boot: String,
    /// Numbered as they were sent.
    records: Vec<Numbered>,
    shift: Option<i64>,
}

impl Left {
    /// `None` for a file whose begin is damaged: then nothing says when its records were.
    fn read(path: &Path, mut file: File) -> Option<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (field, mut rest) = rest.split_first_chunk::<12>()?;
        let shift = read_shift(field)?;
        let boot = String::from_utf8(take_frame(&mut rest)?.to_vec()).ok()?;
        let (records, _) = frames(rest);
        Some(Self { path: path.to_owned(), file, boot, records, shift: (shift != UNKNOWN).then_some(shift) })
    }

    /// The records in the store's order, where `top` is the highest number in use. It is noted before anything is done
    /// with it: a second attempt finds the same numbers.
    pub(super) fn numbered(&mut self, top: Option<u64>) -> io::Result<Vec<Numbered>> {
        let Some((first, _)) = self.records.first() else { return Ok(Vec::new()) };
        let shift = match self.shift {
            Some(shift) => shift,
            None => {
                let shift = top.map_or(1, |n| n as i64 + 1) - *first as i64;
                write_shift(&self.file, shift)?;
                self.shift = Some(shift);
                shift
            }
        };
        Ok(self.records.iter().map(|(n, record)| (n.wrapping_add_signed(shift), record.clone())).collect())
    }

    /// It was taken over.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn shift_field(shift: Option<i64>) -> [u8; 12] {
    let value = shift.unwrap_or(UNKNOWN).to_le_bytes();
    let mut field = [0; 12];
    field[..8].copy_from_slice(&value);
    field[8..].copy_from_slice(&crc32(&value).to_le_bytes());
    field
}

fn read_shift(field: &[u8; 12]) -> Option<i64> {
    let (value, crc) = field.split_first_chunk::<8>()?;
    (crc32(value).to_le_bytes() == *crc).then_some(i64::from_le_bytes(*value))
}

fn write_shift(file: &File, shift: i64) -> io::Result<()> {
    file.write_all_at(&shift_field(Some(shift)), MAGIC.len() as u64)
}

/// Opens or creates a file that is ours alone, and locks it. In a directory that others may write too, a name may lead
/// anywhere.
fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits() as i32);
    let file = options.open(path).at(path)?;
    let found = file.metadata().at(path)?;
    let we = rustix::process::geteuid();
    // root works on a database of the daemon's: the file is and stays the folder owner's
    let folder = path.parent().filter(|_| we.is_root()).and_then(|p| fs::metadata(p).ok());
    let own = [Some(we.as_raw()), folder.as_ref().map(|f| f.uid())].contains(&Some(found.uid()));
    if !found.is_file() || found.nlink() != 1 || !own {
        return Err(StoreError::Io { path: path.to_owned(), cause: "it is no file of ours alone".to_owned() });
    }
    if let Some(folder) = folder.filter(|f| f.uid() != found.uid()) {
        std::os::unix::fs::fchown(&file, Some(folder.uid()), Some(folder.gid())).at(path)?;
    }
    if found.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600)).at(path)?;
    }
    lock(&file, path)?;
    Ok(file)
}

/// `/var/lib/hrvd/hrvd.db` has `hrvd.db-8f3c2a10.tail`: the path tells databases of one name apart.
fn path_of(dir: &Path, db: &Path) -> io::Result<PathBuf> {
    let whole = std::path::absolute(db)?;
    let mut name = db.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{:08x}.tail", crc32(whole.as_os_str().as_encoded_bytes())));
    Ok(dir.join(name))
}

fn aside(path: &Path, n: u32) -> PathBuf {
    path.with_extension(format!("tail-{n}"))
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
    use crate::engine::RecordKind;
    use crate::units::{Mono, StrapId};

    fn record(n: u64) -> Record {
        Record { at: Mono::from_secs(n), kind: RecordKind::Link { strap: StrapId([1; 6]), up: true } }
    }

    fn numbers(left: &mut Left, top: Option<u64>) -> Vec<(u64, u64)> {
        let records = left.numbered(top).unwrap();
        records.into_iter().map(|(ord, r)| (ord, r.at.as_micros() / 1_000_000)).collect()
    }

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
        let db = Path::new("/x/hrvd.db");
        assert!(Tail::open(None, db, "b").trouble.is_none());
        let Opened { mut tail, left, trouble, .. } = Tail::open(Some(&dir.path().join("gone")), db, "b");
        assert!(!tail.works() && left.is_empty() && trouble.is_some());
        tail.append(&record(1));
        tail.settle(1);
        tail.clear();
    }

    /// A kill may come after the numbers were noted and before anything was done with them, or after that.
    #[test]
    fn numbers_once_given_stay_and_a_process_adds_its_own_file() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Tail::open(Some(dir.path()), Path::new("/x/hrvd.db"), "b");
        let mut first = open().tail;
        (0..3).for_each(|n| first.append(&record(n)));
        drop(first); // as killed, before its files were open
        let Opened { mut tail, mut left, .. } = open();
        assert_eq!(numbers(&mut left[0], Some(40)), [(41, 0), (42, 1), (43, 2)]);
        tail.append(&record(10));
        tail.append(&record(11));
        tail.settle(100);
        tail.append(&record(12));
        drop((tail, left)); // and the next one
        let Opened { left, tail, .. } = open();
        let mut left: Vec<_> = left.into_iter().map(|mut l| numbers(&mut l, Some(7))).collect();
        assert_eq!(left.pop().unwrap(), [(100, 10), (101, 11), (102, 12)]);
        assert_eq!(left.pop().unwrap(), [(41, 0), (42, 1), (43, 2)], "as they were noted");
        drop(tail);
        open().left.into_iter().for_each(Left::remove);
        assert!(open().left.is_empty());
    }

    /// Every byte of the begin matters; whichever is damaged, the file is named and stays, and the next one is read.
    #[test]
    fn a_file_with_a_damaged_begin_is_named_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Tail::open(Some(dir.path()), Path::new("/x/hrvd.db"), "b");
        open().tail.append(&record(1));
        let written = path_of(dir.path(), Path::new("/x/hrvd.db")).unwrap();
        let whole = fs::read(&written).unwrap();
        let head = MAGIC.len() + 12 + 4 + 4 + 1;
        for at in 0..head {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            fs::write(&written, &bytes).unwrap();
            let Opened { left, unread, mut tail, .. } = open();
            assert!(left.is_empty(), "byte {at}");
            assert_eq!(unread, [aside(&written, 1)], "byte {at}");
            assert_eq!(fs::read(&unread[0]).unwrap(), bytes, "it stays as it was");
            tail.append(&record(2));
            drop(tail);
            let Opened { mut left, unread, .. } = open();
            assert_eq!((unread.len(), left.len(), numbers(&mut left[0], None)), (1, 1, vec![(1, 2)]), "byte {at}");
            left.into_iter().for_each(Left::remove);
            fs::remove_file(&unread[0]).unwrap();
        }
    }

    #[test]
    fn numbers_go_on_after_it_was_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Tail::open(Some(dir.path()), Path::new("/x/hrvd.db"), "b");
        let mut tail = open().tail;
        tail.settle(5);
        tail.append(&record(0));
        tail.clear();
        tail.append(&record(1));
        drop(tail);
        assert_eq!(numbers(&mut open().left[0], None), [(6, 1)]);
    }
}
