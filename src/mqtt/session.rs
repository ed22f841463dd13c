//! What is known of one link while it lasts.

use super::desired::Due;
use crate::publication::Publication;
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
    /// Topics of ours that the broker kept from an earlier run.
    pub(super) strays: Vec<String>,
    pub(super) in_flight: Option<InFlight>,
    pub(super) last_marked: Option<i64>,
    pub(super) ack: Timer,
    pub(super) birth: Timer,
    pub(super) stable: Timer,
    pub(super) echo: Timer,
    pub(super) outbox_rest: Timer,
    pub(super) busy: Timer,
    pub(super) farewell: Timer,
}
