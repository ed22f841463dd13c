//! Findings: what is wrong with a signal, in words for people.

use crate::units::Mono;
use std::time::Duration;

macro_rules! findings {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $sentence:literal;)*) => {
        /// What can be wrong with a strap's signal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingId {
            $($(#[$doc])* $name,)*
        }

        impl FindingId {
            /// Every finding.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Stable word for JSON and topics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// One sentence for people: what is so, and what to do.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

findings! {
    /// RR in ms instead of 1/1024 s.
    RrInMilliseconds, "rr_in_milliseconds",
        "The strap counts its intervals in milliseconds where the standard demands 1/1024 s; they are converted.";
    /// Intervals cover less than the time.
    LostBeats, "lost_beats",
        "Beats are missing: the intervals cover less than 94 % of the time. Bring strap and receiver closer together.";
    /// Intervals cover more than the time, unexplained.
    RrAheadOfClock, "rr_ahead_of_clock",
        "The strap sends more intervals than time has passed; HRV from it cannot be trusted.";
    /// The same intervals again.
    RepeatedRr, "repeated_rr",
        "The strap sends the same interval more than once; HRV from it cannot be trusted.";
    /// Each notification arrives twice.
    DoubledDelivery, "doubled_delivery",
        "Every notification arrives twice; a second subscription is alive. Repeats are dropped; restart Bluetooth if it stays.";
    /// Radio stalls.
    Stalls, "stalls",
        "The radio link stalls for seconds and then delivers everything at once; nothing is lost, but live values lag.";
    /// Link dies every 30 s.
    DropsEvery30s, "drops_every_30s",
        "The link dies about 30 s after each connect: the adapter refuses the connection parameters that the strap asks for.";
    /// Broken packets.
    Malformed, "malformed",
        "Packets hold bytes that do not belong there; what could be read was used.";
    /// HR without RR.
    NoRr, "no_rr",
        "Heart rate comes without beat intervals, as from watches and some armbands: no HRV is possible with it.";
    /// RR ended, HR goes on.
    RrStopped, "rr_stopped",
        "Heart rate goes on but the intervals have stopped: the strap was probably taken off, or its electrodes lost the skin.";
    /// Holes made by the strap.
    RrDropouts, "rr_dropouts",
        "The strap loses the heart for seconds again and again; the first interval after each hole is not to be trusted. Moisten the electrodes.";
    /// Bogus short RR.
    ExtraShortRr, "extra_short_rr",
        "The strap inserts bogus intervals far too short to be beats; they are left out.";
    /// Smoothed RR.
    SmoothedRr, "smoothed_rr",
        "The intervals look smoothed, as from an optical sensor: beat-to-beat variability is gone and RMSSD would read too low.";
    /// RR calculated from HR.
    RrFromHeartRate, "rr_from_heart_rate",
        "The intervals are calculated from the heart rate and are no measured beats: no HRV is possible with them.";
    /// Frozen values.
    FlatLine, "flat_line",
        "Heart rate and intervals do not move at all: the strap hangs (or a pacemaker beats). Take the strap off its belt for a minute.";
    /// Noise in the first minutes.
    DryStart, "dry_start",
        "Noise in the first minutes: the electrodes are dry. Moisten them, and wait for the signal to settle.";
    /// Noise.
    Noisy, "noisy",
        "Many intervals are implausible: bad contact, a worn belt, movement, or an irregular rhythm.";
    /// Contact bit says lost, beats are good.
    ContactFalselyLost, "contact_falsely_lost",
        "The strap says that it has no skin contact although its beats are good; its contact bit is ignored.";
    /// Contact bit says good, values are noise.
    ContactFalselyGood, "contact_falsely_good",
        "The strap claims skin contact although its intervals are noise; its contact bit is ignored.";
}

/// A finding and when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub id: FindingId,
    /// First seen.
    pub since: Mono,
    /// Last confirmed.
    pub last: Mono,
}

impl Finding {
    /// Whether it was confirmed so lately that it holds for what arrives now.
    pub fn is_current(&self, now: Mono) -> bool {
        now.since(self.last) < CURRENT
    }
}

/// A finding not confirmed for longer is of the past.
pub(super) const CURRENT: Duration = Duration::from_secs(120);
/// A finding not confirmed for this long is forgotten.
const FORGET: Duration = Duration::from_secs(24 * 3600);

/// All findings so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    slots: [Option<(Mono, Mono)>; FindingId::ALL.len()],
    /// How often one came or went.
    pub(super) changes: u32,
}

impl Findings {
    pub(super) fn raise(&mut self, id: FindingId, now: Mono) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            let old = slot.filter(|s| now.since(s.1) < FORGET);
            self.changes += u32::from(old.is_none());
            *slot = Some((old.map_or(now, |s| s.0), now));
        }
    }

    pub(super) fn clear(&mut self, id: FindingId) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            self.changes += u32::from(slot.take().is_some());
        }
    }

    /// When it was last confirmed.
    pub(super) fn last(&self, id: FindingId) -> Option<Mono> {
        Some(self.slots.get(id as usize)?.as_ref()?.1)
    }

    pub(super) fn list(&self, now: Mono) -> Vec<Finding> {
        let seen = FindingId::ALL.iter().zip(&self.slots);
        seen.filter_map(|(id, s)| s.map(|(since, last)| Finding { id: *id, since, last }))
            .filter(|f| now.since(f.last) < FORGET)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_kept_a_day_and_begin_anew() {
        let mut f = Findings::default();
        f.raise(FindingId::Noisy, Mono::from_secs(10));
        f.raise(FindingId::Noisy, Mono::from_secs(20));
        let expect = Finding { id: FindingId::Noisy, since: Mono::from_secs(10), last: Mono::from_secs(20) };
        assert_eq!(f.list(Mono::from_secs(30)), [expect]);
        assert_eq!(f.list(Mono::from_secs(20 + 86_400)), []);
        f.raise(FindingId::Noisy, Mono::from_secs(100_000));
        assert_eq!(f.list(Mono::from_secs(100_000))[0].since, Mono::from_secs(100_000));
    }

    #[test]
    fn words_and_sentences_are_distinct() {
        let words: std::collections::BTreeSet<_> = FindingId::ALL.iter().map(|f| f.as_str()).collect();
        assert_eq!(words.len(), FindingId::ALL.len());
        assert!(FindingId::ALL.iter().all(|f| f.sentence().ends_with('.')));
        assert!(FindingId::ALL.iter().enumerate().all(|(i, f)| *f as usize == i));
    }
}
