//! `hrvd backup` and `hrvd restore`: consistent while the daemon writes, whole or not at all, the old file never lost.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;
mod store_common;

use daemon::{Home, Program, Said};
use hrvd::store::{self, Backup, OpenOptions, Opened, Query, StoreError};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store_common::{adopted, db, message, options, packet, result, wall};

const DIR: &str = "HRVD_TEST_BACKUP_DIR";

/// A test beside this one may just be starting a process, which has our files for the moment before it is that program.
fn patient<T>(mut what: impl FnMut() -> Result<T, StoreError>) -> T {
    daemon::wait_for(daemon::SOON, "the store", String::new, || match what() {
        Err(StoreError::Busy { .. }) => None,
        done => Some(done.unwrap()),
    })
}

fn open(path: &Path) -> Opened {
    patient(|| store::open(OpenOptions::new(path, "boot-1")))
}

/// A database with so many results and some megabytes beside.
fn fill(path: &Path, results: u64, megabytes: usize) {
    let Opened { handle, .. } = open(path);
    handle.adopt(adopted(1), None);
    (0..100).for_each(|s| handle.record(packet(1, s)));
    (1..=results).for_each(|n| handle.result(result(n, wall(n as i64)), vec![]));
    for _ in 0..megabytes {
        let noise: String = (0..1 << 20).map(|_| char::from(b'a' + fastrand::u8(0..26))).collect();
        handle.publish(vec![message("a", &noise)], None);
    }
    handle.stop().unwrap();
}

fn home(results: u64, megabytes: usize) -> Home {
    let home = Home::new();
    home.configure(1, "");
    if results > 0 {
        fill(&home.db(), results, megabytes);
    }
    home
}

fn results(path: &Path) -> usize {
    Query::open(path).unwrap().results(None, 100_000).unwrap().len()
}

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_copy_is_consistent_while_somebody_writes() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { handle, .. } = store::open(options(dir.path())).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, end) = (handle.clone(), Arc::clone(&stop));
    let thread = std::thread::spawn(move || {
        let mut n = 0;
        while !end.load(Ordering::Relaxed) {
            n += 1;
            writer.record(packet(1, n));
            writer.result(result(n, wall(n as i64)), vec![message("a", "b")]);
            while writer.backlog() > 20 {
                std::thread::yield_now();
            }
        }
    });
    let mut last = 0;
    for n in 0..8 {
        let to = dir.path().join(format!("copy-{n}.db"));
        let contents = Backup::of(&db(dir.path())).unwrap().write(&to).unwrap();
        assert!(contents.results >= last, "{contents:?}");
        last = contents.results;
        // each result came with its message in one transaction
        let query = Query::open(&to).unwrap();
        assert_eq!(query.count_unsent().unwrap(), contents.results);
        assert_eq!(store::verify(&to).unwrap(), contents);
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    handle.stop().unwrap();
}

#[test]
fn an_interrupted_copy_leaves_nothing() {
    let home = home(3, 2);
    let backup = Backup::of(&home.db()).unwrap();
    let (interrupt, to) = (backup.interrupt(), home.path("copy.db"));
    let stop = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&stop);
    // again and again, because an interrupt before the copy has begun means nothing
    let thread = std::thread::spawn(move || {
        while !end.load(Ordering::Relaxed) {
            interrupt.now();
        }
    });
    // and again and again, because the copy may be quicker than the thread
    let outcome = (0..10_000).map(|_| backup.write(&to)).find(Result::is_err);
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    assert!(matches!(outcome, Some(Err(StoreError::Io { .. }))), "{outcome:?}");
    let left = names(home.path("x").parent().unwrap());
    assert!(left.iter().all(|n| !n.starts_with("copy.db.part")), "{left:?}");
}

#[test]
fn there_and_back_by_the_command_line() {
    let home = home(3, 0);
    let copy = home.path("copy.db");
    home.run(&["backup", text(&copy)]).ends(0).says("3 results and 1 recordings, every page read back");
    home.run(&["backup", text(&copy)]).ends(2).complains("is there already").complains("--force");
    home.run(&["backup", text(&copy), "--force", "--json"]).ends(0).says("\"results\":3");
    // a folder gets a name with the date
    fs::create_dir(home.path("stick")).unwrap();
    home.run(&["backup", text(&home.path("stick"))]).ends(0);
    let dated = names(&home.path("stick"));
    assert!(dated.len() == 1 && dated[0].starts_with("hrvd-20") && dated[0].ends_with(".db"), "{dated:?}");

    fill(&home.db(), 5, 0);
    assert_eq!(results(&home.db()), 5);
    let Opened { handle, .. } = open(&home.db());
    handle.publish(vec![message("a", "an event of then")], None);
    handle.stop().unwrap();
    let mut hrvd = Program::start(&home, None);
    hrvd.wait_log("starts");
    daemon::wait_for(daemon::SOON, "the socket", || hrvd.log(), || home.socket().exists().then_some(()));
    home.run(&["restore", text(&copy)]).ends(1).complains("hrvd is running").complains("systemctl stop");
    // the copy of a daemon at work
    home.run(&["backup", text(&home.path("live.db"))]).ends(0).says("5 results");
    hrvd.terminate();
    assert_eq!(results(&home.db()), 5);

    let said = home.run(&["restore", text(&copy)]).ends(0).says("3 results and 1 recordings are in force");
    let old = home.path("hrvd.db.before-restore-1");
    said.says(text(&old));
    assert_eq!((results(&home.db()), results(&old)), (3, 5));
    // and the daemon takes it
    let mut hrvd = Program::start(&home, None);
    hrvd.wait_log("starts");
    hrvd.terminate();
    // nothing that waited for the broker in a copy is sent out of it
    assert_eq!(Query::open(&home.path("live.db")).unwrap().count_unsent().unwrap(), 1);
    home.run(&["restore", text(&home.path("live.db"))]).ends(0);
    assert_eq!(Query::open(&home.db()).unwrap().count_unsent().unwrap(), 0);
    fs::remove_file(home.db()).unwrap();
    // the way back is the same way
    home.run(&["restore", text(&old)]).ends(0).says("5 results");
    assert_eq!(results(&home.db()), 5);
    home.run(&["restore", text(&home.db())]).ends(1).complains("it is the database itself");
    // where there was nothing
    fs::remove_file(home.db()).unwrap();
    home.run(&["restore", text(&copy), "--json"]).ends(0).says("\"old\":null");
    assert_eq!(results(&home.db()), 3);
}

#[test]
fn what_an_unclean_end_left_is_part_of_the_copy_and_of_what_is_moved_aside() {
    let home = home(2, 0);
    let Opened { handle, .. } = open(&home.db());
    (200..260).for_each(|s| handle.record(packet(1, s)));
    handle.flush().blocking_recv().unwrap().unwrap();
    let left = fs::read(home.path("hrvd.db.journal-raw")).unwrap();
    assert!(!left.is_empty());
    handle.stop().unwrap();
    let packets = |path: &Path| Query::open(path).unwrap().recordings().unwrap().iter().map(|r| r.packets).sum::<u64>();
    let whole = packets(&home.db());

    let crashed = || {
        let home = self::home(2, 0);
        fs::write(home.path("hrvd.db.journal-raw"), &left).unwrap();
        home
    };
    let other = crashed();
    other.run(&["backup", text(&other.path("copy.db"))]).ends(0);
    assert_eq!(packets(&other.path("copy.db")), whole);
    let other = crashed();
    home.run(&["backup", text(&home.path("copy.db"))]).ends(0);
    other.run(&["restore", text(&home.path("copy.db"))]).ends(0);
    assert_eq!(packets(&other.path("hrvd.db.before-restore-1")), whole);
}

#[test]
fn a_damaged_or_foreign_backup_is_refused_and_the_database_stays() {
    let home = home(40, 0);
    let copy = home.path("copy.db");
    home.run(&["backup", text(&copy)]).ends(0);
    let good = fs::read(&copy).unwrap();
    let before = fs::read(home.db()).unwrap();
    let bad = home.path("bad.db");
    let refused = std::cell::Cell::new(0);
    let check = |bytes: &[u8], what: &str| {
        fs::write(&bad, bytes).unwrap();
        if store::verify(&bad).is_ok() {
            return false; // a byte that means nothing
        }
        let said = home.run(&["restore", text(&bad)]).ends(1);
        assert!(said.err.contains("error: ") && said.err.contains("hint: "), "{what}: {}", said.err);
        assert_eq!(fs::read(home.db()).unwrap(), before, "{what}");
        assert!(!home.path("hrvd.db.before-restore-1").exists(), "{what}");
        refused.set(refused.get() + 1);
        true
    };
    assert!(check(b"", "nothing"));
    assert!(check(b"no database at all, but long enough to be looked at", "text"));
    assert!(check(&good[..good.len() / 2], "half"));
    assert!(check(&good[..good.len() - 4096], "the last page is missing"));
    for page in 1..good.len() / 4096 {
        let mut bytes = good.clone();
        // the head of a page says what it is
        bytes[page * 4096..page * 4096 + 12].fill(0xff);
        check(&bytes, &format!("page {page}"));
    }
    assert!(refused.get() >= 6, "only {} damages were seen", refused.get());
    // a newer one
    let mut bytes = good.clone();
    bytes[60..64].copy_from_slice(&9999u32.to_be_bytes());
    assert!(check(&bytes, "newer"));
    home.run(&["restore", text(&home.path("not there"))]).ends(1);
    assert_eq!(names(home.path("x").parent().unwrap()).iter().filter(|n| n.contains("replace")).count(), 0);
}

#[test]
fn kill_nine_in_the_middle_leaves_a_whole_copy_or_none_and_never_hurts_the_database() {
    let home = home(3, 6);
    let copy = home.path("copy.db");
    home.run(&["backup", text(&home.path("older.db"))]).ends(0);
    fill(&home.db(), 5, 0);
    let killed = |args: &[&str], ms: u64| {
        let mut child = home.hrvd(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(ms));
        let _ = child.kill();
        let _ = child.wait();
    };
    for n in 0..12 {
        killed(&["backup", text(&copy), "--force"], 8 + n * 9);
        if copy.exists() {
            assert_eq!(store::verify(&copy).unwrap().results, 5, "round {n}");
        }
        assert_eq!(store::verify(&home.db()).unwrap().results, 5, "round {n}");
    }
    // the next one clears up after them
    home.run(&["backup", text(&copy), "--force"]).ends(0);
    assert!(!home.path("copy.db.part").exists());

    for n in 0..12 {
        killed(&["restore", text(&home.path("older.db"))], 8 + n * 12);
        // what a start finds is one of the two, whole
        patient(|| store::tidy(OpenOptions::new(home.db(), "boot-1")));
        let found = store::verify(&home.db()).unwrap().results;
        assert!(found == 3 || found == 5, "round {n}: {found}");
        if found == 3 {
            let asides: Vec<String> = names(home.path("x").parent().unwrap())
                .into_iter()
                .filter(|n| n.starts_with("hrvd.db.before-restore-"))
                .collect();
            let kept = asides.iter().filter(|a| a.rsplit('-').next().unwrap().parse::<u32>().is_ok());
            assert!(kept.map(|a| results(&home.path(a))).any(|n| n == 5), "{asides:?}");
            // from the start
            home.run(&["restore", text(&copy)]).ends(0);
        }
    }
}

#[test]
#[ignore = "run by the other test in a mount namespace"]
fn in_child() {
    let dir = PathBuf::from(std::env::var(DIR).unwrap());
    let (good, small) = (dir.join("hrvd.db"), dir.join("small"));
    fill(&good, 3, 3);
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1500k", "tmpfs"]).arg(&small).status();
    assert!(mounted.unwrap().success());
    // a stick that is too small
    let outcome = Backup::of(&good).unwrap().write(&small.join("copy.db"));
    assert!(matches!(outcome, Err(StoreError::Full { .. })), "{outcome:?}");
    assert!(names(&small).is_empty(), "{:?}", names(&small));
    // a card that has no room for what comes back
    let own = small.join("hrvd.db");
    fill(&own, 5, 0);
    let before = names(&small);
    let outcome = store::restore(OpenOptions::new(&own, "boot-1"), &good);
    assert!(matches!(outcome, Err(StoreError::Full { .. })), "{outcome:?}");
    assert_eq!((names(&small), results(&own)), (before, 5));
    // and a full one does not keep a copy from being made elsewhere
    let mut filler = fs::File::create(small.join("filler")).unwrap();
    while filler.write(&[0; 512]).is_ok() {}
    assert_eq!(Backup::of(&own).unwrap().write(&dir.join("copy.db")).unwrap().results, 5);
}

#[test]
fn a_full_disk_is_said_and_costs_nothing() {
    let root = rustix::process::geteuid().is_root();
    let wrap: &[&str] = if root { &["unshare", "-m"] } else { &["unshare", "-Urm"] };
    let can = Command::new(wrap[0]).args(&wrap[1..]).args(["mount", "-t", "tmpfs", "tmpfs", "/tmp"]).output();
    match can {
        Ok(out) if out.status.success() => {}
        other if root => panic!("root cannot mount a tmpfs in a namespace: {other:?}"),
        other => {
            eprintln!("SKIPPED: this user may not mount a tmpfs: {other:?}");
            return;
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(wrap[0]);
    command.args(&wrap[1..]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "in_child"]).env(DIR, dir.path());
    Said::of(command).ends(0).says("1 passed");
}

#[test]
fn doctor_tells_the_size_and_the_age_of_the_copies() {
    let home = home(3, 0);
    home.run(&["doctor"]).ends(1).says("opens, ").says(" kB; raw packets are kept for ever");
    let to = home.path("copies");
    let text = fs::read_to_string(home.config()).unwrap();
    let text = text.replace("[store]\n", &format!("[store]\nraw_keep = \"90d\"\nbackup_dir = {to:?}\n"));
    fs::write(home.config(), text).unwrap();
    home.run(&["doctor"]).ends(1).says("kept for 90 days").says("warn  backups");
    fs::create_dir(&to).unwrap();
    home.run(&["doctor"]).ends(1).says("none in ").says("between 02:00 and 04:00");
    fs::write(to.join("hrvd-2020-01-01.db"), "").unwrap();
    home.run(&["doctor"]).ends(1).says("warn  backups").says("is of 2020-01-01, ");
}

#[test]
fn what_root_does_stays_the_daemons() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give files away");
        return;
    }
    const DAEMON: u32 = 54321;
    let home = home(3, 0);
    let root = home.path("x").parent().unwrap().to_owned();
    let give = || {
        chown(&root, Some(DAEMON), None).unwrap();
        for name in names(&root).iter().filter(|n| n.starts_with("hrvd.db")) {
            chown(root.join(name), Some(DAEMON), None).unwrap();
        }
    };
    let check = |what: &str| {
        for name in names(&root).iter().filter(|n| n.starts_with("hrvd.db")) {
            assert_eq!(fs::metadata(root.join(name)).unwrap().uid(), DAEMON, "{name} after {what}");
        }
    };
    give();
    let copy = home.path("copy.db");
    home.run(&["backup", text(&copy)]).ends(0);
    check("backup");
    home.run(&["restore", text(&copy)]).ends(0);
    check("restore");
    // where there was no journal
    let _ = fs::remove_file(home.path("hrvd.db.journal-raw"));
    home.run(&["athlete", "delete", "nobody", "--yes"]);
    check("delete");
    home.run(&["adopt", "A0:9E:1A:9F:6E:53", "--athlete", "kim"]).ends(0);
    check("adopt");
}
