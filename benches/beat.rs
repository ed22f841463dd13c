//! Time per beat from notification to live window, and of a whole check. `cargo bench --no-default-features --bench beat`.

#![allow(missing_docs)] // criterion_group! makes a public function

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hrvd::check::{CheckConfig, Posture};
use hrvd::engine::{Athlete, Command, Config, Engine, Input, Roster, Strap, Trigger};
use hrvd::hrs;
use hrvd::player::Player;
use hrvd::sim::{Heart, HeartConfig, Notification, StrapSim};
use hrvd::units::{AthleteId, Mono, StrapId};
use jiff::tz::TimeZone;
use std::hint::black_box;
use std::time::Duration;

const STRAP: StrapId = StrapId([2; 6]);
const START: Mono = Mono::from_secs(1000);

fn notifications(seconds: u64) -> Vec<Notification> {
    StrapSim::new(Heart::new(HeartConfig::default())).take_while(|n| n.at.as_secs() <= seconds).collect()
}

fn player() -> (Player, AthleteId) {
    let alex: AthleteId = "alex".parse().unwrap_or_else(|_| unreachable!("a valid slug"));
    let config = Config { boot: "bench".into(), live_interval: Duration::from_secs(5), check: CheckConfig::default() };
    let roster = Roster {
        athletes: vec![Athlete {
            id: alex.clone(),
            name: "Alex".into(),
            time_zone: TimeZone::UTC,
            posture: Posture::Supine,
            wake_window: None,
        }],
        straps: vec![Strap { id: STRAP, athlete: alex.clone(), name: None }],
    };
    let mut player = Player::new(Engine::new(config), START, None);
    player.input(START, Input::Roster(roster), &mut |_, _| {});
    (player, alex)
}

fn play(player: &mut Player, list: &[Notification]) -> usize {
    let mut said = 0;
    for n in list {
        player.input(START + n.at, Input::Packet { strap: STRAP, bytes: n.bytes.clone() }, &mut |_, o| {
            black_box(&o);
            said += 1;
        });
    }
    said
}

fn beat(c: &mut Criterion) {
    let hour = notifications(3600);
    let mut group = c.benchmark_group("beat");
    group.throughput(Throughput::Elements(hour.len() as u64));
    group.bench_function("decode", |b| {
        b.iter(|| {
            for n in &hour {
                black_box(hrs::decode(black_box(&n.bytes)));
            }
        });
    });
    group.bench_function("engine: decode, timeline, artifacts, live window", |b| {
        b.iter(|| play(&mut player().0, &hour));
    });
    group.finish();
    let five_minutes = notifications(300);
    c.bench_function("a whole check with progress each second", |b| {
        b.iter(|| {
            let (mut player, athlete) = player();
            let command = Command::StartCheck { athlete, posture: None, trigger: Trigger::Manual };
            player.input(START, Input::Command(command), &mut |_, _| {});
            play(&mut player, &five_minutes)
        });
    });
}

criterion_group!(benches, beat);
criterion_main!(benches);
