//! The store: raw truth, frozen results and the outbox in one SQLite file that any tool opens.
//!
//! One thread writes ([`StoreHandle`] feeds it and never waits for the card); readers use short-lived [`Query`]
//! connections. Raw records go to a file in RAM as they are sent, to a journal beside the database within ten seconds, and are sealed into it in
//! chunks every ten minutes:
//! a day of wear costs a few megabytes on an SD card, an idle day nothing. A full or read-only card stops history,
//! never the live values.

mod adoptions;
mod backup;
mod batch;
mod check_records;
mod db;
mod erase;
mod error;
mod export;
mod files;
mod inbox;
mod journal;
mod migrate;
mod offline;
mod op;
mod personal;
mod preferences;
mod prune;
mod query;
mod readiness;
mod redate;
mod replace;
mod rows;
mod seal;
mod tail;
mod writer;

pub use backup::{Backup, Contents, Interrupt, Restored, is_untidy, restore, tidy, verify};
pub use db::DbReport;
pub use erase::{Erased, copies};
pub use error::StoreError;
pub use export::Exports;
pub use migrate::Migrated;
use offline::give_to_folder_owner;
pub use offline::{adopt_offline, erase_offline, forget_offline};
pub use preferences::Preferred;
pub use query::{OutboxRow, Query, RecordingInfo};
pub use readiness::ReadinessWrite;
pub use rows::AdoptedStrap;
pub use tail::is_ram;

use crate::check::{CheckId, CheckResult};
use crate::engine::{Athlete, Record, Strap, StrapFacts};
use crate::preference::{Choice, Preference};
use crate::publication::Publication;
use crate::units::{AthleteId, StrapId};
use error::At;
use files::Files;
use inbox::Inbox;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use op::Op;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tail::Tail;
use tokio::sync::{mpsc, oneshot, watch};
use writer::{Message, Writer};

/// Records that no file in RAM holds go to the card after this time: what a kill may cost then.
pub const ALONE: Duration = Duration::from_secs(1);

/// How to open the store.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Path of the database; the journal and backups lie beside it.
    pub path: PathBuf,
    /// Identity of this boot: times since boot mean something within it only.
    pub boot_id: String,
    /// Version of this program, kept with each recording.
    pub app_version: String,
    /// People, for names and for the local date of late-dated results.
    pub athletes: Vec<Athlete>,
    /// Straps that are known without adoption (by the configuration), for whose their recordings are.
    pub straps: Vec<Strap>,
    /// Raw records stay off the card for at most this long (10 s).
    pub flush_every: Duration,
    /// A directory in RAM ([`is_ram`]) that outlives the process: each record goes there at once, so that a kill costs
    /// none. If it fails, records go to the card after [`ALONE`]; without one that is the caller's choice.
    pub tail: Option<PathBuf>,
    /// Raw records stay in the journal for about this long (10 min).
    pub seal_every: Duration,
}

impl OpenOptions {
    /// The usual intervals.
    pub fn new(path: impl Into<PathBuf>, boot_id: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            boot_id: boot_id.into(),
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
            athletes: Vec::new(),
            straps: Vec::new(),
            flush_every: Duration::from_secs(10),
            tail: None,
            seal_every: Duration::from_secs(600),
        }
    }
}

impl OpenOptions {
    fn zone(&self, athlete: &AthleteId) -> Option<TimeZone> {
        self.athletes.iter().find(|a| a.id == *athlete).map(|a| a.time_zone.clone())
    }
}

/// What happened while opening; worth log lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Migration, or a damaged file moved aside.
    pub db: DbReport,
    /// Raw records taken over from the journal of an unclean end.
    pub imported: usize,
    /// Bytes of that journal that were no whole frame.
    pub torn_bytes: u64,
    /// Where an unreadable journal was kept.
    pub journal_kept: Option<PathBuf>,
    /// Files in RAM of killed processes that cannot be read; they stay.
    pub tail_unread: Vec<PathBuf>,
    /// Why the file in RAM cannot be used: a kill may cost [`ALONE`] then.
    pub tail_trouble: Option<StoreError>,
    /// Why nothing can be written now (no space, read-only). Opening is tried again.
    pub trouble: Option<StoreError>,
}

/// State of the writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// Everything that should be on the card is there.
    pub ok: bool,
    /// What is wrong and what helps.
    pub message: Option<String>,
    /// Records and changes that only memory holds, while not ok.
    pub unsaved: u64,
    /// Records and changes that were lost because memory is bounded, or refused.
    pub dropped: u64,
    /// How often the queue in front of the writer passed its usual length.
    pub spills: u64,
    /// Messages in the outbox that were not acknowledged yet; a change here tells the sender to look.
    pub outbox_unsent: u64,
}

/// What the store has to say by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreEvent {
    /// These results got their wall time now; publish them again with [`StoreHandle::republish`]. Told again at the
    /// next start until that is done.
    Redated(Vec<CheckResult>),
    /// The files were opened after trouble, or a damaged database was replaced.
    Opened(Box<OpenReport>),
}

/// What [`open`] returns.
pub struct Opened {
    /// For sending.
    pub handle: StoreHandle,
    /// What happened.
    pub report: OpenReport,
    /// Later news.
    pub events: mpsc::UnboundedReceiver<StoreEvent>,
}

/// Opens the store and starts its thread. Fails for a newer or foreign file, or if another daemon runs on it; a full or
/// read-only card is only reported.
pub fn open(options: OpenOptions) -> Result<Opened, StoreError> {
    let (health_in, health) = watch::channel(StoreHealth { ok: true, ..StoreHealth::default() });
    let (events_in, events) = mpsc::unbounded_channel();
    let path = options.path.clone();
    let tail::Opened { tail, left, unread, trouble } = Tail::open(options.tail.as_deref(), &path, &options.boot_id);
    let inbox = Arc::new(Inbox::new(tail));
    let (writer, mut report) = Writer::open(options, Arc::clone(&inbox), left, health_in, events_in)?;
    (report.tail_unread, report.tail_trouble) = (unread, trouble);
    let theirs = Arc::clone(&inbox);
    let join = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || {
            let _closer = Closer(theirs);
            writer.run()
        })
        .at(&path)?;
    let handle = StoreHandle { inner: Arc::new(Inner { inbox, join: Mutex::new(Some(join)), health }) };
    Ok(Opened { handle, report, events })
}

/// Closes the inbox even if the writer panics, so that senders notice.
struct Closer(Arc<Inbox>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Inner {
    inbox: Arc<Inbox>,
    join: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
    health: watch::Receiver<StoreHealth>,
}

impl Inner {
    fn stop(&self) -> Result<(), StoreError> {
        self.inbox.close();
        let join = self.join.lock().unwrap_or_else(PoisonError::into_inner).take();
        join.map_or(Ok(()), |join| join.join().unwrap_or(Err(StoreError::Stopped)))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// Feeds the writer thread. Every send returns at once; trouble shows in [`StoreHandle::health`].
#[derive(Clone)]
pub struct StoreHandle {
    inner: Arc<Inner>,
}

impl StoreHandle {
    fn send(&self, message: Message) {
        let _ = self.inner.inbox.send(message); // a dead writer shows as a closed health channel
    }

    fn op(&self, op: Op) {
        self.send(Message::Op(op));
    }

    /// Stores one item of the raw truth. When this returns it is safe from a kill, if there is a tail.
    pub fn record(&self, record: Record) {
        self.send(Message::Record(record));
    }

    /// Says whether a check runs: then each journal write is forced to the card.
    pub fn checking(&self, on: bool) {
        self.send(Message::Checking(on));
    }

    /// Stores a result and its messages in one transaction, after the raw truth behind it. The first result of a check
    /// stays; a repeated one changes nothing and sends nothing.
    pub fn result(&self, result: CheckResult, publications: Vec<Publication>) {
        self.op(Op::Result(Box::new(result), publications));
    }

    /// Puts messages into the outbox.
    pub fn publish(&self, publications: Vec<Publication>, now: Option<Timestamp>) {
        self.op(Op::Publish(publications, now));
    }

    /// Puts the messages of a late-dated result into the outbox and takes it off the list of those to publish again.
    pub fn republish(&self, check: CheckId, publications: Vec<Publication>) {
        self.op(Op::Republish(check, publications));
    }

    /// Replaces the messages of a late-dated result that still wait in the outbox, topic by topic.
    pub fn redate_unsent(&self, check: CheckId, publications: Vec<Publication>) {
        self.op(Op::RedateUnsent(check, publications));
    }

    /// Marks an outbox row as acknowledged.
    pub fn mark_sent(&self, id: i64, tries: u32, now: Option<Timestamp>) {
        self.op(Op::Sent { id, tries, at: now });
    }

    /// Replaces the people known to the store.
    pub fn athletes(&self, athletes: Vec<Athlete>) {
        self.op(Op::Athletes(athletes));
    }

    /// Replaces the straps that are known without adoption.
    pub fn straps(&self, straps: Vec<Strap>) {
        self.op(Op::Straps(straps));
    }

    /// Adopts a strap, or changes whose it is.
    pub fn adopt(&self, strap: Strap, now: Option<Timestamp>) {
        self.op(Op::Adopt(strap, now));
    }

    /// Forgets a strap; its recordings stay.
    pub fn forget(&self, strap: StrapId) {
        self.op(Op::Forget(strap));
    }

    /// Keeps what was learned about an adopted or configured strap (signal strength excepted).
    pub fn facts(&self, strap: StrapId, facts: StrapFacts) {
        self.op(Op::Facts(strap, facts));
    }

    /// Keeps the battery level of a local date; the newest of the date stays.
    pub fn battery(&self, strap: StrapId, date: Date, percent: u8) {
        self.op(Op::Battery(strap, date, percent));
    }

    /// Remembers what was announced at a discovery topic; `None` forgets it.
    pub fn announced(&self, topic: String, payload: Option<Vec<u8>>) {
        self.op(Op::Announced(topic, payload));
    }

    /// Sets or clears a small setting.
    pub fn set_meta(&self, key: impl Into<String>, value: Option<String>) {
        self.op(Op::Meta(key.into(), value));
    }

    /// Keeps what a preference is set to, of a person or of the gateway; `None` takes it back.
    pub fn prefer(&self, athlete: Option<AthleteId>, what: Preference, choice: Option<Choice>, at: Option<Timestamp>) {
        self.op(Op::Prefer { athlete, what, choice, at });
    }

    /// Forces all that was sent before to the card; the answer says whether it is there. Await it, or use
    /// `blocking_recv` outside async code.
    pub fn flush(&self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        self.send(Message::Flush(done));
        answer
    }

    /// Moves everything that was recorded so far into the database, as it happens by itself every few minutes: for an
    /// export of what still runs.
    pub fn seal(&self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        self.send(Message::Seal(done));
        answer
    }

    /// Deletes everything of a person, after all that was sent before is in the database.
    pub fn erase(&self, who: AthleteId) -> oneshot::Receiver<Result<Erased, StoreError>> {
        self.with(true, move |files, options| erase::erase(files, options, &who))
    }

    /// Deletes at most `limit` rows of raw records that are older than so many days; how many, 0 when all are gone. Small
    /// steps let others pass in between.
    pub fn prune(&self, now: Timestamp, days: u32, limit: u32) -> oneshot::Receiver<Result<usize, StoreError>> {
        self.with(false, move |files, options| prune::step(&mut files.conn, now, days, limit).at(&options.path))
    }

    fn with<T: Send + 'static>(
        &self,
        sealed: bool,
        what: impl FnOnce(&mut Files, &OpenOptions) -> Result<T, StoreError> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, StoreError>> {
        let (done, answer) = oneshot::channel();
        let work = move |ready: Result<(&mut Files, &OpenOptions), StoreError>| {
            let _ = done.send(ready.and_then(|(files, options)| what(files, options))); // nobody waits any more
        };
        self.send(Message::With(sealed, Box::new(work)));
        answer
    }

    /// Has the writer's thread read, after all that was sent before: a card that is slow makes nobody else wait.
    pub fn read<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Query) -> Result<T, StoreError> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, StoreError>> {
        let (done, answer) = oneshot::channel();
        self.send(Message::Read(Box::new(move |query| {
            let _ = done.send(query.and_then(what)); // nobody waits any more
        })));
        answer
    }

    /// State of the writer, to read or to wait for. A closed channel means that the thread has ended.
    pub fn health(&self) -> watch::Receiver<StoreHealth> {
        self.inner.health.clone()
    }

    /// Messages that the writer has not dealt with yet.
    pub fn backlog(&self) -> usize {
        self.inner.inbox.waiting()
    }

    /// Writes everything, seals, tidies up and ends the thread. Blocks for the time that takes.
    pub fn stop(&self) -> Result<(), StoreError> {
        self.inner.stop()
    }
}

/// A file beside the database: `hrvd.db` and `x` make `hrvd.db.x`.
fn beside(db: &Path, suffix: &str) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// The first free name of the form `hrvd.db.<what>-<n>`, from 1.
fn free_name(db: &Path, what: &str) -> PathBuf {
    let name = |n: u32| beside(db, &format!("{what}-{n}"));
    (1..u32::MAX).map(name).find(|p| !p.exists()).unwrap_or_else(|| name(u32::MAX))
}
