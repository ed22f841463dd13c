//! Taking retained messages off a broker, and seeing that they are gone.

use super::config::MqttConfig;
use super::link::{Link, LinkEvent};
use super::monitor::{NoEntry, as_guest};
use super::topics::Topics;
use crate::publication::Publication;
use crate::units::{AthleteId, StrapId};
use std::collections::BTreeSet;
use std::time::Duration;

/// Where a person's messages may stand: topics that are known, and filters below which there may be more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    topics: Vec<String>,
    filters: Vec<String>,
}

impl Places {
    /// Those of a person and of straps that are nobody else's.
    pub fn of(config: &MqttConfig, athlete: &AthleteId, straps: &[StrapId]) -> Self {
        let topics = Topics::new(config);
        let below = |topic: String| topic.rsplit_once('/').map(|(above, _)| format!("{above}/#"));
        let mut out = Self { topics: topics.all_of_athlete(athlete), filters: vec![] };
        out.filters.extend(below(topics.check(athlete)));
        for strap in straps {
            out.topics.extend(topics.all_of_strap(*strap));
            out.filters.extend(below(topics.strap_state(*strap)));
        }
        // access rules may forbid to read discovery; then it is cleared unseen
        let discovery: Vec<String> = out.topics.iter().filter(|t| t.ends_with("/config")).cloned().collect();
        out.filters.extend(discovery);
        out
    }
}

/// Clears these places and looks again. Returns what stood there; an error names what still does.
pub async fn clear(config: &MqttConfig, places: &Places, limit: Duration) -> Result<Vec<String>, NoEntry> {
    let attempt = async {
        let found = round(config, places).await?;
        let left = round(config, places).await?;
        match left.is_empty() {
            true => Ok(found.into_iter().collect()),
            false => Err(NoEntry {
                why: format!("the broker still keeps {}", left.into_iter().collect::<Vec<_>>().join(", ")),
                hint: Some("does another gateway, or another hrvd, publish there?"),
            }),
        }
    };
    let late = || NoEntry { why: format!("no answer within {} s", limit.as_secs()), hint: None };
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(late()))
}

/// One connection: every known topic is emptied, and every other that the broker sends meanwhile. It sends what it keeps
/// when it grants a subscription, so all of that is here before it acknowledges the last of ours.
async fn round(config: &MqttConfig, places: &Places) -> Result<BTreeSet<String>, NoEntry> {
    let mut link = Link::open(&as_guest(config, "erase"), None, places.filters.clone()).await?;
    let (mut found, mut subscribed, mut under_way) = (BTreeSet::new(), false, false);
    let mut due: Vec<String> = places.topics.clone();
    let mut done: BTreeSet<String> = BTreeSet::new();
    loop {
        if subscribed && !under_way {
            let Some(topic) = due.pop() else {
                let _ = link.disconnect();
                return Ok(found);
            };
            if !done.insert(topic.clone()) {
                continue;
            }
            let empty = Publication { topic, payload: vec![], retain: true, qos: 1 };
            if link.publish(&empty).is_err() {
                return Err(NoEntry { why: "the broker takes nothing".into(), hint: None });
            }
            under_way = true;
        }
        match link.event().await {
            LinkEvent::Subscribed { .. } => subscribed = true,
            LinkEvent::Acked(_) => under_way = false,
            LinkEvent::Message(m) if m.retained && !m.payload.is_empty() => {
                due.push(m.topic.clone());
                found.insert(m.topic);
            }
            LinkEvent::Closed(e) => return Err(e.into()),
            LinkEvent::Up | LinkEvent::Sent(_) | LinkEvent::Message(_) => {}
        }
    }
}
