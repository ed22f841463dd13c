//! One MQTT message as data: what the store keeps in its outbox and the MQTT edge sends.

/// A message for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Full topic.
    pub topic: String,
    /// Payload; empty and retained clears the topic.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it.
    pub retain: bool,
    /// Quality of service, 0 to 2.
    pub qos: u8,
}
