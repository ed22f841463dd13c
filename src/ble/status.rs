//! What the Bluetooth edge tells about itself.

use super::call::{AdapterInfo, Failure};
use super::signal::Signal;
use crate::engine::LinkState;
use crate::units::{Mono, StrapId};

/// How often each thing happened since the start. The letters are the levels of recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// (a) Attempts to connect.
    pub connects: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
    /// Connections whose subscription stands.
    pub setups: u64,
    /// Connections without a usable heart rate subscription.
    pub setup_failures: u64,
    /// Links that came up by themselves and were taken over.
    pub adopted: u64,
    /// Links that ended without our doing.
    pub drops: u64,
    /// Times that heart rate stopped while connected.
    pub silences: u64,
    /// Subscriptions made again because of silence.
    pub resubscribes: u64,
    /// Reconnects because of silence.
    pub silent_reconnects: u64,
    /// (b) Scan bursts started.
    pub scans: u64,
    /// (c) Times the adapter was looked for again.
    pub adapter_lookups: u64,
    /// (d) Attempts at a new connection to the bus, the first one not counted.
    pub managers: u64,
    /// (e) Times recovery gave up.
    pub gave_up: u64,
    /// Calls whose executor never answered.
    pub unanswered: u64,
    /// Times that the engine's queue was full when heart rate arrived. Nothing is lost then, but it waits.
    pub queue_full: u64,
    /// Answers that came after their call was given up.
    pub late: u64,
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, n: Self) {
        self.connects += n.connects;
        self.connect_failures += n.connect_failures;
        self.setups += n.setups;
        self.setup_failures += n.setup_failures;
        self.adopted += n.adopted;
        self.drops += n.drops;
        self.silences += n.silences;
        self.resubscribes += n.resubscribes;
        self.silent_reconnects += n.silent_reconnects;
        self.scans += n.scans;
        self.adapter_lookups += n.adapter_lookups;
        self.managers += n.managers;
        self.gave_up += n.gave_up;
        self.unanswered += n.unanswered;
        self.queue_full += n.queue_full;
        self.late += n.late;
    }
}

/// What is being done at this moment to get a strap's heart rate. The levels of recovery, from nothing upward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recovery {
    /// Nothing: it comes, or the strap is not wanted.
    #[default]
    None,
    /// Silence: the system is asked whether the strap is still connected.
    Asking,
    /// Silence: the subscription is made again.
    Resubscribing,
    /// (a) The strap is connected (again), now or after a pause.
    Reconnecting,
    /// (b) The strap is looked for.
    Scanning,
    /// (c) There is no adapter that could do anything.
    Adapter,
    /// (d) Neither bluetoothd nor the bus answers.
    Bus,
}

impl Recovery {
    /// All, from nothing upward.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Asking, Self::Resubscribing, Self::Reconnecting, Self::Scanning, Self::Adapter, Self::Bus];

    /// Stable word for JSON and topics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asking => "asking",
            Self::Resubscribing => "resubscribing",
            Self::Reconnecting => "reconnecting",
            Self::Scanning => "scanning",
            Self::Adapter => "adapter",
            Self::Bus => "bus",
        }
    }
}

/// A known cause that fits what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Advertises but refuses: another device holds the only connection.
    HeldByAnother,
    /// Three connections in a row ended after 30 s: the kernel rejected the strap's connection parameters.
    DropsAfter30s,
    /// Connects, but offers no heart rate measurement.
    NoHeartRate,
    /// Connected and subscribed, but nothing comes.
    SubscribedButSilent,
    /// The adapter carries as many connections as it can.
    AdapterFull,
    /// Seen, but connecting or subscribing fails each time.
    AttemptsFail,
}

impl Hint {
    /// A sentence for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::HeldByAnother => {
                "the strap is seen but refuses: another device (watch, phone, trainer) probably holds its only \
                 connection; close that app, or allow two connections in the maker's app"
            }
            Self::DropsAfter30s => {
                "the link ends after 30 s each time: the kernel rejects the strap's connection parameters; update \
                 kernel and BlueZ, or use another adapter"
            }
            Self::AdapterFull => {
                "this adapter carries as many connections as it can: release another strap or Bluetooth device, or let \
                 a second machine with hrvd have this strap"
            }
            Self::AttemptsFail => {
                "the strap is seen, but connecting or subscribing fails each time: unclip it from its belt for half a \
                 minute; if that does not help: systemctl restart bluetooth, and on a Raspberry Pi put Wi-Fi on 5 GHz or a \
                 cable, or use a USB adapter"
            }
            Self::NoHeartRate => "the device offers no heart rate measurement (0x2A37); is it a heart-rate strap?",
            Self::SubscribedButSilent => {
                "connected, but no heart rate arrives: wet the pads and wear the strap; if it is worn, restart it by \
                 unclipping it for half a minute"
            }
        }
    }
}

/// One strap in detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrapStatus {
    /// Which.
    pub strap: StrapId,
    /// State of its link.
    pub state: LinkState,
    /// Signal strength at the last advertisement, dBm. A connected strap does not advertise: then it is an old one.
    pub rssi: Option<i16>,
    /// Signal over the advertisements of the last reconnects.
    pub signal: Signal,
    /// When it was last seen advertising, or connected.
    pub last_seen: Option<Mono>,
    /// Failures in a row that slow down the next attempt.
    pub failures: u32,
    /// Refused connections in a row.
    pub refusals: u32,
    /// Dropped connections since the last good run.
    pub drops: u32,
    /// When the next attempt may be made.
    pub retry_at: Option<Mono>,
    /// Since when the subscription stands.
    pub up_since: Option<Mono>,
    /// The newest failure.
    pub last_failure: Option<Failure>,
    /// A known cause that fits.
    pub hint: Option<Hint>,
    /// What is being done about it.
    pub recovery: Recovery,
    /// What happened on this link since the start; the fields of adapter and bus stay 0.
    pub counters: Counters,
}

/// State of the adapter, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adapter {
    /// Not asked yet.
    #[default]
    Unknown,
    /// The bus, bluetoothd or the permission to talk to it is missing.
    Unreachable(Option<Failure>),
    /// bluetoothd runs but there is no such adapter.
    Missing,
    /// Here.
    Here(AdapterInfo),
}

impl Adapter {
    /// Present and switched on.
    pub const fn is_on(&self) -> bool {
        matches!(self, Self::Here(AdapterInfo { powered: true, .. }))
    }
}

/// The Bluetooth edge at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The adapter.
    pub adapter: Adapter,
    /// Whether a scan burst runs.
    pub scanning: bool,
    /// What happened so far.
    pub counters: Counters,
    /// The wanted straps.
    pub straps: Vec<StrapStatus>,
}
