//! Sealing: records become rows, all of them in one transaction.

use super::batch::{Batch, columns};
use super::rows::{mono, mono_us};
use crate::engine::Strap;
use crate::recording::chunk::{self, Packet};
use crate::recording::text;
use crate::units::{Mono, StrapId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::time::Duration;

/// A strap that is silent for longer than this begins a new recording.
pub(super) const SAME_WEARING: Duration = Duration::from_secs(600);
/// Packets a chunk: an hour at one a second; bounds the blob after a long time without room.
const CHUNK_PACKETS: usize = 3600;

/// A clock anchor: this time since boot was that wall clock.
pub(super) type Anchor = (Mono, Timestamp);

/// The wall clock at another moment of the same boot.
pub(super) fn wall_at(anchor: Anchor, at: Mono) -> Option<Timestamp> {
    let us = at.diff_micros(anchor.0);
    anchor.1.checked_add(jiff::SignedDuration::from_micros(us)).ok()
}

/// A recording that goes on.
#[derive(Clone, Debug)]
struct Open {
    id: i64,
    athlete: Option<String>,
    last: Mono,
    packets: i64,
    /// The row says that it has ended.
    ended: bool,
}

/// The recordings of this boot that go on, one a strap.
#[derive(Clone, Debug, Default)]
pub(super) struct Recordings {
    open: HashMap<StrapId, Open>,
}

/// What stays the same for all records of a transaction.
pub(super) struct Context<'a> {
    pub(super) boot: &'a str,
    pub(super) app_version: &'a str,
    pub(super) anchor: Option<Anchor>,
    /// Whose straps are, beside the adopted ones.
    pub(super) straps: &'a [Strap],
    /// A process that was killed left these records: they go on with what it had begun, whosever the strap is now.
    /// These are the straps that it knew without adoption.
    pub(super) left: Option<&'a [Strap]>,
}

/// Highest order number that a committed transaction covers.
pub(super) fn sealed_to(conn: &Connection) -> rusqlite::Result<Option<u64>> {
    let last = |table: &str| {
        conn.query_row(&format!("SELECT sealed_to FROM {table} ORDER BY id DESC LIMIT 1"), [], |r| r.get::<_, i64>(0))
            .optional()
    };
    Ok(last("packet_chunk")?.max(last("event_log")?).map(|n| n as u64))
}

/// Newest clock anchor of a boot.
pub(super) fn newest_anchor(conn: &Connection, boot: &str) -> rusqlite::Result<Option<Anchor>> {
    let row = conn
        .query_row(
            "SELECT mono_us, wall_us FROM event_log WHERE kind = 'clock' AND boot_id = ?1 ORDER BY id DESC LIMIT 1",
            [boot],
            |r| Ok((mono(r.get(0)?), r.get::<_, i64>(1)?)),
        )
        .optional()?;
    Ok(row.and_then(|(at, us)| Some((at, Timestamp::from_microsecond(us).ok()?))))
}

impl Context<'_> {
    /// Whose a strap was when it sent this.
    fn wearer(&self, conn: &Connection, strap: StrapId) -> rusqlite::Result<Option<String>> {
        let listed = |all: &[Strap]| all.iter().find(|s| s.id == strap).map(|s| s.athlete.to_string());
        if let Some(listed) = listed(self.left.unwrap_or(self.straps)) {
            return Ok(Some(listed));
        }
        let mut adopted = conn.prepare_cached("SELECT athlete FROM strap WHERE address = ?1")?;
        let adopted = adopted.query_row([strap.to_string()], |r| r.get(0)).optional()?;
        Ok(adopted.or_else(|| listed(self.straps)))
    }
}

impl Recordings {
    /// Writes a batch whose highest order number is `last_ord`. Call inside a transaction; on error nothing of `self` may be kept.
    pub(super) fn seal(
        &mut self,
        conn: &Connection,
        ctx: &Context<'_>,
        batch: &Batch,
        last_ord: u64,
    ) -> rusqlite::Result<()> {
        for (strap, packets) in &batch.straps {
            let wearer = ctx.wearer(conn, *strap)?;
            let mut rest = packets.as_slice();
            while let Some(first) = rest.first() {
                // the last words of a strap that is nobody's any more belong to what they end
                let same = |o: &Open| ctx.left.is_some() || wearer.is_none() || o.athlete == wearer;
                let here = self.open.get(strap).is_some_and(|o| first.at.since(o.last) < SAME_WEARING && same(o));
                if !here {
                    self.end(conn, *strap)?;
                    self.begin(conn, ctx, *strap, wearer.clone(), first)?;
                }
                let breaks = |w: &[Packet]| matches!(w, [a, b] if b.at.since(a.at) >= SAME_WEARING);
                let run = rest.windows(2).position(breaks).map_or(rest.len(), |i| i + 1).min(CHUNK_PACKETS);
                let (now, later) = rest.split_at(run);
                self.chunk(conn, *strap, now, last_ord)?;
                rest = later;
            }
        }
        let mut insert = conn.prepare_cached(
            "INSERT INTO event_log (id, sealed_to, boot_id, mono_us, kind, strap, athlete, wall_us, line)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for (ord, record) in &batch.events {
            if let Some(c) = columns(record) {
                let (ord, last, at) = (*ord as i64, last_ord as i64, mono_us(record.at));
                let line = text::line(record);
                insert.execute(params![ord, last, ctx.boot, at, c.kind, c.strap, c.athlete, c.wall_us, line])?;
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        conn: &Connection,
        ctx: &Context<'_>,
        strap: StrapId,
        athlete: Option<String>,
        first: &Packet,
    ) -> rusqlite::Result<()> {
        let address = strap.to_string();
        let wall = ctx.anchor.and_then(|a| wall_at(a, first.at)).map(|t| t.as_microsecond());
        conn.prepare_cached(
            "INSERT INTO recording (strap, athlete, boot_id, first_ord, start_us, wall_us, app_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            address,
            athlete,
            ctx.boot,
            first.ord as i64,
            mono_us(first.at),
            wall,
            ctx.app_version
        ])?;
        let open = Open { id: conn.last_insert_rowid(), athlete, last: first.at, packets: 0, ended: false };
        self.open.insert(strap, open);
        Ok(())
    }

    fn chunk(&mut self, conn: &Connection, strap: StrapId, packets: &[Packet], last_ord: u64) -> rusqlite::Result<()> {
        let (Some(open), [first, ..], [.., last]) = (self.open.get_mut(&strap), packets, packets) else {
            return Ok(());
        };
        conn.prepare_cached(
            "INSERT INTO packet_chunk (id, sealed_to, recording_id, start_us, end_us, n, codec, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            first.ord as i64,
            last_ord as i64,
            open.id,
            mono_us(first.at),
            mono_us(last.at),
            packets.len() as i64,
            chunk::CODEC,
            chunk::encode(packets),
        ])?;
        open.last = last.at;
        open.packets += packets.len() as i64;
        if open.ended {
            conn.execute("UPDATE recording SET end_us = NULL, packets = NULL WHERE id = ?1", [open.id])?;
            open.ended = false;
        }
        Ok(())
    }

    fn end(&mut self, conn: &Connection, strap: StrapId) -> rusqlite::Result<()> {
        if let Some(open) = self.open.remove(&strap) {
            write_end(conn, &open)?;
        }
        Ok(())
    }

    /// Ends all recordings for now; one that goes on within ten minutes opens again.
    pub(super) fn pause(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        for open in self.open.values_mut().filter(|o| !o.ended) {
            write_end(conn, open)?;
            open.ended = true;
        }
        Ok(())
    }

    /// Ends what an earlier run left open, except the newest of each strap in this boot, which may go on: a check that a
    /// restart interrupts is one recording, or its export would not replay to its result.
    pub(super) fn resume(conn: &Connection, boot: &str) -> rusqlite::Result<Self> {
        let mut out = Self::default();
        let mut ended = conn.prepare(
            "SELECT max(id), strap, end_us, packets, athlete FROM recording
             WHERE end_us IS NOT NULL AND boot_id = ?1 GROUP BY strap",
        )?;
        let mut rows = ended.query([boot])?;
        while let Some(row) = rows.next()? {
            if let Ok(strap) = row.get::<_, String>(1)?.parse::<StrapId>() {
                let (id, last, packets) = (row.get(0)?, mono(row.get(2)?), row.get(3)?);
                let open = Open { id, athlete: row.get(4)?, last, packets, ended: true };
                out.open.insert(strap, open);
            }
        }
        let mut unended = conn
            .prepare("SELECT id, strap, boot_id, first_ord, athlete FROM recording WHERE end_us IS NULL ORDER BY id")?;
        let mut rows = unended.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let (last, packets) = conn.query_row(
                "SELECT max(end_us), sum(n) FROM packet_chunk WHERE recording_id = ?1 AND id >= ?2",
                [id, row.get(3)?],
                |r| Ok((r.get::<_, Option<i64>>(0)?.unwrap_or(0), r.get::<_, Option<i64>>(1)?.unwrap_or(0))),
            )?;
            let open = Open { id, athlete: row.get(4)?, last: mono(last), packets, ended: false };
            let strap = row.get::<_, String>(1)?.parse::<StrapId>();
            match strap {
                Ok(strap) if row.get::<_, String>(2)? == boot => {
                    if let Some(older) = out.open.insert(strap, open).filter(|o| !o.ended) {
                        write_end(conn, &older)?;
                    }
                }
                _ => write_end(conn, &open)?,
            }
        }
        Ok(out)
    }
}

fn write_end(conn: &Connection, open: &Open) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE recording SET end_us = ?2, packets = ?3 WHERE id = ?1")?.execute(params![
        open.id,
        mono_us(open.last),
        open.packets
    ])?;
    Ok(())
}
