//! One athlete as the engine sees them: the check, the live values, the mornings already measured.

use super::input::Athlete;
use super::output::Live;
use super::strap::{FRESH, StrapState};
use crate::check::{Machine, MachineEvent, WhyNone};
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
    /// When that check began, if it was in this boot and seen here.
    pub(super) measured: Option<Mono>,
    /// The strap whose values are shown.
    pub(super) live_strap: Option<StrapId>,
    /// Values go out with the first packet from here on; `None` while no heart rate comes.
    next_live: Option<Mono>,
    /// A packet came since values were last looked at.
    fresh: bool,
    /// What was last said holds values of beats.
    shows_beats: bool,
}

impl Person {
    pub(super) fn new(athlete: Athlete) -> Self {
        Self {
            athlete,
            machine: None,
            checked_on: None,
            measured: None,
            live_strap: None,
            next_live: None,
            fresh: false,
            shows_beats: false,
        }
    }

    pub(super) fn is_checking(&self) -> bool {
        self.machine.as_ref().is_some_and(Machine::is_running)
    }

    /// Local date of a moment.
    pub(super) fn date(&self, wall: Timestamp) -> Date {
        wall.to_zoned_datetime(self.athlete.time_zone.clone()).date()
    }

    /// The wall clock was set: the newest check belongs to the date that it says now.
    pub(super) fn see_clock(&mut self, wall_at: impl Fn(Mono) -> Option<Timestamp>) {
        if let Some(wall) = self.measured.and_then(wall_at) {
            self.checked_on = Some(self.date(wall));
        }
    }

    /// Whether a strap put on now starts the check by itself.
    pub(super) fn wants_check(&self, wall: Timestamp) -> bool {
        let local = wall.to_zoned_datetime(self.athlete.time_zone.clone());
        !self.is_checking()
            && self.checked_on != Some(local.date())
            && self.athlete.wake_window.is_some_and(|w| w.contains(local.time()))
    }

    /// A packet of this strap arrived, from a heart: its values are the live ones, from now on at the interval.
    pub(super) fn on_packet(&mut self, now: Mono, strap: StrapId, other_is_live: bool) {
        if self.live_strap == Some(strap) || !other_is_live {
            self.live_strap = Some(strap);
            self.next_live.get_or_insert(now);
            self.fresh = true;
        }
    }

    /// `strap`: the one whose values are shown.
    pub(super) fn poll_timeout(&self, strap: Option<&StrapState>) -> Option<Mono> {
        // live values need no timer of their own: they go out with packets. Their end does; that of the heart rate
        // itself is the strap's.
        let fade = strap.filter(|_| self.shows_beats).and_then(|s| s.last_beats).map(|t| t + FRESH);
        self.machine.as_ref().and_then(Machine::poll_timeout).into_iter().chain(fade).min()
    }

    /// The interval changed: the next value comes no later than it would by the new one.
    pub(super) fn hurry_live(&mut self, now: Mono, interval: Duration) {
        self.next_live = self.next_live.map(|due| due.min(now + interval.saturating_sub(GRACE)));
    }

    /// Live values, when they are due: together with a packet, so that they are as fresh as can be, and once at the
    /// moment when beats are no longer fresh. The last message of a stream holds nothing: an old value is never live.
    /// Of a signal that carries no variability heart rate is all that is said.
    pub(super) fn poll_live(&mut self, now: Mono, interval: Duration, strap: Option<&StrapState>) -> Option<Live> {
        let due = self.next_live?;
        let id = self.live_strap?;
        let fresh = std::mem::take(&mut self.fresh);
        let Some(strap) = strap.filter(|s| s.is_live(now)) else {
            (self.next_live, self.live_strap, self.shows_beats) = (None, None, false);
            return Some(Live::nothing(self.athlete.id.clone(), id, now));
        };
        let beating = strap.beating(now);
        let fades = self.shows_beats && !beating;
        if !fades && (!fresh || now < due) {
            return None;
        }
        // half a notification of grace, so that an interval of 5 s is five packets and not sometimes six
        self.next_live = Some(now + interval.saturating_sub(GRACE));
        self.shows_beats = beating;
        let why = if beating { WhyNone::of(strap.trust(now)) } else { None };
        let read = || if why.is_some() { strap.windows.read().refused() } else { strap.windows.read() };
        Some(Live {
            athlete: self.athlete.id.clone(),
            strap: id,
            at: now,
            hr_bpm: strap.hr,
            rr_ms: strap.last_rr.filter(|_| beating && why.is_none()),
            contact: strap.contact,
            beats: beating.then(read),
            why,
        })
    }

    pub(super) fn poll_check(&mut self, now: Mono) -> Option<MachineEvent> {
        self.machine.as_mut()?.poll_event(now)
    }
}

/// Half the usual distance of notifications.
const GRACE: Duration = Duration::from_millis(500);
