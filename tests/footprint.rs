//! What the daemon costs a small computer: memory, time to READY, idle processor time, and what it writes to its card.
//! Minutes of real time, so it runs only when asked: `scripts/footprint`. `HRVD_PROGRAM` names the program to measure.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
// a measurement may look at the clock
#![allow(clippy::disallowed_methods)]

#[path = "common/mod.rs"]
mod common;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use common::bluez::FakeBluez;
use mosquitto::{Mosquitto, Observer};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STRAP: &str = "C0:FF:EE:00:00:01";
const LIVE: &str = "hrvd/foot/athlete/alex/live";
const DAY_H: f64 = 24.0;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the kernel counts of a process.
#[derive(Clone, Copy)]
struct Seen {
    cpu_ms: f64,
    written: u64,
}

impl Daemon {
    /// Starts it and waits for READY=1. The database lies on `card`, the control socket in RAM, as in the service.
    fn start(bus: &str, port: u16, card: &Path, ram: &Path) -> (Self, Duration) {
        let config = format!(
            "[gateway]\nid = \"foot\"\n[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\n[store]\npath = \"{}/hrvd.db\"\n\
             [control]\nsocket = \"{}/control.sock\"\n[[athlete]]\nslug = \"alex\"\nauto_start = false\n\
             [[strap]]\naddress = \"{STRAP}\"\nathlete = \"alex\"\n",
            card.display(),
            ram.display()
        );
        fs::write(ram.join("hrvd.toml"), config).unwrap();
        let path = ram.join("notify.sock");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let program = std::env::var("HRVD_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_hrvd").into());
        let begin = Instant::now();
        let mut command = Command::new(program);
        command.args(["run", "-q", "--config"]).arg(ram.join("hrvd.toml")).stdin(Stdio::null());
        command.env("DBUS_SYSTEM_BUS_ADDRESS", bus).env("NOTIFY_SOCKET", &path).env_remove("HRVD_PROGRAM");
        let daemon = Self(command.spawn().unwrap());
        let mut buffer = [0u8; 4096];
        loop {
            let n = socket.recv(&mut buffer).expect("no READY=1");
            if String::from_utf8_lossy(&buffer[..n]).contains("READY=1") {
                return (daemon, begin.elapsed());
            }
        }
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0.id())).unwrap()
    }

    fn status_mb(&self, key: &str) -> f64 {
        let text = self.file("status");
        let line = text.lines().find(|l| l.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    /// Of all its threads.
    fn seen(&self) -> Seen {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let of = |path: std::path::PathBuf| fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        let ns =
            tasks.map(|t| of(t.unwrap().path()).split_whitespace().next().map_or(0.0, |n| n.parse::<f64>().unwrap()));
        let cpu_ms = ns.sum::<f64>() / 1e6;
        let io = self.file("io");
        let written = io.lines().find_map(|l| l.strip_prefix("write_bytes: ")).unwrap().parse().unwrap();
        Seen { cpu_ms, written }
    }

    /// Lives for a while with strace beside it, or without if there is none; tells what it cost. The calls are those that
    /// push data to the card; strace itself costs processor time, so it is not there when that is measured.
    fn watch(&self, traced: bool, live: impl FnOnce()) -> (Seen, Option<usize>, f64) {
        let log = tempfile::NamedTempFile::new().unwrap();
        let calls = "trace=fsync,fdatasync,sync_file_range,syncfs,sync,msync";
        let mut strace = traced.then(|| {
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-e", calls, "-e", "signal=none", "-p", &self.0.id().to_string(), "-o"]);
            command.arg(log.path()).spawn().expect("strace runs")
        });
        let (before, begin) = (self.seen(), Instant::now());
        live();
        let (after, seconds) = (self.seen(), begin.elapsed().as_secs_f64());
        let pushed = strace.as_mut().map(|strace| {
            // it lets the daemon go on its own end
            let _ = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
            let _ = strace.wait();
            fs::read_to_string(log.path()).unwrap().lines().filter(|l| l.contains("sync")).count()
        });
        (Seen { cpu_ms: after.cpu_ms - before.cpu_ms, written: after.written - before.written }, pushed, seconds)
    }
}

fn packet(i: u64) -> [u8; 4] {
    [0x10, 60 + (i % 20) as u8, 0x00, 0x03 + (i % 2) as u8]
}

/// A heart beating once a second.
fn beat(fake: &FakeBluez, time: Duration) {
    let begin = Instant::now();
    let mut i = 0;
    while begin.elapsed() < time {
        fake.notify(STRAP, &packet(i));
        i += 1;
        std::thread::sleep((Duration::from_secs(1) * i as u32).saturating_sub(begin.elapsed()));
    }
}

fn day(what: u64, seconds: f64) -> f64 {
    what as f64 / seconds * 3600.0 * DAY_H
}

#[test]
#[ignore = "takes minutes of real time: scripts/footprint"]
fn what_the_daemon_costs() {
    let seconds = std::env::var("FOOTPRINT_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(300);
    let time = Duration::from_secs(seconds);
    let fake = FakeBluez::start();
    fake.add_strap(STRAP, "Strap");
    let broker = Mosquitto::open();
    let ram = tempfile::tempdir_in("/dev/shm").unwrap();
    // beside the sources: a real file system, where /tmp may be none
    let card = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let start = || Daemon::start(&fake.address(), broker.port, card.path(), ram.path());

    let mut ready: Vec<f64> = (0..9).map(|_| start().1.as_secs_f64() * 1e3).collect();
    ready.sort_by(f64::total_cmp);
    println!("start to READY                 best {:.1} ms, median {:.1} ms of 9", ready[0], ready[4]);

    let observer = Observer::new(broker.port);
    let (daemon, _) = start();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !fake.notify(STRAP, &packet(0)) {
        assert!(Instant::now() < deadline, "the strap was never subscribed");
        std::thread::sleep(Duration::from_millis(50));
    }
    observer.until("a live value", |seen| seen.iter().any(|m| m.topic == LIVE));
    let (worn, pushed, s) = daemon.watch(true, || beat(&fake, time));
    println!(
        "worn, {s:.0} s                     {} bytes, {} syncs; a day of {DAY_H:.0} h: {:.2} MB, {:.0} syncs",
        worn.written,
        pushed.unwrap(),
        day(worn.written, s) / 1e6,
        day(pushed.unwrap() as u64, s)
    );
    observer.publish("hrvd/foot/athlete/alex/check/set", "start", false);
    let (check, _, s) = daemon.watch(false, || beat(&fake, time.min(Duration::from_secs(120))));
    let rss = daemon.status_mb("VmRSS");
    println!("processor, worn, with a check  {:.3} %", check.cpu_ms / s / 10.0);
    println!("memory, the same               {rss:.2} MB, of it anonymous {:.2} MB", daemon.status_mb("RssAnon"));
    // what is under way would go on after the restart, once a second
    observer.publish("hrvd/foot/athlete/alex/check/set", "cancel", false);
    observer.until("the end of the check", |seen| {
        seen.iter().any(|m| m.topic == "hrvd/foot/athlete/alex/check" && m.payload.contains("aborted"))
    });
    drop(daemon);

    // The usual idle day: the strap lies in its drawer and is looked for in bursts.
    fake.vanish(STRAP, Duration::ZERO);
    let before = fake.count("StartDiscovery");
    let (daemon, _) = start();
    std::thread::sleep(Duration::from_secs(20)); // what starting costs is over
    let (drawer, _, s) = daemon.watch(false, || std::thread::sleep(time));
    println!("drawer, {s:.0} s                   {:.4} % processor", drawer.cpu_ms / s / 10.0);
    // a neighbour's strap is worn all day and heard five times a second
    fake.add_strap("C0:FF:EE:00:00:02", "Neighbour");
    let (heard, _, s) = daemon.watch(false, || std::thread::sleep(time));
    println!("drawer, a neighbour near, {s:.0} s {:.4} % processor", heard.cpu_ms / s / 10.0);
    let (drawer_io, drawer_pushed, s) = daemon.watch(true, || std::thread::sleep(time));
    println!("drawer, {s:.0} s                   {} bytes, {} syncs", drawer_io.written, drawer_pushed.unwrap());
    let bursts = fake.count("StartDiscovery") - before;
    println!("drawer, all of it              {bursts} bursts of scanning");

    assert!(bursts > 0, "a strap in a drawer is looked for");
    assert_eq!(
        (drawer_io.written, drawer_pushed.unwrap()),
        (0, 0),
        "a day with the strap in its drawer writes nothing"
    );
    // a short run is a look beside other work: what is written is judged, memory is told, and time says nothing
    if seconds < 60 {
        return;
    }
    assert!(ready[0] <= 50.0, "the best of nine starts took {} ms", ready[0]);

    // Nobody is looked for: the strap is let go until tomorrow.
    let release = Command::new(std::env::var("HRVD_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_hrvd").into()))
        .args(["release", STRAP, "--minutes", "1440", "--config"])
        .arg(ram.path().join("hrvd.toml"))
        .env_remove("HRVD_PROGRAM")
        .status();
    assert!(release.unwrap().success(), "the strap is let go");
    std::thread::sleep(Duration::from_secs(20)); // that it was let go is written
    let (idle, _, s) = daemon.watch(false, || std::thread::sleep(time));
    println!("released, {s:.0} s                 {:.4} % processor", idle.cpu_ms / s / 10.0);
    let (idle_io, idle_pushed, s) = daemon.watch(true, || std::thread::sleep(time));
    println!("released, {s:.0} s                 {} bytes, {} syncs", idle_io.written, idle_pushed.unwrap());
    assert_eq!((idle_io.written, idle_pushed.unwrap()), (0, 0), "an idle day writes nothing");
    assert!(rss <= 12.0, "memory: {rss} MB");
}
