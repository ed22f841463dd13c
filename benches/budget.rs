//! Work to be counted by callgrind, without criterion around it: `budget STAGE N`. See scripts/budget.

use hrvd::artifact::{Detector, Label, LiveDetector};
use hrvd::hrs;
use hrvd::hrv::rolling::{LIVE_SPANS, Windows};
use hrvd::sim::{Heart, HeartConfig, StrapSim};
use hrvd::timeline::Timeline;
use hrvd::units::Mono;
use std::hint::black_box;

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let stage = args.next().unwrap_or_default();
    let n: usize = args.next().and_then(|a| a.parse().ok()).unwrap_or(1000);
    let start = Mono::from_secs(1000);
    // all notifications exist before the counted part; the difference of two runs leaves only what grows with n
    let list: Vec<_> = StrapSim::new(Heart::new(HeartConfig::default())).take(20_000).collect();
    let mut timeline = Timeline::new();
    let mut detector = LiveDetector::new();
    let mut rolling = Windows::over(LIVE_SPANS);
    let mut undecided = std::collections::VecDeque::new();
    for notification in list.iter().take(n) {
        let (m, _) = hrs::decode(black_box(&notification.bytes));
        if stage == "decode" {
            black_box(&m);
            continue;
        }
        for beat in timeline.push(start + notification.at, &m.rr).beats {
            if stage == "rolling" {
                rolling.push(beat.at, beat.rr, Label::Normal);
                continue;
            }
            undecided.push_back(beat);
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
