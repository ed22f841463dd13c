//! The link to one strap as a machine: no I/O, no clock. It never trusts an event to come: every phase that waits for
//! the world also ends by time, because BlueZ can die without a word and notification streams never end.

use super::backoff;
use super::call::{Failure, StrapCall};
use super::record::Record;
use super::signal::Samples;
use super::status::{Counters, Hint, Recovery, StrapStatus};
use crate::engine::LinkState;
use crate::units::{Mono, StrapId};
use std::time::Duration;

/// Added to a call's own limit before the machine stops believing that its executor will answer.
const GRACE: Duration = Duration::from_secs(2);
/// Good data for so long clears the record of failures. Shorter would let a connect-and-drop loop run unbraked.
const GOOD_RUN: Duration = Duration::from_secs(180);
/// A frame so soon after the end of a connection may have been under way before it.
const STALE_FRAME: Duration = Duration::from_secs(2);
/// An adapter that goes ends its links first and tells of itself after. Seen in the lab: 30 ms between the two.
const BLAMELESS: Duration = Duration::from_secs(2);
/// The battery is read again so often; not every strap notifies it.
const FACTS_EVERY: Duration = Duration::from_secs(6 * 3600);
/// A strap that was not seen for so long is only that; what it did before explains nothing any more.
const OLD_NEWS: Duration = Duration::from_secs(300);
/// BlueZ resolves the services of a link that it opened by itself; so often we ask again, a second apart.
const ADOPT_TRIES: u8 = 10;

/// What can happen to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The strap was seen advertising.
    Advert {
        /// Signal strength, dBm.
        rssi: i16,
    },
    /// The system says that the strap is connected.
    Connected,
    /// The system says that the strap is disconnected.
    Disconnected,
    /// A 0x2A37 notification arrived.
    Frame,
    /// The pending call ended.
    Done(Result<(), Failure>),
    /// A whole scan burst that began at this moment ended.
    BurstEnded(Mono),
    /// The adapter is off or gone: whatever was connected is not any more. Pending calls fail by themselves.
    AdapterLost,
    /// Another strap's connection ended: a full adapter has room again.
    RoomMade,
    /// Everything was thrown away, pending calls included.
    Reset,
    /// The strap is wanted (again).
    Want,
    /// Let the strap go.
    Release,
    /// A strap that was let go while nobody knew whether BlueZ still holds it: now it can be disconnected (`true`), or it
    /// cannot be connected any more.
    Free(bool),
    /// Time has passed.
    Timeout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Down,
    Connecting,
    /// Disconnecting after a failure or because the strap is not wanted.
    Cleaning,
    SettingUp,
    Up(Up),
    /// Let go; nothing more will happen.
    Released,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Up {
    since: Mono,
    /// Last frame, or the moment the subscription stood.
    fresh: Mono,
    any_frame: bool,
    facts_at: Option<Mono>,
    silence: Silence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Silence {
    None,
    Checked,
    Resubscribed,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    call: StrapCall,
    deadline: Mono,
}

/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// No frame for so long is silence: ask; after twice as long subscribe again; after four times reconnect.
    pub silence: Duration,
    /// How long an advertisement counts as "here".
    pub fresh: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self { silence: Duration::from_secs(5), fresh: Duration::from_secs(10) }
    }
}

/// The link to one strap.
#[derive(Clone, Debug)]
pub struct Link {
    strap: StrapId,
    config: LinkConfig,
    wanted: bool,
    phase: Phase,
    pending: Option<Pending>,
    next: Option<StrapCall>,
    advert: Option<Mono>,
    rssi: Option<i16>,
    signal: Samples,
    last_seen: Option<Mono>,
    /// `Some(true)`: looked for and not found. `None`: not looked for yet.
    absent: Option<bool>,
    /// The strap is connected without our doing; so many attempts to take it over were made.
    adopt: Option<u8>,
    /// A disconnect was announced while a call was pending that may yet claim success.
    doubt: bool,
    /// BlueZ may hold a connection that we asked for: it outlives our connection to the bus, and events can be missed. Only
    /// a disconnect settles it.
    held: bool,
    down_since: Mono,
    record: Record,
    /// When something was last held against the strap, and its record before that.
    blamed: Option<(Mono, Record)>,
    /// The adapter went in the middle of an attempt: its end says nothing about the strap.
    excused: bool,
    silent_cycles: u32,
    retry_at: Mono,
    tried_at: Option<Mono>,
    /// When the last connection began; it was subscribed to later.
    linked: Mono,
    good_since: Option<Mono>,
    reopen: bool,
    last_failure: Option<Failure>,
    counted: Counters,
}

impl Link {
    /// A link to a strap that is wanted from now on.
    pub fn new(strap: StrapId, config: LinkConfig, now: Mono) -> Self {
        Self {
            strap,
            config,
            wanted: true,
            phase: Phase::Down,
            pending: None,
            next: None,
            advert: None,
            rssi: None,
            signal: Samples::default(),
            last_seen: None,
            absent: None,
            adopt: None,
            doubt: false,
            held: false,
            down_since: now,
            record: Record::default(),
            blamed: None,
            excused: false,
            silent_cycles: 0,
            retry_at: now,
            tried_at: None,
            linked: now,
            good_since: None,
            reopen: false,
            last_failure: None,
            counted: Counters::default(),
        }
    }

    /// Takes an event; what it changed is counted in `all`, and here.
    pub fn handle(&mut self, now: Mono, event: LinkEvent, all: &mut Counters) {
        let mut n = Counters::default();
        self.take(now, event, &mut n);
        self.counted += n;
        *all += n;
    }

    fn take(&mut self, now: Mono, event: LinkEvent, n: &mut Counters) {
        match event {
            LinkEvent::Advert { rssi } => {
                self.advert = Some(now);
                self.rssi = Some(rssi);
                self.signal.push(now, rssi);
                self.last_seen = Some(now);
                self.absent = Some(false);
            }
            LinkEvent::Connected => {
                if self.phase == Phase::Down && self.wanted && self.pending.is_none() && self.adopt.is_none() {
                    self.doubt = false;
                    self.issue(now, StrapCall::CheckConnected);
                }
            }
            LinkEvent::Disconnected => self.on_disconnected(now, n),
            LinkEvent::Frame => self.on_frame(now),
            LinkEvent::Done(result) => {
                if let Some(p) = self.pending.take() {
                    self.on_done(now, p.call, result, n);
                }
            }
            LinkEvent::BurstEnded(began) => {
                if self.phase == Phase::Down && self.advert.is_none_or(|at| at < began) {
                    self.absent = Some(true);
                    if self.last_seen.is_none_or(|at| now.since(at) >= OLD_NEWS) {
                        self.record.is_old_news();
                    }
                }
            }
            LinkEvent::RoomMade => {
                if self.phase == Phase::Down && self.last_failure == Some(Failure::Full) {
                    self.retry_at = now;
                }
            }
            LinkEvent::AdapterLost => {
                self.doubt = true;
                self.adopt = None;
                self.advert = None;
                let blamed = self.blamed.take().filter(|(at, _)| now.since(*at) <= BLAMELESS);
                match (self.phase, blamed) {
                    (Phase::Up(_), _) => self.go_down(now, now),
                    (Phase::Connecting | Phase::SettingUp, _) => self.excused = true,
                    (Phase::Down | Phase::Cleaning, Some((_, before))) => {
                        self.record = before;
                        self.retry_at = now;
                    }
                    _ => {}
                }
            }
            LinkEvent::Reset => {
                self.pending = None;
                self.next = None;
                self.adopt = None;
                self.advert = None;
                self.go_down(now, now);
                if !self.wanted && !self.held {
                    self.phase = Phase::Released;
                }
            }
            LinkEvent::Want => {
                self.wanted = true;
                if self.phase == Phase::Released {
                    self.go_down(now, now);
                }
            }
            LinkEvent::Release => {
                self.wanted = false;
                self.adopt = None;
                match self.phase {
                    Phase::Down if self.pending.is_none() && !self.held => self.phase = Phase::Released,
                    Phase::Connecting | Phase::SettingUp | Phase::Up(_) => self.clean(now),
                    Phase::Down | Phase::Cleaning | Phase::Released => {}
                }
            }
            LinkEvent::Free(true) if self.may_be_held() => self.clean(now),
            LinkEvent::Free(false) if self.may_be_held() => {
                self.held = false;
                self.phase = Phase::Released;
            }
            LinkEvent::Free(_) | LinkEvent::Timeout => {}
        }
        self.advance(now, n);
    }

    /// The call to make now, if any.
    pub fn poll_call(&mut self) -> Option<StrapCall> {
        self.next.take()
    }

    /// When to send [`LinkEvent::Timeout`] at the latest. A moment that has passed asks for nothing.
    pub fn poll_timeout(&self) -> Option<Mono> {
        if let Some(p) = self.pending {
            return Some(p.deadline);
        }
        match self.phase {
            Phase::Up(up) => Some(up.fresh + self.silence_after(up.silence)),
            Phase::Down if self.wanted => Some(self.retry_at),
            _ => None,
        }
    }

    /// Whether the link wants the one slot for connecting now, and how urgently (lower goes first).
    pub fn wants_connect(&self, now: Mono) -> Option<(bool, Option<Mono>, StrapId)> {
        let here = self.advert.is_some_and(|at| now.since(at) <= self.config.fresh);
        (self.is_idle(now) && (here || self.adopt.is_some())).then_some((
            self.adopt.is_none(),
            self.tried_at,
            self.strap,
        ))
    }

    /// Whether the strap has to be looked for.
    pub fn wants_scan(&self, now: Mono) -> bool {
        self.is_idle(now) && self.wants_connect(now).is_none()
    }

    /// Gives the link the slot: it connects.
    pub fn connect(&mut self, now: Mono, n: &mut Counters) {
        n.connects += 1;
        self.counted.connects += 1;
        self.phase = Phase::Connecting;
        self.doubt = false;
        self.excused = false;
        self.held = true;
        self.tried_at = Some(now);
        self.issue(now, StrapCall::Connect);
    }

    /// Whether the link holds the slot: it connects, or cleans up after an attempt that BlueZ may go on with.
    pub fn holds_slot(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Cleaning)
    }

    /// Whether the link takes one of the adapter's connections.
    pub fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::SettingUp | Phase::Up(_))
    }

    /// Whether heart rate arrived lately.
    pub fn is_delivering(&self, now: Mono) -> bool {
        matches!(self.phase, Phase::Up(up) if up.any_frame && now.since(up.fresh) < self.config.silence)
    }

    /// Reconnects in a row that did not end the silence.
    pub fn silent_cycles(&self) -> u32 {
        self.silent_cycles
    }

    /// Whether the strap is being let go: another app cannot have it before that is done.
    pub fn is_leaving(&self) -> bool {
        !self.wanted && self.phase != Phase::Released
    }

    /// Whether the strap is to be let go, and BlueZ may hold it although this link is down.
    pub fn may_be_held(&self) -> bool {
        !self.wanted && self.held && self.phase == Phase::Down && self.pending.is_none()
    }

    /// Whether the strap was let go and nothing is pending.
    pub fn is_released(&self) -> bool {
        self.phase == Phase::Released
    }

    /// The state in the users' words, provided that the adapter works.
    pub fn state(&self) -> LinkState {
        let down = match self.phase {
            Phase::Up(up) if up.silence != Silence::None => return LinkState::Silent,
            Phase::Up(_) => return LinkState::Connected,
            _ if !self.wanted => return LinkState::Released,
            Phase::Connecting if self.last_failure == Some(Failure::Full) => LinkState::AdapterFull,
            Phase::Connecting | Phase::SettingUp => LinkState::Connecting,
            _ if self.absent == Some(true) => return LinkState::NotSeen,
            _ if self.absent == Some(false) => LinkState::Seen,
            _ => LinkState::Unknown,
        };
        // A strap that refuses is not shown as "connecting" once a minute.
        match () {
            () if self.last_failure == Some(Failure::Full) && self.absent != Some(true) => LinkState::AdapterFull,
            () => self.record.state().unwrap_or(down),
        }
    }

    /// Everything a person may want to know.
    pub fn status(&self, now: Mono, state: LinkState) -> StrapStatus {
        let hint = match () {
            () if state == LinkState::AdapterFull => Some(Hint::AdapterFull),
            () if self.record.drops_after_30s() => Some(Hint::DropsAfter30s),
            () if state == LinkState::Refuses => Some(Hint::HeldByAnother),
            () if self.last_failure == Some(Failure::NoHeartRate) => Some(Hint::NoHeartRate),
            () if state == LinkState::Fails => Some(Hint::AttemptsFail),
            () if self.silent_cycles >= 1 => Some(Hint::SubscribedButSilent),
            () => None,
        };
        StrapStatus {
            strap: self.strap,
            state,
            rssi: self.rssi,
            signal: self.signal.signal(),
            last_seen: self.last_seen,
            failures: self.record.failures,
            refusals: self.record.refusals,
            drops: self.record.drops,
            retry_at: (self.phase == Phase::Down && self.retry_at > now).then_some(self.retry_at),
            up_since: if let Phase::Up(up) = self.phase { Some(up.since) } else { None },
            last_failure: self.last_failure,
            hint,
            recovery: self.recovery(state),
            counters: self.counted,
        }
    }

    fn recovery(&self, state: LinkState) -> Recovery {
        match (self.phase, state) {
            (Phase::Up(Up { silence: Silence::None, .. }), _) => Recovery::None,
            (Phase::Up(Up { silence: Silence::Checked, .. }), _) => Recovery::Asking,
            (Phase::Up(_), _) => Recovery::Resubscribing,
            (Phase::Released, _) => Recovery::None,
            _ if !self.wanted => Recovery::None,
            (_, LinkState::NoAdapter | LinkState::AdapterOff) => Recovery::Adapter,
            (Phase::Connecting | Phase::SettingUp | Phase::Cleaning, _) => Recovery::Reconnecting,
            // it waits for its turn or the end of a pause; one that does not show itself has to be found first
            (Phase::Down, _) if self.advert.is_some() => Recovery::Reconnecting,
            (Phase::Down, _) => Recovery::Scanning,
        }
    }

    fn is_idle(&self, now: Mono) -> bool {
        self.wanted && self.phase == Phase::Down && self.pending.is_none() && now >= self.retry_at
    }

    fn issue(&mut self, now: Mono, call: StrapCall) {
        self.pending = Some(Pending { call, deadline: now + call.limit() + GRACE });
        self.next = Some(call);
    }

    fn silence_after(&self, step: Silence) -> Duration {
        self.config.silence
            * match step {
                Silence::None => 1,
                Silence::Checked => 2,
                Silence::Resubscribed => 4,
            }
    }

    fn go_down(&mut self, now: Mono, retry_at: Mono) {
        self.phase = Phase::Down;
        self.down_since = now;
        self.retry_at = retry_at;
        self.good_since = None;
    }

    /// Disconnects, overriding whatever is pending.
    fn clean(&mut self, now: Mono) {
        self.phase = Phase::Cleaning;
        self.good_since = None;
        self.issue(now, StrapCall::Disconnect);
    }

    /// From here on something may be held against the strap. Whether it may, is said: not if the adapter went meanwhile.
    fn blame(&mut self, now: Mono) -> bool {
        self.blamed = Some((now, self.record));
        !std::mem::take(&mut self.excused)
    }

    fn count_failure(&mut self, now: Mono, failure: Failure) {
        self.last_failure = Some(failure);
        if !failure.is_local() || failure == Failure::Full {
            self.record.failures = self.record.failures.saturating_add(1);
        }
        self.retry_at = now + backoff::delay(self.strap, self.record.failures.max(1));
    }

    fn count_broken(&mut self, failure: Failure) {
        self.record.broken = self.record.broken.saturating_add(u32::from(!failure.is_local()));
    }

    fn fail(&mut self, now: Mono, failure: Failure) {
        self.count_failure(now, failure);
        self.begin_anew(now);
    }

    fn begin_anew(&mut self, now: Mono) {
        self.adopt = None;
        // The strap has to show itself again: BlueZ removes the object of a device that failed to connect.
        self.advert = None;
        self.clean(now);
    }

    fn drop_link(&mut self, now: Mono, n: &mut Counters) {
        n.drops += 1;
        if self.blame(now) {
            self.record.dropped(now.since(self.linked).as_secs());
            self.count_failure(now, Failure::NotConnected);
        } else {
            self.retry_at = now;
        }
        let retry_at = self.retry_at;
        self.go_down(now, retry_at);
        self.advert = None;
        self.absent = Some(true);
    }

    fn on_disconnected(&mut self, now: Mono, n: &mut Counters) {
        match self.phase {
            Phase::Up(_) => self.drop_link(now, n),
            Phase::SettingUp | Phase::Connecting => self.doubt = true,
            Phase::Down => {
                self.adopt = None;
                self.doubt = true;
            }
            Phase::Cleaning | Phase::Released => {}
        }
    }

    fn on_frame(&mut self, now: Mono) {
        match &mut self.phase {
            Phase::Up(up) => {
                self.last_seen = Some(now);
                up.fresh = now;
                up.any_frame = true;
                up.silence = Silence::None;
                self.silent_cycles = 0;
                self.reopen = false;
                self.excused = false;
                let good_since = *self.good_since.get_or_insert(now);
                if now.since(good_since) >= GOOD_RUN {
                    self.record.failures = 0;
                    self.record.refusals = 0;
                    self.record.drops = 0;
                    self.last_failure = None;
                }
            }
            // BlueZ finished an attempt of its own and the stream of old delivers again.
            Phase::Down
                if self.wanted
                    && self.pending.is_none()
                    && self.adopt.is_none()
                    && now.since(self.down_since) >= STALE_FRAME =>
            {
                self.doubt = false;
                self.issue(now, StrapCall::CheckConnected);
            }
            _ => {}
        }
    }

    fn on_done(&mut self, now: Mono, call: StrapCall, result: Result<(), Failure>, n: &mut Counters) {
        match (self.phase, call, result) {
            (Phase::Connecting, StrapCall::Connect, Ok(())) => {
                if self.adopt.take().is_some() {
                    n.adopted += 1;
                }
                self.phase = Phase::SettingUp;
                self.linked = now;
                self.issue(now, StrapCall::Setup { reopen: self.reopen });
            }
            (Phase::Connecting, StrapCall::Connect, Err(failure)) => {
                n.connect_failures += 1;
                match (self.adopt, failure) {
                    // BlueZ is about to finish what it began by itself: do not fight it.
                    (Some(tries), Failure::InProgress) if tries < ADOPT_TRIES => {
                        self.adopt = Some(tries + 1);
                        self.go_down(now, now + Duration::from_secs(1));
                    }
                    _ if !self.blame(now) => {
                        self.retry_at = now;
                        self.begin_anew(now);
                    }
                    _ => {
                        // out of reach no answer comes either
                        let refused = match failure {
                            Failure::Refused => true,
                            Failure::Timeout => !self.signal.signal().is_weak(),
                            _ => false,
                        };
                        if refused && self.adopt.is_none() {
                            self.record.refusals = self.record.refusals.saturating_add(1);
                        } else {
                            self.count_broken(failure);
                        }
                        self.fail(now, failure);
                    }
                }
            }
            (Phase::SettingUp, StrapCall::Setup { .. }, Ok(())) => {
                n.setups += 1;
                (self.record.refusals, self.record.broken) = (0, 0);
                self.last_seen = Some(now);
                if self.last_failure == Some(Failure::Full) {
                    self.last_failure = None;
                }
                self.absent = Some(false);
                self.phase =
                    Phase::Up(Up { since: now, fresh: now, any_frame: false, facts_at: None, silence: Silence::None });
                if std::mem::take(&mut self.doubt) {
                    self.issue(now, StrapCall::CheckConnected);
                }
            }
            (Phase::SettingUp, StrapCall::Setup { .. }, Err(failure)) => {
                n.setup_failures += 1;
                if self.blame(now) {
                    self.count_broken(failure);
                    self.fail(now, failure);
                } else {
                    self.retry_at = now;
                    self.begin_anew(now);
                }
            }
            (Phase::Up(_), StrapCall::CheckConnected, Err(Failure::NotConnected | Failure::Gone)) => {
                self.drop_link(now, n);
            }
            (Phase::Cleaning, StrapCall::Disconnect, _) => {
                self.held = false;
                let retry_at = self.retry_at;
                self.go_down(now, retry_at);
            }
            (Phase::Down, StrapCall::CheckConnected, Ok(())) if !self.doubt => {
                self.adopt = Some(0);
                // It is up already: waiting would only leave its data unclaimed.
                self.retry_at = now;
            }
            // Facts are optional, a fresh subscription proves itself by frames, an unanswered check by silence.
            _ => {}
        }
        if self.phase == Phase::Down && !self.wanted && !self.held {
            self.phase = Phase::Released;
        }
    }

    /// Lets time have its say.
    fn advance(&mut self, now: Mono, n: &mut Counters) {
        if let Some(p) = self.pending.filter(|p| now >= p.deadline) {
            self.pending = None;
            n.unanswered += 1;
            self.on_done(now, p.call, Err(Failure::Timeout), n);
        }
        if self.pending.is_some() {
            return;
        }
        let Phase::Up(mut up) = self.phase else { return };
        if up.any_frame && up.facts_at.is_none_or(|at| now.since(at) >= FACTS_EVERY) {
            up.facts_at = Some(now);
            self.phase = Phase::Up(up);
            self.issue(now, StrapCall::ReadFacts);
            return;
        }
        if now < up.fresh + self.silence_after(up.silence) {
            return;
        }
        match up.silence {
            Silence::None => {
                n.silences += 1;
                up.silence = Silence::Checked;
                self.phase = Phase::Up(up);
                self.good_since = None;
                self.issue(now, StrapCall::CheckConnected);
            }
            Silence::Checked => {
                n.resubscribes += 1;
                up.silence = Silence::Resubscribed;
                self.phase = Phase::Up(up);
                self.issue(now, StrapCall::Resubscribe);
            }
            Silence::Resubscribed => {
                n.silent_reconnects += 1;
                self.silent_cycles = self.silent_cycles.saturating_add(1);
                self.reopen = true;
                self.fail(now, Failure::Timeout);
            }
        }
    }
}
