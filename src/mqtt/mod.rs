//! The MQTT edge: Home Assistant discovery, states, results and commands. Topics and payloads: `docs/mqtt.md`.
//!
//! [`Renderer`] turns what the engine says into messages, without any I/O; [`MqttHandle`] delivers them. Four kinds:
//! retained state is kept here as a desired state and said again whenever a broker could have forgotten it; durable
//! messages belong to the store and are marked when the broker has them; events need a link; live values are sent at
//! once or never.
//!
//! Wiring: [`spawn`], then [`Renderer::roster`], [`Renderer::bridge`] and [`Renderer::morning`] (the last valid result of
//! each athlete, from the store) through [`MqttHandle::deliver`]; from then on each [`Renderer::output`] the same way.
//! What `deliver` gives back goes into the store's outbox, followed by [`MqttHandle::outbox_wake`].

mod announced;
mod backoff;
mod clear;
mod command;
mod config;
mod desired;
mod detail_entity;
mod discovery;
mod driver;
mod entity;
mod german;
mod handle;
mod input_entity;
mod link;
mod live_entity;
mod live_state;
mod message;
mod monitor;
mod outbox;
mod preference_state;
mod privacy;
mod readiness_entity;
mod readiness_state;
mod render;
mod session;
mod setting_entity;
mod strap_state;
mod sweep;
mod tls;
mod topics;

pub use crate::language::Language;
pub use clear::{Places, clear};
pub use command::{MAX_COMMAND, Order, Wish};
pub use config::{ClientCert, ConfigError, MqttConfig, Timing, TlsOptions};
pub use handle::{ConnectionState, MqttHandle};
pub use message::{BridgeStatus, Delivery, Message};
pub use monitor::{NoEntry, Seen, follow, probe};
pub use outbox::{NoOutbox, OutboxSource};
pub use privacy::{Publish, Sieve};
pub use render::{RenderOptions, Renderer};
pub use strap_state::Explained;
pub use topics::{OFFLINE, ONLINE, TOPICS, Topics, Use};

use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Commands that may wait for the engine.
const COMMANDS: usize = 32;

/// Starts the MQTT edge on the current tokio runtime. It ends by [`MqttHandle::shutdown`], or with a farewell bounded
/// by `timing.farewell` when `cancel` is cancelled.
///
/// It connects when [`MqttHandle::begin`] is called. Set all retained state that is known before that: it is published
/// right after the connection, before `online`, and what the broker keeps beyond it is removed.
pub fn spawn(
    config: MqttConfig,
    outbox: impl OutboxSource,
    cancel: &CancellationToken,
) -> Result<(MqttHandle, mpsc::Receiver<Order>), ConfigError> {
    config.validate()?;
    let topics = Topics::new(&config);
    let shared: Arc<handle::Shared> = Arc::default();
    let (state, watcher) = watch::channel(ConnectionState::Connecting);
    let (commands, receiver) = mpsc::channel(COMMANDS);
    let stop = cancel.child_token();
    let driver = driver::Driver {
        config,
        topics: topics.clone(),
        shared: Arc::clone(&shared),
        outbox,
        state,
        commands,
        stop: stop.clone(),
        complaints: command::Complaints::default(),
        wary: 0,
    };
    let task = tokio::spawn(driver.run());
    Ok((MqttHandle::new(shared, topics, watcher, stop, Some(task)), receiver))
}
