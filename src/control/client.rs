//! The other end of the socket, for the command line: blocking, a line at a time.

use super::{Kind, Op};
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("hrvd is not running (no answer at {0})")]
    NotRunning(PathBuf),
    /// Somebody listens, but not for us.
    #[error("no permission to talk to hrvd at {0}")]
    Permission(PathBuf),
    /// It broke in between.
    #[error("the connection to hrvd broke: {0}")]
    Broken(#[from] std::io::Error),
    /// It answered something strange.
    #[error("hrvd answered something that is no JSON: {0}")]
    Protocol(#[from] serde_json::Error),
    /// It said no.
    #[error("{message}")]
    Refused {
        /// In a word.
        kind: Kind,
        /// Cause.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Client {
    /// Connects, or says whether a daemon is there at all.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning(path.to_owned()),
            ErrorKind::PermissionDenied => ClientError::Permission(path.to_owned()),
            _ => ClientError::Broken(e),
        })?;
        let lines = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, lines })
    }

    /// Sends a request and waits for its answer (`ok` or a refusal).
    pub fn ask(&mut self, op: &Op) -> Result<Value, ClientError> {
        let mut line = serde_json::to_string(op)?;
        line.push('\n');
        self.stream.write_all(line.as_bytes())?;
        loop {
            let Some(v) = self.receive()? else {
                return Err(ClientError::Broken(ErrorKind::UnexpectedEof.into()));
            };
            match v["type"].as_str() {
                Some("ok" | "status" | "today") => return Ok(v),
                Some("error") => {
                    return Err(ClientError::Refused {
                        kind: Kind::of_word(v["kind"].as_str()),
                        message: v["message"].as_str().unwrap_or("refused").to_owned(),
                        hint: v["hint"].as_str().map(str::to_owned),
                    });
                }
                _ => {}
            }
        }
    }

    /// The next JSON object; `None` when the daemon has gone.
    pub fn receive(&mut self) -> Result<Option<Value>, ClientError> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// Gives up waiting for the next line after this time.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> Result<(), ClientError> {
        Ok(self.stream.set_read_timeout(timeout)?)
    }
}
