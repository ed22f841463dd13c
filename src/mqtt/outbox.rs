//! Messages that must arrive, owned by the store.

use crate::publication::Publication;

/// Durable messages, oldest first. They are sent one at a time and marked only when the broker acknowledged them, so
/// after a crash one may arrive twice but none is lost. Called from the MQTT task: nothing here may block.
pub trait OutboxSource: Send + 'static {
    /// The oldest message that was not marked; the same one until it is. Dropped before it is ready, it is asked again.
    fn next(&mut self) -> impl Future<Output = Option<(i64, Publication)>> + Send;
    /// The broker has this message.
    fn mark_sent(&mut self, id: i64);
}

/// An outbox that is always empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOutbox;

impl OutboxSource for NoOutbox {
    async fn next(&mut self) -> Option<(i64, Publication)> {
        None
    }
    fn mark_sent(&mut self, _id: i64) {}
}
