//! The vocabulary between the pure machines and whatever executes their wishes.

use crate::units::StrapId;
use std::time::Duration;

/// Names one call in flight, so that its late answer cannot be taken for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Something to do with one strap. At most one is in flight for a strap, except that `Disconnect` overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StrapCall {
    /// Connect and wait until its services are resolved.
    Connect,
    /// Discover services, have exactly one notification stream, subscribe to 0x2A37.
    Setup {
        /// Replace the notification stream by a new one; otherwise the stream of an earlier connection is kept.
        reopen: bool,
    },
    /// Unsubscribe (errors ignored) and subscribe again.
    Resubscribe,
    /// Ask whether the strap is connected; "no" is [`Failure::NotConnected`].
    CheckConnected,
    /// Read battery, device information and sensor location; all are optional.
    ReadFacts,
    /// Disconnect; this also cancels an attempt that BlueZ goes on with after its caller gave up.
    Disconnect,
}

impl StrapCall {
    /// How long the executor lets the call take. D-Bus' own limit is 30 s a method, service discovery adds 30 s.
    pub const fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Connect => 35,
            Self::Setup { .. } => 15,
            Self::Resubscribe => 8,
            Self::CheckConnected => 2,
            Self::ReadFacts => 12,
            Self::Disconnect => 5,
        })
    }
}

/// Something to do with the adapter. At most one is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdapterCall {
    /// Open a new connection to the bus; everything that belonged to the old one is dropped first.
    NewManager,
    /// List the adapters and take the configured one; opens its event stream before anything else.
    FindAdapter,
    /// Ask the adapter at hand for its state. Cheap: its failure tells more than its answer.
    CheckAdapter,
    /// Start scanning.
    StartScan,
    /// Stop scanning.
    StopScan,
}

impl AdapterCall {
    /// How long the executor lets the call take.
    pub const fn limit(self) -> Duration {
        Duration::from_secs(match self {
            // A start of bluetoothd by D-Bus activation hides in here (0.8 s measured, more on a Raspberry Pi Zero).
            Self::NewManager | Self::FindAdapter => 8,
            Self::CheckAdapter | Self::StopScan => 2,
            Self::StartScan => 5,
        })
    }
}

/// What the world said about a call that worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, nothing to tell.
    Done,
    /// The adapter was found and has this power state.
    Adapter(AdapterInfo),
    /// There is no such adapter.
    NoAdapter,
}

/// An adapter as people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdapterInfo {
    /// Kernel name, such as `hci0`.
    pub name: String,
    /// Its own Bluetooth address.
    pub address: Option<StrapId>,
    /// Switched on.
    pub powered: bool,
}

/// Why a call failed, as far as the cure depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// No answer within the limit.
    #[error("no answer in time")]
    Timeout,
    /// BlueZ is still busy with the same operation.
    #[error("already in progress")]
    InProgress,
    /// The connection was refused or aborted.
    #[error("refused")]
    Refused,
    /// The strap is not connected.
    #[error("not connected")]
    NotConnected,
    /// The D-Bus object is gone: BlueZ forgot the device, or the adapter was unplugged.
    #[error("object gone")]
    Gone,
    /// bluetoothd is not running and could not be started.
    #[error("bluetoothd is not running")]
    NoService,
    /// The connection to the bus is dead.
    #[error("connection to the bus lost")]
    BusLost,
    /// The adapter at hand is another one than before: old streams must not live on beside new ones.
    #[error("the adapter changed")]
    Stale,
    /// The bus does not let us.
    #[error("permission denied")]
    Denied,
    /// The adapter is off or blocked.
    #[error("adapter not ready")]
    AdapterOff,
    /// The adapter takes no more connections.
    #[error("the adapter takes no more connections")]
    Full,
    /// Connected, but there is no heart rate measurement to subscribe to.
    #[error("no heart rate measurement")]
    NoHeartRate,
    /// Anything else.
    #[error("failed")]
    Other,
}

impl Failure {
    /// Whether the fault lies with the machine, not with the strap: such failures do not count against a strap.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::NoService | Self::BusLost | Self::Stale | Self::Denied | Self::AdapterOff | Self::Full)
    }
}
