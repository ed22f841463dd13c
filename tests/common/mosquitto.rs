//! A private mosquitto broker on a free loopback port, and a small observer that speaks MQTT 3.1.1 by itself: what the
//! tests see does not come through the client library under test.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn program(name: &str) -> PathBuf {
    // another version than the machine's own
    if let Some(other) = std::env::var_os("MOSQUITTO").filter(|_| name == "mosquitto") {
        return other.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into(), "/usr/local/sbin".into()]);
    let found = dirs.map(|d: PathBuf| d.join(name)).find(|p| p.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing; install the package 'mosquitto' (scripts/test does)"))
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A broker of our own. Without persistence: each start begins with nothing.
pub struct Mosquitto {
    child: Option<Child>,
    dir: tempfile::TempDir,
    /// Port of the plain listener.
    pub port: u16,
}

impl Mosquitto {
    /// Anybody may do anything.
    pub fn open() -> Self {
        Self::start("allow_anonymous true\n")
    }

    /// A plain listener and these settings; `{dir}` in them is the broker's directory.
    pub fn start(settings: &str) -> Self {
        Self::start_with(settings, |_| {})
    }

    /// The same, with files put into the directory first.
    pub fn start_with(settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let settings = settings.replace("{dir}", dir.path().to_str().unwrap());
        let mut broker = Self { child: None, dir, port: 0 };
        // A free port may be taken by somebody else before the broker has it.
        for _ in 0..10 {
            broker.port = free_port();
            let listener = format!("listener {} 127.0.0.1", broker.port);
            // Started by root, mosquitto would change to a user that cannot read our files; else it ignores the line.
            let user = if settings.starts_with("user ") { "" } else { "user root\n" };
            let conf = format!("{user}persistence false\nlog_dest stderr\n{listener}\n{settings}");
            std::fs::write(broker.dir().join("mosquitto.conf"), conf).unwrap();
            if broker.try_run() {
                return broker;
            }
        }
        panic!("mosquitto does not start:\n{}", broker.log());
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the stopped broker again.
    pub fn run(&mut self) {
        assert!(self.try_run(), "mosquitto does not start:\n{}", self.log());
    }

    fn try_run(&mut self) -> bool {
        let starts = |log: String| log.matches(" running").count();
        let before = starts(self.log());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir().join("log")).unwrap();
        let mut command = Command::new(program("mosquitto"));
        command.arg("-c").arg(self.dir().join("mosquitto.conf")).stdin(Stdio::null());
        let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        for _ in 0..1000 {
            // It says so once it has the port. That somebody answers there proves nothing: another test's broker may.
            let answers = starts(self.log()) > before && TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if answers {
                self.child = Some(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().expect("the broker runs").id();
        kill_process(Pid::from_raw(id as i32).unwrap(), signal).unwrap();
    }

    /// Ends it without a word (SIGKILL); retained messages are gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It keeps its sockets and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Reads passwords and access rules again.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // SIGKILL also ends a frozen process.
        self.kill();
    }
}

/// A way to a broker that can be barred, so that a test decides who comes first after an outage.
pub struct Gate {
    open: Arc<AtomicBool>,
    /// Where to knock.
    pub port: u16,
}

impl Gate {
    /// An open one.
    pub fn before(broker: &Mosquitto) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (open, port, target) =
            (Arc::new(AtomicBool::new(true)), listener.local_addr().unwrap().port(), broker.port);
        let way = Arc::clone(&open);
        std::thread::spawn(move || {
            for from in listener.incoming() {
                let Ok(from) = from else { return };
                if !way.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(to) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for (mut a, mut b) in
                    [(&from, &to), (&to, &from)].map(|(a, b)| (a.try_clone().unwrap(), b.try_clone().unwrap()))
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut a, &mut b);
                        let _ = b.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Self { open, port }
    }

    /// Whoever comes from now on is turned away; who is inside stays.
    pub fn bar(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    pub fn unbar(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

/// Adds a user to a password file.
pub fn add_user(path: &Path, user: &str, password: &str) {
    let mut command = Command::new(program("mosquitto_passwd"));
    command.arg("-b");
    if !path.exists() {
        command.arg("-c");
    }
    assert!(command.arg(path).args([user, password]).status().unwrap().success());
    private(path);
}

/// Writes an access rules file.
pub fn write_rules(path: &Path, rules: &str) {
    std::fs::write(path, rules).unwrap();
    private(path);
}

fn private(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A message as the broker delivered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub topic: String,
    pub payload: String,
    pub retained: bool,
    pub qos: u8,
}

/// Listens to everything and can publish.
pub struct Observer {
    stream: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
}

fn text(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u16).to_be_bytes());
    out.extend(s.as_bytes());
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut n = body.len();
    loop {
        let byte = (n % 128) as u8;
        n /= 128;
        out.push(if n > 0 { byte | 0x80 } else { byte });
        if n == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

pub fn read_packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let kind = byte[0];
    let (mut n, mut shift) = (0usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        n |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; n];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

impl Observer {
    pub fn new(port: u16) -> Self {
        Self::login(port, None)
    }

    pub fn login(port: u16, login: Option<(&str, &str)>) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        body.extend([4, if login.is_some() { 0xc2 } else { 0x02 }, 0, 0]);
        text(&mut body, "");
        if let Some((user, password)) = login {
            text(&mut body, user);
            text(&mut body, password);
        }
        stream.write_all(&packet(0x10, &body)).unwrap();
        let (kind, body) = read_packet(&mut stream).unwrap();
        assert_eq!((kind, body[1]), (0x20, 0), "the broker refuses the observer");
        let mut body = vec![0, 1];
        text(&mut body, "#");
        body.push(1);
        stream.write_all(&packet(0x82, &body)).unwrap();
        assert_eq!(read_packet(&mut stream).unwrap().0, 0x90);
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, mut reader) = (Arc::clone(&seen), stream.try_clone().unwrap());
        std::thread::spawn(move || {
            while let Ok((kind, body)) = read_packet(&mut reader) {
                if kind & 0xf0 != 0x30 {
                    continue;
                }
                let n = usize::from(u16::from_be_bytes([body[0], body[1]]));
                let qos = (kind >> 1) & 3;
                let start = 2 + n + if qos > 0 { 2 } else { 0 };
                if qos > 0 && reader.write_all(&[0x40, 2, body[2 + n], body[3 + n]]).is_err() {
                    return;
                }
                log.lock().unwrap().push(Seen {
                    topic: String::from_utf8_lossy(&body[2..2 + n]).into_owned(),
                    payload: String::from_utf8_lossy(&body[start..]).into_owned(),
                    retained: kind & 1 == 1,
                    qos,
                });
            }
        });
        Self { stream, seen }
    }

    pub fn publish(&self, topic: &str, payload: &str, retain: bool) {
        let mut body = Vec::new();
        text(&mut body, topic);
        body.extend(payload.as_bytes());
        (&self.stream).write_all(&packet(0x30 | u8::from(retain), &body)).unwrap();
    }

    /// At QoS 1: a broker keeps it for sessions that are away.
    pub fn publish_acked(&self, topic: &str, payload: &str) {
        let mut body = Vec::new();
        text(&mut body, topic);
        body.extend([0, 7]);
        body.extend(payload.as_bytes());
        (&self.stream).write_all(&packet(0x32, &body)).unwrap();
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn payloads(&self, topic: &str) -> Vec<String> {
        self.seen().into_iter().filter(|s| s.topic == topic).map(|s| s.payload).collect()
    }

    pub fn clear(&self) {
        self.seen.lock().unwrap().clear();
    }

    /// Waits until something was seen.
    pub fn until(&self, what: &str, mut done: impl FnMut(&[Seen]) -> bool) -> Vec<Seen> {
        for _ in 0..2000 {
            let seen = self.seen();
            if done(&seen) {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("not seen within 40 s: {what}\nseen: {:#?}", self.seen());
    }

    /// Waits for a message.
    pub fn until_message(&self, topic: &str, payload: &str) -> Vec<Seen> {
        self.until(&format!("{topic} {payload}"), |all| all.iter().any(|s| s.topic == topic && s.payload == payload))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// What the broker keeps now, asked by a new observer.
pub fn retained(port: u16) -> Vec<Seen> {
    let observer = Observer::new(port);
    // A message of our own ends the wait: the broker sends retained ones first.
    observer.publish("test/end", "", false);
    let seen = observer.until("the end of retained messages", |all| all.iter().any(|s| s.topic == "test/end"));
    seen.into_iter().filter(|s| s.retained).collect()
}
