//! A desk whose checks get another date, do not count or have no date; sessions and words of one day.

use super::*;

#[test]
fn a_check_that_gets_another_date_counts_once_and_asks_for_its_own_day() {
    // taken on the 20th by a clock that was a day ahead; its wait ends with its date
    let mut d = desk(600);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), ["ask 20 2026-03-20T06:13:00Z"]);
    let moved = Reading { id: TODAY.to_string(), ..reading(date(2026, 3, 18), 45.0) };
    d.handle(at("20T06:04:00"), DeskInput::Reading(moved.clone()));
    assert_eq!((drain(&mut d), d.waiting_for()), (vec!["given 18 1 GO ".to_owned()], None));
    d.handle(at("20T06:13:00"), DeskInput::Timeout);
    assert_eq!((drain(&mut d), d.state(TODAY)), (vec![], DayState::None));
    assert_eq!(d.book().mornings.of(TODAY).count(), 0);
    // a verdict that was given of the wrong day is taken back in the open
    let mut d = desk(0);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    d.handle(at("20T06:04:00"), DeskInput::Reading(moved));
    assert_eq!(drain(&mut d), ["given 20 1 GO ", "given 20 2 GO ln_rmssd,rhr", "given 18 1 GO "]);
}

#[test]
fn numbers_of_a_poor_check_wait_too_and_a_second_one_counts() {
    let mut d = desk(600);
    let poor = Reading { id: "poor".into(), grade: Grade::Poor, ..reading(TODAY, 80.0) };
    d.handle(at("20T06:03:00"), DeskInput::Reading(poor.clone()));
    assert_eq!((drain(&mut d), d.waiting_for()), (vec!["ask 20 2026-03-20T06:13:00Z".into()], Some(TODAY)));
    assert_eq!(word(&mut d, at("20T06:04:00"), GOOD), ["keep feel"], "no verdict is made of it");
    assert_eq!(d.waiting_for(), None);
    d.handle(at("20T06:08:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!(drain(&mut d), ["given 20 1 GO "]);
    // one without a number has none to hold back
    let mut d = desk(600);
    d.handle(at("20T06:03:00"), DeskInput::Reading(Reading { values: None, ..poor }));
    assert_eq!((drain(&mut d), d.waiting_for()), (vec![], None));
}

#[test]
fn numbers_wait_while_nobody_knows_which_day_it_is() {
    let blind = |s: u64| Now { mono: Mono::from_secs(s), wall: None };
    // a restart within the wait, before the clock is set
    let mut book = history();
    book.put_reading(reading(TODAY, 45.0));
    let mut d = Desk::new(config(600), book);
    d.restore(blind(5), Some((TODAY, utc("20T06:13:00"))), None);
    assert_eq!((d.waiting_for(), d.state(TODAY)), (Some(TODAY), DayState::WaitingForFeel));
    d.handle(at("20T06:20:00"), DeskInput::Timeout);
    assert_eq!((drain(&mut d), d.waiting_for()), (vec!["given 20 1 GO ".to_owned()], None));
    // a check without a date waits as long as ever, or until it has one and is asked about
    let mut d = Desk::new(config(600), history());
    d.restore(blind(5), None, None);
    d.handle(blind(10), DeskInput::Undated);
    assert_eq!((d.waits_undated(), d.poll_timeout()), (true, Some(Mono::from_secs(610))));
    let mut long = d.clone();
    long.handle(blind(610), DeskInput::Timeout);
    assert!(!long.waits_undated());
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    assert_eq!((d.waits_undated(), d.waiting_for()), (false, Some(TODAY)));
    // who wants no wait has none
    let mut d = Desk::new(config(0), history());
    d.restore(blind(5), None, None);
    d.handle(blind(10), DeskInput::Undated);
    assert!(!d.waits_undated());
}

#[test]
fn a_second_session_of_a_day_stands_beside_the_first() {
    let mut d = desk(0);
    let yesterday = Some(date(2026, 3, 19));
    let mut say = |rpe: f64, id: Option<&str>, end: Option<Time>| {
        let words = SessionWords {
            rpe: Some(rpe),
            minutes: Some(40.0),
            id: id.map(str::to_owned),
            end,
            ..SessionWords::default()
        };
        let (_, entry) = d.say(at("20T09:00:00"), yesterday, Source::Mqtt, Saying::Session(words)).unwrap();
        let Some(What::Session(s)) = entry.map(|e| e.what) else { panic!("a session") };
        (s.id, d.book().ledger.between(date(2026, 3, 19), date(2026, 3, 19)).len())
    };
    assert_eq!(say(3.0, None, None), ("2026-03-19-1800".into(), 1));
    assert_eq!(say(6.0, None, None), ("2026-03-19-1800-2".into(), 2));
    // a message that comes twice is one session
    assert_eq!(say(6.0, None, None), ("2026-03-19-1800-2".into(), 2));
    assert_eq!(say(5.0, None, None), ("2026-03-19-1800-3".into(), 3));
    // its id, or its end, names it: that is a correction
    assert_eq!(say(4.0, Some("2026-03-19-1800-2"), None), ("2026-03-19-1800-2".into(), 3));
    assert_eq!(say(4.0, None, Some(time(18, 0, 0, 0))), ("2026-03-19-1800".into(), 3));
}

#[test]
fn the_last_word_counts_after_the_clock_was_set_back() {
    let mut d = desk(0);
    d.handle(at("20T06:03:00"), DeskInput::Reading(reading(TODAY, 45.0)));
    word(&mut d, at("20T18:00:00"), What::Feel(Feel::Bad));
    let sleep = |hours: f64| What::Sleep { hours: Some(hours), quality: None };
    word(&mut d, at("20T18:00:00"), sleep(5.0));
    let back = Now { wall: Some(utc("20T07:00:00")), ..at("20T18:01:00") };
    assert_eq!(word(&mut d, back, GOOD).len(), 2);
    word(&mut d, back, sleep(8.0));
    assert_eq!((d.book().feel(TODAY), d.book().sleep(TODAY).0), (Some(Feel::Good), Some(8.0)));
    // the same from the store
    let mut book = Book::default();
    d.book().log(TODAY).cloned().collect::<Vec<_>>().into_iter().rev().for_each(|e| book.put(e));
    assert_eq!((book.feel(TODAY), book.sleep(TODAY).0), (Some(Feel::Good), Some(8.0)));
}

#[test]
fn a_feel_alone_makes_no_verdict() {
    let mut d = desk(600);
    word(&mut d, at("20T06:00:00"), GOOD);
    d.handle(at("20T10:00:00"), DeskInput::Timeout);
    assert_eq!((drain(&mut d), d.book().is_told(TODAY)), (vec![], false));
    assert_eq!(
        word(&mut d, at("20T11:00:00"), What::Sleep { hours: Some(8.0), quality: None }),
        ["keep sleep", "given 20 1 GO "]
    );
}
