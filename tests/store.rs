//! The store through its public interface, on a real file.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod store_common;

use hrvd::battery::Reading;
use hrvd::engine::{Command, Record, RecordKind, Strap, StrapFacts, Trigger};
use hrvd::store::{self, Query, StoreEvent};
use hrvd::units::Mono;
use store_common::*;

#[test]
fn records_come_back_in_order_from_journal_and_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = store::open(options(dir.path())).unwrap();
    assert_eq!(opened.report.trouble, None);
    opened.handle.adopt(adopted(1), None);
    let mut want = vec![link(1, 5, true), link(2, 5, true)];
    for s in 6..1800 {
        want.push(packet(1, s));
        want.push(packet(1, s)); // equal neighbours of the same microsecond stay two
        if s % 3 == 0 {
            want.push(packet(2, s));
        }
    }
    want.insert(
        40,
        Record {
            at: want[39].at,
            kind: RecordKind::Command(Command::StartCheck {
                athlete: athlete("alex").id,
                posture: None,
                trigger: Trigger::Manual,
            }),
        },
    );
    for r in &want {
        opened.handle.record(r.clone());
    }
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!(query.records_since("boot-1", Mono::default()).unwrap(), want);
    let since = Mono::from_secs(1000);
    let later: Vec<_> = want.iter().filter(|r| r.at >= since).cloned().collect();
    assert_eq!(query.records_since("boot-1", since).unwrap(), later);
    assert_eq!(query.records_since("boot-0", since).unwrap(), vec![]);

    let recordings = query.recordings().unwrap();
    assert_eq!(recordings.len(), 2);
    assert_eq!(recordings[0].athlete, Some(athlete("alex").id));
    assert_eq!(recordings[1].athlete, None);
    assert!(recordings.iter().all(|r| r.running));
    let own: Vec<_> = want.iter().filter(|r| strap_of(r).is_none_or(|s| s == strap(1))).cloned().collect();
    assert_eq!(query.export(recordings[0].id).unwrap().unwrap(), own); // the newest are in the journal yet
    opened.handle.stop().unwrap();
    assert!(opened.events.try_recv().is_err());

    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!(query.records_since("boot-1", Mono::default()).unwrap(), want);
    let recordings = query.recordings().unwrap();
    assert!(recordings.iter().all(|r| !r.running));
    assert_eq!((recordings[0].packets, recordings[1].packets), (2 * 1794, 598));
    let export = query.export(recordings[0].id).unwrap().unwrap();
    assert_eq!(export, own);
    assert_eq!(query.export(99).unwrap(), None);
    assert_eq!(std::fs::metadata(journal(dir.path())).unwrap().len(), 0);
}

#[test]
fn a_pause_of_ten_minutes_begins_a_new_recording_and_a_short_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    for s in (0..100).chain(500..600).chain(1300..1310) {
        opened.handle.record(packet(1, s));
    }
    opened.handle.stop().unwrap();
    let list = Query::open(&db(dir.path())).unwrap().recordings().unwrap();
    let spans: Vec<_> = list.iter().map(|r| (r.start.as_secs_f64(), r.end.as_secs_f64(), r.packets)).collect();
    assert_eq!(spans, [(0.0, 599.0, 200), (1300.0, 1309.0, 10)]);
}

#[test]
fn the_first_result_of_a_check_is_frozen_with_its_messages() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    let mut first = result(1, wall(1_000));
    first.notes = vec![hrvd::check::Note::Gap, hrvd::check::Note::Extended];
    let mut bad = result(2, wall(90_000));
    (bad.values, bad.why, bad.grade) = (None, Some(hrvd::check::WhyNone::Artifacts), hrvd::check::Grade::Bad);
    opened.handle.result(first.clone(), vec![message("a", "1"), message("b", "2")]);
    let mut second = first.clone();
    second.values.as_mut().unwrap().rmssd_ms = 99.0;
    opened.handle.result(second, vec![message("a", "never")]);
    opened.handle.result(bad.clone(), vec![message("a", "3")]);
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    assert_eq!(opened.handle.health().borrow().outbox_unsent, 3);

    let query = Query::open(&db(dir.path())).unwrap();
    let alex = athlete("alex").id;
    assert_eq!(query.results(Some(&alex), 10).unwrap(), [bad.clone(), first.clone()]);
    assert_eq!(query.last_result(&alex).unwrap(), Some(bad));
    assert_eq!(query.results(Some(&athlete("kim").id), 10).unwrap(), []);
    // a check without values does not count as done
    assert_eq!(query.checked_on().unwrap(), [(alex, first.local_date.unwrap())]);

    let mut sent = Vec::new();
    while let Some(row) = query.next_unsent(0).unwrap() {
        assert!(row.created.is_some());
        opened.handle.mark_sent(row.id, 1, wall(5));
        opened.handle.flush().blocking_recv().unwrap().unwrap();
        sent.push(row.publication);
    }
    assert_eq!(sent, [message("a", "1"), message("b", "2"), message("a", "3")]);
    assert_eq!(query.count_unsent().unwrap(), 0);
    assert_eq!(opened.handle.health().borrow().outbox_unsent, 0);
}

#[test]
fn a_late_clock_dates_earlier_rows_and_asks_for_publishing_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = store::open(options(dir.path())).unwrap();
    for s in 0..700 {
        opened.handle.record(packet(1, s)); // more than one seal
    }
    let undated = result(1, None);
    opened.handle.result(undated.clone(), vec![message("a", "1")]);
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    assert!(opened.events.try_recv().is_err());
    // 23:30 UTC on 30 June is 01:30 on 1 July in Berlin
    let now: jiff::Timestamp = "2026-06-30T23:30:00Z".parse().unwrap();
    opened.handle.record(Record { at: Mono::from_secs(800), kind: RecordKind::Anchor { wall: now } });
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    let mut dated = undated;
    dated.wall = Some("2026-06-30T23:18:20Z".parse().unwrap()); // result(1) starts at 100 s
    dated.local_date = Some("2026-07-01".parse().unwrap());
    assert_eq!(opened.events.try_recv().unwrap(), StoreEvent::Redated(vec![dated.clone()]));
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!(query.results(None, 9).unwrap(), [dated.clone()]);
    assert_eq!(query.recordings().unwrap()[0].wall, Some("2026-06-30T23:16:40Z".parse().unwrap()));

    // a result that the engine could not date although the clock had been known is dated too
    opened.handle.result(result(2, None), vec![]);
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    assert!(matches!(opened.events.try_recv().unwrap(), StoreEvent::Redated(list) if list.len() == 2));
    opened.handle.republish(result(2, None).id, vec![message("a", "2")]);
    opened.handle.stop().unwrap();

    // not published again before the end: told at the next start
    let mut opened = store::open(options(dir.path())).unwrap();
    assert_eq!(opened.events.try_recv().unwrap(), StoreEvent::Redated(vec![dated.clone()]));
    opened.handle.republish(dated.id, vec![message("a", "1 dated")]);
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!((query.redated().unwrap().len(), query.count_unsent().unwrap()), (0, 3));
}

/// What was measured before a start gets the date of where the person lived then, also a person whom no configuration
/// names, or one for whom it names another time zone now.
#[test]
fn a_start_dates_what_came_before_it_by_the_time_zone_of_then() {
    let elsewhere =
        hrvd::engine::Athlete { time_zone: jiff::tz::TimeZone::get("America/New_York").unwrap(), ..athlete("alex") };
    for next in [vec![athlete("alex")], vec![], vec![elsewhere]] {
        let dir = tempfile::tempdir().unwrap();
        let handle = store::open(options(dir.path())).unwrap().handle;
        handle.result(result(1, None), vec![]);
        let now: jiff::Timestamp = "2026-06-30T23:30:00Z".parse().unwrap();
        handle.record(Record { at: Mono::from_secs(800), kind: RecordKind::Anchor { wall: now } });
        handle.stop().unwrap();
        // as if it had been killed between the clock and the date
        let conn = rusqlite::Connection::open(db(dir.path())).unwrap();
        conn.execute("UPDATE check_result SET wall_us = NULL, local_date = NULL", []).unwrap();
        drop(conn);
        store::open(store::OpenOptions { athletes: next.clone(), ..options(dir.path()) })
            .unwrap()
            .handle
            .stop()
            .unwrap();
        let date = Query::open(&db(dir.path())).unwrap().results(None, 9).unwrap()[0].local_date;
        assert_eq!(date, Some("2026-07-01".parse().unwrap()), "{next:?}");
    }
}

/// The clock is set long after the check, and the person moved between: a start with the new time zone came first.
#[test]
fn a_check_keeps_the_time_zone_in_which_it_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let handle = store::open(options(dir.path())).unwrap().handle;
    handle.result(result(1, None), vec![]);
    handle.stop().unwrap();
    let moved =
        hrvd::engine::Athlete { time_zone: jiff::tz::TimeZone::get("America/New_York").unwrap(), ..athlete("alex") };
    let handle = store::open(store::OpenOptions { athletes: vec![moved], ..options(dir.path()) }).unwrap().handle;
    handle.flush().blocking_recv().unwrap().unwrap();
    let now: jiff::Timestamp = "2026-06-30T23:30:00Z".parse().unwrap();
    handle.record(Record { at: Mono::from_secs(800), kind: RecordKind::Anchor { wall: now } });
    handle.stop().unwrap();
    let date = Query::open(&db(dir.path())).unwrap().results(None, 9).unwrap()[0].local_date;
    assert_eq!(date, Some("2026-07-01".parse().unwrap()), "in Berlin");
}

#[test]
fn a_clock_that_is_set_later_corrects_the_dates_of_its_boot() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = store::open(options(dir.path())).unwrap();
    let anchor = |s: u64, wall: &str| Record {
        at: Mono::from_secs(s),
        kind: RecordKind::Anchor { wall: wall.parse().unwrap() },
    };
    // no time service that could be asked: a plausible clock was believed, and it was seven hours behind
    opened.handle.record(anchor(0, "2026-06-30T16:00:00Z"));
    opened.handle.record(packet(1, 10));
    let mut early = result(1, Some("2026-06-30T16:01:40Z".parse().unwrap()));
    early.local_date = Some("2026-06-30".parse().unwrap());
    opened.handle.result(early.clone(), vec![message("a", "1")]);
    opened.handle.seal().blocking_recv().unwrap().unwrap();
    // another anchor of a healthy clock, two seconds off, moves nothing
    opened.handle.record(anchor(300, "2026-06-30T16:05:02Z"));
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    assert!(opened.events.try_recv().is_err());
    // 23:10 UTC is the next day in Berlin
    opened.handle.record(anchor(600, "2026-06-30T23:10:00Z"));
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    let dated = hrvd::check::CheckResult {
        wall: Some("2026-06-30T23:01:40Z".parse().unwrap()),
        local_date: Some("2026-07-01".parse().unwrap()),
        ..early
    };
    assert_eq!(opened.events.try_recv().unwrap(), StoreEvent::Redated(vec![dated.clone()]));
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!(query.results(None, 9).unwrap(), std::slice::from_ref(&dated), "the numbers stay");
    assert_eq!(query.recordings().unwrap()[0].wall, Some("2026-06-30T23:00:10Z".parse().unwrap()));
    opened.handle.republish(dated.id, vec![]);
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    assert!(opened.events.try_recv().is_err(), "told once");
}

/// An event that still waits was made before the clock was set: it gets its date too, and only it.
#[test]
fn an_event_that_waits_is_dated_with_its_result() {
    let dir = tempfile::tempdir().unwrap();
    let handle = store::open(options(dir.path())).unwrap().handle;
    let event = |n: u64, date: &str| message("e", &format!(r#"{{"id":"boot-1-alex-{n}","date":{date}}}"#));
    for n in [1, 11, 2] {
        handle.result(result(n, None), vec![event(n, "null"), message("other", r#"{"id":"boot-1-alex-1"}"#)]);
    }
    handle.mark_sent(5, 1, None);
    handle.redate_unsent(result(1, None).id, vec![event(1, r#""2026-11-25""#)]);
    handle.redate_unsent(result(2, None).id, vec![event(2, r#""2026-11-26""#)]); // its event was sent
    let mut said = vec![];
    let mut after = 0;
    while let Some(row) = handle.read(move |q| q.next_unsent(after)).blocking_recv().unwrap().unwrap() {
        after = row.id;
        said.extend((row.publication.topic == "e").then_some((row.id, row.publication)));
    }
    assert_eq!(said, [(1, event(1, r#""2026-11-25""#)), (3, event(11, "null"))]);
    handle.stop().unwrap();
}

#[test]
fn a_late_clock_dates_no_row_of_another_boot() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    opened.handle.result(result(1, None), vec![]);
    opened.handle.record(packet(1, 100));
    opened.handle.stop().unwrap();
    let mut opened = store::open(store::OpenOptions { boot_id: "boot-2".into(), ..options(dir.path()) }).unwrap();
    opened.handle.result(result(2, None), vec![]);
    opened.handle.record(Record { at: Mono::from_secs(800), kind: RecordKind::Anchor { wall: wall(9).unwrap() } });
    opened.handle.stop().unwrap();
    assert!(matches!(opened.events.try_recv(), Ok(StoreEvent::Redated(list)) if list[0].id == result(2, None).id));
    let query = Query::open(&db(dir.path())).unwrap();
    let results = query.results(None, 9).unwrap();
    assert_eq!((results[0].wall, &results[1]), (wall(9 - 600), &result(1, None)));
    assert_eq!(query.recordings().unwrap()[0].wall, None);
}

#[test]
fn a_read_on_the_writers_thread_sees_what_was_sent_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    let next = |after: i64| opened.handle.read(move |q| q.next_unsent(after)).blocking_recv().unwrap();
    assert_eq!(next(0).unwrap(), None);
    opened.handle.publish(vec![message("a", "1"), message("a", "2")], None);
    let first = next(0).unwrap().unwrap();
    assert_eq!(first.publication, message("a", "1"));
    assert_eq!(next(first.id).unwrap().unwrap().publication, message("a", "2"));
    opened.handle.mark_sent(first.id, 1, None);
    assert_eq!(next(0).unwrap().unwrap().publication, message("a", "2"));
    opened.handle.stop().unwrap();
    assert!(opened.handle.read(|_| Ok(())).blocking_recv().is_err(), "nobody answers any more");
}

#[test]
fn straps_facts_topics_and_settings() {
    let dir = tempfile::tempdir().unwrap();
    store::adopt_offline(options(dir.path()), &adopted(1), wall(7)).unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    opened.handle.adopt(adopted(2), None);
    let facts = StrapFacts {
        name: Some("H10 1234".into()),
        battery_pct: Some(80),
        rssi_dbm: Some(-60),
        location: Some(1),
        manufacturer: Some("Polar".into()),
        ..StrapFacts::default()
    };
    opened.handle.facts(strap(1), facts.clone());
    opened.handle.facts(strap(1), StrapFacts { battery_pct: Some(79), ..StrapFacts::default() });
    opened.handle.facts(strap(3), facts.clone()); // nobody adopted it
    for (topic, payload) in [("x", Some("1")), ("y", Some("1")), ("x", Some("2")), ("y", None)] {
        opened.handle.announced(topic.into(), payload.map(Into::into));
    }
    opened.handle.set_meta("k", Some("1".into()));
    opened.handle.set_meta("k", Some("2".into()));
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    let query = Query::open(&db(dir.path())).unwrap();
    let straps = query.straps().unwrap();
    assert_eq!(straps.iter().map(|s| s.strap.clone()).collect::<Vec<_>>(), [adopted(1), adopted(2)]);
    assert_eq!(straps[0].first_seen, wall(7));
    assert_eq!(straps[0].facts, StrapFacts { battery_pct: Some(79), rssi_dbm: None, ..facts });
    assert_eq!(query.announced().unwrap(), [("x".to_owned(), b"2".to_vec())]);
    assert_eq!(query.meta("k").unwrap().as_deref(), Some("2"));
    opened.handle.set_meta("k", None);
    opened.handle.forget(strap(2));
    opened.handle.stop().unwrap();
    assert!(store::forget_offline(options(dir.path()), strap(1)).unwrap());
    assert!(!store::forget_offline(options(dir.path()), strap(1)).unwrap());
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!((query.straps().unwrap().len(), query.meta("k").unwrap()), (0, None));
}

#[test]
fn battery_readings_are_one_a_day_and_go_with_their_strap() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(store::OpenOptions { straps: vec![adopted(1)], ..options(dir.path()) }).unwrap();
    opened.handle.adopt(adopted(2), None);
    let day = |d: i8| jiff::civil::date(2026, 11, d);
    for (d, percent) in [(3, 80), (1, 90), (2, 85), (3, 79)] {
        (1..4).for_each(|n| opened.handle.battery(strap(n), day(d), percent));
    }
    opened.handle.flush().blocking_recv().unwrap().unwrap();
    let query = Query::open(&db(dir.path())).unwrap();
    let want = [(1, 90), (2, 85), (3, 79)].map(|(d, percent)| Reading { date: day(d), percent });
    assert_eq!(query.battery(strap(1)).unwrap(), want);
    assert_eq!(query.battery(strap(2)).unwrap(), want);
    assert_eq!(query.battery(strap(3)).unwrap(), [], "nobody's strap");
    opened.handle.forget(strap(2));
    opened.handle.stop().unwrap();
    assert_eq!(Query::open(&db(dir.path())).unwrap().battery(strap(2)).unwrap(), []);
}

#[test]
fn a_second_daemon_is_refused_and_a_dropped_handle_saves_everything() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(options(dir.path())).unwrap();
    let e = store::open(options(dir.path())).err().unwrap();
    assert!(matches!(e, store::StoreError::Busy { .. }), "{e}");
    opened.handle.record(packet(1, 1));
    drop(opened);
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!(query.records_since("boot-1", Mono::default()).unwrap(), [packet(1, 1)]);
    store::open(options(dir.path())).unwrap();
}

#[test]
fn straps_of_the_configuration_need_no_adoption() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store::open(store::OpenOptions { straps: vec![adopted(1)], ..options(dir.path()) }).unwrap();
    let facts = StrapFacts { model: Some("H10".into()), ..StrapFacts::default() };
    (1..4).for_each(|n| opened.handle.facts(strap(n), facts.clone()));
    opened.handle.straps(vec![adopted(1), adopted(2)]);
    (1..4).for_each(|n| opened.handle.facts(strap(n), facts.clone()));
    (1..4).for_each(|n| opened.handle.record(packet(n, 5)));
    opened.handle.stop().unwrap();
    let query = Query::open(&db(dir.path())).unwrap();
    assert_eq!(query.straps().unwrap(), []);
    assert_eq!(query.facts().unwrap(), [(strap(1), facts.clone()), (strap(2), facts)]);
    let owners: Vec<_> = query.recordings().unwrap().into_iter().map(|r| r.athlete).collect();
    assert_eq!(owners, [Some(athlete("alex").id), Some(athlete("alex").id), None]);
}

/// What a strap sent belongs to whom it belonged then, in this process, killed or stopped, and in the next one.
#[test]
fn packets_stay_with_who_wore_the_strap() {
    let dir = tempfile::tempdir().unwrap();
    let of = |slug: &str| Strap { athlete: athlete(slug).id, ..adopted(1) };
    let owners = || -> Vec<(Option<String>, u64)> {
        let all = Query::open(&db(dir.path())).unwrap().recordings().unwrap();
        all.into_iter().map(|r| (r.athlete.map(|a| a.to_string()), r.packets)).collect()
    };
    let some = |slug: &str, n: u64| (Some(slug.to_owned()), n);
    // given away and back again, each time in the middle
    let handle = store::open(options(dir.path())).unwrap().handle;
    for (n, slug) in [(0, "alex"), (1, "kim"), (2, "alex")] {
        handle.adopt(of(slug), None);
        // a new name is no new wearer
        handle.adopt(Strap { name: Some("old".into()), ..of(slug) }, None);
        for s in 0..10 {
            handle.record(packet(1, 100 * n + s));
        }
    }
    handle.forget(strap(1));
    handle.stop().unwrap();
    assert_eq!(owners(), [some("alex", 10), some("kim", 10), some("alex", 10)]);
    // listed in the configuration, and listed otherwise when the daemon starts again
    for (n, slug) in [(3, "kim"), (4, "kim"), (5, "alex")] {
        let handle = store::open(store::OpenOptions { straps: vec![of(slug)], ..options(dir.path()) }).unwrap().handle;
        for s in 0..10 {
            handle.record(packet(1, 100 * n + s));
        }
        handle.stop().unwrap();
    }
    assert_eq!(owners()[3..], [some("kim", 20), some("alex", 10)]);
}
