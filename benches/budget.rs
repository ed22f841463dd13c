//! Work to be counted by callgrind, without criterion around it: `budget STAGE BEATS`. See scripts/budget.

use hrvd::artifact::{Detector, Label, LiveDetector};
use hrvd::check::{CheckConfig, Posture};
use hrvd::engine::{Athlete, Config, Engine, Input, Roster, Strap};
use hrvd::hrs;
use hrvd::hrv::rolling::{LIVE_SPANS, Windows};
use hrvd::sim::{Heart, HeartConfig, Notification, StrapSim};
use hrvd::timeline::Timeline;
use hrvd::units::{AthleteId, Mono, Now, RrTicks, StrapId};
use hrvd::verdict::Judge;
use std::hint::black_box;
use std::time::Duration;

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let stage = args.next().unwrap_or_default();
    let n: usize = args.next().and_then(|a| a.parse().ok()).unwrap_or(1000);
    let start = Mono::from_secs(1000);
    // all notifications exist before the counted part; the difference of two runs leaves only what grows with n
    let list = if stage == "recording" {
        recorded(20_000)
    } else {
        StrapSim::new(Heart::new(HeartConfig::default())).take(20_000).collect()
    };
    if stage == "engine" {
        engine(start, list.into_iter().take(n));
        return;
    }
    let mut timeline = Timeline::new();
    let mut judge = Judge::new();
    let mut detector = LiveDetector::new();
    let mut rolling = Windows::over(LIVE_SPANS);
    let mut undecided = std::collections::VecDeque::new();
    let mut beats = 0;
    for notification in &list {
        if beats >= n {
            break;
        }
        let (m, _) = hrs::decode(black_box(&notification.bytes));
        beats += m.rr.len();
        if stage == "decode" {
            black_box(&m);
            continue;
        }
        if stage == "timeline" || stage == "judge" {
            let placed = timeline.push(start + notification.at, &m.rr);
            if stage == "judge" {
                judge.packet(start + notification.at, &m, None, &placed);
            }
            black_box(&placed);
            continue;
        }
        for beat in &timeline.push(start + notification.at, &m.rr).beats {
            if stage == "rolling" {
                rolling.push(beat.at, beat.rr, Label::Normal);
                continue;
            }
            undecided.push_back(*beat);
            if let Some(label) = detector.push(beat.rr.as_ms()) {
                if let Some(decided) = undecided.pop_front() {
                    rolling.push(decided.at, decided.rr, label);
                }
            }
        }
    }
    for window in rolling.windows() {
        black_box(window.time_domain());
    }
}

/// A real heart (`tests/data/pyhrv_long.txt`, an hour of ECG, over and over), as a strap would send it: once a second,
/// whatever ended since.
fn recorded(most: usize) -> Vec<Notification> {
    let text = include_str!("../tests/data/pyhrv_long.txt");
    let ms: Vec<f64> = text.lines().filter_map(|l| l.trim().parse().ok()).collect();
    let mut list = Vec::new();
    let (mut at_us, mut second) = (0, 1);
    let head = [0x10, 70];
    let mut bytes = head.to_vec();
    for rr in ms.iter().cycle().filter_map(|ms| RrTicks::from_ms(*ms)) {
        at_us += rr.as_micros();
        while at_us > second * 1_000_000 {
            if bytes.len() > head.len() {
                list.push(Notification { at: Duration::from_secs(second), bytes: bytes.iter().copied().collect() });
                bytes.truncate(head.len());
            }
            second += 1;
        }
        if list.len() >= most {
            break;
        }
        bytes.extend(rr.0.to_le_bytes());
    }
    list
}

/// The whole engine over a worn strap: live windows, DFA every 5 s, breathing every 10 s and all outputs. A beat at 60
/// a minute carries a fifth of a DFA and a tenth of a breathing estimate.
fn engine(start: Mono, list: impl Iterator<Item = Notification>) {
    let strap = StrapId([1; 6]);
    let Ok(athlete) = "alex".parse::<AthleteId>() else { return };
    let time_zone = jiff::tz::TimeZone::UTC;
    let posture = Posture::Supine;
    let roster = Roster {
        athletes: vec![Athlete { id: athlete.clone(), name: "Alex".into(), time_zone, posture, wake_window: None }],
        straps: vec![Strap { id: strap, athlete, name: None }],
    };
    let live_interval = Duration::from_secs(5);
    let mut engine = Engine::new(Config { boot: "bench".into(), live_interval, check: CheckConfig::default() });
    engine.handle(Now { mono: start, wall: None }, Input::Roster(roster));
    for notification in list {
        let now = Now { mono: start + notification.at, wall: None };
        engine.handle(now, Input::Packet { strap, bytes: notification.bytes });
        while let Some(output) = engine.poll_output() {
            black_box(output);
        }
    }
}
