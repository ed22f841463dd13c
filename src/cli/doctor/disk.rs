//! The database, its copies, and the room they have.

use super::{Finding, fail, ok, warn};
use crate::cli::backup::size;
use crate::clock::{Clock, ClockTrust};
use crate::config::Config;
use crate::store::{Query, StoreError};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::fs;
use std::path::Path;

/// Space below which the disk is worth a warning, bytes.
const LOW_SPACE: u64 = 200 << 20;
/// Space below which the next recording may not fit.
const NO_SPACE: u64 = 8 << 20;
/// A copy that is older has missed some nights.
const OLD_COPY_DAYS: i32 = 3;

/// Everything about what is kept.
pub(super) fn disk(config: &Config) -> Vec<Finding> {
    let path = &config.store.path;
    let mut out = vec![database(config)];
    if let Some(dir) = &config.store.backup_dir {
        let now = Clock::system(ClockTrust::Plausible).now().wall;
        out.push(copies(dir, now.map(|w| w.to_zoned_datetime(TimeZone::system()).date())));
    }
    let dir = path.ancestors().skip(1).find(|d| d.is_dir());
    if let Some(stat) = dir.and_then(|d| rustix::fs::statvfs(d).ok()) {
        let read_only = stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        out.push(room(stat.f_bavail * stat.f_frsize, read_only));
    }
    out
}

fn database(config: &Config) -> Finding {
    let path = &config.store.path;
    match Query::open(path).and_then(|q| q.count_unsent()) {
        Ok(n) => {
            // the log beside it is part of it
            let bytes = |suffix: &str| fs::metadata(format!("{}{suffix}", path.display())).map_or(0, |m| m.len());
            let kept = match config.store.raw_keep {
                Some(days) => format!("raw packets are kept for {days} days"),
                None => "raw packets are kept for ever".to_owned(),
            };
            let text = format!("{} opens, {}; {kept}", path.display(), size(bytes("") + bytes("-wal")));
            match n {
                0 => ok("database", text),
                n => warn(
                    "database",
                    format!("{text}; {n} results wait for the broker"),
                    "they are sent when it is back",
                ),
            }
        }
        Err(_) if matches!(path.try_exists(), Ok(false)) => {
            ok("database", format!("{} is made at the first start", path.display()))
        }
        Err(e @ StoreError::Corrupt { .. }) => fail(
            "database",
            e.to_string(),
            "hrvd run moves it aside and begins a new one; hrvd restore FILE brings a backup back",
        ),
        Err(e) => fail("database", e.to_string(), "use sudo; look at the folder's owner and permissions"),
    }
}

fn copies(dir: &Path, today: Option<Date>) -> Finding {
    let names = match fs::read_dir(dir) {
        Ok(names) => names,
        Err(e) => {
            let hint =
                "make it and give it to the service's user; outside of /var/lib/hrvd the unit needs ReadWritePaths=";
            return warn("backups", format!("{}: {e}", dir.display()), hint);
        }
    };
    let date = |name: String| name.strip_prefix("hrvd-")?.strip_suffix(".db")?.parse::<Date>().ok();
    let newest = names.flatten().filter_map(|e| date(e.file_name().into_string().ok()?)).max();
    let Some(newest) = newest else {
        return warn(
            "backups",
            format!("none in {} yet", dir.display()),
            "one is made each night between 02:00 and 04:00",
        );
    };
    let age = today.and_then(|today| today.since((jiff::Unit::Day, newest)).ok()).map(|span| span.get_days());
    match age {
        Some(days) if days > OLD_COPY_DAYS => warn(
            "backups",
            format!("the newest in {} is of {newest}, {days} days ago", dir.display()),
            "journalctl -u hrvd says what went wrong at night",
        ),
        _ => ok("backups", format!("the newest in {} is of {newest}", dir.display())),
    }
}

fn room(free: u64, read_only: bool) -> Finding {
    let text = format!("{} MB free", free >> 20);
    match free {
        _ if read_only => {
            fail("disk", "mounted read-only", "live values go on, but nothing is kept; remount it writable")
        }
        0..NO_SPACE => fail(
            "disk",
            format!("full: {text}"),
            "make room: live values go on, and results wait in memory for a day or so",
        ),
        NO_SPACE..LOW_SPACE => warn(
            "disk",
            text,
            "make room: a day of wear takes about 3 MB; store.raw_keep = \"365d\" ends old raw packets",
        ),
        _ => ok("disk", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;
    use jiff::civil::date;

    #[test]
    fn room_has_four_words() {
        for (free, read_only, want, part) in [
            (10 << 30, false, Verdict::Ok, "10240 MB free"),
            (150 << 20, false, Verdict::Warn, "150 MB free"),
            (1 << 20, false, Verdict::Fail, "full"),
            (0, false, Verdict::Fail, "full"),
            (10 << 30, true, Verdict::Fail, "read-only"),
        ] {
            let found = room(free, read_only);
            assert!(found.verdict == want && found.text.contains(part), "{free} {read_only}: {found:?}");
        }
    }

    #[test]
    fn copies_are_missed_after_some_nights() {
        let dir = tempfile::tempdir().unwrap();
        let of = |day: i8| copies(dir.path(), Some(date(2026, 11, day)));
        assert_eq!((of(25).verdict, of(25).text.contains("none in")), (Verdict::Warn, true));
        for name in ["hrvd-2026-11-20.db", "hrvd-2026-11-21.db", "hrvd-mine.db"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!((of(21).verdict, of(24).verdict, of(25).verdict), (Verdict::Ok, Verdict::Ok, Verdict::Warn));
        assert!(of(25).text.contains("of 2026-11-21, 4 days ago"));
        assert_eq!(copies(&dir.path().join("gone"), None).verdict, Verdict::Warn);
    }
}
