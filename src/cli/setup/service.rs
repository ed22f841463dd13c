//! The service manager: the daemon has to start again to see what was written.

use super::Stop;
use crate::control::{Client, Op};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time for a restarted daemon to reach its broker.
const SETTLE: Duration = Duration::from_secs(25);

/// Whether systemd knows this unit, be it running or not.
pub(super) fn is_known(unit: &str) -> bool {
    let mut ask = Command::new("systemctl");
    ask.args(["cat", unit]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    ask.status().is_ok_and(|s| s.success())
}

/// Runs systemctl, or says why not.
pub(super) fn systemctl(words: &[&str]) -> Result<(), Stop> {
    let said = Command::new("systemctl").args(words).stdin(Stdio::null()).output();
    let shown = format!("systemctl {}", words.join(" "));
    match said {
        Ok(said) if said.status.success() => Ok(()),
        Ok(said) => {
            Err(Stop::failed(format!("{shown}: {}", String::from_utf8_lossy(&said.stderr).trim()), "run it yourself"))
        }
        Err(e) => Err(Stop::failed(format!("{shown}: {e}"), "start hrvd again in your own way")),
    }
}

/// Encrypts a credential with this machine's key.
pub(super) fn encrypt(secret: &str) -> Result<Vec<u8>, Stop> {
    let hint = "leave --encrypt out: a file that only root can read is made then";
    let failed = |e: String| Stop::failed(format!("systemd-creds encrypt: {e}"), hint);
    let mut child = Command::new("systemd-creds")
        .args(["encrypt", "--name=mqtt-password", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    // dropped at the end of the statement: that is the end of its input
    let put = child.stdin.take().map(|mut to| to.write_all(secret.as_bytes()));
    let said = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
    match (put, said.status.success()) {
        (Some(Ok(())), true) if !said.stdout.is_empty() => Ok(said.stdout),
        _ => Err(failed(String::from_utf8_lossy(&said.stderr).trim().to_owned())),
    }
}

/// The daemon's state, as soon as it answers and its broker has let it in; the last that was heard otherwise.
pub(super) async fn settled(socket: &Path) -> Option<Value> {
    let mut last = None;
    let wait = async {
        loop {
            last = status(socket).or(last.take());
            if last.as_ref().is_some_and(|s| s["mqtt"] == "connected" || s["mqtt"] == "disabled") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let _ = tokio::time::timeout(SETTLE, wait).await;
    last
}

/// What the daemon says of itself now.
pub(super) fn status(socket: &Path) -> Option<Value> {
    let mut client = Client::connect(socket).ok()?;
    client.set_timeout(Some(Duration::from_secs(3))).ok()?;
    client.ask(&Op::Status).ok()
}
