//! The MQTT edge against a real broker that dies, freezes, forgets and comes back.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/mosquitto.rs"]
mod mosquitto;
#[path = "common/mqtt_client.rs"]
mod mqtt_client;

use hrvd::engine::{Command, Trigger};
use hrvd::mqtt::{ConnectionState, MqttConfig, Order, Topics};
use hrvd::publication::Publication;
use hrvd::release::Ask;
use mosquitto::{Mosquitto, Observer, retained};
use mqtt_client::{Client, LIVE, LONG, Outbox, RESULT, SET, STATUS, config, impatient, ms};
use std::time::Duration;

/// Everything that a gateway with one strap and one athlete keeps on the broker.
fn state_topics() -> Vec<String> {
    let t = Topics::new(&config(1));
    let (strap, alex) = ("a09e1a9f6e53".parse().unwrap(), "alex".parse().unwrap());
    vec![
        t.gateway_discovery(),
        t.strap_discovery(strap),
        t.athlete_discovery(&alex),
        t.strap_availability(strap),
        t.check(&alex),
        t.morning(&alex),
        t.bridge(),
        t.strap_state(strap),
    ]
}

fn set_all(client: &Client) {
    for topic in state_topics().into_iter().rev() {
        client.handle.set_retained(topic.clone(), format!("state of {topic}").into_bytes());
    }
}

fn start_check() -> Command {
    Command::StartCheck { athlete: "alex".parse().unwrap(), posture: None, trigger: Trigger::Manual }
}

fn assert_all_retained(port: u16) {
    let kept = retained(port);
    for topic in state_topics() {
        assert!(
            kept.iter().any(|s| s.topic == topic && s.payload == format!("state of {topic}")),
            "{topic}: {kept:#?}"
        );
    }
    assert!(kept.iter().any(|s| s.topic == STATUS && s.payload == "online"));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_who_it_is_then_how_it_is_then_that_it_is_there() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start_knowing(config(broker.port), set_all);
    client.push("result 1");
    client.connected().await;
    client.until_sent(1).await;
    let seen = observer.until_message(RESULT, "result 1");
    let order: Vec<_> = seen.iter().map(|s| s.topic.as_str()).collect();
    let mut wanted = state_topics();
    wanted.extend([STATUS.to_owned(), RESULT.to_owned()]);
    assert_eq!(order, wanted);
    assert_all_retained(broker.port);
    assert!(!retained(broker.port).iter().any(|s| s.topic == RESULT), "a result is no state");
    client.handle.shutdown(ms(20_000)).await;
}

/// The way the daemon goes: engine output, rendered, delivered.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_says_arrives() {
    use hrvd::engine::{Athlete, Live, Output, Roster, Strap};
    use hrvd::mqtt::{RenderOptions, Renderer};
    use hrvd::units::{Mono, Now};
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let mut renderer = Renderer::new(Topics::new(&config(broker.port)), RenderOptions::default());
    let (alex, strap) = ("alex".parse().unwrap(), "a09e1a9f6e53".parse().unwrap());
    let athlete = Athlete {
        id: alex,
        name: "Alex".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        posture: hrvd::check::Posture::Supine,
        wake_window: None,
    };
    let straps = vec![Strap { id: strap, athlete: athlete.id.clone(), name: None }];
    let live = Live {
        athlete: athlete.id.clone(),
        strap,
        at: Mono::from_secs(1),
        hr_bpm: Some(61),
        rr_ms: None,
        contact: None,
        beats: None,
        why: None,
    };
    let roster = Roster { athletes: vec![athlete], straps };
    let client = Client::start_knowing(config(broker.port), |client| {
        for message in renderer.roster(&roster) {
            assert_eq!(client.handle.deliver(message), None);
        }
    });
    client.connected().await;
    for message in renderer.output(&Output::Live(Box::new(live)), Now { mono: Mono::from_secs(1), wall: None }) {
        assert_eq!(client.handle.deliver(message), None);
    }
    observer.until("a live heart rate", |all| {
        all.iter().any(|s| s.topic == LIVE && s.payload.starts_with(r#"{"hr":61,"rr":null,"#))
    });
    let mut kept: Vec<_> = retained(broker.port).into_iter().map(|s| s.topic).collect();
    kept.sort();
    // All but the morning (there was none) and the gateway's own state.
    let mut wanted: Vec<_> =
        state_topics().into_iter().filter(|t| !t.ends_with("morning") && !t.ends_with("bridge")).collect();
    wanted.push(STATUS.into());
    wanted.sort();
    assert_eq!(kept, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changes_are_said_and_removals_reach_the_broker() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start_knowing(config(broker.port), set_all);
    client.connected().await;
    observer.until_message(STATUS, "online");
    observer.clear();
    set_all(&client);
    let gone = state_topics().remove(5);
    client.handle.set_retained(state_topics().remove(6), b"new".to_vec());
    client.handle.remove_retained(gone.clone());
    client.push("end");
    let seen = observer.until_message(RESULT, "end");
    assert_eq!(seen.len(), 3, "{seen:#?}");
    assert!(!retained(broker.port).iter().any(|s| s.topic == gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_goodbye_once() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start(config(broker.port));
    client.connected().await;
    client.handle.set_retained("hrvd/g/bridge".into(), b"last words".to_vec());
    client.handle.shutdown(ms(2000)).await;
    assert_eq!(client.state(), ConnectionState::Closed);
    let seen = observer.until_message(STATUS, "offline");
    assert!(seen.iter().any(|s| s.payload == "last words"), "states come before the farewell");
    tokio::time::sleep(ms(300)).await;
    assert_eq!(observer.payloads(STATUS), ["online", "offline"], "no last will after a farewell");
    let kept = retained(broker.port);
    assert!(kept.iter().any(|s| s.topic == STATUS && s.payload == "offline"));
}

#[test]
fn the_broker_says_offline_when_we_vanish() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(async {
        let client = Client::start(config(broker.port));
        client.connected().await;
        client
    });
    observer.until_message(STATUS, "online");
    // Kills all tasks where they stand: the socket closes without a DISCONNECT, as after a crash.
    runtime.shutdown_background();
    observer.until_message(STATUS, "offline");
    assert!(retained(broker.port).iter().any(|s| s.topic == STATUS && s.payload == "offline"));
    drop(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_everything_gets_everything_back() {
    let mut broker = Mosquitto::open();
    let mut client = Client::start_knowing(config(broker.port), set_all);
    client.connected().await;
    for i in 0..20 {
        client.push_kept(&format!("before-{i}"));
    }
    client.until_sent(3).await;
    broker.kill();
    for i in 0..5 {
        client.push_kept(&format!("away-{i}"));
    }
    client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    tokio::time::sleep(ms(500)).await;
    let before = client.outbox.sent().len();
    broker.run();
    client.until_sent(25).await;
    client.connected().await;
    assert_all_retained(broker.port);
    // What was not marked before the kill is on the new broker.
    let kept: Vec<_> = retained(broker.port).into_iter().filter(|s| s.topic.contains("/kept/")).collect();
    assert_eq!(kept.len(), 25 - before, "{before} before, then {kept:#?}");
    // It listens again too.
    let observer = Observer::new(broker.port);
    observer.publish(SET, "start", false);
    assert_eq!(client.command().await, start_check());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_loses_nothing_when_it_goes_on() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start_knowing(impatient(broker.port), set_all);
    client.connected().await;
    broker.freeze();
    for i in 0..5 {
        client.push(&format!("frozen {i}"));
        client.live("{\"hr\":60}");
    }
    client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    assert_eq!(client.outbox.sent(), [0i64; 0], "nothing counts as sent before the broker says so");
    client.live("{\"hr\":61}");
    broker.thaw();
    client.until_sent(5).await;
    for i in 0..5 {
        observer.until_message(RESULT, &format!("frozen {i}"));
    }
    client.connected().await;
    observer
        .until("online again", |all| all.iter().rfind(|s| s.topic == STATUS).is_some_and(|s| s.payload == "online"));
    assert!(!observer.payloads(LIVE).contains(&"{\"hr\":61}".to_owned()), "what was live while down is never said");
    assert_all_retained(broker.port);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_loses_nothing_when_it_is_killed() {
    let mut broker = Mosquitto::open();
    let client = Client::start_knowing(impatient(broker.port), set_all);
    client.connected().await;
    broker.freeze();
    for i in 0..5 {
        client.push_kept(&format!("frozen-{i}"));
    }
    client.handle.set_retained("hrvd/g/bridge".into(), b"changed meanwhile".to_vec());
    client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    broker.kill();
    broker.run();
    client.until_sent(5).await;
    let kept = retained(broker.port);
    for i in 0..5 {
        assert!(kept.iter().any(|s| s.payload == format!("frozen-{i}")), "{i}: {kept:#?}");
    }
    assert!(kept.iter().any(|s| s.payload == "changed meanwhile"));
}

#[tokio::test(flavor = "multi_thread")]
async fn farewell_to_a_frozen_broker_is_bounded() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    // Nothing but the bound of the call itself may end the wait.
    let mut patient = config(broker.port);
    (patient.timing.ack, patient.timing.farewell) = (ms(600_000), ms(600_000));
    let client = Client::start(patient);
    client.connected().await;
    broker.freeze();
    tokio::time::timeout(LONG, client.handle.shutdown(ms(500))).await.expect("shutdown must not hang");
    broker.thaw();
    // Cut without a farewell, or with one in the pipe: either way it ends offline.
    observer.until_message(STATUS, "offline");
    tokio::time::sleep(ms(200)).await;
    assert_eq!(observer.payloads(STATUS).last().unwrap(), "offline");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_while_we_were_off_leaves_no_ghost() {
    let broker = Mosquitto::open();
    let client = Client::start_knowing(config(broker.port), set_all);
    client.connected().await;
    client.handle.shutdown(ms(20_000)).await;
    // Somebody else's topics are not ours to clean.
    let other = Observer::new(broker.port);
    other.publish("hrvd/other/athlete/alex/check", "theirs", true);
    other.publish("homeassistant/device/hrvd_other_athlete_alex/config", "theirs", true);
    // The roster has no athlete any more, but still the strap.
    let stays: Vec<_> = state_topics().into_iter().filter(|t| !t.contains("alex")).collect();
    let again = Client::start_knowing(config(broker.port), |again| {
        for topic in &stays {
            again.handle.set_retained(topic.clone(), b"here".to_vec());
        }
    });
    again.connected().await;
    other.until("alex is gone", |seen| seen.iter().any(|s| s.topic.ends_with("alex/morning") && s.payload.is_empty()));
    again.push("end");
    again.until_sent(1).await;
    let mut kept: Vec<_> = retained(broker.port).into_iter().map(|s| s.topic).collect();
    kept.sort();
    let mut wanted = stays;
    wanted.extend([
        STATUS.to_owned(),
        "hrvd/other/athlete/alex/check".to_owned(),
        "homeassistant/device/hrvd_other_athlete_alex/config".to_owned(),
    ]);
    wanted.sort();
    assert_eq!(kept, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_before_it_begins() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let cancel = tokio_util::sync::CancellationToken::new();
    let (handle, _commands) = hrvd::mqtt::spawn(config(broker.port), Outbox::default(), &cancel).unwrap();
    tokio::time::sleep(ms(500)).await;
    assert_eq!(*handle.status().borrow(), ConnectionState::Connecting);
    assert!(observer.seen().is_empty(), "online before anything is known");
    // One that never began ends all the same.
    handle.shutdown(LONG).await;
    assert_eq!(*handle.status().borrow(), ConnectionState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_roster_is_known_nobody_is_removed() {
    let broker = Mosquitto::open();
    let client = Client::start_knowing(config(broker.port), set_all);
    client.connected().await;
    client.handle.shutdown(ms(20_000)).await;
    let early = Client::start(config(broker.port));
    early.connected().await;
    early.push("end");
    early.until_sent(1).await;
    assert_eq!(retained(broker.port).len(), state_topics().len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_accepts_but_does_not_answer() {
    let broker = Mosquitto::open();
    broker.freeze();
    let client = Client::start(impatient(broker.port));
    client.push("patience");
    let down = client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    assert!(down.to_string().contains("does not answer in time"), "{down}");
    broker.thaw();
    client.until_sent(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_is_noticed_without_anything_to_say() {
    let broker = Mosquitto::open();
    let client = Client::start(MqttConfig { keep_alive: Duration::from_secs(1), ..config(broker.port) });
    client.connected().await;
    broker.freeze();
    let down = client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    assert!(down.to_string().contains("no longer answers"), "{down}");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_does_not_overtake_its_phase() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start(config(broker.port));
    client.connected().await;
    let topic = "hrvd/g/athlete/alex/check";
    for i in 0..100 {
        client.handle.set_retained(topic.into(), format!("{i} phase").into_bytes());
        for _ in 0..3 {
            let payload = format!("{i} progress").into_bytes();
            client.handle.live(Publication { topic: topic.into(), payload, retain: false, qos: 0 });
            tokio::time::sleep(ms(1)).await;
        }
    }
    observer.until_message(topic, "99 phase");
    let seen = observer.payloads(topic);
    let mut phase = -1;
    for payload in &seen {
        let (i, kind) = payload.split_once(' ').unwrap();
        let i: i32 = i.parse().unwrap();
        if kind == "phase" {
            phase = i;
        } else {
            assert_eq!(i, phase, "{seen:?}");
        }
    }
    assert!(seen.iter().any(|s| s.ends_with("progress")), "some progress must pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_are_not_confused() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start(config(broker.port));
    client.connected().await;
    // States, events, live values and results mixed, more than packet ids (100) exist at once. The outbox asserts that
    // each result is marked once and in order.
    for i in 0..300 {
        client.push(&format!("result {i}"));
        client.handle.set_retained("hrvd/g/bridge".into(), format!("state {i}").into_bytes());
        client.live(&format!("live {i}"));
        let topic = "hrvd/g/athlete/kim/event/check".to_owned();
        client.handle.transient(Publication { topic, payload: b"event".to_vec(), retain: false, qos: 1 });
        if i % 50 == 0 {
            tokio::time::sleep(ms(20)).await;
        }
    }
    client.until_sent(300).await;
    observer.until_message(RESULT, "result 299");
    assert_eq!(observer.payloads(RESULT), (0..300).map(|i| format!("result {i}")).collect::<Vec<_>>());
    observer.until_message("hrvd/g/bridge", "state 299");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_command_does_not_fire() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let mut client = Client::start(config(broker.port));
    client.connected().await;
    client.handle.shutdown(ms(20_000)).await;
    // While we are away: one for a session that might wait, one that the broker keeps.
    observer.publish_acked(SET, "start");
    observer.publish("hrvd/g/athlete/kim/check/set", "start", true);
    observer.until_message("hrvd/g/athlete/kim/check/set", "start");
    let mut again = Client::start(config(broker.port));
    again.connected().await;
    observer.publish(SET, "{\"action\":\"cancel\"}", false);
    // The fresh one is the first that arrives.
    assert_eq!(again.command().await, Command::CancelCheck { athlete: "alex".parse().unwrap() });
    assert!(again.commands.try_recv().is_err());
    assert!(client.commands.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strap_is_let_go_by_a_message_that_is_not_kept() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    const FREE: &str = "hrvd/g/strap/a09e1a9f6e53/release/set";
    observer.publish(FREE, "on", true);
    observer.until_message(FREE, "on");
    let mut client = Client::start(config(broker.port));
    client.connected().await;
    observer.publish(FREE, "15", false);
    let strap = "A0:9E:1A:9F:6E:53".parse().unwrap();
    let want = Order::Release(strap, Ask::Release(Duration::from_secs(15 * 60)));
    assert_eq!(client.order().await, want, "the kept one would release the strap at each connection");
    observer.publish(FREE, "off", false);
    assert_eq!(client.order().await, Order::Release(strap, Ask::End));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_commands_are_survived() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let mut client = Client::start(config(broker.port));
    client.connected().await;
    for payload in ["", "START", "{", "{\"action\":1}", "\u{0}", &"x".repeat(100_000)] {
        observer.publish(SET, payload, false);
    }
    observer.publish("hrvd/g/athlete/../check/set", "start", false);
    observer.publish(SET, "start", false);
    assert_eq!(client.command().await, start_check());
    assert_eq!(client.state(), ConnectionState::Connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_pass_and_impossible_ones_block_nobody() {
    let broker = Mosquitto::open();
    let client = Client::start(config(broker.port));
    let large = "x".repeat(200 * 1024);
    client.handle.set_retained("homeassistant/device/hrvd_g/config".into(), large.clone().into_bytes());
    client.handle.set_retained("hrvd/g/strap/a/state".into(), vec![b'y'; 300 * 1024]);
    client.handle.set_retained("hrvd/g/+/state".into(), b"no topic".to_vec());
    client.push("after");
    client.until_sent(1).await;
    let kept = retained(broker.port);
    assert!(kept.iter().any(|s| s.payload == large));
    assert!(!kept.iter().any(|s| s.payload.starts_with('y')));
}

#[tokio::test(flavor = "multi_thread")]
async fn home_assistant_starts_and_is_told_everything_once() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let mut config = config(broker.port);
    config.timing.birth = (ms(1000), ms(1100));
    let client = Client::start_knowing(config, set_all);
    client.connected().await;
    observer.until_message(STATUS, "online");
    observer.clear();
    observer.publish("homeassistant/status", "offline", false);
    for _ in 0..3 {
        observer.publish("homeassistant/status", "online", false);
    }
    observer.until_message(STATUS, "online");
    tokio::time::sleep(ms(1500)).await;
    let mut wanted = vec!["homeassistant/status".to_owned(); 4];
    wanted.extend(state_topics());
    wanted.push(STATUS.into());
    let seen: Vec<_> = observer.seen().into_iter().map(|s| s.topic).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_offline_is_put_right() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start(config(broker.port));
    client.connected().await;
    observer.until_message(STATUS, "online");
    observer.clear();
    observer.publish(STATUS, "offline", true);
    observer.until_message(STATUS, "online");
    assert!(retained(broker.port).iter().any(|s| s.topic == STATUS && s.payload == "online"));
}

#[tokio::test(flavor = "multi_thread")]
async fn live_values_are_for_now_only() {
    let mut broker = Mosquitto::open();
    let client = Client::start(config(broker.port));
    client.live("too early");
    client.connected().await;
    let observer = Observer::new(broker.port);
    client.live("now");
    let seen = observer.until_message(LIVE, "now");
    assert_eq!(seen.iter().find(|s| s.topic == LIVE).unwrap().qos, 0);
    assert!(!retained(broker.port).iter().any(|s| s.topic == LIVE));
    broker.kill();
    client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    client.live("while away");
    let event = Publication { topic: RESULT.into(), payload: b"event while away".to_vec(), retain: false, qos: 1 };
    assert!(!client.handle.transient(event), "an event without a link is not taken");
    broker.run();
    let observer = Observer::new(broker.port);
    client.connected().await;
    client.live("again");
    observer.until_message(LIVE, "again");
    assert_eq!(observer.payloads(LIVE), ["again"]);
    assert!(observer.payloads(RESULT).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_with_our_id_is_named() {
    let broker = Mosquitto::open();
    let one = Client::start(config(broker.port));
    let _two = Client::start(config(broker.port));
    let named = |s: &ConnectionState| matches!(s, ConnectionState::Down { why } if why.contains("used twice"));
    one.until("named", named).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_yet() {
    let port = mosquitto::free_port();
    let client = Client::start(config(port));
    client.push("early");
    let down = client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    assert!(down.to_string().to_lowercase().contains("refused"), "{down}");
    client.handle.shutdown(ms(500)).await;
    assert_eq!(client.state(), ConnectionState::Closed);
    assert!(client.outbox.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stable_link_makes_the_waits_short_again() {
    let mut broker = Mosquitto::open();
    broker.kill();
    let mut config = config(broker.port);
    config.timing.backoff_max = Duration::from_secs(60);
    config.timing.stable = ms(200);
    let client = Client::start(config);
    // Waits of 50 ms that double for 13 s: the next ones are 6.4 s at least.
    tokio::time::sleep(ms(13_000)).await;
    broker.run();
    client.connected().await;
    tokio::time::sleep(ms(400)).await;
    broker.kill();
    client.until("down", |s| matches!(s, ConnectionState::Down { .. })).await;
    broker.run();
    tokio::time::timeout(ms(6000), client.connected()).await.expect("the wait did not start anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_repeats_itself_does_not_flood() {
    #[derive(Clone, Default)]
    struct Stuck(std::sync::Arc<std::sync::atomic::AtomicUsize>);
    impl hrvd::mqtt::OutboxSource for Stuck {
        async fn next(&mut self) -> Option<(i64, Publication)> {
            Some((7, Publication { topic: RESULT.into(), payload: b"again".to_vec(), retain: false, qos: 1 }))
        }
        fn mark_sent(&mut self, _id: i64) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        fn announced(&mut self, _topic: String, _payload: Option<Vec<u8>>) {}
    }
    let broker = Mosquitto::open();
    let stuck = Stuck::default();
    let cancel = tokio_util::sync::CancellationToken::new();
    let (handle, _commands) = hrvd::mqtt::spawn(config(broker.port), stuck.clone(), &cancel).unwrap();
    handle.begin();
    let mut status = handle.status();
    status.wait_for(ConnectionState::is_up).await.unwrap();
    tokio::time::sleep(ms(800)).await;
    assert_eq!(stuck.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// A store whose card hangs must cost results their time and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_that_does_not_answer_holds_up_nobody_else() {
    #[derive(Clone)]
    struct Slow(std::sync::Arc<tokio::sync::Semaphore>);
    impl hrvd::mqtt::OutboxSource for Slow {
        async fn next(&mut self) -> Option<(i64, Publication)> {
            self.0.acquire().await.unwrap().forget();
            Some((1, Publication { topic: RESULT.into(), payload: b"late".to_vec(), retain: false, qos: 1 }))
        }
        fn mark_sent(&mut self, _id: i64) {}
        fn announced(&mut self, _topic: String, _payload: Option<Vec<u8>>) {}
    }
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let slow = Slow(std::sync::Arc::new(tokio::sync::Semaphore::new(0)));
    let cancel = tokio_util::sync::CancellationToken::new();
    let (handle, _commands) = hrvd::mqtt::spawn(config(broker.port), slow.clone(), &cancel).unwrap();
    handle.begin();
    handle.status().wait_for(ConnectionState::is_up).await.unwrap();
    // its answer is still owed: states and live values go on
    for n in 0..5 {
        let publication =
            Publication { topic: "hrvd/g/bridge".into(), payload: format!("{n}").into_bytes(), retain: true, qos: 1 };
        assert_eq!(handle.deliver(hrvd::mqtt::Message { delivery: hrvd::mqtt::Delivery::Retained, publication }), None);
        observer.until_message("hrvd/g/bridge", &n.to_string());
    }
    slow.0.add_permits(1);
    observer.until_message(RESULT, "late");
}

#[tokio::test]
async fn settings_are_checked_before_anything_starts() {
    let bad = MqttConfig { gateway_id: "Living Room".into(), ..MqttConfig::default() };
    let cancel = tokio_util::sync::CancellationToken::new();
    let error = hrvd::mqtt::spawn(bad, Outbox::default(), &cancel).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("gateway_id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_says_goodbye_too() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let client = Client::start(config(broker.port));
    client.connected().await;
    client.cancel.cancel();
    observer.until_message(STATUS, "offline");
    client.until("closed", |s| *s == ConnectionState::Closed).await;
}

/// The broker keeps it, so it would end each link: where we look at the beginning only, and where commands come from.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_message_that_is_too_large_does_not_stop_us() {
    let broker = Mosquitto::open();
    let observer = Observer::new(broker.port);
    let body = "x".repeat(300 * 1024);
    for (topic, commands) in [("hrvd/g/strap/a09e1a9f6e53/availability", true), ("hrvd/g/athlete/kim/check/set", false)]
    {
        observer.publish(topic, &body, true);
        observer.until(topic, |all| all.iter().any(|s| s.topic == topic));
        let mut client = Client::start(config(broker.port));
        client.connected().await;
        client.push(topic);
        observer.until_message(RESULT, topic);
        observer.publish(SET, "start", false);
        let heard = tokio::time::timeout(if commands { LONG } else { ms(500) }, client.commands.recv()).await;
        assert_eq!(heard.is_ok(), commands, "{topic}: {heard:?}");
        observer.publish(topic, "", true);
    }
}
