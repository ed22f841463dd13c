//! Inputs and verdicts: rows to values and back.

use super::error::StoreError;
use super::rows::{bad, parsed, result, wall};
use super::{Query, StoreHandle, op};
use crate::load::plus_days;
use crate::publication::Publication;
use crate::readiness::entry_json::{self, Frozen};
use crate::readiness::{Book, Entry, Reading, Version};
use crate::units::AthleteId;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, Row, params};

/// What a desk wants to be kept, all of it in one transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadinessWrite {
    /// Whose.
    pub athlete: Option<AthleteId>,
    /// What was said.
    pub entries: Vec<Entry>,
    /// A version that was given, the day it is about, and the messages that tell of it.
    pub given: Vec<(Date, Version, Vec<Publication>)>,
    /// Small settings.
    pub meta: Vec<(String, Option<String>)>,
    /// Messages beside those.
    pub publications: Vec<Publication>,
    /// When.
    pub now: Option<Timestamp>,
}

impl ReadinessWrite {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.given.is_empty() && self.meta.is_empty() && self.publications.is_empty()
    }

    /// Applies it; call inside a transaction. A version that is there already stays as it is and is not told again.
    pub(super) fn apply(&self, conn: &Connection) -> rusqlite::Result<()> {
        let Some(athlete) = &self.athlete else { return Ok(()) };
        for e in &self.entries {
            conn.prepare_cached(
                "INSERT INTO input (athlete, date, at_us, source, kind, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                athlete.as_str(),
                e.date.to_string(),
                e.at.as_microsecond(),
                e.source.as_str(),
                e.what.kind(),
                entry_json::value(&e.what).to_string(),
            ])?;
        }
        for (date, v, publications) in &self.given {
            let frozen = entry_json::freeze(v).map_err(|e| bad(0, e))?;
            let n = conn
                .prepare_cached(
                    "INSERT INTO verdict (athlete, date, version, at_us, algo_version, level, feel, changed, day, verdict)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    athlete.as_str(),
                    date.to_string(),
                    v.number,
                    v.at.as_microsecond(),
                    v.verdict.algo_version,
                    v.verdict.level.as_str(),
                    frozen.feel,
                    frozen.changed,
                    frozen.day,
                    frozen.verdict,
                ])?;
            if n > 0 {
                op::publish(conn, publications, self.now)?;
            }
        }
        for (key, value) in &self.meta {
            op::set_meta(conn, key, value.as_deref())?;
        }
        op::publish(conn, &self.publications, self.now)
    }
}

impl StoreHandle {
    /// Keeps what a person said and what was answered, with its messages, in one transaction.
    pub fn readiness(&self, write: ReadinessWrite) {
        self.op(op::Op::Readiness(Box::new(write)));
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let date = parsed(row, "date")?;
    let value: String = row.get("value")?;
    let value = serde_json::from_str(&value).map_err(|e| bad(0, e))?;
    Ok(Entry {
        date,
        at: wall(row, "at_us")?.unwrap_or(Timestamp::UNIX_EPOCH),
        source: parsed(row, "source")?,
        what: entry_json::what(&row.get::<_, String>("kind")?, date, &value).map_err(|e| bad(0, e))?,
    })
}

fn version(row: &Row<'_>) -> rusqlite::Result<(Date, Version)> {
    let frozen = Frozen {
        feel: row.get("feel")?,
        changed: row.get("changed")?,
        day: row.get("day")?,
        verdict: row.get("verdict")?,
    };
    let at = wall(row, "at_us")?.unwrap_or(Timestamp::UNIX_EPOCH);
    let v = entry_json::thaw(row.get("version")?, at, &frozen).map_err(|e| bad(0, e))?;
    Ok((parsed(row, "date")?, v))
}

/// A verdict depends on so many days before it and no more: sessions of the last 400, and what was said about them. Days
/// that may still get a late input are judged from the same book.
const BOOK_DAYS: i64 = crate::load::REACH_DAYS + crate::readiness::LATE_DAYS + 2;
/// Versions of so many days are taken into a book: late inputs, and a month of "was this right?".
const VERSION_DAYS: i64 = 45;

impl Query {
    /// What has to be known of a person to judge the days up to `last`: all of the days that count for it, with later
    /// words about them. Plans ahead are part of it.
    /// Without a last day it is the newest one that is stored.
    pub fn book(&self, athlete: &AthleteId, last: Option<Date>) -> Result<Book, StoreError> {
        let mut book = Book::default();
        let Some(last) = last.map_or_else(|| self.newest(athlete), |d| Ok(Some(d)))? else { return Ok(book) };
        let first = plus_days(last, -BOOK_DAYS).to_string();
        let (who, until) = (athlete.as_str(), last.to_string());
        for r in self.list(
            "SELECT * FROM check_result WHERE athlete = ?1 AND local_date BETWEEN ?2 AND ?3",
            params![who, first, until],
            result,
        )? {
            Reading::of(&r).into_iter().for_each(|r| book.put_reading(r));
        }
        // quiet mode and recalibration hold on from whenever they were said
        for e in self.list(
            "SELECT * FROM input WHERE athlete = ?1 AND (date BETWEEN ?2 AND ?3 OR kind = 'plan')
             UNION ALL SELECT * FROM input WHERE athlete = ?1 AND date < ?2 AND kind IN ('quiet', 'recalibrate')
             ORDER BY id",
            params![who, first, until],
            entry,
        )? {
            book.put(e);
        }
        let recent = plus_days(last, -VERSION_DAYS).to_string();
        for (date, v) in self.list(
            "SELECT * FROM verdict WHERE athlete = ?1 AND date BETWEEN ?2 AND ?3",
            params![who, recent, until],
            version,
        )? {
            book.put_version(date, v);
        }
        Ok(book)
    }

    /// The newest day that anything is known of.
    fn newest(&self, athlete: &AthleteId) -> Result<Option<Date>, StoreError> {
        let newest = self.first(
            "SELECT max(date) AS date FROM (SELECT max(local_date) AS date FROM check_result WHERE athlete = ?1
             UNION ALL SELECT max(date) FROM input WHERE athlete = ?1 AND kind <> 'plan')",
            [athlete.as_str()],
            |row| row.get::<_, Option<String>>("date"),
        )?;
        Ok(newest.flatten().and_then(|d| d.parse().ok()))
    }

    /// Everybody of whom there is a check or a word.
    pub fn people(&self) -> Result<Vec<AthleteId>, StoreError> {
        self.list("SELECT DISTINCT athlete FROM check_result UNION SELECT DISTINCT athlete FROM input", [], |row| {
            parsed(row, "athlete")
        })
    }

    /// Names and time zones of everybody whom the daemon ever knew.
    pub fn names(&self) -> Result<Vec<(AthleteId, String, Option<String>)>, StoreError> {
        self.list("SELECT slug, name, time_zone FROM athlete ORDER BY slug", [], |row| {
            Ok((parsed(row, "slug")?, row.get("name")?, row.get("time_zone")?))
        })
    }

    /// Every version of a day's verdict, the first one first.
    pub fn versions(&self, athlete: &AthleteId, date: Date) -> Result<Vec<Version>, StoreError> {
        let all = self.list(
            "SELECT * FROM verdict WHERE athlete = ?1 AND date = ?2 ORDER BY version",
            params![athlete.as_str(), date.to_string()],
            version,
        )?;
        Ok(all.into_iter().map(|(_, v)| v).collect())
    }

    /// The newest version of each day of a time, oldest first.
    pub fn verdicts(&self, athlete: &AthleteId, first: Date, last: Date) -> Result<Vec<(Date, Version)>, StoreError> {
        self.list(
            "SELECT v.* FROM verdict v WHERE athlete = ?1 AND date BETWEEN ?2 AND ?3
                AND version = (SELECT max(version) FROM verdict w WHERE w.athlete = v.athlete AND w.date = v.date)
             ORDER BY date",
            params![athlete.as_str(), first.to_string(), last.to_string()],
            version,
        )
    }

    /// The newest day with a verdict.
    pub fn last_verdict_date(&self, athlete: &AthleteId) -> Result<Option<Date>, StoreError> {
        self.first(
            "SELECT date FROM verdict WHERE athlete = ?1 ORDER BY date DESC LIMIT 1",
            [athlete.as_str()],
            |row| parsed(row, "date"),
        )
    }

    /// Every input about a day, corrected ones too, as they were said.
    pub fn inputs(&self, athlete: &AthleteId, date: Date) -> Result<Vec<Entry>, StoreError> {
        self.list(
            "SELECT * FROM input WHERE athlete = ?1 AND date = ?2 ORDER BY id",
            params![athlete.as_str(), date.to_string()],
            entry,
        )
    }

    /// Every check of a day, the first one first.
    pub fn checks_of(&self, athlete: &AthleteId, date: Date) -> Result<Vec<crate::check::CheckResult>, StoreError> {
        self.list(
            "SELECT * FROM check_result WHERE athlete = ?1 AND local_date = ?2 ORDER BY wall_us",
            params![athlete.as_str(), date.to_string()],
            result,
        )
    }
}
