//! What was set above the configuration: rows to values and back.

use super::rows::wall;
use crate::preference::{Choice, Preference};
use crate::units::AthleteId;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

/// A preference that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferred {
    /// Whose; `None` is the gateway's own.
    pub athlete: Option<AthleteId>,
    /// What.
    pub what: Preference,
    /// To what.
    pub choice: Choice,
    /// When, if the clock was known.
    pub at: Option<Timestamp>,
}

/// Sets it, or takes it back.
pub(super) fn set(
    conn: &Connection,
    athlete: Option<&AthleteId>,
    what: Preference,
    choice: Option<Choice>,
    at: Option<Timestamp>,
) -> rusqlite::Result<()> {
    let who = athlete.map_or("", AthleteId::as_str);
    match choice {
        Some(choice) => conn.execute(
            "INSERT INTO preference (athlete, name, value, set_us) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (athlete, name) DO UPDATE SET value = excluded.value, set_us = excluded.set_us
             WHERE value IS NOT excluded.value",
            params![who, what.as_str(), choice.to_string(), at.map(|t| t.as_microsecond())],
        )?,
        None => conn.execute("DELETE FROM preference WHERE athlete = ?1 AND name = ?2", [who, what.as_str()])?,
    };
    Ok(())
}

/// A row as a value; nothing if another version wrote it and this one does not know what it means.
pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<Option<Preferred>> {
    let (athlete, name): (String, String) = (row.get("athlete")?, row.get("name")?);
    let (value, at): (String, _) = (row.get("value")?, wall(row, "set_us")?);
    let read = || {
        let athlete = if athlete.is_empty() { None } else { Some(athlete.parse().ok()?) };
        let what: Preference = name.parse().ok()?;
        Some(Preferred { athlete, what, choice: what.read(&value)?, at })
    };
    Ok(read())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OpenOptions, Query, open};

    #[test]
    fn what_is_set_is_kept_until_it_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let alex: AthleteId = "alex".parse().unwrap();
        let read = |what: Preference, text: &str| what.read(text);
        let (set, taken) = (read(Preference::MaxHr, "191"), read(Preference::LogLevel, "debug"));
        let opened = open(OpenOptions::new(&path, "b")).unwrap();
        opened.handle.prefer(Some(alex.clone()), Preference::MaxHr, read(Preference::MaxHr, "180"), None);
        opened.handle.prefer(Some(alex.clone()), Preference::MaxHr, set, None);
        opened.handle.prefer(None, Preference::LogLevel, taken, None);
        opened.handle.stop().unwrap();
        let kept = Query::open(&path).unwrap().preferences().unwrap();
        let whose: Vec<_> = kept.iter().map(|p| (p.athlete.clone(), p.what, Some(p.choice))).collect();
        let mine = (Some(alex), Preference::MaxHr, set);
        assert_eq!(whose, [(None, Preference::LogLevel, taken), mine.clone()]);
        let opened = open(OpenOptions::new(&path, "b")).unwrap();
        opened.handle.prefer(None, Preference::LogLevel, None, None);
        opened.handle.stop().unwrap();
        // what a later version may set is kept, and means nothing to this one
        let conn = Connection::open(&path).unwrap();
        conn.execute("INSERT INTO preference VALUES ('', 'colour', 'red', NULL)", []).unwrap();
        conn.execute("INSERT INTO preference VALUES ('', 'log_level', 'shouting', NULL)", []).unwrap();
        let kept = Query::open(&path).unwrap().preferences().unwrap();
        let whose: Vec<_> = kept.into_iter().map(|p| (p.athlete, p.what, Some(p.choice))).collect();
        assert_eq!(whose, [mine]);
        conn.execute_batch("DROP TABLE preference").unwrap();
        assert_eq!(Query::open(&path).unwrap().preferences().unwrap(), [], "a file of before");
    }
}
