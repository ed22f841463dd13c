//! The engine as a whole: recordings and simulated hearts in, outputs out. Time is simulated.

#![allow(clippy::unwrap_used)]

use hrvd::check::{AbortCause, CheckConfig, CheckResult, Grade, Note, Phase, Posture, WhyNone};
use hrvd::engine::{
    Athlete, Command, Config, Engine, Input, LinkState, Live, Notice, Output, Record, Roster, Strap, StrapStatus,
    Trigger, WakeWindow,
};
use hrvd::player::Player;
use hrvd::sim::{Heart, HeartConfig, Notification, StrapSim};
use hrvd::timeline::GapReason;
use hrvd::units::{AthleteId, Mono, RrTicks, StrapId};
use jiff::civil::time;
use jiff::tz::{TimeZone, offset};
use std::time::Duration;

const STRAP: StrapId = StrapId([0xa0, 0x9e, 0x1a, 0x9f, 0x6e, 0x53]);
const START: Mono = Mono::from_secs(1000);

fn alex() -> AthleteId {
    "alex".parse().unwrap()
}

fn roster() -> Roster {
    Roster {
        athletes: vec![Athlete {
            id: alex(),
            name: "Alex".into(),
            time_zone: TimeZone::fixed(offset(1)),
            posture: Posture::Supine,
            wake_window: Some(WakeWindow { from: time(4, 30, 0, 0), until: time(10, 0, 0, 0) }),
        }],
        straps: vec![Strap { id: STRAP, athlete: alex(), name: None }],
    }
}

/// Values older than this are not live.
const FRESH: Duration = Duration::from_secs(6);

/// A world with one athlete and one strap.
struct World {
    player: Player,
    said: Vec<(Mono, Output)>,
}

impl World {
    fn new(wall: Option<&str>) -> Self {
        let config = Config {
            boot: "0123456789abcdef".into(),
            live_interval: Duration::from_secs(5),
            check: CheckConfig::default(),
        };
        let mut w =
            Self { player: Player::new(Engine::new(config), START, wall.map(|t| t.parse().unwrap())), said: vec![] };
        w.input(START, Input::Roster(roster()));
        w
    }

    fn input(&mut self, at: Mono, input: Input) {
        let said = &mut self.said;
        self.player.input(at, input, &mut |at, o| said.push((at, o)));
    }

    fn advance(&mut self, until: Mono) {
        let said = &mut self.said;
        self.player.advance(until, &mut |at, o| said.push((at, o)));
    }

    /// Taken off: heart rate goes on for 45 s, then the strap ends the link.
    fn take_off(&mut self, from: Mono) {
        for s in 0..45 {
            let bytes = [0x00, 60].into_iter().collect();
            self.input(from + Duration::from_secs(s), Input::Packet { strap: STRAP, bytes });
        }
        self.link(from + Duration::from_secs(45), LinkState::NotSeen);
    }

    fn link(&mut self, at: Mono, state: LinkState) {
        self.input(at, Input::Link { strap: STRAP, state });
    }

    fn start_check(&mut self, at: Mono) {
        let command = Command::StartCheck { athlete: alex(), posture: None, trigger: Trigger::Manual };
        self.input(at, Input::Command(command));
    }

    /// Plays notifications; those for which `keep` is false never arrive.
    fn play(&mut self, from: Mono, list: impl IntoIterator<Item = Notification>, keep: impl Fn(f64) -> bool) {
        for n in list {
            if keep(n.at.as_secs_f64()) {
                self.input(from + n.at, Input::Packet { strap: STRAP, bytes: n.bytes });
            }
        }
    }

    fn results(&self) -> Vec<&CheckResult> {
        self.said.iter().filter_map(|(_, o)| if let Output::Result(r) = o { Some(&**r) } else { None }).collect()
    }

    fn phases(&self) -> Vec<(u64, Phase)> {
        let t0 = START.as_micros();
        self.said
            .iter()
            .filter_map(|(at, o)| match o {
                Output::Check(c) if c.changed => Some(((at.as_micros() - t0) / 1_000_000, c.phase)),
                _ => None,
            })
            .collect()
    }

    fn cause(&self) -> Option<AbortCause> {
        self.said.iter().rev().find_map(|(_, o)| if let Output::Check(c) = o { c.cause } else { None })
    }

    fn lives(&self) -> Vec<(Mono, &Live)> {
        self.said.iter().filter_map(|(at, o)| if let Output::Live(l) = o { Some((*at, &**l)) } else { None }).collect()
    }

    /// When beats last came.
    fn last_beats(&self) -> Mono {
        self.said.iter().rev().find_map(|(at, o)| matches!(o, Output::Beats(_)).then_some(*at)).unwrap()
    }

    fn straps(&self) -> Vec<&StrapStatus> {
        self.said.iter().filter_map(|(_, o)| if let Output::Strap(s) = o { Some(s) } else { None }).collect()
    }

    fn records(&self) -> Vec<Record> {
        self.said.iter().filter_map(|(_, o)| if let Output::Record(r) = o { Some(r.clone()) } else { None }).collect()
    }
}

fn at(seconds: u64) -> Mono {
    START + Duration::from_secs(seconds)
}

/// `seconds` of a heart.
fn heart(config: HeartConfig, seconds: u64) -> Vec<Notification> {
    StrapSim::new(Heart::new(config)).take_while(|n| n.at <= Duration::from_secs(seconds)).collect()
}

fn steady() -> HeartConfig {
    HeartConfig { settling_ms: 0.0, ..HeartConfig::default() }
}

fn pyhrv() -> Vec<Notification> {
    let rr = hrvd::analyze::parse_rr_text(include_str!("data/pyhrv_short.txt")).unwrap().rr_ms;
    StrapSim::new(rr.into_iter().filter_map(RrTicks::from_ms)).collect()
}

#[test]
fn a_whole_check_from_strap_on_to_result() {
    let mut w = World::new(Some("2026-11-24T06:00:00Z"));
    w.start_check(at(2));
    w.link(at(5), LinkState::Connected);
    // 25 bpm faster at first: the heart settles, but not within half a minute
    w.play(at(5), heart(HeartConfig { settling_ms: -300.0, ..HeartConfig::default() }, 300), |_| true);
    let phases: Vec<Phase> = w.phases().into_iter().map(|p| p.1).collect();
    use Phase::*;
    assert_eq!(phases, [WaitingForStrap, Settling, Recording, Grading, Done]);
    let r = w.results()[0];
    assert_eq!((r.grade, r.why, r.strap, r.posture), (Grade::Good, None, STRAP, Posture::Supine));
    assert!((45.0..=60.0).contains(&r.settle_s), "{}", r.settle_s);
    assert_eq!(r.length_s, 120.0);
    assert!((110..=125).contains(&r.n), "{}", r.n);
    assert!((0.98..1.02).contains(&r.coverage), "{}", r.coverage);
    let v = r.values.unwrap();
    assert!((59.0..62.0).contains(&v.mean_hr_bpm), "{v:?}");
    assert_eq!(v.ln_rmssd, v.rmssd_ms.ln());
    assert_eq!(r.local_date.unwrap().to_string(), "2026-11-24");
    assert!(r.wall.unwrap().to_string().starts_with("2026-11-24T06:01:"));
}

#[test]
fn progress_is_said_once_a_second_and_counts_down() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.play(at(0), heart(steady(), 200), |_| true);
    let progress: Vec<_> = w
        .said
        .iter()
        .filter_map(|(at, o)| match o {
            Output::Check(c) if c.phase == Phase::Recording => {
                Some((*at, c.seconds_left.unwrap(), c.percent, c.hr_bpm))
            }
            _ => None,
        })
        .collect();
    assert!((118..=124).contains(&progress.len()), "{}", progress.len());
    assert!(progress.windows(2).all(|p| p[1].1 <= p[0].1 && p[1].2 >= p[0].2));
    assert!(progress.iter().all(|p| p.3.is_some()));
    assert!(progress.last().unwrap().2 >= 98);
}

#[test]
fn a_steady_heart_ends_settling_early_but_never_before_thirty_seconds() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.play(at(0), heart(steady(), 240), |_| true);
    let settle = w.results()[0].settle_s;
    assert!((30.0..35.0).contains(&settle), "{settle}");
}

#[test]
fn without_a_wall_clock_there_is_a_result_and_no_date() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.play(at(0), heart(steady(), 240), |_| true);
    let r = w.results()[0];
    assert_eq!((r.wall, r.local_date, r.values.is_some()), (None, None, true));
}

#[test]
fn a_drop_out_pauses_the_check_and_is_marked() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.link(at(0), LinkState::Connected);
    let away = |t: f64| (100.0..125.0).contains(&t);
    let list = heart(steady(), 300);
    let (before, after): (Vec<_>, Vec<_>) = list.into_iter().partition(|n| n.at.as_secs_f64() < 100.0);
    w.play(at(0), before, |_| true);
    w.link(at(101), LinkState::NotSeen);
    w.link(at(124), LinkState::Connected);
    w.play(at(0), after, |t| !away(t));
    let r = w.results()[0];
    assert!(r.values.is_some(), "{r:?}");
    assert_eq!(r.grade, Grade::Fair);
    // neither piece is long enough to prove the units of a strap that nobody knows yet
    assert_eq!(r.notes, [Note::Gap, Note::UnitsUnproven]);
    assert!((23.0..27.0).contains(&r.gap_s), "{}", r.gap_s);
    assert!((143.0..147.0).contains(&r.length_s), "{}", r.length_s);
    assert!((0.95..1.05).contains(&r.coverage), "{}", r.coverage);
}

#[test]
fn a_long_drop_out_aborts_with_its_cause() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.link(at(0), LinkState::Connected);
    w.play(at(0), heart(steady(), 80), |_| true);
    w.link(at(81), LinkState::NotSeen);
    w.advance(at(200));
    assert_eq!((w.cause(), w.results().len()), (Some(AbortCause::StrapLost), 0));
    let aborted = w.phases().into_iter().find(|p| p.1 == Phase::Aborted).unwrap();
    assert!((140..=142).contains(&aborted.0), "{aborted:?}");
}

#[test]
fn a_strap_taken_off_in_the_last_seconds_does_not_cost_the_check() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.link(at(0), LinkState::Connected);
    // a steady heart settles in about 30 s; the strap leaves 112 s into the recording
    w.play(at(0), heart(steady(), 143), |_| true);
    w.link(at(144), LinkState::NotSeen);
    w.advance(at(300));
    let r = w.results()[0];
    assert!(r.values.is_some(), "{r:?}");
    assert!((108.0..120.0).contains(&r.length_s), "{}", r.length_s);
    assert_eq!(w.cause(), None);
}

#[test]
fn beats_delivered_twice_in_any_order_give_no_number() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.link(at(0), LinkState::Connected);
    // a second stream, one packet late: A B A C B D C ...
    let list = heart(steady(), 240);
    for (i, n) in list.iter().enumerate() {
        w.input(at(0) + n.at, Input::Packet { strap: STRAP, bytes: n.bytes.clone() });
        if i > 0 {
            let late = list[i - 1].bytes.clone();
            w.input(at(0) + n.at + Duration::from_millis(40), Input::Packet { strap: STRAP, bytes: late });
        }
    }
    w.advance(at(400));
    let numbers = w.results().iter().filter(|r| r.values.is_some()).count();
    assert_eq!(numbers, 0, "{:?}", w.results());
}

#[test]
fn nobody_comes_then_it_ends_with_no_strap() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.advance(at(400));
    assert_eq!(w.cause(), Some(AbortCause::NoStrap));
    assert_eq!(w.phases().last(), Some(&(300, Phase::Aborted)));
}

#[test]
fn heart_rate_without_intervals_is_named() {
    let mut w = World::new(None);
    w.start_check(at(0));
    for s in 1..60 {
        w.input(at(s), Input::Packet { strap: STRAP, bytes: [0x00, 62].as_slice().into() });
    }
    assert_eq!(w.cause(), Some(AbortCause::NoRr));
}

/// Alex with a watch that sends heart rate alone beside the strap.
fn with_a_watch() -> (StrapId, Roster) {
    let watch = StrapId([2; 6]);
    let mut roster = roster();
    roster.straps.push(Strap { id: watch, athlete: alex(), name: None });
    (watch, roster)
}

#[test]
fn a_watch_without_intervals_does_not_end_the_wait_for_the_strap() {
    let mut w = World::new(None);
    let (watch, both) = with_a_watch();
    w.input(START, Input::Roster(both));
    w.start_check(at(0));
    let hr_only = |w: &mut World, from: u64, until: u64| {
        for s in from..until {
            w.input(at(s), Input::Packet { strap: watch, bytes: [0x00, 62].as_slice().into() });
        }
    };
    hr_only(&mut w, 1, 90);
    assert_eq!(w.cause(), None, "the strap may still come");
    // it comes, and the watch goes on
    let list = heart(steady(), 240);
    for n in list {
        let second = 90 + n.at.as_secs();
        w.input(at(90) + n.at, Input::Packet { strap: STRAP, bytes: n.bytes });
        hr_only(&mut w, second, second + 1);
    }
    assert_eq!(w.results().len(), 1);
    assert_eq!(w.results()[0].strap, STRAP);

    // nobody else comes: at the end of the wait it is named for what it is
    let mut w = World::new(None);
    w.input(START, Input::Roster(with_a_watch().1));
    w.start_check(at(0));
    hr_only(&mut w, 1, 320);
    assert_eq!(w.cause(), Some(AbortCause::NoRr));
    assert_eq!(w.phases().last(), Some(&(300, Phase::Aborted)));
}

#[test]
fn two_sources_without_intervals_end_the_wait() {
    let mut w = World::new(None);
    let (watch, both) = with_a_watch();
    w.input(START, Input::Roster(both));
    w.start_check(at(0));
    for s in 1..60 {
        for strap in [STRAP, watch] {
            w.input(at(s), Input::Packet { strap, bytes: [0x00, 62].as_slice().into() });
        }
    }
    assert_eq!(w.cause(), Some(AbortCause::NoRr));
    assert!(w.phases().last().unwrap().0 < 40, "{:?}", w.phases());
}

#[test]
fn cancel_ends_it_at_once_and_another_may_start() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.play(at(0), heart(steady(), 50), |_| true);
    w.start_check(at(51)); // refused: one runs
    w.input(at(52), Input::Command(Command::CancelCheck { athlete: alex() }));
    assert_eq!(w.cause(), Some(AbortCause::Cancelled));
    w.start_check(at(53));
    assert_eq!(w.phases().last().unwrap().1, Phase::WaitingForStrap);
    let refused = w.said.iter().filter(|(_, o)| matches!(o, Output::Notice(hrvd::engine::Notice::Refused { .. })));
    assert_eq!(refused.count(), 1);
}

#[test]
fn noise_gives_no_number() {
    let mut w = World::new(None);
    w.start_check(at(0));
    let mut state = 7u32;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        RrTicks(350 + (state >> 20) as u16 % 1400)
    });
    w.play(at(0), StrapSim::new(noise).take(500), |_| true);
    let r = w.results()[0];
    assert_eq!((r.grade, r.values, r.why), (Grade::Bad, None, Some(WhyNone::Artifacts)));
}

#[test]
fn strap_on_in_the_wake_window_starts_the_check_once_a_day() {
    let mut w = World::new(Some("2026-11-24T05:00:00Z")); // 06:00 local
    w.play(at(0), heart(steady(), 240), |_| true);
    assert_eq!(w.results().len(), 1);
    assert_eq!(w.results()[0].trigger, Trigger::StrapOn);
    // taken off, put on again the same morning
    w.take_off(at(300));
    w.play(at(1000), heart(steady(), 240), |_| true);
    assert_eq!(w.results().len(), 1);
    w.take_off(at(1300));
    // the next morning
    w.play(at(86_400), heart(steady(), 240), |_| true);
    assert_eq!(w.results().len(), 2);
}

/// Worn all the time, and let go for another app until the wake window: no morning check begins in it.
#[test]
fn a_strap_that_nobody_put_on_starts_no_check() {
    for (state, taken_off) in [
        (LinkState::Released, false),
        (LinkState::AdapterOff, false),
        (LinkState::NotSeen, false),
        (LinkState::NotSeen, true),
    ] {
        let mut w = World::new(Some("2026-11-24T03:00:00Z")); // 04:00 local, before the window
        w.play(at(0), heart(steady(), 240), |_| true);
        if taken_off {
            w.take_off(at(300));
        }
        w.link(at(400), state);
        w.link(at(4000), LinkState::Connected);
        w.play(at(4000), heart(steady(), 240), |_| true); // 05:06
        assert_eq!(w.results().len(), usize::from(taken_off), "{state:?} {taken_off}");
    }
}

#[test]
fn a_clock_that_was_wrong_at_the_check_counts_for_the_right_day_once_it_is_set() {
    // believed, and a day behind: chrony sets it right two minutes after the check
    let mut w = World::new(Some("2026-11-23T05:00:00Z"));
    w.play(at(0), heart(steady(), 240), |_| true);
    assert_eq!(w.results()[0].local_date.unwrap().to_string(), "2026-11-23");
    w.advance(at(400));
    w.player.set_wall("2026-11-24T05:06:40Z".parse().unwrap());
    w.input(at(400), Input::Timeout);
    assert!(w.said.iter().any(|(_, o)| matches!(o, Output::Notice(Notice::ClockJump { ms: 86_400_000 }))));
    // put on again the same morning: this day has its check
    w.take_off(at(500));
    w.play(at(1000), heart(steady(), 240), |_| true);
    assert_eq!(w.results().len(), 1);
    w.take_off(at(1300));
    w.play(at(86_800), heart(steady(), 240), |_| true);
    assert_eq!(w.results().len(), 2);
}

#[test]
fn outside_the_window_or_without_a_clock_nothing_starts_by_itself() {
    for wall in [None, Some("2026-11-24T02:00:00Z"), Some("2026-11-24T12:00:00Z")] {
        let mut w = World::new(wall);
        w.play(at(0), heart(steady(), 240), |_| true);
        assert_eq!(w.phases(), [], "{wall:?}");
    }
}

#[test]
fn a_day_that_has_its_check_does_not_start_another() {
    let mut w = World::new(Some("2026-11-24T05:00:00Z"));
    w.input(at(0), Input::CheckedOn { athlete: alex(), date: "2026-11-24".parse().unwrap() });
    w.play(at(0), heart(steady(), 100), |_| true);
    assert_eq!(w.phases(), []);
}

#[test]
fn a_stale_value_is_never_live() {
    let mut w = World::new(None);
    w.link(at(0), LinkState::Connected);
    w.play(at(0), heart(steady(), 60), |_| true);
    w.advance(at(200));
    let lives = w.lives();
    let (last_at, last) = lives.last().unwrap();
    assert_eq!((last.hr_bpm, last.beats, last.rr_ms, last.contact), (None, None, None, None));
    assert!(last_at.since(at(60)) <= Duration::from_secs(11), "{last_at:?}");
    let numbers = lives.iter().filter(|(_, l)| l.hr_bpm.is_some()).map(|(at, _)| *at).max().unwrap();
    assert!(numbers.since(at(60)) <= Duration::from_secs(6));
    // and the strap went offline with it
    let off = w.straps().into_iter().rev().find(|s| !s.online).unwrap();
    assert_eq!(off.contact, None);
}

#[test]
fn another_interval_holds_from_now_on() {
    let mut w = World::new(None);
    w.play(START, heart(steady(), 60), |_| true);
    w.input(at(60), Input::LiveInterval(Duration::from_secs(60)));
    let slow = w.lives().len();
    w.play(START, heart(steady(), 240).into_iter().filter(|n| n.at > Duration::from_secs(60)), |_| true);
    assert!((3..=4).contains(&(w.lives().len() - slow)), "{}", w.lives().len() - slow);
    // the next one does not wait for the minute that was agreed before
    w.input(at(241), Input::LiveInterval(Duration::from_secs(1)));
    let fast = w.lives().len();
    w.play(START, heart(steady(), 250).into_iter().filter(|n| n.at > Duration::from_secs(241)), |_| true);
    assert!((7..=9).contains(&(w.lives().len() - fast)), "{}", w.lives().len() - fast);
}

#[test]
fn live_values_come_at_the_interval() {
    let mut w = World::new(None);
    w.play(at(0), heart(steady(), 120), |_| true);
    let lives = w.lives();
    assert!((23..=25).contains(&lives.len()), "{}", lives.len());
    let last = lives.last().unwrap().1;
    let minute = last.beats.unwrap().last_60;
    let rmssd = minute.time.rmssd_ms.unwrap();
    assert!((15.0..60.0).contains(&rmssd), "{rmssd}");
    assert_eq!((minute.span, minute.artifact_pct), (Duration::from_secs(60), Some(0.0)));
}

#[test]
fn each_window_is_said_once_it_is_full_and_a_replay_says_the_same() {
    let mut w = World::new(None);
    w.play(at(0), heart(steady(), 420), |t| !(350.0..353.0).contains(&t));
    let value = |l: &Live, of: fn(&hrvd::engine::LiveBeats) -> bool| l.beats.as_ref().is_some_and(of);
    let lives = w.lives();
    let first = |of: fn(&hrvd::engine::LiveBeats) -> bool| {
        lives.iter().find(|(_, l)| value(l, of)).map(|(t, _)| t.since(START).as_secs()).unwrap()
    };
    let order = [
        first(|b| b.last_30.time.rmssd_ms.is_ok()),
        first(|b| b.last_60.time.rmssd_ms.is_ok()),
        first(|b| b.dfa.alpha1.is_ok()),
        first(|b| b.last_300.time.rmssd_ms.is_ok()),
    ];
    assert!(order.windows(2).all(|o| o[0] < o[1]) && order[0] >= 27 && order[3] >= 270, "{order:?}");
    // three seconds without beats: α1 starts anew, the minute goes on
    let late: Vec<_> = lives.iter().filter(|(t, _)| *t > at(360)).collect();
    assert!(late.iter().all(|(_, l)| !value(l, |b| b.dfa.alpha1.is_ok())), "no box may cross the gap");
    assert!(late.iter().all(|(_, l)| value(l, |b| b.last_60.time.rmssd_ms.is_ok())));
}

#[test]
fn a_strap_nobody_adopted_leaves_no_trace() {
    let mut w = World::new(None);
    let stranger = StrapId([1; 6]);
    w.input(at(1), Input::Packet { strap: stranger, bytes: [0x10, 60, 0, 4].as_slice().into() });
    assert!(w.records().is_empty());
}

#[test]
fn removing_the_athlete_ends_their_check() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.input(at(1), Input::Roster(Roster::default()));
    assert_eq!(w.cause(), Some(AbortCause::Removed));
}

/// A recording replays to the same outputs, bit for bit.
#[test]
fn replay_of_the_records_equals_live() {
    let mut live = World::new(Some("2026-11-24T05:00:00Z"));
    live.link(at(3), LinkState::Connected);
    live.play(at(3), pyhrv(), |t| !(90.0..110.0).contains(&t));
    live.link(at(320), LinkState::NotSeen);
    live.advance(at(400));
    assert_eq!(live.results().len(), 1);

    let mut again = World::new(Some("2026-11-24T05:00:00Z"));
    let records = live.records();
    for record in records {
        let said = &mut again.said;
        again.player.record(record, &mut |at, o| said.push((at, o)));
    }
    again.advance(at(400));
    let essential = |w: &World| -> Vec<(Mono, Output)> {
        w.said
            .iter()
            .filter(|(_, o)| matches!(o, Output::Beats(_) | Output::Result(_) | Output::Live(_)))
            .cloned()
            .collect()
    };
    assert_eq!(essential(&live), essential(&again));
}

/// The final values come from batch labels of whole segments: what stands in the result is what anybody computes from
/// the beats that were told, and no difference crosses a gap, an artifact or the edge of an artifact outside.
#[test]
fn a_result_is_the_batch_value_over_the_segments_of_its_window() {
    let one_in = |k: usize, n: u16| move |i: usize| if i % k == k - 1 { n } else { 0 };
    let mut compared = 0;
    let mut edges = 0;
    for seed in 0..60u64 {
        let mut w = World::new(None);
        w.start_check(at(0));
        // beats early and late now and then, and a hole in some
        let shift = one_in(17 + seed as usize % 23, 250);
        let mut owed = 0;
        let rr: Vec<RrTicks> = Heart::new(HeartConfig { seed, ..steady() })
            .take(330)
            .enumerate()
            .map(|(i, rr)| {
                let early = shift(i);
                let rr = RrTicks(rr.0 + owed - early);
                owed = early;
                rr
            })
            .collect();
        let hole = 60.0 + seed as f64 * 2.0;
        w.play(at(0), StrapSim::new(rr.into_iter()), |t| seed % 3 > 0 || !(hole..hole + 4.0).contains(&t));
        let Some(graded) = w.said.iter().position(|(_, o)| matches!(o, Output::Result(_))) else { continue };
        let Output::Result(r) = &w.said[graded].1 else { unreachable!() };
        let mut segments: Vec<Vec<hrvd::timeline::Beat>> = vec![];
        for (_, o) in &w.said[..graded] {
            let Output::Beats(b) = o else { continue };
            if b.gap.is_some() || segments.is_empty() {
                segments.push(vec![]);
            }
            segments.last_mut().unwrap().extend(&b.beats);
        }
        let until = r.start + Duration::from_secs_f64(r.length_s);
        let inside = |b: &hrvd::timeline::Beat| b.at > r.start && b.at <= until;
        let parts: Vec<_> = segments
            .iter()
            .map(|s| {
                let all: Vec<f64> = s.iter().map(|b| b.rr.as_ms()).collect();
                let labels = hrvd::artifact::classify(&all);
                let first = s.iter().position(inside).unwrap_or(s.len());
                let last = s.iter().rposition(inside).map_or(first, |k| k + 1);
                let after = first > 0 && !labels[first - 1].is_normal();
                edges += usize::from(after && first < last);
                (all[first..last].to_vec(), labels[first..last].to_vec(), after)
            })
            .collect();
        let of: Vec<_> = parts.iter().map(|(rr, l, after)| hrvd::hrv::nn::Segment::new(rr, l, *after)).collect();
        let want = hrvd::hrv::time::TimeDomain::of(&of);
        assert_eq!((r.n as usize, r.pairs as usize), (parts.iter().map(|p| p.0.len()).sum(), want.pairs), "{seed}");
        let Some(v) = r.values else { continue };
        assert_eq!((Ok(v.rmssd_ms), Ok(v.sdnn_ms)), (want.rmssd_ms, want.sdnn_ms), "{seed}");
        assert_eq!((Ok(v.mean_rr_ms), Ok(v.pnn50_pct)), (want.mean_rr_ms, want.pnn50_pct), "{seed}");
        compared += 1;
    }
    assert!(compared >= 30 && edges >= 3, "{compared} results, {edges} that begin right after an artifact");
}

#[test]
fn a_recorded_rest_session_gives_this_result() {
    let mut w = World::new(Some("2026-11-24T06:00:00Z"));
    w.start_check(at(0));
    w.play(at(0), pyhrv(), |_| true);
    insta::assert_debug_snapshot!(w.results()[0]);
}

#[test]
fn a_check_that_started_by_itself_replays_to_the_same_result_without_a_wake_window() {
    let mut live = World::new(Some("2026-11-24T05:00:00Z"));
    live.play(at(3), heart(steady(), 240), |_| true);
    let mut again = World::new(None);
    let mut plain = roster();
    plain.athletes[0].wake_window = None;
    again.input(START, Input::Roster(plain));
    for record in live.records() {
        let said = &mut again.said;
        again.player.record(record, &mut |at, o| said.push((at, o)));
    }
    assert_eq!(live.results(), again.results());
}

#[test]
fn no_difference_crosses_an_impossible_interval_inside_a_packet() {
    let mut w = World::new(None);
    for s in 1..=10 {
        w.input(at(s), Input::Packet { strap: STRAP, bytes: [0x10, 60, 0x00, 0x04].as_slice().into() });
    }
    w.said.clear();
    // 1000 ms, nothing, 750 ms
    let bytes = [0x10, 60, 0x00, 0x04, 0, 0, 0x00, 0x03];
    w.input(at(12), Input::Packet { strap: STRAP, bytes: bytes.as_slice().into() });
    let segments: Vec<_> = w
        .said
        .iter()
        .filter_map(|(_, o)| match o {
            Output::Beats(b) => Some((b.gap, b.beats.iter().map(|b| b.rr.0).collect::<Vec<_>>())),
            _ => None,
        })
        .collect();
    assert_eq!(segments, [(None, vec![1024]), (Some(GapReason::Defect), vec![768])]);
}

#[test]
fn beats_that_were_held_back_before_a_cut_packet_reach_the_check() {
    let mut w = World::new(None);
    w.start_check(at(0));
    for s in (1..=240u64).filter(|s| !(80..84).contains(s)) {
        // the packet after a hole is held back; the next one has an odd byte at its end
        let bytes: &[u8] = if s == 85 { &[0x10, 60, 0x00, 0x04, 7] } else { &[0x10, 60, 0x00, 0x04] };
        w.input(at(s), Input::Packet { strap: STRAP, bytes: bytes.into() });
    }
    let r = w.results()[0];
    let until = r.start + Duration::from_secs_f64(r.length_s);
    let beats = w.said.iter().filter_map(|(_, o)| if let Output::Beats(b) = o { Some(&b.beats) } else { None });
    let inside = beats.flatten().filter(|b| b.at > r.start && b.at <= until).count();
    assert_eq!(r.n as usize, inside);
}

#[test]
fn heart_rate_that_came_once_is_no_source_without_intervals() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.input(at(1), Input::Packet { strap: STRAP, bytes: [0x00, 62].as_slice().into() });
    for s in 2..60 {
        // taken in the hand, not worn yet: no heart rate
        w.input(at(s), Input::Packet { strap: STRAP, bytes: [0x00, 0].as_slice().into() });
    }
    assert_eq!(w.cause(), None);
    // seen once more, and away again
    w.input(at(60), Input::Packet { strap: STRAP, bytes: [0x00, 62].as_slice().into() });
    w.link(at(61), LinkState::NotSeen);
    w.advance(at(120));
    assert_eq!(w.cause(), None);
    // the last value of a strap that feels no skin proves nothing either
    for s in 120..170 {
        w.input(at(s), Input::Packet { strap: STRAP, bytes: [0x04, 62].as_slice().into() });
    }
    assert_eq!(w.cause(), None);
}

#[test]
fn a_waiting_check_shows_no_heart_rate_of_a_strap_that_went_away() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.input(at(1), Input::Packet { strap: STRAP, bytes: [0x00, 62].as_slice().into() });
    w.advance(at(60));
    let shown = w.said.iter().filter_map(|(at, o)| match o {
        Output::Check(c) if c.hr_bpm.is_some() => Some(*at),
        _ => None,
    });
    assert!(shown.max().unwrap() <= at(6), "an old heart rate was shown");
}

#[test]
fn no_rmssd_is_live_when_intervals_no_longer_come() {
    let mut w = World::new(None);
    w.play(at(0), heart(steady(), 60), |_| true);
    // heart rate goes on, and moves: it is no old one
    for s in 61..90u64 {
        w.input(at(s), Input::Packet { strap: STRAP, bytes: [0x00, 60 + (s % 3) as u8].as_slice().into() });
    }
    let lives = w.lives();
    assert!(lives.iter().any(|(t, l)| *t < at(61) && l.beats.is_some_and(|b| b.last_30.time.rmssd_ms.is_ok())));
    // at the moment when the last beats are no longer fresh, not with a later packet or at the next interval
    let last = w.last_beats();
    let faded: Vec<_> = lives.iter().filter(|(t, _)| *t >= last + FRESH).collect();
    assert_eq!(faded[0].0, last + FRESH);
    assert!(faded.iter().all(|(_, l)| l.beats.is_none() && l.rr_ms.is_none() && l.hr_bpm.is_some()), "{faded:?}");
}

#[test]
fn a_strap_that_comes_and_goes_does_not_keep_a_check_open_for_ever() {
    let mut w = World::new(None);
    w.start_check(at(0));
    let minute = |t: f64| t as u64 % 60;
    w.play(at(0), heart(steady(), 7200), |t| minute(t) < 8);
    assert_eq!((w.cause(), w.results().len()), (Some(AbortCause::StrapLost), 0));
    let aborted = w.phases().into_iter().find(|p| p.1 == Phase::Aborted).unwrap();
    assert!(aborted.0 < 300, "{aborted:?}");
}

#[test]
fn a_strap_given_to_somebody_else_ends_the_check_it_was_used_for() {
    let mut w = World::new(None);
    w.start_check(at(0));
    w.play(at(0), heart(steady(), 50), |_| true);
    let mut other = roster();
    other.athletes.push(Athlete { id: "kim".parse().unwrap(), name: "Kim".into(), ..other.athletes[0].clone() });
    other.straps[0].athlete = "kim".parse().unwrap();
    w.input(at(51), Input::Roster(other));
    assert_eq!(w.cause(), Some(AbortCause::Removed));
}

#[test]
fn the_first_defect_of_each_kind_is_said() {
    let mut w = World::new(None);
    for (s, bytes) in [(1, &[0x10, 60, 0, 4, 1][..]), (2, &[0x10, 60, 0, 4, 1]), (3, &[]), (4, &[0x10])] {
        w.input(at(s), Input::Packet { strap: STRAP, bytes: bytes.into() });
    }
    let kinds: Vec<_> = w
        .said
        .iter()
        .filter_map(|(_, o)| match o {
            Output::Notice(Notice::Defect { what, count, .. }) => Some((*what, *count)),
            _ => None,
        })
        .collect();
    use hrvd::hrs::Defect::{Empty, OddTail, Truncated};
    assert_eq!(kinds, [(OddTail.as_str(), 1), (Empty.as_str(), 1), (Truncated.as_str(), 1)]);
}
