//! The store under kill -9, full and read-only disks, damaged and newer files, and how much it writes.
//!
//! Some tests run this same test binary again as a child process (`child`, told by an environment variable what to do),
//! because they kill it, count its writes or give it a mount namespace of its own.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod store_common;

use hrvd::engine::{PacketBytes, Record, RecordKind};
use hrvd::store::{self, OpenOptions, Opened, Query, StoreError, StoreEvent, StoreHandle};
use hrvd::units::Mono;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use store_common::*;

const MODE: &str = "HRVD_STORE_CHILD";
const DIR: &str = "HRVD_STORE_DIR";
const START: &str = "HRVD_STORE_START";

/// Runs this binary again; `wrap` is put before it.
fn child(wrap: &[&str], mode: &str, dir: &Path, start: u64) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut words = wrap.to_vec();
    words.push(exe.to_str().unwrap());
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--ignored", "--exact", "--nocapture", "--test-threads=1", "in_child"]);
    command.env(MODE, mode).env(DIR, dir).env(START, start.to_string());
    command
}

#[test]
#[ignore = "run by the other tests as a child process"]
fn in_child() {
    let dir = PathBuf::from(std::env::var(DIR).unwrap());
    let start: u64 = std::env::var(START).unwrap().parse().unwrap();
    match std::env::var(MODE).unwrap().as_str() {
        "feed" => feed(&dir, start),
        "wear" => wear(&dir, start),
        "idle" => idle(&dir),
        "full" => full_disk(&dir),
        "full at open" => full_at_open(&dir),
        "full while damaged" => full_while_damaged(&dir),
        "read-only" => read_only(&dir),
        "stalled" => stalled(&dir, start),
        "no card" => no_card(&dir, start),
        "late card" => late_card(&dir, start),
        other => panic!("unknown mode {other}"),
    }
}

/// Waits until the writer has dealt with everything; it must, whatever the disk does.
fn settle(handle: &StoreHandle) {
    for _ in 0..20_000_000u64 {
        if handle.backlog() == 0 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the writer hangs");
}

fn flush(handle: &StoreHandle) -> Result<(), StoreError> {
    handle.flush().blocking_recv().unwrap()
}

fn seconds(dir: &Path) -> Vec<u64> {
    let records = Query::open(&db(dir)).unwrap().records_since("boot-1", Mono::default()).unwrap();
    let packets = records.iter().filter(|r| matches!(r.kind, RecordKind::Packet { .. }));
    packets.map(|r| r.at.as_micros() / 1_000_000).collect()
}

/// A copy of all files, as a crash at this moment would leave them (without loss of cached pages).
fn crash_image(dir: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        // the shared memory of SQLite is rebuilt after a crash
        if !entry.file_name().to_str().unwrap().ends_with("-shm") {
            // the name of a tail, and of one put aside by a start that was killed, tells where its database lies
            let name = entry.file_name().into_string().unwrap().replace(&stem(&tail(dir)), &stem(&tail(image.path())));
            fs::copy(entry.path(), image.path().join(name)).unwrap();
        }
    }
    image
}

/// With the newest records in a file beside the process. It may lie anywhere; in RAM it costs the card nothing.
fn with_tail(dir: &Path) -> OpenOptions {
    OpenOptions { tail: Some(dir.to_owned()), ..options(dir) }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn tail(dir: &Path) -> PathBuf {
    let whole = hrvd::recording::crc32(db(dir).as_os_str().as_encoded_bytes());
    dir.join(format!("hrvd.db-{whole:08x}.tail"))
}

// --- kill -9 ---------------------------------------------------------------------------------------------------------

/// Feeds one packet a second of simulated time as fast as the writer takes them and says what it has been given.
fn feed(dir: &Path, start: u64) {
    let handle = store::open(with_tail(dir)).unwrap().handle;
    handle.adopt(adopted(1), None);
    let mut out = std::io::stdout();
    for s in start.. {
        match s % 700 {
            0 => handle.record(link(1, s, true)),
            650 => handle.checking(true),
            690 => handle.checking(false),
            699 => handle.record(link(1, s, false)),
            _ => {}
        }
        handle.record(packet(1, s));
        writeln!(out, "record {s}").unwrap(); // sent is safe
        settle(&handle);
        if s % 41 == 0 {
            writeln!(out, "sent {s}").unwrap(); // said before: killed in between, it may be there
            handle.result(result(s, wall(s as i64)), vec![message("r", &s.to_string())]);
            flush(&handle).unwrap();
            writeln!(out, "result {s}").unwrap();
        }
    }
}

/// What a killed process left belongs to whom the strap belonged then, also if it is somebody else's when the next one starts.
#[test]
fn what_a_killed_process_left_stays_with_who_wore_the_strap() {
    let of = |slug: &str| hrvd::engine::Strap { athlete: athlete(slug).id, ..adopted(1) };
    let owners = |dir: &Path| -> Vec<(String, u64)> {
        let all = Query::open(&db(dir)).unwrap().recordings().unwrap();
        all.into_iter().map(|r| (r.athlete.unwrap().to_string(), r.packets)).collect()
    };
    // its recording had begun, or all of it is in the journal
    for begun in [true, false] {
        for (listed_before, listed_after) in [(true, true), (true, false), (false, true), (false, false)] {
            let dir = tempfile::tempdir().unwrap();
            let opening = |dir: &Path, slug: &str, listed: bool| {
                let straps = if listed { vec![of(slug)] } else { vec![] };
                OpenOptions { straps, ..with_tail(dir) }
            };
            let handle = store::open(opening(dir.path(), "alex", listed_before)).unwrap().handle;
            if !listed_before {
                handle.adopt(of("alex"), None);
            }
            (0..10).for_each(|s| handle.record(packet(1, s)));
            if begun {
                handle.seal().blocking_recv().unwrap().unwrap();
            }
            (10..20).for_each(|s| handle.record(packet(1, s)));
            flush(&handle).unwrap();
            let image = crash_image(dir.path());
            handle.stop().unwrap();
            let next = opening(image.path(), "kim", listed_after);
            if !listed_after {
                // also from within a runtime, as setup does
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async { store::adopt_offline(next.clone(), &of("kim"), None) }).unwrap();
            }
            let handle = store::open(next).unwrap().handle;
            (20..30).for_each(|s| handle.record(packet(1, s)));
            handle.stop().unwrap();
            let want = [("alex".to_owned(), 20), ("kim".to_owned(), 10)];
            assert_eq!(owners(image.path()), want, "{begun} {listed_before} {listed_after}");
        }
    }
}

/// Where a daemon runs that cannot be asked, nothing is changed behind its back.
#[test]
fn without_being_asked_a_running_daemon_keeps_its_straps() {
    let dir = tempfile::tempdir().unwrap();
    let handle = store::open(with_tail(dir.path())).unwrap().handle;
    handle.adopt(adopted(1), None);
    flush(&handle).unwrap();
    let busy = |e: StoreError| matches!(e, StoreError::Busy { .. });
    assert!(store::adopt_offline(options(dir.path()), &adopted(2), None).is_err_and(busy));
    assert!(store::forget_offline(options(dir.path()), strap(1)).is_err_and(busy));
    handle.stop().unwrap();
    assert_eq!(adopted_in(dir.path()), [adopted(1)]);
}

#[test]
fn kill_9_loses_no_packet_and_no_result_and_doubles_nothing() {
    const KILLS: u64 = 30;
    let dir = tempfile::tempdir().unwrap();
    let mut start = 1;
    let mut results = BTreeSet::new(); // acknowledged
    let mut possible = BTreeSet::new(); // sent
    let mut must = Vec::new(); // seconds that must be there
    let (mut beyond, mut total, mut random) = (0, 0u64, 88_172_645_463_325_252u64);
    for kill in 0..KILLS {
        let mut process = child(&[], "feed", dir.path(), start).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut whole = Vec::new();
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap_or(0) > 0 {
                if line.ends_with('\n') {
                    whole.push(line.trim_end().to_owned());
                }
                line.clear();
            }
            whole
        });
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_millis(30 + random % 400));
        process.kill().unwrap();
        process.wait().unwrap();
        let mut last: Option<u64> = None;
        for line in reader.join().unwrap() {
            match line.split_once(' ') {
                Some(("record", s)) => last = s.parse().ok(),
                Some(("sent", s)) => drop(possible.insert(s.parse::<u64>().unwrap())),
                Some(("result", s)) => drop(results.insert(s.parse::<u64>().unwrap())),
                _ => {}
            }
        }
        // killed before the first line: the packet before it may have been stored all the same
        let (began, last) = (last.is_some(), last.unwrap_or(start - 1));
        // what the next start makes of it; the files themselves are left for the next kill
        let image = crash_image(dir.path());
        store::open(with_tail(image.path())).unwrap().handle.stop().unwrap();
        let query = Query::open(&db(image.path())).unwrap();
        let stored = seconds(image.path());
        let end = stored.last().copied().unwrap_or(start - 1);
        assert!(end >= last, "kill {kill}: lost {} s", last - end);
        must.extend(start..=end);
        let differ = stored.iter().zip(&must).position(|(a, b)| a != b);
        assert!(stored == must, "doubled, out of order, or a hole after kill {kill}: differs at {differ:?} of {end}");
        if began {
            let on_card = Query::open(&db(dir.path())).map_or(end, |_| *seconds(dir.path()).last().unwrap_or(&0));
            beyond += end.saturating_sub(on_card);
        }
        let kept: BTreeSet<u64> =
            query.results(None, u32::MAX).unwrap().iter().map(|r| r.start.as_micros() / 100_000_000).collect();
        assert!(results.is_subset(&kept), "kill {kill}: lost a result");
        assert!(kept.is_subset(&possible));
        assert_eq!(query.count_unsent().unwrap(), kept.len() as u64, "result and outbox row go together");
        total = last;
        start = last.max(end) + 1; // the packet after the last line may have been stored
    }
    let opened = store::open(with_tail(dir.path())).unwrap();
    opened.handle.stop().unwrap();
    assert_eq!(seconds(dir.path()), must);
    println!(
        "{KILLS} kills over {total} packets: {beyond} only in the tail, none lost, {} results kept",
        results.len()
    );
    assert!(beyond > 0, "the tail was never needed");
    assert!(results.len() as u64 > KILLS, "too slow to prove anything");
}

/// A card that stalls: the writer's thread does not come back from a call.
fn stall(handle: &StoreHandle) {
    drop(handle.read(|_| -> Result<(), StoreError> {
        loop {
            std::thread::park();
        }
    }));
}

/// Says that everything was sent, then waits to be killed.
fn sent() -> ! {
    println!("all sent");
    loop {
        std::thread::park();
    }
}

fn stalled(dir: &Path, start: u64) {
    let handle = store::open(with_tail(dir)).unwrap().handle;
    (start..start + 50).for_each(|s| handle.record(packet(1, s)));
    settle(&handle);
    stall(&handle);
    (start + 50..start + 1000).for_each(|s| handle.record(packet(1, s)));
    sent();
}

/// The database's directory is not there.
fn without_card(dir: &Path) -> OpenOptions {
    OpenOptions { tail: Some(dir.to_owned()), ..fast(&dir.join("card")) }
}

fn no_card(dir: &Path, start: u64) {
    let opened = store::open(without_card(dir)).unwrap();
    assert!(opened.report.trouble.is_some());
    (start..start + 100).for_each(|s| opened.handle.record(packet(1, s)));
    settle(&opened.handle);
    stall(&opened.handle);
    (start + 100..start + 200).for_each(|s| opened.handle.record(packet(1, s)));
    sent();
}

/// It comes while the process runs, and stalls then.
fn late_card(dir: &Path, start: u64) {
    let opened = store::open(without_card(dir)).unwrap();
    (start..start + 100).for_each(|s| opened.handle.record(packet(1, s)));
    settle(&opened.handle);
    fs::create_dir(dir.join("card")).unwrap();
    wait_ok(&opened.handle);
    (start + 100..start + 150).for_each(|s| opened.handle.record(packet(1, s)));
    settle(&opened.handle);
    stall(&opened.handle);
    (start + 150..start + 200).for_each(|s| opened.handle.record(packet(1, s)));
    sent();
}

/// Runs a child until it has sent everything, and kills it.
fn kill_when_sent(mode: &str, dir: &Path, start: u64) {
    let mut process = child(&[], mode, dir, start).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).any(|line| line.ends_with("all sent"));
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(said, "{mode}: it ended by itself");
}

#[test]
fn what_waits_for_a_stalled_card_outlives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for kill in 0..3 {
        kill_when_sent("stalled", dir.path(), 1000 * kill);
    }
    let opened = store::open(with_tail(dir.path())).unwrap();
    assert!(opened.report.imported >= 950, "{:?}", opened.report);
    opened.handle.record(packet(1, 3000));
    opened.handle.stop().unwrap();
    assert_eq!(seconds(dir.path()), (0..=3000).collect::<Vec<_>>(), "each once and in order");
}

#[test]
fn what_comes_before_the_card_does_outlives_kills() {
    let dir = tempfile::tempdir().unwrap();
    let card = dir.path().join("card");
    for kill in 0..3 {
        kill_when_sent("no card", dir.path(), 200 * kill);
        assert!(!card.exists());
    }
    kill_when_sent("late card", dir.path(), 600);
    let opened = store::open(without_card(dir.path())).unwrap();
    opened.handle.record(packet(1, 800));
    opened.handle.stop().unwrap();
    assert_eq!(seconds(&card), (0..=800).collect::<Vec<_>>(), "each once and in order");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the card and an empty tail: {left:?}");
}

#[test]
fn a_tail_that_was_taken_over_is_not_taken_over_twice() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(with_tail(dir.path())).unwrap();
    (0..52).for_each(|s| opened.handle.record(packet(1, s)));
    settle(&opened.handle);
    let image = crash_image(dir.path());
    let (path, bytes) = (tail(image.path()), fs::read(tail(image.path())).unwrap());
    assert!(bytes.len() > 100);
    for imported in [52, 0] {
        let again = store::open(with_tail(image.path())).unwrap();
        assert_eq!(again.report.imported, imported);
        again.handle.stop().unwrap();
        fs::write(&path, &bytes).unwrap(); // killed before it was emptied
    }
    assert_eq!(seconds(image.path()), (0..52).collect::<Vec<_>>());
}

#[test]
fn a_tail_is_private_and_no_other_file_is_taken_for_it() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(with_tail(dir.path())).unwrap();
    assert_eq!(opened.report.tail_trouble, None);
    let path = tail(dir.path());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    opened.handle.stop().unwrap();
    drop(opened);
    let target = dir.path().join("somebody's");
    fs::write(&target, "precious").unwrap();
    let others = ["a symlink", "a hard link", "a directory", "open to the group"];
    for what in others {
        let _ = fs::remove_file(&path);
        match what {
            "a symlink" => symlink(&target, &path).unwrap(),
            "a hard link" => fs::hard_link(&target, &path).unwrap(),
            "a directory" => fs::create_dir(&path).unwrap(),
            _ => {
                fs::remove_dir(&path).unwrap();
                fs::write(&path, "").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
            }
        }
        let opened = store::open(with_tail(dir.path())).unwrap();
        let refused = opened.report.tail_trouble.clone();
        assert_eq!(refused.is_some(), what != "open to the group", "{what}: {refused:?}");
        for s in 0..20 {
            opened.handle.record(packet(1, s));
            settle(&opened.handle);
            let least = if refused.is_some() { s as usize } else { 0 }; // without it the journal takes each second
            assert!(seconds(dir.path()).len() >= least, "{what}: at {s}");
        }
        opened.handle.stop().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious", "{what}");
        drop(opened);
        for suffix in ["", "-wal", "-shm", ".journal-raw"] {
            let _ = fs::remove_file(dir.path().join(format!("hrvd.db{suffix}")));
        }
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn databases_of_one_name_have_tails_of_their_own() {
    let ram = tempfile::tempdir().unwrap();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let open = |home: &Path| store::open(OpenOptions { tail: Some(ram.path().to_owned()), ..options(home) }).unwrap();
    let [a, b] = homes.each_ref().map(|home| open(home.path()));
    assert_eq!((a.report.tail_trouble.clone(), b.report.tail_trouble.clone()), (None, None));
    a.handle.record(packet(1, 1));
    b.handle.record(packet(1, 2));
    settle(&a.handle);
    settle(&b.handle);
    assert_eq!(fs::read_dir(ram.path()).unwrap().count(), 2);
    // what one left, the other does not take
    a.handle.stop().unwrap();
    drop(a);
    assert_eq!(open(homes[0].path()).report.imported, 0);
}

#[test]
fn every_crash_image_opens_and_lacks_ten_seconds_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    for s in 0..1300u64 {
        opened.handle.record(packet(1, s));
        settle(&opened.handle);
        if s % 13 == 0 || (598..=612).contains(&s) || (1198..=1224).contains(&s) {
            let image = crash_image(dir.path());
            let opened = store::open(options(image.path())).unwrap();
            assert_eq!((opened.report.torn_bytes, opened.report.trouble), (0, None));
            let stored = seconds(image.path());
            assert_eq!(stored, (0..stored.len() as u64).collect::<Vec<_>>(), "at {s}");
            assert!(stored.len() as u64 + 10 > s, "at {s} only {}", stored.len());
        }
    }
}

#[test]
fn every_image_of_a_kill_holds_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(with_tail(dir.path())).unwrap();
    for s in 0..1300u64 {
        opened.handle.record(packet(1, s));
        settle(&opened.handle);
        if s % 13 == 0 || (598..=612).contains(&s) || (1198..=1224).contains(&s) {
            let image = crash_image(dir.path());
            let again = store::open(with_tail(image.path())).unwrap();
            assert_eq!((again.report.torn_bytes, again.report.trouble), (0, None));
            assert_eq!(seconds(image.path()), (0..=s).collect::<Vec<_>>(), "at {s}");
        }
        assert!(fs::metadata(tail(dir.path())).unwrap().len() < 700, "the tail grows");
    }
    opened.handle.stop().unwrap();
    assert_eq!(fs::metadata(tail(dir.path())).unwrap().len(), 0);
}

#[test]
fn a_tail_of_another_boot_or_with_damage_costs_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(with_tail(dir.path())).unwrap();
    (0..55).for_each(|s| opened.handle.record(packet(1, s)));
    settle(&opened.handle);
    let image = crash_image(dir.path());
    let whole = fs::read(tail(image.path())).unwrap();
    // in another boot (a directory that is no RAM after all) it is still what it was
    let again = store::open(OpenOptions { boot_id: "boot-2".into(), ..with_tail(image.path()) }).unwrap();
    assert_eq!(again.report.imported, 55);
    again.handle.stop().unwrap();
    assert_eq!(seconds(image.path()), (0..55).collect::<Vec<_>>());
    for at in (0..whole.len()).step_by(5) {
        let image = crash_image(dir.path());
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::write(tail(image.path()), &bytes).unwrap();
        let again = store::open(with_tail(image.path())).unwrap();
        again.handle.record(packet(1, 60));
        again.handle.stop().unwrap();
        let got = seconds(image.path());
        // what the journal has, what of the tail can be read, and what came after; each once and in order
        assert!(got.starts_with(&(0..44).collect::<Vec<_>>()) && got.ends_with(&[60]), "{at}: {got:?}");
        assert!(got.windows(2).all(|w| w[0] < w[1]), "{at}: {got:?}");
    }
}

#[test]
fn a_tail_that_fails_makes_the_journal_take_each_second() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = OpenOptions { tail: Some(dir.path().join("gone")), ..options(dir.path()) };
    let opened = store::open(nowhere).unwrap();
    for s in 0..100u64 {
        opened.handle.record(packet(1, s));
        settle(&opened.handle);
        assert!(seconds(dir.path()).len() as u64 >= s, "at {s}");
    }
}

#[test]
fn a_crash_between_seal_and_emptying_the_journal_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    let want: Vec<_> = [link(1, 0, true)].into_iter().chain((0..100).map(|s| packet(1, s))).collect();
    want.iter().for_each(|r| opened.handle.record(r.clone()));
    flush(&opened.handle).unwrap();
    let before = fs::read(journal(dir.path())).unwrap();
    assert!(before.len() > 500);
    opened.handle.stop().unwrap();
    drop(opened);
    fs::write(journal(dir.path()), before).unwrap();
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!(query.records_since("boot-1", Mono::default()).unwrap(), want); // readers are not fooled either
    let opened = store::open(options(dir.path())).unwrap();
    assert_eq!(opened.report.imported, 0);
    opened.handle.record(packet(1, 100));
    opened.handle.stop().unwrap();
    let got = query.records_since("boot-1", Mono::default()).unwrap();
    assert_eq!((got.len(), &got[..want.len()]), (want.len() + 1, want.as_slice()));
}

#[test]
fn a_torn_journal_gives_up_its_whole_frames() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    (0..200).for_each(|s| opened.handle.record(packet(1, s)));
    flush(&opened.handle).unwrap();
    let whole = fs::read(journal(dir.path())).unwrap();
    for cut in (0..whole.len()).step_by(97) {
        let image = crash_image(dir.path());
        fs::write(journal(image.path()), &whole[..cut]).unwrap();
        let opened = store::open(options(image.path())).unwrap();
        assert!(opened.report.torn_bytes < 200, "{:?}", opened.report);
        opened.handle.record(packet(1, 500));
        opened.handle.stop().unwrap();
        let stored = seconds(image.path());
        let n = stored.len() as u64 - 1;
        assert_eq!(stored, (0..n).chain([500]).collect::<Vec<_>>());
        assert!(n + 24 > 200 * cut as u64 / whole.len() as u64, "cut {cut}: {n}");
    }
    // damage in the middle costs the frame that it hits
    let image = crash_image(dir.path());
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 0xff;
    fs::write(journal(image.path()), &bytes).unwrap();
    let opened = store::open(options(image.path())).unwrap();
    assert!(opened.report.torn_bytes > 0);
    assert_eq!(opened.report.imported, 200 - 11); // a frame spans ten seconds, both ends included
    // damage of the header costs all, so the file is kept
    let image = crash_image(dir.path());
    bytes[3] ^= 0xff;
    fs::write(journal(image.path()), &bytes).unwrap();
    let opened = store::open(options(image.path())).unwrap();
    assert_eq!(fs::read(opened.report.journal_kept.unwrap()).unwrap(), bytes);
}

#[test]
fn what_another_boot_left_is_imported_as_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    (0..50).for_each(|s| opened.handle.record(packet(1, s)));
    flush(&opened.handle).unwrap();
    let image = crash_image(dir.path());
    let opened = store::open(OpenOptions { boot_id: "boot-2".into(), ..options(image.path()) }).unwrap();
    assert_eq!(opened.report.imported, 50);
    opened.handle.record(packet(1, 3)); // the clock began anew
    opened.handle.stop().unwrap();
    let query = Query::open(&db(image.path())).unwrap();
    let list: Vec<_> = query.recordings().unwrap().into_iter().map(|r| (r.boot_id, r.packets, r.running)).collect();
    assert_eq!(list, [("boot-1".to_owned(), 50, false), ("boot-2".to_owned(), 1, false)]);
    assert_eq!(query.records_since("boot-2", Mono::default()).unwrap(), [packet(1, 3)]);
}

// --- how much is written ---------------------------------------------------------------------------------------------

fn written() -> (u64, u64) {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    let field = |name: &str| {
        let line = io.lines().find_map(|l| l.strip_prefix(name)).expect(name);
        line.trim().parse::<u64>().unwrap()
    };
    (field("wchar:"), field("syscw:"))
}

/// A strap for `beats` seconds: arrival jitters by a connection interval, intervals vary as hearts do.
fn wear(dir: &Path, beats: u64) {
    let before = written();
    let Opened { handle, .. } = store::open(options(dir)).unwrap();
    handle.adopt(adopted(1), wall(0));
    handle.record(link(1, 1, true));
    let mut random = 88_172_645_463_325_252u64;
    for s in 0..beats {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let rr = 820 + (random % 400) as u16;
        let at = Mono::from_micros(2_000_000 + 1_000_000 * s + random % 45_000);
        let [lo, hi] = rr.to_le_bytes();
        let bytes = PacketBytes::from_slice(&[0x10, (61_440 / u32::from(rr)) as u8, lo, hi]);
        handle.record(Record { at, kind: RecordKind::Packet { strap: strap(1), bytes } });
        if s % 500 == 0 {
            settle(&handle);
        }
    }
    handle.result(result(1, wall(0)), vec![message("a", "b")]);
    handle.stop().unwrap();
    let after = written();
    let health = handle.health().borrow().clone();
    assert_eq!((health.ok, health.dropped), (true, 0));
    println!("written {} {}", after.0 - before.0, after.1 - before.1);
}

#[test]
fn a_day_of_wear_writes_five_megabytes_at_most() {
    const BEATS: u64 = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let out = child(&[], "wear", dir.path(), BEATS).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let numbers = text.lines().find_map(|l| l.split_once("written ")).expect("the child reports").1;
    let (bytes, calls) = numbers.split_once(' ').unwrap();
    let (bytes, calls): (u64, u64) = (bytes.parse().unwrap(), calls.parse().unwrap());
    assert_eq!(seconds(dir.path()).len() as u64, BEATS);
    let size = fs::metadata(db(dir.path())).unwrap().len();
    println!("{BEATS} beats: {bytes} bytes in {calls} write calls, database {size} bytes");
    assert!(bytes <= 5_000_000, "{bytes}");
}

/// Nothing is connected: whatever repeats itself must not reach the disk.
fn idle(dir: &Path) {
    let fast = OpenOptions { flush_every: Duration::from_millis(5), ..options(dir) };
    let Opened { handle, .. } = store::open(fast).unwrap();
    let facts = hrvd::engine::StrapFacts { battery_pct: Some(80), ..Default::default() };
    handle.adopt(adopted(1), None);
    handle.facts(strap(1), facts.clone());
    flush(&handle).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let before = written();
    for rssi in 0..100 {
        handle.facts(strap(1), hrvd::engine::StrapFacts { rssi_dbm: Some(-rssi), ..facts.clone() });
        handle.adopt(adopted(1), None);
        handle.athletes(vec![athlete("alex")]);
        handle.checking(false);
        flush(&handle).unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    let after = written();
    assert_eq!(after, before, "bytes and calls");
    handle.stop().unwrap();
}

#[test]
fn an_idle_day_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(child(&[], "idle", dir.path(), 0));
}

fn run(mut command: Command) {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}

// --- full and read-only disks ----------------------------------------------------------------------------------------

/// Runs a mode in a mount namespace of its own; as an ordinary user that needs user namespaces, which some systems
/// forbid: then it is skipped, loudly.
fn run_with_mounts(mode: &str) {
    let root = rustix::process::geteuid().is_root();
    let wrap: &[&str] = if root { &["unshare", "-m"] } else { &["unshare", "-Urm"] };
    let can = Command::new(wrap[0]).args(&wrap[1..]).args(["mount", "-t", "tmpfs", "tmpfs", "/tmp"]).output();
    match can {
        Ok(out) if out.status.success() => {}
        other if root => panic!("root cannot mount a tmpfs in a namespace: {other:?}"),
        other => {
            eprintln!("SKIPPED {mode}: this user may not mount a tmpfs: {other:?}");
            return;
        }
    }
    let dir = tempfile::tempdir().unwrap();
    run(child(wrap, mode, dir.path(), 0));
}

fn mount(words: &[&str], dir: &Path) {
    assert!(Command::new("mount").args(words).arg(dir).status().unwrap().success());
}

fn fill(dir: &Path) {
    let mut file = fs::File::create(dir.join("filler")).unwrap();
    while file.write(&[0; 512]).is_ok() {}
}

fn wait_ok(handle: &StoreHandle) {
    for _ in 0..500 {
        if handle.health().borrow().ok {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not well again: {:?}", handle.health().borrow());
}

fn fast(dir: &Path) -> OpenOptions {
    // the clock of the records stays ahead of it; only the retry of a quiet writer is quick
    OpenOptions { flush_every: Duration::from_millis(50), seal_every: Duration::from_secs(60), ..options(dir) }
}

fn full_disk(dir: &Path) {
    mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], dir);
    let Opened { handle, .. } = store::open(fast(dir)).unwrap();
    (0..100).for_each(|s| handle.record(packet(1, s)));
    settle(&handle);
    assert!(handle.health().borrow().ok);
    fill(dir);
    (100..1500).for_each(|s| handle.record(packet(1, s)));
    handle.result(result(1, wall(0)), vec![message("a", "b")]);
    settle(&handle); // it answers, full or not
    let health = handle.health().borrow().clone();
    assert!(!health.ok && health.unsaved > 0, "{health:?}");
    assert!(health.message.unwrap().contains("no space"));
    assert!(matches!(flush(&handle), Err(StoreError::Full { .. })));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!handle.health().borrow().ok); // and is not well by itself
    fs::remove_file(dir.join("filler")).unwrap();
    wait_ok(&handle); // without any new message
    (1500..1600).for_each(|s| handle.record(packet(1, s)));
    handle.stop().unwrap();
    let health = handle.health().borrow().clone();
    assert_eq!((health.ok, health.dropped, health.unsaved), (true, 0, 0), "{health:?}");
    assert_eq!(seconds(dir), (0..1600).collect::<Vec<_>>());
    let query = Query::open(&db(dir)).unwrap();
    assert_eq!((query.results(None, 9).unwrap().len(), query.count_unsent().unwrap()), (1, 1));
}

fn full_at_open(dir: &Path) {
    mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], dir);
    fill(dir);
    let Opened { handle, report, mut events } = store::open(fast(dir)).unwrap();
    assert!(matches!(report.trouble, Some(StoreError::Full { .. })), "{report:?}");
    (0..100).for_each(|s| handle.record(packet(1, s)));
    handle.adopt(adopted(1), None);
    settle(&handle);
    assert!(!handle.health().borrow().ok);
    fs::remove_file(dir.join("filler")).unwrap();
    wait_ok(&handle);
    assert!(matches!(events.try_recv().unwrap(), StoreEvent::Opened(_)));
    handle.stop().unwrap();
    assert_eq!(seconds(dir), (0..100).collect::<Vec<_>>());
    assert_eq!(Query::open(&db(dir)).unwrap().straps().unwrap().len(), 1);
}

fn read_only(dir: &Path) {
    mount(&["-t", "tmpfs", "tmpfs"], dir);
    for with_data in [false, true] {
        let already = if with_data { seconds(dir) } else { vec![] };
        mount(&["-o", "remount,ro"], dir);
        let Opened { handle, report, .. } = store::open(fast(dir)).unwrap();
        assert!(matches!(report.trouble, Some(StoreError::ReadOnly { .. })), "{report:?}");
        let first = already.len() as u64;
        (first..first + 100).for_each(|s| handle.record(packet(1, s)));
        settle(&handle);
        let health = handle.health().borrow().clone();
        assert!(!health.ok && health.unsaved == 101, "{health:?}"); // the records and the athlete
        mount(&["-o", "remount,rw"], dir);
        wait_ok(&handle);
        handle.stop().unwrap();
        assert_eq!(seconds(dir), (0..first + 100).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_disk_stops_history_and_nothing_else() {
    run_with_mounts("full");
}

#[test]
fn a_disk_that_is_full_at_the_start_is_used_when_there_is_room() {
    run_with_mounts("full at open");
}

#[test]
fn a_read_only_directory_is_used_when_it_can_be() {
    run_with_mounts("read-only");
}

// --- damaged, newer and foreign files --------------------------------------------------------------------------------

fn stored(dir: &Path) {
    let opened = store::open(options(dir)).unwrap();
    opened.handle.adopt(adopted(1), None);
    opened.handle.result(result(1, wall(0)), vec![message("a", "b")]);
    (0..2000).for_each(|s| opened.handle.record(packet(1, s)));
    opened.handle.stop().unwrap();
}

fn patch(file: &Path, at: usize, bytes: &[u8]) {
    let mut all = fs::read(file).unwrap();
    all[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(file, all).unwrap();
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path());
    patch(&db(dir.path()), 60, &99u32.to_be_bytes()); // user_version
    let before = fs::read(db(dir.path())).unwrap();
    let e = store::open(options(dir.path())).err().unwrap();
    assert!(matches!(e, StoreError::TooNew { found: 99, known: 1.., .. }), "{e}");
    assert!(e.to_string().contains("schema version 99") && e.hint().contains("newer hrvd"));
    assert_eq!(Query::open(&db(dir.path())).err().unwrap(), e);
    assert!(matches!(store::adopt_offline(options(dir.path()), &adopted(2), None), Err(StoreError::TooNew { .. })));
    assert_eq!(fs::read(db(dir.path())).unwrap(), before);
}

#[test]
fn a_foreign_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path());
    patch(&db(dir.path()), 68, b"GPKG"); // application_id
    let before = fs::read(db(dir.path())).unwrap();
    assert!(matches!(store::open(options(dir.path())).err().unwrap(), StoreError::Foreign { .. }));
    assert_eq!(fs::read(db(dir.path())).unwrap(), before);
}

#[test]
fn a_damaged_file_is_moved_aside_and_what_can_be_read_is_taken_over() {
    // the header: nothing can be read, but adoptions are kept twice; the root page of the chunks: the rest can
    for (at, salvaged) in [(0usize, 1usize), (4096, 4)] {
        let dir = tempfile::tempdir().unwrap();
        stored(dir.path());
        let file = db(dir.path());
        let all = fs::read(&file).unwrap();
        let at = if at == 0 {
            0
        } else {
            // find a page of the chunk table's b-tree: an interior or leaf page that holds a chunk's first bytes
            chunk_page(&all)
        };
        patch(&file, at, &[0xa5; 600]);
        let damaged = fs::read(&file).unwrap();
        let opened = store::open(options(dir.path())).unwrap();
        let (aside, cause) = opened.report.db.moved_aside.clone().expect("moved aside");
        assert_eq!(aside, dir.path().join("hrvd.db.corrupt-1"));
        assert!(!cause.is_empty());
        assert_eq!(fs::read(&aside).unwrap(), damaged);
        assert_eq!(opened.report.db.salvaged, salvaged, "{:?}", opened.report);
        opened.handle.record(packet(1, 1));
        opened.handle.stop().unwrap();
        let query = Query::open(&file).unwrap();
        assert_eq!(query.straps().unwrap().iter().map(|s| s.strap.clone()).collect::<Vec<_>>(), [adopted(1)]);
        let readable = usize::from(salvaged > 1);
        assert_eq!(query.results(None, 9).unwrap().len(), readable);
        assert_eq!(query.count_unsent().unwrap(), readable as u64);
        assert_eq!(seconds(dir.path()), [1]);
    }
}

#[test]
fn the_copy_of_adoptions_follows_and_does_not_bring_back_what_was_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("hrvd.db.adopted");
    let opened = store::open(options(dir.path())).unwrap();
    (1..=3).for_each(|n| opened.handle.adopt(adopted(n), wall(n.into())));
    opened.handle.forget(strap(2));
    flush(&opened.handle).unwrap();
    let before = fs::metadata(&copy).unwrap().modified().unwrap();
    opened.handle.adopt(adopted(1), wall(9)); // nothing new
    opened.handle.stop().unwrap();
    assert!(store::forget_offline(options(dir.path()), strap(9)).is_ok_and(|known| !known));
    assert_eq!(fs::metadata(&copy).unwrap().modified().unwrap(), before, "written without a change");
    store::adopt_offline(options(dir.path()), &adopted(4), None).unwrap();
    store::forget_offline(options(dir.path()), strap(3)).unwrap();
    fs::write(db(dir.path()), [0xa5; 8192]).unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    assert!(opened.report.db.moved_aside.is_some());
    let straps = Query::open(&db(dir.path())).unwrap().straps().unwrap();
    assert_eq!(straps.iter().map(|s| s.strap.clone()).collect::<Vec<_>>(), [adopted(1), adopted(4)]);
    assert_eq!(straps[0].first_seen, wall(1));
    // a copy that a crash left behind is put right by the next start
    opened.handle.stop().unwrap();
    let text = fs::read(&copy).unwrap();
    fs::write(&copy, "old").unwrap();
    store::open(options(dir.path())).unwrap();
    assert_eq!(fs::read(&copy).unwrap(), text);
}

/// Offset of the last page that a chunk lies on (its newest packets are read at each start).
fn chunk_page(file: &[u8]) -> usize {
    let needle = [0x10, 60, (1999u16 & 0xff) as u8, (1999u16 >> 8) as u8];
    let at = file.windows(4).rposition(|w| w == needle).expect("the last packet is in the file");
    at / 4096 * 4096
}

#[test]
fn a_damaged_file_with_a_write_ahead_log_moves_both() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    opened.handle.adopt(adopted(1), None);
    flush(&opened.handle).unwrap();
    let image = crash_image(dir.path());
    let wal = image.path().join("hrvd.db-wal");
    assert!(fs::metadata(&wal).unwrap().len() > 0);
    let log = fs::read(&wal).unwrap();
    fs::write(db(image.path()), [0xa5; 8192]).unwrap();
    let opened = store::open(options(image.path())).unwrap();
    // the log alone holds the whole young database, or the file is given up; either way nothing is deleted
    match opened.report.db.moved_aside.clone() {
        Some((aside, _)) => {
            let mut name = aside.into_os_string();
            name.push("-wal");
            assert_eq!(fs::read(name).unwrap(), log);
        }
        None => assert_eq!(Query::open(&db(image.path())).unwrap().straps().unwrap().len(), 1),
    }
}

// --- the end of a database: nothing that was kept twice is lost, whenever the power goes ------------------------------

fn adopted_in(dir: &Path) -> Vec<hrvd::engine::Strap> {
    Query::open(&db(dir)).unwrap().straps().unwrap().into_iter().map(|s| s.strap).collect()
}

/// What a start makes of these files: the straps, as the database and as the copy have them.
fn start(dir: &Path) -> store::OpenReport {
    let opened = store::open(options(dir)).unwrap();
    opened.handle.stop().unwrap();
    assert_eq!(adopted_in(dir), [adopted(1), adopted(4)]);
    assert_eq!(fs::read_to_string(dir.join("hrvd.db.adopted")).unwrap().lines().count(), 3, "the copy");
    let left: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains("replac")), "{left:?}");
    opened.report
}

/// Two straps, a result and its message.
fn lived_in(dir: &Path) {
    stored(dir);
    store::adopt_offline(options(dir), &adopted(4), None).unwrap();
}

#[test]
fn a_database_that_is_missing_or_empty_takes_the_adoptions_from_their_copy() {
    for how in ["missing", "empty", "its log is left"] {
        let dir = tempfile::tempdir().unwrap();
        lived_in(dir.path());
        let log = dir.path().join("hrvd.db-wal");
        fs::remove_file(db(dir.path())).unwrap();
        match how {
            "empty" => drop(fs::File::create(db(dir.path())).unwrap()),
            "its log is left" => fs::write(&log, [0x5a; 5000]).unwrap(),
            _ => {}
        }
        let report = start(dir.path());
        assert_eq!((report.db.salvaged, report.db.migrated.from), (2, 0), "{how}: {report:?}");
        let aside = report.db.moved_aside.map(|(aside, _)| aside);
        assert_eq!(aside.is_some(), how == "its log is left", "{how}: {aside:?}");
        if let Some(aside) = aside {
            assert_eq!(fs::read(format!("{}-wal", aside.display())).unwrap(), [0x5a; 5000]);
        }
        // a second start brings nothing back that was forgotten since
        store::forget_offline(options(dir.path()), strap(4)).unwrap();
        assert_eq!(store::open(options(dir.path())).unwrap().report.db.salvaged, 0);
        assert_eq!(adopted_in(dir.path()), [adopted(1)]);
    }
}

/// Every state that the files can have when the power goes while a damaged database is replaced.
#[test]
fn a_crash_at_any_step_of_a_replacement_costs_nothing_that_could_be_read() {
    let dir = tempfile::tempdir().unwrap();
    lived_in(dir.path());
    let whole = fs::read(db(dir.path())).unwrap();
    patch(&db(dir.path()), chunk_page(&whole), &[0xa5; 600]);
    let damaged = fs::read(db(dir.path())).unwrap();
    let after = crash_image(dir.path());
    store::open(options(after.path())).unwrap().handle.stop().unwrap();
    let replacement = fs::read(db(after.path())).unwrap();
    let name = |n: &str| format!("hrvd.db{n}");
    type State<'a> = Vec<(&'a str, &'a [u8])>;
    let log = [0x77u8; 4000];
    let states: [(&str, State); 6] = [
        ("half built", vec![("", &damaged), (".replacing", &replacement[..5000])]),
        ("half built, in a transaction", vec![("", &damaged), (".replacing", &[]), (".replacing-journal", &[1; 512])]),
        ("built, not moved", vec![("", &damaged), (".replacement", &replacement)]),
        ("moved without its log", vec![(".corrupt-1", &damaged), ("-wal", &log), (".replacement", &replacement)]),
        ("moved", vec![(".corrupt-1", &damaged), (".corrupt-1-wal", &log), (".replacement", &replacement)]),
        ("in place", vec![(".corrupt-1", &damaged), ("", &replacement)]),
    ];
    for (step, files) in &states {
        let image = crash_image(dir.path());
        for old in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(image.path().join(name(old)));
        }
        for (suffix, bytes) in files {
            fs::write(image.path().join(name(suffix)), bytes).unwrap();
        }
        start(image.path());
        let query = Query::open(&db(image.path())).unwrap();
        assert_eq!((query.results(None, 9).unwrap().len(), query.count_unsent().unwrap()), (1, 1), "{step}");
        let aside = |suffix: &str| fs::read(image.path().join(name(suffix))).ok();
        assert!(aside(".corrupt-1") == Some(damaged.clone()), "{step}: the damaged file is evidence");
        assert_eq!(aside(".corrupt-2"), None, "{step}");
        if files.iter().any(|(_, bytes)| *bytes == log) {
            assert!(aside(".corrupt-1-wal") == Some(log.to_vec()), "{step}: and so is its log");
        }
    }
}

/// A card without room for the new database: the old one stays where it is until there is some.
fn full_while_damaged(dir: &Path) {
    mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], dir);
    lived_in(dir);
    let whole = fs::read(db(dir)).unwrap();
    patch(&db(dir), chunk_page(&whole), &[0xa5; 600]);
    let damaged = fs::read(db(dir)).unwrap();
    fill(dir);
    for _ in 0..2 {
        let opened = store::open(options(dir)).unwrap();
        assert!(opened.report.trouble.as_ref().is_some_and(StoreError::is_passing), "{:?}", opened.report);
        assert!(opened.handle.stop().is_err());
        assert!(fs::read(db(dir)).unwrap() == damaged, "moved before there was room for another");
    }
    let Opened { handle, report, mut events } = store::open(fast(dir)).unwrap();
    assert!(report.trouble.is_some());
    handle.record(packet(1, 5000));
    fs::remove_file(dir.join("filler")).unwrap();
    wait_ok(&handle);
    let Ok(StoreEvent::Opened(report)) = events.try_recv() else { panic!("not told") };
    assert_eq!((report.db.moved_aside.unwrap().0, report.db.salvaged), (dir.join("hrvd.db.corrupt-1"), 5));
    handle.stop().unwrap();
    start(dir);
    let query = Query::open(&db(dir)).unwrap();
    assert_eq!((query.results(None, 9).unwrap().len(), query.count_unsent().unwrap()), (1, 1));
    assert_eq!(seconds(dir), [5000]);
    // and with nothing to take over but the copy
    fs::write(db(dir), [0xa5; 8192]).unwrap();
    fill(dir);
    assert!(store::open(options(dir)).unwrap().report.trouble.is_some());
    fs::remove_file(dir.join("filler")).unwrap();
    assert_eq!(start(dir).db.salvaged, 2);
}

#[test]
fn a_full_card_under_a_damaged_database_costs_no_adoption_and_no_result() {
    run_with_mounts("full while damaged");
}
