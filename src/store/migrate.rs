//! Schema versions: `PRAGMA user_version` counts the migrations that ran; a copy is made before an old file is changed.

use super::error::{At, StoreError};
use rusqlite::{Connection, TransactionBehavior};
use std::fs::File;
use std::path::{Path, PathBuf};

/// `hrvd` in ASCII: tells our files from those of other programs.
pub(super) const APPLICATION_ID: i64 = 0x6872_7664;

/// All migrations, oldest first. Append only.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_init.sql"),
    include_str!("migrations/0002_battery.sql"),
    include_str!("migrations/0003_preference.sql"),
    include_str!("migrations/0004_readiness.sql"),
    include_str!("migrations/0005_announced.sql"),
    include_str!("migrations/0006_zone.sql"),
];

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Version before; 0 for a new file.
    pub from: i64,
    /// Version now.
    pub to: i64,
    /// The copy that was made before.
    pub backup: Option<PathBuf>,
}

/// Version of a file; refuses files of others and newer ones.
pub(super) fn version(conn: &Connection, path: &Path, known: i64) -> Result<i64, StoreError> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).at(path);
    let found = pragma("user_version")?;
    match pragma("application_id")? {
        APPLICATION_ID if found > known => Err(StoreError::TooNew { path: path.to_owned(), found, known }),
        APPLICATION_ID => Ok(found),
        0 if found == 0
            && conn.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get::<_, i64>(0)).at(path)? == 0 =>
        {
            Ok(0)
        }
        _ => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}

/// Brings a file to the newest version, in one transaction.
pub(super) fn run(conn: &mut Connection, path: &Path, migrations: &[&str]) -> Result<Migrated, StoreError> {
    let to = migrations.len() as i64;
    let from = version(conn, path, to)?;
    if from == to {
        return Ok(Migrated { from, to, backup: None });
    }
    let backup = if from > 0 { Some(backup(conn, path, from)?) } else { None };
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).at(path)?;
    for sql in migrations.iter().skip(usize::try_from(from).unwrap_or(0)) {
        tx.execute_batch(sql).at(path)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).at(path)?;
    tx.pragma_update(None, "user_version", to).at(path)?;
    tx.commit().at(path)?;
    Ok(Migrated { from, to, backup })
}

fn backup(conn: &Connection, path: &Path, from: i64) -> Result<PathBuf, StoreError> {
    let target = super::free_name(path, &format!("backup-v{from}"));
    let done = conn
        .execute("VACUUM INTO ?1", [target.to_string_lossy()])
        .at(path)
        .and_then(|_| File::open(&target).and_then(|f| f.sync_all()).at(&target));
    if let Err(e) = done {
        let _ = std::fs::remove_file(&target); // half a copy would be mistaken for a whole one
        return Err(e);
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as version 1 wrote them; kept for ever.
    const FIXTURE_V1: &str = include_str!("../../tests/data/store_v1.sql");
    const NEXT: &str = "ALTER TABLE strap ADD COLUMN colour TEXT; CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;";

    fn v1(path: &Path) -> Connection {
        let mut conn = Connection::open(path).unwrap();
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        assert_eq!(run(&mut conn, path, &MIGRATIONS[..1]).unwrap(), Migrated { from: 0, to: 1, backup: None });
        conn.execute_batch(FIXTURE_V1).unwrap();
        conn
    }

    /// All rows of all tables as text.
    fn dump(conn: &Connection) -> Vec<String> {
        let mut out = Vec::new();
        for table in [
            "athlete",
            "strap",
            "recording",
            "packet_chunk",
            "event_log",
            "check_result",
            "outbox",
            "announced",
            "meta",
        ] {
            let mut stmt = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = stmt.column_count();
            let before = out.len();
            let mut rows = stmt.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<_> = (0..columns).map(|i| format!("{:?}", row.get_ref(i).unwrap())).collect();
                out.push(format!("{table}: {}", values.join(" ")).replace(" Null", ""));
            }
            assert!(out.len() > before, "the fixture has no {table}");
        }
        out
    }

    #[test]
    fn an_old_file_is_copied_then_migrated_and_keeps_its_data() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let mut conn = v1(&path);
        let before = dump(&conn);
        let done = run(&mut conn, &path, &[MIGRATIONS[0], NEXT]).unwrap();
        let backup = dir.path().join("hrvd.db.backup-v1-1");
        assert_eq!(done, Migrated { from: 1, to: 2, backup: Some(backup.clone()) });
        assert_eq!(dump(&conn), before);
        conn.execute("INSERT INTO extra DEFAULT VALUES", []).unwrap();
        assert_eq!(run(&mut conn, &path, &[MIGRATIONS[0], NEXT]).unwrap(), Migrated { from: 2, to: 2, backup: None });
        let old = Connection::open(&backup).unwrap();
        assert_eq!((version(&old, &backup, 1).unwrap(), dump(&old)), (1, before));
        // a program that knows version 1 only
        let e = run(&mut conn, &path, &MIGRATIONS[..1]).unwrap_err();
        assert!(matches!(e, StoreError::TooNew { found: 2, known: 1, .. }));
    }

    #[test]
    fn the_battery_table_comes_to_an_old_file_and_its_data_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let mut conn = v1(&path);
        let before = dump(&conn);
        assert_eq!(run(&mut conn, &path, &MIGRATIONS[..2]).unwrap().to, 2);
        assert_eq!(dump(&conn), before);
        conn.execute("INSERT INTO strap_battery VALUES ('A0:9E:1A:9F:6E:53', '2026-11-24', 80)", []).unwrap();
    }

    #[test]
    fn the_tables_of_readiness_come_to_an_old_file_and_its_data_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let mut conn = v1(&path);
        let before = dump(&conn);
        assert_eq!(run(&mut conn, &path, &MIGRATIONS[..4]).unwrap().to, 4);
        assert_eq!(dump(&conn), before);
        conn.execute_batch(
            "INSERT INTO input VALUES (1, 'alex', '2026-11-24', 0, 'cli', 'feel', '\"good\"');
             INSERT INTO verdict VALUES (1, 'alex', '2026-11-24', 1, 0, 2, 'GO', NULL, '[]', '{}', '{}');",
        )
        .unwrap();
        let again = "INSERT INTO verdict VALUES (2, 'alex', '2026-11-24', 1, 0, 2, 'REST', NULL, '[]', '{}', '{}')";
        assert!(conn.execute(again, []).is_err(), "a version of a day is given once");
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let mut conn = v1(&path);
        let before = dump(&conn);
        assert!(run(&mut conn, &path, &[MIGRATIONS[0], "DROP TABLE meta; nonsense;"]).is_err());
        assert_eq!((version(&conn, &path, 2).unwrap(), dump(&conn)), (1, before));
    }

    #[test]
    fn no_backup_no_migration() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let mut conn = v1(&path);
        drop(dir); // nowhere to write the copy
        assert!(run(&mut conn, &path, &[MIGRATIONS[0], NEXT]).is_err());
        assert_eq!(conn.pragma_query_value(None, "user_version", |r| r.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn a_file_of_every_earlier_version_opens_and_is_read() {
        for version in 1..=MIGRATIONS.len() {
            read_after(version);
        }
    }

    fn read_after(version: usize) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let mut conn = v1(&path);
        run(&mut conn, &path, &MIGRATIONS[..version]).unwrap();
        drop(conn);
        let (conn, report) = super::super::db::open(&path).unwrap();
        assert_eq!((report.migrated.from, report.migrated.to), (version as i64, MIGRATIONS.len() as i64));
        assert_eq!(report.migrated.backup.is_some(), version < MIGRATIONS.len());
        drop(conn);
        let query = super::super::Query::open(&path).unwrap();
        assert_eq!(query.results(None, 9).unwrap().len(), 1);
        assert_eq!(query.straps().unwrap().len(), 1);
        let recordings = query.recordings().unwrap();
        assert_eq!(recordings.len(), 1);
        assert_eq!(query.export(recordings[0].id).unwrap().unwrap().len(), 6);
        assert_eq!(query.count_unsent().unwrap(), 1);
    }
}
