//! Wall time for rows that were written before the clock was known. The numbers are never touched.

use super::rows::{mono, result};
use super::seal::{Anchor, wall_at};
use crate::check::CheckResult;
use crate::units::AthleteId;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};

/// Fills in the wall time of rows of a boot that lack it; results so dated are marked for publishing again.
/// Without such rows nothing is written. Call inside a transaction.
pub(super) fn redate(
    conn: &Connection,
    boot: &str,
    anchor: Anchor,
    zone_of: &dyn Fn(&AthleteId) -> Option<TimeZone>,
) -> rusqlite::Result<usize> {
    let undated = |table: &str| -> rusqlite::Result<Vec<(i64, i64)>> {
        conn.prepare_cached(&format!("SELECT id, start_us FROM {table} WHERE wall_us IS NULL AND boot_id = ?1"))?
            .query_map([boot], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect()
    };
    for (id, start) in undated("recording")? {
        if let Some(wall) = wall_at(anchor, mono(start)) {
            conn.execute("UPDATE recording SET wall_us = ?2 WHERE id = ?1", params![id, wall.as_microsecond()])?;
        }
    }
    let mut changed = 0;
    for (id, start) in undated("check_result")? {
        let athlete: String = conn.query_row("SELECT athlete FROM check_result WHERE id = ?1", [id], |r| r.get(0))?;
        let Some(wall) = wall_at(anchor, mono(start)) else { continue };
        let zone = athlete.parse().ok().and_then(|a| zone_of(&a));
        let date = zone.map(|z| z.to_datetime(wall).date().to_string());
        changed += conn.execute(
            "UPDATE check_result SET wall_us = ?2, local_date = coalesce(local_date, ?3), republish = 1 WHERE id = ?1",
            params![id, wall.as_microsecond(), date],
        )?;
    }
    Ok(changed)
}

/// Whether any row of a boot lacks its wall time.
pub(super) fn needed(conn: &Connection, boot: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM recording WHERE wall_us IS NULL AND boot_id = ?1)
             OR EXISTS (SELECT 1 FROM check_result WHERE wall_us IS NULL AND boot_id = ?1)",
    )?
    .query_row([boot], |r| r.get(0))
}

/// Results that were dated later and are not in the outbox again yet.
pub(super) fn waiting(conn: &Connection) -> rusqlite::Result<Vec<CheckResult>> {
    conn.prepare_cached("SELECT * FROM check_result WHERE republish = 1 ORDER BY id")?.query_map([], result)?.collect()
}
