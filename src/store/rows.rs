//! Rows to values and back.

use super::op::set_meta;
use crate::check::{CheckId, CheckResult, Note, Values};
use crate::engine::{Strap, StrapFacts};
use crate::recording::text;
use crate::units::{Mono, StrapId};
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use std::fmt::Display;
use std::str::FromStr;

/// An adopted strap as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedStrap {
    /// Address, athlete, chosen name.
    pub strap: Strap,
    /// When it was adopted, if the clock was known.
    pub first_seen: Option<Timestamp>,
    /// Slow facts as last learned.
    pub facts: StrapFacts,
}

pub(super) fn mono(us: i64) -> Mono {
    Mono::from_micros(us as u64)
}

/// The store keeps i64; both casts wrap, so that every value comes back as it was.
pub(super) fn mono_us(at: Mono) -> i64 {
    at.as_micros() as i64
}

pub(super) fn bad(column: usize, e: impl Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, e.to_string().into())
}

/// A text column that parses.
pub(super) fn parsed<T: FromStr<Err: Display>>(row: &Row<'_>, name: &str) -> rusqlite::Result<T> {
    row.get::<_, String>(name)?.parse().map_err(|e| bad(row.as_ref().column_index(name).unwrap_or(0), e))
}

fn parsed_option<T: FromStr<Err: Display>>(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(name)?;
    text.map(|t| t.parse().map_err(|e| bad(row.as_ref().column_index(name).unwrap_or(0), e))).transpose()
}

/// A wall clock column in microseconds.
pub(super) fn wall(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<Timestamp>> {
    let us: Option<i64> = row.get(name)?;
    us.map(|us| Timestamp::from_microsecond(us).map_err(|e| bad(row.as_ref().column_index(name).unwrap_or(0), e)))
        .transpose()
}

/// Inserts a result unless its check already has one; says whether it did.
pub(super) fn insert_result(conn: &Connection, boot: &str, r: &CheckResult) -> rusqlite::Result<bool> {
    let v = r.values.as_ref();
    let notes: Vec<_> = r.notes.iter().map(|n| n.as_str()).collect();
    let n = conn
        .prepare_cached(
            "INSERT INTO check_result (check_id, boot_id, athlete, strap, cause, posture, start_us, wall_us, local_date,
                settle_s, length_s, grade, rmssd_ms, ln_rmssd, mean_hr_bpm, mean_rr_ms, sdnn_ms, pnn50_pct,
                ln_rmssd_rr_ratio, has_values, why, n, pairs, artifact_pct, coverage, gap_s, clean_s, notes, algo_version,
                time_zone)
             VALUES (:check_id, :boot, :athlete, :strap, :cause, :posture, :start, :wall, :local_date,
                :settle_s, :length_s, :grade, :rmssd_ms, :ln_rmssd, :mean_hr_bpm, :mean_rr_ms, :sdnn_ms, :pnn50_pct,
                :ratio, :has_values, :why, :n, :pairs, :artifact_pct, :coverage, :gap_s, :clean_s, :notes, :algo,
                (SELECT time_zone FROM athlete WHERE slug = :athlete))
             ON CONFLICT (check_id) DO NOTHING",
        )?
        .execute(named_params! {
            ":check_id": r.id.0,
            ":boot": boot,
            ":athlete": r.athlete.as_str(),
            ":strap": r.strap.to_string(),
            ":cause": text::trigger_word(r.trigger),
            ":posture": r.posture.as_str(),
            ":start": mono_us(r.start),
            ":wall": r.wall.map(|w| w.as_microsecond()),
            ":local_date": r.local_date.map(|d| d.to_string()),
            ":settle_s": r.settle_s,
            ":length_s": r.length_s,
            ":grade": r.grade.as_str(),
            ":rmssd_ms": v.map(|v| v.rmssd_ms),
            ":ln_rmssd": v.map(|v| v.ln_rmssd),
            ":mean_hr_bpm": v.map(|v| v.mean_hr_bpm),
            ":mean_rr_ms": v.map(|v| v.mean_rr_ms),
            ":sdnn_ms": v.map(|v| v.sdnn_ms),
            ":pnn50_pct": v.map(|v| v.pnn50_pct),
            ":ratio": v.map(|v| v.ln_rmssd_rr_ratio),
            ":has_values": v.is_some(),
            ":why": r.why.map(|w| w.as_str()),
            ":n": r.n,
            ":pairs": r.pairs,
            ":artifact_pct": r.artifact_pct,
            ":coverage": r.coverage,
            ":gap_s": r.gap_s,
            ":clean_s": r.clean_s,
            ":notes": notes.join(","),
            ":algo": r.algo_version,
        })?;
    Ok(n > 0)
}

/// Reads a result from a row with all columns.
pub(super) fn result(row: &Row<'_>) -> rusqlite::Result<CheckResult> {
    // SQLite keeps NaN as NULL
    let real = |name: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<f64>>(name)?.unwrap_or(f64::NAN));
    let values = if row.get("has_values")? {
        Some(Values {
            rmssd_ms: real("rmssd_ms")?,
            ln_rmssd: real("ln_rmssd")?,
            mean_hr_bpm: real("mean_hr_bpm")?,
            mean_rr_ms: real("mean_rr_ms")?,
            sdnn_ms: real("sdnn_ms")?,
            pnn50_pct: real("pnn50_pct")?,
            ln_rmssd_rr_ratio: real("ln_rmssd_rr_ratio")?,
        })
    } else {
        None
    };
    let notes: String = row.get("notes")?;
    let notes: Result<Vec<Note>, _> = notes.split(',').filter(|n| !n.is_empty()).map(str::parse).collect();
    Ok(CheckResult {
        id: CheckId(row.get("check_id")?),
        athlete: parsed(row, "athlete")?,
        strap: parsed(row, "strap")?,
        trigger: text::trigger(&row.get::<_, String>("cause")?).map_err(|e| bad(0, e))?,
        posture: parsed(row, "posture")?,
        start: mono(row.get("start_us")?),
        wall: wall(row, "wall_us")?,
        local_date: parsed_option(row, "local_date")?,
        settle_s: real("settle_s")?,
        length_s: real("length_s")?,
        grade: parsed(row, "grade")?,
        values,
        why: parsed_option(row, "why")?,
        n: row.get("n")?,
        pairs: row.get("pairs")?,
        artifact_pct: real("artifact_pct")?,
        coverage: real("coverage")?,
        gap_s: real("gap_s")?,
        clean_s: real("clean_s")?,
        notes: notes.map_err(|e| bad(0, e))?,
        algo_version: row.get("algo_version")?,
    })
}

/// Reads a strap from a row with all columns of it.
pub(super) fn strap(row: &Row<'_>) -> rusqlite::Result<Strap> {
    Ok(Strap { id: parsed(row, "address")?, athlete: parsed(row, "athlete")?, name: row.get("name")? })
}

/// Reads an adopted strap from a row with all columns of it and its facts.
pub(super) fn adopted(row: &Row<'_>) -> rusqlite::Result<AdoptedStrap> {
    Ok(AdoptedStrap { strap: strap(row)?, first_seen: wall(row, "first_seen")?, facts: strap_facts(row)? })
}

/// Reads facts from a row with all columns.
pub(super) fn strap_facts(row: &Row<'_>) -> rusqlite::Result<StrapFacts> {
    Ok(StrapFacts {
        name: row.get("advertised")?,
        battery_pct: row.get("battery_pct")?,
        rssi_dbm: None,
        location: row.get("location")?,
        manufacturer: row.get("manufacturer")?,
        model: row.get("model")?,
        serial: row.get("serial")?,
        firmware: row.get("firmware")?,
        hardware: row.get("hardware")?,
        software: row.get("software")?,
    })
}

/// Adopts a strap, or changes its athlete or name. Writes nothing if nothing changes.
pub(super) fn adopt(conn: &Connection, strap: &Strap, now: Option<Timestamp>) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO strap (address, athlete, name, first_seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (address) DO UPDATE SET athlete = excluded.athlete, name = excluded.name
         WHERE athlete IS NOT excluded.athlete OR name IS NOT excluded.name",
        (strap.id.to_string(), strap.athlete.as_str(), &strap.name, now.map(|t| t.as_microsecond())),
    )?;
    Ok(())
}

/// Forgets a strap and what is known of it; says whether it was adopted.
pub(super) fn forget(conn: &Connection, strap: StrapId) -> rusqlite::Result<bool> {
    conn.execute("DELETE FROM strap_facts WHERE address = ?1", [strap.to_string()])?;
    conn.execute("DELETE FROM strap_battery WHERE address = ?1", [strap.to_string()])?;
    Ok(conn.execute("DELETE FROM strap WHERE address = ?1", [strap.to_string()])? > 0)
}

/// Merges facts into what is known. Signal strength changes all the time and is not kept; nothing new writes nothing.
pub(super) fn facts(conn: &Connection, strap: StrapId, f: &StrapFacts) -> rusqlite::Result<()> {
    let address = strap.to_string();
    let old = conn
        .prepare_cached("SELECT * FROM strap_facts WHERE address = ?1")?
        .query_row([&address], strap_facts)
        .optional()?
        .unwrap_or_default();
    let new = StrapFacts {
        name: f.name.clone().or(old.name.clone()),
        battery_pct: f.battery_pct.or(old.battery_pct),
        rssi_dbm: None,
        location: f.location.or(old.location),
        manufacturer: f.manufacturer.clone().or(old.manufacturer.clone()),
        model: f.model.clone().or(old.model.clone()),
        serial: f.serial.clone().or(old.serial.clone()),
        firmware: f.firmware.clone().or(old.firmware.clone()),
        hardware: f.hardware.clone().or(old.hardware.clone()),
        software: f.software.clone().or(old.software.clone()),
    };
    if new == old {
        return Ok(());
    }
    conn.execute(
        "INSERT OR REPLACE INTO strap_facts (address, advertised, battery_pct, location, manufacturer, model, serial,
            firmware, hardware, software) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            address,
            new.name,
            new.battery_pct,
            new.location,
            new.manufacturer,
            new.model,
            new.serial,
            new.firmware,
            new.hardware,
            new.software
        ],
    )?;
    Ok(())
}

/// Whose the straps are that the newest process knows without adoption. What it leaves when it is killed is theirs,
/// whatever the configuration says at the next start.
pub(super) fn listed(conn: &Connection) -> rusqlite::Result<Vec<Strap>> {
    let mut stmt = conn.prepare("SELECT substr(key, 8), value FROM meta WHERE key LIKE 'listed.%' ORDER BY key")?;
    let pairs = stmt.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    let pairs: Vec<_> = pairs.collect::<rusqlite::Result<_>>()?;
    let strap =
        |(id, who): &(String, String)| Some(Strap { id: id.parse().ok()?, athlete: who.parse().ok()?, name: None });
    Ok(pairs.iter().filter_map(strap).collect())
}

/// Writes that down; nothing if it stands there.
pub(super) fn list(conn: &Connection, straps: &[Strap]) -> rusqlite::Result<()> {
    let before = listed(conn)?;
    let is_in = |all: &[Strap], s: &Strap| all.iter().any(|other| (other.id, &other.athlete) == (s.id, &s.athlete));
    for gone in before.iter().filter(|s| !is_in(straps, s)) {
        set_meta(conn, &format!("listed.{}", gone.id.slug()), None)?;
    }
    for s in straps.iter().filter(|s| !is_in(&before, s)) {
        set_meta(conn, &format!("listed.{}", s.id.slug()), Some(s.athlete.as_str()))?;
    }
    Ok(())
}

/// Whether a strap is adopted.
pub(super) fn is_adopted(conn: &Connection, strap: StrapId) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM strap WHERE address = ?1)")?
        .query_row([strap.to_string()], |row| row.get(0))
}
