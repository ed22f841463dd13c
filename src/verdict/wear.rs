//! Worn or not, from intervals and contact together: many straps have no contact bit, some lie, and some send heart
//! rate after they were taken off.

use super::FindingId;
use super::rhythm::Rhythm;
use crate::hrs::Contact;
use crate::units::Mono;
use std::time::Duration;

/// Whether somebody wears the strap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Worn {
    /// A heart is heard.
    Worn,
    /// No heart is heard, and the strap had one or says so.
    NotWorn,
    /// The signs contradict each other, or there are none.
    #[default]
    Unsure,
}

impl Worn {
    /// Stable word for JSON and topics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worn => "worn",
            Self::NotWorn => "not_worn",
            Self::Unsure => "unsure",
        }
    }
}

/// Intervals older than this prove nothing.
const FRESH: Duration = Duration::from_secs(15);
/// So long without intervals while heart rate goes on: they have stopped.
const STOPPED: Duration = Duration::from_secs(30);
/// So long must beats be good before they outweigh a contact bit that says "lost".
const OUTWEIGH: Duration = Duration::from_secs(20);
/// A contact bit that contradicts the intervals for this long lies.
const LIES: Duration = Duration::from_secs(30);
/// Share of implausible intervals below which a heart beats.
const GOOD: f64 = 0.12;
/// Fewer intervals than this are not called noise: a few missed beats weigh too much.
const NOISE_SEEN: u32 = 48;
/// Share above which it is noise, and below which it is no longer.
const NOISE: f64 = 0.5;
const NO_NOISE: f64 = 0.33;

#[derive(Clone, Debug, Default)]
pub(super) struct Wear {
    noise: bool,
    last_packet: Option<Mono>,
    last_rr: Option<Mono>,
    /// Intervals seen on this link.
    had_rr: u32,
    /// It is known to have intervals.
    has_rr: bool,
    contact: Option<Contact>,
    /// Since when contact says lost and beats are good.
    falsely_lost: Option<Mono>,
    /// Since when contact says good and intervals are noise.
    falsely_good: Option<Mono>,
    last: Worn,
}

impl Wear {
    /// The link came or went. What the one before said is no sign of this one.
    pub(super) fn link(&mut self) {
        (self.last_rr, self.had_rr) = (None, 0);
        self.falsely_lost = None;
        self.falsely_good = None;
    }

    /// A packet came. `contact` is `None` if it was too short to tell. Returns whether it has to be judged at once:
    /// contact changed, or intervals came after none.
    pub(super) fn packet(&mut self, now: Mono, contact: Option<Contact>, intervals: usize) -> bool {
        self.last_packet = Some(now);
        let first = intervals > 0 && !self.is_fresh(now);
        if intervals > 0 {
            (self.last_rr, self.has_rr) = (Some(now), true);
            self.had_rr = self.had_rr.saturating_add(intervals as u32);
        }
        let before = self.contact;
        self.contact = contact.or(before);
        first || self.contact != before
    }

    /// Judges what came. Returns what is wrong.
    pub(super) fn look(&mut self, now: Mono, rhythm: &Rhythm, frozen: bool) -> [Option<FindingId>; 3] {
        let share = rhythm.wild_now();
        let fresh = self.is_fresh(now);
        let good = fresh && !frozen && share.is_some_and(|s| s < GOOD);
        let enough = rhythm.seen() >= NOISE_SEEN;
        self.noise = enough && share.is_some_and(|s| s >= if self.noise { NO_NOISE } else { NOISE });
        let noise = fresh && self.noise;
        let lost = self.contact == Some(Contact::Lost);
        let claims = self.contact == Some(Contact::Good);
        since(&mut self.falsely_lost, now, lost && good);
        since(&mut self.falsely_good, now, claims && noise);
        let stopped = self.had_rr >= 20 && !lost && self.last_rr.is_some_and(|t| now.since(t) >= STOPPED);
        self.last = self.judge(now, rhythm, frozen);
        [
            lasting(self.falsely_lost, now, LIES).then_some(FindingId::ContactFalselyLost),
            lasting(self.falsely_good, now, LIES).then_some(FindingId::ContactFalselyGood),
            stopped.then_some(FindingId::RrStopped),
        ]
    }

    fn is_fresh(&self, now: Mono) -> bool {
        self.last_rr.is_some_and(|t| now.since(t) < FRESH)
    }

    fn judge(&self, now: Mono, rhythm: &Rhythm, frozen: bool) -> Worn {
        let contact = self.contact.unwrap_or(Contact::Unsupported);
        if !self.is_fresh(now) {
            let stopped = self.had_rr > 0 && self.last_rr.is_some_and(|t| now.since(t) >= STOPPED);
            return match contact {
                Contact::Lost => Worn::NotWorn,
                Contact::Unsupported if stopped => Worn::NotWorn,
                // it was taken off before this link, and no heart was heard on it yet
                Contact::Unsupported if self.had_rr == 0 && self.last == Worn::NotWorn => Worn::NotWorn,
                Contact::Good if !self.has_rr && !frozen => Worn::Worn,
                _ => Worn::Unsure,
            };
        }
        match (rhythm.wild_now(), contact) {
            _ if frozen => Worn::Unsure,
            _ if self.noise => Worn::Unsure,
            (_, Contact::Lost) if !lasting(self.falsely_lost, now, OUTWEIGH) => Worn::Unsure,
            (None, Contact::Unsupported) => Worn::Unsure,
            _ => Worn::Worn,
        }
    }

    /// At any time, also when nothing arrives.
    pub(super) fn worn(&self, now: Mono) -> Worn {
        let heard = self.last_packet.is_some_and(|t| now.since(t) < FRESH);
        // a link that drops for a moment changes nothing; a strap that was taken off stays off while it is silent
        if heard || self.last == Worn::NotWorn { self.last } else { Worn::Unsure }
    }
}

fn since(slot: &mut Option<Mono>, now: Mono, holds: bool) {
    *slot = holds.then(|| slot.unwrap_or(now));
}

fn lasting(since: Option<Mono>, now: Mono, span: Duration) -> bool {
    since.is_some_and(|t| now.since(t) >= span)
}
