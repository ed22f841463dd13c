//! What is done while everybody sleeps: a copy of the database, and the end of raw packets that nobody wants any more.
//! Neither is done while a check runs or a strap sends; a copy that is being made then is given up and made later.

use super::hub::Hub;
use crate::ble;
use crate::store::{Backup, Contents, Interrupt, StoreError};
use crate::units::Mono;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How often the size of the database is looked at.
const SIZE_EVERY: Duration = Duration::from_secs(60);
/// The quiet hours of the local night.
const QUIET: std::ops::Range<i8> = 2..4;
/// A machine that is off at night does it so long after its start.
const SETTLED: Duration = Duration::from_secs(1800);
/// Rows of raw records that go in one step: less than a page of SQLite's cache each, and milliseconds together.
const STEP: u32 = 100;

/// What is kept, for how long, and where else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Where a copy goes each night.
    pub backup_dir: Option<PathBuf>,
    /// Copies that stay there.
    pub backup_keep: u32,
    /// Days that raw packets are kept; `None` is for ever.
    pub raw_keep: Option<u32>,
}

/// A copy that is being made.
struct Copying {
    answer: oneshot::Receiver<Result<Option<Copied>, StoreError>>,
    interrupt: oneshot::Receiver<Interrupt>,
    given_up: bool,
}

/// A copy that was made.
struct Copied {
    to: PathBuf,
    contents: Contents,
    removed: usize,
    /// An older one that should be gone and stays, and why.
    stays: Option<String>,
}

/// See the module.
pub(super) struct Night {
    keeping: Keeping,
    db: PathBuf,
    zone: TimeZone,
    started: Mono,
    looked: Option<Mono>,
    /// Days on which it was done, or tried in vain.
    copied: Option<Date>,
    pruned: Option<Date>,
    copying: Option<Copying>,
    pruning: Option<oneshot::Receiver<Result<usize, StoreError>>>,
    rows: usize,
    sized: Option<Mono>,
    /// Size of the database, begun MB.
    pub(super) size_mb: Option<u64>,
}

impl Night {
    /// For this database.
    pub(super) fn new(keeping: Keeping, db: PathBuf, started: Mono) -> Self {
        Self {
            keeping,
            zone: TimeZone::system(),
            started,
            looked: None,
            copied: None,
            pruned: None,
            copying: None,
            pruning: None,
            rows: 0,
            sized: None,
            size_mb: size_mb(&db),
            db,
        }
    }

    /// Measures the database now and then; whether it changed.
    fn measure(&mut self, now: Mono) -> bool {
        if self.sized.is_some_and(|at| now.since(at) < SIZE_EVERY) {
            return false;
        }
        self.sized = Some(now);
        let size = size_mb(&self.db);
        std::mem::replace(&mut self.size_mb, size) != size
    }

    /// Starts a copy on a thread of its own.
    fn copy(&mut self, today: Date) {
        let Some(dir) = self.keeping.backup_dir.clone() else { return };
        let (db, keep) = (self.db.clone(), self.keeping.backup_keep as usize);
        let (said, answer) = oneshot::channel();
        let (hand, interrupt) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let _ = said.send(copy(&db, &dir, keep, today, hand)); // nobody waits after the end
        });
        self.copying = Some(Copying { answer, interrupt, given_up: false });
    }

    fn give_up(&mut self) {
        if let Some(copying) = &mut self.copying {
            if let Ok(interrupt) = copying.interrupt.try_recv() {
                interrupt.now();
                copying.given_up = true;
            }
        }
    }
}

impl Drop for Night {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn size_mb(db: &Path) -> Option<u64> {
    fs::metadata(db).ok().map(|m| m.len().div_ceil(1_000_000))
}

/// Whether something is due that was last done on `done`: in the quiet hours, or after them if it was not done then,
/// because the machine slept or somebody wore a strap.
fn due(hour: i8, today: Date, done: Option<Date>, settled: bool) -> bool {
    done != Some(today) && (QUIET.contains(&hour) || hour >= QUIET.end && settled)
}

fn copy(
    db: &Path,
    dir: &Path,
    keep: usize,
    today: Date,
    hand: oneshot::Sender<Interrupt>,
) -> Result<Option<Copied>, StoreError> {
    let io = |e: std::io::Error| StoreError::Io { path: dir.to_owned(), cause: e.to_string() };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
    // one a day; what a clock that ran ahead has dated is none of today
    if dated(dir, today).iter().any(|(date, _)| *date == today) {
        return Ok(None);
    }
    let to = dir.join(format!("hrvd-{today}.db"));
    let backup = Backup::of(db)?;
    let _ = hand.send(backup.interrupt());
    let contents = backup.write(&to)?;
    let all = dated(dir, today);
    let old = all.len().saturating_sub(keep.max(1));
    let (mut removed, mut stays) = (0, None);
    for (_, path) in all.iter().take(old) {
        match fs::remove_file(path) {
            Ok(()) => removed += 1,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => stays = Some(format!("{}: {e}", path.display())),
        }
    }
    Ok(Some(Copied { to, contents, removed, stays }))
}

/// Our copies there, the oldest first: those from after today were made before today, by a clock that ran ahead.
fn dated(dir: &Path, today: Date) -> Vec<(Date, PathBuf)> {
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let date = |p: &PathBuf| p.file_name()?.to_str()?.strip_prefix("hrvd-")?.strip_suffix(".db")?.parse::<Date>().ok();
    let mut all: Vec<(Date, PathBuf)> = names.filter_map(|p| Some((date(&p)?, p))).collect();
    all.sort_by_key(|(date, _)| (*date <= today, *date));
    all
}

impl Hub {
    /// Does what is due at this hour, if nobody needs us.
    pub(super) fn look_after_night(&mut self, radio: &watch::Receiver<ble::Status>) {
        let now = self.clock.now();
        let soon = self.night.looked.is_some_and(|at| now.mono.since(at) < LOOK_EVERY);
        // the hub turns with every beat: nothing is asked that nobody needs
        if soon && self.night.copying.is_none() {
            return;
        }
        let busy = self.checking || self.engine.strap_statuses(now.mono).iter().any(|s| s.online);
        if busy {
            self.night.give_up();
        }
        if soon {
            return;
        }
        self.night.looked = Some(now.mono);
        if self.night.measure(now.mono) {
            self.say_bridge(radio);
        }
        let Some(wall) = now.wall else { return };
        let local = wall.to_zoned_datetime(self.night.zone.clone());
        let (hour, today) = (local.hour(), local.date());
        let settled = now.mono.since(self.night.started) >= SETTLED;
        self.hear_of_copy(today);
        self.hear_of_pruning(today);
        if busy {
            return;
        }
        let copies = self.night.keeping.backup_dir.is_some();
        if copies && self.night.copying.is_none() && due(hour, today, self.night.copied, settled) {
            self.night.copy(today);
        }
        let going_on = self.night.rows > 0;
        let Some(days) = self.night.keeping.raw_keep.filter(|_| self.night.pruning.is_none()) else { return };
        if going_on || due(hour, today, self.night.pruned, settled) {
            self.night.pruning = Some(self.store.prune(wall, days, STEP));
        }
    }

    fn hear_of_copy(&mut self, today: Date) {
        let Some(copying) = &mut self.night.copying else { return };
        let Ok(outcome) = copying.answer.try_recv() else { return };
        let given_up = copying.given_up;
        self.night.copying = None;
        match outcome {
            Ok(Some(c)) => {
                tracing::info!(
                    "the database was copied to {} ({} kB, {} results); {} older copies were removed",
                    c.to.display(),
                    c.contents.bytes / 1024,
                    c.contents.results,
                    c.removed
                );
                if let Some(stays) = c.stays {
                    tracing::warn!("an older copy of the database could not be removed, and they take room: {stays}");
                }
            }
            Ok(None) => {}
            Err(_) if given_up => {
                tracing::debug!("the copy of the database waits until nobody wears a strap");
                return;
            }
            Err(e) => tracing::error!("the database could not be copied: {e}; {}", e.hint()),
        }
        self.night.copied = Some(today);
    }

    fn hear_of_pruning(&mut self, today: Date) {
        let Some(outcome) = self.night.pruning.as_mut().and_then(|answer| answer.try_recv().ok()) else { return };
        self.night.pruning = None;
        match outcome {
            Ok(0) => {
                if self.night.rows > 0 {
                    tracing::info!(
                        "{} rows of raw records were older than store.raw_keep and are gone",
                        self.night.rows
                    );
                }
                (self.night.rows, self.night.pruned) = (0, Some(today));
            }
            Ok(n) => self.night.rows += n,
            Err(e) => {
                tracing::warn!("old raw records could not be deleted: {e}");
                (self.night.rows, self.night.pruned) = (0, Some(today));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn once_a_night_and_by_day_only_after_a_night_that_was_slept_through() {
        let (today, yesterday) = (date(2026, 11, 25), date(2026, 11, 24));
        for (hour, done, settled, want) in [
            (1, None, true, false),
            (2, None, false, true),
            (3, Some(yesterday), true, true),
            (3, Some(today), true, false),
            (4, None, false, false),
            (4, None, true, true),
            (23, None, true, true),
            // it slept through the night without an end of the process, or somebody wore a strap
            (12, Some(yesterday), true, true),
            (12, Some(today), true, false),
            // the clock ran ahead once
            (3, Some(date(2030, 1, 1)), true, true),
        ] {
            assert_eq!(due(hour, today, done, settled), want, "{hour} {done:?} {settled}");
        }
    }

    #[test]
    fn copies_are_kept_by_number_and_other_files_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("hrvd.db");
        let opened = crate::store::open(crate::store::OpenOptions::new(&db, "boot")).unwrap();
        let to = dir.path().join("copies");
        let run = |today: Date| copy(&db, &to, 3, today, oneshot::channel().0).unwrap();
        let names = || {
            let mut all: Vec<String> =
                fs::read_dir(&to).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            all.sort();
            all
        };
        assert!(run(date(2026, 11, 20)).is_some());
        assert!(run(date(2026, 11, 20)).is_none(), "one a day");
        for other in ["hrvd-mine.db", "notes.txt", "hrvd-2020-01-01.db.part"] {
            fs::write(to.join(other), "").unwrap();
        }
        for day in 21..=25 {
            assert!(run(date(2026, 11, day)).is_some());
        }
        assert_eq!(
            names(),
            [
                "hrvd-2020-01-01.db.part",
                "hrvd-2026-11-23.db",
                "hrvd-2026-11-24.db",
                "hrvd-2026-11-25.db",
                "hrvd-mine.db",
                "notes.txt"
            ]
        );
        crate::store::verify(&to.join("hrvd-2026-11-25.db")).unwrap();
        // a night by a clock that ran ahead ends nothing, and its copy is no younger than those after it
        assert!(run(date(2030, 1, 1)).is_some());
        for day in 26..=28 {
            assert!(run(date(2026, 11, day)).is_some(), "{day}");
            assert!(to.join(format!("hrvd-2026-11-{day}.db")).exists());
        }
        assert!(!to.join("hrvd-2030-01-01.db").exists());
        // what cannot be removed would fill the card without a word
        fs::create_dir(to.join("hrvd-2026-11-02.db")).unwrap();
        let copied = run(date(2026, 11, 29)).unwrap();
        assert!(copied.removed == 1 && copied.stays.is_some_and(|s| s.contains("hrvd-2026-11-02.db")));
        opened.handle.stop().unwrap();
    }
}
