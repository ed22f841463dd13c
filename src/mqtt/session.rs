//! What is known of one link while it lasts.

use super::desired::Due;
use crate::publication::Publication;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Sleep;

/// What is on its way at QoS 1.
#[derive(Debug)]
pub(super) enum Saying {
    Retained(Due),
    Online,
    Event,
    Durable(i64, Publication),
    Offline,
}

#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) what: Saying,
    pub(super) id: Option<u16>,
}

/// A timer that may not run.
pub(super) type Timer = Option<Pin<Box<Sleep>>>;

pub(super) fn after(d: Duration) -> Timer {
    Some(Box::pin(tokio::time::sleep(d)))
}

/// Ends when the timer does, and stops it; never ends if it does not run.
pub(super) async fn rung(timer: &mut Timer) {
    match timer {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
    *timer = None;
}

impl Session {
    /// There may be more in the outbox than it last said.
    pub(super) fn outbox_woken(&mut self) {
        self.outbox_rest = None;
        self.woken = self.asking;
        self.offered = self.offered.take().filter(Option::is_some);
    }

    /// What the outbox answered.
    pub(super) fn outbox_answered(&mut self, answer: Option<(i64, Publication)>) {
        self.asking = std::mem::take(&mut self.woken) && answer.is_none();
        if !self.asking {
            self.offered = Some(answer);
        }
    }
}

/// State of one link.
#[derive(Default)]
pub(super) struct Session {
    /// The broker accepted us.
    pub(super) up: bool,
    /// It has our whole state and knows that we are there.
    pub(super) ready: bool,
    /// `online` has to be said.
    pub(super) online_due: bool,
    /// Our own `online` came back to us.
    pub(super) heard: bool,
    /// It did not come back in time.
    pub(super) unheard: bool,
    pub(super) leaving: bool,
    /// The farewell is over; nothing may follow.
    pub(super) gone: bool,
    /// What is listened to until we know what the broker keeps of ours.
    pub(super) once: Vec<String>,
    /// Topics of ours that the broker kept from an earlier run.
    pub(super) strays: Vec<String>,
    pub(super) in_flight: Option<InFlight>,
    /// Home Assistant began and was shown what is to be taken away,
    pub(super) shown: bool,
    /// and hears now that it is, at these topics.
    pub(super) laying: BTreeSet<String>,
    /// The outbox was asked for its next message,
    pub(super) asking: bool,
    /// and somebody said meanwhile that there is more: its "nothing" is old news.
    pub(super) woken: bool,
    /// Its answer, until that can be acted on.
    pub(super) offered: Option<Option<(i64, Publication)>>,
    pub(super) last_marked: Option<i64>,
    pub(super) ack: Timer,
    pub(super) birth: Timer,
    pub(super) lay: Timer,
    pub(super) stable: Timer,
    pub(super) echo: Timer,
    pub(super) outbox_rest: Timer,
    pub(super) busy: Timer,
    pub(super) farewell: Timer,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Option<(i64, Publication)> {
        Some((1, Publication { topic: "t".into(), payload: vec![], retain: false, qos: 1 }))
    }

    #[test]
    fn nothing_is_no_answer_when_more_came_while_it_was_looked_for() {
        let mut s = Session { asking: true, ..Session::default() };
        s.outbox_woken();
        s.outbox_answered(None);
        assert!(s.asking && s.offered.is_none(), "asked again");
        s.outbox_answered(None);
        assert!(!s.asking && s.offered == Some(None));
        // the same when the answer still waits to be acted on
        s.outbox_woken();
        assert_eq!(s.offered, None);
        // a message is one, whoever knocked
        s.asking = true;
        s.outbox_woken();
        s.outbox_answered(row());
        s.outbox_woken();
        assert!(!s.asking && s.offered == Some(row()));
    }
}
