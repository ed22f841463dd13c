//! The daemon's end of the socket.

use super::{Kind, Op, Refusal};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A request on its way to the engine, and where the answer goes.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub op: Op,
    /// The answer: an object for `ok`, or why not.
    pub reply: oneshot::Sender<Result<Value, Refusal>>,
}

/// Why the socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody else has it.
    #[error("another hrvd is running: it answers at {0}")]
    InUse(PathBuf),
    /// The folder or the permission is missing.
    #[error("cannot open the control socket {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Longest request.
const MAX_LINE: u64 = 4096;

/// A listening socket; its file is removed when it is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Opens the socket. A left-over file of a daemon that died is replaced; a living daemon is not.
    pub fn bind(path: &Path) -> Result<Self, ServerError> {
        let io = |source| ServerError::Io { path: path.to_owned(), source };
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ServerError::InUse(path.to_owned()));
        }
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path).map_err(io)?,
            // a mistyped path must not cost somebody a file
            Ok(_) => return Err(io(std::io::Error::other("something is there that is not a socket"))),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(io(e)),
        }
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(io)?;
        }
        let listener = UnixListener::bind(path).map_err(io)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(io)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until cancelled. Lines of `outputs` go to subscribers.
    pub async fn run(
        self,
        requests: mpsc::Sender<Request>,
        outputs: broadcast::Sender<Arc<Line>>,
        cancel: CancellationToken,
    ) {
        let clients = tokio_util::task::TaskTracker::new();
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (requests, outputs, cancel) = (requests.clone(), outputs.clone(), cancel.clone());
                        clients.spawn(async move {
                            tokio::select! {
                                () = cancel.cancelled() => {}
                                // a client that goes away is no news
                                _ = client(stream, requests, outputs) => {}
                            }
                        });
                    }
                    Err(e) => {
                        tracing::warn!("control socket: {e}");
                        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    }
                },
            }
        }
        clients.close();
        clients.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whose heart an output speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's: it concerns all.
    Everybodys,
    /// This athlete's.
    Of(String),
    /// Somebody's, and it is not known any more whose: for those who listen to everybody.
    Unknown,
}

impl Whose {
    /// Whether a subscriber to this athlete (`None`: to everybody) may hear it.
    fn is_for(&self, only: Option<&str>) -> bool {
        match (self, only) {
            (_, None) | (Self::Everybodys, _) => true,
            (Self::Of(athlete), Some(only)) => athlete == only,
            (Self::Unknown, Some(_)) => false,
        }
    }
}

/// One output, rendered once for all subscribers.
#[derive(Debug)]
pub struct Line {
    /// Whose.
    pub whose: Whose,
    /// JSON with its newline.
    pub json: String,
}

async fn client(
    stream: UnixStream,
    requests: mpsc::Sender<Request>,
    outputs: broadcast::Sender<Arc<Line>>,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    // `next_line` may be dropped by the select below without losing bytes; `read_line` may not
    let mut lines = BufReader::new(tokio::io::AsyncReadExt::take(read, MAX_LINE)).lines();
    let mut subscription: Option<(broadcast::Receiver<Arc<Line>>, Option<String>)> = None;
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                lines.get_mut().get_mut().set_limit(MAX_LINE);
                let op = serde_json::from_str::<Op>(&line);
                let answer = match op {
                    Err(e) => Err(Refusal::new(format!("not a request: {e}")).kind(Kind::Invalid)),
                    Ok(op) => {
                        if let Op::Subscribe { athlete } = &op {
                            subscription = Some((outputs.subscribe(), athlete.clone()));
                        }
                        let (reply, answer) = oneshot::channel();
                        if requests.send(Request { op, reply }).await.is_err() {
                            return Ok(());
                        }
                        answer.await.unwrap_or_else(|_| Err(Refusal::new("hrvd is stopping")))
                    }
                };
                for v in answer_lines(answer) {
                    write.write_all(format!("{v}\n").as_bytes()).await?;
                }
            }
            next = next_line(&mut subscription) => match next {
                Ok(out) => write.write_all(out.json.as_bytes()).await?,
                Err(missed) => {
                    let note = json!({"type": "missed", "lines": missed});
                    write.write_all(format!("{note}\n").as_bytes()).await?;
                }
            },
        }
    }
}

/// A subscription's present state comes before its `ok`'s stream; everything else is one object.
fn answer_lines(answer: Result<Value, Refusal>) -> Vec<Value> {
    match answer {
        Ok(Value::Array(state)) => {
            let mut lines = vec![json!({"type": "ok"})];
            lines.extend(state);
            lines
        }
        Ok(Value::Object(mut o)) => {
            if !o.contains_key("type") {
                o.insert("type".into(), json!("ok"));
            }
            vec![Value::Object(o)]
        }
        Ok(_) => vec![json!({"type": "ok"})],
        Err(r) => vec![json!({"type": "error", "kind": r.kind.as_str(), "message": r.message, "hint": r.hint})],
    }
}

/// The next line this client wants, or how many it was too slow for.
async fn next_line(
    subscription: &mut Option<(broadcast::Receiver<Arc<Line>>, Option<String>)>,
) -> Result<Arc<Line>, u64> {
    let Some((receiver, athlete)) = subscription else { return std::future::pending().await };
    loop {
        match receiver.recv().await {
            Ok(line) if line.whose.is_for(athlete.as_deref()) => return Ok(line),
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(n)) => return Err(n),
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_to_one_athlete_hears_nobody_else() {
        let of = |a: &str| Whose::Of(a.to_owned());
        assert!(of("alex").is_for(Some("alex")) && !of("kim").is_for(Some("alex")));
        assert!(Whose::Everybodys.is_for(Some("alex")) && !Whose::Unknown.is_for(Some("alex")));
        assert!([of("kim"), Whose::Everybodys, Whose::Unknown].iter().all(|w| w.is_for(None)));
    }
}
