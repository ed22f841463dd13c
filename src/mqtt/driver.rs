//! Keeps one link to the broker and says on it what has to be said, in the right order.
//!
//! Messages at QoS 1 go one after the other: the next leaves when the broker acknowledged the one before. The client
//! library does not tell which packet id a publish gets, so this is what makes each acknowledgement mean exactly one
//! message; it also keeps the order and notices a broker that is frozen.

use super::backoff::Backoff;
use super::command::{self, Complaints, Ignored, Order};
use super::config::MqttConfig;
use super::handle::{ConnectionState, Shared};
use super::link::{Link, LinkError, LinkEvent, Message, NotTaken};
use super::outbox::OutboxSource;
use super::session::{InFlight, Saying, Session, after, rung};
use super::topics::{OFFLINE, ONLINE, Topics};
use crate::publication::Publication;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long an empty outbox is left alone if nobody wakes us.
const OUTBOX_REST: Duration = Duration::from_secs(60);
/// How soon a message is offered again to a link that does not keep up.
const BUSY_RETRY: Duration = Duration::from_millis(100);
/// How many topics that the broker still keeps are looked at.
const MAX_STRAYS: usize = 256;
/// So many links in a row that end soon after they began look like a rival.
const SHORT_LINKS: u32 = 3;

pub(super) struct Driver<O> {
    pub(super) config: MqttConfig,
    pub(super) topics: Topics,
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: O,
    pub(super) state: watch::Sender<ConnectionState>,
    pub(super) commands: mpsc::Sender<Order>,
    pub(super) stop: CancellationToken,
    pub(super) complaints: Complaints,
    /// How little is listened to, because something that is too large for us stands on one of our topics.
    pub(super) wary: u8,
}

enum End {
    Stopped,
    Failed { error: LinkError, was_up: bool, was_stable: bool },
}

impl<O: OutboxSource> Driver<O> {
    pub(super) async fn run(mut self) {
        let timing = self.config.timing.clone();
        let mut backoff = Backoff::new(timing.backoff_min, timing.backoff_max);
        let mut short_links = 0;
        let mut said = None;
        tokio::select! {
            () = self.shared.begun.notified() => {}
            () = self.stop.cancelled() => {}
        }
        self.drop_devices();
        while !self.stop.is_cancelled() {
            let end = self.session().await;
            {
                let mut inner = self.shared.lock();
                inner.up = false;
                inner.live.clear();
                inner.transient.clear();
            }
            let End::Failed { error, was_up, was_stable } = end else { break };
            if was_stable {
                backoff.reset();
                self.wary = 0;
            }
            short_links = if was_up && !was_stable { short_links + 1 } else { 0 };
            let mut wait = backoff.next(fastrand::f64());
            let state = match error {
                LinkError::Refused { why, hint } => {
                    wait = wait.max(timing.refused_wait.mul_f64(1.0 + 0.2 * fastrand::f64()));
                    ConnectionState::Refused { why, hint }
                }
                LinkError::TooLarge(bytes) => {
                    self.wary = self.wary.saturating_add(u8::from(!was_stable));
                    ConnectionState::Down { why: self.too_large(bytes) }
                }
                LinkError::Lost(why) if short_links >= SHORT_LINKS => ConnectionState::Down {
                    why: format!("{why}; again soon after connecting: is '{}' used twice?", self.config.client_id()),
                },
                LinkError::Lost(why) => ConnectionState::Down { why },
            };
            // A broker that is away for a week gets one line, not one an attempt.
            if said.as_ref() != Some(&state) || was_up {
                let place = format!("{}:{}", self.config.host, self.config.port);
                match state {
                    ConnectionState::Refused { .. } => {
                        tracing::error!("MQTT at {place} {state}; nothing is lost, results wait");
                    }
                    _ => tracing::warn!("MQTT at {place} {state}; trying again"),
                }
                said = Some(state.clone());
            }
            self.state.send_replace(state);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.state.send_replace(ConnectionState::Closed);
    }

    /// One link from the first attempt to its end.
    async fn session(&mut self) -> End {
        let mut s = Session { once: self.once(), ..Session::default() };
        let filters = [&self.subscriptions()[..], &s.once].concat();
        let opening = Link::open(&self.config, Some(self.topics.status()), filters);
        let mut link = tokio::select! {
            opened = opening => match opened {
                Ok(link) => link,
                Err(error) => return End::Failed { error, was_up: false, was_stable: false },
            },
            () = self.stop.cancelled() => return End::Stopped,
        };
        let mut was_stable = false;
        loop {
            if s.up {
                self.pump(&link, &mut s);
            }
            let lost =
                |why: &str, s: &Session| End::Failed { error: LinkError::Lost(why.into()), was_up: s.up, was_stable };
            tokio::select! {
                event = link.event() => match event {
                    LinkEvent::Closed(_) if s.leaving => return End::Stopped,
                    LinkEvent::Closed(error) => return End::Failed { error, was_up: s.up, was_stable },
                    event => self.on_event(event, &link, &mut s),
                },
                () = self.shared.wake.notified(), if s.up => {}
                () = rung(&mut s.ack) => return lost("the broker does not acknowledge", &s),
                () = rung(&mut s.birth) => self.born(&mut s),
                () = rung(&mut s.lay) => self.lay(&mut s),
                () = rung(&mut s.stable) => was_stable = true,
                () = rung(&mut s.echo) => self.not_heard(&mut s),
                () = rung(&mut s.outbox_rest) => {}
                answer = self.outbox.next(), if s.asking => s.outbox_answered(answer),
                () = rung(&mut s.busy) => {}
                () = self.stop.cancelled(), if !s.leaving => {
                    if !s.up {
                        return End::Stopped;
                    }
                    s.leaving = true;
                    s.farewell = after(self.config.timing.farewell);
                }
                () = rung(&mut s.farewell) => return End::Stopped,
            }
        }
    }

    fn on_event(&mut self, event: LinkEvent, link: &Link, s: &mut Session) {
        match event {
            LinkEvent::Up => {
                s.up = true;
                s.online_due = true;
                s.stable = after(self.config.timing.stable);
                self.shared.lock().desired.all_dirty();
            }
            LinkEvent::Sent(id) => match &mut s.in_flight {
                Some(f @ InFlight { id: None, .. }) => f.id = Some(id),
                other => tracing::error!(id, ?other, "MQTT: a packet left that nobody sent"),
            },
            LinkEvent::Acked(id) => match s.in_flight.take() {
                Some(InFlight { what, id: Some(ours) }) if ours == id => {
                    s.ack = None;
                    self.said(what, link, s);
                }
                other => {
                    tracing::error!(id, ?other, "MQTT: an acknowledgement of something else");
                    s.in_flight = other;
                }
            },
            LinkEvent::Subscribed { refused } => {
                for filter in refused.iter().filter(|f| !s.once.contains(f)) {
                    tracing::error!("MQTT: the broker refuses the subscription to '{filter}'; check its access rules");
                }
            }
            LinkEvent::Message(message) => self.on_message(&message, s),
            LinkEvent::Closed(_) => {}
        }
    }

    fn on_message(&mut self, message: &Message, s: &mut Session) {
        if message.topic == self.topics.status() {
            // The retained one is older than our connection.
            match message.payload.as_slice() {
                _ if message.retained => {}
                p if p == ONLINE.as_bytes() => {
                    if s.unheard {
                        tracing::info!("MQTT: the broker delivers our messages now");
                        self.state.send_replace(ConnectionState::Connected);
                    }
                    s.heard = true;
                    s.unheard = false;
                    s.echo = None;
                }
                // The last will of a link before this one, or a stranger: we are here.
                _ => s.online_due |= !s.leaving,
            }
        } else if message.topic == self.topics.ha_status() {
            // Retained births are old news; several in a row get one answer.
            if !message.retained && message.payload == ONLINE.as_bytes() {
                let (min, max) = self.config.timing.birth;
                s.birth = s.birth.take().or_else(|| after(min + (max - min).mul_f64(fastrand::f64())));
            } else if !message.retained {
                // it does not hear what is taken away now
                (s.shown, s.lay) = (false, None);
                s.laying.clear();
            }
        } else if self.topics.rank(&message.topic).is_discovery() {
            if message.retained {
                self.learn(message, s);
            }
        } else if !self.topics.is_command(&message.topic) {
            // Our own state, kept by the broker; what comes back of what we say now is not retained.
            if message.retained && s.strays.len() < MAX_STRAYS {
                s.strays.push(message.topic.clone());
            }
        } else {
            match command::parse(&self.topics, message) {
                Ok(command) => {
                    tracing::info!("MQTT command: {command}");
                    if self.commands.try_send(command).is_err() {
                        tracing::error!("MQTT: a command was dropped, nobody takes them in time");
                    }
                }
                Err(why) => self.complain(message, why),
            }
        }
    }

    /// Access rules may change while we are connected, so it is tried again.
    fn not_heard(&mut self, s: &mut Session) {
        if !s.unheard {
            tracing::error!(
                "MQTT: the broker acknowledges '{0}' but does not deliver it back; results wait. Its access rules must \
                 allow us to write and read '{0}'",
                self.topics.status(),
            );
            self.state.send_replace(ConnectionState::Unheard);
        }
        s.unheard = true;
        s.online_due = true;
        s.echo = after(self.config.timing.echo * 4);
    }

    fn complain(&mut self, message: &Message, why: Ignored) {
        if self.complaints.is_new(&message.topic, why) {
            tracing::warn!(topic = %message.topic, "MQTT message ignored: {why}");
        }
    }

    /// Sends live values, then the next message at QoS 1 if none is under way.
    fn pump(&mut self, link: &Link, s: &mut Session) {
        {
            let mut inner = self.shared.lock();
            let live = std::mem::take(&mut inner.live);
            for (topic, p) in live {
                // Progress must not overtake the change of phase that it belongs to.
                if s.ready && !s.leaving && !inner.desired.is_dirty(&self.topics, &topic) {
                    // Too slow a link loses it: a late value would look like a current one.
                    let _ = link.publish(&p);
                }
            }
            if std::mem::take(&mut inner.outbox_woken) {
                s.outbox_woken();
            }
        }
        while s.in_flight.is_none() && s.busy.is_none() {
            let Some((publication, what)) = self.next(s) else { return };
            match link.publish(&publication) {
                Ok(()) => {
                    if matches!(what, Saying::Online) {
                        s.online_due = false;
                    }
                    s.in_flight = Some(InFlight { what, id: None });
                    s.ack = after(self.config.timing.ack);
                }
                Err(NotTaken::Busy) => {
                    if matches!(what, Saying::Event) {
                        self.shared.lock().transient.push_front(publication);
                    }
                    s.busy = after(BUSY_RETRY);
                }
                Err(NotTaken::Impossible) => {
                    tracing::error!(topic = %publication.topic, bytes = publication.payload.len(),
                        "MQTT: this message can never be sent; dropped");
                    match what {
                        Saying::Retained(due) => self.shared.lock().desired.forget(&self.topics, &due.topic),
                        Saying::Durable(id, _) => self.outbox.mark_sent(id),
                        Saying::Online | Saying::Event | Saying::Offline => return,
                    }
                }
            }
        }
    }

    /// What has to be said next: states, that we are there, events, then what the store keeps. So an event never
    /// arrives before the state it speaks of.
    fn next(&mut self, s: &mut Session) -> Option<(Publication, Saying)> {
        if s.gone {
            return None;
        }
        let status = |word: &str| Publication {
            topic: self.topics.status(),
            payload: word.as_bytes().to_vec(),
            retain: true,
            qos: 1,
        };
        let mut inner = self.shared.lock();
        if let Some(due) = inner.desired.due() {
            let payload = inner.announced.complete(&due.topic, due.payload.clone());
            let p = Publication { topic: due.topic.clone(), payload, retain: true, qos: 1 };
            return Some((p, Saying::Retained(due)));
        }
        if s.leaving {
            return Some((status(OFFLINE), Saying::Offline));
        }
        if s.online_due {
            return Some((status(ONLINE), Saying::Online));
        }
        if let Some(event) = inner.transient.pop_front() {
            return Some((Publication { qos: 1, ..event }, Saying::Event));
        }
        drop(inner);
        if !s.ready || !s.heard || s.outbox_rest.is_some() {
            return None;
        }
        let Some(offered) = s.offered.take() else {
            s.asking = true;
            return None;
        };
        match offered {
            Some((id, _)) if s.last_marked == Some(id) => {
                tracing::error!(id, "the store offers a message that was marked as sent; pausing");
                s.outbox_rest = after(OUTBOX_REST);
                s.last_marked = None;
                None
            }
            Some((id, p)) => Some((Publication { qos: 1, ..p.clone() }, Saying::Durable(id, p))),
            None => {
                s.outbox_rest = after(OUTBOX_REST);
                None
            }
        }
    }

    /// The broker has it.
    fn said(&mut self, what: Saying, link: &Link, s: &mut Session) {
        match what {
            Saying::Retained(due) => self.stands(&due, s),
            Saying::Online => {
                if !s.ready {
                    s.ready = true;
                    self.shared.lock().up = true;
                    self.sweep(link, s);
                    if !s.heard {
                        s.echo = after(self.config.timing.echo);
                    }
                    tracing::info!("MQTT connected to {}:{}", self.config.host, self.config.port);
                    self.state.send_replace(ConnectionState::Connected);
                }
            }
            Saying::Event => {}
            Saying::Durable(id, p) => {
                self.outbox.mark_sent(id);
                s.last_marked = Some(id);
                if p.retain {
                    self.shared.lock().desired.overwritten(&self.topics, &p.topic, &p.payload);
                }
            }
            Saying::Offline => {
                // The farewell timer ends the link if the broker does not.
                let _ = link.disconnect();
                s.gone = true;
            }
        }
    }
}
