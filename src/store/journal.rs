//! The raw truth journal: an append-only file beside the database that takes the last seconds of records.
//!
//! A commit every ten seconds would cost a whole page each time; a frame here costs its own few bytes. A frame is
//! length, CRC-32 and payload; the file begins with a header frame that names the boot. After its content is sealed in
//! the database the file is emptied. Bytes that are no whole frame (power cut, full disk) are skipped and counted.

use super::batch::{Batch, Numbered, decode};
use super::error::{At, StoreError};
use crate::engine::Record;
use crate::recording::crc32;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"hrvd-journal 1\n";
/// No frame is longer; a longer length is damage.
const FRAME_MAX: usize = 1 << 22;
/// Records a frame; bounds its length.
const FRAME_RECORDS: usize = 4096;

/// Path of the journal of a database.
pub(super) fn path_of(db: &Path) -> PathBuf {
    super::beside(db, "journal-raw")
}

/// What a journal file held.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    /// Boot of the records; empty if there are none.
    pub(super) boot: String,
    /// The records, in order.
    pub(super) records: Vec<Numbered>,
    /// Bytes that are no whole frame.
    pub(super) torn: u64,
}

/// The journal open for writing. It holds the lock that keeps a second daemon away.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// Bytes that are known to be whole frames.
    good: u64,
    /// Whether bytes beyond `good` may have been written.
    dirty: bool,
}

impl Journal {
    /// Opens or creates the file and locks it.
    pub(super) fn open(db: &Path) -> Result<Self, StoreError> {
        let path = path_of(db);
        let new = !path.exists();
        // not append mode: after a failed write the next one must go to the last good place
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).at(&path)?;
        lock(&file, &path)?;
        if new {
            sync_dir(&path).at(&path)?;
        }
        Ok(Self { file, path, good: 0, dirty: true })
    }

    /// Reads all that is in the file.
    pub(super) fn read(&mut self) -> Result<Content, StoreError> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0)).at(&self.path)?;
        self.file.read_to_end(&mut bytes).at(&self.path)?;
        Ok(parse(&bytes))
    }

    /// Appends records that belong to `boot`. On error nothing of them counts as written.
    pub(super) fn append<'a>(
        &mut self,
        boot: &str,
        records: impl IntoIterator<Item = (u64, &'a Record)>,
    ) -> Result<(), StoreError> {
        let records: Vec<_> = records.into_iter().collect();
        let mut bytes = Vec::new();
        if self.good == 0 {
            bytes.extend_from_slice(MAGIC);
            frame(&mut bytes, boot.as_bytes());
        }
        for part in records.chunks(FRAME_RECORDS) {
            frame(&mut bytes, &Batch::split(part.iter().copied()).encode());
        }
        self.clean().at(&self.path)?;
        self.dirty = true;
        self.file.write_all_at(&bytes, self.good).at(&self.path)?;
        self.dirty = false;
        self.good += bytes.len() as u64;
        Ok(())
    }

    /// Forces what was written to the card.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().at(&self.path)
    }

    /// Empties the file after its content was sealed. If it fails now, the next append tries again.
    pub(super) fn clear(&mut self) -> Result<(), StoreError> {
        if self.good == 0 && !self.dirty {
            return Ok(());
        }
        self.good = 0;
        self.dirty = true;
        self.clean().at(&self.path)
    }

    fn clean(&mut self) -> io::Result<()> {
        if self.dirty {
            if self.file.metadata()?.len() != self.good {
                self.file.set_len(self.good)?;
            }
            self.dirty = false;
        }
        Ok(())
    }
}

/// Keeps a second daemon away for as long as the file is open.
pub(super) fn lock(file: &File, path: &Path) -> Result<(), StoreError> {
    rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|e| StoreError::Busy { path: path.to_owned(), cause: io::Error::from(e).to_string() })
}

pub(super) fn frame(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

pub(super) fn take_frame<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, tail) = rest.split_first_chunk::<4>()?;
    let (crc, tail) = tail.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok().filter(|len| *len <= FRAME_MAX)?;
    let (payload, tail) = tail.split_at_checked(len)?;
    if crc32(payload) != u32::from_le_bytes(*crc) {
        return None;
    }
    *rest = tail;
    Some(payload)
}

/// Reads the journal of a database that another process may be writing. No file is an empty one.
pub(super) fn peek(db: &Path) -> Result<Content, StoreError> {
    let path = path_of(db);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Content::default()),
        Err(e) => Err(StoreError::io(&path, &e)),
    }
}

fn parse(bytes: &[u8]) -> Content {
    let all_torn = Content { torn: bytes.len() as u64, ..Content::default() };
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else { return all_torn };
    let Some(Ok(boot)) = take_frame(&mut rest).map(|b| String::from_utf8(b.to_vec())) else { return all_torn };
    let (records, torn) = frames(rest);
    Content { boot, records, torn }
}

/// The records of all whole frames, and the number of bytes that are none.
pub(super) fn frames(mut rest: &[u8]) -> (Vec<Numbered>, u64) {
    let (mut records, mut torn) = (Vec::new(), 0);
    while !rest.is_empty() {
        let mut next = rest;
        if let Some(batch) = take_frame(&mut next).and_then(decode) {
            records.extend(batch.join());
            rest = next;
        } else {
            // damage: look for the next whole frame byte by byte; a random length is nearly always too long to check
            torn += 1;
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    (records, torn)
}

/// Makes the creation or renaming of a file durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::arbitrary::records;
    use proptest::prelude::*;

    fn number(records: &[Record], first: u64) -> impl Iterator<Item = (u64, &Record)> {
        records.iter().enumerate().map(move |(i, r)| (first + i as u64, r))
    }

    #[test]
    fn a_second_daemon_is_kept_away() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("a.db");
        let first = Journal::open(&db).unwrap();
        assert!(matches!(Journal::open(&db), Err(StoreError::Busy { .. })));
        drop(first);
        Journal::open(&db).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_cut_anywhere_keeps_whole_frames(
            frames in proptest::collection::vec(records(), 1..5), cut in any::<proptest::sample::Index>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let db = dir.path().join("a.db");
            let mut journal = Journal::open(&db).unwrap();
            let (mut ord, mut ends) = (5, Vec::new());
            for records in &frames {
                journal.append("boot", number(records, ord)).unwrap();
                ord += records.len() as u64;
                ends.push(journal.good);
            }
            let all: Vec<Record> = frames.concat();
            let content = journal.read().unwrap();
            prop_assert_eq!((content.boot.as_str(), content.torn), ("boot", 0));
            prop_assert_eq!(&content.records, &number(&all, 5).map(|(o, r)| (o, r.clone())).collect::<Vec<_>>());

            let len = cut.index(journal.good as usize) as u64;
            journal.file.set_len(len).unwrap();
            let whole = ends.iter().filter(|end| **end <= len).count();
            let kept: usize = frames[..whole].iter().map(Vec::len).sum();
            let content = journal.read().unwrap();
            prop_assert_eq!(content.records.len(), kept);
            if whole > 0 {
                prop_assert_eq!(content.torn, len - ends[whole - 1]);
            }
        }

        #[test]
        fn a_changed_byte_never_changes_a_record(
            records in records(), at in any::<proptest::sample::Index>(), flip in 1u8..,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let db = dir.path().join("a.db");
            let mut journal = Journal::open(&db).unwrap();
            journal.append("boot", number(&records, 1)).unwrap();
            let mut bytes = std::fs::read(path_of(&db)).unwrap();
            let i = at.index(bytes.len());
            bytes[i] ^= flip;
            prop_assert_eq!(parse(&bytes).records, vec![]);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
            let _ = parse(&[MAGIC, &bytes].concat());
        }
    }
}
