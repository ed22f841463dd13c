//! What stands on the broker or in Home Assistant and is not true any more is taken away.

use super::desired::Due;
use super::driver::Driver;
use super::link::{Link, MAX_PACKET, Message};
use super::outbox::OutboxSource;
use super::session::{Session, after};
use crate::publication::Publication;

impl<O: OutboxSource> Driver<O> {
    /// What is listened to at the beginning of a link: what the broker keeps of straps and athletes, and of devices as
    /// they were announced last.
    pub(super) fn once(&self) -> Vec<String> {
        if self.wary > 0 {
            return Vec::new();
        }
        self.topics.strays().into_iter().chain(self.shared.lock().desired.discovery().cloned()).collect()
    }

    /// What is listened to all the time. A message that cannot be taken in ends the link, and one that the broker keeps
    /// would end each: then results are worth more than commands.
    pub(super) fn subscriptions(&self) -> Vec<String> {
        if self.wary > 1 { vec![self.topics.status()] } else { self.topics.subscriptions() }
    }

    pub(super) fn too_large(&self, bytes: usize) -> String {
        let without = match self.wary {
            0 => "",
            1 => "; listening without what a run before left",
            _ => "; listening without commands",
        };
        format!(
            "a message of {bytes} bytes came and {MAX_PACKET} are the limit{without}. Find it with: mosquitto_sub -v \
             --retained-only -t '{}/#', and clear it with: mosquitto_pub -r -n -t TOPIC",
            self.topics.root()
        )
    }

    /// Devices of earlier runs that are not announced any more are removed. Only when everything desired is known.
    pub(super) fn drop_devices(&self) {
        let mut inner = self.shared.lock();
        if !inner.desired.knows(&self.topics, &self.topics.gateway_discovery()) {
            return;
        }
        let all: Vec<String> = inner.announced.topics().cloned().collect();
        for topic in all {
            if !inner.desired.knows(&self.topics, &topic) {
                tracing::info!(topic, "MQTT: a device that was announced before is there no more; removing it");
                inner.desired.set(&self.topics, topic, Vec::new());
            }
        }
    }

    /// Removes what a run before us left of straps and athletes that are not there any more. Only now, when everything
    /// desired is known and said.
    pub(super) fn sweep(&self, link: &Link, s: &mut Session) {
        link.unsubscribe(std::mem::take(&mut s.once));
        let mut inner = self.shared.lock();
        // Without a gateway there was no roster yet, and nobody can be missing in it.
        if !inner.desired.knows(&self.topics, &self.topics.gateway_discovery()) {
            return;
        }
        for stray in std::mem::take(&mut s.strays) {
            if !inner.desired.knows(&self.topics, &stray) {
                tracing::info!(topic = %stray, "MQTT: removing what is left of somebody who is gone");
                for topic in self.topics.siblings(&stray) {
                    inner.desired.set(&self.topics, topic, Vec::new());
                }
            }
        }
    }

    /// A device as the broker kept it. What we do not announce any more is taken away a little later: Home Assistant
    /// drops the rest of a message when it still works on another one of the same device.
    pub(super) fn learn(&mut self, message: &Message, s: &mut Session) {
        let row = self.shared.lock().announced.learn(&message.topic, &message.payload);
        if let Some((topic, row)) = row {
            self.outbox.announced(topic, row);
            s.lay = s.lay.take().or_else(|| after(self.config.timing.birth.1));
        }
    }

    /// Home Assistant began: everything is said again. What was taken away while it was not there it would keep for
    /// ever, so it is shown that once more.
    pub(super) fn born(&mut self, s: &mut Session) {
        let mut inner = self.shared.lock();
        inner.desired.all_dirty();
        s.online_due = true;
        let topics: Vec<String> = inner.announced.topics().cloned().collect();
        for topic in topics {
            let Some(now) = inner.desired.payload(&self.topics, &topic) else { continue };
            if let Some(payload) = inner.announced.ghosts(&topic, now) {
                inner.transient.push_back(Publication { topic, payload, retain: false, qos: 1 });
                s.shown = true;
                s.lay = after(self.config.timing.birth.1);
            }
        }
    }

    /// Takes away what is announced no more.
    pub(super) fn lay(&mut self, s: &mut Session) {
        let mut inner = self.shared.lock();
        if s.in_flight.is_some() || !inner.transient.is_empty() || inner.desired.due().is_some() {
            s.lay = after(self.config.timing.birth.1);
            return;
        }
        let shown = std::mem::take(&mut s.shown);
        let topics: Vec<String> = inner.announced.topics().cloned().collect();
        for topic in topics {
            let now = inner.desired.payload(&self.topics, &topic);
            if now.is_some_and(|now| inner.announced.ghosts(&topic, now).is_some()) {
                inner.desired.dirty(&self.topics, &topic);
                if shown {
                    s.laying.insert(topic);
                }
            }
        }
    }

    /// The broker has a retained message.
    pub(super) fn stands(&mut self, due: &Due, s: &mut Session) {
        let mut inner = self.shared.lock();
        let newest = inner.desired.acked(&self.topics, &due.topic, due.version);
        let device = self.topics.rank(&due.topic).is_discovery() || inner.announced.knows(&due.topic);
        if !newest || !device {
            return;
        }
        let row = match s.laying.remove(&due.topic) {
            true => inner.announced.laid(&due.topic, &due.payload),
            false => inner.announced.said(&due.topic, &due.payload),
        };
        if let Some((topic, row)) = row {
            self.outbox.announced(topic, row);
        }
    }
}
