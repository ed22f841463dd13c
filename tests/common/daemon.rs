//! The daemon in tests: as the program that people start, or inside the test's process on a clock that runs faster.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Real time is needed to wait for other processes.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}

/// Polls until it holds; panics with `what` and `context` if it does not in time.
pub fn wait_for<T>(
    limit: Duration,
    what: &str,
    context: impl Fn() -> String,
    mut poll: impl FnMut() -> Option<T>,
) -> T {
    let deadline = now() + limit;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(now() < deadline, "not within {limit:?}: {what}\n{}", context());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Enough for a start, a scan or a reconnect on a machine that is busy with other things.
pub const SOON: Duration = Duration::from_secs(90);

/// A folder with configuration, database and socket.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn db(&self) -> PathBuf {
        self.path("hrvd.db")
    }
    pub fn socket(&self) -> PathBuf {
        self.path("control.sock")
    }
    pub fn config(&self) -> PathBuf {
        self.path("hrvd.toml")
    }

    /// Writes a configuration: everything lives here, the broker is on loopback; `more` is appended.
    pub fn configure(&self, port: u16, more: &str) -> &Self {
        let text = format!(
            "[gateway]\nid = \"g\"\n[store]\npath = {:?}\n[control]\nsocket = {:?}\n\
             [bluetooth]\nscan_on = \"2s\"\nscan_off = \"1s\"\nsilence = \"2s\"\n\
             [mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nlive_interval = \"1s\"\n{more}\n",
            self.db(),
            self.socket()
        );
        std::fs::write(self.config(), text).unwrap();
        self
    }

    /// The program with this configuration; nothing of the surrounding machine reaches it.
    pub fn hrvd(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.arg("--config").arg(self.config()).args(args);
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        Said::of(self.hrvd(args))
    }
}

/// The program without the variables of the test's surroundings. No system bus unless one is named.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hrvd"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HRVD_") || ["NO_COLOR", "NOTIFY_SOCKET", "JOURNAL_STREAM"].contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus").env("TZ", "UTC");
    command.stdin(Stdio::null());
    command
}

/// What a finished program said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (out, err) = (reader(child.stdout.take().unwrap()), reader(child.stderr.take().unwrap()));
        let deadline = now() + Duration::from_secs(60);
        let mut code = child.try_wait().unwrap();
        while code.is_none() && now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            code = child.try_wait().unwrap();
        }
        // one that does not end is ended, and shows as one without a code
        let _ = child.kill();
        let _ = child.wait();
        Self { code: code.and_then(|c| c.code()), out: out.join().unwrap(), err: err.join().unwrap() }
    }

    /// The ends of both streams.
    fn tail(&self) -> String {
        let last = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        };
        format!("stdout:\n{}\nstderr:\n{}", last(&self.out), last(&self.err))
    }

    /// Ended with this code, without a panic.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.tail());
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    #[track_caller]
    pub fn says(self, needle: &str) -> Self {
        assert!(self.out.contains(needle), "stdout lacks {needle:?}\n{}", self.tail());
        self
    }

    #[track_caller]
    pub fn complains(self, needle: &str) -> Self {
        assert!(self.err.contains(needle), "stderr lacks {needle:?}\n{}", self.tail());
        self
    }

    /// Standard output as JSON objects, one a line.
    #[track_caller]
    pub fn objects(&self) -> Vec<serde_json::Value> {
        self.out
            .lines()
            .map(|l| {
                let v: serde_json::Value = serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"));
                assert!(v.is_object(), "{l}");
                v
            })
            .collect()
    }
}

fn reader(mut stream: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = vec![];
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("text")
    })
}

/// `hrvd run` in a process of its own.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `hrvd run`; `system_bus` is the address of a private bus.
    pub fn start(home: &Home, system_bus: Option<&str>) -> Self {
        Self::start_with(home, system_bus, |_| {})
    }

    pub fn start_with(home: &Home, system_bus: Option<&str>, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = home.hrvd(&["run"]);
        if let Some(address) = system_bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
        }
        change(&mut command);
        Self::spawn(home, command)
    }

    /// Under a service manager that wants a ping every `watchdog`. The manager names the process it watches, which
    /// only a shell can know before the program is there.
    pub fn supervised(home: &Home, system_bus: Option<&str>, manager: &Manager, watchdog: Duration) -> Self {
        let plain = home.hrvd(&["run"]);
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg("WATCHDOG_PID=$$ exec \"$@\"").arg("sh").arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        if let Some(address) = system_bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
        }
        Self::spawn(home, command)
    }

    fn spawn(home: &Home, mut command: Command) -> Self {
        let log = home.path("log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().expect("hrvd starts");
        Self { child, log }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn wait_log(&self, needle: &str) {
        wait_for(SOON, &format!("log line {needle:?}"), || self.log(), || self.log().contains(needle).then_some(()));
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), signal).unwrap();
    }

    /// SIGTERM; how it ended and how long that took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let asked = now();
        self.signal(Signal::TERM);
        let status = self.wait(Duration::from_secs(30));
        (status, now() - asked)
    }

    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let log = self.log.clone();
        let context = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_for(limit, "hrvd ends", context, || self.child.try_wait().unwrap())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The service manager's end of the notification socket.
pub struct Manager {
    pub path: PathBuf,
    said: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    pub fn listen(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&said);
        // ends with the test's process; nobody else reads this socket
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                log.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        Self { path: path.to_owned(), said }
    }

    /// All that was said, a line each.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    pub fn count(&self, line: &str) -> usize {
        self.said().iter().filter(|l| *l == line).count()
    }

    /// Waits for a line with this in it.
    pub fn wait(&self, needle: &str) {
        wait_for(
            SOON,
            &format!("{needle:?} to the service manager"),
            || self.said().join("\n"),
            || self.said().iter().any(|l| l.contains(needle)).then_some(()),
        );
    }

    /// The newest status line.
    pub fn status(&self) -> String {
        self.said().iter().rev().find_map(|l| l.strip_prefix("STATUS=").map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until the newest status line holds this.
    pub fn wait_status(&self, needle: &str) {
        wait_for(
            SOON,
            &format!("status with {needle:?}"),
            || self.said().join("\n"),
            || self.status().contains(needle).then_some(()),
        );
    }
}
