//! The MQTT edge as the tests run it: fast timing, an outbox in memory.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hrvd::engine::Command;
use hrvd::mqtt::{self, ConnectionState, MqttConfig, MqttHandle, Order, OutboxSource, Timing};
use hrvd::publication::Publication;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A busy machine takes its time; only what never comes fails.
pub const LONG: Duration = Duration::from_secs(40);

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Retries fast; gives up late, so that a busy machine does not look like a dead broker.
pub fn config(port: u16) -> MqttConfig {
    MqttConfig {
        host: "127.0.0.1".into(),
        port,
        gateway_id: "g".into(),
        keep_alive: Duration::from_secs(5),
        timing: Timing {
            backoff_min: ms(50),
            backoff_max: ms(300),
            refused_wait: ms(400),
            stable: Duration::from_secs(5),
            ack: ms(5000),
            echo: ms(4000),
            birth: (ms(100), ms(300)),
            farewell: ms(2000),
        },
        ..MqttConfig::default()
    }
}

/// Gives up early when an acknowledgement does not come.
pub fn impatient(port: u16) -> MqttConfig {
    let mut config = config(port);
    config.timing.ack = ms(1000);
    config
}

/// Durable messages in memory.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Mutex<Rows>>);

#[derive(Default)]
struct Rows {
    waiting: VecDeque<(i64, Publication)>,
    sent: Vec<i64>,
    next: i64,
    announced: BTreeMap<String, Vec<u8>>,
}

impl Outbox {
    pub fn push(&self, payload: &str) {
        self.put(RESULT.into(), payload, false);
    }
    /// One that the broker keeps, so that a test can ask for it later.
    pub fn push_kept(&self, payload: &str) {
        self.put(format!("hrvd/g/kept/{payload}"), payload, true);
    }
    fn put(&self, topic: String, payload: &str, retain: bool) {
        let mut rows = self.0.lock().unwrap();
        rows.next += 1;
        let id = rows.next;
        rows.waiting.push_back((id, Publication { topic, payload: payload.into(), retain, qos: 1 }));
    }
    /// What was announced, as a store keeps it.
    pub fn remembered(&self) -> Vec<(String, Vec<u8>)> {
        self.0.lock().unwrap().announced.clone().into_iter().collect()
    }
    pub fn sent(&self) -> Vec<i64> {
        self.0.lock().unwrap().sent.clone()
    }
}

impl OutboxSource for Outbox {
    async fn next(&mut self) -> Option<(i64, Publication)> {
        self.0.lock().unwrap().waiting.front().cloned()
    }
    fn mark_sent(&mut self, id: i64) {
        let mut rows = self.0.lock().unwrap();
        let (front, _) = rows.waiting.pop_front().expect("marked a message that does not wait");
        assert_eq!(front, id, "marked out of order");
        rows.sent.push(id);
    }
    fn announced(&mut self, topic: String, payload: Option<Vec<u8>>) {
        let announced = &mut self.0.lock().unwrap().announced;
        match payload {
            Some(payload) => announced.insert(topic, payload),
            None => announced.remove(&topic),
        };
    }
}

pub const RESULT: &str = "hrvd/g/athlete/alex/event/check";
pub const STATUS: &str = "hrvd/g/status";
pub const SET: &str = "hrvd/g/athlete/alex/check/set";
pub const LIVE: &str = "hrvd/g/athlete/alex/live";

pub struct Client {
    pub handle: MqttHandle,
    pub commands: mpsc::Receiver<Order>,
    pub outbox: Outbox,
    pub cancel: CancellationToken,
}

impl Client {
    pub fn start(config: MqttConfig) -> Self {
        Self::start_with(config, Outbox::default())
    }
    /// One that knows something before it connects.
    pub fn start_knowing(config: MqttConfig, tell: impl FnOnce(&Self)) -> Self {
        let client = Self::prepare(config, Outbox::default());
        tell(&client);
        client.handle.begin();
        client
    }
    pub fn start_with(config: MqttConfig, outbox: Outbox) -> Self {
        let client = Self::prepare(config, outbox);
        client.handle.begin();
        client
    }
    fn prepare(config: MqttConfig, outbox: Outbox) -> Self {
        let cancel = CancellationToken::new();
        let (handle, commands) = mqtt::spawn(config, outbox.clone(), &cancel).unwrap();
        Self { handle, commands, outbox, cancel }
    }
    pub fn push(&self, payload: &str) {
        self.outbox.push(payload);
        self.handle.outbox_wake();
    }
    pub fn push_kept(&self, payload: &str) {
        self.outbox.push_kept(payload);
        self.handle.outbox_wake();
    }
    pub fn live(&self, payload: &str) {
        self.handle.live(Publication { topic: LIVE.into(), payload: payload.into(), retain: false, qos: 0 });
    }
    pub fn state(&self) -> ConnectionState {
        self.handle.status().borrow().clone()
    }
    pub async fn until(&self, what: &str, done: impl FnMut(&ConnectionState) -> bool) -> ConnectionState {
        let mut status = self.handle.status();
        match tokio::time::timeout(LONG, status.wait_for(done)).await {
            Ok(state) => state.unwrap().clone(),
            Err(_) => panic!("not {what} within {LONG:?} but {}", self.state()),
        }
    }
    pub async fn connected(&self) {
        self.until("connected", |s| *s == ConnectionState::Connected).await;
    }
    /// Waits until so many durable messages were marked.
    pub async fn until_sent(&self, n: usize) {
        for _ in 0..2000 {
            if self.outbox.sent().len() >= n {
                return;
            }
            tokio::time::sleep(ms(20)).await;
        }
        panic!("only {:?} of {n} sent, state {}", self.outbox.sent(), self.state());
    }
    pub async fn command(&mut self) -> Command {
        match self.order().await {
            Order::Engine(command) => command,
            other => panic!("{other:?} is nothing for the engine"),
        }
    }
    pub async fn order(&mut self) -> Order {
        tokio::time::timeout(LONG, self.commands.recv()).await.expect("no command came").unwrap()
    }
}
