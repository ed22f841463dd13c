//! Wall time for rows that were written before the clock was known, or by a clock that was set later. The numbers are
//! never touched.

use super::rows::{mono, result};
use super::seal::{Anchor, wall_at};
use crate::check::CheckResult;
use crate::units::AthleteId;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};
use std::time::Duration;

/// A wall time that is further than this from what the newest anchor says was read from a clock that was wrong; less
/// is how clocks are.
const WRONG: Duration = Duration::from_secs(60);

/// Rows of a boot (?1) without a wall time, or with one from before the clock was set; ?2 is the wall clock at the
/// start of the boot, ?3 the limit, µs.
const DUE: &str = "boot_id = ?1 AND (wall_us IS NULL OR abs(wall_us - start_us - ?2) > ?3)";

/// Start of the boot by an anchor, and the limit.
fn terms(anchor: Anchor) -> (i64, i64) {
    (anchor.1.as_microsecond() - anchor.0.as_micros() as i64, WRONG.as_micros() as i64)
}

/// Fills in the wall time of rows of a boot that lack it, and of rows that a wrong clock dated before it was set;
/// results so dated are marked for publishing again. Without such rows nothing is written. Call inside a transaction.
pub(super) fn redate(
    conn: &Connection,
    boot: &str,
    anchor: Anchor,
    zone_of: &dyn Fn(&AthleteId) -> Option<TimeZone>,
) -> rusqlite::Result<usize> {
    let (origin, wrong) = terms(anchor);
    let due = |table: &str| -> rusqlite::Result<Vec<(i64, i64)>> {
        conn.prepare_cached(&format!("SELECT id, start_us FROM {table} WHERE {DUE}"))?
            .query_map(params![boot, origin, wrong], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect()
    };
    for (id, start) in due("recording")? {
        if let Some(wall) = wall_at(anchor, mono(start)) {
            conn.execute("UPDATE recording SET wall_us = ?2 WHERE id = ?1", params![id, wall.as_microsecond()])?;
        }
    }
    let mut changed = 0;
    for (id, start) in due("check_result")? {
        // as it was known when the row was made: the configuration may name another one by now
        let (athlete, known): (String, Option<String>) =
            conn.query_row("SELECT athlete, time_zone FROM check_result WHERE id = ?1", [id], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })?;
        let Some(wall) = wall_at(anchor, mono(start)) else { continue };
        let known = known.and_then(|name| TimeZone::get(&name).ok());
        let zone = known.or_else(|| athlete.parse().ok().and_then(|a| zone_of(&a)));
        let date = zone.map(|z| z.to_datetime(wall).date().to_string());
        changed += conn.execute(
            "UPDATE check_result SET wall_us = ?2, local_date = coalesce(?3, local_date), republish = 1 WHERE id = ?1",
            params![id, wall.as_microsecond(), date],
        )?;
    }
    Ok(changed)
}

/// Whether any row of a boot lacks its wall time or has a wrong one.
pub(super) fn needed(conn: &Connection, boot: &str, anchor: Anchor) -> rusqlite::Result<bool> {
    let (origin, wrong) = terms(anchor);
    conn.prepare_cached(&format!(
        "SELECT EXISTS (SELECT 1 FROM recording WHERE {DUE}) OR EXISTS (SELECT 1 FROM check_result WHERE {DUE})"
    ))?
    .query_row(params![boot, origin, wrong], |r| r.get(0))
}

/// Results that were dated later and are not in the outbox again yet.
pub(super) fn waiting(conn: &Connection) -> rusqlite::Result<Vec<CheckResult>> {
    conn.prepare_cached("SELECT * FROM check_result WHERE republish = 1 ORDER BY id")?.query_map([], result)?.collect()
}
