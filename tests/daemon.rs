//! The program `hrvd run` as the machine starts it: a real broker, a bluetoothd that is faked on a private bus, the
//! service manager's socket, and the command line beside it.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use common::bluez::FakeBluez;
use daemon::{Home, Manager, Program, SOON, wait_for};
use hrvd::sim::{Heart, HeartConfig, StrapSim};
use mosquitto::{Mosquitto, Observer, Seen, retained};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const A: &str = "C0:FF:EE:00:00:01";
const B: &str = "C0:FF:EE:00:00:02";
const A_SLUG: &str = "c0ffee000001";
const B_SLUG: &str = "c0ffee000002";
const AVAILABILITY: &str = "hrvd/g/strap/c0ffee000001/availability";
const LIVE: &str = "hrvd/g/athlete/alex/live";

const ALEX: &str =
    "[[athlete]]\nslug = \"alex\"\nauto_start = false\n[[strap]]\naddress = \"C0:FF:EE:00:00:01\"\nathlete = \"alex\"";

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A heart in a strap: a notification a second while somebody listens.
struct Worn {
    stop: Arc<AtomicBool>,
    /// Notifications that bluetoothd passed on.
    delivered: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Worn {
    fn start(fake: &Arc<FakeBluez>, address: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let delivered: Arc<AtomicU64> = Arc::default();
        let (end, heard, fake) = (Arc::clone(&stop), Arc::clone(&delivered), Arc::clone(fake));
        let thread = std::thread::spawn(move || {
            let begun = daemon::now();
            for n in StrapSim::new(Heart::new(HeartConfig::default())) {
                while daemon::now() - begun < n.at {
                    if end.load(Ordering::Relaxed) {
                        return;
                    }
                    std::thread::sleep(ms(20));
                }
                if fake.notify(address, &n.bytes) {
                    heard.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, delivered, thread: Some(thread) }
    }
}

impl Drop for Worn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for a message on a topic that satisfies `is`.
fn wait_message(observer: &Observer, topic: &str, what: &str, is: impl Fn(&str) -> bool) {
    wait_for(
        SOON,
        &format!("{topic}: {what}"),
        || observer.seen().iter().map(|s| format!("{} {}", s.topic, s.payload)).collect::<Vec<_>>().join("\n"),
        || observer.payloads(topic).iter().any(|p| is(p)).then_some(()),
    );
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn kept<'a>(all: &'a [Seen], topic: &str) -> Option<&'a str> {
    all.iter().find(|s| s.topic == topic).map(|s| s.payload.as_str())
}

// ---------------------------------------------------------------- the service manager

#[test]
fn ready_without_adapter_and_broker_with_a_true_status_and_a_fed_watchdog() {
    let home = Home::new();
    let port = mosquitto::free_port();
    home.configure(port, ALEX);
    let manager = Manager::listen(&home.path("notify"));
    let mut hrvd = Program::supervised(&home, None, &manager, ms(1500));
    manager.wait("READY=1");
    manager.wait_status("Bluetooth does not answer");
    manager.wait_status("MQTT down: ");
    hrvd.wait_log(&format!("127.0.0.1:{port}"));
    // the watchdog hears from the engine's own loop, more often than it asks
    let before = manager.count("WATCHDOG=1");
    std::thread::sleep(ms(3000));
    let heard = manager.count("WATCHDOG=1") - before;
    assert!(heard >= 4, "{heard} pings in two limits");
    // it answers meanwhile
    let said = home.run(&["doctor", "--json"]).ends(1);
    assert!(said.out.contains("\"check\":\"daemon\",\"verdict\":\"ok\""), "{}", said.out);
    let (status, took) = hrvd.terminate();
    assert_eq!(status.code(), Some(0), "{}", hrvd.log());
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(manager.count("STOPPING=1"), 1);
    assert_eq!(manager.count("READY=1"), 1);
    assert!(!home.socket().exists(), "the socket is gone");
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let home = Home::new();
    home.configure(mosquitto::free_port(), ALEX);
    let mut child = home.hrvd(&["run", "-vv"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    wait_for(SOON, "the socket", String::new, || home.socket().exists().then_some(()));
    wait_for(SOON, "an answer", String::new, || {
        (home.run(&["adopt", B, "--athlete", "kim", "--json"]).out.contains("\"daemon\":true")).then_some(())
    });
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let code = wait_for(SOON, "the end", String::new, || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(0));
}

// ---------------------------------------------------------------- the way of a beat

#[test]
fn from_the_air_to_the_broker_out_of_range_back_and_goodbye() {
    let fake = Arc::new(FakeBluez::start());
    fake.add_strap(A, "Strap 01");
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let manager = Manager::listen(&home.path("notify"));
    let mut hrvd = Program::supervised(&home, Some(&fake.address()), &manager, ms(30_000));
    let worn = Worn::start(&fake, A);

    // on the air: everything that Home Assistant needs, and numbers
    wait_message(&observer, AVAILABILITY, "online", |p| p == "online");
    wait_message(&observer, LIVE, "a heart rate", |p| json(p)["hr"].is_number());
    wait_message(&observer, "hrvd/g/strap/c0ffee000001/state", "connected, with its battery", |p| {
        json(p)["link"] == "connected" && json(p)["battery"] == 90
    });
    manager.wait_status("1 of 1 straps sending; MQTT connected");
    let all = retained(broker.port);
    assert_eq!(kept(&all, "hrvd/g/status"), Some("online"));
    assert_eq!(json(kept(&all, "hrvd/g/bridge").unwrap())["adapter"], "ok");
    for device in ["", &format!("_strap_{A_SLUG}"), "_athlete_alex"] {
        let topic = format!("homeassistant/device/hrvd_g{device}/config");
        assert!(json(kept(&all, &topic).unwrap_or_else(|| panic!("{topic}")))["dev"].is_object());
    }
    assert!(kept(&all, LIVE).is_none(), "live values are not kept by the broker");

    // out of range: said once, and no number any more
    observer.clear();
    fake.vanish(A, ms(800));
    wait_message(&observer, AVAILABILITY, "offline", |p| p == "offline");
    wait_message(&observer, LIVE, "nothing", |p| json(p)["hr"].is_null());
    manager.wait_status("0 of 1 straps sending");
    std::thread::sleep(ms(2500));
    let live = observer.payloads(LIVE);
    let nulls = live.iter().filter(|p| json(p)["hr"].is_null()).count();
    assert_eq!(nulls, 1, "{live:?}");
    let last = json(live.last().unwrap());
    for key in ["hr", "rr", "rmssd", "artifact_pct", "contact"] {
        assert!(last[key].is_null(), "{last}");
    }
    let state = json(observer.payloads("hrvd/g/strap/c0ffee000001/state").last().unwrap());
    assert!(["not_seen", "seen"].contains(&state["link"].as_str().unwrap()), "{state}");
    assert!(state["last_packet"].is_string() && state["link_since"].is_string(), "with its age: {state}");

    // back
    observer.clear();
    fake.appear(A);
    wait_message(&observer, AVAILABILITY, "online", |p| p == "online");
    wait_message(&observer, LIVE, "a heart rate", |p| json(p)["hr"].is_number());

    // goodbye
    let (status, took) = hrvd.terminate();
    assert_eq!(status.code(), Some(0), "{}", hrvd.log());
    assert!(took < Duration::from_secs(10), "{took:?}");
    let delivered = worn.delivered.load(Ordering::Relaxed);
    drop(worn);
    assert!(!fake.strap(A, |s| s.connected), "the strap is free for others");
    assert!(!fake.with(|w| w.is_scanning()));
    assert_eq!(manager.count("STOPPING=1"), 1);
    let all = retained(broker.port);
    assert_eq!(kept(&all, "hrvd/g/status"), Some("offline"));
    assert!(
        !broker.log().contains("terminating connection") || broker.log().contains("disconnected"),
        "{}",
        broker.log()
    );
    // all that was heard is in the database
    let said = home.run(&["export", "recordings", "--format", "jsonl"]).ends(0);
    let packets: u64 = said.objects().iter().map(|r| r["packets"].as_u64().unwrap()).sum();
    // the last one may have come between letting go and the signal's arrival
    assert!(packets == delivered || packets + 1 == delivered, "{packets} of {delivered}: {}", said.out);
    assert!(said.objects().iter().all(|r| r["running"] == false && r["athlete"] == "alex"), "{}", said.out);
}

#[test]
fn adopt_and_forget_while_it_runs() {
    let fake = Arc::new(FakeBluez::start());
    fake.add_strap(A, "Strap 01");
    fake.add_strap(B, "Strap 02");
    let broker = Mosquitto::open();
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    let _worn = Worn::start(&fake, B);
    wait_for(SOON, "A is connected", || hrvd.log(), || fake.strap(A, |s| s.connected).then_some(()));
    assert!(!fake.strap(B, |s| s.connected), "connected a strap that nobody adopted");

    let said = home.run(&["adopt", B, "--athlete", "kim", "--name", "Kim's"]).ends(0);
    assert_eq!(said.out, format!("{B} is kim's now. Wear it: hrvd connects when it sees it.\n"));
    let observer = Observer::new(broker.port);
    wait_message(&observer, &format!("homeassistant/device/hrvd_g_strap_{B_SLUG}/config"), "its name", |p| {
        p.contains("Kim's")
    });
    wait_message(&observer, "homeassistant/device/hrvd_g_athlete_kim/config", "its athlete", |p| !p.is_empty());
    wait_message(&observer, "hrvd/g/athlete/kim/live", "a heart rate", |p| json(p)["hr"].is_number());
    assert!(observer.payloads(LIVE).is_empty(), "alex wears nothing");

    // the command line sees it too
    let mut scan = home.hrvd(&["scan", "--seconds", "1", "--json"]);
    scan.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address());
    let rows = daemon::Said::of(scan).ends(0).objects();
    let row = rows.iter().find(|r| r["address"] == B).unwrap();
    assert_eq!((&row["athlete"], &row["connected"], &row["name"]), (&"kim".into(), &true.into(), &"Kim's".into()));
    let mut doctor = home.hrvd(&["doctor", "--json"]);
    doctor.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address());
    let findings = daemon::Said::of(doctor).ends(0).objects();
    for what in ["daemon", "D-Bus", "bluetoothd", "adapter", "broker", "database"] {
        let f = findings.iter().find(|f| f["check"] == what).unwrap_or_else(|| panic!("{what}: {findings:?}"));
        assert_eq!(f["verdict"], "ok", "{f}");
    }

    // what the file names is changed there, by whomever it is asked
    home.run(&["forget", A]).ends(2);
    assert_eq!(ask(&home, &format!("{{\"op\":\"forget\",\"address\":\"{A}\"}}"))["type"], "error");

    // forgotten in the middle of a check (which begins by itself in the morning): let go, and gone from the broker
    ask(&home, "{\"op\":\"start_check\",\"athlete\":\"kim\"}");
    home.run(&["forget", B]).ends(0).says("is forgotten");
    wait_for(SOON, "B is let go", || hrvd.log(), || (!fake.strap(B, |s| s.connected)).then_some(()));
    wait_for(
        SOON,
        "nothing of B and kim is kept",
        || format!("{:#?}", retained(broker.port)),
        || {
            let all = retained(broker.port);
            (!all.iter().any(|s| s.topic.contains(B_SLUG) || s.topic.contains("kim"))).then_some(())
        },
    );
    home.run(&["forget", B]).ends(3).complains("is not adopted");

    // adopted again, for good: the next start knows it
    home.run(&["adopt", B, "--athlete", "kim"]).ends(0);
    assert_eq!(hrvd.terminate().0.code(), Some(0));
    drop(hrvd);
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    wait_for(SOON, "B again", || hrvd.log(), || fake.strap(B, |s| s.connected).then_some(()));
    assert_eq!(hrvd.terminate().0.code(), Some(0));
}

/// A strap that goes to another person goes on delivering: no new link, nothing read anew, and each has what was theirs.
#[test]
fn a_strap_that_is_given_away_keeps_its_link() {
    let fake = Arc::new(FakeBluez::start());
    fake.add_strap(B, "Strap 02");
    let broker = Mosquitto::open();
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    let observer = Observer::new(broker.port);
    wait_message(&observer, "hrvd/g/status", "online", |p| p == "online");
    let _worn = Worn::start(&fake, B);
    home.run(&["adopt", B, "--athlete", "kim"]).ends(0);
    let number = |p: &str| json(p)["hr"].is_number();
    wait_message(&observer, "hrvd/g/athlete/kim/live", "a heart rate", number);
    let state = format!("hrvd/g/strap/{B_SLUG}/state");
    wait_message(&observer, &state, "its battery", |p| json(p)["battery"] == 90);
    let links = fake.strap(B, |s| s.connections);
    observer.clear();
    home.run(&["adopt", B, "--athlete", "sam"]).ends(0);
    wait_message(&observer, "hrvd/g/athlete/sam/live", "a heart rate", number);
    let told = json(observer.payloads(&state).last().unwrap());
    assert_eq!((&told["link"], &told["battery"]), (&"connected".into(), &90.into()), "{told}");
    let status = ask(&home, "{\"op\":\"status\"}");
    let strap = status["straps"].as_array().unwrap().iter().find(|s| s["strap"] == B).unwrap();
    assert_eq!((&strap["athlete"], &strap["link"]), (&"sam".into(), &"connected".into()), "{strap}");
    assert_eq!(fake.strap(B, |s| s.connections), links, "{}", hrvd.log());
    assert_eq!(hrvd.terminate().0.code(), Some(0));
    let said = home.run(&["export", "recordings", "--format", "jsonl"]).ends(0);
    let owners: Vec<_> =
        said.objects().iter().filter(|r| r["packets"].as_u64() > Some(0)).map(|r| r["athlete"].clone()).collect();
    assert_eq!(owners, ["kim", "sam"], "{}", said.out);
}

/// One request on the control socket, its first answer.
fn ask(home: &Home, line: &str) -> Value {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(home.socket()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    json(&answer)
}

// ---------------------------------------------------------------- nonsense from outside

#[test]
fn late_unknown_and_broken_requests_change_nothing() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    // somebody published a start with retain long ago
    observer.publish("hrvd/g/athlete/alex/check/set", "start", true);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let mut hrvd = Program::start(&home, None);
    observer.until_message("hrvd/g/status", "online");
    hrvd.wait_log("a retained command is ignored");
    observer.publish("hrvd/g/athlete/alex/check/set", "", true);
    for payload in ["frobnicate", "frobnicate", "{\"action\":", "frobnicate", &"x".repeat(5000)] {
        observer.publish("hrvd/g/athlete/alex/check/set", payload, false);
    }
    observer.publish("hrvd/g/athlete/nobody/check/set", "start", false);
    observer.publish("hrvd/g/athlete/alex/check/set", "cancel", false);
    hrvd.wait_log("no such athlete");
    hrvd.wait_log("no check is running");
    let named = hrvd.log().matches("the payload is neither start, cancel nor").count();
    assert_eq!(named, 1, "{}", hrvd.log());
    let idle = observer.payloads("hrvd/g/athlete/alex/check");
    assert!(idle.iter().all(|p| json(p)["phase"] == "idle"), "{idle:?}");
    assert!(observer.payloads("hrvd/g/athlete/alex/event/check").is_empty());

    // the control socket
    for (line, want) in [
        ("hello", "not a request"),
        ("{}", "not a request"),
        ("{\"op\":\"explode\"}", "not a request"),
        ("{\"op\":\"forget\",\"address\":\"x\",\"more\":1}", "not a request"),
        ("{\"op\":\"start_check\",\"athlete\":\"nobody\"}", "no athlete 'nobody'"),
        ("{\"op\":\"start_check\",\"athlete\":\"No Slug!\"}", "No Slug!"),
        ("{\"op\":\"start_check\",\"posture\":\"upside-down\"}", "upside-down"),
        ("{\"op\":\"adopt\",\"address\":\"x\",\"athlete\":\"alex\"}", "not a Bluetooth address"),
        ("{\"op\":\"subscribe\",\"athlete\":\"nobody\"}", "no athlete 'nobody'"),
    ] {
        let answer = ask(&home, line);
        assert_eq!(answer["type"], "error", "{line}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(want), "{line}: {answer}");
    }
    assert_eq!(ask(&home, "{\"op\":\"status\"}")["type"], "status");
    // a request without end is cut off and costs nobody else anything
    let mut flood = std::os::unix::net::UnixStream::connect(home.socket()).unwrap();
    let _ = std::io::Write::write_all(&mut flood, &vec![b'x'; 1 << 20]);
    assert_eq!(ask(&home, "{\"op\":\"status\"}")["mqtt"], "connected");
    // nobody else may read hearts
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(home.socket()).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
    assert_eq!(hrvd.terminate().0.code(), Some(0), "{}", hrvd.log());
}

#[test]
fn a_check_without_a_strap_is_started_followed_and_cancelled() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let manager = Manager::listen(&home.path("notify"));
    let _hrvd = Program::supervised(&home, None, &manager, ms(30_000));
    observer.until_message("hrvd/g/status", "online");
    let mut check = home.hrvd(&["check", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    manager.wait_status("check of alex: waiting for strap");
    home.run(&["check"])
        .ends(1)
        .complains("error: a check of alex is already running\nhint: hrvd check --cancel ends it\n");
    home.run(&["check", "--athlete", "kim"]).ends(3).complains("error: no athlete 'kim'\nhint: known: alex\n");
    home.run(&["live", "--athlete", "kim"]).ends(3).complains("no athlete 'kim'");
    wait_message(&observer, "hrvd/g/athlete/alex/check", "the hint", |p| json(p)["hint"] == "put_on_strap");
    home.run(&["check", "--cancel"]).ends(0).complains("cancelled");
    let code = wait_for(SOON, "the first check ends", String::new, || check.try_wait().unwrap()).code();
    assert_eq!(code, Some(4), "ended without a result");
    let mut out = String::new();
    std::io::Read::read_to_string(&mut check.stdout.take().unwrap(), &mut out).unwrap();
    let last = json(out.lines().last().unwrap());
    assert_eq!((&last["phase"], &last["cause"]), (&"aborted".into(), &"cancelled".into()), "{out}");
    wait_message(&observer, "hrvd/g/athlete/alex/event/check", "the event", |p| json(p)["event_type"] == "cancelled");
    let events: Vec<Value> = observer.payloads("hrvd/g/athlete/alex/event/check").iter().map(|p| json(p)).collect();
    assert_eq!(events.iter().map(|e| e["event_type"].as_str().unwrap()).collect::<Vec<_>>(), ["started", "cancelled"]);
    assert!(!manager.status().contains("check of"), "{}", manager.status());
}

// ---------------------------------------------------------------- what stands in the way of a start

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let home = Home::new();
    home.configure(mosquitto::free_port(), ALEX);
    let manager = Manager::listen(&home.path("notify"));
    let mut first = Program::supervised(&home, None, &manager, ms(30_000));
    manager.wait("READY=1");
    let second = home.run(&["run"]).ends(1);
    second.complains(&format!("another hrvd is running: it answers at {}", home.socket().display()));
    // the same database behind another socket
    let other = Home::new();
    let text = std::fs::read_to_string(home.config()).unwrap();
    let text = text.replace(home.socket().to_str().unwrap(), other.socket().to_str().unwrap());
    std::fs::write(other.config(), text).unwrap();
    other.run(&["run"]).ends(1).complains("is in use by another process");
    assert!(!other.socket().exists());
    assert!(first.is_running());
    assert_eq!(ask(&home, "{\"op\":\"status\"}")["type"], "status");
    assert_eq!(first.terminate().0.code(), Some(0));
}

#[test]
fn a_database_in_use_for_a_moment_is_waited_for() {
    let home = Home::new();
    home.configure(mosquitto::free_port(), ALEX);
    home.run(&["adopt", B, "--athlete", "kim"]).ends(0);
    // as an `hrvd adopt` holds it that found no daemon
    let journal = std::fs::File::create(home.path("hrvd.db.journal-raw")).unwrap();
    rustix::fs::flock(&journal, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut hrvd = Program::start(&home, None);
    hrvd.wait_log("starts");
    std::thread::sleep(ms(500));
    drop(journal);
    wait_for(
        SOON,
        "an answer",
        || hrvd.log(),
        || std::os::unix::net::UnixStream::connect(home.socket()).is_ok().then_some(()),
    );
    assert_eq!(ask(&home, "{\"op\":\"status\"}")["type"], "status");
    assert_eq!(hrvd.terminate().0.code(), Some(0));
}

#[test]
fn the_socket_of_a_dead_daemon_is_replaced_and_a_file_of_somebody_else_is_not() {
    let home = Home::new();
    home.configure(mosquitto::free_port(), ALEX);
    let mut first = Program::start(&home, None);
    wait_for(SOON, "the socket", || first.log(), || home.socket().exists().then_some(()));
    first.kill();
    assert!(home.socket().exists(), "left over");
    let mut second = Program::start(&home, None);
    second.wait_log("starts");
    wait_for(
        SOON,
        "an answer",
        || second.log(),
        || std::os::unix::net::UnixStream::connect(home.socket()).is_ok().then_some(()),
    );
    assert_eq!(second.terminate().0.code(), Some(0));
    // a path that was mistyped must not cost a file
    std::fs::write(home.socket(), "letters").unwrap();
    let said = home.run(&["run"]).ends(1);
    said.complains("cannot open the control socket").complains("not a socket");
    assert_eq!(std::fs::read_to_string(home.socket()).unwrap(), "letters");
}

#[test]
fn a_damaged_database_is_moved_aside_and_said() {
    let home = Home::new();
    home.configure(mosquitto::free_port(), ALEX);
    home.run(&["adopt", B, "--athlete", "kim"]).ends(0);
    let mut bytes = std::fs::read(home.db()).unwrap();
    for b in bytes.iter_mut().skip(200).take(6000) {
        *b = 0xa5;
    }
    std::fs::write(home.db(), &bytes).unwrap();
    let manager = Manager::listen(&home.path("notify"));
    let mut hrvd = Program::supervised(&home, None, &manager, ms(30_000));
    manager.wait("READY=1");
    hrvd.wait_log("the database was damaged (");
    let aside: Vec<_> = std::fs::read_dir(home.path(""))
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy() == "hrvd.db.corrupt-1")
        .collect();
    assert_eq!(aside.len(), 1, "kept: {:?}", std::fs::read_dir(home.path("")).unwrap().flatten().collect::<Vec<_>>());
    assert!(hrvd.log().contains(aside[0].path().to_str().unwrap()), "{}", hrvd.log());
    assert_eq!(std::fs::read(aside[0].path()).unwrap(), bytes);
    let said = home.run(&["adopt", B, "--athlete", "kim", "--json"]).ends(0);
    assert_eq!(said.objects()[0]["daemon"], true);
    assert_eq!(hrvd.terminate().0.code(), Some(0));
    home.run(&["export", "checks"]).ends(3);
}

#[test]
fn a_wrong_password_is_named_and_nothing_is_lost() {
    let broker = Mosquitto::start_with("allow_anonymous false\npassword_file {dir}/users\n", |dir| {
        mosquitto::add_user(&dir.join("users"), "hrvd", "right");
    });
    let home = Home::new();
    std::fs::write(home.path("password"), "wrong\n").unwrap();
    std::fs::set_permissions(home.path("password"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    home.configure(broker.port, &format!("username = \"hrvd\"\npassword_file = {:?}\n{ALEX}", home.path("password")));
    let manager = Manager::listen(&home.path("notify"));
    let mut hrvd = Program::supervised(&home, None, &manager, ms(30_000));
    manager.wait("READY=1");
    manager.wait_status("MQTT refused: ");
    hrvd.wait_log("ERROR");
    assert!(manager.status().contains("password"), "{}", manager.status());
    assert!(!hrvd.log().contains("wrong"), "a secret in the log: {}", hrvd.log());
    home.run(&["doctor"]).ends(1).says("fail  broker ").says("password");
    // asked slowly: nobody fills the broker's log
    std::thread::sleep(ms(2500));
    let refused = broker.log().matches("not authorised").count();
    assert!((1..=3).contains(&refused), "{refused}\n{}", broker.log());
    assert_eq!(hrvd.terminate().0.code(), Some(0));
    // corrected while it was down
    std::fs::write(home.path("password"), "right\n").unwrap();
    let observer = Observer::login(broker.port, Some(("hrvd", "right")));
    let _hrvd = Program::start(&home, None);
    observer.until_message("hrvd/g/status", "online");
}

// ---------------------------------------------------------------- a disk that takes nothing

/// Starts the program with a small disk of its own under the database, full from the start.
fn on_a_full_disk(home: &Home, bus: &str, log: &Path) -> Option<std::process::Child> {
    let root = rustix::process::geteuid().is_root();
    let wrap: &[&str] = if root { &["unshare", "--mount"] } else { &["unshare", "--mount", "--map-root-user"] };
    let disk = home.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let can = Command::new(wrap[0]).args(&wrap[1..]).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(&disk).output();
    match can {
        Ok(out) if out.status.success() => {}
        other if root => panic!("root cannot mount a tmpfs in a namespace: {other:?}"),
        other => {
            eprintln!("SKIPPED: this user may not mount a tmpfs: {other:?}");
            return None;
        }
    }
    let script = "mount -t tmpfs -o size=4m tmpfs \"$0\" && { head -c 8M /dev/zero > \"$0/fill\"; exec \"$@\"; }";
    let plain = home.hrvd(&["run"]);
    let mut command = Command::new(wrap[0]);
    command.args(&wrap[1..]).args(["sh", "-c", script]).arg(&disk).arg(plain.get_program()).args(plain.get_args());
    command.env("DBUS_SYSTEM_BUS_ADDRESS", bus).env("TZ", "UTC");
    let log = std::fs::File::create(log).unwrap();
    Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_full_disk_is_said_aloud_live_goes_on_and_all_is_written_once_there_is_room() {
    let fake = Arc::new(FakeBluez::start());
    fake.add_strap(A, "Strap 01");
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, ALEX);
    let text = std::fs::read_to_string(home.config()).unwrap();
    let text = text
        .replace(home.db().to_str().unwrap(), home.path("disk/hrvd.db").to_str().unwrap())
        .replace("[store]\n", "[store]\ncommit_interval = \"1s\"\n");
    std::fs::write(home.config(), text).unwrap();
    let log = home.path("log");
    let Some(child) = on_a_full_disk(&home, &fake.address(), &log) else { return };
    let child = Ends(child);
    let _worn = Worn::start(&fake, A);
    let read_log = || std::fs::read_to_string(&log).unwrap_or_default();
    wait_message(&observer, "hrvd/g/bridge", "the problem", |p| json(p)["store"] == "problem");
    let bridge = observer.payloads("hrvd/g/bridge");
    assert!(bridge.iter().any(|p| p.contains("no space left")), "{bridge:?}\n{}", read_log());
    wait_message(&observer, LIVE, "a heart rate", |p| json(p)["hr"].is_number());
    assert!(read_log().contains("nothing can be stored now, live values go on"), "{}", read_log());
    // room again: seen from outside through the process's own mounts
    let fill = format!("/proc/{}/root{}", child.0.id(), home.path("disk/fill").display());
    std::fs::remove_file(&fill).unwrap_or_else(|e| panic!("{fill}: {e}"));
    observer.clear();
    wait_message(&observer, "hrvd/g/bridge", "no problem", |p| json(p)["store"] == "ok");
    wait_for(SOON, "the log says so", read_log, || read_log().contains("all is written again").then_some(()));
}
