//! Raw packets that are older than somebody wants to keep. Results stay; so does whatever is not surely old.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::collections::BTreeSet;

/// Days on which something was recorded that must agree on the date before anything is old.
const WITNESSES: usize = 3;
const DAY_US: i64 = 86_400_000_000;

/// Until when packets are old; `None` while too little is known. Age is counted up to the last days that were recorded
/// and never beyond the clock: one that runs ahead for a night, or for a morning, makes nothing old.
fn edge(conn: &Connection, now: Timestamp, keep_days: u32) -> rusqlite::Result<Option<i64>> {
    let mut newest =
        conn.prepare_cached("SELECT wall_us FROM recording WHERE wall_us IS NOT NULL ORDER BY first_ord DESC")?;
    let (mut days, mut believed) = (BTreeSet::new(), now.as_microsecond());
    for wall in newest.query_map([], |r| r.get::<_, i64>(0))? {
        let wall = wall?;
        days.insert(wall.div_euclid(DAY_US));
        believed = believed.min(wall);
        if days.len() == WITNESSES {
            return Ok(Some(believed - i64::from(keep_days) * DAY_US));
        }
    }
    Ok(None)
}

/// Deletes at most `limit` rows of what was recorded more than so many days ago; how many. Order numbers rise with time,
/// so everything below the first recording that is not old can go, without a look at what stays. The newest rows stay in
/// any case: the numbers go on from them.
pub(super) fn step(conn: &mut Connection, now: Timestamp, keep_days: u32, limit: u32) -> rusqlite::Result<usize> {
    let Some(before) = edge(conn, now, keep_days)? else { return Ok(0) };
    older(conn, before, limit)
}

fn older(conn: &mut Connection, before: i64, limit: u32) -> rusqlite::Result<usize> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // the first that is not old; one without a date is no younger than the next that has one
    let edge: Option<(i64, String, i64)> = tx
        .prepare_cached(
            "SELECT first_ord, boot_id, start_us FROM recording r
             WHERE end_us IS NULL OR id = (SELECT max(id) FROM recording)
                OR NOT coalesce(coalesce(wall_us,
                       (SELECT min(wall_us) FROM recording n WHERE n.id > r.id)) + end_us - start_us < ?1, 0)
             ORDER BY first_ord LIMIT 1",
        )?
        .query_row([before], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let Some((edge, boot, start)) = edge else { return Ok(0) };
    let mut gone = tx
        .prepare_cached(
            "DELETE FROM packet_chunk WHERE id IN (SELECT id FROM packet_chunk WHERE id < ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![edge, limit])?;
    if gone == 0 {
        // the last clock of a boot dates what is left of it
        gone = tx
            .prepare_cached(
                "DELETE FROM event_log WHERE id IN (SELECT id FROM event_log e WHERE id < ?1 AND NOT (kind = 'clock'
                    AND NOT EXISTS (SELECT 1 FROM event_log n
                        WHERE n.kind = 'clock' AND n.boot_id = e.boot_id AND n.id > e.id AND n.id < ?1))
                 ORDER BY id LIMIT ?2)",
            )?
            .execute(params![edge, limit])?;
    }
    if gone == 0 {
        gone = tx
            .prepare_cached(
                "DELETE FROM recording WHERE id IN (SELECT id FROM recording
                    WHERE first_ord < ?1 AND end_us IS NOT NULL AND (boot_id <> ?2 OR end_us < ?3) LIMIT ?4)",
            )?
            .execute(params![edge, boot, start, limit])?;
    }
    tx.commit()?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::migrate;
    use std::path::Path;

    const DAY: i64 = 86_400_000_000;

    /// A recording of an hour a day, six chunks each, with its commands and a clock; all of one boot.
    fn filled(days: i64, undated: &[i64]) -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::run(&mut conn, Path::new("x"), migrate::MIGRATIONS).unwrap();
        for day in 0..days {
            let (ord, start) = (1 + day * 100, day * DAY);
            let wall = (!undated.contains(&day)).then_some(start);
            conn.execute(
                "INSERT INTO recording VALUES (?1, 'A', 'alex', 'boot', ?2, ?3, ?4, ?3 + 3600000000, 6, '0')",
                params![day + 1, ord + 1, start, wall],
            )
            .unwrap();
            for (id, kind) in [(ord, "clock"), (ord + 90, "command"), (ord + 91, "clock")] {
                conn.execute(
                    "INSERT INTO event_log VALUES (?1, ?1, 'boot', ?2, ?3, NULL, NULL, NULL, 'x')",
                    params![id, start, kind],
                )
                .unwrap();
            }
            for n in 0..6 {
                conn.execute(
                    "INSERT INTO packet_chunk VALUES (?1, ?1, ?2, ?3, ?3, 1, 1, x'00')",
                    params![ord + 1 + n, day + 1, start],
                )
                .unwrap();
            }
        }
        conn
    }

    fn count(conn: &Connection, table: &str) -> i64 {
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).unwrap()
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_microsecond(day * DAY).unwrap()
    }

    fn all(conn: &mut Connection, before: Timestamp, limit: u32) -> usize {
        let mut steps = 0;
        loop {
            match older(conn, before.as_microsecond(), limit).unwrap() {
                0 => return steps,
                n => assert!(n <= limit as usize),
            }
            steps += 1;
        }
    }

    #[test]
    fn what_is_old_goes_in_small_steps_and_the_rest_stays() {
        let mut conn = filled(10, &[]);
        assert!(all(&mut conn, at(7), 5) > 8);
        assert_eq!((count(&conn, "recording"), count(&conn, "packet_chunk")), (3, 18));
        // those of the three days that stay; the clock before the first packet of them dates it
        assert_eq!(count(&conn, "event_log"), 9);
        assert_eq!(conn.query_row("SELECT min(id) FROM event_log", [], |r| r.get::<_, i64>(0)).unwrap(), 701);
        assert_eq!(all(&mut conn, at(7), 5), 0, "again is nothing");
        // an hour of the day that stands in between is young
        all(&mut conn, Timestamp::from_microsecond(7 * DAY + 1).unwrap(), 100);
        assert_eq!(count(&conn, "recording"), 3);
    }

    #[test]
    fn the_newest_recording_stays_whatever_its_age() {
        let mut conn = filled(3, &[]);
        all(&mut conn, at(1000), 1000);
        assert_eq!((count(&conn, "recording"), count(&conn, "packet_chunk")), (1, 6));
    }

    #[test]
    fn without_a_date_it_is_as_old_as_the_next_that_has_one() {
        let mut conn = filled(6, &[1, 3, 5]);
        all(&mut conn, at(3), 1000);
        // the one of day 3 may be as young as that of day 4
        assert_eq!(count(&conn, "recording"), 3);
        // nobody knows when the last two of these were: the clock was never set after them
        let mut conn = filled(4, &[2, 3]);
        all(&mut conn, at(1000), 1000);
        assert_eq!(count(&conn, "recording"), 2);
    }

    #[test]
    fn one_that_goes_on_is_not_old() {
        let mut conn = filled(5, &[]);
        conn.execute("UPDATE recording SET end_us = NULL WHERE id = 2", []).unwrap();
        all(&mut conn, at(1000), 1000);
        assert_eq!(count(&conn, "recording"), 4);
        assert_eq!(conn.query_row("SELECT min(id) FROM packet_chunk", [], |r| r.get::<_, i64>(0)).unwrap(), 102);
    }

    #[test]
    fn a_clock_that_runs_ahead_makes_nothing_old() {
        let counts = |conn: &Connection| (count(conn, "recording"), count(conn, "packet_chunk"));
        // ten days, kept for four: the age is counted from the third last day that was recorded
        let mut conn = filled(10, &[]);
        while step(&mut conn, at(10), 4, 100).unwrap() > 0 {}
        assert_eq!(counts(&conn), (7, 42));
        // years ahead, with nothing recorded since, or with two days
        for ahead in [0, 1, 2] {
            let mut conn = filled(10, &[]);
            let wrong = 4000 * DAY;
            conn.execute("UPDATE recording SET wall_us = wall_us + ?1 WHERE id > 10 - ?2", params![wrong, ahead])
                .unwrap();
            while step(&mut conn, at(4010), 9, 100).unwrap() > 0 {}
            assert_eq!(counts(&conn), (10, 60), "{ahead}");
        }
        // behind: the clock itself is the limit
        let mut conn = filled(10, &[]);
        assert_eq!(step(&mut conn, at(3), 4, 100).unwrap(), 0);
        // too few days to know
        let mut conn = filled(2, &[]);
        assert_eq!(step(&mut conn, at(1000), 1, 100).unwrap(), 0);
    }
}
