//! One connection to the broker. The only file that names the MQTT client library, rumqttc 0.25 (its 3.1.1 module).
//!
//! Each connection gets a client of its own, and no client is used again after an error. So what rumqttc carries over
//! a reconnect cannot hurt: it resends or clears unacknowledged publishes depending on the broker's memory
//! (<https://github.com/bytebeamio/rumqtt/pull/923>), keeps old packet ids and a pending collision, and delivers stale
//! requests from its channel (<https://github.com/bytebeamio/rumqtt/issues/211>). What has to be said again is known
//! by the owner of the link, not by the client.

use super::config::{MqttConfig, TlsOptions};
use super::tls;
use crate::publication::Publication;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS,
    StateError, SubscribeFilter, SubscribeReasonCode, TlsConfiguration, TlsError, Transport,
};
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Largest packet in either direction. rumqttc's own limit of 10 KiB is less than a discovery message can need.
pub(super) const MAX_PACKET: usize = 256 * 1024;

/// Requests that may wait for the link. Small: what does not fit is dropped (live) or tried again (the rest).
const REQUESTS: usize = 64;

/// Events that may wait for the owner.
const EVENTS: usize = 256;

/// What happens on a link, in order.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// The broker accepted us.
    Up,
    /// Our publish at QoS 1 left with this packet id.
    Sent(u16),
    /// The broker acknowledged this packet id.
    Acked(u16),
    /// The broker's answer to the subscription; the filters that it refused.
    Subscribed { refused: Vec<String> },
    /// A message arrived.
    Message(Message),
    /// The link is over.
    Closed(LinkError),
}

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retained: bool,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkError {
    /// Somebody has to change something; trying fast will not help.
    Refused { why: String, hint: &'static str },
    /// A message of so many bytes came that nobody meant for us; if the broker keeps it, it comes again.
    TooLarge(usize),
    /// May well work the next time.
    Lost(String),
}

/// Why a publication was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The link does not keep up.
    Busy,
    /// It can never be sent: the topic is no topic or the packet is too large.
    Impossible,
}

/// A connection under way or up. Dropping it cuts the TCP connection without a farewell: the last will speaks then.
pub(super) struct Link {
    client: AsyncClient,
    events: mpsc::Receiver<LinkEvent>,
    task: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Starts to connect. Reads password and certificates anew.
    pub(super) async fn open(
        config: &MqttConfig,
        will_topic: Option<String>,
        filters: Vec<String>,
    ) -> Result<Self, LinkError> {
        let options = options(config, will_topic).await?;
        let (client, mut event_loop) = AsyncClient::new(options, REQUESTS);
        // Small messages that wait for an answer: without this each costs a delayed ACK (40 ms).
        event_loop.network_options.set_tcp_nodelay(true);
        let timeout = config.timing.ack.as_secs().max(1);
        event_loop.network_options.set_connection_timeout(timeout);
        let (tx, events) = mpsc::channel(EVENTS);
        let subscriber = client.clone();
        // Alone in its task and never inside a select: poll() is not documented to be cancel-safe
        // (https://github.com/bytebeamio/rumqtt/issues/601), and a publish awaited by the task that polls deadlocks
        // (https://github.com/bytebeamio/rumqtt/issues/263).
        let task = tokio::spawn(drive(event_loop, subscriber, filters, tx));
        Ok(Self { client, events, task })
    }

    /// The next event; `Closed` comes last. Cancel-safe.
    pub(super) async fn event(&mut self) -> LinkEvent {
        match self.events.recv().await {
            Some(event) => event,
            // The task ended without a word: it panicked or could not place its last event.
            None => LinkEvent::Closed(LinkError::Lost("the MQTT client stopped".into())),
        }
    }

    /// Hands a message over without waiting.
    pub(super) fn publish(&self, p: &Publication) -> Result<(), NotTaken> {
        let sane = !p.topic.is_empty() && p.topic.len() <= 1024 && !p.topic.contains(['+', '#', '\0']);
        // Fixed header, topic length and packet id need less than 16 bytes. A packet over the limit would end the link.
        if !sane || p.payload.len() + p.topic.len() + 16 > MAX_PACKET {
            return Err(NotTaken::Impossible);
        }
        let qos = if p.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        self.client.try_publish(p.topic.as_str(), qos, p.retain, p.payload.as_slice()).map_err(|_| NotTaken::Busy)
    }

    /// Listens no more to these.
    pub(super) fn unsubscribe(&self, filters: Vec<String>) {
        for filter in filters {
            // Without it we hear a little more than we need; no reason to fail.
            let _ = self.client.try_unsubscribe(filter);
        }
    }

    /// Asks for a clean end; `Closed` follows.
    pub(super) fn disconnect(&self) -> Result<(), NotTaken> {
        self.client.try_disconnect().map_err(|_| NotTaken::Busy)
    }
}

async fn options(config: &MqttConfig, will_topic: Option<String>) -> Result<MqttOptions, LinkError> {
    let host = match (&config.tls, config.host.parse::<Ipv6Addr>()) {
        (None, Ok(address)) => format!("[{address}]"),
        _ => config.host.clone(),
    };
    let mut options = MqttOptions::new(config.client_id(), host, config.port);
    options.set_keep_alive(config.keep_alive);
    options.set_max_packet_size(MAX_PACKET, MAX_PACKET);
    // A kept session would hand over commands that were given while we were away: a check that starts an hour late.
    options.set_clean_session(true);
    if let Some(topic) = will_topic {
        options.set_last_will(LastWill::new(topic, super::topics::OFFLINE, QoS::AtLeastOnce, true));
    }
    let Secrets { password, tls } = {
        let (file, tls) = (config.password_file.clone(), config.tls.clone());
        let read = tokio::task::spawn_blocking(move || Secrets::read(file.as_deref(), tls.as_ref())).await;
        read.map_err(|e| LinkError::Lost(e.to_string()))??
    };
    if let Some(user) = &config.username {
        options.set_credentials(user, password);
    }
    if let Some(tls) = tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    Ok(options)
}

/// What is read from files at each connection.
struct Secrets {
    password: String,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Secrets {
    fn read(password: Option<&Path>, tls: Option<&TlsOptions>) -> Result<Self, LinkError> {
        let password = match password {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|e| LinkError::Refused {
                why: format!("cannot read the password file {}: {e}", path.display()),
                hint: "check the path and that the daemon's user may read it",
            })?,
        };
        let tls = tls.map(tls::client_config).transpose().map_err(|e| LinkError::Refused {
            why: format!("TLS: {e}"),
            hint: "check ca_file and the client certificate",
        })?;
        Ok(Self { password: password.trim_end_matches(['\n', '\r']).to_owned(), tls })
    }
}

async fn drive(mut event_loop: EventLoop, client: AsyncClient, filters: Vec<String>, tx: mpsc::Sender<LinkEvent>) {
    loop {
        let event = match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                // rumqttc does not subscribe again by itself (https://github.com/bytebeamio/rumqtt/issues/250). Before
                // Up, so that the request is the first in line.
                let all = filters.iter().map(|f| SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
                if client.try_subscribe_many(all).is_err() {
                    LinkEvent::Closed(LinkError::Lost("cannot subscribe".into()))
                } else {
                    LinkEvent::Up
                }
            }
            Ok(Event::Outgoing(Outgoing::Publish(0))) => continue,
            Ok(Event::Outgoing(Outgoing::Publish(id))) => LinkEvent::Sent(id),
            Ok(Event::Incoming(Packet::PubAck(ack))) => LinkEvent::Acked(ack.pkid),
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                let refused = ack.return_codes.iter().zip(&filters);
                let refused = refused.filter(|(code, _)| matches!(code, SubscribeReasonCode::Failure));
                LinkEvent::Subscribed { refused: refused.map(|(_, filter)| filter.clone()).collect() }
            }
            Ok(Event::Incoming(Packet::Publish(p))) => {
                let message = Message { topic: p.topic, payload: p.payload.to_vec(), retained: p.retain };
                // A flood must not grow memory: what the owner cannot take in time is dropped. Commands are rare.
                if tx.capacity() < EVENTS / 4 {
                    tracing::warn!(topic = %message.topic, "too many MQTT messages at once; dropped one");
                    continue;
                }
                LinkEvent::Message(message)
            }
            Ok(_) => continue,
            Err(e) => LinkEvent::Closed(classify(&e)),
        };
        let last = matches!(event, LinkEvent::Closed(_));
        // A full channel means that the owner hangs; an event must not be lost silently, so the link ends.
        if tx.try_send(event).is_err() || last {
            return;
        }
    }
}

fn classify(error: &ConnectionError) -> LinkError {
    let refused = |why: String, hint| LinkError::Refused { why, hint };
    match error {
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => refused(
                "the broker refuses our user name or password".into(),
                "check username and password_file; the file is read again at each attempt",
            ),
            ConnectReturnCode::BadClientId => refused(
                "the broker refuses our client id".into(),
                "choose another gateway.id or allow hrvd-<gateway.id>",
            ),
            ConnectReturnCode::RefusedProtocolVersion => refused(
                "the broker does not speak MQTT 3.1.1".into(),
                "allow MQTT 3.1.1 (protocol level 4) at the broker",
            ),
            code => LinkError::Lost(format!("the broker is not available ({code:?})")),
        },
        ConnectionError::Tls(TlsError::Io(e)) => match e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
            Some(e) => tls_refused(e),
            None => LinkError::Lost(format!("TLS: {e}")),
        },
        ConnectionError::Tls(e) => refused(format!("TLS: {e}"), "check host, port and ca_file"),
        // With TLS 1.3 a broker refuses our certificate only after its handshake: the alert comes with the first read.
        ConnectionError::MqttState(StateError::Deserialization(rumqttc::Error::Io(e))) | ConnectionError::Io(e) => {
            match e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
                Some(e) => tls_refused(e),
                None => LinkError::Lost(e.to_string()),
            }
        }
        ConnectionError::MqttState(StateError::Deserialization(rumqttc::Error::PayloadSizeLimitExceeded(bytes))) => {
            LinkError::TooLarge(*bytes)
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => LinkError::Lost("the broker no longer answers".into()),
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            LinkError::Lost("the broker closed the connection".into())
        }
        ConnectionError::NetworkTimeout => LinkError::Lost("the broker does not answer in time".into()),
        ConnectionError::FlushTimeout => LinkError::Lost("the broker takes nothing more".into()),
        e => LinkError::Lost(e.to_string()),
    }
}

fn tls_refused(error: &rustls::Error) -> LinkError {
    use rustls::CertificateError as Cert;
    use rustls::Error as E;
    let hint = match error {
        E::InvalidCertificate(Cert::UnknownIssuer) => {
            "ca_file is not the authority that signed the broker's certificate"
        }
        E::InvalidCertificate(Cert::NotValidForName | Cert::NotValidForNameContext { .. }) => {
            "host must be a name that stands in the broker's certificate"
        }
        E::InvalidCertificate(
            Cert::Expired | Cert::ExpiredContext { .. } | Cert::NotValidYet | Cert::NotValidYetContext { .. },
        ) => "renew the certificate, or check this machine's clock",
        E::AlertReceived(_) => {
            "the broker refuses our certificate or wants one: check mqtt.client_cert and mqtt.client_key"
        }
        E::InvalidMessage(_) => "this port does not speak TLS",
        _ => "check ca_file and the broker's certificate",
    };
    LinkError::Refused { why: format!("TLS: {error}"), hint }
}
