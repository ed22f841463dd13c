//! Which rows are a person's: one answer for the export of a person and for the deletion, found by the columns of the
//! tables, so that a table that is added later is part of both.

use super::error::{At, StoreError};
use crate::engine::Strap;
use crate::units::{AthleteId, StrapId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Links and commands so long around a recording belong to it, µs.
const AROUND_US: i64 = 900_000_000;

/// Rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) table: String,
    condition: String,
    args: Vec<String>,
}

impl Rows {
    fn new(table: &str, condition: impl Into<String>, args: &[&str]) -> Self {
        let args = args.iter().map(|a| (*a).to_owned()).collect();
        Self { table: table.to_owned(), condition: condition.into(), args }
    }

    /// Deletes them; how many there were.
    pub(super) fn delete(&self, conn: &Connection) -> rusqlite::Result<usize> {
        let sql = format!("DELETE FROM \"{}\" WHERE {}", self.table, self.condition);
        conn.execute(&sql, params_from_iter(&self.args))
    }

    /// Reads them as JSON objects; what is no text or number is left out.
    pub(super) fn read(&self, conn: &Connection) -> rusqlite::Result<Vec<Value>> {
        let mut stmt = conn.prepare(&format!("SELECT * FROM \"{}\" WHERE {}", self.table, self.condition))?;
        let names: Vec<String> = stmt.column_names().into_iter().map(str::to_owned).collect();
        let rows = stmt.query_map(params_from_iter(&self.args), |row| {
            let mut object = Map::new();
            for (i, name) in names.iter().enumerate() {
                let value = match row.get_ref(i)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(n) => json!(n),
                    ValueRef::Real(x) => json!(x),
                    ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                    // what is a blob is text all the same: the payload of a message
                    ValueRef::Blob(bytes) => json!(String::from_utf8_lossy(bytes)),
                };
                object.insert(name.clone(), value);
            }
            Ok(Value::Object(object))
        })?;
        rows.collect()
    }
}

/// All that is a person's, in an order in which it can be deleted. `configured` are the straps of the configuration.
pub(super) fn rows(conn: &Connection, who: &AthleteId, configured: &[Strap]) -> rusqlite::Result<Vec<Rows>> {
    let straps = own_straps(conn, who, configured)?;
    let mut out = vec![];
    for table in tables(conn)? {
        let columns = columns(conn, &table)?;
        out.extend(of_table(conn, &table, &columns, who, &straps)?);
    }
    // what others are found by goes last
    out.sort_by_key(|rows| match rows.table.as_str() {
        "recording" => 1,
        "strap" => 2,
        "athlete" => 3,
        _ => 0,
    });
    Ok(out)
}

fn of_table(
    conn: &Connection,
    table: &str,
    columns: &[String],
    who: &AthleteId,
    straps: &BTreeSet<StrapId>,
) -> rusqlite::Result<Option<Rows>> {
    let who = who.as_str();
    let has = |name: &str| columns.iter().any(|c| c == name);
    let addresses = json!(straps.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string();
    let own_recording = "athlete = ?1 OR (athlete IS NULL AND strap IN (SELECT value FROM json_each(?2)))";
    let listed = |column: &str| format!("{column} IN (SELECT value FROM json_each(?1))");
    Ok(Some(match table {
        "athlete" => Rows::new(table, "slug = ?1", &[who]),
        "recording" => Rows::new(table, own_recording, &[who, &addresses]),
        "packet_chunk" => {
            let condition = format!("recording_id IN (SELECT id FROM recording WHERE {own_recording})");
            Rows::new(table, condition, &[who, &addresses])
        }
        "event_log" => Rows::new(
            table,
            format!(
                "athlete = ?1 OR strap IN (SELECT value FROM json_each(?2)) OR (strap IS NOT NULL AND EXISTS
                     (SELECT 1 FROM recording r WHERE r.athlete = ?1 AND r.strap = event_log.strap
                        AND r.boot_id = event_log.boot_id AND event_log.mono_us BETWEEN
                            r.start_us - {AROUND_US} AND coalesce(r.end_us, r.start_us) + {AROUND_US}))"
            ),
            &[who, &addresses],
        ),
        _ if has("athlete") => Rows::new(table, "athlete = ?1", &[who]),
        _ if has("address") => Rows::new(table, listed("address"), &[&addresses]),
        _ if has("strap") => Rows::new(table, listed("strap"), &[&addresses]),
        _ if has("topic") => {
            Rows::new(table, listed("topic"), &[&texts(conn, table, "topic", &|t| speaks_of(t, who, straps))?])
        }
        _ if has("key") => {
            // a strap that others had too may be listed for this person
            let condition = format!("{} OR (key LIKE 'listed.%' AND value = ?2)", listed("key"));
            Rows::new(table, condition, &[&texts(conn, table, "key", &|k| is_key_of(k, who, straps))?, who])
        }
        _ => return Ok(None),
    }))
}

/// Tables that hold nothing of anybody.
#[cfg(test)]
pub(super) const NOBODYS: [&str; 0] = [];

pub(super) fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut stmt = conn.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    stmt.query_map([], |r| r.get(0))?.collect()
}

fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare("SELECT name FROM pragma_table_info(?1)")?.query_map([table], |r| r.get(0))?.collect()
}

/// Straps that this person has or had and nobody else.
fn own_straps(conn: &Connection, who: &AthleteId, configured: &[Strap]) -> rusqlite::Result<BTreeSet<StrapId>> {
    let mut stmt = conn.prepare(
        "SELECT address, athlete FROM strap UNION SELECT strap, athlete FROM recording WHERE athlete IS NOT NULL
         UNION SELECT strap, athlete FROM check_result",
    )?;
    let pairs = stmt.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
    for pair in pairs {
        let (strap, athlete) = pair?;
        let Ok(strap) = strap.parse::<StrapId>() else { continue };
        if athlete == who.as_str() {
            own.insert(strap)
        } else {
            others.insert(strap)
        };
    }
    for s in configured {
        if s.athlete == *who {
            own.insert(s.id)
        } else {
            others.insert(s.id)
        };
    }
    Ok(own.difference(&others).copied().collect())
}

/// Different texts of a column that satisfy `is`, as a JSON list.
fn texts(conn: &Connection, table: &str, column: &str, is: &dyn Fn(&str) -> bool) -> rusqlite::Result<String> {
    let mut stmt = conn.prepare(&format!("SELECT DISTINCT \"{column}\" FROM \"{table}\""))?;
    let all: Vec<String> = stmt.query_map([], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(json!(all.iter().filter(|t| is(t)).collect::<Vec<_>>()).to_string())
}

/// Whether a topic is this person's or one of the straps'.
fn speaks_of(topic: &str, who: &str, straps: &BTreeSet<StrapId>) -> bool {
    let of = |kind: &str, name: &str| {
        topic.contains(&format!("/{kind}/{name}/")) || topic.ends_with(&format!("_{kind}_{name}/config"))
    };
    of("athlete", who) || straps.iter().any(|s| of("strap", &s.slug()))
}

/// Whether a setting's key names the person or one of the straps: `failed_check.alex`.
fn is_key_of(key: &str, who: &str, straps: &BTreeSet<StrapId>) -> bool {
    key.split('.').skip(1).any(|part| part == who || straps.iter().any(|s| part == s.slug()))
}

/// Everything of a person but the packets, by table.
pub(super) fn read(
    conn: &Connection,
    path: &Path,
    who: &AthleteId,
    configured: &[Strap],
) -> Result<Vec<(String, Vec<Value>)>, StoreError> {
    let mut out = vec![];
    for rows in rows(conn, who, configured).at(path)? {
        if rows.table != "packet_chunk" {
            let found = rows.read(conn).at(path)?;
            out.push((rows.table, found));
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::migrate;

    #[test]
    fn no_table_is_forgotten() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::run(&mut conn, Path::new("x"), migrate::MIGRATIONS).unwrap();
        let all: BTreeSet<String> = tables(&conn).unwrap().into_iter().collect();
        assert!(all.len() >= 11, "{all:?}");
        let who = "alex".parse().unwrap();
        let found: BTreeSet<String> = rows(&conn, &who, &[]).unwrap().into_iter().map(|r| r.table).collect();
        let left: BTreeSet<&str> = all.difference(&found).map(String::as_str).collect();
        // a new table has to be found by its columns, be named in `of_table`, or be nobody's
        assert_eq!(left, BTreeSet::from(NOBODYS));
    }

    /// What is known of a strap that others had too stays; that it was listed for the person does not.
    #[test]
    fn a_listing_of_a_shared_strap_is_the_persons_and_no_other_setting_of_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::run(&mut conn, Path::new("x"), migrate::MIGRATIONS).unwrap();
        let strap = |n: u8, who: &str| Strap { id: StrapId([n; 6]), athlete: who.parse().unwrap(), name: None };
        crate::store::rows::list(&conn, &[strap(1, "alex"), strap(2, "kim")]).unwrap();
        crate::store::rows::adopt(&conn, &strap(1, "kim"), None).unwrap();
        conn.execute("INSERT INTO meta VALUES ('source.010101010101', 'alex')", []).unwrap();
        let found = rows(&conn, &"alex".parse().unwrap(), &[]).unwrap();
        assert_eq!(found.iter().map(|r| r.delete(&conn).unwrap()).sum::<usize>(), 1);
        let mut left = conn.prepare("SELECT key FROM meta WHERE key GLOB '*.*' ORDER BY key").unwrap();
        let left: Vec<String> = left.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(left, ["listed.020202020202", "source.010101010101"]);
    }

    #[test]
    fn topics_and_keys_are_told_apart() {
        let straps = BTreeSet::from([StrapId([0xa0, 0x9e, 0x1a, 0x9f, 0x6e, 0x53])]);
        for topic in [
            "hrvd/g/athlete/alex/morning",
            "homeassistant/device/hrvd_g_athlete_alex/config",
            "hrvd/g/strap/a09e1a9f6e53/state",
            "homeassistant/device/hrvd_g_strap_a09e1a9f6e53/config",
        ] {
            assert!(speaks_of(topic, "alex", &straps), "{topic}");
            assert!(!speaks_of(topic, "ale", &BTreeSet::new()), "{topic}");
        }
        assert!(is_key_of("failed_check.alex", "alex", &straps) && is_key_of("source.a09e1a9f6e53", "kim", &straps));
        assert!(!is_key_of("alex", "alex", &straps) && !is_key_of("failed_check.alexa", "alex", &straps));
    }
}
