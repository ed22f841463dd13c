//! A private dbus-daemon.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Bus {
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Bus {
    pub fn start() -> Self {
        let mut bus = Self { dir: tempfile::tempdir().expect("temporary directory"), child: None };
        bus.restart();
        bus
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("bus")
    }

    fn services(&self) -> PathBuf {
        self.dir.path().join("services")
    }

    fn asked(&self) -> PathBuf {
        self.dir.path().join("asked")
    }

    /// From now on a call to `org.bluez` asks for its start, as D-Bus activation does.
    pub fn activate_bluez(&self) {
        let text = format!("[D-BUS Service]\nName=org.bluez\nExec=/bin/touch {}\n", self.asked().display());
        std::fs::write(self.services().join("org.bluez.service"), text).expect("service file");
    }

    /// Whether that happened.
    pub fn was_bluez_asked_for(&self) -> bool {
        self.asked().exists()
    }

    /// The match rules of all clients, by the daemon's own count; `None` if it was built without it.
    pub fn match_rules(&self) -> Option<u32> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let address = self.address();
            let connection = zbus::connection::Builder::address(address.as_str()).ok()?.build().await.ok()?;
            let (bus, path) = (Some("org.freedesktop.DBus"), "/org/freedesktop/DBus");
            let interface = Some("org.freedesktop.DBus.Debug.Stats");
            let answer = connection.call_method(bus, path, interface, "GetStats", &()).await.ok()?;
            let body = answer.body();
            let mut all: std::collections::HashMap<String, zbus::zvariant::OwnedValue> = body.deserialize().ok()?;
            u32::try_from(all.remove("MatchRules")?).ok()
        })
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    pub fn restart(&mut self) {
        self.kill();
        let config = self.dir.path().join("bus.conf");
        std::fs::create_dir_all(self.services()).expect("service directory");
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>{}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{}</servicedir>
  <policy context="default">
    <allow send_destination="*"/><allow send_type="signal"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>"#,
            self.address(),
            self.services().display()
        );
        std::fs::write(&config, text).expect("bus configuration");
        let child = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg("--nopidfile")
            .arg(format!("--config-file={}", config.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("these tests need the program dbus-daemon (Debian: dbus-daemon or dbus): {e}"));
        self.child = Some(child);
        #[allow(clippy::disallowed_methods)] // a harness may wait by the clock
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            #[allow(clippy::disallowed_methods)]
            let late = Instant::now() > deadline;
            assert!(!late, "dbus-daemon does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(self.socket());
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.kill();
    }
}
