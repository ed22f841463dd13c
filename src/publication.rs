<<<<<<< HEAD
//! One MQTT message as data: what the store keeps in its outbox and the MQTT edge sends.

/// A message for the broker.
=======
//! One message for the broker, as plain data.

/// A message to be published. It names no client library, so that the store can keep it until it was delivered.
>>>>>>> mqtt
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Full topic.
    pub topic: String,
<<<<<<< HEAD
    /// Payload; empty and retained clears the topic.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it.
    pub retain: bool,
    /// Quality of service, 0 to 2.
=======
    /// Bytes; usually JSON.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// Quality of service, 0 or 1.
>>>>>>> mqtt
    pub qos: u8,
}
