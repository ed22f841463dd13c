//! Letting a strap go for a while, so that another app can have it: by request, or by a schedule. Pure; what was asked
//! for outlives the process as a line of text.

use crate::engine::WakeWindow;
use crate::units::{Mono, Now};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::time::Duration;

/// How long a strap is let go if nobody says. A switch that is forgotten must not cost the next morning.
pub const USUAL: Duration = Duration::from_secs(3600);
/// The longest release by request.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Let the strap go for so long (at most [`LONGEST`]).
    Release(Duration),
    /// Take it back; during a scheduled release also until that one would have ended.
    End,
}

/// Who let the strap go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Somebody asked.
    Request,
    /// The configuration's schedule.
    Schedule,
}

/// A strap that is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// By whom.
    pub by: By,
    /// How long from now.
    pub left: Duration,
}

/// Somebody's decision, until its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    released: bool,
    until: Mono,
    until_wall: Option<Timestamp>,
    length: Duration,
    /// Made in an earlier boot: then the wall clock, once known, decides when it ends.
    foreign: bool,
}

/// Whether one strap is let go.
#[derive(Clone, Debug)]
pub struct Release {
    windows: Vec<WakeWindow>,
    zone: TimeZone,
    decision: Option<Decision>,
}

impl Release {
    /// A strap with this schedule, in the local time of its athlete.
    pub fn new(windows: Vec<WakeWindow>, zone: TimeZone) -> Self {
        Self { windows, zone, decision: None }
    }

    /// The schedule changed hands: another athlete, another time zone. A decision stays.
    pub fn reschedule(&mut self, windows: Vec<WakeWindow>, zone: TimeZone) {
        (self.windows, self.zone) = (windows, zone);
    }

    /// Somebody asks for something.
    pub fn ask(&mut self, now: Now, ask: Ask) {
        self.decision = match ask {
            Ask::Release(length) => Some(decision(true, length.min(LONGEST), now)),
            Ask::End => self.scheduled(now).map(|left| decision(false, left, now)),
        };
    }

    /// Whether the strap is let go now. Without a known clock no schedule applies: it is kept.
    pub fn state(&mut self, now: Now) -> Option<Released> {
        if self.decision.is_some_and(|d| d.is_over(now)) {
            self.decision = None;
        }
        match self.decision {
            Some(d) if d.released => Some(Released { by: By::Request, left: d.left(now) }),
            Some(_) => None,
            None => self.scheduled(now).map(|left| Released { by: By::Schedule, left }),
        }
    }

    /// The decision as text, for the next process; `None` if there is none.
    pub fn to_text(&self, boot: &str) -> Option<String> {
        let d = self.decision?;
        let wall = d.until_wall.map_or(String::from("-"), |t| t.as_microsecond().to_string());
        let word = if d.released { "released" } else { "kept" };
        let boot = if d.foreign { "-" } else { boot };
        Some(format!("{word} {boot} {} {wall} {}", d.until.as_micros(), d.length.as_secs()))
    }

    /// Takes up what an earlier process was told. What cannot be read is no decision.
    pub fn restore(&mut self, text: &str, boot: &str, now: Now) {
        self.decision = parse(text, boot, now).filter(|d| !d.is_over(now));
    }

    /// Time left of a scheduled release.
    fn scheduled(&self, now: Now) -> Option<Duration> {
        let wall = now.wall?;
        let local = wall.to_zoned_datetime(self.zone.clone());
        let open = self.windows.iter().filter(|w| w.contains(local.time()));
        let ends = open.filter_map(|w| {
            let day = if w.until > local.time() { local.date() } else { local.date().checked_add(1.day()).ok()? };
            let end = day.to_datetime(w.until).to_zoned_datetime(self.zone.clone()).ok()?;
            Duration::try_from(end.timestamp().duration_since(wall)).ok()
        });
        ends.max()
    }
}

impl Decision {
    fn is_over(&self, now: Now) -> bool {
        let by_wall = self.until_wall.zip(now.wall).is_some_and(|(until, wall)| wall >= until);
        now.mono >= self.until || (self.foreign && by_wall)
    }

    fn left(&self, now: Now) -> Duration {
        let by_mono = self.until.since(now.mono);
        match self.until_wall.zip(now.wall).filter(|_| self.foreign) {
            Some((until, wall)) => by_mono.min(Duration::try_from(until.duration_since(wall)).unwrap_or_default()),
            None => by_mono,
        }
    }
}

fn decision(released: bool, length: Duration, now: Now) -> Decision {
    let until_wall = now.wall.and_then(|w| w.checked_add(SignedDuration::try_from(length).ok()?).ok());
    Decision { released, until: now.mono + length, until_wall, length, foreign: false }
}

fn parse(text: &str, boot: &str, now: Now) -> Option<Decision> {
    let mut parts = text.split(' ');
    let released = match parts.next()? {
        "released" => true,
        "kept" => false,
        _ => return None,
    };
    let foreign = parts.next()? != boot;
    let until = Mono::from_micros(parts.next()?.parse().ok()?);
    let until_wall = parts.next()?.parse().ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    let length = Duration::from_secs(parts.next()?.parse().ok()?).min(LONGEST);
    // Times since boot mean nothing in another boot; the whole length once more is the most that can be left.
    let until = if foreign { now.mono + length } else { until.min(now.mono + length) };
    Some(Decision { released, until, until_wall, length, foreign })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::time;

    const BOOT: &str = "b00t";

    fn zone() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    /// 12:00 in Berlin is 11:00 UTC in winter; `mono` counts from there.
    fn at(minutes: i64) -> Now {
        let noon: Timestamp = "2026-11-24T11:00:00Z".parse().unwrap();
        Now {
            mono: Mono::from_secs(100_000).offset_micros(minutes * 60_000_000),
            wall: Some(noon + SignedDuration::from_mins(minutes)),
        }
    }

    fn dark(now: Now) -> Now {
        Now { wall: None, ..now }
    }

    fn evening() -> Release {
        Release::new(vec![WakeWindow { from: time(17, 0, 0, 0), until: time(19, 0, 0, 0) }], zone())
    }

    fn mins(n: u64) -> Duration {
        Duration::from_secs(n * 60)
    }

    #[test]
    fn a_request_ends_by_itself() {
        let mut r = Release::new(vec![], zone());
        assert_eq!(r.state(at(0)), None);
        r.ask(at(0), Ask::Release(mins(30)));
        assert_eq!(r.state(at(10)), Some(Released { by: By::Request, left: mins(20) }));
        assert_eq!(r.state(at(30)), None);
        r.ask(at(40), Ask::Release(mins(30)));
        r.ask(at(41), Ask::End);
        assert_eq!(r.state(at(41)), None);
        r.ask(at(50), Ask::Release(Duration::MAX));
        assert_eq!(r.state(at(50)).unwrap().left, LONGEST);
    }

    #[test]
    fn a_request_needs_no_clock_and_ignores_its_jumps() {
        let mut r = Release::new(vec![], zone());
        r.ask(dark(at(0)), Ask::Release(mins(30)));
        assert!(r.state(dark(at(29))).is_some());
        let jumped = Now { wall: at(9999).wall, ..at(29) };
        assert!(r.state(jumped).is_some(), "the clock was set, time did not pass");
        assert!(r.state(dark(at(30))).is_none());
    }

    #[test]
    fn a_schedule_is_local_time_and_waits_for_a_known_clock() {
        let mut r = evening();
        assert_eq!(r.state(at(299)), None, "16:59");
        assert_eq!(r.state(at(300)), Some(Released { by: By::Schedule, left: mins(120) }), "17:00");
        assert_eq!(r.state(at(419)).unwrap().left, mins(1));
        assert_eq!(r.state(at(420)), None, "19:00");
        assert_eq!(r.state(dark(at(300))), None);
        // a summer's 17:00 is another UTC
        let summer: Timestamp = "2026-07-01T15:00:00Z".parse().unwrap();
        assert!(r.state(Now { wall: Some(summer), ..at(0) }).is_some());
    }

    #[test]
    fn a_schedule_over_midnight_and_overlapping_ones() {
        let night = WakeWindow { from: time(22, 0, 0, 0), until: time(1, 0, 0, 0) };
        let late = WakeWindow { from: time(23, 0, 0, 0), until: time(2, 0, 0, 0) };
        let mut r = Release::new(vec![night, late], zone());
        assert_eq!(r.state(at(11 * 60)).unwrap().left, mins(180), "23:00, until 02:00");
        assert_eq!(r.state(at(13 * 60)).unwrap().left, mins(60), "01:00, until 02:00");
        assert_eq!(r.state(at(14 * 60)), None);
    }

    #[test]
    fn the_hour_that_the_clocks_skip_is_survived() {
        let gap = WakeWindow { from: time(1, 30, 0, 0), until: time(2, 30, 0, 0) };
        let mut r = Release::new(vec![gap], zone());
        let before: Timestamp = "2026-03-29T00:45:00Z".parse().unwrap(); // 01:45 in Berlin; 02:30 never comes
        let left = r.state(Now { wall: Some(before), ..at(0) }).unwrap().left;
        assert!(left <= mins(60), "{left:?}");
    }

    #[test]
    fn taking_it_back_holds_until_the_schedule_would_have_ended() {
        let mut r = evening();
        r.ask(at(310), Ask::End);
        assert_eq!(r.state(at(310)), None);
        assert_eq!(r.state(at(419)), None);
        assert_eq!(r.state(at(421)), None);
        assert!(r.state(at(300 + 24 * 60)).is_some(), "tomorrow's is untouched");
        let mut r = evening();
        r.ask(at(0), Ask::End);
        assert!(r.state(at(300)).is_some(), "nothing was released, so nothing was decided");
    }

    #[test]
    fn a_restart_changes_nothing_about_it() {
        let mut r = Release::new(vec![], zone());
        r.ask(at(0), Ask::Release(mins(30)));
        let text = r.to_text(BOOT).unwrap();
        let again = |boot: &str, now: Now| {
            let mut r = Release::new(vec![], zone());
            r.restore(&text, boot, now);
            r.state(now).map(|s| s.left)
        };
        assert_eq!(again(BOOT, at(10)), Some(mins(20)));
        assert_eq!(again(BOOT, at(30)), None);
        // another boot: its own count of time, the same wall clock
        let rebooted = |minutes: i64| Now { mono: Mono::from_secs(20), ..at(minutes) };
        assert_eq!(again("other", rebooted(10)), Some(mins(20)));
        assert_eq!(again("other", rebooted(30)), None);
        // ...and a clock that is not known yet: never longer than the whole, and right as soon as it is known
        let mut r = Release::new(vec![], zone());
        r.restore(&text, "other", dark(rebooted(10)));
        assert_eq!(r.state(dark(rebooted(10))).unwrap().left, mins(30));
        assert_eq!(r.state(rebooted(29)).unwrap().left, mins(1));
        assert_eq!(r.to_text("other").unwrap().split(' ').nth(1), Some("-"), "it stays of another boot");
        assert_eq!(r.state(rebooted(31)), None);
        assert_eq!(r.to_text("other"), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_decision() {
        for text in ["", "released", "released b00t x - 60", "gone b00t 1 2 3", "released b00t 1 - -5"] {
            let mut r = Release::new(vec![], zone());
            r.restore(text, BOOT, at(0));
            assert_eq!(r.state(at(0)), None, "{text}");
        }
    }
}
