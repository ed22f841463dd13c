//! What systemd is told: ready, a true status line, the watchdog, stopping. Silent elsewhere.

use sd_notify::NotifyState;
use std::time::Duration;

/// The notification socket of the service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    status: String,
}

impl Systemd {
    /// How often the watchdog wants to hear from us: a third of its limit.
    pub(super) fn watchdog_interval() -> Option<Duration> {
        let mut usec = 0;
        sd_notify::watchdog_enabled(false, &mut usec)
            .then(|| Duration::from_micros(usec / 3).max(Duration::from_millis(100)))
    }

    /// The service is up.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The engine has turned round.
    pub(super) fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// The service is on its way out.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// One sentence for `systemctl status`; said when it changes.
    pub(super) fn status(&mut self, sentence: &str) {
        if self.status != sentence {
            sentence.clone_into(&mut self.status);
            tell(&[NotifyState::Status(sentence)]);
        }
    }
}

fn tell(state: &[NotifyState]) {
    if let Err(e) = sd_notify::notify(false, state) {
        tracing::debug!("service manager not reached: {e}");
    }
}
