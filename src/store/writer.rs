//! The writer: one thread owns the connection and the journal. Errors never leave it: what could not be written stays
//! in bounded memory, is tried again, and the health says so.

use super::error::{At, StoreError};
use super::files::{Files, Found, Outbox};
use super::inbox::{Counts, Inbox, Next};
use super::op::Op;
use super::query::Reader;
use super::seal::Anchor;
use super::tail::Left;
use super::{OpenOptions, OpenReport, Query, StoreEvent, StoreHealth, redate};
use crate::engine::{Record, RecordKind};
use crate::units::{Mono, StrapId};
use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Records kept in memory while they cannot be sealed: more than a day of one strap, some 8 MB.
const UNSEALED_MAX: usize = 100_000;
/// Changes kept in memory while they cannot be written; the oldest that is no result goes first.
const OPS_MAX: usize = 1024;

/// Looks something up and says it to whoever asked.
pub(super) type Look = Box<dyn FnOnce(Result<&Query, StoreError>) + Send>;

/// Does something with the files and says the outcome to whoever asked.
pub(super) type Work = Box<dyn FnOnce(Result<(&mut Files, &OpenOptions), StoreError>) + Send>;

/// What reaches the writer.
pub(super) enum Message {
    Record(Record),
    Checking(bool),
    Op(Op),
    Flush(oneshot::Sender<Result<(), StoreError>>),
    /// Look something up.
    Read(Look),
    /// Do something rare with the files; `true` after all that was sent before is in the database.
    With(bool, Work),
    /// Write everything into the database, for a reader that wants it there.
    Seal(oneshot::Sender<Result<(), StoreError>>),
}

/// State of the writer thread.
pub(super) struct Writer {
    options: OpenOptions,
    files: Option<Files>,
    /// Where records come from. It holds the tail too: what is only in memory else.
    inbox: Arc<Inbox>,
    /// What killed processes left in theirs, until that is in the database.
    left: Vec<Left>,
    /// Records taken from the inbox; the unsealed ones are the last of them.
    taken: u64,
    /// For [`Message::Read`].
    reader: Reader,
    /// Not yet in the database, oldest first; the first `journaled` are in the journal.
    unsealed: VecDeque<Record>,
    journaled: usize,
    /// Order number of the first unsealed record.
    first_ord: u64,
    /// The journal holds older records than memory does.
    evicted: bool,
    /// Written to the journal and not forced to the card.
    unsynced: bool,
    /// Changes that wait, in order, with the number of records that came before each.
    ops: VecDeque<(u64, Op)>,
    /// No record with a lower order number still has to get into the database.
    unsealed_from: u64,
    outbox: Outbox,
    checking: bool,
    anchor: Option<Anchor>,
    redate_due: bool,
    seal_failed: bool,
    up: HashSet<StrapId>,
    /// When records last failed to be written.
    failed_at: Option<Mono>,
    state: StoreHealth,
    dropped: u64,
    queue: Counts,
    /// [`UNSEALED_MAX`], less in tests.
    memory_max: usize,
    health: watch::Sender<StoreHealth>,
    events: mpsc::UnboundedSender<StoreEvent>,
}

impl Writer {
    /// Opens the files. A passing trouble (no space, read-only) is reported and tried again; others are errors.
    pub(super) fn open(
        options: OpenOptions,
        inbox: Arc<Inbox>,
        left: Vec<Left>,
        health: watch::Sender<StoreHealth>,
        events: mpsc::UnboundedSender<StoreEvent>,
    ) -> Result<(Self, OpenReport), StoreError> {
        let mut writer = Self {
            options,
            files: None,
            inbox,
            left,
            taken: 0,
            reader: Reader::default(),
            unsealed: VecDeque::new(),
            journaled: 0,
            first_ord: 0,
            evicted: false,
            unsynced: false,
            ops: VecDeque::new(),
            unsealed_from: 0,
            outbox: Outbox::default(),
            checking: false,
            anchor: None,
            redate_due: false,
            seal_failed: false,
            up: HashSet::new(),
            failed_at: None,
            state: StoreHealth { ok: true, ..StoreHealth::default() },
            dropped: 0,
            queue: Counts::default(),
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
            writer.ops.push_back((0, Op::Athletes(writer.options.athletes.clone())));
        }
        if report.trouble.is_none() {
            let outcome = writer.write_ops();
            writer.settle(&outcome);
        }
        writer.tell();
        Ok((writer, report))
    }

    /// Runs until the inbox is closed and empty.
    pub(super) fn run(mut self) -> Result<(), StoreError> {
        loop {
            let next = self.inbox.next(self.patience());
            self.queue = self.inbox.counts();
            match next {
                Next::Message(message) => self.handle(message),
                Next::Quiet => self.quiet(),
                Next::Closed => break,
            }
            self.tell();
        }
        let outcome = self.close();
        self.tell();
        outcome
    }

    /// How long records may stay off the card: only a second if nothing but this process would hold them.
    fn flush_every(&self) -> Duration {
        let alone = self.options.tail.is_some() && !self.inbox.tail_works();
        if alone { self.options.flush_every.min(super::ALONE) } else { self.options.flush_every }
    }

    /// How long to wait for a message before [`Writer::quiet`]; `None` when there is nothing to do.
    fn patience(&self) -> Option<Duration> {
        let every = self.flush_every();
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
                self.ops.push_back((self.taken, op));
                // the raw truth of a result goes first, but its failure must not keep the result out
                let raw = self.write_journal(sync);
                let outcome = self.write_ops().and(raw);
                self.settle(&outcome);
            }
            Message::Read(look) => look(self.reader.of(&self.options.path)),
            Message::With(sealed, work) => self.with(sealed, work),
            Message::Seal(done) => {
                let outcome = self.seal(false);
                let _ = done.send(outcome); // nobody waits any more
            }
            Message::Flush(done) => {
                let outcome = self.write_journal(true).and_then(|()| self.write_ops());
                self.settle(&outcome);
                self.tell(); // before the answer: who waits for it may look at the health next
                let _ = done.send(outcome); // nobody may be waiting any more
            }
        }
    }

    fn with(&mut self, sealed: bool, work: Work) {
        let ready = if sealed { self.write_ops().and_then(|()| self.seal(true)) } else { self.ensure_open() };
        match (ready, &mut self.files) {
            (Ok(()), Some(files)) => {
                work(Ok((files, &self.options)));
                self.outbox = files.outbox().unwrap_or(self.outbox);
            }
            (Err(e), _) => work(Err(e)),
            (Ok(()), None) => work(Err(StoreError::Stopped)),
        }
    }

    /// A change that cannot be kept any longer: anything but a result, if there is one.
    fn drop_op(&mut self) {
        let victim = self.ops.iter().position(|(_, op)| !op.is_precious()).unwrap_or(0);
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
        self.taken += 1;
        let since = self.unsealed.get(self.journaled).map(|r| r.at).max(self.failed_at);
        let due = since.is_some_and(|since| at.since(since) >= self.flush_every());
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
        match Files::replaced(&self.options, journal, cause, self.outbox) {
            Ok((files, report)) => {
                self.files = Some(files);
                let _ = self.events.send(StoreEvent::Opened(Box::new(report)));
            }
            Err(e) => self.state.message = Some(format!("{e}; {}", e.hint())),
        }
    }

    fn tell(&self) {
        let unsaved = (self.unsealed.len() - self.journaled + self.ops.len()) as u64;
        let new = StoreHealth {
            dropped: self.dropped + self.queue.dropped,
            spills: self.queue.spills,
            unsaved: if self.state.ok { 0 } else { unsaved },
            outbox_unsent: self.outbox.unsent,
            ..self.state.clone()
        };
        self.health.send_if_modified(|old| {
            let changed = *old != new;
            old.clone_from(&new);
            changed
        });
    }

    fn open_files(&mut self) -> Result<OpenReport, StoreError> {
        let (files, Found { report, top, anchor }) = Files::open(&self.options, &mut self.left)?;
        // opened again after trouble: what was in the journal has just been imported
        let mut in_journal = std::mem::take(&mut self.journaled);
        while in_journal > 0 && Some(self.first_ord) <= top {
            self.unsealed.pop_front();
            self.first_ord += 1;
            in_journal -= 1;
        }
        self.first_ord = top.map_or(1, |n| n + 1);
        (self.evicted, self.unsealed_from) = (false, self.first_ord);
        // before anything of this process is written under these numbers
        self.inbox.settle_tail(self.first_ord as i64 - (self.taken - self.unsealed.len() as u64) as i64);
        // the last first: a start looks for them by number
        while let Some(left) = self.left.pop() {
            left.remove();
        }
        self.anchor = self.anchor.or(anchor);
        self.redate_due = self.anchor.is_some();
        files.count_on_from(self.outbox).at(&self.options.path)?;
        self.outbox = files.outbox().at(&self.options.path)?;
        // told again at each start until they are published
        let waiting = redate::waiting(&files.conn).at(&self.options.path)?;
        self.files = Some(files);
        self.say_redated(waiting);
        self.redate()?;
        Ok(report)
    }

    /// The files, opened now if they could not be before.
    fn ensure_open(&mut self) -> Result<(), StoreError> {
        if self.files.is_none() {
            let report = self.open_files()?;
            let _ = self.events.send(StoreEvent::Opened(Box::new(report)));
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
            self.inbox.clear_tail();
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
        while let Some((before, op)) = self.ops.front() {
            if op.moves_straps(&self.options.straps) && !self.unsealed_of(*before).is_empty() {
                // what straps sent before belongs to whom they belonged then
                self.try_seal(*before, false)?;
                continue;
            }
            if let Op::Straps(straps) = op {
                self.options.straps.clone_from(straps);
            }
            let Some(files) = &mut self.files else { return Err(StoreError::Stopped) };
            let outcome = files.apply(op, &self.options).at(&self.options.path);
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
            self.outbox = files.outbox().at(&self.options.path)?;
        }
        self.redate().and(rejected)
    }

    /// Dates earlier rows of this boot, if any lacks its date and the clock is known.
    fn redate(&mut self) -> Result<(), StoreError> {
        let Some(anchor) = self.anchor.filter(|_| self.redate_due) else { return Ok(()) };
        self.ensure_open()?;
        let Some(files) = &mut self.files else { return Err(StoreError::Stopped) };
        let dated = files.redate(&self.options, anchor).at(&self.options.path)?;
        self.redate_due = false;
        self.say_redated(dated);
        Ok(())
    }

    fn say_redated(&self, results: Vec<crate::check::CheckResult>) {
        if !results.is_empty() {
            let _ = self.events.send(StoreEvent::Redated(results));
        }
    }

    /// Moves all records into the database and empties the journal.
    fn seal(&mut self, pause: bool) -> Result<(), StoreError> {
        // some of them may belong to others after a change that waits
        let changes = if self.ops.iter().any(|(_, op)| op.moves_straps(&self.options.straps)) {
            self.write_ops()
        } else {
            Ok(())
        };
        let outcome = match changes {
            Ok(()) | Err(StoreError::Rejected { .. }) => self.try_seal(self.taken, pause),
            failed => failed,
        };
        self.seal_failed = outcome.is_err();
        outcome
    }

    /// Which order numbers the first `before` records of this process have that are not in the database.
    fn unsealed_of(&self, before: u64) -> Range<u64> {
        let gone = self.taken - self.unsealed.len() as u64;
        self.unsealed_from..(self.first_ord + before).saturating_sub(gone)
    }

    /// Moves the first `before` records of this process into the database, as far as they are not there.
    fn try_seal(&mut self, before: u64, pause: bool) -> Result<(), StoreError> {
        if self.unsealed_of(before).is_empty() && !pause {
            return Ok(());
        }
        if self.files.is_none() && self.unsealed.is_empty() {
            return Ok(());
        }
        self.ensure_open()?;
        let Range { start, end } = self.unsealed_of(before); // opening numbers them anew
        let Some(files) = &mut self.files else { return Err(StoreError::Stopped) };
        // what fell out of memory is still in the journal
        let older = if self.evicted { files.journal.read()?.records } else { Vec::new() };
        let skip = if self.evicted { self.journaled } else { 0 };
        let first = self.first_ord;
        let memory = self.unsealed.iter().enumerate().skip(skip).map(|(i, r)| (first + i as u64, r));
        let records = older.iter().map(|(o, r)| (*o, r)).chain(memory).filter(|(o, _)| (start..end).contains(o));
        files.seal(&self.options, self.anchor, records, end.saturating_sub(1), pause).at(&self.options.path)?;
        self.unsealed_from = end;
        if before < self.taken {
            let n = (end.saturating_sub(first) as usize).min(self.unsealed.len());
            self.unsealed.drain(..n);
            (self.first_ord, self.journaled) = (first + n as u64, self.journaled.saturating_sub(n));
            self.evicted &= end < first;
            return Ok(());
        }
        self.unsealed.clear();
        (self.first_ord, self.journaled, self.evicted, self.unsynced) = (end, 0, false, false);
        self.inbox.clear_tail();
        files.journal.clear()
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let outcome = self.try_all().and_then(|()| self.seal(true));
        self.settle(&outcome);
        match self.files.take() {
            Some(files) => outcome.and(files.close(&self.options.path)),
            None => outcome,
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
