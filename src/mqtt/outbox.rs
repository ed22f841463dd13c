//! What the store keeps for the MQTT edge: messages that must arrive, and what was announced.

use crate::publication::Publication;

/// Durable messages, oldest first. They are sent one at a time and marked only when the broker acknowledged them, so
/// after a crash one may arrive twice but none is lost. Called from the MQTT task: nothing here may block.
pub trait OutboxSource: Send + 'static {
    /// The oldest message that was not marked; the same one until it is. Dropped before it is ready, it is asked again.
    fn next(&mut self) -> impl Future<Output = Option<(i64, Publication)>> + Send;
    /// The broker has this message.
    fn mark_sent(&mut self, id: i64);
    /// What of a discovery topic has to be known after a restart, in place of what was; nothing: the topic is done with.
    fn announced(&mut self, topic: String, payload: Option<Vec<u8>>);
}

/// An outbox that is always empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOutbox;

impl OutboxSource for NoOutbox {
    async fn next(&mut self) -> Option<(i64, Publication)> {
        None
    }
    fn mark_sent(&mut self, _id: i64) {}
    fn announced(&mut self, _topic: String, _payload: Option<Vec<u8>>) {}
}
