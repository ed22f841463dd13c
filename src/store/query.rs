//! Reading: connections that cannot write. Open one per use, or ask [`Query::is_current`] before using one again.

use super::batch::{Numbered, in_order, packet_record};
use super::error::{At, StoreError};
use super::preferences::{self, Preferred};
use super::rows::{self, AdoptedStrap, mono, mono_us};
use super::{db, journal, seal};
use crate::battery::Reading;
use crate::check::CheckResult;
use crate::engine::{Record, Strap, StrapFacts};
use crate::publication::Publication;
use crate::recording::{chunk, text};
use crate::units::{AthleteId, Mono, StrapId};
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Commands and anchors up to this long before the first packet belong to a recording: a check may wait for its strap.
pub(super) const LEAD: Duration = Duration::from_secs(900);

/// A message that waits for its acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// For [`mark_sent`](super::StoreHandle::mark_sent) and for asking for the next one.
    pub id: i64,
    /// When it was put there, if the clock was known.
    pub created: Option<Timestamp>,
    /// The message.
    pub publication: Publication,
}

/// One wearing of one strap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingInfo {
    /// Names it for [`Query::export`].
    pub id: i64,
    /// Which strap.
    pub strap: StrapId,
    /// Whose, if the strap was adopted then.
    pub athlete: Option<AthleteId>,
    /// Boot of its times.
    pub boot_id: String,
    /// First packet, time since boot.
    pub start: Mono,
    /// The same by the wall clock, once known.
    pub wall: Option<Timestamp>,
    /// Last packet in the database.
    pub end: Mono,
    /// Packets in the database.
    pub packets: u64,
    /// Whether it may still go on.
    pub running: bool,
}

/// A read-only view of the store.
pub struct Query {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    /// Device and inode that were opened.
    file: Option<(u64, u64)>,
}

/// A view for somebody who reads often: opened when it is first needed, and again when the file was replaced.
#[derive(Default)]
pub(super) struct Reader(Option<Query>);

impl Reader {
    /// The view of the file that is there now: a damaged one is replaced while we run, and still reads well.
    pub(super) fn of(&mut self, path: &Path) -> Result<&Query, StoreError> {
        let query = match self.0.take().filter(Query::is_current) {
            Some(query) => query,
            None => Query::open(path)?,
        };
        Ok(self.0.insert(query))
    }
}

impl Query {
    /// Opens an existing database.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = identity(path);
        Ok(Self { conn: db::read_only(path)?, path: path.to_owned(), file })
    }

    /// The same; `None` if there is no database yet. One that may not be looked for is an error, and not "none".
    pub fn find(path: &Path) -> Result<Option<Self>, StoreError> {
        match path.try_exists() {
            Ok(false) => Ok(None),
            Ok(true) | Err(_) => Self::open(path).map(Some),
        }
    }

    /// Whether the path still names the file that was opened; no longer after a damaged database was replaced.
    pub fn is_current(&self) -> bool {
        self.file.is_some() && self.file == identity(&self.path)
    }

    pub(super) fn list<T>(
        &self,
        sql: &str,
        args: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut stmt = self.conn.prepare_cached(sql).at(&self.path)?;
        let rows = stmt.query_map(args, read).at(&self.path)?;
        rows.collect::<Result<_, _>>().at(&self.path)
    }

    pub(super) fn first<T>(
        &self,
        sql: &str,
        args: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut stmt = self.conn.prepare_cached(sql).at(&self.path)?;
        stmt.query_row(args, read).optional().at(&self.path)
    }

    /// Adopted straps with their facts, by address.
    pub fn straps(&self) -> Result<Vec<AdoptedStrap>, StoreError> {
        self.list(
            "SELECT s.*, f.* FROM strap s LEFT JOIN strap_facts f ON f.address = s.address ORDER BY s.address",
            [],
            rows::adopted,
        )
    }

    /// What is known of straps, adopted or of the configuration.
    pub fn facts(&self) -> Result<Vec<(StrapId, StrapFacts)>, StoreError> {
        self.list("SELECT * FROM strap_facts ORDER BY address", [], |row| {
            Ok((rows::parsed(row, "address")?, rows::strap_facts(row)?))
        })
    }

    /// Battery readings of a strap, one a local date, oldest first; of the last year and a bit.
    pub fn battery(&self, strap: StrapId) -> Result<Vec<Reading>, StoreError> {
        let mut all = self.list(
            "SELECT date, percent FROM strap_battery WHERE address = ?1 ORDER BY date DESC LIMIT 400",
            [strap.to_string()],
            |row| Ok(Reading { date: rows::parsed(row, "date")?, percent: row.get("percent")? }),
        )?;
        all.reverse();
        Ok(all)
    }

    /// What is set above the configuration.
    pub fn preferences(&self) -> Result<Vec<Preferred>, StoreError> {
        // a file that no daemon of this version has opened yet has none
        let here =
            self.first("SELECT 1 FROM sqlite_master WHERE name = 'preference'", [], |row| row.get::<_, i64>(0))?;
        if here.is_none() {
            return Ok(Vec::new());
        }
        let all = self.list("SELECT * FROM preference ORDER BY athlete, name", [], preferences::row)?;
        // a name or value of another version is kept and means nothing here
        Ok(all.into_iter().flatten().collect())
    }

    /// The newest result of a person.
    pub fn last_result(&self, athlete: &AthleteId) -> Result<Option<CheckResult>, StoreError> {
        self.first(
            "SELECT * FROM check_result WHERE athlete = ?1 ORDER BY id DESC LIMIT 1",
            [athlete.as_str()],
            rows::result,
        )
    }

    /// The newest results, newest first; of one person or of all.
    pub fn results(&self, athlete: Option<&AthleteId>, limit: u32) -> Result<Vec<CheckResult>, StoreError> {
        self.list(
            "SELECT * FROM check_result WHERE ?1 IS NULL OR athlete = ?1 ORDER BY id DESC LIMIT ?2",
            params![athlete.map(AthleteId::as_str), limit],
            rows::result,
        )
    }

    /// A person's newest result that holds values.
    pub fn newest_valid(&self, athlete: &AthleteId) -> Result<Option<CheckResult>, StoreError> {
        self.first(
            "SELECT * FROM check_result WHERE athlete = ?1 AND has_values ORDER BY id DESC LIMIT 1",
            [athlete.as_str()],
            rows::result,
        )
    }

    /// Per person the local date of the newest check that holds values.
    pub fn checked_on(&self) -> Result<Vec<(AthleteId, Date)>, StoreError> {
        self.list(
            "SELECT athlete, max(local_date) AS local_date FROM check_result
             WHERE has_values AND local_date IS NOT NULL GROUP BY athlete ORDER BY athlete",
            [],
            |row| Ok((rows::parsed(row, "athlete")?, rows::parsed(row, "local_date")?)),
        )
    }

    /// Results that got their date later and still wait to be published again.
    pub fn redated(&self) -> Result<Vec<CheckResult>, StoreError> {
        super::redate::waiting(&self.conn).at(&self.path)
    }

    /// All recordings, oldest first. Records of the last minutes may still be in the journal.
    pub fn recordings(&self) -> Result<Vec<RecordingInfo>, StoreError> {
        self.list(
            "SELECT r.*, coalesce(r.end_us, c.end_us, r.start_us) AS last_us, coalesce(r.packets, c.n, 0) AS n
             FROM recording r LEFT JOIN (
                 SELECT recording_id, max(end_us) AS end_us, sum(n) AS n FROM packet_chunk
                 WHERE id >= (SELECT min(first_ord) FROM recording WHERE end_us IS NULL) GROUP BY recording_id
             ) c ON r.end_us IS NULL AND c.recording_id = r.id
             ORDER BY r.id",
            [],
            |row| {
                Ok(RecordingInfo {
                    id: row.get("id")?,
                    strap: rows::parsed(row, "strap")?,
                    athlete: row.get::<_, Option<String>>("athlete")?.and_then(|a| a.parse().ok()),
                    boot_id: row.get("boot_id")?,
                    start: mono(row.get("start_us")?),
                    wall: rows::wall(row, "wall_us")?,
                    end: mono(row.get("last_us")?),
                    packets: row.get::<_, i64>("n")? as u64,
                    running: row.get::<_, Option<i64>>("end_us")?.is_none(),
                })
            },
        )
    }

    /// All records of a boot at or after a time, in the order in which they were sent, journal included.
    pub fn records_since(&self, boot: &str, since: Mono) -> Result<Vec<Record>, StoreError> {
        // the journal first: what is sealed in between is then found in the database and not twice
        let journal = journal::peek(&self.path)?;
        let args = params![boot, mono_us(since)];
        let mut out = self.packets("r.boot_id = ?1 AND c.end_us >= ?2", args)?;
        out.extend(self.events("SELECT id, line FROM event_log WHERE boot_id = ?1 AND mono_us >= ?2", args)?);
        let sealed = seal::sealed_to(&self.conn).at(&self.path)?;
        if journal.boot == boot {
            out.extend(journal.records.into_iter().filter(|(ord, _)| Some(*ord) > sealed));
        }
        out.retain(|(_, r)| r.at >= since);
        in_order(&mut out);
        Ok(out.into_iter().map(|(_, r)| r).collect())
    }

    fn corrupt(&self, cause: String) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), cause }
    }

    pub(super) fn packets(&self, which: &str, args: &[&dyn ToSql]) -> Result<Vec<Numbered>, StoreError> {
        let sql = format!(
            "SELECT c.payload, c.codec, r.strap FROM packet_chunk c JOIN recording r ON r.id = c.recording_id WHERE {which}"
        );
        self.chunks(&sql, args)
    }

    /// Packets of the chunks that a statement finds with their payload, codec and strap.
    pub(super) fn chunks(&self, sql: &str, args: &[&dyn ToSql]) -> Result<Vec<Numbered>, StoreError> {
        let mut out = Vec::new();
        for (blob, codec, strap) in self.list(sql, args, |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u8>(1)?, rows::parsed::<StrapId>(row, "strap")?))
        })? {
            if codec != chunk::CODEC {
                return Err(self.corrupt(format!("packet chunk of unknown codec {codec}")));
            }
            let packets = chunk::decode(&blob).map_err(|e| self.corrupt(e.to_string()))?;
            out.extend(packets.into_iter().map(|p| packet_record(strap, p)));
        }
        Ok(out)
    }

    pub(super) fn events(&self, sql: &str, args: &[&dyn ToSql]) -> Result<Vec<Numbered>, StoreError> {
        let mut out = Vec::new();
        for (ord, line) in self.list(sql, args, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))? {
            out.push((ord as u64, self.event(&line)?));
        }
        Ok(out)
    }

    /// A link, a command or an anchor from its line.
    pub(super) fn event(&self, line: &str) -> Result<Record, StoreError> {
        let record = text::record(line).map_err(|e| self.corrupt(e))?;
        record.ok_or_else(|| self.corrupt(format!("unknown event '{line}'")))
    }

    /// The first message after `after` that was not acknowledged; start with 0.
    pub fn next_unsent(&self, after: i64) -> Result<Option<OutboxRow>, StoreError> {
        self.first("SELECT * FROM outbox WHERE sent = 0 AND id > ?1 ORDER BY id LIMIT 1", [after], |row| {
            Ok(OutboxRow {
                id: row.get("id")?,
                created: rows::wall(row, "created_us")?,
                publication: Publication {
                    topic: row.get("topic")?,
                    payload: row.get("payload")?,
                    retain: row.get("retain")?,
                    qos: row.get("qos")?,
                },
            })
        })
    }

    /// Messages that were not acknowledged.
    pub fn count_unsent(&self) -> Result<u64, StoreError> {
        let n = self.first("SELECT count(*) FROM outbox WHERE sent = 0", [], |row| row.get::<_, i64>(0))?;
        Ok(n.unwrap_or(0) as u64)
    }

    /// Everything of a person but the packets, table by table, as JSON objects. `configured` are the configuration's
    /// straps.
    pub fn personal(&self, who: &AthleteId, configured: &[Strap]) -> Result<Vec<(String, Vec<Value>)>, StoreError> {
        super::personal::read(&self.conn, &self.path, who, configured)
    }

    /// What was announced, by discovery topic.
    pub fn announced(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = "SELECT topic, payload FROM announced WHERE payload IS NOT NULL ORDER BY topic";
        self.list(rows, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// A small setting.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.first("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}
