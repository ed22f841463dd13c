//! Any packets at any times through the whole engine, with a check running: nothing panics, time never runs back, no
//! number is anything but finite, at most one result a check.
#![no_main]

use hrvd::check::{CheckConfig, Posture};
use hrvd::engine::{Athlete, Command, Config, Engine, Input, LinkState, Output, Roster, Strap, Trigger};
use hrvd::player::Player;
use hrvd::units::{AthleteId, Mono, StrapId};
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|bytes: &[u8]| {
    let strap = StrapId([1; 6]);
    let alex: AthleteId = "alex".parse().expect("a slug");
    let config = Config { boot: "fuzz".into(), live_interval: Duration::from_secs(5), check: CheckConfig::default() };
    let mut now = Mono::from_secs(1000);
    let mut player = Player::new(Engine::new(config), now, None);
    let mut results = 0;
    let mut last_beat = Mono::default();
    let said = &mut |_, output: Output| match output {
        Output::Result(r) => {
            results += 1;
            let numbers = [r.artifact_pct, r.coverage, r.gap_s, r.clean_s, r.length_s];
            assert!(numbers.iter().all(|x| x.is_finite()));
            if let Some(v) = r.values {
                assert!([v.rmssd_ms, v.ln_rmssd, v.mean_hr_bpm, v.sdnn_ms, v.pnn50_pct].iter().all(|x| x.is_finite()));
            }
        }
        Output::Beats(b) => {
            for beat in b.beats {
                assert!(beat.at > last_beat);
                last_beat = beat.at;
            }
        }
        Output::Live(l) => {
            for w in l.beats.iter().flat_map(|b| [&b.last_30, &b.last_60, &b.last_300]) {
                let t = &w.time;
                assert!([t.rmssd_ms, t.sdnn_ms, t.mean_hr_bpm].iter().flatten().all(|x| x.is_finite()));
                assert!(w.coverage.is_finite());
            }
            let slow = l.beats.map(|b| [b.dfa.alpha1, b.breathing.per_min]);
            assert!(slow.iter().flatten().flatten().all(|x| x.is_finite()));
        }
        _ => {}
    };
    let athlete = Athlete {
        id: alex.clone(),
        name: "Alex".into(),
        time_zone: TimeZone::UTC,
        posture: Posture::Supine,
        wake_window: None,
    };
    let roster =
        Roster { athletes: vec![athlete], straps: vec![Strap { id: strap, athlete: alex.clone(), name: None }] };
    player.input(now, Input::Roster(roster), said);
    let start = Command::StartCheck { athlete: alex, posture: None, trigger: Trigger::Manual };
    player.input(now, Input::Command(start), said);
    let mut rest = bytes;
    // each step: how long it waits (50 ms units), what comes, how many bytes
    while let [wait, kind, tail @ ..] = rest {
        now = now + Duration::from_millis(u64::from(*wait) * 50);
        rest = tail;
        let input = match kind % 16 {
            0 => Input::Link { strap, state: LinkState::NotSeen },
            1 => Input::Link { strap, state: LinkState::Connected },
            n => {
                let (packet, after) = rest.split_at(rest.len().min(usize::from(n)));
                rest = after;
                Input::Packet { strap, bytes: packet.into() }
            }
        };
        player.input(now, input, said);
    }
    player.advance(now + Duration::from_secs(900), said);
    assert!(results <= 1);
});
