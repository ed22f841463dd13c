//! One athlete as the engine sees them: the check, the live values, the mornings already measured.

use super::input::Athlete;
use super::output::Live;
use super::strap::StrapState;
use crate::check::{Machine, MachineEvent};
use crate::units::{Mono, StrapId};
use jiff::Timestamp;
use jiff::civil::Date;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) athlete: Athlete,
    pub(super) machine: Option<Machine>,
    /// Local date of the newest completed check.
    pub(super) checked_on: Option<Date>,
    /// The strap whose values are shown.
    pub(super) live_strap: Option<StrapId>,
    /// Values go out with the first packet from here on; `None` while no heart rate comes.
    next_live: Option<Mono>,
    /// A packet came since values were last looked at.
    fresh: bool,
}

impl Person {
    pub(super) fn new(athlete: Athlete) -> Self {
        Self { athlete, machine: None, checked_on: None, live_strap: None, next_live: None, fresh: false }
    }

    pub(super) fn is_checking(&self) -> bool {
        self.machine.as_ref().is_some_and(Machine::is_running)
    }

    /// Local date of a moment.
    pub(super) fn date(&self, wall: Timestamp) -> Date {
        wall.to_zoned_datetime(self.athlete.time_zone.clone()).date()
    }

    /// Whether a strap put on now starts the check by itself.
    pub(super) fn wants_check(&self, wall: Timestamp) -> bool {
        let local = wall.to_zoned_datetime(self.athlete.time_zone.clone());
        !self.is_checking()
            && self.checked_on != Some(local.date())
            && self.athlete.wake_window.is_some_and(|w| w.contains(local.time()))
    }

    /// A packet of this strap arrived: its values are the live ones, from now on at the interval.
    pub(super) fn on_packet(&mut self, now: Mono, strap: StrapId, other_is_online: bool) {
        if self.live_strap == Some(strap) || !other_is_online {
            self.live_strap = Some(strap);
            self.next_live.get_or_insert(now);
            self.fresh = true;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        // live values need no timer: they go out with packets, and their end is the strap's own timeout
        self.machine.as_ref().and_then(Machine::poll_timeout)
    }

    /// Live values, when they are due: together with a packet, so that they are as fresh as can be. The last message of a stream holds nothing: an old value is never live.
    pub(super) fn poll_live(&mut self, now: Mono, interval: Duration, strap: Option<&StrapState>) -> Option<Live> {
        let due = self.next_live?;
        let id = self.live_strap?;
        let fresh = std::mem::take(&mut self.fresh);
        let Some(strap) = strap.filter(|s| s.online(now)) else {
            self.next_live = None;
            self.live_strap = None;
            return Some(Live {
                athlete: self.athlete.id.clone(),
                strap: id,
                at: now,
                hr_bpm: None,
                rr_ms: None,
                rmssd_ms: None,
                pairs: 0,
                artifact_pct: None,
                contact: None,
            });
        };
        if !fresh || now < due {
            return None;
        }
        // half a notification of grace, so that an interval of 5 s is five packets and not sometimes six
        self.next_live = Some(now + interval.saturating_sub(GRACE));
        // heart rate may go on without intervals (no skin contact): then the window is a past one
        let beating = strap.last_beats.is_some_and(|t| now.since(t) < super::strap::FRESH);
        let window = strap.rolling();
        let td = window.time_domain();
        let artifact_pct = window.artifact_pct().filter(|_| beating);
        let pairs = if beating { td.pairs } else { 0 };
        let trusted = pairs >= MIN_LIVE_PAIRS && artifact_pct.is_some_and(|p| p <= MAX_LIVE_ARTIFACT_PCT);
        Some(Live {
            athlete: self.athlete.id.clone(),
            strap: id,
            at: now,
            hr_bpm: strap.hr,
            rr_ms: strap.last_rr.filter(|_| beating),
            rmssd_ms: td.rmssd_ms.ok().filter(|_| trusted),
            pairs: pairs as u32,
            artifact_pct,
            contact: strap.contact,
        })
    }

    pub(super) fn poll_check(&mut self, now: Mono) -> Option<MachineEvent> {
        self.machine.as_mut()?.poll_event(now)
    }
}

/// Half the usual distance of notifications.
const GRACE: Duration = Duration::from_millis(500);
/// Fewer pairs in the live window give no RMSSD.
const MIN_LIVE_PAIRS: usize = 20;
/// More artifacts in the live window give no RMSSD, %.
const MAX_LIVE_ARTIFACT_PCT: f64 = 10.0;
