//! The process under test and the harness that reads it.

use super::common::bluez::FakeBluez;
use hrvd::ble::arbiter::ArbiterConfig;
use hrvd::ble::{BleConfig, ScanOptions, Status, probe, scan, spawn};
use hrvd::clock::{Clock, ClockTrust};
use hrvd::engine::Input;
use hrvd::units::StrapId;
use std::io::{BufRead, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The child's own times, short so that a test is.
pub const SCAN_ON: Duration = Duration::from_secs(2);
pub const SCAN_OFF: Duration = Duration::from_millis(500);
pub const SILENCE: Duration = Duration::from_secs(2);
/// The child says so often that it got on. Counted by that, time stands still while it gets none of the processor.
pub const TICK: Duration = Duration::from_millis(100);

const MODE: &str = "HRVD_TEST_BLE_CHILD";

pub fn mono_micros() -> u64 {
    Clock::system(ClockTrust::Auto).mono().as_micros()
}

// ---------------------------------------------------------------- the child

/// The child's whole life; returns at once in any other process.
pub fn main() {
    let Ok(mode) = std::env::var(MODE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::var("HRVD_TEST_LOG").is_ok() {
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::stderr).init();
    }
    runtime.block_on(async {
        match mode.as_str() {
            "run" => run().await,
            "scan" => look_around().await,
            "probe" => say(&format!("{:?}", probe().await)),
            other => panic!("unknown mode {other}"),
        }
    });
    drop(runtime);
    std::process::exit(0);
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{text}").unwrap();
    out.flush().unwrap();
}

async fn look_around() {
    let options = ScanOptions { adapter: None, all: false, power_on: false, duration: Duration::from_secs(1) };
    match scan(options, Clock::system(ClockTrust::Auto)).await {
        Ok(mut adverts) => {
            while let Some(advert) = adverts.recv().await {
                say(&format!("{advert:?}"));
            }
        }
        Err(e) => say(&format!("{e:?}")),
    }
}

fn straps(list: &str) -> Vec<StrapId> {
    list.split(',').filter(|s| !s.is_empty()).map(|s| s.parse().unwrap()).collect()
}

fn say_input(clock: &Clock, at: u64, input: &Input) {
    match input {
        Input::Packet { strap, bytes } => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            say(&format!("PACKET {strap} {at} {} .{hex}", clock.mono().as_micros()));
        }
        Input::Link { strap, state } => say(&format!("LINK {strap} {}", state.as_str())),
        Input::Facts { strap, facts } => say(&format!("FACTS {strap} {facts:?}")),
        other => panic!("unexpected {other:?}"),
    }
}

async fn run() {
    let clock = Clock::system(ClockTrust::Auto);
    let mut machine = ArbiterConfig {
        power_on: std::env::var("HRVD_TEST_POWER_ON").is_ok(),
        scan_on: SCAN_ON,
        scan_off: SCAN_OFF,
        ..ArbiterConfig::default()
    };
    machine.link.silence = SILENCE;
    let (wanted_tx, wanted) = tokio::sync::watch::channel(straps(&std::env::var("HRVD_TEST_WANTED").unwrap()));
    let (tx, mut rx) = tokio::sync::mpsc::channel(256);
    let cancel = CancellationToken::new();
    let adapter = std::env::var("HRVD_TEST_ADAPTER").ok();
    let mut handle = spawn(BleConfig { adapter, machine }, wanted, tx, clock.clone(), cancel.clone());
    let mut status = handle.status();
    let (commands_tx, mut commands) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if commands_tx.send(line).is_err() {
                break;
            }
        }
    });
    let mut last = Status::default();
    let tasks = tokio::runtime::Handle::current().metrics();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            Some((now, input)) = rx.recv() => say_input(&clock, now.mono.as_micros(), &input),
            Ok(()) = status.changed() => {
                let new = status.borrow_and_update().clone();
                if new != last {
                    say(&format!("STATUS {new:?}"));
                    last = new;
                }
            }
            Some(command) = commands.recv() => match command.split_once(' ') {
                Some(("wanted", list)) => drop(wanted_tx.send(straps(list))),
                _ => cancel.cancel(),
            },
            exit = handle.join() => {
                say(&format!("EXIT {exit:?}"));
                return;
            }
            _ = tick.tick() => say(&format!("TICK {}", tasks.num_alive_tasks())),
        }
    }
}

// ---------------------------------------------------------------- the harness

#[derive(Clone, Debug)]
pub enum Line {
    Link {
        strap: String,
        state: String,
    },
    Packet {
        strap: String,
        stamped: u64,
        queued: u64,
        bytes: Vec<u8>,
    },
    Facts {
        text: String,
    },
    Status(String),
    /// The child got on; so many tasks live in it.
    Tick(usize),
    Exit(String),
}

fn parse(line: &str) -> Option<Line> {
    let (word, rest) = line.split_once(' ')?;
    let mut parts = rest.split(' ').map(str::to_owned);
    Some(match word {
        "@LINK" => Line::Link { strap: parts.next()?, state: parts.next()? },
        "@PACKET" => Line::Packet {
            strap: parts.next()?,
            stamped: parts.next()?.parse().ok()?,
            queued: parts.next()?.parse().ok()?,
            bytes: {
                let hex = parts.next()?;
                let hex = hex.strip_prefix('.')?;
                (0..hex.len() / 2)
                    .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16))
                    .collect::<Result<_, _>>()
                    .ok()?
            },
        },
        "@FACTS" => Line::Facts { text: rest.to_owned() },
        "@STATUS" => Line::Status(rest.to_owned()),
        "@TICK" => Line::Tick(rest.parse().ok()?),
        "@EXIT" => Line::Exit(rest.to_owned()),
        _ => return None,
    })
}

#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<(Instant, Line)>, bool)>,
    more: Condvar,
}

pub struct Builder {
    command: Command,
}

impl Builder {
    pub fn wanted(mut self, straps: &[&str]) -> Self {
        self.command.env("HRVD_TEST_WANTED", straps.join(","));
        self
    }
    pub fn adapter(mut self, name_or_address: &str) -> Self {
        self.command.env("HRVD_TEST_ADAPTER", name_or_address);
        self
    }
    pub fn power_on(mut self) -> Self {
        self.command.env("HRVD_TEST_POWER_ON", "1");
        self
    }
    pub fn start(mut self) -> Daemon {
        let mut child =
            self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this test binary, once more");
        let stdin = child.stdin.take().unwrap();
        let stdout = child.stdout.take().unwrap();
        let log: Arc<Log> = Arc::default();
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(line) = parse(&line) {
                    writer.lines.lock().unwrap().0.push((now(), line));
                    writer.more.notify_all();
                }
            }
            writer.lines.lock().unwrap().1 = true;
            writer.more.notify_all();
        });
        Daemon { child, stdin, log }
    }
}

#[allow(clippy::disallowed_methods)] // a harness lives in real time
fn now() -> Instant {
    Instant::now()
}

/// A point in the log.
#[derive(Clone, Copy)]
pub struct Mark(usize);

/// The process under test.
pub struct Daemon {
    child: Child,
    stdin: ChildStdin,
    log: Arc<Log>,
}

impl Daemon {
    fn command(fake: &FakeBluez, mode: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_main", "--nocapture", "--test-threads=1"]);
        command.env(MODE, mode).env("DBUS_SYSTEM_BUS_ADDRESS", fake.address());
        command
    }

    pub fn builder(fake: &FakeBluez) -> Builder {
        Builder { command: Self::command(fake, "run") }
    }

    /// Runs one of the other modes to its end.
    pub fn run_once(fake: &FakeBluez, mode: &str) -> String {
        let out = Self::command(fake, mode).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).lines().filter(|l| l.starts_with('@')).collect::<Vec<_>>().join("\n")
    }

    pub fn tell(&mut self, text: &str) {
        writeln!(self.stdin, "{text}").unwrap();
    }

    pub fn mark(&self) -> Mark {
        Mark(self.log.lines.lock().unwrap().0.len())
    }

    pub fn is_alive(&self) -> bool {
        !self.log.lines.lock().unwrap().1
    }

    /// Waits until `done` says so of the log from `mark` on.
    fn wait_log<R>(&self, limit: Duration, what: &str, done: impl Fn(&[(Instant, Line)]) -> Option<R>) -> R {
        let deadline = now() + limit;
        let mut log = self.log.lines.lock().unwrap();
        loop {
            if let Some(r) = done(&log.0) {
                return r;
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() || log.1 {
                let tail: Vec<String> = log.0.iter().rev().take(12).rev().map(|(_, l)| format!("{l:?}")).collect();
                panic!("no {what} within {limit:?} (ended: {}); the log ends with\n{}", log.1, tail.join("\n"));
            }
            log = self.log.more.wait_timeout(log, left).unwrap().0;
        }
    }

    pub fn wait(&self, limit: Duration, what: &str, is: impl Fn(&Line) -> bool) {
        self.wait_log(limit, what, |log| log.iter().any(|(_, l)| is(l)).then_some(()));
    }

    pub fn wait_state(&self, strap: &str, state: &str, limit: Duration) {
        self.wait_state_since(Mark(0), strap, state, limit);
    }

    pub fn wait_state_since(&self, mark: Mark, strap: &str, state: &str, limit: Duration) {
        self.wait_log(limit, &format!("state {state} of {strap}"), |log| {
            log[mark.0..]
                .iter()
                .any(|(_, l)| matches!(l, Line::Link { strap: s, state: t } if s == strap && t == state))
                .then_some(())
        });
    }

    pub fn wait_packets(&self, strap: &str, n: usize, limit: Duration) {
        self.wait_log(limit, &format!("{n} packets of {strap}"), |log| {
            (log.iter().filter(|(_, l)| matches!(l, Line::Packet { strap: s, .. } if s == strap)).count() >= n)
                .then_some(())
        });
    }

    /// Waits until the fake was called so often.
    pub fn wait_calls(&self, fake: &FakeBluez, call: &str, n: usize, limit: Duration) {
        self.wait_until(limit, &format!("{call}, {n} times"), || fake.count(call) >= n);
    }

    /// Waits until the child got on so many times.
    fn wait_ticks(&self, n: usize) {
        let mark = self.mark();
        let ended = |log: &[(Instant, Line)]| log.iter().any(|(_, l)| matches!(l, Line::Exit(_)));
        self.wait_log(Duration::from_secs(90), "sign of life", |log| {
            let ticks = log[mark.0..].iter().filter(|(_, l)| matches!(l, Line::Tick(_))).count();
            (ticks >= n || ended(log)).then_some(())
        });
    }

    /// Waits for something that is not in the log.
    pub fn wait_until(&self, limit: Duration, what: &str, done: impl Fn() -> bool) {
        let deadline = now() + limit;
        while !done() {
            assert!(now() < deadline, "no {what} within {limit:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the log has such a line by now.
    pub fn has(&self, is: impl Fn(&Line) -> bool) -> bool {
        self.log.lines.lock().unwrap().0.iter().any(|(_, l)| is(l))
    }

    pub fn states(&self, strap: &str) -> Vec<String> {
        self.states_since(Mark(0), strap)
    }

    pub fn states_since(&self, mark: Mark, strap: &str) -> Vec<String> {
        let log = self.log.lines.lock().unwrap();
        log.0[mark.0..]
            .iter()
            .filter_map(|(_, l)| match l {
                Line::Link { strap: s, state } if s == strap => Some(state.clone()),
                _ => None,
            })
            .collect()
    }

    pub fn packets(&self, strap: &str) -> Vec<Vec<u8>> {
        let log = self.log.lines.lock().unwrap();
        log.0
            .iter()
            .filter_map(|(_, l)| match l {
                Line::Packet { strap: s, bytes, .. } if s == strap => Some(bytes.clone()),
                _ => None,
            })
            .collect()
    }

    /// Arrival stamp and moment of leaving the queue, in us since boot.
    pub fn arrivals(&self, strap: &str) -> Vec<(u64, u64)> {
        let log = self.log.lines.lock().unwrap();
        log.0
            .iter()
            .filter_map(|(_, l)| match l {
                Line::Packet { strap: s, stamped, queued, .. } if s == strap => Some((*stamped, *queued)),
                _ => None,
            })
            .collect()
    }

    /// Data has to flow again soon after `mark`, or after the strap was told as down if it was up then: how soon, by the
    /// child's own time.
    pub fn again_within(&self, limit: Duration, mark: Mark, strap: &str) -> Duration {
        let state = |l: &Line| match l {
            Line::Link { strap: s, state } if s == strap => Some(state == "connected"),
            _ => None,
        };
        let real = limit * 3 + Duration::from_secs(60);
        let (ticks, told) = self.wait_log(real, &format!("data of {strap} again"), |log| {
            let was_up = log[..mark.0].iter().rev().find_map(|(_, l)| state(l)) == Some(true);
            let skip = if was_up { log[mark.0..].iter().position(|(_, l)| state(l) == Some(false))? } else { 0 };
            let rest = &log[mark.0 + skip..];
            let first = rest.iter().position(|(_, l)| matches!(l, Line::Packet { strap: s, .. } if s == strap))?;
            let ticks = rest[..first].iter().filter(|(_, l)| matches!(l, Line::Tick(_))).count();
            Some((u32::try_from(ticks).unwrap(), rest[first].0.saturating_duration_since(rest[0].0)))
        });
        let took = TICK * ticks;
        println!("{strap}: data again after {took:?} ({told:?} by the clock)");
        assert!(took <= limit, "data of {strap} again after {took:?}, at most {limit:?}");
        took
    }

    /// How often the child got on since `mark`.
    pub fn own_time_since(&self, mark: Mark) -> Duration {
        let log = self.log.lines.lock().unwrap();
        TICK * u32::try_from(log.0[mark.0..].iter().filter(|(_, l)| matches!(l, Line::Tick(_))).count()).unwrap()
    }

    /// Time by the clock since `mark`, or since the first thing after it.
    pub fn time_since(&self, mark: Mark) -> Duration {
        let log = self.log.lines.lock().unwrap();
        log.0.get(mark.0).map_or(Duration::ZERO, |(at, _)| now().saturating_duration_since(*at))
    }

    /// Open descriptors of the child, and tasks that live in it.
    pub fn size(&self) -> (usize, usize) {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count();
        let log = self.log.lines.lock().unwrap();
        let tasks = log.0.iter().rev().find_map(|(_, l)| if let Line::Tick(n) = l { Some(*n) } else { None });
        (fds, tasks.unwrap_or_default())
    }

    /// The counters of the four levels of recovery: connects, scans, adapter lookups, connections to the bus.
    pub fn levels(&self) -> [u64; 4] {
        ["connects", "scans", "adapter_lookups", "managers"].map(|name| self.counter(name))
    }

    /// The highest level of recovery that was used since `before`, `a` to `d`.
    fn highest(&self, before: [u64; 4]) -> Option<char> {
        let after = self.levels();
        println!("connects, scans, lookups, managers: {before:?} -> {after:?}");
        "abcd".chars().zip(before.iter().zip(after)).filter(|(_, (b, a))| a > *b).map(|(l, _)| l).max()
    }

    /// Something was done since `before`, and nothing above this level: how far below it depends on what is seen first.
    pub fn assert_level(&self, before: [u64; 4], limit: char) {
        let highest = self.highest(before);
        assert!(highest.is_some_and(|h| h <= limit), "recovery by {highest:?}, at most {limit} is called for");
    }

    /// A counter of the newest status.
    pub fn counter(&self, name: &str) -> u64 {
        // The status trails the packets by a turn of the loop.
        self.wait_ticks(2);
        let log = self.log.lines.lock().unwrap();
        let status = log.0.iter().rev().find_map(|(_, l)| if let Line::Status(t) = l { Some(t) } else { None });
        let text = status.expect("a status");
        let (_, rest) = text.split_once(&format!("{name}: ")).unwrap_or_else(|| panic!("{name} not in {text}"));
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
