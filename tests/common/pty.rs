//! A terminal that a test types at.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::daemon::{SOON, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

/// A program at a terminal of its own.
pub struct Pty {
    child: Child,
    master: File,
    seen: Arc<Mutex<String>>,
    /// How much of it a test has looked at.
    read: usize,
}

impl Pty {
    pub fn start(mut command: Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        let end = || slave.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop(slave);
        let master = File::from(master);
        let (seen, mut reader) = (Arc::<Mutex<String>>::default(), master.try_clone().unwrap());
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // an error is the end of the last program at it
            while let Ok(n) = reader.read(&mut bytes) {
                if n == 0 {
                    return;
                }
                log.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Self { child, master, seen, read: 0 }
    }

    pub fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until this is shown after what was waited for before.
    pub fn expect(&mut self, needle: &str) {
        let (from, seen) = (self.read, Arc::clone(&self.seen));
        let all = || seen.lock().unwrap().clone();
        let found = |text: String| text.get(from..)?.find(needle).map(|at| from + at + needle.len());
        self.read = wait_for(SOON, &format!("{needle:?} on the terminal"), all, || found(all()));
    }

    pub fn line(&mut self, text: &str) {
        self.master.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// What Ctrl-C sends.
    pub fn interrupt(&self) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), Signal::INT).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        let seen = Arc::clone(&self.seen);
        wait_for(SOON, "the program ends", || seen.lock().unwrap().clone(), || self.child.try_wait().unwrap())
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
