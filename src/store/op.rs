//! What is written as rows at once, beside the raw records.

use super::readiness::ReadinessWrite;
use super::{preferences, rows};
use crate::check::{CheckId, CheckResult};
use crate::engine::{Athlete, Strap, StrapFacts};
use crate::preference::{Choice, Preference};
use crate::publication::Publication;
use crate::units::{AthleteId, StrapId};
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, params};

/// Sent rows that stay in the outbox for a look back.
const KEEP_SENT: i64 = 200;

/// One change, applied in a transaction of its own.
pub(super) enum Op {
    Result(Box<CheckResult>, Vec<Publication>),
    Publish(Vec<Publication>, Option<Timestamp>),
    Republish(CheckId, Vec<Publication>),
    /// Replaces messages of a check that were not sent yet.
    RedateUnsent(CheckId, Vec<Publication>),
    Sent {
        id: i64,
        tries: u32,
        at: Option<Timestamp>,
    },
    Athletes(Vec<Athlete>),
    Adopt(Strap, Option<Timestamp>),
    Forget(StrapId),
    /// These are worn without an adoption from now on.
    Straps(Vec<Strap>),
    Facts(StrapId, StrapFacts),
    Battery(StrapId, Date, u8),
    Announced(String, Option<Vec<u8>>),
    Meta(String, Option<String>),
    Prefer {
        athlete: Option<AthleteId>,
        what: Preference,
        choice: Option<Choice>,
        at: Option<Timestamp>,
    },
    Readiness(Box<ReadinessWrite>),
}

impl Op {
    /// Whether it must be on the card before the next thing happens.
    pub(super) fn is_precious(&self) -> bool {
        matches!(
            self,
            Self::Result(..)
                | Self::Readiness(_)
                | Self::Republish(..)
                | Self::Publish(..)
                | Self::Adopt(..)
                | Self::Forget(_)
                | Self::Straps(_)
                | Self::Prefer { .. }
        )
    }

    /// Whether a strap may belong to somebody else after it. `listed` are those that need no adoption before it.
    pub(super) fn moves_straps(&self, listed: &[Strap]) -> bool {
        match self {
            Self::Adopt(..) | Self::Forget(_) => true,
            Self::Straps(straps) => straps != listed,
            _ => false,
        }
    }

    /// Applies it; call inside a transaction. `straps` are those that need no adoption.
    pub(super) fn apply(&self, conn: &Connection, boot: &str, straps: &[Strap]) -> rusqlite::Result<()> {
        match self {
            Self::Result(result, publications) => {
                // the first result of a check stays, and its outbox rows came with it
                if rows::insert_result(conn, boot, result)? {
                    publish(conn, publications, result.wall)?;
                }
            }
            Self::Publish(publications, now) => publish(conn, publications, *now)?,
            Self::Republish(check, publications) => {
                let wall: Option<i64> =
                    conn.query_row("SELECT max(wall_us) FROM check_result WHERE check_id = ?1", [&check.0], |r| {
                        r.get(0)
                    })?;
                publish(conn, publications, wall.and_then(|us| Timestamp::from_microsecond(us).ok()))?;
                conn.execute("UPDATE check_result SET republish = 0 WHERE check_id = ?1", [&check.0])?;
            }
            Self::RedateUnsent(check, publications) => {
                let id = format!(r#""id":"{}""#, check.0);
                for p in publications {
                    conn.execute(
                        "UPDATE outbox SET payload = ?3
                         WHERE sent = 0 AND topic = ?1 AND instr(CAST(payload AS TEXT), ?2) > 0",
                        params![p.topic, id, p.payload],
                    )?;
                }
            }
            Self::Sent { id, tries, at } => {
                let at = at.map(|t| t.as_microsecond());
                conn.execute(
                    "UPDATE outbox SET sent = 1, sent_us = ?2, tries = ?3 WHERE id = ?1",
                    params![id, at, tries],
                )?;
                conn.execute("DELETE FROM outbox WHERE sent = 1 AND id <= ?1", [id - KEEP_SENT])?;
            }
            Self::Athletes(athletes) => {
                for a in athletes {
                    conn.execute(
                        "INSERT INTO athlete (slug, name, time_zone) VALUES (?1, ?2, ?3)
                         ON CONFLICT (slug) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone
                         WHERE name IS NOT excluded.name OR time_zone IS NOT excluded.time_zone",
                        params![a.id.as_str(), a.name, a.time_zone.iana_name()],
                    )?;
                }
            }
            Self::Adopt(strap, now) => rows::adopt(conn, strap, *now)?,
            Self::Forget(strap) => {
                rows::forget(conn, *strap)?;
            }
            Self::Straps(straps) => rows::list(conn, straps)?,
            Self::Facts(strap, facts) => {
                if straps.iter().any(|s| s.id == *strap) || rows::is_adopted(conn, *strap)? {
                    rows::facts(conn, *strap, facts)?;
                }
            }
            Self::Battery(strap, date, percent) => {
                if straps.iter().any(|s| s.id == *strap) || rows::is_adopted(conn, *strap)? {
                    conn.execute(
                        "INSERT INTO strap_battery (address, date, percent) VALUES (?1, ?2, ?3)
                         ON CONFLICT (address, date) DO UPDATE SET percent = excluded.percent",
                        params![strap.to_string(), date.to_string(), percent],
                    )?;
                }
            }
            Self::Announced(topic, Some(payload)) => {
                conn.execute(
                    "INSERT INTO announced (topic, payload) VALUES (?1, ?2)
                     ON CONFLICT (topic) DO UPDATE SET payload = excluded.payload",
                    params![topic, payload],
                )?;
            }
            Self::Announced(topic, None) => {
                conn.execute("DELETE FROM announced WHERE topic = ?1", [topic])?;
            }
            Self::Prefer { athlete, what, choice, at } => {
                preferences::set(conn, athlete.as_ref(), *what, *choice, *at)?;
            }
            Self::Meta(key, value) => set_meta(conn, key, value.as_deref())?,
            Self::Readiness(write) => write.apply(conn)?,
        }
        Ok(())
    }
}

/// Sets or clears a small setting.
pub(super) fn set_meta(conn: &Connection, key: &str, value: Option<&str>) -> rusqlite::Result<()> {
    match value {
        Some(value) => conn.execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value",
            [key, value],
        )?,
        None => conn.execute("DELETE FROM meta WHERE key = ?1", [key])?,
    };
    Ok(())
}

pub(super) fn publish(conn: &Connection, publications: &[Publication], now: Option<Timestamp>) -> rusqlite::Result<()> {
    let mut insert = conn
        .prepare_cached("INSERT INTO outbox (created_us, topic, payload, retain, qos) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for p in publications {
        insert.execute(params![now.map(|t| t.as_microsecond()), p.topic, p.payload, p.retain, p.qos])?;
    }
    Ok(())
}
