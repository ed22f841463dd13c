//! `hrvd athlete export` and `hrvd athlete delete`: everything, and nothing is left.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;
#[path = "common/pty.rs"]
mod pty;
mod store_common;

use daemon::{Home, Program, wait_for};
use hrvd::check::CheckResult;
use hrvd::engine::{Athlete, Strap, StrapFacts};
use hrvd::store::{self, OpenOptions, Opened, Query};
use hrvd::units::AthleteId;
use mosquitto::{Mosquitto, free_port, retained};
use pty::Pty;
use std::fs;
use std::path::Path;
use store_common::{athlete, link, message, packet, result, strap, wall};

const WHO: &str = "zoe-marker";
const OTHER: &str = "kim-other";
const MARK: &str = "Chest strap of the marked one";

fn slug(who: &str) -> AthleteId {
    who.parse().unwrap()
}

/// Two people with everything a person can have.
fn fill(home: &Home) {
    let person = |who: &str| Athlete { id: slug(who), name: format!("Name of {who}"), ..athlete("x") };
    let options = OpenOptions { athletes: vec![person(WHO), person(OTHER)], ..OpenOptions::new(home.db(), "boot-1") };
    let Opened { handle, .. } = store::open(options).unwrap();
    for (n, who) in [(1u8, WHO), (2, OTHER)] {
        handle.adopt(Strap { id: strap(n), athlete: slug(who), name: Some(format!("{MARK} {n}")) }, wall(0));
        handle.facts(
            strap(n),
            StrapFacts { name: Some(format!("H10 {who}")), battery_pct: Some(80), ..Default::default() },
        );
        handle.battery(strap(n), "2026-11-24".parse().unwrap(), 80);
        handle.set_meta(format!("failed_check.{who}"), Some("x".into()));
        handle.set_meta(format!("source.{}", strap(n).slug()), Some("units=milliseconds".into()));
        handle.record(link(n, 1, true));
        (1..400).for_each(|s| handle.record(packet(n, s)));
        for k in 0..5 {
            let r =
                CheckResult { athlete: slug(who), strap: strap(n), ..result(u64::from(n) * 100 + k, wall(k as i64)) };
            handle.result(r, vec![message(&format!("hrvd/g/athlete/{who}/event/check"), &format!("event of {who}"))]);
        }
    }
    // rows that came and went leave bytes in the file
    handle.set_meta(format!("note.{WHO}"), Some(format!("{WHO} ").repeat(2000)));
    handle.set_meta(format!("note.{WHO}"), None);
    handle.stop().unwrap();
    // what they said about a day, and what was answered
    let conn = rusqlite::Connection::open(home.db()).unwrap();
    for who in [WHO, OTHER] {
        conn.execute(
            "INSERT INTO input VALUES (NULL, ?1, '2026-11-24', 1, 'mqtt', 'feel', ?2)",
            [who, &format!("said by {who}")],
        )
        .unwrap();
        conn.execute(
            "INSERT INTO verdict VALUES (NULL, ?1, '2026-11-24', 1, 1, 2, 'green', NULL, '[]', '{}', ?2)",
            [who, &format!("answered to {who}")],
        )
        .unwrap();
    }
}

/// Everything that the home holds but the log of the daemon, byte by byte.
fn holds(home: &Home, needle: &[u8]) -> Vec<String> {
    let root = home.path("x").parent().unwrap().to_owned();
    let mut found = vec![];
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && !["log", "hrvd.toml"].contains(&name.as_str()) {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|w| w == needle) {
                found.push(name);
            }
        }
    }
    found
}

fn payloads(db: &Path, n: u8) -> Vec<Vec<u8>> {
    let conn = rusqlite::Connection::open(db).unwrap();
    let mut stmt = conn
        .prepare("SELECT payload FROM packet_chunk c JOIN recording r ON r.id = c.recording_id WHERE r.strap = ?1")
        .unwrap();
    stmt.query_map([strap(n).to_string()], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

fn needles() -> Vec<Vec<u8>> {
    let texts = [WHO.to_owned(), format!("{MARK} 1"), strap(1).to_string(), strap(1).slug()];
    texts.into_iter().map(String::into_bytes).collect()
}

#[test]
fn a_person_is_gone_from_every_file_and_from_the_broker() {
    let (broker, home) = (Mosquitto::open(), Home::new());
    home.configure(broker.port, "");
    fill(&home);
    let raw = payloads(&home.db(), 1);
    assert!(!raw.is_empty());
    for needle in needles().iter().chain(&raw) {
        assert!(!holds(&home, needle).is_empty(), "{:?} is not even there before", String::from_utf8_lossy(needle));
    }
    let others = (payloads(&home.db(), 2), Query::open(&home.db()).unwrap().results(Some(&slug(OTHER)), 99).unwrap());
    let mut hrvd = Program::start(&home, None);
    let topics = || retained(broker.port).into_iter().map(|s| format!("{} {}", s.topic, s.payload)).collect::<Vec<_>>();
    let about = |what: &str| topics().into_iter().filter(|t| t.contains(what)).collect::<Vec<_>>();
    wait_for(
        daemon::SOON,
        "both on the broker",
        || hrvd.log(),
        || (about(WHO).len() >= 3 && about(OTHER).len() >= 3 && about(&strap(1).slug()).len() >= 3).then_some(()),
    );
    // what an earlier version may have left there
    let observer = mosquitto::Observer::new(broker.port);
    observer.publish(&format!("hrvd/g/athlete/{WHO}/of-old"), "old", true);

    let said = home.run(&["athlete", "delete", WHO, "--yes"]).ends(0);
    said.says(&format!("rows of {WHO} are deleted")).says("The broker keeps nothing");
    assert_eq!((about(WHO), about(&strap(1).slug())), (vec![], vec![]));
    assert!(about(OTHER).len() >= 3 && about(&strap(2).slug()).len() >= 3, "{:?}", topics());
    // while the daemon runs, and after it
    for needle in needles().iter().chain(&raw) {
        assert_eq!(holds(&home, needle), Vec::<String>::new(), "{:?}", String::from_utf8_lossy(needle));
    }
    hrvd.terminate();
    for needle in needles().iter().chain(&raw) {
        assert_eq!(holds(&home, needle), Vec::<String>::new(), "{:?}", String::from_utf8_lossy(needle));
    }
    let query = Query::open(&home.db()).unwrap();
    assert_eq!((payloads(&home.db(), 2), query.results(Some(&slug(OTHER)), 99).unwrap()), others);
    assert_eq!(query.straps().unwrap().len(), 1);
    store::verify(&home.db()).unwrap();
    // the next daemon does not bring it back
    let mut hrvd = Program::start(&home, None);
    wait_for(daemon::SOON, "back", || hrvd.log(), || (about(OTHER).len() >= 3).then_some(()));
    assert_eq!(about(WHO), Vec::<String>::new());
    home.run(&["athlete", "delete", WHO, "--yes"]).ends(3).says("Nothing was stored");
    hrvd.terminate();
}

#[test]
fn without_a_daemon_and_without_a_broker_it_is_said_what_is_left_to_do() {
    let home = Home::new();
    home.configure(free_port(), "");
    fill(&home);
    home.run(&["backup", home.path("hrvd.db.backup-v1-1").to_str().unwrap()]).ends(0);
    let said = home.run(&["athlete", "delete", WHO, "--yes"]).ends(1);
    said.says("rows of")
        .says("hrvd.db.backup-v1-1")
        .complains("the broker was not cleared")
        .complains("run this again");
    fs::remove_file(home.path("hrvd.db.backup-v1-1")).unwrap();
    for needle in needles() {
        assert_eq!(holds(&home, &needle), Vec::<String>::new(), "{:?}", String::from_utf8_lossy(&needle));
    }
    // when the broker is there again
    let broker = Mosquitto::open();
    home.configure(broker.port, "");
    let observer = mosquitto::Observer::new(broker.port);
    observer.publish(&format!("hrvd/g/athlete/{WHO}/morning"), "old", true);
    observer.until_message(&format!("hrvd/g/athlete/{WHO}/morning"), "old");
    home.run(&["athlete", "delete", WHO, "--yes", "--json"]).ends(0).says("\"broker\":true");
    assert!(retained(broker.port).is_empty(), "{:?}", retained(broker.port));
}

#[test]
fn the_name_is_asked_for_again() {
    let (broker, home) = (Mosquitto::open(), Home::new());
    home.configure(broker.port, "");
    fill(&home);
    home.run(&["athlete", "delete", WHO]).ends(2).complains("--yes").complains("Nothing was deleted");
    for (typed, code) in [("kim-other", 2), ("", 2), (WHO, 0)] {
        assert_eq!(Query::open(&home.db()).unwrap().results(Some(&slug(WHO)), 99).unwrap().len(), 5);
        let mut terminal = Pty::start(home.hrvd(&["athlete", "delete", WHO]));
        terminal.expect("Type the name again: ");
        terminal.line(typed);
        assert_eq!(terminal.wait().code(), Some(code), "{}", terminal.seen());
    }
    assert!(Query::open(&home.db()).unwrap().results(Some(&slug(WHO)), 99).unwrap().is_empty());
}

#[test]
fn who_stands_in_the_configuration_has_to_leave_it_first() {
    let (broker, home) = (Mosquitto::open(), Home::new());
    home.configure(broker.port, &format!("[[athlete]]\nslug = \"{WHO}\"\n"));
    fill(&home);
    home.run(&["athlete", "delete", WHO, "--yes"])
        .ends(2)
        .complains("stands in the configuration")
        .complains("hrvd.toml");
    // what setup wrote goes with the person, unless somebody has edited it
    home.configure(broker.port, "");
    let at = format!("127.0.0.1:{}", broker.port);
    home.run(&["setup", "--yes", "--broker", &at, "--athlete", "Zed", "--no-strap"]).ends(0);
    let fragment = home.path("conf.d/60-athlete-zed.toml");
    let text = fs::read_to_string(&fragment).unwrap();
    fs::write(&fragment, format!("{text}posture = \"seated\"\n")).unwrap();
    home.run(&["athlete", "delete", "zed", "--yes"]).ends(2).complains("60-athlete-zed.toml");
    fs::write(&fragment, text).unwrap();
    let mut hrvd = Program::start(&home, None);
    let zed = || retained(broker.port).iter().filter(|s| s.topic.contains("zed")).count();
    wait_for(daemon::SOON, "on the broker", || hrvd.log(), || (zed() > 0).then_some(()));
    home.run(&["athlete", "delete", "zed", "--yes"]).ends(0);
    assert!(!fragment.exists() && zed() == 0);
    hrvd.terminate();
    assert_eq!(holds(&home, b"zed"), Vec::<String>::new());
}

#[test]
fn the_export_holds_everything_and_nobody_else() {
    let (broker, home) = (Mosquitto::open(), Home::new());
    home.configure(broker.port, "");
    fill(&home);
    let dir = home.path("data");
    // what the person's strap sent while nobody had it
    let nobodys = "INSERT INTO recording SELECT NULL, strap, NULL, 'boot-0', 100000, start_us, wall_us, end_us, packets, app_version
                   FROM recording WHERE athlete = ?1";
    rusqlite::Connection::open(home.db()).unwrap().execute(nobodys, [WHO]).unwrap();
    home.run(&["athlete", "export", WHO, "--out", dir.to_str().unwrap()]).ends(0).says("2 recordings, 5 results");
    let mut files = vec![];
    for folder in [dir.clone(), dir.join("recordings"), dir.join("tables")] {
        files.extend(fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()));
    }
    let all: Vec<(String, String)> = files
        .iter()
        .map(|p| (p.strip_prefix(&dir).unwrap().display().to_string(), fs::read_to_string(p).unwrap()))
        .collect();
    for (name, text) in &all {
        assert!(!text.contains(OTHER) && !text.contains(&strap(2).to_string()), "{name}");
        if name.ends_with("jsonl") {
            text.lines().for_each(|l| drop(serde_json::from_str::<serde_json::Value>(l).unwrap()));
        }
    }
    let names: Vec<&str> = all.iter().map(|(n, _)| n.as_str()).collect();
    for want in [
        "README.txt",
        "tables/input.jsonl",
        "tables/verdict.jsonl",
        "checks.jsonl",
        "tables/athlete.jsonl",
        "tables/check_result.jsonl",
        "tables/event_log.jsonl",
        "tables/meta.jsonl",
        "tables/outbox.jsonl",
        "tables/recording.jsonl",
        "tables/strap.jsonl",
        "tables/strap_battery.jsonl",
        "tables/strap_facts.jsonl",
    ] {
        assert!(names.contains(&want), "{want} of {names:?}");
    }
    use std::os::unix::fs::PermissionsExt;
    for path in files.iter().chain([&dir, &dir.join("tables"), &dir.join("recordings")]) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "others can read {}", path.display());
    }
    // a recording that can be replayed
    let recording = files.iter().find(|p| p.to_str().unwrap().ends_with("-1.hrvd")).unwrap();
    home.run(&["analyze", recording.to_str().unwrap(), "--json"]).ends(0);
    // not over something that is there, and not of nobody
    home.run(&["athlete", "export", WHO, "--out", dir.to_str().unwrap()]).ends(2).complains("is not empty");
    home.run(&["athlete", "export", "nobody", "--out", home.path("n").to_str().unwrap()])
        .ends(3)
        .complains("nothing is stored");
    assert!(!home.path("n").exists());
}

/// The newest seconds of a daemon that was killed wait in RAM; whoever is deleted then must not come back out of it.
#[test]
fn what_a_killed_daemon_left_in_ram_is_deleted_too() {
    let ram = tempfile::tempdir_in("/dev/shm").unwrap();
    if !store::is_ram(ram.path()) {
        eprintln!("SKIPPED: /dev/shm is no RAM disk here");
        return;
    }
    let home = Home::new();
    home.configure(1, "enabled = false");
    let text = fs::read_to_string(home.config()).unwrap();
    let text = text.replace(home.socket().to_str().unwrap(), ram.path().join("control.sock").to_str().unwrap());
    fs::write(home.config(), text).unwrap();
    fill(&home);
    let options = OpenOptions { tail: Some(ram.path().to_owned()), ..OpenOptions::new(home.db(), "boot-1") };
    let Opened { handle, .. } = store::open(options).unwrap();
    (1000..1004).for_each(|s| handle.record(packet(1, s)));
    // the writer has had them
    handle.read(|query| query.count_unsent()).blocking_recv().unwrap().unwrap();
    let mut files = fs::read_dir(ram.path()).unwrap().map(|e| e.unwrap().path());
    let tail = files.find(|p| p.extension().is_some_and(|e| e == "tail")).unwrap();
    let left = fs::read(&tail).unwrap();
    assert!(!left.is_empty());
    handle.stop().unwrap();
    drop(handle); // and its lock
    fs::write(&tail, &left).unwrap();
    // root deletes, and the daemon is somebody else
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(ram.path(), Some(54321), None).unwrap();
        std::os::unix::fs::chown(&tail, Some(54321), None).unwrap();
    }
    home.run(&["athlete", "delete", WHO, "--yes"]).ends(0);
    for entry in fs::read_dir(ram.path()).unwrap() {
        let meta = entry.unwrap().metadata().unwrap();
        assert!(!root || std::os::unix::fs::MetadataExt::uid(&meta) == 54321, "the daemon could not open it any more");
    }
    // a head with nobody's name may stay
    let kept = fs::read(&tail).unwrap_or_default();
    for needle in [&strap(1).0[..], strap(1).to_string().as_bytes(), WHO.as_bytes()] {
        assert!(left.len() > kept.len() && !kept.windows(needle.len()).any(|w| w == needle), "{kept:?}");
    }
    let recordings = Query::open(&home.db()).unwrap().recordings().unwrap();
    assert!(recordings.iter().all(|r| r.strap != strap(1)), "{recordings:?}");
}

#[test]
fn a_deletion_that_is_killed_is_finished_by_the_next() {
    let home = Home::new();
    home.configure(1, "enabled = false");
    fill(&home);
    for ms in [5, 10, 15, 20, 30, 40, 60] {
        let mut child = home
            .hrvd(&["athlete", "delete", WHO, "--yes"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(ms));
        let _ = child.kill();
        let _ = child.wait();
        store::verify(&home.db()).unwrap();
        let left = Query::open(&home.db()).unwrap().results(Some(&slug(WHO)), 99).unwrap().len();
        assert!(left == 0 || left == 5, "half of a person: {left} results");
    }
    let said = home.run(&["athlete", "delete", WHO, "--yes"]);
    // it may have been through already: then there was nothing left to delete but bytes
    assert!([Some(0), Some(3)].contains(&said.code), "{said:?}");
    for needle in needles() {
        assert_eq!(holds(&home, &needle), Vec::<String>::new(), "{:?}", String::from_utf8_lossy(&needle));
    }
    assert_eq!(Query::open(&home.db()).unwrap().results(Some(&slug(OTHER)), 99).unwrap().len(), 5);
}

#[test]
fn with_access_rules_the_topics_are_cleared_that_cannot_be_read() {
    // the rules of docs/mqtt.md: discovery may be written and not read
    let broker = Mosquitto::start_with("password_file {dir}/users\nacl_file {dir}/acl\n", |dir| {
        mosquitto::add_user(&dir.join("users"), "hrvd", "pw");
        mosquitto::add_user(&dir.join("users"), "house", "pw");
        let document = include_str!("../docs/mqtt.md");
        let rules = document.split("```acl\n").nth(1).unwrap().split("```").next().unwrap();
        mosquitto::write_rules(&dir.join("acl"), &format!("{rules}\nuser house\ntopic readwrite #\n"));
    });
    let home = Home::new();
    fs::create_dir(home.path("credentials")).unwrap();
    fs::write(home.path("credentials/mqtt-password"), "pw\n").unwrap();
    home.configure(broker.port, "username = \"hrvd\"\n");
    fill(&home);
    let mut hrvd = Program::start(&home, None);
    let kept = || {
        let house = mosquitto::Observer::login(broker.port, Some(("house", "pw")));
        house.publish("test/end", "", false);
        let seen = house.until("the end", |all| all.iter().any(|s| s.topic == "test/end"));
        seen.into_iter().filter(|s| s.retained && s.topic.contains(WHO)).map(|s| s.topic).collect::<Vec<_>>()
    };
    let discovery = format!("homeassistant/device/hrvd_g_athlete_{WHO}/config");
    wait_for(daemon::SOON, "on the broker", || hrvd.log(), || kept().contains(&discovery).then_some(()));
    hrvd.kill(); // it clears nothing itself
    home.run(&["athlete", "delete", WHO, "--yes"]).ends(0).says("The broker keeps nothing");
    assert_eq!(kept(), Vec::<String>::new());
}
