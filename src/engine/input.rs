//! Everything that can happen to the engine, as one closed enum.

use crate::check::Posture;
use crate::units::{AthleteId, StrapId};
use crate::verdict::Source;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use smallvec::SmallVec;
use std::time::Duration;

/// The bytes of one 0x2A37 notification, as received. 20 fit the default MTU without an allocation.
pub type PacketBytes = SmallVec<[u8; 20]>;

/// An input of the engine. The moment it happened is the `now` beside it.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The moment named by `poll_timeout` has come.
    Timeout,
    /// A 0x2A37 notification arrived from a strap.
    Packet {
        /// Which strap.
        strap: StrapId,
        /// Its bytes, untouched.
        bytes: PacketBytes,
    },
    /// The state of the link to a strap changed.
    Link {
        /// Which strap.
        strap: StrapId,
        /// The new state.
        state: LinkState,
    },
    /// Something was learned about a strap beside its beats.
    Facts {
        /// Which strap.
        strap: StrapId,
        /// What was learned; absent fields keep their value.
        facts: StrapFacts,
    },
    /// What earlier sessions proved about a strap's intervals, learned from the store or from the whole of a recording.
    Known {
        /// Which strap.
        strap: StrapId,
        /// What is proven.
        source: Source,
    },
    /// Somebody asks for something.
    Command(Command),
    /// Who lives here and which strap belongs to whom; replaces the roster before.
    Roster(Roster),
    /// Which local dates already have a completed check, learned from the store at start.
    CheckedOn {
        /// Whose.
        athlete: AthleteId,
        /// Local date of the newest completed check.
        date: Date,
    },
    /// How often live values are said from now on.
    LiveInterval(Duration),
}

/// A request by a person or an automation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begin a morning check; ignored with a notice if one runs.
    StartCheck {
        /// For whom.
        athlete: AthleteId,
        /// Posture for this check; `None` takes the athlete's own.
        posture: Option<Posture>,
        /// Who asked.
        trigger: Trigger,
    },
    /// End the running check without a result.
    CancelCheck {
        /// Whose.
        athlete: AthleteId,
    },
}

/// What started a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A person: command line, MQTT button.
    Manual,
    /// A strap was put on inside the wake window.
    StrapOn,
}

/// State of the link to one strap, in the words that users see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkState {
    /// Nothing is known yet.
    Unknown,
    /// The machine has no Bluetooth adapter.
    NoAdapter,
    /// The adapter is switched off, or bluetoothd is stopped.
    AdapterOff,
    /// The strap does not advertise: out of reach, asleep, or held by another device.
    NotSeen,
    /// Seen advertising, not connected.
    Seen,
    /// A connection attempt is under way.
    Connecting,
    /// Connected and notifications asked for.
    Connected,
    /// Connected, but no heart rate has arrived for some seconds.
    Silent,
    /// Seen advertising but refuses connections (another device holds its only one).
    Refuses,
    /// Seen advertising, but the adapter takes no more connections.
    AdapterFull,
    /// Connects and drops again, over and over.
    Unstable,
    /// Let go on purpose, so that another app can have it.
    Released,
    /// Seen advertising, but connecting or subscribing fails each time.
    Fails,
}

impl LinkState {
    /// Stable word for JSON and topics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NoAdapter => "no_adapter",
            Self::AdapterOff => "adapter_off",
            Self::NotSeen => "not_seen",
            Self::Seen => "seen",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Silent => "silent",
            Self::Refuses => "refuses",
            Self::AdapterFull => "adapter_full",
            Self::Unstable => "unstable",
            Self::Released => "released",
            Self::Fails => "fails",
        }
    }
    /// Whether heart rate can be arriving in this state.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Connected | Self::Silent)
    }
}

/// Slow facts about a strap. `None` means "no news", never "gone".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrapFacts {
    /// Advertised name.
    pub name: Option<String>,
    /// Battery level, % (0x2A19).
    pub battery_pct: Option<u8>,
    /// Signal strength at the last advertisement, dBm.
    pub rssi_dbm: Option<i16>,
    /// Body sensor location (0x2A38).
    pub location: Option<u8>,
    /// Manufacturer (0x2A29).
    pub manufacturer: Option<String>,
    /// Model number (0x2A24).
    pub model: Option<String>,
    /// Serial number (0x2A25).
    pub serial: Option<String>,
    /// Firmware revision (0x2A26).
    pub firmware: Option<String>,
    /// Hardware revision (0x2A27).
    pub hardware: Option<String>,
    /// Software revision (0x2A28).
    pub software: Option<String>,
}

/// Athletes and adopted straps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    /// People.
    pub athletes: Vec<Athlete>,
    /// Adopted straps. Nothing else is ever connected.
    pub straps: Vec<Strap>,
}

/// A person as the engine knows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Athlete {
    /// Short name.
    pub id: AthleteId,
    /// Name to show.
    pub name: String,
    /// Time zone in which the person's mornings happen.
    pub time_zone: TimeZone,
    /// Posture of the morning check unless a command says otherwise.
    pub posture: Posture,
    /// When putting a strap on starts the check by itself; `None` never does.
    pub wake_window: Option<WakeWindow>,
}

/// A span of local time of day. `from > until` spans midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeWindow {
    /// First moment inside.
    pub from: Time,
    /// First moment after.
    pub until: Time,
}

impl WakeWindow {
    /// Whether a local time of day lies inside.
    pub fn contains(&self, t: Time) -> bool {
        if self.from <= self.until { self.from <= t && t < self.until } else { t >= self.from || t < self.until }
    }
}

/// An adopted strap and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strap {
    /// Address.
    pub id: StrapId,
    /// Whose beats these are.
    pub athlete: AthleteId,
    /// Name to show; the advertised one if `None`.
    pub name: Option<String>,
}
