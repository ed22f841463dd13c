//! The whole daemon from outside: size, time to READY, memory, idle CPU, and how long a notification takes to a
//! subscriber. `cargo bench --bench daemon`; prints a table, asserts nothing.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// a measurement is the one place outside src/clock.rs that may look at the clock
#![allow(clippy::disallowed_methods)]

#[cfg(not(feature = "daemon"))]
fn main() {}

#[cfg(feature = "daemon")]
#[path = "../tests/common/mod.rs"]
mod common;
#[cfg(feature = "daemon")]
#[path = "../tests/common/mosquitto.rs"]
mod mosquitto;

#[cfg(feature = "daemon")]
fn main() {
    measure::run();
}

#[cfg(feature = "daemon")]
mod measure {
    use super::common::bluez::FakeBluez;
    use super::mosquitto::{Mosquitto, Observer};
    use std::fs;
    use std::os::unix::net::UnixDatagram;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    const STRAP: &str = "C0:FF:EE:00:00:01";
    const LIVE: &str = "hrvd/bench/athlete/alex/live";

    struct Daemon(Child);

    impl Drop for Daemon {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn config(port: u16, dir: &std::path::Path) -> String {
        format!(
            "[gateway]\nid = \"bench\"\n[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nlive_interval = \"1s\"\n\
             [store]\npath = \"{0}/hrvd.db\"\n[control]\nsocket = \"{0}/control.sock\"\n\
             [[athlete]]\nslug = \"alex\"\nauto_start = false\n[[strap]]\naddress = \"{STRAP}\"\nathlete = \"alex\"\n",
            dir.display()
        )
    }

    /// Starts the daemon and waits for READY=1.
    fn start(bus: &str, dir: &std::path::Path) -> (Daemon, Duration) {
        let path = dir.join("notify.sock");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let begin = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_hrvd"))
            .args(["run", "-q", "--config"])
            .arg(dir.join("hrvd.toml"))
            .env("DBUS_SYSTEM_BUS_ADDRESS", bus)
            .env("NOTIFY_SOCKET", &path)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let daemon = Daemon(child);
        let mut buffer = [0u8; 4096];
        loop {
            let n = socket.recv(&mut buffer).expect("no READY=1 within ten seconds");
            if String::from_utf8_lossy(&buffer[..n]).contains("READY=1") {
                return (daemon, begin.elapsed());
            }
        }
    }

    fn status(daemon: &Daemon, key: &str) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap();
        let line = text.lines().find(|l| l.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// User and system time so far, ms.
    fn cpu_ms(daemon: &Daemon) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", daemon.0.id())).unwrap();
        text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e6
    }

    fn quantile(sorted: &[f64], q: f64) -> f64 {
        sorted[((sorted.len() - 1) as f64 * q).round() as usize]
    }

    pub(super) fn run() {
        let seconds: u64 = std::env::var("BENCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
        let fake = FakeBluez::start();
        fake.add_strap(STRAP, "Bench strap");
        let broker = Mosquitto::open();
        let port = broker.port;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("hrvd.toml"), config(port, dir.path())).unwrap();

        let size = fs::metadata(env!("CARGO_BIN_EXE_hrvd")).unwrap().len() as f64 / 1e6;
        println!("binary                         {size:8.2} MB");

        let mut ready: Vec<f64> = (0..7).map(|_| start(&fake.address(), dir.path()).1.as_secs_f64() * 1e3).collect();
        ready.sort_by(f64::total_cmp);
        println!("start to READY=1, median of 7  {:8.1} ms", quantile(&ready, 0.5));

        let observer = Observer::new(port);
        let (daemon, _) = start(&fake.address(), dir.path());
        let packet = |i: u64| [0x10u8, 60 + (i % 20) as u8, 0x00, 0x03 + (i % 2) as u8];
        let deadline = Instant::now() + Duration::from_secs(30);
        while !fake.notify(STRAP, &packet(0)) {
            assert!(Instant::now() < deadline, "the strap was never subscribed");
            std::thread::sleep(Duration::from_millis(50));
        }
        observer.until("a live value", |seen| seen.iter().any(|m| m.topic == LIVE));
        observer.publish("hrvd/bench/athlete/alex/check/set", "start", false);
        std::thread::sleep(Duration::from_secs(1));

        let cpu = cpu_ms(&daemon);
        let begin = Instant::now();
        let mut latency = vec![];
        let mut i = 1;
        while begin.elapsed() < Duration::from_secs(seconds) {
            let before = observer.payloads(LIVE).len();
            let sent = Instant::now();
            fake.notify(STRAP, &packet(i));
            i += 1;
            while sent.elapsed() < Duration::from_millis(200) {
                if observer.payloads(LIVE).len() > before {
                    latency.push(sent.elapsed().as_secs_f64() * 1e3);
                    break;
                }
                std::thread::sleep(Duration::from_micros(50));
            }
            std::thread::sleep(Duration::from_millis(900).saturating_sub(sent.elapsed()));
        }
        let used = (cpu_ms(&daemon) - cpu) / begin.elapsed().as_secs_f64() / 10.0;
        latency.sort_by(f64::total_cmp);
        println!(
            "notification to subscriber     p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms (n = {})",
            quantile(&latency, 0.5),
            quantile(&latency, 0.9),
            quantile(&latency, 0.99),
            latency.len()
        );
        println!("CPU with a strap and a check   {used:8.3} %");
        println!(
            "memory (RSS), the same         {:8.2} MB, of it anonymous {:.2} MB, peak {:.2} MB",
            status(&daemon, "VmRSS"),
            status(&daemon, "RssAnon"),
            status(&daemon, "VmHWM")
        );
    }
}
