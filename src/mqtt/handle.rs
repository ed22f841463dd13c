//! What the rest of the daemon holds of the MQTT edge.

use super::announced::Announced;
use super::desired::Desired;
use super::message::{Delivery, Message};
use super::topics::Topics;
use crate::publication::Publication;
use crate::units::{AthleteId, StrapId};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Events that may wait while the link is up.
const MAX_TRANSIENT: usize = 64;

/// Where the connection to the broker stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// No broker is configured.
    Disabled,
    /// An attempt is under way.
    Connecting,
    /// The broker has our whole state.
    Connected,
    /// The broker accepts and acknowledges, but does not deliver our own status message to us. An access rule is in
    /// the way, most likely; results wait until that is over, because MQTT 3.1.1 acknowledges what it throws away.
    Unheard,
    /// Somebody has to change something; tried again slowly.
    Refused {
        /// What was refused.
        why: String,
        /// What to look at.
        hint: &'static str,
    },
    /// Lost or not reached; tried again soon.
    Down {
        /// What happened.
        why: String,
    },
    /// Ended on purpose.
    Closed,
}

impl ConnectionState {
    /// Whether the broker takes our messages.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Connected | Self::Unheard)
    }
    /// Stable word for status outputs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Unheard => "unheard",
            Self::Refused { .. } => "refused",
            Self::Down { .. } => "down",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { why, hint } => write!(f, "refused: {why} ({hint})"),
            Self::Down { why } => write!(f, "down: {why}"),
            Self::Unheard => {
                f.write_str("connected, but the broker does not deliver our messages; check its access rules")
            }
            other => f.write_str(other.as_str()),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) desired: Desired,
    pub(super) announced: Announced,
    /// Newest value a topic; sent at once or never.
    pub(super) live: BTreeMap<String, Publication>,
    pub(super) transient: VecDeque<Publication>,
    /// Whether live values and events are taken.
    pub(super) up: bool,
    /// The store has something new.
    pub(super) outbox_woken: bool,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    pub(super) wake: Notify,
    /// Told once, when the first state is complete.
    pub(super) begun: Notify,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under this lock is complete in itself, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives messages to the MQTT edge. Cheap to clone; no method waits.
#[derive(Clone, Debug)]
pub struct MqttHandle {
    shared: Arc<Shared>,
    topics: Arc<Topics>,
    state: watch::Receiver<ConnectionState>,
    stop: CancellationToken,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl MqttHandle {
    pub(super) fn new(
        shared: Arc<Shared>,
        topics: Topics,
        state: watch::Receiver<ConnectionState>,
        stop: CancellationToken,
        task: Option<JoinHandle<()>>,
    ) -> Self {
        Self { shared, topics: Arc::new(topics), state, stop, task: Arc::new(Mutex::new(task)) }
    }

    /// A handle for a daemon without a broker: takes everything, sends nothing.
    pub fn disabled() -> Self {
        let (_, state) = watch::channel(ConnectionState::Disabled);
        let topics = Topics::new(&super::MqttConfig::default());
        Self::new(Arc::default(), topics, state, CancellationToken::new(), None)
    }

    /// Connects. Without this call nothing is sent, so that the broker never hears `online` from a gateway that does
    /// not yet know what it is.
    pub fn begin(&self) {
        self.shared.begun.notify_one();
    }

    /// What runs before this one announced, as [`OutboxSource::announced`](super::OutboxSource::announced) was told; before
    /// [`Self::begin`]. What of it is not announced any more is taken away.
    pub fn remember(&self, announced: Vec<(String, Vec<u8>)>) {
        let mut inner = self.shared.lock();
        for (topic, payload) in announced {
            inner.announced.learn(&topic, &payload);
        }
    }

    /// Nothing of a person and of these straps is remembered, and so nothing said of them again.
    pub fn forget_announced(&self, athlete: &AthleteId, straps: &[StrapId]) {
        let mut inner = self.shared.lock();
        inner.announced.forget(&self.topics.athlete_discovery(athlete));
        straps.iter().for_each(|s| inner.announced.forget(&self.topics.strap_discovery(*s)));
    }

    /// Sets what should stand on the broker at a topic. Published when it changes, after each connection and when
    /// Home Assistant starts, until it is replaced or removed.
    pub fn set_retained(&self, topic: String, payload: Vec<u8>) {
        if self.shared.lock().desired.set(&self.topics, topic, payload) {
            self.shared.wake.notify_one();
        }
    }

    /// Removes a retained message from the broker, also from one that is away now.
    pub fn remove_retained(&self, topic: String) {
        self.set_retained(topic, Vec::new());
    }

    /// Sends a value that is true only now: at once, unacknowledged, or not at all.
    pub fn live(&self, publication: Publication) {
        let mut inner = self.shared.lock();
        if inner.up {
            inner.live.insert(publication.topic.clone(), publication);
            drop(inner);
            self.shared.wake.notify_one();
        }
    }

    /// Sends an event that nobody needs later: dropped while there is no link, says whether it was taken.
    pub fn transient(&self, publication: Publication) -> bool {
        let mut inner = self.shared.lock();
        let take = inner.up && inner.transient.len() < MAX_TRANSIENT;
        if take {
            inner.transient.push_back(publication);
            drop(inner);
            self.shared.wake.notify_one();
        }
        take
    }

    /// The store has a new durable message.
    pub fn outbox_wake(&self) {
        self.shared.lock().outbox_woken = true;
        self.shared.wake.notify_one();
    }

    /// Routes a rendered message. What must not be lost comes back: the store keeps it, then call
    /// [`Self::outbox_wake`].
    #[must_use = "a durable message belongs into the store"]
    pub fn deliver(&self, message: Message) -> Option<Publication> {
        let Message { delivery, publication } = message;
        match delivery {
            Delivery::Retained => self.set_retained(publication.topic, publication.payload),
            Delivery::Live => self.live(publication),
            Delivery::Transient => {
                self.transient(publication);
            }
            Delivery::Durable => return Some(publication),
        }
        None
    }

    /// Follows the connection.
    pub fn status(&self) -> watch::Receiver<ConnectionState> {
        self.state.clone()
    }

    /// Says goodbye: last states, then `offline`, then a clean disconnect. If that takes longer than `timeout` the
    /// connection is cut, and the broker says `offline` for us.
    pub async fn shutdown(&self, timeout: Duration) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut task) = task {
            if tokio::time::timeout(timeout, &mut task).await.is_err() {
                tracing::warn!("MQTT: no clean farewell in time; the broker's last will speaks for us");
                task.abort();
                let _ = task.await;
            }
        }
    }
}
