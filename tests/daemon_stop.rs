//! A stop while the card does not take the last records: it is said, and the next start has them.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Home, Program, SOON, wait_for};
use hrvd::control::{Client, Op};
use hrvd::engine::{Command, RecordKind};
use hrvd::store::Query;
use rusqlite::Connection;
use std::path::Path;

/// The socket lies in RAM, as `/run` does, or not.
fn stop_on_a_stalled_card(socket_dir: &Path) -> (Home, Program) {
    let home = Home::new();
    home.configure(1, "[[athlete]]\nslug = \"alex\"\nauto_start = false");
    let text = std::fs::read_to_string(home.config()).unwrap();
    let socket = socket_dir.join("control.sock");
    std::fs::write(home.config(), text.replace(home.socket().to_str().unwrap(), socket.to_str().unwrap())).unwrap();
    let mut hrvd = Program::start(&home, None);
    wait_for(SOON, "the socket", || hrvd.log(), || socket.exists().then_some(()));
    let mut client = Client::connect(&socket).unwrap();
    client.ask(&Op::Status).unwrap(); // the store is open
    let card = Connection::open(home.db()).unwrap();
    card.busy_timeout(SOON).unwrap();
    card.execute_batch("BEGIN IMMEDIATE").unwrap(); // longer than the last write may take
    client.ask(&Op::StartCheck { athlete: None, posture: None }).unwrap();
    let (status, _) = hrvd.terminate();
    assert_eq!(status.code(), Some(1), "{}", hrvd.log());
    assert!(!hrvd.log().contains("all is written"), "{}", hrvd.log());
    card.execute_batch("ROLLBACK").unwrap();
    (home, hrvd)
}

fn starts(home: &Home) -> usize {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let records = Query::open(&home.db()).unwrap().records_since(boot.trim(), Default::default()).unwrap();
    records.iter().filter(|r| matches!(&r.kind, RecordKind::Command(Command::StartCheck { .. }))).count()
}

#[test]
fn a_stop_that_a_stalled_card_cuts_short_says_so_and_the_next_start_has_it_all() {
    let ram = tempfile::tempdir_in("/dev/shm").unwrap();
    assert!(hrvd::store::is_ram(ram.path()), "the test needs a RAM disk at /dev/shm");
    let (home, hrvd) = stop_on_a_stalled_card(ram.path());
    hrvd.wait_log("they wait in RAM for the next start of this boot");
    drop(hrvd);
    let mut hrvd = Program::start(&home, None);
    hrvd.wait_log("of an unclean end were taken over");
    assert_eq!(hrvd.terminate().0.code(), Some(0), "{}", hrvd.log());
    hrvd.wait_log("all is written");
    assert_eq!(starts(&home), 1, "once");
}

#[test]
fn without_a_disk_in_ram_such_a_stop_does_not_promise_what_it_cannot_keep() {
    let dir = tempfile::tempdir().unwrap();
    if hrvd::store::is_ram(dir.path()) {
        return eprintln!("SKIPPED: temporary files lie in RAM here");
    }
    let (_home, hrvd) = stop_on_a_stalled_card(dir.path());
    hrvd.wait_log("what the journal does not have is lost");
}
