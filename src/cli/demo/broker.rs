//! A private mosquitto on a free loopback port, gone when the demo ends.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A broker of our own.
pub(super) struct Broker {
    child: Child,
    address: SocketAddr,
}

impl Broker {
    /// Starts one with its files in `dir`.
    pub(super) fn start(dir: &Path) -> Result<Self, String> {
        let program = find().ok_or(
            "mosquitto is not installed, and no --broker is given\nhint: sudo apt-get install mosquitto, or run ./scripts/demo",
        )?;
        // asked for, noted and given back: mosquitto takes it a moment later
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|l| l.local_addr())
            .map_err(|e| format!("no free loopback port: {e}"))?;
        let file = dir.join("mosquitto.conf");
        let text = format!("listener {} 127.0.0.1\nallow_anonymous true\npersistence false\n", address.port());
        std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
        let child = Command::new(&program)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{} does not start: {e}", program.display()))?;
        let mut broker = Self { child, address };
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                return Ok(broker);
            }
            if let Ok(Some(status)) = broker.child.try_wait() {
                return Err(format!("mosquitto ended at once ({status})"));
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Err("mosquitto does not listen after five seconds".into())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian installs it where only root's PATH looks.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    dirs.map(|d: PathBuf| d.join("mosquitto")).find(|p| p.is_file())
}
