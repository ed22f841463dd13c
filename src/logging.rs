//! Where the log goes: to the journal with its fields if stderr is the journal, else to stderr for people.

use crate::config::Surroundings;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, reload};

/// Changes how much is logged while the process runs.
#[derive(Clone)]
pub struct LogControl(Arc<dyn Fn(&str) + Send + Sync>);

impl LogControl {
    /// One that a test looks at.
    pub fn new(set: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }

    /// Logs by a checked `log.level` from now on.
    pub fn set(&self, level: &str) {
        (self.0)(level);
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogControl")
    }
}

/// Starts logging for the whole process. `level` is a checked `log.level`; `colors` says whether stderr takes them.
pub fn start(level: &str, colors: bool, around: &Surroundings) -> Result<LogControl, TryInitError> {
    let to_journal = is_journal(&io::stderr(), around);
    let journal = to_journal.then(tracing_journald::layer).and_then(Result::ok);
    // A journal without its socket (a container) still takes what comes by stderr.
    let (people_filter, people_level) = reload::Layer::new(filter(level));
    let (journal_filter, journal_level) = reload::Layer::new(filter(level));
    let people = journal.is_none().then(|| {
        let lines = tracing_subscriber::fmt::layer().compact().with_writer(io::stderr).with_ansi(colors && !to_journal);
        lines.with_filter(people_filter)
    });
    let journal = journal.map(|layer| layer.with_syslog_identifier("hrvd".into()).with_filter(journal_filter));
    tracing_subscriber::registry().with(journal).with(people).try_init()?;
    Ok(LogControl::new(move |level| {
        // one of the two is in use; the other is gone
        let _ = people_level.reload(filter(level));
        let _ = journal_level.reload(filter(level));
    }))
}

/// Prints a last word before the log exists or after it is gone, at priority "error" if the journal reads it.
pub fn last_word(text: &str, around: &Surroundings) {
    let mut err = io::stderr();
    let prefix = if is_journal(&err, around) { "<3>" } else { "" };
    for line in text.lines() {
        let _ = writeln!(err, "{prefix}{line}");
    }
}

fn filter(level: &str) -> Targets {
    // The configuration has checked the text already.
    level.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
}

/// Whether a stream is connected to the journal: systemd says its device and inode in `JOURNAL_STREAM`. The variable
/// alone proves nothing, because it is inherited by programs whose stderr was redirected.
fn is_journal(stream: &impl AsFd, around: &Surroundings) -> bool {
    let Some(named) = around.variable("JOURNAL_STREAM").and_then(|v| v.to_str()) else { return false };
    let Ok(meta) = stream.as_fd().try_clone_to_owned().map(File::from).and_then(|f| f.metadata()) else { return false };
    named == format!("{}:{}", meta.dev(), meta.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let file = tempfile::tempfile().unwrap();
        let meta = file.metadata().unwrap();
        let with = |value: String| Surroundings {
            variables: vec![("JOURNAL_STREAM".into(), value.into())],
            ..Surroundings::default()
        };
        assert!(is_journal(&file, &with(format!("{}:{}", meta.dev(), meta.ino()))));
        assert!(!is_journal(&file, &with(format!("{}:{}", meta.dev(), meta.ino() + 1))));
        assert!(!is_journal(&file, &with("nonsense".into())));
        assert!(!is_journal(&file, &Surroundings::default()));
    }

    #[test]
    fn levels_with_exceptions_filter_as_they_read() {
        use tracing::Level;
        let f = filter("info,hrvd=debug,rumqttc=error");
        for (target, level, want) in [
            ("hrvd::mqtt", Level::DEBUG, true),
            ("hrvd::mqtt", Level::TRACE, false),
            ("btleplug", Level::INFO, true),
            ("btleplug", Level::DEBUG, false),
            ("rumqttc::state", Level::WARN, false),
            ("rumqttc::state", Level::ERROR, true),
        ] {
            assert_eq!(f.would_enable(target, &level), want, "{target} {level}");
        }
    }
}
