//! The store's outbox as the MQTT edge wants to see it. A message may have waited while `publish` of its person was
//! changed, and a result may wait for the feel, so it is sifted when it is offered.

use crate::clock::Clock;
use crate::mqtt::{OutboxSource, Sieve};
use crate::publication::Publication;
use crate::store::{OutboxRow, StoreError, StoreHandle};
use tokio::sync::oneshot;

/// Has the store's thread read unsent rows and mark them: a card that is slow makes results wait and nobody else.
pub(super) struct StoreOutbox {
    store: StoreHandle,
    clock: Clock,
    sieve: Sieve,
    asked: Option<oneshot::Receiver<Result<Option<OutboxRow>, StoreError>>>,
    /// Rows up to here are acknowledged; the writer may not have marked them yet.
    acknowledged: i64,
    offered: Option<(i64, u32)>,
    complained: bool,
}

impl StoreOutbox {
    /// The outbox of a store.
    pub(super) fn new(store: StoreHandle, clock: Clock, sieve: Sieve) -> Self {
        Self { store, clock, sieve, asked: None, acknowledged: 0, offered: None, complained: false }
    }
}

impl StoreOutbox {
    /// The oldest unsent row.
    async fn first(&mut self) -> Option<OutboxRow> {
        let after = self.acknowledged;
        let store = &self.store;
        let asked = self.asked.get_or_insert_with(|| store.read(move |query| query.next_unsent(after)));
        let answer = asked.await;
        self.asked = None;
        match answer.unwrap_or(Err(StoreError::Stopped)) {
            Ok(row) => {
                self.complained = false;
                row
            }
            Err(e) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!("outbox cannot be read, results wait: {e}");
                }
                None
            }
        }
    }
}

impl OutboxSource for StoreOutbox {
    async fn next(&mut self) -> Option<(i64, Publication)> {
        loop {
            let mut row = self.first().await?;
            // straps have no message that must arrive
            if self.sieve.sift(&mut row.publication, |_| None) {
                self.sieve.hold(&mut row.publication);
                let tries = self.offered.filter(|o| o.0 == row.id).map_or(0, |o| o.1);
                self.offered = Some((row.id, tries + 1));
                return Some((row.id, row.publication));
            }
            tracing::info!(topic = %row.publication.topic, "a message that waited is not sent: `publish` forbids it now");
            self.acknowledged = self.acknowledged.max(row.id);
            self.store.mark_sent(row.id, 0, None);
        }
    }

    fn mark_sent(&mut self, id: i64) {
        self.acknowledged = self.acknowledged.max(id);
        let tries = self.offered.filter(|o| o.0 == id).map_or(1, |o| o.1);
        self.store.mark_sent(id, tries, self.clock.now().wall);
    }

    fn announced(&mut self, topic: String, payload: Option<Vec<u8>>) {
        self.store.announced(topic, payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockTrust;
    use crate::mqtt::{MqttConfig, Publish, RenderOptions, Renderer, Topics};
    use crate::readiness::Quiet;
    use crate::store::{self, OpenOptions, Query};
    use crate::units::AthleteId;
    use jiff::civil::Date;
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn what_waited_is_sent_as_its_person_wants_it_now() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("hrvd.db");
        let store = store::open(OpenOptions::new(&db, "b")).unwrap().handle;
        let topics = Topics::new(&MqttConfig::default());
        let people: Vec<AthleteId> = ["alex", "kim", "sam"].map(|n| n.parse().unwrap()).to_vec();
        let event = |athlete: &AthleteId| Publication {
            topic: topics.check_event(athlete),
            payload: br#"{"grade":"good","rmssd":42.5}"#.to_vec(),
            retain: false,
            qos: 1,
        };
        store.publish([&people[..], &people[..]].concat().iter().map(event).collect(), None);
        let publish = people.iter().cloned().zip([Publish::Nothing, Publish::Words, Publish::Live]).collect();
        let sieve = Sieve::new(topics.clone(), publish);
        let mut outbox = StoreOutbox::new(store.clone(), Clock::system(ClockTrust::Auto), sieve);
        let mut said = vec![];
        while let Some((id, publication)) = outbox.next().await {
            said.push((id, String::from_utf8(publication.payload).unwrap()));
            outbox.mark_sent(id);
        }
        let (words, all) = (r#"{"grade":"good","rmssd":null}"#, r#"{"grade":"good","rmssd":42.5}"#);
        assert_eq!(said, [(2, words), (3, all), (5, words), (6, all)].map(|(id, text)| (id, text.to_owned())));
        store.flush().await.unwrap().unwrap();
        assert_eq!(Query::open(&db).unwrap().count_unsent().unwrap(), 0, "what is not sent does not wait for ever");
        let everybody = StoreOutbox::new(store, Clock::system(ClockTrust::Auto), Sieve::new(topics, BTreeMap::new()));
        assert_eq!({ everybody }.next().await, None, "and is not sent after a second change of mind");
    }

    #[tokio::test]
    async fn a_holiday_from_numbers_holds_for_what_waited() {
        let dir = tempfile::tempdir().unwrap();
        let store = store::open(OpenOptions::new(dir.path().join("hrvd.db"), "b")).unwrap().handle;
        let topics = Topics::new(&MqttConfig::default());
        let mut renderer = Renderer::new(topics.clone(), RenderOptions::default());
        // the worst short names: they look like levels of a topic
        let people: Vec<AthleteId> = ["event", "check"].map(|n| n.parse().unwrap()).to_vec();
        let message = |topic: String, payload: &str| Publication {
            topic,
            payload: payload.as_bytes().to_vec(),
            retain: false,
            qos: 1,
        };
        let report = r#"{"level":"REST","reasons":["You slept 4.5 h"],"score":3,"flags":[{"id":"short_sleep"}]}"#;
        let in_words = r#"{"level":"REST","reasons":["A very short night"],"score":null,"flags":null}"#;
        for athlete in &people {
            let event = topics.readiness_event(athlete);
            let check = message(topics.check_event(athlete), r#"{"grade":"good","rmssd":42.5}"#);
            store.publish(vec![message(event.clone(), report), message(event, in_words), check], None);
        }
        let mut outbox = StoreOutbox::new(store, Clock::system(ClockTrust::Auto), renderer.sieve());
        // said after the outbox was made, as the hub does
        assert!(renderer.set_quiet(&people[0], Quiet::Words) && renderer.set_quiet(&people[1], Quiet::Nothing));
        let mut said = vec![];
        while let Some((id, publication)) = outbox.next().await {
            said.push((id, String::from_utf8(publication.payload).unwrap()));
            outbox.mark_sent(id);
        }
        let silent = r#"{"level":"REST","reasons":null,"score":null,"flags":null}"#;
        let check = r#"{"grade":"good","rmssd":null}"#;
        assert_eq!(said, [(1, silent), (2, in_words), (3, check)].map(|(id, text)| (id, text.to_owned())));
    }

    #[tokio::test]
    async fn a_result_that_waits_for_the_feel_leaves_in_words_and_one_of_another_day_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = store::open(OpenOptions::new(dir.path().join("hrvd.db"), "b")).unwrap().handle;
        let renderer = Renderer::new(Topics::new(&MqttConfig::default()), RenderOptions::default());
        let (alex, today): (AthleteId, Date) = ("alex".parse().unwrap(), "2026-11-24".parse().unwrap());
        let topic = Topics::new(&MqttConfig::default()).check_event(&alex);
        let event = |date: &str| Publication {
            topic: topic.clone(),
            payload: format!(r#"{{"date":"{date}","grade":"good","rmssd":42.5}}"#).into_bytes(),
            retain: false,
            qos: 1,
        };
        store.publish(["2026-11-23", "2026-11-24", "2026-11-24"].map(event).to_vec(), None);
        let mut outbox = StoreOutbox::new(store, Clock::system(ClockTrust::Auto), renderer.sieve());
        // what the hub says of it holds for the outbox
        assert!(renderer.set_waiting(&alex, Some(today), false) && !renderer.set_waiting(&alex, Some(today), false));
        let mut said = vec![];
        while let Some((id, publication)) = outbox.next().await {
            let v: serde_json::Value = serde_json::from_slice(&publication.payload).unwrap();
            said.push((id, v["grade"] == "good", v["rmssd"].as_f64()));
            outbox.mark_sent(id);
            if id == 2 {
                assert!(renderer.set_waiting(&alex, None, false));
            }
        }
        assert_eq!(said, [(1, true, Some(42.5)), (2, true, None), (3, true, Some(42.5))]);
    }
}
