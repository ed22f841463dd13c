//! Why a strap delivers nothing, or less than it could, in words that help. Pure: from what the link machine and the
//! engine know at one moment to one cause and one piece of advice.

use crate::ble::{self, Hint};
use crate::engine::{LinkState, StrapStatus};
use crate::release::Released;
use crate::units::Mono;
use crate::verdict::FindingId;
use std::time::Duration;

/// Contact is lost when the strap says so for this long and no RR comes either: some straps lie about it for a moment.
const CONTACT_LOST: Duration = Duration::from_secs(10);
/// Heart rate for so long without any RR comes from something that sends none.
const NO_RR: Duration = Duration::from_secs(60);
/// RR that came and then stayed away for so long has ended.
const RR_ENDED: Duration = Duration::from_secs(20);
/// At this level, %, the battery may fail any day.
const BATTERY_LOW: u8 = 15;

/// Why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Nothing to explain.
    #[default]
    None,
    /// Let go on purpose.
    Released,
    /// bluetoothd or the system bus does not answer.
    BluetoothDown,
    /// The machine has no such adapter.
    NoAdapter,
    /// The adapter is switched off.
    AdapterOff,
    /// The adapter takes no more connections.
    AdapterFull,
    /// Three connections in a row ended after 30 s.
    DropsAfter30s,
    /// Seen advertising, but refuses connections.
    Refuses,
    /// Seen advertising, but connecting or subscribing fails each time.
    Fails,
    /// Connects, but offers no heart rate.
    NoHeartRate,
    /// Taken off: the strap sleeps until it is worn again.
    Asleep,
    /// Connects and drops, over and over.
    Unstable,
    /// Does not advertise.
    NotSeen,
    /// Connected, but nothing comes.
    Silent,
    /// No skin contact, and no RR.
    ContactLost,
    /// RR came and ended, heart rate goes on.
    RrEnded,
    /// Heart rate without RR from the beginning.
    NoRr,
    /// Values do not move.
    Frozen,
    /// Intervals are sent more than once, or more of them than time passes.
    RepeatedRr,
    /// Intervals are smoothed or calculated.
    NoHrv,
    /// Intervals cover too little of the time.
    LostBeats,
    /// Many intervals are implausible.
    Noisy,
    /// So weak when last seen advertising that packets get lost.
    WeakSignal,
    /// The battery is nearly empty.
    BatteryLow,
}

impl Cause {
    /// All, in the order of the enum.
    pub const ALL: [Self; 24] = [
        Self::None,
        Self::Released,
        Self::BluetoothDown,
        Self::NoAdapter,
        Self::AdapterOff,
        Self::AdapterFull,
        Self::DropsAfter30s,
        Self::Refuses,
        Self::Fails,
        Self::NoHeartRate,
        Self::Asleep,
        Self::Unstable,
        Self::NotSeen,
        Self::Silent,
        Self::ContactLost,
        Self::RrEnded,
        Self::NoRr,
        Self::Frozen,
        Self::RepeatedRr,
        Self::NoHrv,
        Self::LostBeats,
        Self::Noisy,
        Self::WeakSignal,
        Self::BatteryLow,
    ];

    /// Stable word for JSON and topics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Released => "released",
            Self::BluetoothDown => "bluetooth_down",
            Self::NoAdapter => "no_adapter",
            Self::AdapterOff => "adapter_off",
            Self::AdapterFull => "adapter_full",
            Self::DropsAfter30s => "drops_after_30_s",
            Self::Refuses => "refuses",
            Self::Fails => "fails",
            Self::NoHeartRate => "no_heart_rate",
            Self::Asleep => "asleep",
            Self::Unstable => "unstable",
            Self::NotSeen => "not_seen",
            Self::Silent => "silent",
            Self::ContactLost => "contact_lost",
            Self::RrEnded => "rr_ended",
            Self::NoRr => "no_rr",
            Self::Frozen => "frozen",
            Self::RepeatedRr => "repeated_rr",
            Self::NoHrv => "no_hrv",
            Self::LostBeats => "lost_beats",
            Self::Noisy => "noisy",
            Self::WeakSignal => "weak_signal",
            Self::BatteryLow => "battery_low",
        }
    }

    /// What to do about it, or why nothing has to be done.
    pub const fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::Released => "let go for other apps; it is taken back by itself when the time is over",
            Self::BluetoothDown => "bluetoothd or the system bus does not answer: systemctl status bluetooth dbus",
            Self::NoAdapter => "no such Bluetooth adapter: plug it in, or name another one in the configuration",
            Self::AdapterOff => "the adapter is off: bluetoothctl power on, or bluetooth.power_on = true",
            Self::AdapterFull => Hint::AdapterFull.advice(),
            Self::DropsAfter30s => Hint::DropsAfter30s.advice(),
            Self::Refuses => Hint::HeldByAnother.advice(),
            Self::Fails => Hint::AttemptsFail.advice(),
            Self::NoHeartRate => Hint::NoHeartRate.advice(),
            Self::Asleep => "taken off: the strap sleeps and comes back by itself when it is worn again",
            Self::Unstable => {
                "the link drops again and again: bring strap and adapter closer together, keep the adapter away from \
                 metal and USB 3, put this machine's Wi-Fi on 5 GHz or a cable, or use a USB adapter on a short cable"
            }
            Self::NotSeen => {
                "the strap does not advertise: normal while it is not worn; else wet the pads, come closer, and end the \
                 connection of other apps and watches"
            }
            Self::Silent => Hint::SubscribedButSilent.advice(),
            Self::ContactLost => {
                "no skin contact: wet the pads and tighten the strap; nothing to do if it was taken off"
            }
            Self::RrEnded => {
                "heart rate goes on but beats ended: the strap was taken off, or its pads are dry; wet them, or wait a \
                 minute for it to fall asleep"
            }
            Self::NoRr => {
                "heart rate without beat-to-beat intervals: a watch in broadcast mode or a band that sends none; HRV \
                 needs a chest strap that sends RR"
            }
            Self::Frozen => {
                "heart rate and intervals do not move: the strap hangs; unclip it from its belt for a minute (a pacemaker \
                 at a fixed rate looks the same)"
            }
            Self::RepeatedRr => {
                "more intervals come than time passes: the strap sends some more than once; its heart rate is shown, HRV \
                 from it is refused; try its maker's firmware, or another strap"
            }
            Self::NoHrv => {
                "the intervals are smoothed or calculated, as from an optical sensor: heart rate is shown, HRV is refused; \
                 HRV needs a chest strap"
            }
            Self::LostBeats => {
                "beats are missing: bring strap and adapter closer together, and keep the adapter away from metal and USB 3"
            }
            Self::Noisy => {
                "many intervals are implausible: wet the pads, tighten the strap, and keep still; if that does not help the \
                 belt may be worn out"
            }
            Self::WeakSignal => {
                "the signal was weak when the strap was last seen advertising: come closer, or move the adapter away \
                 from metal and USB 3"
            }
            Self::BatteryLow => "change the battery soon",
        })
    }

    /// A state of everyday life that nobody has to act on.
    pub const fn is_calm(self) -> bool {
        matches!(self, Self::None | Self::Released | Self::Asleep | Self::NotSeen)
    }
}

/// The one cause to tell of a strap.
///
/// `adapter` and `link` are absent when beats do not come from bluetoothd (a demo, a replay).
pub fn diagnose(
    now: Mono,
    strap: &StrapStatus,
    adapter: Option<&ble::Adapter>,
    link: Option<&ble::StrapStatus>,
    released: Option<Released>,
) -> Cause {
    if released.is_some() {
        return Cause::Released;
    }
    match adapter {
        Some(ble::Adapter::Unreachable(_)) => return Cause::BluetoothDown,
        Some(ble::Adapter::Missing) => return Cause::NoAdapter,
        Some(ble::Adapter::Here(info)) if !info.powered => return Cause::AdapterOff,
        Some(ble::Adapter::Here(_) | ble::Adapter::Unknown) | None => {}
    }
    match link.and_then(|l| l.hint) {
        Some(Hint::AdapterFull) => return Cause::AdapterFull,
        Some(Hint::DropsAfter30s) => return Cause::DropsAfter30s,
        Some(Hint::HeldByAnother) => return Cause::Refuses,
        Some(Hint::NoHeartRate) => return Cause::NoHeartRate,
        // which fails at the edge of reach
        Some(Hint::AttemptsFail) if link.is_some_and(|l| l.signal.is_weak()) => return Cause::WeakSignal,
        Some(Hint::AttemptsFail) => return Cause::Fails,
        Some(Hint::SubscribedButSilent) | None => {}
    }
    if strap.link.is_up() && !matches!(link.map(|l| l.state), Some(LinkState::Silent)) {
        if let Some(cause) = connected(now, strap) {
            return cause;
        }
    } else if let Some(cause) = down(strap, link) {
        return cause;
    }
    match () {
        () if link.is_some_and(|l| l.signal.is_weak()) => Cause::WeakSignal,
        () if strap.facts.battery_pct.is_some_and(|b| b <= BATTERY_LOW) => Cause::BatteryLow,
        () => Cause::None,
    }
}

/// What a connected strap lacks.
fn connected(now: Mono, strap: &StrapStatus) -> Option<Cause> {
    let signs = &strap.signs;
    if strap.link == LinkState::Silent {
        return Some(Cause::Silent);
    }
    if !strap.online {
        return None;
    }
    let rr_age = signs.last_rr.filter(|_| signs.any_rr).map(|t| now.since(t));
    let since_first = signs.first_packet.map_or(Duration::ZERO, |t| now.since(t));
    let by_link = match (signs.no_contact_since, rr_age) {
        (Some(since), rr) if now.since(since) >= CONTACT_LOST && rr.is_none_or(|age| age >= CONTACT_LOST) => {
            Some(Cause::ContactLost)
        }
        (_, Some(age)) if age >= RR_ENDED => Some(Cause::RrEnded),
        (None, None) if since_first >= NO_RR => Some(Cause::NoRr),
        _ => None,
    };
    by_link.or_else(|| by_signal(now, strap))
}

/// What is wrong with the intervals that come now, the worst first. Units are no trouble: they are converted.
fn by_signal(now: Mono, strap: &StrapStatus) -> Option<Cause> {
    use FindingId::*;
    // of this connection: what another one brought says nothing about this one
    let since = strap.signs.first_packet?;
    let has = |ids: &[FindingId]| {
        strap.verdict.findings.iter().any(|f| ids.contains(&f.id) && f.is_current(now) && f.last >= since)
    };
    [
        (&[FlatLine][..], Cause::Frozen),
        (&[RepeatedRr, RrAheadOfClock], Cause::RepeatedRr),
        (&[SmoothedRr, RrFromHeartRate], Cause::NoHrv),
        (&[LostBeats], Cause::LostBeats),
        (&[DryStart, Noisy, RrDropouts], Cause::Noisy),
    ]
    .into_iter()
    .find(|(ids, _)| has(ids))
    .map(|(_, cause)| cause)
}

/// Why a strap is not connected, or connected and silent.
fn down(strap: &StrapStatus, link: Option<&ble::StrapStatus>) -> Option<Cause> {
    match link.map_or(strap.link, |l| l.state) {
        LinkState::Silent => Some(Cause::Silent),
        LinkState::NotSeen if strap.signs.taken_off => Some(Cause::Asleep),
        LinkState::Unstable if strap.signs.taken_off => Some(Cause::Asleep),
        LinkState::Unstable => Some(Cause::Unstable),
        LinkState::Refuses => Some(Cause::Refuses),
        LinkState::Fails => Some(Cause::Fails),
        LinkState::AdapterFull => Some(Cause::AdapterFull),
        LinkState::NotSeen => Some(Cause::NotSeen),
        LinkState::NoAdapter => Some(Cause::NoAdapter),
        LinkState::AdapterOff => Some(Cause::AdapterOff),
        LinkState::Released => Some(Cause::Released),
        LinkState::Unknown | LinkState::Seen | LinkState::Connecting | LinkState::Connected => None,
    }
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
