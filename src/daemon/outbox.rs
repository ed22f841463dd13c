//! The store's outbox as the MQTT edge wants to see it.

use crate::clock::Clock;
use crate::mqtt::OutboxSource;
use crate::publication::Publication;
use crate::store::{Query, StoreHandle};
use std::path::PathBuf;

/// Reads unsent rows on its own connection and has the writer mark them.
pub(super) struct StoreOutbox {
    store: StoreHandle,
    path: PathBuf,
    clock: Clock,
    query: Option<Query>,
    /// Rows up to here are acknowledged; the writer may not have marked them yet.
    acknowledged: i64,
    offered: Option<(i64, u32)>,
    complained: bool,
}

impl StoreOutbox {
    /// An outbox over the database at `path`.
    pub(super) fn new(store: StoreHandle, path: PathBuf, clock: Clock) -> Self {
        Self { store, path, clock, query: None, acknowledged: 0, offered: None, complained: false }
    }

    fn read(&mut self) -> Result<Option<(i64, Publication)>, crate::store::StoreError> {
        // a damaged database is replaced while we run: the old file still reads well, and is the wrong one
        let query = match self.query.take().filter(Query::is_current) {
            Some(q) => q,
            None => Query::open(&self.path)?,
        };
        let row = query.next_unsent(self.acknowledged)?;
        self.query = Some(query);
        Ok(row.map(|r| (r.id, r.publication)))
    }
}

impl OutboxSource for StoreOutbox {
    fn next(&mut self) -> Option<(i64, Publication)> {
        match self.read() {
            Ok(row) => {
                self.complained = false;
                if let Some((id, _)) = &row {
                    let tries = self.offered.filter(|o| o.0 == *id).map_or(0, |o| o.1);
                    self.offered = Some((*id, tries + 1));
                }
                row
            }
            Err(e) => {
                // opened anew next time: the file may have been replaced
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
