//! Looking at a broker from outside: what passes by (demo), and whether it would let us in (doctor).

use super::config::MqttConfig;
use super::link::{Link, LinkError, LinkEvent};
use std::time::Duration;
use tokio::sync::mpsc;

/// A message that passed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Whether the broker had kept it from before.
    pub retained: bool,
}

/// Why the broker does not let us in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoEntry {
    /// Cause.
    pub why: String,
    /// What to look at, if known.
    pub hint: Option<&'static str>,
}

impl From<LinkError> for NoEntry {
    fn from(e: LinkError) -> Self {
        match e {
            LinkError::Refused { why, hint } => Self { why, hint: Some(hint) },
            LinkError::TooLarge(bytes) => Self { why: format!("a message of {bytes} bytes came"), hint: None },
            LinkError::Lost(why) => Self { why, hint: None },
        }
    }
}

/// Under another client id and without a will: a look must not throw the daemon out or speak for it.
pub(super) fn as_guest(config: &MqttConfig, guest: &str) -> MqttConfig {
    MqttConfig { gateway_id: format!("{}-{guest}", config.gateway_id), ..config.clone() }
}

/// Connects, logs in and subscribes like the daemon, then leaves.
pub async fn probe(config: &MqttConfig, limit: Duration) -> Result<(), NoEntry> {
    let filter = format!("{}/{}/status", config.base_topic, config.gateway_id);
    let attempt = async {
        let mut link = Link::open(&as_guest(config, "doctor"), None, vec![filter]).await?;
        loop {
            match link.event().await {
                LinkEvent::Subscribed { refused } if refused.is_empty() => {
                    let _ = link.disconnect();
                    return Ok(());
                }
                LinkEvent::Subscribed { .. } => {
                    return Err(NoEntry {
                        why: "the broker refuses our subscriptions".into(),
                        hint: Some("check the broker's access rules for this user"),
                    });
                }
                LinkEvent::Closed(e) => return Err(e.into()),
                LinkEvent::Up | LinkEvent::Sent(_) | LinkEvent::Acked(_) | LinkEvent::Message(_) => {}
            }
        }
    };
    let late = || NoEntry { why: format!("no answer within {} s", limit.as_secs()), hint: None };
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(late()))
}

/// Follows everything under a filter until the receiver is dropped or the broker goes.
pub async fn follow(config: &MqttConfig, filters: Vec<String>) -> Result<mpsc::Receiver<Seen>, NoEntry> {
    let mut link = Link::open(&as_guest(config, "watch"), None, filters).await?;
    loop {
        match link.event().await {
            LinkEvent::Subscribed { .. } => break,
            LinkEvent::Closed(e) => return Err(e.into()),
            LinkEvent::Up | LinkEvent::Sent(_) | LinkEvent::Acked(_) | LinkEvent::Message(_) => {}
        }
    }
    let (tx, rx) = mpsc::channel(256);
    tokio::spawn(async move {
        loop {
            match link.event().await {
                LinkEvent::Message(m) => {
                    let seen = Seen { topic: m.topic, payload: m.payload, retained: m.retained };
                    if tx.send(seen).await.is_err() {
                        return;
                    }
                }
                LinkEvent::Closed(_) => return,
                LinkEvent::Up | LinkEvent::Sent(_) | LinkEvent::Acked(_) | LinkEvent::Subscribed { .. } => {}
            }
        }
    });
    Ok(rx)
}
