//! The 29 facts that were seen of a real kernel and bluetoothd, and the tests that replay them.

use std::collections::BTreeSet;

/// Number, what was seen, and the tests that replay it.
const FACTS: [(u8, &str, &[&str]); 29] = [
    (
        1,
        "a strap disconnects: an event, and a stream that neither ends nor errs",
        &["a_strap_that_disconnects_is_back_without_duplicates", "a_subscription_in_progress_means_not_connected"],
    ),
    (
        2,
        "after a new connect the old stream delivers by itself",
        &["a_strap_that_disconnects_is_back_without_duplicates"],
    ),
    (
        3,
        "out of range: silence until the time-out; a read blocks until then and ends with ATT error 0x0e",
        &["a_strap_out_of_reach_is_not_called_and_comes_back", "a_read_in_the_dead_zone_ends_with_the_link"],
    ),
    (
        4,
        "a connect to a strap that is gone hangs for 30 s, BlueZ goes on, and may connect by itself",
        &[
            "a_hanging_connect_is_cancelled_and_does_not_block_for_ever",
            "a_connection_that_appears_by_itself_is_adopted",
            "a_strap_out_of_reach_is_not_called_and_comes_back",
            "a_connect_beside_another_one_is_refused_at_once_in_either_wording",
        ],
    ),
    (
        5,
        "a disconnect cancels a hanging connect and removes the object",
        &["a_hanging_connect_is_cancelled_and_does_not_block_for_ever"],
    ),
    (
        6,
        "a strap advertises and never accepts: an error after a while, and the object is removed",
        &["a_strap_that_refuses_is_named_and_does_not_starve_the_others"],
    ),
    (
        7,
        "the object goes without an event; then 0 services without an error; the old handle works after it was seen again",
        &["an_object_that_vanished_is_found_again", "no_heart_rate_service_is_a_failure_not_a_connection"],
    ),
    (
        8,
        "bluetoothd restarts: sessions and scan are gone, no word of power; 5.82 tells of the adapter before its straps",
        &["bluetoothd_restarted", "bluetoothd_restarted_on_debian_13"],
    ),
    (9, "any call starts a stopped bluetoothd", &["a_stopped_bluetoothd_is_started_by_our_own_question"]),
    (
        10,
        "bluetoothd is killed: no event; under 5.82 systemd starts it again, which tells of lost links 2 s late",
        &[
            "bluetoothd_killed_without_a_word",
            "a_bluetoothd_that_systemd_starts_again_tells_of_lost_links_late",
            "seven_straps_survive_a_killed_bluetoothd",
        ],
    ),
    (
        11,
        "adapter off: events; connect, read and stop_scan fail",
        &[
            "an_adapter_switched_off_stays_off_and_is_used_again_when_on",
            "an_adapter_that_went_off_in_a_scan_answers_that_it_is_not_ready",
        ],
    ),
    (
        12,
        "start_scan switches the adapter on; under rfkill it fails",
        &[
            "an_adapter_switched_off_stays_off_and_is_used_again_when_on",
            "power_on_switches_the_adapter_on",
            "a_radio_blocked_by_rfkill_is_asked_for_now_and_then",
        ],
    ),
    (
        13,
        "adapter on again: the scan is gone, the session is not",
        &["an_adapter_switched_off_stays_off_and_is_used_again_when_on"],
    ),
    (
        14,
        "adapter unplugged and put back: the old streams go live again",
        &["an_unplugged_adapter_is_reported_and_used_again", "a_named_adapter_is_waited_for_and_no_other_is_taken"],
    ),
    (
        15,
        "no adapter at the start is no error, and no event tells of a new one",
        &["no_adapter_at_the_start_is_a_state"],
    ),
    (
        16,
        "the bus is killed: streams are silent for ever, only a new connection heals",
        &["a_lost_bus_is_replaced_and_the_process_lives", "no_bus_at_the_start_is_a_state"],
    ),
    (
        17,
        "three straps at once: three streams, every frame; all vanish and come back",
        &[
            "letting_some_straps_go_does_not_silence_the_others",
            "three_straps_that_vanish_together_come_back_one_at_a_time",
            "all_straps_are_let_go_in_parallel_at_the_end",
        ],
    ),
    (
        18,
        "of two connects to a strap the second fails at once",
        &["a_connect_beside_another_one_is_refused_at_once_in_either_wording"],
    ),
    (
        19,
        "connect when connected, subscribe when subscribed, disconnect when gone: all well",
        &["calls_that_were_not_needed_do_no_harm"],
    ),
    (20, "a scan that is under way is an error, but a soft one", &["a_scan_in_progress_is_a_scan"]),
    (21, "reads show up among the notifications", &["connects_subscribes_delivers_and_tells_what_it_knows"]),
    (
        22,
        "each stream gets each value, so two make duplicates; a dropped one leaves nothing behind",
        &["nothing_is_left_behind_by_connections_that_ended", "an_unplugged_adapter_is_reported_and_used_again"],
    ),
    (23, "equal values are all delivered", &["equal_frames_bursts_and_malformed_frames_pass_untouched"]),
    (24, "a burst is delivered whole and in order", &["equal_frames_bursts_and_malformed_frames_pass_untouched"]),
    (25, "malformed frames are delivered as they are", &["equal_frames_bursts_and_malformed_frames_pass_untouched"]),
    (
        26,
        "the battery can be read and subscribed to; an ATT error comes as text",
        &[
            "a_battery_that_tells_its_level_by_itself_is_heard",
            "a_strap_that_tells_nothing_about_itself_delivers_all_the_same",
        ],
    ),
    (27, "every remembered device is announced at the start", &["a_device_that_bluez_only_remembers_is_not_here"]),
    (
        28,
        "another program's scan floods us with signal strengths",
        &["a_flood_of_adverts_from_neighbours_and_of_our_own_delays_no_beat"],
    ),
    (
        29,
        "a dropped stream takes the match rule of another strap with it",
        &["letting_some_straps_go_does_not_silence_the_others"],
    ),
];

#[test]
fn every_fact_has_a_test_that_exists() {
    let sources = concat!(include_str!("../bluez_fake.rs"), include_str!("replays.rs"));
    let lines: Vec<&str> = sources.lines().map(str::trim).collect();
    let tests: BTreeSet<&str> = lines
        .windows(2)
        .filter(|w| w[0] == "#[test]")
        .filter_map(|w| w[1].strip_prefix("fn ")?.split_once('(').map(|(name, _)| name))
        .collect();
    for (n, (number, what, by)) in (1..).zip(FACTS) {
        assert_eq!(number, n, "{what}");
        assert!(!by.is_empty(), "nothing replays fact {number}: {what}");
        for name in by {
            assert!(tests.contains(name), "fact {number} is replayed by {name}, which is no test");
        }
    }
}
