//! What the intervals of one strap mean: their units, what the judge says of them, and whether its heart rate is one.
//!
//! Raw values are scaled here, once, before anything computes with them. See docs/decisions/0009.

use super::strap::FRESH;
use crate::hrs::{Contact, Defect, Measurement};
use crate::timeline::Placed;
use crate::units::{Mono, RrTicks};
use crate::verdict::{Judge, Source, Trust, Units, Verdict, Worn};
use smallvec::SmallVec;
use std::time::Duration;

/// Heart rate that stays the same for so long, after intervals have ended, is an old one.
const UNPROVEN: Duration = Duration::from_secs(15);

/// Intervals were read in units that were not theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reread {
    pub(crate) from: Units,
    pub(crate) to: Units,
}

impl Reread {
    /// An interval that was read wrongly, rightly.
    pub(crate) fn again(self, rr: RrTicks) -> RrTicks {
        self.to.read(self.from.raw(rr))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Signal {
    judge: Judge,
    /// Units in which intervals are read now.
    reads: Units,
    /// Newest packet with intervals of this connection.
    last_rr: Option<Mono>,
    /// Whether intervals came, in any connection: then heart rate without any has to move.
    had_rr: bool,
    contact: Option<Contact>,
    hr: Option<u16>,
    /// When heart rate last moved or came with intervals.
    proven: Option<Mono>,
}

impl Signal {
    /// Earlier sessions proved this.
    pub(super) fn remember(&mut self, source: Source) -> Option<Reread> {
        self.judge.remember(source);
        self.reread()
    }

    /// Whether the clock has proven the units in which intervals are read.
    pub(super) fn knows_units(&self) -> bool {
        self.reads != Units::Unknown
    }

    /// Intervals as they are meant, see [`Judge::read`].
    pub(super) fn read(&self, m: &Measurement, breaks: &[usize]) -> SmallVec<[RrTicks; 9]> {
        self.judge.read(self.reads, m, breaks)
    }

    /// A notification, untouched, and what the timeline made of it. If its units are known by now: how to read again
    /// what was read before.
    pub(super) fn packet(
        &mut self,
        now: Mono,
        m: &Measurement,
        defect: Option<Defect>,
        placed: &[Placed],
    ) -> Option<Reread> {
        self.judge.packets(now, m, defect, placed);
        if !matches!(defect, Some(Defect::Empty)) {
            self.contact = Some(m.contact);
        }
        if !m.rr.is_empty() {
            (self.last_rr, self.had_rr) = (Some(now), true);
        }
        if !m.rr.is_empty() || self.hr != m.hr {
            self.proven = Some(now);
        }
        self.hr = m.hr;
        self.reread()
    }

    fn reread(&mut self) -> Option<Reread> {
        let to = self.judge.source().units;
        // once proven, "unknown" is only "not now"
        if to == Units::Unknown || to == self.reads {
            return None;
        }
        let from = std::mem::replace(&mut self.reads, to);
        (!from.reads_as(to)).then_some(Reread { from, to })
    }

    /// Beats that came later than with their packet.
    pub(super) fn placed(&mut self, placed: &Placed) {
        self.judge.placed(placed);
    }

    pub(super) fn link(&mut self, now: Mono, up: bool) {
        self.judge.link(now, up);
        (self.last_rr, self.contact, self.hr, self.proven) = (None, None, None, up.then_some(now));
    }

    /// Whether the strap's heart rate is one of now: a strap that was taken off may go on with its last value.
    pub(super) fn is_alive(&self, now: Mono) -> bool {
        let within = |t: Option<Mono>, limit| t.is_some_and(|t| now.since(t) < limit);
        let denied = self.contact == Some(Contact::Lost) && !within(self.last_rr, FRESH);
        let stuck = self.had_rr && !within(self.proven, UNPROVEN);
        !denied && !stuck && self.judge.worn(now) != Worn::NotWorn
    }

    pub(super) fn worn(&self, now: Mono) -> Worn {
        self.judge.worn(now)
    }

    /// Changes with everything of the verdict that is worth a message at once, but for worn.
    pub(super) fn revision(&self) -> (Source, u32) {
        (self.judge.source(), self.judge.changes())
    }

    pub(super) fn verdict(&self, now: Mono) -> Verdict {
        self.judge.verdict(now)
    }

    pub(super) fn trust(&self, now: Mono) -> Trust {
        self.judge.trust(now)
    }
}
