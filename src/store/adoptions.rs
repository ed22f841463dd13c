//! Who adopted which strap, once more in a small text file beside the database: it is needed when the database is
//! damaged beyond reading, because a strap that nobody adopted is never connected. Written only when it changes.

use super::error::{At, StoreError};
use super::{beside, journal, rows};
use crate::engine::Strap;
use jiff::Timestamp;
use rusqlite::Connection;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

const HEAD: &str =
    "# Adopted straps: address, athlete, adopted on (microseconds since 1970, or -), name. Kept by hrvd.\n";

/// Brings the file to the state of the database. It is a copy: trouble with it is no trouble.
pub(super) fn keep(conn: &Connection, db: &Path) {
    let _ = try_keep(conn, db);
}

/// The same where it is trouble: who left must not stand in it any more.
pub(super) fn try_keep(conn: &Connection, db: &Path) -> Result<(), StoreError> {
    let (path, part) = (beside(db, "adopted"), beside(db, "adopted-new"));
    let mut text = HEAD.to_owned();
    let mut stmt = conn.prepare_cached("SELECT * FROM strap ORDER BY address").at(db)?;
    let mut found = stmt.query([]).at(db)?;
    while let Some(row) = found.next().at(db)? {
        text.push_str(&line(&rows::strap(row).at(db)?, row.get("first_seen").at(db)?));
    }
    let old = fs::read(&path).ok();
    if old.as_deref() == Some(text.as_bytes()) || (old.is_none() && text == HEAD) {
        return Ok(());
    }
    let mut file = File::create(&part).at(&part)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).at(&part)?;
    fs::rename(&part, &path).and_then(|()| journal::sync_dir(&path)).at(&path)
}

/// Adopts in a new database what the file says; the number of straps.
pub(super) fn restore(conn: &Connection, db: &Path) -> Result<usize, StoreError> {
    let path = beside(db, "adopted");
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(StoreError::io(&path, &e)),
    };
    let mut straps = 0;
    for (strap, at) in text.lines().filter_map(parse) {
        rows::adopt(conn, &strap, at).at(db)?;
        straps += 1;
    }
    Ok(straps)
}

fn line(strap: &Strap, first_seen: Option<i64>) -> String {
    let at = first_seen.map_or_else(|| "-".to_owned(), |us| us.to_string());
    let name: String =
        strap.name.iter().flat_map(|n| n.chars()).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{}\t{}\t{at}\t{name}\n", strap.id, strap.athlete)
}

fn parse(line: &str) -> Option<(Strap, Option<Timestamp>)> {
    let mut words = line.splitn(4, '\t');
    let (id, athlete, at, name) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let name = (!name.is_empty()).then(|| name.to_owned());
    let strap = Strap { id: id.parse().ok()?, athlete: athlete.parse().ok()?, name };
    Some((strap, at.parse().ok().and_then(|us| Timestamp::from_microsecond(us).ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_others_are_passed_over() {
        let strap = |name: Option<&str>| Strap {
            id: "A0:9E:1A:9F:6E:53".parse().unwrap(),
            athlete: "alex".parse().unwrap(),
            name: name.map(str::to_owned),
        };
        for (name, at) in [(None, None), (Some("Chest strap, old"), Some(1_790_000_000_000_000))] {
            let text = line(&strap(name), at);
            assert_eq!(
                parse(text.trim_end_matches('\n')),
                Some((strap(name), at.map(|us| Timestamp::from_microsecond(us).unwrap())))
            );
        }
        assert_eq!(parse(line(&strap(Some("a\tb\nc")), None).trim_end()), Some((strap(Some("a b c")), None)));
        for bad in
            ["", HEAD.trim_end(), "A0:9E:1A:9F:6E:53", "nonsense\talex\t-\t", "A0:9E:1A:9F:6E:53\tNot A Slug!\t-\t"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
