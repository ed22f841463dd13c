//! From what the engine says to messages; no I/O.

use crate::publication::Publication;

/// A message and how it has to travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How.
    pub delivery: Delivery,
    /// What.
    pub publication: Publication,
}

/// How a message has to travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Part of the state that should stand on the broker; an empty payload removes it.
    Retained,
    /// True only now: at once or never.
    Live,
    /// An event that needs a link.
    Transient,
    /// Must arrive: goes through the store.
    Durable,
}
