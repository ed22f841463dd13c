//! What the daemon does at night: a copy of the database, and the end of old raw packets; not while a strap sends.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;
#[path = "common/played.rs"]
mod played;
mod store_common;

use daemon::{Home, SOON, wait_for};
use hrvd::clock::ManualClock;
use hrvd::control::{Client, Op};
use hrvd::daemon::Keeping;
use hrvd::engine::{Input, LinkState, PacketBytes, Record, RecordKind};
use hrvd::store::{self, OpenOptions, Opened, Query};
use hrvd::units::{Mono, Now};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use played::{Running, settings, strap};
use std::fs;
use std::path::Path;
use std::time::Duration;
use store_common::{packet, result};

/// A moment of this night by the local time of this machine, whatever that is.
fn local(hour: i8, minute: i8) -> Timestamp {
    TimeZone::system().to_timestamp(jiff::civil::date(2026, 11, 25).at(hour, minute, 0, 0)).unwrap()
}

/// One wearing in a boot of its own, so many days before this night.
fn wearing(home: &Home, days: i64) {
    let wall = local(2, 30).checked_sub(jiff::SignedDuration::from_hours(24 * days)).unwrap();
    // a process that is being started may hold a file of the last one for a moment
    let Opened { handle, .. } = wait_for(SOON, "the store", String::new, || {
        store::open(OpenOptions::new(home.db(), format!("boot-{days}"))).ok()
    });
    handle.record(Record { at: Mono::from_secs(1), kind: RecordKind::Anchor { wall } });
    (2..200).for_each(|s| handle.record(packet(1, s)));
    handle.result(result(days as u64, Some(wall)), vec![]);
    handle.stop().unwrap();
}

fn files(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        fs::read_dir(dir).into_iter().flatten().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

fn recordings(home: &Home) -> usize {
    Query::open(&home.db()).unwrap().recordings().unwrap().len()
}

#[test]
fn by_night_it_is_copied_and_pruned_and_results_stay() {
    let home = Home::new();
    [400, 200, 100, 50, 2, 1].into_iter().for_each(|days| wearing(&home, days));
    let to = home.path("copies");
    let keeping = Keeping { backup_dir: Some(to.clone()), backup_keep: 2, raw_keep: Some(90) };
    let mut settings = settings(&home, 1, &[("alex", 1)]);
    (settings.mqtt, settings.keeping) = (None, keeping);
    let manual = ManualClock::new(Now { mono: Mono::from_secs(1000), wall: Some(local(1, 58)) });
    let running = Running::start(settings, manual.clock(), "this-boot");
    // a moment passes, and the hub turns
    let pass = |by: Duration| {
        manual.advance(by);
        running.say(Input::Timeout);
        std::thread::sleep(Duration::from_millis(5));
    };
    // before the hour nothing happens, and while a strap sends neither
    let mut client = wait_for(SOON, "the socket", String::new, || Client::connect(&home.socket()).ok());
    running.say(Input::Link { strap: strap(1), state: LinkState::Connected });
    for s in 0..200 {
        manual.advance(Duration::from_secs(4));
        let bytes = PacketBytes::from_slice(&[0x10, 60, s, 3]);
        running.say(Input::Packet { strap: strap(1), bytes });
        // the hub has had it
        client.ask(&Op::Status).unwrap();
    }
    assert!(manual.get().wall.unwrap() > local(2, 10));
    assert_eq!((files(&to), recordings(&home) >= 6), (vec![], true));
    // it is taken off
    running.say(Input::Link { strap: strap(1), state: LinkState::NotSeen });
    wait_for(
        SOON,
        "the copy",
        || format!("{:?}", files(&to)),
        || {
            pass(Duration::from_millis(200));
            (files(&to) == ["hrvd-2026-11-25.db"]).then_some(())
        },
    );
    // the three that are older than 90 days; those of day 50, of the last days and of this night stay
    wait_for(
        SOON,
        "the pruning",
        || format!("{} recordings", recordings(&home)),
        || {
            pass(Duration::from_millis(500));
            (recordings(&home) == 4).then_some(())
        },
    );
    running.stop();
    let query = Query::open(&home.db()).unwrap();
    assert_eq!(query.results(None, 99).unwrap().len(), 6, "a result is never pruned");
    let left: Vec<_> =
        query.recordings().unwrap().into_iter().map(|r| (r.boot_id, query.export(r.id).unwrap())).collect();
    for (boot, records) in left.iter().filter(|(boot, _)| boot.starts_with("boot-")) {
        let packets = records.as_ref().unwrap().iter().filter(|r| matches!(r.kind, RecordKind::Packet { .. })).count();
        assert_eq!(packets, 198, "{boot}");
    }
    // the copy is whole, and from before or after the pruning
    assert_eq!(store::verify(&to.join("hrvd-2026-11-25.db")).unwrap().results, 6);
}
