//! The database and the journal, opened and kept consistent together.

use super::batch::{Batch, Numbered};
use super::error::{At, StoreError};
use super::journal::{self, Journal};
use super::op::Op;
use super::seal::{self, Anchor, Context, Recordings};
use super::tail::Left;
use super::{OpenOptions, OpenReport, adoptions, db, free_name, redate, rows};
use crate::check::CheckResult;
use crate::engine::{Record, RecordKind, Strap};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// The open files and what belongs to them.
pub(super) struct Files {
    pub(super) conn: Connection,
    pub(super) journal: Journal,
    recordings: Recordings,
}

/// What was found while opening.
pub(super) struct Found {
    pub(super) report: OpenReport,
    /// Highest order number in use.
    pub(super) top: Option<u64>,
    /// Newest clock anchor of this boot.
    pub(super) anchor: Option<Anchor>,
}

/// The outbox in two numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outbox {
    pub(super) unsent: u64,
    /// Highest id ever given.
    pub(super) top: i64,
}

impl Files {
    /// Opens both and takes over what unclean ends left in the journal and, newer, in `tails`.
    pub(super) fn open(options: &OpenOptions, tails: &mut [Left]) -> Result<(Self, Found), StoreError> {
        let path = &options.path;
        let mut journal = Journal::open(path)?;
        let content = journal.read()?;
        let (mut conn, db) = db::open(path)?;
        let mut report = OpenReport { db, torn_bytes: content.torn, ..OpenReport::default() };
        if content.torn > 0 && content.boot.is_empty() {
            let copy = free_name(path, "journal-damaged");
            std::fs::copy(journal::path_of(path), &copy).at(&copy)?;
            report.journal_kept = Some(copy);
        }
        let mut top = seal::sealed_to(&conn).at(path)?;
        let listed = rows::listed(&conn).at(path)?;
        let mut take = |boot: &str, records: &[Numbered], top: &mut Option<u64>| -> Result<(), StoreError> {
            // what the last transaction covered is there already: the crash came before the journal was emptied
            let left = records.get(records.partition_point(|(ord, _)| Some(*ord) <= *top)..).unwrap_or_default();
            if let Some((last, _)) = left.last() {
                import(&mut conn, options, boot, (left, *last), &listed).at(path)?;
                report.imported += left.len();
                *top = Some(*last);
            }
            Ok(())
        };
        take(&content.boot, &content.records, &mut top)?;
        for tail in tails {
            let records = tail.numbered(top).at(path)?;
            take(&tail.boot, &records, &mut top)?;
        }
        journal.clear()?;
        rows::list(&conn, &options.straps).at(path)?;
        let recordings = Recordings::resume(&conn, &options.boot_id).at(path)?;
        let anchor = seal::newest_anchor(&conn, &options.boot_id).at(path)?;
        Ok((Self { conn, journal, recordings }, Found { report, top, anchor }))
    }

    /// The same journal with a new database in the place of a damaged one. Outbox ids go on where they were, so that
    /// nobody takes a new message for an acknowledged one.
    pub(super) fn replaced(
        options: &OpenOptions,
        journal: Journal,
        cause: String,
        outbox: Outbox,
    ) -> Result<(Self, OpenReport), StoreError> {
        let (conn, db) = db::replace(&options.path, cause)?;
        let files = Self { conn, journal, recordings: Recordings::default() };
        files.count_on_from(outbox).at(&options.path)?;
        rows::list(&files.conn, &options.straps).at(&options.path)?;
        Ok((files, OpenReport { db, ..OpenReport::default() }))
    }

    /// Gives no outbox id a second time.
    pub(super) fn count_on_from(&self, outbox: Outbox) -> rusqlite::Result<()> {
        if self.outbox()?.top >= outbox.top {
            return Ok(());
        }
        self.conn.execute("DELETE FROM sqlite_sequence WHERE name = 'outbox'", [])?;
        self.conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?1)", [outbox.top]).map(drop)
    }

    /// Writes records as rows, in one transaction that is on the card when it is committed, and empties the journal.
    /// `last` is the highest order number; `pause` ends the recordings for now.
    pub(super) fn seal<'a>(
        &mut self,
        options: &OpenOptions,
        anchor: Option<Anchor>,
        records: impl Iterator<Item = (u64, &'a Record)>,
        last: u64,
        pause: bool,
    ) -> rusqlite::Result<()> {
        let mut recordings = self.recordings.clone();
        let tx = begin_full(&mut self.conn)?;
        recordings.seal(&tx, &context(options, &options.boot_id, anchor), &Batch::split(records), last)?;
        if pause {
            recordings.pause(&tx)?;
        }
        tx.commit()?;
        self.recordings = recordings;
        normal(&self.conn)
    }

    /// Looks anew at which recordings go on, after some were deleted.
    pub(super) fn recordings_gone(&mut self, options: &OpenOptions) -> rusqlite::Result<()> {
        self.recordings = Recordings::resume(&self.conn, &options.boot_id)?;
        Ok(())
    }

    /// Applies one change.
    pub(super) fn apply(&mut self, op: &Op, options: &OpenOptions) -> rusqlite::Result<()> {
        let (boot, straps) = (&options.boot_id, &options.straps);
        if op.is_precious() {
            let tx = begin_full(&mut self.conn)?;
            op.apply(&tx, boot, straps)?;
            tx.commit()?;
            if matches!(op, Op::Adopt(..) | Op::Forget(_)) {
                adoptions::keep(&self.conn, &options.path);
            }
            return normal(&self.conn);
        }
        // deferred: a change that changes nothing takes no lock and writes nothing
        let tx = self.conn.transaction()?;
        op.apply(&tx, boot, straps)?;
        tx.commit()
    }

    /// Dates earlier rows of this boot; returns the results that wait for publishing again, if any was dated now.
    pub(super) fn redate(&mut self, options: &OpenOptions, anchor: Anchor) -> rusqlite::Result<Vec<CheckResult>> {
        if !redate::needed(&self.conn, &options.boot_id, anchor)? {
            return Ok(Vec::new());
        }
        let tx = begin_full(&mut self.conn)?;
        let changed = redate::redate(&tx, &options.boot_id, anchor, &|a| options.zone(a))?;
        tx.commit()?;
        normal(&self.conn)?;
        if changed > 0 { redate::waiting(&self.conn) } else { Ok(Vec::new()) }
    }

    /// The outbox in two numbers.
    pub(super) fn outbox(&self) -> rusqlite::Result<Outbox> {
        self.conn
            .prepare_cached(
                "SELECT (SELECT count(*) FROM outbox WHERE sent = 0),
                        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0)",
            )?
            .query_row([], |r| Ok(Outbox { unsent: r.get::<_, i64>(0)? as u64, top: r.get(1)? }))
    }

    /// Closes the database, its write-ahead log merged.
    pub(super) fn close(self, path: &Path) -> Result<(), StoreError> {
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).at(path)
    }
}

fn context<'a>(options: &'a OpenOptions, boot: &'a str, anchor: Option<Anchor>) -> Context<'a> {
    Context { boot, app_version: &options.app_version, anchor, straps: &options.straps, left: None }
}

fn import(
    conn: &mut Connection,
    options: &OpenOptions,
    boot: &str,
    (left, last): (&[Numbered], u64),
    listed: &[Strap],
) -> rusqlite::Result<()> {
    let own = left.iter().rev().find_map(|(_, r)| match r.kind {
        RecordKind::Anchor { wall } => Some((r.at, wall)),
        _ => None,
    });
    let anchor = match own {
        None => seal::newest_anchor(conn, boot)?,
        own => own,
    };
    let tx = begin_full(conn)?;
    let mut recordings = Recordings::resume(&tx, boot)?;
    let batch = Batch::split(left.iter().map(|(o, r)| (*o, r)));
    let ctx = Context { left: Some(listed), ..context(options, boot, anchor) };
    recordings.seal(&tx, &ctx, &batch, last)?;
    if let Some(anchor) = anchor {
        redate::redate(&tx, boot, anchor, &|a| options.zone(a))?;
    }
    tx.commit()?;
    normal(conn)
}

/// A transaction that is on the card when it is committed.
fn begin_full(conn: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn normal(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "synchronous", "NORMAL")
}
