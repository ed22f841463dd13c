//! What people say and what was answered, in the store: all of it in one transaction, each version once, and back to
//! the last bit.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use hrvd::check::{CheckConfig, CheckResult, Posture};
use hrvd::cli::explain::{Wanted, explain};
use hrvd::engine::{Athlete, Command, Config, Engine, Input, Output, Roster, Strap, Trigger};
use hrvd::language::Language;
use hrvd::load::{PlanKind, Session, SessionKind};
use hrvd::player::Player;
use hrvd::publication::Publication;
use hrvd::readiness::{Book, Entry, Feel, Quiet, Reading, Source, V1, V2, What};
use hrvd::sim::{Heart, HeartConfig, StrapSim};
use hrvd::store::{self, OpenOptions, Query, ReadinessWrite, StoreHandle};
use hrvd::units::{AthleteId, Mono, StrapId};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::path::Path;
use std::time::Duration;

const TODAY: Date = date(2026, 3, 20);

fn alex() -> AthleteId {
    "alex".parse().unwrap()
}

fn ago(days: i64) -> Date {
    TODAY.saturating_sub(days.days())
}

fn at(d: Date, seconds: i64) -> Timestamp {
    let noon = jiff::tz::TimeZone::UTC.to_timestamp(d.at(12, 0, 0, 0)).unwrap();
    noon.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn open(path: &Path) -> StoreHandle {
    store::open(OpenOptions::new(path, "b")).unwrap().handle
}

fn done(store: &StoreHandle) {
    store.flush().blocking_recv().unwrap().unwrap();
}

fn event(n: u32) -> Publication {
    Publication { topic: format!("event/{n}"), payload: b"{}".to_vec(), retain: false, qos: 1 }
}

/// Two years of sessions and nights, corrected ones among them.
fn said() -> Vec<Entry> {
    let mut all = Vec::new();
    let mut put = |date: Date, seconds: i64, what: What| {
        all.push(Entry { date, at: at(date, seconds), source: Source::Mqtt, what });
    };
    put(ago(700), 0, What::Quiet(Quiet::Words));
    put(ago(650), 0, What::Recalibrate);
    for n in (0..720).rev() {
        let d = ago(n);
        put(d, 0, What::Sleep { hours: Some(7.0 + (n % 5) as f64 / 3.0), quality: None });
        put(d, 1, What::Sleep { hours: None, quality: Some(3) });
        if n % 3 != 0 {
            let mut s = Session::new(format!("s{n}"), at(d, 3600), d);
            (s.minutes, s.rpe) = (Some(40.0), Some(3.0 + (n % 4) as f64));
            put(d, 3600, What::Session(s.clone()));
            s.kind = Some(SessionKind::Quality);
            put(d, 3700, What::Session(s));
        }
    }
    put(TODAY, 10, What::Feel(Feel::Bad));
    put(ago(-30), -30 * 86_400, What::Plan(Some(PlanKind::Race)));
    all
}

#[test]
fn a_book_comes_back_as_it_was_and_each_version_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hrvd.db");
    let store = open(&path);
    let mut book = Book::default();
    said().into_iter().for_each(|e| book.put(e));
    let first = book.freeze(TODAY, at(TODAY, 20), &V2).unwrap().clone();
    let write = ReadinessWrite {
        athlete: Some(alex()),
        entries: said(),
        given: vec![(TODAY, first.clone(), vec![event(1)])],
        meta: vec![("feel_wait.alex".into(), Some("x".into()))],
        publications: vec![event(0)],
        now: Some(at(TODAY, 20)),
    };
    store.readiness(write.clone());
    // a process that was killed before it knew gives the same version again
    let again = ReadinessWrite { entries: vec![], publications: vec![], ..write };
    store.readiness(again);
    done(&store);
    let query = Query::open(&path).unwrap();
    assert_eq!(query.count_unsent().unwrap(), 2, "one event for the version, one beside it");
    assert_eq!(query.meta("feel_wait.alex").unwrap().as_deref(), Some("x"));
    assert_eq!(query.versions(&alex(), TODAY).unwrap(), std::slice::from_ref(&first));
    assert_eq!(query.people().unwrap(), [alex()]);
    assert_eq!(query.inputs(&alex(), TODAY).unwrap().len(), 3);

    // read as far back as it counts, it judges today and every day that may still be corrected as the whole one does
    let back = query.book(&alex(), Some(TODAY)).unwrap();
    for n in 0..=14 {
        let (d, t) = (ago(n), at(ago(n), 20));
        assert_eq!(back.day(d, t, &V2), book.day(d, t, &V2), "{n} days ago");
    }
    assert_eq!((back.quiet(TODAY), back.plan.next_race(TODAY)), (Quiet::Words, Some(ago(-30))));
    assert_eq!(back.versions(TODAY), [first]);
    // nothing has changed: nothing new is given
    let mut back = back;
    assert_eq!(back.freeze(TODAY, at(TODAY, 4000), &V2), None);
    // without a clock the newest day is the last
    let dark = query.book(&alex(), None).unwrap();
    assert_eq!(dark.day(TODAY, at(TODAY, 20), &V2), book.day(TODAY, at(TODAY, 20), &V2));
    assert!(query.book(&"kim".parse().unwrap(), None).unwrap().feel(TODAY).is_none());
    store.stop().unwrap();
}

#[test]
fn the_newest_version_of_each_day_makes_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hrvd.db");
    let store = open(&path);
    let mut book = Book::default();
    for (n, feel) in [(2, Feel::Good), (1, Feel::Ok), (1, Feel::Bad)] {
        let d = ago(n);
        let seconds = if feel == Feel::Bad { 60 } else { 0 };
        book.put(Entry { date: d, at: at(d, seconds), source: Source::Cli, what: What::Feel(feel) });
        let v = book.freeze(d, at(d, seconds), &V2).unwrap().clone();
        let given = vec![(d, v, vec![])];
        store.readiness(ReadinessWrite { athlete: Some(alex()), given, ..ReadinessWrite::default() });
    }
    done(&store);
    let query = Query::open(&path).unwrap();
    let all = query.verdicts(&alex(), ago(30), TODAY).unwrap();
    let told: Vec<(Date, u32, Option<Feel>)> = all.iter().map(|(d, v)| (*d, v.number, v.feel)).collect();
    assert_eq!(told, [(ago(2), 1, Some(Feel::Good)), (ago(1), 2, Some(Feel::Bad))]);
    assert_eq!(query.last_verdict_date(&alex()).unwrap(), Some(ago(1)));
    assert_eq!(query.versions(&alex(), ago(1)).unwrap().len(), 2, "both stay");
    store.stop().unwrap();
}

const STRAP: StrapId = StrapId([0xc0, 0xff, 0xee, 0, 0, 1]);

fn protocol() -> CheckConfig {
    let s = Duration::from_secs;
    CheckConfig { settle: s(30), settle_min: s(30), record: s(90), ..CheckConfig::default() }
}

fn person() -> Athlete {
    let time_zone = jiff::tz::TimeZone::UTC;
    Athlete { id: alex(), name: "Alex".into(), time_zone, posture: Posture::Supine, wake_window: None }
}

/// A check on each of three mornings of one boot, raw packets and all; the results.
fn mornings(store: &StoreHandle, change: impl Fn(&mut CheckResult)) -> Vec<CheckResult> {
    let start = Mono::from_secs(1000);
    let live = Duration::from_secs(3600);
    let engine = Engine::new(Config { boot: "b".into(), live_interval: live, check: protocol() });
    let mut player = Player::new(engine, start, None);
    let strap = Strap { id: STRAP, athlete: alex(), name: None };
    let roster = Roster { athletes: vec![person()], straps: vec![strap] };
    let mut results = vec![];
    for day in [2u32, 1, 0] {
        let now = start + Duration::from_secs(86_400 * u64::from(2 - day));
        let mut said = |_, output| match output {
            Output::Record(record) => store.record(record),
            Output::Result(r) => results.push(*r),
            _ => {}
        };
        player.advance(now, &mut said);
        player.set_wall(at(ago(day.into()), -6 * 3600));
        player.input(now, Input::Roster(roster.clone()), &mut said);
        let check = Command::StartCheck { athlete: alex(), posture: None, trigger: Trigger::Manual };
        player.input(now, Input::Command(check), &mut said);
        let heart = HeartConfig { seed: u64::from(day) + 7, ..HeartConfig::default() };
        for n in StrapSim::new(Heart::new(heart)).take_while(|n| n.at < Duration::from_secs(140)) {
            player.input(now + n.at, Input::Packet { strap: STRAP, bytes: n.bytes }, &mut said);
        }
        let state = hrvd::engine::LinkState::NotSeen;
        player.input(now + Duration::from_secs(150), Input::Link { strap: STRAP, state }, &mut said);
    }
    for r in &mut results {
        change(r);
        store.result(r.clone(), vec![]);
    }
    results
}

#[test]
fn a_day_is_computed_again_from_its_packets_and_a_number_that_is_not_theirs_is_seen() {
    for (tampered, raw) in [(false, "same"), (true, "differs")] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hrvd.db");
        let store = open(&path);
        let results = mornings(&store, |r| {
            r.values.as_mut().filter(|_| tampered).into_iter().for_each(|v| v.rmssd_ms += 1.0);
        });
        assert_eq!(results.len(), 3);
        let mut book = Book::default();
        let mut write = ReadinessWrite { athlete: Some(alex()), ..ReadinessWrite::default() };
        for (n, r) in [2, 1, 0].into_iter().zip(&results) {
            assert_eq!(r.local_date, Some(ago(n)));
            book.put_reading(Reading::of(r).unwrap());
            let version = book.freeze(ago(n), at(ago(n), 0), &V2).unwrap().clone();
            write.given.push((ago(n), version, vec![]));
        }
        store.readiness(write);
        // once while all of it is in the journal, once when it is in the database
        for sealed in [false, true] {
            if sealed {
                store.seal().blocking_recv().unwrap().unwrap();
            } else {
                done(&store);
            }
            let query = Query::open(&path).unwrap();
            for n in 0..3 {
                let athlete = person();
                let wanted = Wanted {
                    athlete: &athlete,
                    date: ago(n),
                    protocol: &protocol(),
                    other: Some(&V1),
                    language: Language::En,
                };
                let v = explain(&query, &wanted).unwrap().unwrap();
                assert_eq!(v["checks"][0]["raw"], raw, "{n} days ago, sealed: {sealed}: {v:#}");
                assert_eq!((&v["recomputed"]["same"], v["inputs_since"].as_array().unwrap().len()), (&true.into(), 0));
                assert_eq!(v["other"]["algo_version"], 1);
            }
            let nobody =
                Wanted { athlete: &person(), date: ago(9), protocol: &protocol(), other: None, language: Language::En };
            assert!(explain(&query, &nobody).unwrap().is_none(), "no verdict, nothing to explain");
        }
        store.stop().unwrap();
    }
}
