//! The writer: one thread owns the connection and the journal. Errors never leave it: what could not be written stays
//! in bounded memory, is tried again, and the health says so.

use super::batch::{Batch, Numbered};
use super::error::{At, StoreError};
use super::inbox::{Inbox, Next};
use super::journal::Journal;
use super::op::Op;
use super::seal::{self, Anchor, Context, Recordings};
use super::{OpenOptions, OpenReport, StoreEvent, StoreHealth, db, redate};
use crate::engine::{Record, RecordKind};
use crate::units::{AthleteId, Mono, StrapId};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Records kept in memory while they cannot be sealed: more than a day of one strap, some 8 MB.
const UNSEALED_MAX: usize = 100_000;
/// Changes kept in memory while they cannot be written; the oldest that is no result goes first.
const OPS_MAX: usize = 1024;

/// What reaches the writer.
pub(super) enum Message {
    Record(Record),
    Checking(bool),
    Op(Op),
    Flush(oneshot::Sender<Result<(), StoreError>>),
}

/// The open files.
struct Files {
    conn: Connection,
    journal: Journal,
    recordings: Recordings,
}

/// State of the writer thread.
pub(super) struct Writer {
    options: OpenOptions,
    files: Option<Files>,
    /// Not yet in the database, oldest first; the first `journaled` are in the journal.
    unsealed: VecDeque<Record>,
    journaled: usize,
    /// Order number of the first unsealed record.
    first_ord: u64,
    /// The journal holds older records than memory does.
    evicted: bool,
    /// Written to the journal and not forced to the card.
    unsynced: bool,
    ops: VecDeque<Op>,
    checking: bool,
    anchor: Option<Anchor>,
    redate_due: bool,
    seal_failed: bool,
    up: HashSet<StrapId>,
    /// When records last failed to be written.
    failed_at: Option<Mono>,
    state: StoreHealth,
    dropped: u64,
    /// [`UNSEALED_MAX`], less in tests.
    memory_max: usize,
    health: watch::Sender<StoreHealth>,
    events: mpsc::UnboundedSender<StoreEvent>,
}

impl Writer {
    /// Opens the files. A passing trouble (no space, read-only) is reported and tried again; others are errors.
    pub(super) fn open(
        options: OpenOptions,
        health: watch::Sender<StoreHealth>,
        events: mpsc::UnboundedSender<StoreEvent>,
    ) -> Result<(Self, OpenReport), StoreError> {
        let mut writer = Self {
            options,
            files: None,
            unsealed: VecDeque::new(),
            journaled: 0,
            first_ord: 0,
            evicted: false,
            unsynced: false,
            ops: VecDeque::new(),
            checking: false,
            anchor: None,
            redate_due: false,
            seal_failed: false,
            up: HashSet::new(),
            failed_at: None,
            state: StoreHealth { ok: true, ..StoreHealth::default() },
            dropped: 0,
            memory_max: UNSEALED_MAX,
            health,
            events,
        };
        let report = match writer.open_files() {
            Ok(report) => report,
            // another daemon on the same file is no passing trouble
            Err(e) if e.is_passing() && !matches!(e, StoreError::Busy { .. }) => {
                writer.settle(&Err(e.clone()));
                OpenReport { trouble: Some(e), ..OpenReport::default() }
            }
            Err(e) => return Err(e),
        };
        if !writer.options.athletes.is_empty() {
            writer.ops.push_back(Op::Athletes(writer.options.athletes.clone()));
        }
        if report.trouble.is_none() {
            let outcome = writer.write_ops();
            writer.settle(&outcome);
        }
        writer.tell(0, 0);
        Ok((writer, report))
    }

    /// Runs until the inbox is closed and empty.
    pub(super) fn run(mut self, inbox: &Arc<Inbox>) -> Result<(), StoreError> {
        loop {
            match inbox.next(self.patience()) {
                Next::Message(message) => self.handle(message),
                Next::Quiet => self.quiet(),
                Next::Closed => break,
            }
            let counts = inbox.counts();
            self.tell(counts.dropped, counts.spills);
        }
        let outcome = self.close();
        self.settle(&outcome);
        self.tell(inbox.counts().dropped, inbox.counts().spills);
        outcome
    }

    /// How long to wait for a message before [`Writer::quiet`]; `None` when there is nothing to do.
    fn patience(&self) -> Option<Duration> {
        let every = self.options.flush_every;
        if !self.state.ok || !self.ops.is_empty() || self.redate_due {
            return Some(every);
        }
        if let (Some(first), Some(last)) = (self.unsealed.get(self.journaled), self.unsealed.back()) {
            return Some(every.saturating_sub(last.at.since(first.at)));
        }
        (self.up.is_empty() && !self.unsealed.is_empty()).then_some(every)
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Record(record) => self.record(record),
            Message::Checking(on) => {
                self.checking = on;
                let outcome = self.write_journal(on);
                self.settle(&outcome);
            }
            Message::Op(op) => {
                if let Op::Athletes(athletes) = &op {
                    self.options.athletes.clone_from(athletes);
                }
                if self.ops.len() >= OPS_MAX {
                    self.drop_op();
                }
                let sync = matches!(op, Op::Result(..));
                self.ops.push_back(op);
                // the raw truth of a result goes first, but its failure must not keep the result out
                let raw = self.write_journal(sync);
                let outcome = self.write_ops().and(raw);
                self.settle(&outcome);
            }
            Message::Flush(done) => {
                let outcome = self.write_journal(true).and_then(|()| self.write_ops());
                self.settle(&outcome);
                let _ = done.send(outcome); // nobody may be waiting any more
            }
        }
    }

    /// A change that cannot be kept any longer: anything but a result, if there is one.
    fn drop_op(&mut self) {
        let victim = self.ops.iter().position(|op| !op.is_precious()).unwrap_or(0);
        self.ops.remove(victim);
        self.dropped += 1;
    }

    fn record(&mut self, record: Record) {
        let at = record.at;
        match &record.kind {
            RecordKind::Packet { strap, .. } | RecordKind::Link { strap, up: true } => {
                self.up.insert(*strap);
            }
            RecordKind::Link { strap, up: false } => {
                self.up.remove(strap);
            }
            RecordKind::Anchor { wall } => {
                self.anchor = Some((at, *wall));
                self.redate_due = true;
            }
            RecordKind::Command(_) => {}
        }
        if self.unsealed.len() >= self.memory_max {
            self.evict();
        }
        self.unsealed.push_back(record);
        let since = self.unsealed.get(self.journaled).map(|r| r.at).max(self.failed_at);
        let due = since.is_some_and(|since| at.since(since) >= self.options.flush_every);
        if due || (self.redate_due && self.state.ok) {
            self.tick();
        }
    }

    fn evict(&mut self) {
        self.unsealed.pop_front();
        self.first_ord += 1;
        if self.journaled > 0 {
            self.journaled -= 1;
            self.evicted = true; // still in the journal
        } else {
            self.dropped += 1;
        }
    }

    /// Does all that is due.
    fn tick(&mut self) {
        let outcome = self.try_all();
        self.settle(&outcome);
    }

    fn try_all(&mut self) -> Result<(), StoreError> {
        if !self.state.ok {
            self.ensure_open()?;
        }
        let journal = self.write_journal(false);
        self.write_ops()?;
        self.redate()?;
        let age = match (self.unsealed.front(), self.unsealed.back()) {
            (Some(first), Some(last)) => last.at.since(first.at),
            _ => Duration::ZERO,
        };
        // without a journal the database itself must take the records now
        let due = age >= self.options.seal_every || journal.is_err() || self.evicted || self.seal_failed;
        if due { self.seal(false) } else { Ok(()) }
    }

    /// Nothing came for a while.
    fn quiet(&mut self) {
        let mut outcome = self.try_all();
        if outcome.is_ok() && self.up.is_empty() {
            outcome = self.seal(true);
        }
        self.settle(&outcome);
    }

    /// Draws the conclusions of an attempt.
    fn settle(&mut self, outcome: &Result<(), StoreError>) {
        let Err(e) = outcome else {
            if self.files.is_none() || !self.ops.is_empty() || self.redate_due || self.seal_failed {
                return; // this worked, something else still does not
            }
            self.state.ok = true;
            self.state.message = None;
            self.failed_at = None;
            return;
        };
        self.state.ok = false;
        self.state.message = Some(format!("{e}; {}", e.hint()));
        self.failed_at = self.unsealed.back().map(|r| r.at);
        if let StoreError::Corrupt { cause, .. } = e {
            self.replace(cause.clone());
        }
    }

    /// The database broke while in use: go on with a new one. What is unsealed is still in memory and in the journal.
    fn replace(&mut self, cause: String) {
        let Some(Files { conn, journal, .. }) = self.files.take() else { return };
        drop(conn);
        match db::replace(&self.options.path, cause) {
            Ok((conn, report)) => {
                self.files = Some(Files { conn, journal, recordings: Recordings::default() });
                let _ = self.events.send(StoreEvent::Opened(OpenReport { db: report, ..OpenReport::default() }));
            }
            Err(e) => self.state.message = Some(format!("{e}; {}", e.hint())),
        }
    }

    fn tell(&mut self, inbox_dropped: u64, spills: u64) {
        let dropped = self.dropped + inbox_dropped;
        let unsaved = (self.unsealed.len() - self.journaled + self.ops.len()) as u64;
        let new =
            StoreHealth { dropped, spills, unsaved: if self.state.ok { 0 } else { unsaved }, ..self.state.clone() };
        self.health.send_if_modified(|old| {
            let changed = *old != new;
            old.clone_from(&new);
            changed
        });
    }

    fn open_files(&mut self) -> Result<OpenReport, StoreError> {
        let path = self.options.path.clone();
        let mut journal = Journal::open(&path)?;
        let content = journal.read()?;
        let (mut conn, db) = db::open(&path)?;
        let mut report = OpenReport { db, torn_bytes: content.torn, ..OpenReport::default() };
        if content.torn > 0 && content.boot.is_empty() {
            let copy = super::free_name(&path, "journal-damaged");
            std::fs::copy(super::journal::path_of(&path), &copy).at(&copy)?;
            report.journal_kept = Some(copy);
        }
        let sealed = seal::sealed_to(&conn).at(&path)?;
        let left: Vec<Numbered> = content.records.into_iter().filter(|(ord, _)| Some(*ord) > sealed).collect();
        let top = left.last().map(|(ord, _)| *ord).or(sealed);
        if !left.is_empty() {
            let own = anchor_of(&left);
            let anchor = match own {
                None => seal::newest_anchor(&conn, &content.boot).at(&path)?,
                own => own,
            };
            let tx = begin_full(&mut conn).at(&path)?;
            let mut recordings = Recordings::resume(&tx, &content.boot).at(&path)?;
            let ctx = Context { boot: &content.boot, app_version: &self.options.app_version, anchor };
            let batch = Batch::split(left.iter().map(|(o, r)| (*o, r)));
            recordings.seal(&tx, &ctx, &batch, top.unwrap_or(0)).at(&path)?;
            if let Some(anchor) = anchor {
                redate::redate(&tx, &content.boot, anchor, &|a| self.options.zone(a)).at(&path)?;
            }
            tx.commit().at(&path)?;
            normal(&conn).at(&path)?;
            report.imported = left.len();
        }
        journal.clear()?;
        let recordings = Recordings::resume(&conn, &self.options.boot_id).at(&path)?;
        if self.anchor.is_none() {
            self.anchor = seal::newest_anchor(&conn, &self.options.boot_id).at(&path)?;
        }
        self.redate_due = self.anchor.is_some();
        // opened again after trouble: what was in the journal has just been imported
        let mut in_journal = std::mem::take(&mut self.journaled);
        while in_journal > 0 && Some(self.first_ord) <= top {
            self.unsealed.pop_front();
            self.first_ord += 1;
            in_journal -= 1;
        }
        self.first_ord = top.map_or(1, |n| n + 1);
        self.evicted = false;
        self.state.outbox_unsent = unsent(&conn).at(&path)?;
        self.files = Some(Files { conn, journal, recordings });
        self.redate()?;
        self.announce_redated()?;
        Ok(report)
    }

    /// The files, opened now if they could not be before.
    fn ensure_open(&mut self) -> Result<(), StoreError> {
        if self.files.is_none() {
            let report = self.open_files()?;
            let _ = self.events.send(StoreEvent::Opened(report));
        }
        Ok(())
    }

    /// Appends what is only in memory to the journal; forces it to the card if asked or while a check runs.
    fn write_journal(&mut self, sync: bool) -> Result<(), StoreError> {
        let nothing_new = self.unsealed.len() == self.journaled;
        if nothing_new && (!sync || !self.unsynced) {
            return Ok(());
        }
        self.ensure_open()?;
        let Some(files) = &mut self.files else { return Err(StoreError::Stopped) };
        if !nothing_new {
            let first = self.first_ord;
            let records = self.unsealed.iter().enumerate().skip(self.journaled).map(|(i, r)| (first + i as u64, r));
            files.journal.append(&self.options.boot_id, records)?;
            self.journaled = self.unsealed.len();
            self.unsynced = true;
        }
        if self.unsynced && (sync || self.checking) {
            files.journal.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }

    fn write_ops(&mut self) -> Result<(), StoreError> {
        if self.ops.is_empty() {
            return Ok(());
        }
        self.ensure_open()?;
        let mut rejected = Ok(());
        while let Some(op) = self.ops.front() {
            let Some(files) = &mut self.files else { return Err(StoreError::Stopped) };
            let outcome = apply(&mut files.conn, op, &self.options.boot_id).at(&self.options.path);
            let undated = matches!(op, Op::Result(r, _) if r.wall.is_none());
            match outcome {
                Ok(()) => {}
                Err(e @ StoreError::Rejected { .. }) => {
                    self.dropped += 1;
                    rejected = Err(e);
                }
                Err(e) => return Err(e),
            }
            self.ops.pop_front();
            self.redate_due |= undated && self.anchor.is_some();
        }
        if let Some(files) = &self.files {
            self.state.outbox_unsent = unsent(&files.conn).at(&self.options.path)?;
        }
        self.redate().and(rejected)
    }

    /// Dates earlier rows of this boot, if any lacks its date and the clock is known.
    fn redate(&mut self) -> Result<(), StoreError> {
        let Some(anchor) = self.anchor.filter(|_| self.redate_due) else { return Ok(()) };
        self.ensure_open()?;
        let path = &self.options.path;
        let Some(files) = &mut self.files else { return Err(StoreError::Stopped) };
        let mut changed = 0;
        if redate::needed(&files.conn, &self.options.boot_id).at(path)? {
            let tx = begin_full(&mut files.conn).at(path)?;
            changed = redate::redate(&tx, &self.options.boot_id, anchor, &|a| self.options.zone(a)).at(path)?;
            tx.commit().at(path)?;
            normal(&files.conn).at(path)?;
        }
        self.redate_due = false;
        if changed > 0 { self.announce_redated() } else { Ok(()) }
    }

    fn announce_redated(&mut self) -> Result<(), StoreError> {
        let Some(files) = &self.files else { return Ok(()) };
        let waiting = redate::waiting(&files.conn).at(&self.options.path)?;
        if !waiting.is_empty() {
            let _ = self.events.send(StoreEvent::Redated(waiting));
        }
        Ok(())
    }

    /// Moves all records into the database and empties the journal.
    fn seal(&mut self, pause: bool) -> Result<(), StoreError> {
        let outcome = self.try_seal(pause);
        self.seal_failed = outcome.is_err();
        outcome
    }

    fn try_seal(&mut self, pause: bool) -> Result<(), StoreError> {
        if self.unsealed.is_empty() && !self.evicted && !pause {
            return Ok(());
        }
        if self.files.is_none() && self.unsealed.is_empty() {
            return Ok(());
        }
        self.ensure_open()?;
        let path = &self.options.path;
        let Some(files) = &mut self.files else { return Err(StoreError::Stopped) };
        let mut recordings = files.recordings.clone();
        let tx = begin_full(&mut files.conn).at(path)?;
        let from_journal = if self.evicted { files.journal.read()?.records } else { Vec::new() };
        let skip = if self.evicted { self.journaled } else { 0 };
        let first = self.first_ord;
        let memory = self.unsealed.iter().enumerate().skip(skip).map(|(i, r)| (first + i as u64, r));
        let batch = Batch::split(from_journal.iter().map(|(o, r)| (*o, r)).chain(memory));
        let next = first + self.unsealed.len() as u64;
        let ctx = Context { boot: &self.options.boot_id, app_version: &self.options.app_version, anchor: self.anchor };
        recordings.seal(&tx, &ctx, &batch, next.saturating_sub(1)).at(path)?;
        if pause {
            recordings.pause(&tx).at(path)?;
        }
        tx.commit().at(path)?;
        files.recordings = recordings;
        self.unsealed.clear();
        (self.first_ord, self.journaled, self.evicted, self.unsynced) = (next, 0, false, false);
        normal(&files.conn).at(path)?;
        files.journal.clear()
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let outcome = self.try_all().and_then(|()| self.seal(true));
        if let Some(Files { conn, .. }) = self.files.take() {
            let truncated = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).at(&self.options.path);
            return outcome.and(truncated);
        }
        outcome
    }
}

fn anchor_of(records: &[Numbered]) -> Option<Anchor> {
    records.iter().rev().find_map(|(_, r)| match r.kind {
        RecordKind::Anchor { wall } => Some((r.at, wall)),
        _ => None,
    })
}

/// A transaction that is on the card when it is committed.
fn begin_full(conn: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn normal(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "synchronous", "NORMAL")
}

fn apply(conn: &mut Connection, op: &Op, boot: &str) -> rusqlite::Result<()> {
    if op.is_precious() {
        let tx = begin_full(conn)?;
        op.apply(&tx, boot)?;
        tx.commit()?;
        return normal(conn);
    }
    // deferred: a change that changes nothing takes no lock and writes nothing
    let tx = conn.transaction()?;
    op.apply(&tx, boot)?;
    tx.commit()
}

fn unsent(conn: &Connection) -> rusqlite::Result<u64> {
    conn.prepare_cached("SELECT count(*) FROM outbox WHERE sent = 0")?
        .query_row([], |r| r.get::<_, i64>(0))
        .map(|n| n as u64)
}

impl OpenOptions {
    fn zone(&self, athlete: &AthleteId) -> Option<jiff::tz::TimeZone> {
        self.athletes.iter().find(|a| a.id == *athlete).map(|a| a.time_zone.clone())
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
