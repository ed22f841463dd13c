//! What commands that talk to the daemon share: its socket, and its refusals in words.

use super::Exit;
use super::args::Global;
use super::terminal::Terminal;
use crate::config::{Config, Surroundings};
use crate::control::{Client, ClientError, Kind};

/// Connects to the daemon of this configuration.
pub(super) fn connect(config: &Config) -> Result<Client, ClientError> {
    Client::connect(&config.control_socket)
}

/// Loads the configuration and connects.
pub(super) fn load_and_connect(
    global: &Global,
    around: &Surroundings,
    terminal: &mut Terminal<'_>,
) -> Result<Client, Exit> {
    let loaded = super::run::load(global, around)?;
    connect(&loaded.config).map_err(|e| complain(&e, terminal))
}

/// Says what went wrong and what helps; returns the exit code.
pub(super) fn complain(e: &ClientError, terminal: &mut Terminal<'_>) -> Exit {
    let _ = writeln!(terminal.err, "error: {e}");
    let (hint, exit) = match e {
        ClientError::NotRunning(_) => {
            (Some("start it: sudo systemctl start hrvd, or hrvd run in another terminal".to_owned()), Exit::NotFound)
        }
        ClientError::Permission(_) => (Some("use sudo, or join the group hrvd".to_owned()), Exit::Failed),
        ClientError::Refused { kind, hint, .. } => (
            hint.clone(),
            match kind {
                Kind::NotFound => Exit::NotFound,
                Kind::Invalid => Exit::Usage,
                Kind::Failed => Exit::Failed,
            },
        ),
        ClientError::Broken(_) | ClientError::Protocol(_) => (None, Exit::Failed),
    };
    if let Some(hint) = hint {
        let _ = writeln!(terminal.err, "hint: {hint}");
    }
    exit
}
