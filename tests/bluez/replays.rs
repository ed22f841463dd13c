//! Facts that need more of the fake than a method of it.

use super::*;

#[test]
fn a_read_in_the_dead_zone_ends_with_the_link() {
    let fake = FakeBluez::start();
    fake.add_strap(A, "Strap 01");
    // Out of reach from the first read on: it gets no answer, and no error either.
    fake.strap(A, |s| s.gone_at_read = true);
    let daemon = Daemon::builder(&fake).wanted(&[A]).start();
    let beat = fake.beat(A, BEAT);
    daemon.wait_calls(&fake, &format!("stuck {A}"), 1, SOON);
    let levels = daemon.levels();
    let lost = daemon.mark();
    fake.disconnect(A); // the supervision timeout: reads fail with ATT error 0x0e
    daemon.wait_state_since(lost, A, "not_seen", SOON);
    let had = daemon.packets(A).len();
    let back = daemon.mark();
    fake.appear(A);
    daemon.wait_packets(A, had + 10, SOON);
    daemon.again_within(AGAIN, back, A);
    daemon.assert_level(levels, 'b');
    // what was not told is asked again
    daemon.wait(SOON, "facts", |l| matches!(l, Line::Facts { text, .. } if text.contains("Acme")));
    assert_complete(&daemon, A, &beat.finish());
}

#[test]
fn a_bluetoothd_that_systemd_starts_again_tells_of_lost_links_late() {
    let (mut fake, daemon) = start_as(Version::V5_82, &[A, B]);
    let beats = [A, B].map(|strap| fake.beat(strap, BEAT));
    for strap in [A, B] {
        daemon.wait_packets(strap, 10, SOON);
    }
    let levels = daemon.levels();
    let subscribed = fake.count(&format!("StartNotify {A}"));
    let killed = daemon.mark();
    fake.kill_bluetoothd_under_systemd();
    for strap in [A, B] {
        daemon.again_within(AGAIN * 2, killed, strap);
        daemon.wait_packets(strap, daemon.packets(strap).len() + 10, SOON);
    }
    // By the silence or by that late word, whichever is first: in no case by adapter or bus.
    daemon.assert_level(levels, 'b'); // neither adapter nor bus was at fault
    assert!(fake.count(&format!("StartNotify {A}")) > subscribed, "the session died with bluetoothd");
    for (strap, beat) in [A, B].into_iter().zip(beats) {
        assert_complete(&daemon, strap, &beat.finish());
    }
}

#[test]
fn an_adapter_that_went_off_in_a_scan_answers_that_it_is_not_ready() {
    let fake = FakeBluez::start();
    fake.add_strap(A, "Strap");
    fake.strap(A, |s| s.in_range = false);
    let daemon = Daemon::builder(&fake).wanted(&[A]).start();
    daemon.wait_state(A, "not_seen", SOON);
    // Switched on again, it is asked for its state and scans at once: the next question comes later than the end of the scan.
    let off = daemon.mark();
    fake.power(false);
    daemon.wait_state_since(off, A, "adapter_off", SOON);
    let scans = fake.count("StartDiscovery");
    fake.power(true);
    daemon.wait_calls(&fake, "StartDiscovery", scans + 1, SOON);
    let (levels, unheard) = (daemon.levels(), daemon.mark());
    fake.with(|w| w.power_off_unheard("hci0"));
    daemon.wait_state_since(unheard, A, "adapter_off", SOON);
    assert!(fake.count("not ready: StopDiscovery") >= 1, "{:?}", fake.calls());
    assert!(!fake.with(|w| w.is_powered()), "switched the adapter on against the administrator's will");
    let beat = fake.beat(A, BEAT);
    let back = daemon.mark();
    fake.appear(A);
    fake.power(true);
    daemon.wait_packets(A, 10, SOON);
    daemon.again_within(AGAIN, back, A);
    daemon.assert_level(levels, 'b');
    assert_complete(&daemon, A, &beat.finish());
}

#[test]
fn a_radio_blocked_by_rfkill_is_asked_for_now_and_then() {
    let fake = FakeBluez::start();
    fake.add_strap(A, "Strap");
    let daemon = Daemon::builder(&fake).wanted(&[A]).power_on().start();
    let beat = fake.beat(A, BEAT);
    daemon.wait_packets(A, 10, SOON);
    let (levels, blocked) = (daemon.levels(), daemon.mark());
    let (asked, had) = (fake.count("Set Powered"), daemon.packets(A).len());
    fake.with(|w| w.rfkill(true));
    daemon.wait_state_since(blocked, A, "adapter_off", SOON);
    // Each try to switch it on fails with "Failed". The next one comes after a pause.
    daemon.wait_calls(&fake, "Set Powered", asked + 3, SOON);
    let (tries, over) = (fake.count("Set Powered") - asked, daemon.time_since(blocked));
    assert!(over >= s(8), "{tries} tries in {over:?}: the adapter is hammered");
    assert!(daemon.is_alive() && daemon.counter("gave_up") == 0);
    let back = daemon.mark();
    fake.with(|w| w.rfkill(false));
    daemon.wait_packets(A, had + 10, SOON);
    daemon.again_within(AGAIN, back, A);
    daemon.assert_level(levels, 'b');
    assert_complete(&daemon, A, &beat.finish());
}

#[test]
fn a_connect_beside_another_one_is_refused_at_once_in_either_wording() {
    for version in Version::BOTH {
        let fake = FakeBluez::start_as(version);
        fake.add_strap(A, "Strap");
        fake.with(|w| w.connect_for_another(A));
        let daemon = Daemon::builder(&fake).wanted(&[A]).start();
        let beat = fake.beat(A, BEAT);
        daemon.wait_calls(&fake, &format!("in progress: Connect {A}"), 1, SOON);
        let refused = daemon.mark();
        // What BlueZ goes on with would hold the strap for ever: it is ended, and the strap has to be seen again.
        daemon.wait_packets(A, 10, SOON);
        daemon.again_within(AGAIN, refused, A);
        let calls = fake.calls();
        let about: Vec<&str> = calls.iter().filter_map(|c| c.strip_suffix(A)).map(str::trim).collect();
        assert_eq!(about[..4], ["Connect", "in progress: Connect", "Disconnect", "Connect"], "{version:?}");
        assert!(daemon.has(|l| matches!(l, Line::Status(t) if t.contains("last_failure: Some(InProgress)"))));
        assert_eq!(daemon.counter("connect_failures"), 1);
        daemon.assert_level(FRESH, 'b');
        assert_complete(&daemon, A, &beat.finish());
    }
}

#[test]
fn three_straps_that_vanish_together_come_back_one_at_a_time() {
    let (fake, daemon) = start(&[A, B, C]);
    let beats = [A, B, C].map(|strap| fake.beat(strap, BEAT));
    for strap in [A, B, C] {
        daemon.wait_packets(strap, 10, SOON);
    }
    let (levels, before) = (daemon.levels(), daemon.mark());
    let had = [A, B, C].map(|strap| daemon.packets(strap).len());
    fake.with(|w| {
        for strap in [A, B, C] {
            w.drop_link(strap);
        }
    });
    for (strap, had) in [A, B, C].into_iter().zip(had) {
        daemon.again_within(AGAIN * 2, before, strap);
        daemon.wait_packets(strap, had + 10, SOON);
    }
    assert_eq!(fake.with(|w| w.most_connecting), 1, "more than one connect at a time");
    daemon.assert_level(levels, 'b');
    for (strap, beat) in [A, B, C].into_iter().zip(beats) {
        assert_complete(&daemon, strap, &beat.finish());
    }
}

#[test]
fn a_battery_that_tells_its_level_by_itself_is_heard() {
    let (fake, daemon) = start(&[A]);
    let beat = fake.beat(A, BEAT);
    daemon.wait_packets(A, 10, SOON);
    daemon.wait(
        SOON,
        "the level that was read",
        |l| matches!(l, Line::Facts { text, .. } if text.contains("Some(90)")),
    );
    // subscribed to after the reads
    daemon.wait_until(SOON, "a subscription to the battery", || fake.with(|w| w.notify_battery(A, 42)));
    let told = |l: &Line| matches!(l, Line::Facts { text, .. } if text.contains("battery_pct: Some(42)"));
    daemon.wait(SOON, "the level that was told", told);
    daemon.wait_packets(A, daemon.packets(A).len() + 10, SOON);
    assert_complete(&daemon, A, &beat.finish()); // none of it was taken for heart rate
}

/// Descriptors, tasks and match rules after each of many connections: as many as after the first few.
#[test]
fn nothing_is_left_behind_by_connections_that_ended() {
    const WARM: usize = 3;
    const CYCLES: usize = 18;
    let (fake, mut daemon) = start(&[A, B]);
    let beats = [A, B].map(|strap| fake.beat(strap, BEAT));
    let all = |d: &Daemon, fake: &FakeBluez| (d.size(), fake.match_rules());
    let mut warm = None;
    for cycle in 0..WARM + CYCLES {
        for strap in [A, B] {
            daemon.wait_packets(strap, daemon.packets(strap).len() + 5, SOON);
        }
        if cycle == WARM {
            // what was read in the background is through
            daemon.wait_until(SOON, "subscriptions to the batteries", || {
                [A, B].iter().all(|strap| fake.with(|w| w.notify_battery(strap, 77)))
            });
            warm = Some(all(&daemon, &fake));
        }
        let down = daemon.mark();
        if cycle % 2 == 0 {
            fake.power(false); // streams are kept
            daemon.wait_state_since(down, B, "adapter_off", SOON);
            fake.power(true);
        } else {
            daemon.tell(&format!("wanted {A}")); // a stream is dropped
            daemon.wait_state_since(down, B, "released", SOON);
            daemon.tell(&format!("wanted {A},{B}"));
        }
        daemon.wait_state_since(down, B, "connected", SOON);
    }
    let ((fds, tasks), rules) = warm.unwrap();
    println!("after {WARM} connections: {fds} descriptors, {tasks} tasks, {rules:?} match rules");
    // the last ones may still be going: they have to go, that is all
    daemon.wait_until(SOON, "descriptors as few as before", || daemon.size().0 <= fds);
    daemon.wait_until(SOON, "tasks as few as before", || daemon.size().1 <= tasks);
    daemon.wait_until(SOON, "match rules as few as before", || fake.match_rules() <= rules);
    println!("after {} connections: {:?}", WARM + CYCLES, all(&daemon, &fake));
    assert_eq!(daemon.counter("managers"), 0);
    for (strap, beat) in [A, B].into_iter().zip(beats) {
        assert_complete(&daemon, strap, &beat.finish());
    }
}
