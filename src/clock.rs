//! The only place where clocks are read.

use crate::units::{Mono, Now};
use rustix::time::{ClockId, clock_gettime};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// 2026-01-01T00:00:00Z. A wall clock before it was never set: this program did not exist then.
const FIRST_PLAUSIBLE_SECOND: i64 = 1_767_225_600;

/// Whether the wall clock may be believed without proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockTrust {
    /// Believe it once the machine says that it is synchronised; where nothing says so, once the year is plausible.
    #[default]
    Auto,
    /// Believe it whenever the year is plausible: for machines with a battery-backed clock and no network.
    Plausible,
}

/// A cheap handle on time. Clones of one clock agree.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System(Arc<SystemClock>),
    Manual(ManualClock),
    Scaled(Arc<ScaledClock>),
}

/// The machine's clock, sped up: for demonstrations.
#[derive(Debug)]
struct ScaledClock {
    real: Clock,
    /// The real moment at which both clocks agreed.
    origin: Now,
    factor: f64,
}

impl ScaledClock {
    fn get(&self) -> Now {
        let passed = self.real.mono().since(self.origin.mono).mul_f64(self.factor);
        let wall = self.origin.wall.and_then(|w| w.checked_add(passed).ok());
        Now { mono: self.origin.mono + passed, wall }
    }
}

#[derive(Debug)]
struct SystemClock {
    trust: ClockTrust,
    /// systemd-timesyncd keeps its state here while it runs; the file `synchronized` appears at the first sync.
    timesync: PathBuf,
    /// A clock that was right once is not doubted again: afterwards it is only slewed.
    synchronised: AtomicBool,
}

impl Clock {
    /// The clocks of this machine.
    pub fn system(trust: ClockTrust) -> Self {
        Self::with_timesync(trust, PathBuf::from("/run/systemd/timesync"))
    }

    fn with_timesync(trust: ClockTrust, timesync: PathBuf) -> Self {
        Self(Kind::System(Arc::new(SystemClock { trust, timesync, synchronised: AtomicBool::new(false) })))
    }

    /// This clock, running `factor` times as fast from now on.
    pub fn scaled(self, factor: f64) -> Self {
        let origin = self.now();
        self.scaled_since(origin, factor)
    }

    /// This clock, running `factor` times as fast since `origin`: processes that name the same origin agree.
    pub fn scaled_since(self, origin: Now, factor: f64) -> Self {
        Self(Kind::Scaled(Arc::new(ScaledClock { real: self, origin, factor })))
    }

    /// How long to wait, in real time, until this clock shows `at`.
    pub fn until(&self, at: Mono) -> Duration {
        let left = at.since(self.mono());
        match &self.0 {
            Kind::Scaled(s) => left.div_f64(s.factor),
            Kind::System(_) | Kind::Manual(_) => left,
        }
    }

    /// Time since boot, counting suspend.
    pub fn mono(&self) -> Mono {
        match &self.0 {
            Kind::System(_) => {
                let t = clock_gettime(ClockId::Boottime);
                Mono::from_micros(t.tv_sec.unsigned_abs() * 1_000_000 + t.tv_nsec.unsigned_abs() / 1000)
            }
            Kind::Manual(m) => m.get().mono,
            Kind::Scaled(s) => s.get().mono,
        }
    }

    /// This moment; the wall clock only if it can be trusted.
    pub fn now(&self) -> Now {
        match &self.0 {
            Kind::System(s) => Now { mono: self.mono(), wall: s.wall() },
            Kind::Manual(m) => m.get(),
            Kind::Scaled(s) => s.get(),
        }
    }
}

impl SystemClock {
    fn wall(&self) -> Option<jiff::Timestamp> {
        let t = clock_gettime(ClockId::Realtime);
        if t.tv_sec < FIRST_PLAUSIBLE_SECOND || !self.trusted() {
            return None;
        }
        jiff::Timestamp::new(t.tv_sec, i32::try_from(t.tv_nsec).ok()?).ok()
    }

    fn trusted(&self) -> bool {
        if self.synchronised.load(Ordering::Relaxed) {
            return true;
        }
        let trusted = match self.trust {
            ClockTrust::Plausible => true,
            // The directory exists while systemd-timesyncd manages the clock. Without it (chrony, containers) nobody
            // can be asked without a system call that this crate does not make, and plausible has to do.
            ClockTrust::Auto => !self.timesync.is_dir() || self.timesync.join("synchronized").exists(),
        };
        if trusted {
            self.synchronised.store(true, Ordering::Relaxed);
        }
        trusted
    }
}

/// A clock that stands still until it is told to move; for tests, replays and demonstrations.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Now>>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Now) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }
    /// A [`Clock`] that follows this one.
    pub fn clock(&self) -> Clock {
        Clock(Kind::Manual(self.clone()))
    }
    /// What it shows.
    pub fn get(&self) -> Now {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Makes it show `now`.
    pub fn set(&self, now: Now) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.mono = now.mono + by;
        now.wall = now.wall.map(|w| w.checked_add(by).unwrap_or(w));
    }
}

/// Identifies this boot: [`Mono`] values of different boots must never be compared.
///
/// The service's sandbox hides `/proc/sys` (`ProcSubset=pid`), so its unit hands the kernel's file over as the
/// credential `boot-id`.
pub fn boot_id() -> std::io::Result<String> {
    let kernel = boot_id_from(Path::new("/proc/sys/kernel/random/boot_id"));
    match (kernel, std::env::var_os("CREDENTIALS_DIRECTORY")) {
        (Err(_), Some(dir)) => boot_id_from(&Path::new(&dir).join("boot-id")),
        (kernel, _) => kernel,
    }
}

fn boot_id_from(path: &Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_since_boot_agrees_with_the_kernel_and_never_goes_back() {
        let clock = Clock::system(ClockTrust::Auto);
        let uptime: f64 = std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
        let mut last = clock.mono();
        assert!((last.as_secs_f64() - uptime).abs() < 2.0, "{} against {uptime}", last.as_secs_f64());
        for _ in 0..1000 {
            let next = clock.mono();
            assert!(next >= last);
            last = next;
        }
    }

    #[test]
    fn the_wall_clock_is_withheld_until_it_is_synchronised() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::with_timesync(ClockTrust::Auto, dir.path().to_owned());
        assert_eq!(clock.now().wall, None);
        // A machine without a network may be told to believe its own clock.
        assert!(Clock::with_timesync(ClockTrust::Plausible, dir.path().to_owned()).now().wall.is_some());
        std::fs::write(dir.path().join("synchronized"), "").unwrap();
        assert!(clock.now().wall.is_some());
        // Believed once, believed for this run.
        std::fs::remove_file(dir.path().join("synchronized")).unwrap();
        assert!(clock.now().wall.is_some());
        // Nobody to ask: plausible is enough.
        assert!(Clock::with_timesync(ClockTrust::Auto, dir.path().join("absent")).now().wall.is_some());
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start = Now { mono: Mono::from_secs(5), wall: Some(jiff::Timestamp::UNIX_EPOCH) };
        let manual = ManualClock::new(start);
        let clock = manual.clock();
        assert_eq!(clock.now(), start);
        manual.advance(Duration::from_millis(1500));
        assert_eq!(clock.mono(), Mono::from_micros(6_500_000));
        assert_eq!(clock.now().wall, Some("1970-01-01T00:00:01.5Z".parse().unwrap()));
    }

    #[test]
    fn a_scaled_clock_runs_faster_and_says_how_long_to_wait() {
        let manual = ManualClock::new(Now { mono: Mono::from_secs(100), wall: None });
        let fast = manual.clock().scaled(10.0);
        assert_eq!(fast.mono(), Mono::from_secs(100));
        manual.advance(Duration::from_secs(3));
        assert_eq!(fast.mono(), Mono::from_secs(130));
        assert_eq!(fast.until(Mono::from_secs(180)), Duration::from_secs(5));
    }

    #[test]
    fn the_boot_has_an_id() {
        let id = boot_id().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(id, boot_id().unwrap());
        assert!(boot_id_from(Path::new("/nonexistent")).is_err());
    }
}
