//! Values that do not move.

use crate::hrs::Measurement;
use crate::units::{Mono, RrTicks};
use std::time::Duration;

/// Values that do not move for this long are frozen: with intervals, and for heart rate alone.
const FROZEN: Duration = Duration::from_secs(60);
const FROZEN_HR: Duration = Duration::from_secs(300);
const FROZEN_BEATS: u32 = 45;

/// Heart rate and intervals since they last moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Still {
    since: Mono,
    hr: Option<u16>,
    rr: Option<RrTicks>,
    beats: u32,
}

impl Still {
    pub(super) fn packet(slot: &mut Option<Self>, arrival: Mono, m: &Measurement) {
        let rr: &[RrTicks] = &m.rr;
        let count = rr.len() as u32;
        if let Some(s) = slot.as_mut().filter(|s| s.hr == m.hr) {
            let near = |x: &RrTicks| s.rr.is_none_or(|y| x.0.abs_diff(y.0) <= 1);
            if rr.iter().all(near) {
                s.rr = s.rr.or(rr.last().copied());
                s.beats = s.beats.saturating_add(count);
                return;
            }
        }
        *slot = Some(Self { since: arrival, hr: m.hr, rr: rr.last().copied(), beats: count });
    }

    /// Whether they have stood still for long. `fresh`: intervals come now; `any_rr`: some came in this session.
    pub(super) fn is_frozen(self, now: Mono, fresh: bool, any_rr: bool) -> bool {
        let span = now.since(self.since);
        self.hr.is_some() && (self.beats >= FROZEN_BEATS && span >= FROZEN && fresh || !any_rr && span >= FROZEN_HR)
    }
}
