//! The store's outbox as the MQTT edge wants to see it.

use crate::clock::Clock;
use crate::mqtt::OutboxSource;
use crate::publication::Publication;
use crate::store::{OutboxRow, StoreError, StoreHandle};
use tokio::sync::oneshot;

/// Has the store's thread read unsent rows and mark them: a card that is slow makes results wait and nobody else.
pub(super) struct StoreOutbox {
    store: StoreHandle,
    clock: Clock,
    asked: Option<oneshot::Receiver<Result<Option<OutboxRow>, StoreError>>>,
    /// Rows up to here are acknowledged; the writer may not have marked them yet.
    acknowledged: i64,
    offered: Option<(i64, u32)>,
    complained: bool,
}

impl StoreOutbox {
    /// The outbox of a store.
    pub(super) fn new(store: StoreHandle, clock: Clock) -> Self {
        Self { store, clock, asked: None, acknowledged: 0, offered: None, complained: false }
    }
}

impl OutboxSource for StoreOutbox {
    async fn next(&mut self) -> Option<(i64, Publication)> {
        let after = self.acknowledged;
        let store = &self.store;
        let asked = self.asked.get_or_insert_with(|| store.read(move |query| query.next_unsent(after)));
        let answer = asked.await;
        self.asked = None;
        match answer.unwrap_or(Err(StoreError::Stopped)) {
            Ok(row) => {
                self.complained = false;
                let row = row?;
                let tries = self.offered.filter(|o| o.0 == row.id).map_or(0, |o| o.1);
                self.offered = Some((row.id, tries + 1));
                Some((row.id, row.publication))
            }
            Err(e) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!("outbox cannot be read, results wait: {e}");
                }
                None
            }
        }
    }

    fn mark_sent(&mut self, id: i64) {
        self.acknowledged = self.acknowledged.max(id);
        let tries = self.offered.filter(|o| o.0 == id).map_or(1, |o| o.1);
        self.store.mark_sent(id, tries, self.clock.now().wall);
    }
}
