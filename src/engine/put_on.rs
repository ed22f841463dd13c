//! Whether beats that come after a silence are those of a strap that was put on: then the morning check may begin by
//! itself. A silence has many causes, and most of them tell nothing about the person: another app had the strap, the
//! adapter was off, it was out of reach. So it must have looked taken off before.

use super::input::LinkState;
use crate::units::Mono;
use std::time::Duration;

/// Beats after at least this much silence can mean that the strap was put on.
const SILENT: Duration = Duration::from_secs(60);
/// A strap that sends packets without RR for so long hears no heart: an H10 goes on like that for about 45 s when it is
/// taken off.
pub(super) const WITHOUT_RR: Duration = Duration::from_secs(20);
/// The same by the strap's own word about contact.
pub(super) const WITHOUT_CONTACT: Duration = Duration::from_secs(5);
/// Looked for and not found for so long: nobody wore it in reach, whatever its last packets were. Longer than most
/// outings with a strap on.
const ABSENT: Duration = Duration::from_secs(2 * 3600);
/// Some straps deny contact in the first seconds of a link although they hear the heart: so long their word is waited for.
const CONTACT_WAIT: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct PutOn {
    last_rr: Option<Mono>,
    /// It looked taken off since the last interval.
    off: bool,
    /// First of the packets without RR that now come.
    bare_since: Option<Mono>,
    /// Since when it is looked for and not found.
    absent_since: Option<Mono>,
    /// Beats came, contact not yet.
    pending: Option<Mono>,
}

impl PutOn {
    /// A strap of which nothing was heard yet counts as taken off.
    pub(super) fn new() -> Self {
        Self { last_rr: None, off: true, bare_since: None, absent_since: None, pending: None }
    }

    /// The state of its link changed.
    pub(super) fn link(&mut self, now: Mono, state: LinkState) {
        use LinkState::*;
        self.bare_since = None;
        match state {
            NotSeen => drop(self.absent_since.get_or_insert(now)),
            // nobody looks for it, or another device holds it
            Released | NoAdapter | AdapterOff | AdapterFull | Refuses => self.absent_since = None,
            Unknown | Seen | Connecting | Connected | Silent | Unstable | Fails => {}
        }
        // let go at the start of the process: it may have been worn all the time
        self.off &= state != Released || self.last_rr.is_some();
    }

    /// A packet came; `worn`: beats have outweighed a contact bit that denies. Whether it was put on just now.
    pub(super) fn packet(&mut self, now: Mono, has_rr: bool, contact: Option<bool>, worn: bool) -> bool {
        if !has_rr {
            let bare = now.since(*self.bare_since.get_or_insert(now));
            self.off |= bare >= if contact == Some(false) { WITHOUT_CONTACT } else { WITHOUT_RR };
            return false;
        }
        let absent = self.absent_since.take().is_some_and(|t| now.since(t) >= ABSENT);
        let off = std::mem::take(&mut self.off) || absent;
        if self.last_rr.is_none_or(|t| now.since(t) >= SILENT) {
            self.pending = off.then_some(now);
        }
        self.last_rr = Some(now);
        self.bare_since = None;
        let due = self.pending.is_some_and(|t| now.since(t) < CONTACT_WAIT) && (contact != Some(false) || worn);
        if due {
            self.pending = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 3600;

    enum Do {
        Link(LinkState),
        /// Packets with intervals, once a second.
        Beats(u64),
        /// Packets without, and what they say about contact.
        Bare(u64, Option<bool>),
        /// Nothing.
        Wait(u64),
    }
    use Do::*;
    use LinkState::*;

    /// How often it was put on.
    fn count(night: &[Do]) -> usize {
        let (mut p, mut now, mut n) = (PutOn::new(), Mono::from_secs(1000), 0);
        for step in night {
            match *step {
                Link(state) => p.link(now, state),
                Wait(s) => now = now + Duration::from_secs(s),
                Beats(s) | Bare(s, _) => {
                    for _ in 0..s {
                        now = now + Duration::from_secs(1);
                        let (rr, contact) = if let Bare(_, c) = *step { (false, c) } else { (true, None) };
                        n += usize::from(p.packet(now, rr, contact, false));
                    }
                }
            }
        }
        n
    }

    /// Worn at first (that counts once), then this, then beats. Whether they count again.
    fn put_on(then: &[Do]) -> bool {
        let mut p = vec![Link(Connected), Beats(100)];
        p.extend(then.iter().map(|d| match *d {
            Link(s) => Link(s),
            Beats(s) => Beats(s),
            Bare(s, c) => Bare(s, c),
            Wait(s) => Wait(s),
        }));
        p.extend([Link(Connected), Beats(100)]);
        match count(&p) {
            1 => false,
            2 => true,
            n => panic!("{n}"),
        }
    }

    #[test]
    fn only_a_strap_that_looked_taken_off_was_put_on() {
        let silence = |state| vec![Link(state), Wait(8 * HOUR), Link(Seen), Link(Connecting)];
        for (name, then, want) in [
            ("taken off, the link stays", vec![Bare(90, None)], true),
            ("taken off by its own word", vec![Bare(10, Some(false)), Wait(55)], true),
            ("taken off, the link ends after 45 s", vec![Bare(45, None), Link(NotSeen), Wait(8 * HOUR)], true),
            (
                "the same, and the adapter was off in the night",
                {
                    let mut all = vec![Bare(45, None), Link(NotSeen), Wait(HOUR)];
                    all.extend(silence(AdapterOff));
                    all
                },
                true,
            ),
            ("the link ends at once, away for the night", silence(NotSeen), true),
            ("out of reach for a while", vec![Link(NotSeen), Wait(40 * MINUTE), Link(Seen)], false),
            ("the radio stalls", vec![Link(Silent), Wait(10 * MINUTE)], false),
            ("nothing comes, nobody says why", vec![Wait(10 * MINUTE)], false),
            ("too short", vec![Bare(30, None)], false),
            ("let go for an app", silence(Released), false),
            (
                "let go, and then held by a watch in a workout",
                vec![Link(Released), Wait(HOUR), Link(NotSeen), Wait(HOUR), Link(Seen)],
                false,
            ),
            (
                "let go, then away for long",
                {
                    let mut all = vec![Link(Released), Wait(HOUR)];
                    all.extend(silence(NotSeen));
                    all
                },
                true,
            ),
            (
                "let go, then linked without a heart",
                vec![Link(Released), Wait(HOUR), Link(Connected), Bare(30, None)],
                true,
            ),
            ("adapter off", silence(AdapterOff), false),
            ("adapter gone", silence(NoAdapter), false),
            ("adapter full", silence(AdapterFull), false),
            ("held by another device", silence(Refuses), false),
            ("drops and returns", vec![Link(Unstable), Wait(10 * MINUTE)], false),
        ] {
            assert_eq!(put_on(&then), want, "{name}");
        }
    }

    #[test]
    fn the_first_beats_of_all() {
        assert_eq!(count(&[Beats(10)]), 1);
        assert_eq!(count(&[Link(NoAdapter), Wait(30), Link(Connected), Beats(10)]), 1, "an adapter that comes late");
        assert_eq!(count(&[Link(Released), Wait(HOUR), Link(Connected), Beats(10)]), 0, "restarted while let go");
    }

    #[test]
    fn contact_that_comes_late_is_waited_for() {
        let mut p = PutOn::new();
        let mut at = |s: u64, contact, worn| p.packet(Mono::from_secs(s), true, contact, worn);
        let said: Vec<bool> = (1..12).map(|s| at(s, Some(s > 8), false)).collect();
        assert_eq!(said.iter().position(|x| *x), Some(8), "{said:?}");
        assert_eq!(said.iter().filter(|x| **x).count(), 1);
        let mut p = PutOn::new();
        let first = (1..40).find(|s| p.packet(Mono::from_secs(*s), true, Some(false), *s > 20));
        assert_eq!(first, Some(21), "beats outweigh the bit");
    }
}
