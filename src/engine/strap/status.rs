//! What is said of a strap, and when it is worth saying.

use super::StrapState;
use crate::engine::{LinkState, StrapStatus};
use crate::units::Mono;
use crate::verdict::{Source, Worn};
use std::time::Duration;

/// Counters and signal strength alone are worth a status no more often than this.
const STATUS_EVERY: Duration = Duration::from_secs(60);

/// What of a status is worth saying at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct News {
    link: (LinkState, Mono),
    pub(super) online: bool,
    contact: Option<bool>,
    facts: u32,
    pub(super) worn: Worn,
    signal: (Source, u32),
}

/// What of a status is worth saying once a minute.
pub(super) type Counts = (Option<Mono>, Option<i16>, [u64; 4]);

impl StrapState {
    pub(in crate::engine) fn status(&self, now: Mono) -> StrapStatus {
        StrapStatus {
            strap: self.id,
            athlete: self.athlete.clone(),
            link: self.link,
            link_since: self.link_since,
            online: self.online(now),
            last_packet: self.last_packet,
            contact: self.contact.filter(|_| self.online(now)),
            facts: self.facts.clone(),
            packets: self.packets,
            defects: self.defects,
            gaps: self.gaps,
            duplicates: self.duplicates,
            signs: self.signs,
            verdict: self.signal.verdict(now),
        }
    }

    fn news(&self, now: Mono) -> News {
        let online = self.online(now);
        News {
            link: (self.link, self.link_since),
            online,
            contact: self.contact.filter(|_| online),
            facts: self.facts_changes,
            worn: self.signal.worn(now),
            signal: self.signal.revision(),
        }
    }

    fn counts(&self) -> Counts {
        (self.last_packet, self.facts.rssi_dbm, [self.packets, self.defects, self.gaps, self.duplicates])
    }

    /// The status, if it says something new.
    pub(in crate::engine) fn poll_status(&mut self, now: Mono) -> Option<StrapStatus> {
        let news = self.news(now);
        let worth = self.said.as_ref().is_none_or(|(at, said, counts)| {
            *said != news || now.since(*at) >= STATUS_EVERY && *counts != self.counts()
        });
        worth.then(|| {
            self.said = Some((now, news, self.counts()));
            self.status(now)
        })
    }
}
