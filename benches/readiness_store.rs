//! Ten years of mornings in a store: how long a start needs for a person's book, and how long a day takes to explain
//! from its raw packets. `cargo bench --bench readiness_store`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use hrvd::check::{CheckConfig, Posture};
use hrvd::cli::explain::{Wanted, explain};
use hrvd::daemon::{ReadinessSettings, look};
use hrvd::engine::{Athlete, Command, Config, Engine, Input, Output, Roster, Strap, Trigger};
use hrvd::language::Language;
use hrvd::load::SessionKind;
use hrvd::player::Player;
use hrvd::readiness::report::{self, Detail};
use hrvd::readiness::{
    Book, Desk, DeskConfig, DeskInput, DeskOutput, Feel, Reading, Saying, SessionWords, Source, V1, V2, Wellness, What,
};
use hrvd::sim::{Heart, HeartConfig, StrapSim};
use hrvd::store::{self, OpenOptions, Query, ReadinessWrite};
use hrvd::units::{AthleteId, Mono, Now, StrapId};
use jiff::civil::{Date, date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAYS: u32 = 3652;
const STRAP: StrapId = StrapId([0xc0, 0xff, 0xee, 0, 0, 1]);

fn first() -> Date {
    date(2016, 1, 1)
}

fn alex() -> Athlete {
    Athlete {
        id: "alex".parse::<AthleteId>().unwrap(),
        name: "Alex".into(),
        time_zone: TimeZone::UTC,
        posture: Posture::Supine,
        wake_window: None,
    }
}

fn protocol() -> CheckConfig {
    let s = Duration::from_secs;
    CheckConfig { settle: s(30), settle_min: s(30), record: s(90), ..CheckConfig::default() }
}

/// Six o'clock on a day, on both clocks.
fn morning(day: u32) -> Now {
    let at = first().saturating_add(i64::from(day).days()).at(6, 0, 0, 0);
    Now { mono: Mono::from_secs(u64::from(day) * 86_400 + 1000), wall: TimeZone::UTC.to_timestamp(at).ok() }
}

fn later(now: Now, seconds: u64) -> Now {
    let wall = now.wall.and_then(|w| w.checked_add(SignedDuration::from_secs(seconds as i64)).ok());
    Now { mono: now.mono + Duration::from_secs(seconds), wall }
}

/// Every morning a check through the engine, a feel, a night and Hooper's four; five sessions a week.
fn fill(path: &Path) {
    let opened = store::open(OpenOptions { athletes: vec![alex()], ..OpenOptions::new(path, "bench") }).unwrap();
    let store = opened.handle;
    let config = DeskConfig {
        time_zone: TimeZone::UTC,
        feel_wait: Duration::from_secs(600),
        closes: time(10, 0, 0, 0),
        model: &V2,
    };
    let mut desk = Desk::new(config, Book::default());
    let roster = Roster { athletes: vec![alex()], straps: vec![Strap { id: STRAP, athlete: alex().id, name: None }] };
    let live = Duration::from_secs(3600);
    let engine = Engine::new(Config { boot: "bench".into(), live_interval: live, check: protocol() });
    let mut player = Player::new(engine, morning(0).mono, morning(0).wall);
    for day in 0..DAYS {
        let now = morning(day);
        let mut results = vec![];
        let mut said = |_, output| match output {
            Output::Record(record) => store.record(record),
            Output::Result(r) => results.push(*r),
            _ => {}
        };
        player.advance(now.mono, &mut said);
        player.set_wall(now.wall.unwrap());
        player.input(now.mono, Input::Roster(roster.clone()), &mut said);
        let start = Command::StartCheck { athlete: alex().id, posture: None, trigger: Trigger::Manual };
        player.input(now.mono, Input::Command(start), &mut said);
        let wave = f64::from(day % 9) - 4.0;
        let heart = HeartConfig { seed: u64::from(day), mean_rr_ms: 1100.0 + 10.0 * wave, ..HeartConfig::default() };
        for n in StrapSim::new(Heart::new(heart)).take_while(|n| n.at < Duration::from_secs(140)) {
            let at = now.mono + n.at;
            player.input(at, Input::Packet { strap: STRAP, bytes: n.bytes }, &mut said);
        }
        let link = Input::Link { strap: STRAP, state: hrvd::engine::LinkState::NotSeen };
        player.input(now.mono + Duration::from_secs(150), link, &mut said);
        let say = |desk: &mut Desk, s: u64, what: Saying| {
            desk.say(later(now, s), None, Source::Cli, what).unwrap();
        };
        for r in results {
            let reading = Reading::of(&r).unwrap();
            store.result(r, vec![]);
            desk.handle(later(now, 150), DeskInput::Reading(reading));
        }
        let x = 2 + (day % 3) as u8;
        let wellness = Wellness { sleep: x, stress: 2, fatigue: 3, soreness: 2 };
        say(
            &mut desk,
            160,
            Saying::Word(What::Sleep { hours: Some(6.5 + f64::from(day % 7) / 4.0), quality: Some(4) }),
        );
        say(&mut desk, 170, Saying::Word(What::Wellness(wellness)));
        say(&mut desk, 180, Saying::Word(What::Feel(Feel::Good)));
        if day % 7 != 0 && day % 7 != 4 {
            let kind = if day % 7 == 2 { SessionKind::Quality } else { SessionKind::Easy };
            let rpe = Some(3.0 + f64::from(day % 5));
            let words = SessionWords { minutes: Some(50.0), rpe, kind: Some(kind), ..SessionWords::default() };
            say(&mut desk, 12 * 3600, Saying::Session(words));
        }
        let mut write = ReadinessWrite { athlete: Some(alex().id), now: now.wall, ..ReadinessWrite::default() };
        while let Some(output) = desk.poll_output() {
            match output {
                DeskOutput::Keep(entry) => write.entries.push(entry),
                DeskOutput::Given { date, version } => write.given.push((date, *version, vec![])),
                _ => {}
            }
        }
        store.readiness(write);
        if day % 30 == 0 {
            store.flush().blocking_recv().unwrap().unwrap();
        }
    }
    store.stop().unwrap();
}

fn stored(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    // to look at it afterwards, or to measure it again: HRVD_BENCH_STORE=FILE
    let kept = std::env::var_os("HRVD_BENCH_STORE").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("hrvd.db"));
    if !path.exists() {
        fill(&path);
    }
    println!("store of {DAYS} days: {} MB", std::fs::metadata(&path).unwrap().len() / 1_000_000);
    let now = later(morning(DAYS - 1), 7200);
    let athlete = alex();
    let start = || {
        let query = Query::open(&path).unwrap();
        let desk = look(&ReadinessSettings::default(), &query, &athlete, now).unwrap();
        report::readiness(&desk, Detail::Full, Language::En)
    };
    assert_eq!(start()["state"], "given");
    c.bench_function("ten years: start with a person's readiness", |b| b.iter(start));
    for back in [0i64, 1800] {
        let day = first().saturating_add((i64::from(DAYS) - 1 - back).days());
        let wanted =
            Wanted { athlete: &athlete, date: day, protocol: &protocol(), other: Some(&V1), language: Language::En };
        let one = || explain(&Query::open(&path).unwrap(), &wanted).unwrap().unwrap();
        let v = one();
        assert_eq!((&v["checks"][0]["raw"], &v["recomputed"]["same"]), (&"same".into(), &true.into()), "{v}");
        c.bench_function(&format!("ten years: explain the day {back} days ago"), |b| b.iter(|| black_box(one())));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = stored
}
criterion_main!(benches);
