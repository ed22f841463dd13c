//! Why a strap delivers nothing, or less than it could, in words that help. Pure: from what the link machine and the
//! engine know at one moment to one cause and one piece of advice.

use crate::ble::{self, Hint};
use crate::engine::{LinkState, StrapStatus};
use crate::release::Released;
use crate::units::Mono;
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
    /// So weak when last seen advertising that packets get lost.
    WeakSignal,
    /// The battery is nearly empty.
    BatteryLow,
}

impl Cause {
    /// All, in the order of the enum.
    pub const ALL: [Self; 18] = [
        Self::None,
        Self::Released,
        Self::BluetoothDown,
        Self::NoAdapter,
        Self::AdapterOff,
        Self::AdapterFull,
        Self::DropsAfter30s,
        Self::Refuses,
        Self::NoHeartRate,
        Self::Asleep,
        Self::Unstable,
        Self::NotSeen,
        Self::Silent,
        Self::ContactLost,
        Self::RrEnded,
        Self::NoRr,
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
            Self::NoHeartRate => "no_heart_rate",
            Self::Asleep => "asleep",
            Self::Unstable => "unstable",
            Self::NotSeen => "not_seen",
            Self::Silent => "silent",
            Self::ContactLost => "contact_lost",
            Self::RrEnded => "rr_ended",
            Self::NoRr => "no_rr",
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
    match (signs.no_contact_since, rr_age) {
        (Some(since), rr) if now.since(since) >= CONTACT_LOST && rr.is_none_or(|age| age >= CONTACT_LOST) => {
            Some(Cause::ContactLost)
        }
        (_, Some(age)) if age >= RR_ENDED => Some(Cause::RrEnded),
        (None, None) if since_first >= NO_RR => Some(Cause::NoRr),
        _ => None,
    }
}

/// Why a strap is not connected, or connected and silent.
fn down(strap: &StrapStatus, link: Option<&ble::StrapStatus>) -> Option<Cause> {
    match link.map_or(strap.link, |l| l.state) {
        LinkState::Silent => Some(Cause::Silent),
        LinkState::NotSeen if strap.signs.taken_off => Some(Cause::Asleep),
        LinkState::Unstable if strap.signs.taken_off => Some(Cause::Asleep),
        LinkState::Unstable => Some(Cause::Unstable),
        LinkState::Refuses => Some(Cause::Refuses),
        LinkState::AdapterFull => Some(Cause::AdapterFull),
        LinkState::NotSeen => Some(Cause::NotSeen),
        LinkState::NoAdapter => Some(Cause::NoAdapter),
        LinkState::AdapterOff => Some(Cause::AdapterOff),
        LinkState::Released => Some(Cause::Released),
        LinkState::Unknown | LinkState::Seen | LinkState::Connecting | LinkState::Connected => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ble::{Adapter, AdapterInfo};
    use crate::engine::{Config, Engine, Input, Roster, Strap};
    use crate::release::By;
    use crate::units::{Now, StrapId};

    const ID: StrapId = StrapId([1; 6]);

    fn link(state: LinkState, hint: Option<Hint>) -> ble::StrapStatus {
        ble::StrapStatus {
            strap: ID,
            state,
            rssi: None,
            signal: ble::signal::Signal::default(),
            last_seen: None,
            failures: 0,
            refusals: 0,
            drops: 0,
            retry_at: None,
            up_since: None,
            last_failure: None,
            hint,
        }
    }

    fn here(powered: bool) -> Adapter {
        Adapter::Here(AdapterInfo { powered, ..AdapterInfo::default() })
    }

    /// A strap as the real engine sees it.
    struct Body {
        engine: Engine,
        now: u64,
    }

    impl Body {
        fn new() -> Self {
            let alex: crate::units::AthleteId = "alex".parse().unwrap();
            let config = Config {
                boot: "b".into(),
                live_interval: Duration::from_secs(5),
                check: crate::check::CheckConfig::default(),
            };
            let mut body = Self { engine: Engine::new(config), now: 1000 };
            let athlete = crate::engine::Athlete {
                id: alex.clone(),
                name: "Alex".into(),
                time_zone: jiff::tz::TimeZone::UTC,
                posture: crate::check::Posture::Supine,
                wake_window: None,
            };
            let straps = vec![Strap { id: ID, athlete: alex, name: None }];
            body.input(Input::Roster(Roster { athletes: vec![athlete], straps }));
            body.link(LinkState::Connected);
            body
        }
        fn input(&mut self, input: Input) {
            self.engine.handle(Now { mono: Mono::from_secs(self.now), wall: None }, input);
            while self.engine.poll_output().is_some() {}
        }
        fn link(&mut self, state: LinkState) {
            self.input(Input::Link { strap: ID, state });
        }
        /// Sends once a second for so long.
        fn send(&mut self, seconds: u64, contact: Option<bool>, rr: bool) {
            for _ in 0..seconds {
                self.now += 1;
                let flags = 0x10
                    | match contact {
                        None => 0,
                        Some(false) => 0x04,
                        Some(true) => 0x06,
                    };
                let bytes: &[u8] = if rr { &[flags, 60, 0, 4] } else { &[flags & !0x10, 60] };
                self.input(Input::Packet { strap: ID, bytes: bytes.iter().copied().collect() });
            }
        }
        fn cause(&self, state: LinkState) -> Cause {
            let now = Mono::from_secs(self.now);
            let status = self.engine.strap_statuses(now).remove(0);
            diagnose(now, &status, Some(&here(true)), Some(&link(state, None)), None)
        }
    }

    #[test]
    fn a_strap_that_sends_beats_needs_no_words() {
        let mut b = Body::new();
        b.send(120, None, true);
        assert_eq!(b.cause(LinkState::Connected), Cause::None);
        b.send(15, None, false);
        assert_eq!(b.cause(LinkState::Connected), Cause::None, "below 60 bpm packets without RR are normal");
    }

    #[test]
    fn heart_rate_without_rr_is_named_after_a_minute() {
        let mut b = Body::new();
        b.send(59, Some(true), false);
        assert_eq!(b.cause(LinkState::Connected), Cause::None);
        b.send(3, Some(true), false);
        assert_eq!(b.cause(LinkState::Connected), Cause::NoRr);
    }

    #[test]
    fn rr_that_ends_is_another_story_than_rr_that_never_came() {
        let mut b = Body::new();
        b.send(120, None, true);
        b.send(25, None, false);
        assert_eq!(b.cause(LinkState::Connected), Cause::RrEnded);
        b.send(1, None, true);
        assert_eq!(b.cause(LinkState::Connected), Cause::None);
    }

    #[test]
    fn lost_contact_is_believed_only_without_rr() {
        let mut b = Body::new();
        b.send(60, Some(false), true);
        assert_eq!(b.cause(LinkState::Connected), Cause::None, "a lying contact bit");
        b.send(8, Some(false), false);
        assert_eq!(b.cause(LinkState::Connected), Cause::None);
        b.send(4, Some(false), false);
        assert_eq!(b.cause(LinkState::Connected), Cause::ContactLost);
        b.send(1, Some(true), true);
        assert_eq!(b.cause(LinkState::Connected), Cause::None);
    }

    #[test]
    fn a_strap_taken_off_falls_asleep_and_a_lost_one_is_not_seen() {
        let mut off = Body::new();
        off.send(120, None, true);
        off.send(45, None, false);
        off.link(LinkState::NotSeen);
        assert_eq!(off.cause(LinkState::NotSeen), Cause::Asleep);
        off.link(LinkState::Connected);
        off.send(2, None, true);
        off.link(LinkState::NotSeen);
        assert_eq!(off.cause(LinkState::NotSeen), Cause::NotSeen, "it was put on again and lost while worn");

        let mut lost = Body::new();
        lost.send(120, None, true);
        lost.now += 30; // out of reach: silence, then the supervision timeout
        lost.link(LinkState::NotSeen);
        assert_eq!(lost.cause(LinkState::NotSeen), Cause::NotSeen);

        let mut told = Body::new();
        told.send(120, Some(true), true);
        told.send(8, Some(false), false);
        told.link(LinkState::NotSeen);
        assert_eq!(told.cause(LinkState::NotSeen), Cause::Asleep, "by its own word");
    }

    #[test]
    fn what_lies_lower_explains_more() {
        let mut b = Body::new();
        b.link(LinkState::NotSeen);
        let status = b.engine.strap_statuses(Mono::from_secs(b.now)).remove(0);
        let why = |adapter: Option<&Adapter>, l: Option<&ble::StrapStatus>, r| {
            diagnose(Mono::from_secs(b.now), &status, adapter, l, r)
        };
        let free = Some(Released { by: By::Schedule, left: Duration::ZERO });
        assert_eq!(why(Some(&Adapter::Missing), None, free), Cause::Released);
        assert_eq!(why(Some(&Adapter::Missing), None, None), Cause::NoAdapter);
        assert_eq!(why(Some(&here(false)), None, None), Cause::AdapterOff);
        assert_eq!(why(Some(&Adapter::Unreachable(None)), None, None), Cause::BluetoothDown);
        for (state, hint, cause) in [
            (LinkState::Refuses, Hint::HeldByAnother, Cause::Refuses),
            (LinkState::Unstable, Hint::DropsAfter30s, Cause::DropsAfter30s),
            (LinkState::AdapterFull, Hint::AdapterFull, Cause::AdapterFull),
            (LinkState::Seen, Hint::NoHeartRate, Cause::NoHeartRate),
            (LinkState::Silent, Hint::SubscribedButSilent, Cause::Silent),
        ] {
            assert_eq!(why(Some(&here(true)), Some(&link(state, Some(hint))), None), cause);
        }
        assert_eq!(why(Some(&here(true)), Some(&link(LinkState::Unstable, None)), None), Cause::Unstable);
        let weak = ble::signal::Signal { dbm: Some(-92), trend: None };
        let faint = ble::StrapStatus { signal: weak, ..link(LinkState::Connecting, None) };
        assert_eq!(why(Some(&here(true)), Some(&faint), None), Cause::WeakSignal);
        assert_eq!(why(None, None, None), Cause::NotSeen, "without bluetoothd the engine's own word counts");
    }

    #[test]
    fn words_are_unique_and_advice_is_given() {
        let words: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(words.len(), Cause::ALL.len());
        assert!(Cause::ALL.iter().all(|c| (*c == Cause::None) == c.advice().is_none()));
        assert!(!Cause::Refuses.is_calm() && Cause::Asleep.is_calm());
    }
}
