//! The writer without its thread: bounds, damage and locks while it runs.

use super::*;
use crate::engine::{PacketBytes, Strap};
use crate::store::Query;
use rusqlite::Connection;
use std::path::Path;

type Parts = (Writer, OpenReport, watch::Receiver<StoreHealth>, mpsc::UnboundedReceiver<StoreEvent>);

fn writer(dir: &Path) -> Parts {
    let (health_in, health) = watch::channel(StoreHealth::default());
    let (events_in, events) = mpsc::unbounded_channel();
    let (writer, report) =
        Writer::open(OpenOptions::new(dir.join("hrvd.db"), "boot"), Arc::default(), vec![], health_in, events_in)
            .unwrap();
    (writer, report, health, events)
}

fn packet(s: u64) -> Message {
    let kind = RecordKind::Packet { strap: StrapId([1; 6]), bytes: PacketBytes::from_slice(&s.to_le_bytes()) };
    Message::Record(Record { at: Mono::from_secs(s), kind })
}

fn stored(dir: &Path) -> Vec<u64> {
    let records = Query::open(&dir.join("hrvd.db")).unwrap().records_since("boot", Mono::default()).unwrap();
    records.iter().map(|r| r.at.as_micros() / 1_000_000).collect()
}

#[test]
fn memory_is_bounded_while_nothing_can_be_written_and_the_loss_is_counted() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("later");
    let (mut w, report, health, mut events) = writer(&dir);
    assert!(report.trouble.is_some());
    w.memory_max = 500;
    (0..550).for_each(|s| w.handle(packet(s)));
    w.tell();
    let now = health.borrow().clone();
    assert_eq!((now.ok, now.dropped, now.unsaved), (false, 50, 500));
    assert!(w.patience().is_some());
    std::fs::create_dir(&dir).unwrap();
    w.quiet();
    w.tell();
    let now = health.borrow().clone();
    assert_eq!((now.ok, now.dropped, now.unsaved), (true, 50, 0));
    assert!(matches!(events.try_recv(), Ok(StoreEvent::Opened(_))));
    assert_eq!(stored(&dir), (50..550).collect::<Vec<_>>());
    w.close().unwrap();
    assert_eq!(stored(&dir), (50..550).collect::<Vec<_>>());
}

#[test]
fn a_locked_database_costs_nothing_as_long_as_the_journal_takes_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let (mut w, ..) = writer(dir.path());
    w.memory_max = 500;
    w.files.as_ref().unwrap().conn.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(dir.path().join("hrvd.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    (0..1500).for_each(|s| w.handle(packet(s))); // the seal at 600 s fails, and so on
    assert!(!w.state.ok && w.state.message.as_ref().unwrap().contains("in use"), "{:?}", w.state);
    assert!(w.evicted && w.unsealed.len() <= 500);
    assert_eq!(stored(dir.path()), (0..stored(dir.path()).len() as u64).collect::<Vec<_>>());
    w.handle(Message::Op(Op::Meta("k".into(), Some("v".into()))));
    assert_eq!(w.ops.len(), 1);
    w.handle(Message::Checking(true)); // the journal works, which does not make all well
    assert!(!w.state.ok && w.patience() == Some(Duration::from_secs(10)));
    other.execute_batch("ROLLBACK").unwrap();
    w.quiet();
    assert!(w.state.ok && w.ops.is_empty() && !w.evicted);
    (1500..1600).for_each(|s| w.handle(packet(s)));
    w.close().unwrap();
    assert_eq!((stored(dir.path()), w.dropped), ((0..1600).collect(), 0));
}

#[test]
fn a_database_that_breaks_in_use_is_replaced_and_what_waits_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (mut w, .., mut events) = writer(dir.path());
    (0..700).for_each(|s| w.handle(packet(s))); // 0..=600 and a little are sealed
    let sealed = 700 - w.unsealed.len() as u64;
    assert!(sealed > 600 && w.journaled > 0);
    let message = crate::publication::Publication { topic: "t".into(), payload: vec![], retain: true, qos: 1 };
    w.handle(Message::Op(Op::Publish(vec![message.clone(); 3], None)));
    let reader = Query::open(&dir.path().join("hrvd.db")).unwrap();
    assert!(reader.is_current());
    // nothing of the old file can be read
    for name in ["hrvd.db", "hrvd.db-wal"] {
        std::fs::OpenOptions::new().write(true).open(dir.path().join(name)).unwrap().set_len(0).unwrap();
    }
    w.settle(&Err(StoreError::Corrupt { path: dir.path().into(), cause: "it broke".into() }));
    assert!(!reader.is_current());
    let Ok(StoreEvent::Opened(report)) = events.try_recv() else { panic!("not told") };
    let (aside, cause) = report.db.moved_aside.unwrap();
    assert_eq!((aside, cause.as_str()), (dir.path().join("hrvd.db.corrupt-1"), "it broke"));
    w.handle(packet(700));
    w.quiet();
    assert!(w.state.ok);
    // ids are not given twice: a sender may have noted the third as acknowledged
    w.handle(Message::Op(Op::Publish(vec![message], None)));
    assert_eq!(Query::open(&dir.path().join("hrvd.db")).unwrap().next_unsent(3).unwrap().unwrap().id, 4);
    w.close().unwrap();
    assert_eq!(stored(dir.path()), (sealed..=700).collect::<Vec<_>>());
}

#[test]
fn a_lost_database_is_opened_again_without_doubling_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut w, ..) = writer(dir.path());
    (0..60).for_each(|s| w.handle(packet(s)));
    let journaled = w.journaled;
    assert!(journaled > 0 && journaled < 60);
    w.files = None; // as after a replacement that failed
    w.state.ok = false;
    (60..80).for_each(|s| w.handle(packet(s)));
    w.close().unwrap();
    assert_eq!(stored(dir.path()), (0..80).collect::<Vec<_>>());
}

#[test]
fn ids_of_messages_go_on_in_a_database_that_is_begun_anew_later() {
    let dir = tempfile::tempdir().unwrap();
    let (mut w, ..) = writer(dir.path());
    let message = crate::publication::Publication { topic: "t".into(), payload: vec![], retain: true, qos: 1 };
    w.handle(Message::Op(Op::Publish(vec![message.clone(); 3], None)));
    w.files = None; // as after a replacement that a full card forbade
    w.state.ok = false;
    std::fs::write(dir.path().join("hrvd.db"), [0xa5; 8192]).unwrap();
    w.handle(Message::Op(Op::Publish(vec![message], None)));
    let next = Query::open(&dir.path().join("hrvd.db")).unwrap().next_unsent(3).unwrap();
    assert_eq!(next.map(|row| row.id), Some(4));
}

#[test]
fn a_check_is_flushed_to_the_card_and_a_quiet_end_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut w, ..) = writer(dir.path());
    (0..5).for_each(|s| w.handle(packet(s)));
    assert_eq!((w.journaled, w.patience()), (0, Some(Duration::from_secs(6))));
    w.handle(Message::Checking(true));
    assert_eq!((w.journaled, w.unsynced, w.patience()), (5, false, None));
    w.handle(Message::Checking(false));
    (5..16).for_each(|s| w.handle(packet(s)));
    assert_eq!((w.journaled, w.unsynced), (16, true));
    let kind = RecordKind::Link { strap: StrapId([1; 6]), up: false };
    w.handle(Message::Record(Record { at: Mono::from_secs(17), kind }));
    assert_eq!(w.patience(), Some(Duration::from_secs(10)));
    w.quiet();
    assert_eq!((w.unsealed.len(), w.patience()), (0, None));
    let list = Query::open(&dir.path().join("hrvd.db")).unwrap().recordings().unwrap();
    assert!(!list[0].running);
    w.handle(packet(30)); // back after a drop-out: the same recording
    w.handle(packet(31));
    w.seal(false).unwrap();
    let list = Query::open(&dir.path().join("hrvd.db")).unwrap().recordings().unwrap();
    assert_eq!((list.len(), list[0].running, list[0].packets), (1, true, 18));
}

#[test]
fn the_queue_of_changes_is_bounded_and_keeps_results_longest() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("later");
    let (mut w, ..) = writer(&dir);
    w.handle(Message::Op(Op::Publish(vec![], None)));
    for n in 0..OPS_MAX + 10 {
        w.handle(Message::Op(Op::Meta(format!("{n}"), Some(String::new()))));
    }
    assert_eq!((w.ops.len(), w.dropped), (OPS_MAX, 11));
    assert!(matches!(w.ops.front(), Some((_, Op::Publish(..)))));
}

#[test]
fn what_a_listed_strap_sent_belongs_to_whom_it_was_listed_for() {
    let dir = tempfile::tempdir().unwrap();
    let (mut w, ..) = writer(dir.path());
    let who: crate::units::AthleteId = "alex".parse().unwrap();
    let listed = Strap { id: StrapId([1; 6]), athlete: who.clone(), name: None };
    w.handle(Message::Op(Op::Straps(vec![listed])));
    (0..30).for_each(|s| w.handle(packet(s)));
    // the person leaves: the strap is nobody's any more before anything of it was sealed
    w.handle(Message::Op(Op::Straps(vec![])));
    w.close().unwrap();
    let recordings = Query::open(&dir.path().join("hrvd.db")).unwrap().recordings().unwrap();
    assert_eq!(recordings.iter().map(|r| r.athlete.clone()).collect::<Vec<_>>(), [Some(who)]);
}

#[test]
fn a_roster_that_moves_no_strap_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut w, ..) = writer(dir.path());
    let straps = vec![Strap { id: StrapId([1; 6]), athlete: "alex".parse().unwrap(), name: None }];
    w.handle(Message::Op(Op::Straps(straps.clone())));
    (0..30).for_each(|s| w.handle(packet(s)));
    let chunks = |w: &Writer| -> i64 {
        let conn = &w.files.as_ref().unwrap().conn;
        conn.query_row("SELECT count(*) FROM packet_chunk", [], |r| r.get(0)).unwrap()
    };
    w.handle(Message::Op(Op::Straps(straps)));
    assert_eq!((chunks(&w), w.unsealed.len(), w.ops.len()), (0, 30, 0));
    w.handle(Message::Op(Op::Straps(vec![])));
    assert_eq!((chunks(&w), w.unsealed.len()), (1, 0));
}

/// Whose recordings there are, with their first and last packet.
fn recordings(dir: &Path) -> Vec<(Option<String>, u64, u64)> {
    let query = Query::open(&dir.join("hrvd.db")).unwrap();
    let second = |r: &crate::engine::Record| r.at.as_micros() / 1_000_000;
    let of = |r: &crate::store::RecordingInfo| {
        let mut records = query.exports().unwrap().records(r).unwrap();
        records.retain(|r| matches!(r.kind, RecordKind::Packet { .. }));
        (r.athlete.as_ref().map(ToString::to_string), second(&records[0]), second(records.last().unwrap()))
    };
    query.recordings().unwrap().iter().map(of).collect()
}

/// While nothing can be sealed, a strap goes from one person to the next; neither gets what the other's heart did.
#[test]
fn a_strap_that_changes_hands_while_the_disk_is_full_takes_nothing_along() {
    let strap = |who: &str| Strap { id: StrapId([1; 6]), athlete: who.parse().unwrap(), name: None };
    type Change = fn(Strap) -> Op;
    let listed: Change = |s| Op::Straps(vec![s]);
    let adopted: Change = |s| Op::Adopt(s, None);
    // all in memory; some in the journal only, before the first change or after it
    for (change, memory_max, at) in
        [(listed, 5000, 300), (adopted, 5000, 300), (listed, 500, 300), (adopted, 500, 1200), (listed, 500, 1500)]
    {
        let dir = tempfile::tempdir().unwrap();
        let (mut w, ..) = writer(dir.path());
        w.memory_max = memory_max;
        w.handle(Message::Op(change(strap("alex"))));
        w.files.as_ref().unwrap().conn.busy_timeout(Duration::ZERO).unwrap();
        let other = Connection::open(dir.path().join("hrvd.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        (0..at).for_each(|s| w.handle(packet(s)));
        w.handle(Message::Op(change(strap("kim"))));
        (at..1600).for_each(|s| w.handle(packet(s)));
        w.handle(Message::Op(change(strap("alex"))));
        (1600..1700).for_each(|s| w.handle(packet(s)));
        assert!(!w.state.ok);
        other.execute_batch("ROLLBACK").unwrap();
        w.quiet();
        assert!(w.state.ok && w.ops.is_empty() && !w.evicted, "{:?}", w.state);
        (1700..1710).for_each(|s| w.handle(packet(s)));
        w.close().unwrap();
        let (alex, kim) = (Some("alex".to_owned()), Some("kim".to_owned()));
        let want = [(alex.clone(), 0, at - 1), (kim, at, 1599), (alex, 1600, 1709)];
        assert_eq!((recordings(dir.path()), w.dropped), (want.to_vec(), 0), "{memory_max} {at}");
        assert_eq!(stored(dir.path()), (0..1710).collect::<Vec<_>>());
    }
}
