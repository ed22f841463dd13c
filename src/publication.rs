//! One message for the broker, as plain data.

/// A message to be published. It names no client library, so that the store can keep it until it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Full topic.
    pub topic: String,
    /// Bytes; usually JSON.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// Quality of service, 0 or 1.
    pub qos: u8,
}
