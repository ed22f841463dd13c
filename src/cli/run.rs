//! `hrvd run`: the daemon in the foreground.

use super::Exit;
use super::args::Global;
use super::terminal::colors;
use crate::clock::{self, Clock, ClockTrust};
use crate::config::{self, Loaded, Origin, Setting, Surroundings};
use crate::daemon::{self, Ended, Radio, Settings};
use crate::logging;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Loads the configuration or says everything that is wrong with it.
pub fn load(global: &Global, around: &Surroundings) -> Result<Loaded, Exit> {
    config::load(&global.request(), around).map_err(|e| {
        logging::last_word(&e.to_string(), around);
        Exit::Usage
    })
}

/// Runs until SIGTERM or SIGINT.
pub fn run(global: &Global, around: &Surroundings) -> Exit {
    let loaded = match load(global, around) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let log = logging::start(&loaded.config.log_level, colors(&io::stderr(), global, around), around);
    if let Err(e) = &log {
        logging::last_word(&format!("error: the log cannot be started: {e}"), around);
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut settings = Settings::from(&loaded.config);
    settings.configured.log = log.ok();
    let by_flag = |s: &Setting| s.key == "log.level" && matches!(s.origin, Origin::Flag(_));
    settings.configured.log_by_flag = loaded.settings.iter().any(by_flag);
    let radio = settings.bluetooth.clone().map_or(Radio::Off, Radio::Bluetooth);
    let boot = match clock::boot_id() {
        Ok(id) => id,
        Err(e) => {
            tracing::error!("the kernel does not tell its boot id: {e}; is /proc mounted?");
            return Exit::Failed;
        }
    };
    let clock = Clock::system(ClockTrust::Auto);
    with_runtime(around, async move |cancel| {
        tracing::info!("hrvd {} starts", env!("CARGO_PKG_VERSION"));
        match daemon::run(settings, radio, clock, boot, cancel).await {
            Ok(Ended::Stopped) => {
                tracing::info!("hrvd has stopped; all is written");
                Exit::Done
            }
            Ok(Ended::Unwritten { in_ram }) => {
                let rest = if in_ram {
                    "they wait in RAM for the next start of this boot"
                } else {
                    "what the journal does not have is lost"
                };
                tracing::error!("hrvd has stopped, and the card has not taken its last records: {rest}");
                Exit::Failed
            }
            Ok(Ended::RadioGaveUp) => {
                tracing::error!("Bluetooth could not be recovered from inside; ending so that systemd starts anew");
                Exit::Failed
            }
            Ok(Ended::Panicked) => {
                tracing::error!("a task ended that never should; ending so that systemd starts anew");
                Exit::Failed
            }
            Err(e) => {
                tracing::error!("{e}");
                Exit::Failed
            }
        }
    })
}

/// Runs a future on a single thread; SIGTERM and SIGINT cancel its token.
pub fn with_runtime(around: &Surroundings, main: impl AsyncFnOnce(CancellationToken) -> Exit) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            logging::last_word(&format!("error: no runtime: {e}"), around);
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(async {
        let cancel = CancellationToken::new();
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        if let (Ok(mut term), Ok(mut int)) = signals {
            let cancel = cancel.clone();
            tokio::spawn(async move {
                tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
                cancel.cancel();
                // a second signal means now
                tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
                std::process::exit(130);
            });
        }
        main(cancel).await
    });
    // streams of btleplug spawn when they are dropped: they must go before the runtime, and quickly
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    exit
}
