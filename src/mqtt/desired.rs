//! What should stand on the broker as retained messages, and which of it has to be said (again).

use super::topics::{Rank, Topics};
use std::collections::BTreeMap;

#[derive(Debug)]
struct Entry {
    /// Empty means "removed": the broker forgets a retained message that is replaced by nothing.
    payload: Vec<u8>,
    /// Counts changes, so that an acknowledgement of an older payload does not count for a newer one.
    version: u64,
    dirty: bool,
}

/// The desired retained state. Removed topics stay in it: a broker that slept through the removal hears of it later.
#[derive(Debug, Default)]
pub(super) struct Desired {
    entries: BTreeMap<(Rank, String), Entry>,
    versions: u64,
}

/// A retained message that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) version: u64,
}

impl Desired {
    /// Sets what should stand at a topic; says whether that is news.
    pub(super) fn set(&mut self, topics: &Topics, topic: String, payload: Vec<u8>) -> bool {
        self.versions += 1;
        let fresh = Entry { payload, version: self.versions, dirty: true };
        match self.entries.entry((topics.rank(&topic), topic)) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(fresh);
                true
            }
            std::collections::btree_map::Entry::Occupied(slot) if slot.get().payload == fresh.payload => false,
            std::collections::btree_map::Entry::Occupied(mut slot) => {
                slot.insert(fresh);
                true
            }
        }
    }

    /// Everything has to be said again.
    pub(super) fn all_dirty(&mut self) {
        self.entries.values_mut().for_each(|e| e.dirty = true);
    }

    /// The next message that is due, in order of rank.
    pub(super) fn due(&self) -> Option<Due> {
        let ((_, topic), e) = self.entries.iter().find(|(_, e)| e.dirty)?;
        Some(Due { topic: topic.clone(), payload: e.payload.clone(), version: e.version })
    }

    /// Whether something is desired at a topic, be it nothing.
    pub(super) fn knows(&self, topics: &Topics, topic: &str) -> bool {
        self.entries.contains_key(&(topics.rank(topic), topic.to_owned()))
    }

    /// Whether the newest state of a topic did not reach the broker yet.
    pub(super) fn is_dirty(&self, topics: &Topics, topic: &str) -> bool {
        self.entries.get(&(topics.rank(topic), topic.to_owned())).is_some_and(|e| e.dirty)
    }

    /// The broker has this version; says whether it is the newest.
    pub(super) fn acked(&mut self, topics: &Topics, topic: &str, version: u64) -> bool {
        let entry = self.entries.get_mut(&(topics.rank(topic), topic.to_owned()));
        entry.is_some_and(|e| {
            e.dirty &= e.version != version;
            e.version == version
        })
    }

    /// What should stand at a topic; nothing if that is not known.
    pub(super) fn payload(&self, topics: &Topics, topic: &str) -> Option<&[u8]> {
        self.entries.get(&(topics.rank(topic), topic.to_owned())).map(|e| e.payload.as_slice())
    }

    /// It has to be said again.
    pub(super) fn dirty(&mut self, topics: &Topics, topic: &str) {
        if let Some(e) = self.entries.get_mut(&(topics.rank(topic), topic.to_owned())) {
            e.dirty = true;
        }
    }

    /// Topics of devices.
    pub(super) fn discovery(&self) -> impl Iterator<Item = &String> {
        self.entries.keys().take_while(|(rank, _)| rank.is_discovery()).map(|(_, topic)| topic)
    }

    /// Another message was retained at this topic: it is right if it says the same.
    pub(super) fn overwritten(&mut self, topics: &Topics, topic: &str, payload: &[u8]) {
        if let Some(e) = self.entries.get_mut(&(topics.rank(topic), topic.to_owned())) {
            e.dirty = e.payload != payload;
        }
    }

    /// A message that can never be sent.
    pub(super) fn forget(&mut self, topics: &Topics, topic: &str) {
        self.entries.remove(&(topics.rank(topic), topic.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::MqttConfig;

    fn topics() -> Topics {
        Topics::new(&MqttConfig { gateway_id: "g".into(), ..MqttConfig::default() })
    }

    fn drain(d: &mut Desired, t: &Topics) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(due) = d.due() {
            d.acked(t, &due.topic, due.version);
            out.push(due.topic);
        }
        out
    }

    #[test]
    fn said_in_order_of_rank_whatever_the_order_of_setting() {
        let t = topics();
        let mut d = Desired::default();
        let alex = "alex".parse().unwrap();
        let strap = "a09e1a9f6e53".parse().unwrap();
        let order = [
            t.gateway_discovery(),
            t.strap_discovery(strap),
            t.athlete_discovery(&alex),
            t.strap_availability(strap),
            t.check(&alex),
            t.bridge(),
        ];
        for topic in order.iter().rev() {
            assert!(d.set(&t, topic.clone(), b"x".to_vec()));
        }
        assert_eq!(drain(&mut d, &t), order);
        assert!(drain(&mut d, &t).is_empty(), "nothing is said twice");
        d.all_dirty();
        assert_eq!(drain(&mut d, &t), order);
    }

    #[test]
    fn an_ack_of_an_older_payload_does_not_count() {
        let t = topics();
        let mut d = Desired::default();
        d.set(&t, t.bridge(), b"1".to_vec());
        let first = d.due().unwrap();
        assert!(d.set(&t, t.bridge(), b"2".to_vec()));
        d.acked(&t, &first.topic, first.version);
        assert_eq!(d.due().unwrap().payload, b"2");
        assert!(!d.set(&t, t.bridge(), b"2".to_vec()), "the same again is no news");
    }

    #[test]
    fn a_removal_is_said_again_too() {
        let t = topics();
        let mut d = Desired::default();
        d.set(&t, t.bridge(), b"1".to_vec());
        d.set(&t, t.bridge(), Vec::new());
        assert_eq!(d.due().unwrap().payload, b"");
        drain(&mut d, &t);
        d.all_dirty();
        assert_eq!(d.due().unwrap().payload, b"");
    }

    #[test]
    fn a_foreign_message_on_our_topic_is_put_right() {
        let t = topics();
        let mut d = Desired::default();
        d.set(&t, t.bridge(), b"new".to_vec());
        d.overwritten(&t, &t.bridge(), b"new");
        assert_eq!(d.due(), None);
        d.overwritten(&t, &t.bridge(), b"old");
        assert_eq!(d.due().unwrap().payload, b"new");
    }
}
