//! What goes into the arbiter and what comes out.

use super::call::{AdapterCall, Answer, CallId, Failure, StrapCall};
use super::link::LinkConfig;
use crate::engine::LinkState;
use crate::units::StrapId;
use std::time::Duration;

/// How the adapter is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArbiterConfig {
    /// Switch the adapter on if it is off. Scanning does that by itself, so without this an off adapter is left alone.
    pub power_on: bool,
    /// Length of a scan burst.
    pub scan_on: Duration,
    /// Rest between two bursts: scanning disturbs Wi-Fi and connections on a Raspberry Pi.
    pub scan_off: Duration,
    /// How often the adapter is asked for its state, events or not.
    pub poll: Duration,
    /// Recovery that fails for so long, with a bus at hand, gives up.
    pub give_up_after: Duration,
    /// The links.
    pub link: LinkConfig,
}

impl Default for ArbiterConfig {
    fn default() -> Self {
        Self {
            power_on: false,
            scan_on: Duration::from_secs(8),
            scan_off: Duration::from_secs(4),
            poll: Duration::from_secs(5),
            give_up_after: Duration::from_secs(300),
            link: LinkConfig::default(),
        }
    }
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// These straps are wanted, and no others.
    Wanted(Vec<StrapId>),
    /// A strap was seen advertising.
    Advert {
        /// Which.
        strap: StrapId,
        /// Signal strength, dBm.
        rssi: i16,
    },
    /// The system says that a strap is connected.
    Connected(StrapId),
    /// The system says that a strap is disconnected.
    Disconnected(StrapId),
    /// A 0x2A37 notification arrived.
    Frame(StrapId),
    /// The system says that the adapter was switched on or off.
    Powered(bool),
    /// A call ended.
    Done(CallId, Result<Answer, Failure>),
    /// Let all straps go.
    Shutdown,
    /// The moment named by `poll_timeout` has come.
    Timeout,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a call about the adapter and answer with [`Event::Done`].
    Adapter(CallId, AdapterCall),
    /// Make a call about a strap and answer with [`Event::Done`]. Ends an earlier call to the same strap.
    Strap(CallId, StrapId, StrapCall),
    /// Tell the engine.
    Publish(StrapId, LinkState),
    /// The strap is let go: close its stream.
    Forget(StrapId),
    /// Recovery failed: end the process and let the service manager start it anew.
    GiveUp,
}
