//! The time base against losses, stalls, bursts, repeats and drift.

use super::*;
use proptest::prelude::*;

const RR: u16 = 870;

fn at(ms: u64) -> Mono {
    Mono::from_micros(1_000_000_000 + ms * 1000)
}

fn rr(list: &[u16]) -> Vec<RrTicks> {
    list.iter().copied().map(RrTicks).collect()
}

/// Drives packets (arrival ms, intervals) and returns (gaps with reason and index, beats, duplicates).
fn drive(packets: &[(u64, Vec<u16>)]) -> (Vec<(usize, GapReason)>, Vec<Beat>, usize) {
    let mut t = Timeline::new();
    let (mut gaps, mut beats, mut duplicates) = (vec![], vec![], 0);
    let mut take = |p: Placed| {
        if let Some(g) = p.gap {
            gaps.push((beats.len(), g));
        }
        beats.extend(p.beats);
        duplicates += usize::from(p.duplicate);
    };
    for (ms, list) in packets {
        if let Some(due) = t.poll_timeout().filter(|d| *d <= at(*ms)) {
            take(t.expire(due));
        }
        take(t.push(at(*ms), &rr(list)));
    }
    if let Some(due) = t.poll_timeout() {
        take(t.expire(due));
    }
    (gaps, beats, duplicates)
}

/// `n` packets of one beat each, arriving with the beats.
fn steady(n: u64) -> Vec<(u64, Vec<u16>)> {
    (1..=n).map(|i| (i * u64::from(RR) * 1000 / 1024, vec![RR])).collect()
}

#[test]
fn equal_neighbours_are_two_beats() {
    let (gaps, beats, dup) = drive(&steady(50));
    assert_eq!((gaps, beats.len(), dup), (vec![(0, GapReason::LinkUp)], 50, 0));
    let (_, beats, dup) = drive(&[(1000, vec![900, 900]), (3000, vec![900, 900])]);
    assert_eq!((beats.len(), dup), (4, 0));
}

#[test]
fn beats_of_one_packet_have_their_own_times() {
    let (_, beats, _) = drive(&[(2000, vec![1024, 512, 512])]);
    let times: Vec<i64> = beats.iter().map(|b| b.at.diff_micros(at(0)) / 1000).collect();
    assert_eq!(times, [1000, 1500, 2000]);
}

#[test]
fn lost_beats_become_a_gap_and_time_is_anchored_anew() {
    let mut packets = steady(40);
    packets.drain(20..25); // five packets (4.2 s) never arrive
    let (gaps, beats, dup) = drive(&packets);
    assert_eq!((gaps, beats.len(), dup), (vec![(0, GapReason::LinkUp), (20, GapReason::LostBeats)], 35, 0));
    let hole = beats[20].start().diff_micros(beats[19].at);
    assert!((4_200_000..4_300_000).contains(&hole), "{hole}");
}

#[test]
fn a_stall_with_a_burst_loses_nothing_and_marks_no_gap() {
    for stall in [3, 6, 19] {
        let mut packets = steady(60);
        let out = packets[20 + stall].0;
        for p in &mut packets[20..20 + stall] {
            p.0 = out + 1; // delivered together, late
        }
        packets.sort_by_key(|p| p.0);
        let (gaps, beats, dup) = drive(&packets);
        assert_eq!((gaps.len(), beats.len(), dup), (1, 60, 0), "stall of {stall}");
        assert!(beats.windows(2).all(|w| w[1].at > w[0].at));
    }
}

#[test]
fn a_doubled_delivery_is_dropped_by_the_clock() {
    let mut packets = vec![];
    for (ms, list) in steady(40) {
        packets.push((ms, list.clone()));
        packets.push((ms + 3, list));
    }
    let (gaps, beats, dup) = drive(&packets);
    assert_eq!((gaps.len(), beats.len(), dup), (1, 40, 40));
}

#[test]
fn doubled_deliveries_do_not_fill_a_hole() {
    for lost in [2, 3, 4, 6] {
        let mut list = steady(40);
        list.drain(20..20 + lost);
        let packets: Vec<_> = list.into_iter().flat_map(|(ms, rr)| [(ms, rr.clone()), (ms + 3, rr)]).collect();
        let (gaps, beats, dup) = drive(&packets);
        let left = 40 - lost;
        assert_eq!((gaps.len(), beats.len(), dup), (2, left, left), "{lost} lost");
    }
}

#[test]
fn beats_held_back_when_the_link_drops_are_not_lost() {
    let mut t = Timeline::new();
    for (ms, list) in steady(10) {
        let _ = t.push(at(ms), &rr(&list));
    }
    assert_eq!(t.push(at(30_000), &rr(&[870])), Placed::default());
    let out = t.break_off(GapReason::LinkUp);
    assert_eq!((out.gap, out.beats.len()), (Some(GapReason::LostBeats), 1));
    assert_eq!(t.push(at(40_000), &rr(&[870])), Placed::default(), "the first one waits for the next");
    assert_eq!(t.push(at(40_850), &rr(&[870])).gap, Some(GapReason::LinkUp));
}

#[test]
fn short_loss_within_jitter_is_not_called_a_gap() {
    // one second late, then on time again: real notification jitter
    let mut packets = steady(40);
    packets[20].0 += 700;
    let (gaps, beats, _) = drive(&packets);
    assert_eq!((gaps.len(), beats.len()), (1, 40));
}

#[test]
fn beat_times_follow_the_arrival_clock() {
    // a strap that sends milliseconds as if they were 1/1024 s: 2.3 % fast, for an hour
    let n = 4000u64;
    let packets: Vec<_> = (1..=n).map(|i| (i * 870, vec![870])).collect();
    let (gaps, beats, dup) = drive(&packets);
    assert_eq!((gaps.len(), beats.len(), dup), (1, n as usize, 0));
    let error = beats[n as usize - 1].at.diff_micros(at(n * 870)).abs();
    assert!(error < 1_000_000, "{error} µs off after an hour");
}

/// Simulated minutes on a strap that sends ms, read as 1/1024 s: gaps beside the first.
fn false_gaps(rr_ms: u64, period_ms: u64, jitter_ms: u64, minutes: u64) -> Vec<(usize, GapReason)> {
    let (mut packets, mut beat, mut chance) = (vec![], 0u64, 1u32);
    for packet in 1..minutes * 60_000 / period_ms {
        let now = packet * period_ms;
        let mut list = vec![];
        while beat + rr_ms <= now {
            beat += rr_ms;
            list.push(rr_ms as u16);
        }
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        packets.push((now + u64::from(chance >> 16) % jitter_ms, list));
    }
    let (mut gaps, _, _) = drive(&packets);
    gaps.remove(0);
    gaps
}

#[test]
fn a_strap_that_sends_milliseconds_loses_no_beats() {
    for rr_ms in (330..1900).step_by(37) {
        for (period_ms, jitter_ms) in [(1000, 60), (1000, 250), (2000, 60), (rr_ms, 60)] {
            let gaps = false_gaps(rr_ms, period_ms, jitter_ms, 15);
            assert!(gaps.is_empty(), "RR {rr_ms} ms, packets each {period_ms} ms ± {jitter_ms}: {gaps:?}");
        }
    }
}

#[test]
fn other_units_cost_no_beat_and_no_time() {
    let mut t = Timeline::new();
    let read = |r: RrTicks| RrTicks((u32::from(r.0) * 128 / 125) as u16);
    let mut beats: Vec<Beat> = vec![];
    for i in 1..=100u64 {
        beats.extend(t.push(at(i * 875), &[RrTicks(875)]).beats);
    }
    // one packet is late when the units become known, and held: it is read anew too
    assert!(t.push(at(101 * 875 + 4000), &[RrTicks(875)]).beats.is_empty());
    t.change_units(read);
    let owed = t.push(at(101 * 875 + 4001), &[RrTicks(896); 5]);
    assert_eq!((owed.gap, owed.beats.len(), owed.beats[0].rr), (Some(GapReason::Units), 6, RrTicks(896)));
    assert!(owed.beats[0].start().diff_micros(beats[99].at).abs() < 50_000, "time goes on");
    let mut last = None;
    for i in 107..170u64 {
        let next = t.push(at(i * 875), &[RrTicks(896)]);
        assert_eq!((next.gap, next.beats.len()), (None, 1));
        last = next.beats.last().map(|b| b.at.diff_micros(at(i * 875)).abs());
    }
    assert!(last.unwrap() < 50_000, "beats lie where they are: {last:?}");
    // without a beat before there is nothing to keep apart
    let mut t = Timeline::new();
    t.change_units(read);
    assert_eq!(t.push(at(1000), &[RrTicks(900)]), Placed::default());
    assert_eq!(t.expire(at(2500)).gap, Some(GapReason::LinkUp));
}

/// That units change misses no beat. What happens before the next one does, and is the reason that is told.
#[test]
fn beats_missing_where_units_change_are_told_as_missing() {
    let beating = |n: u64| {
        let mut t = Timeline::new();
        (1..=n).for_each(|i| drop(t.push(at(i * 1000), &[RrTicks(1000)])));
        t.change_units(|_| RrTicks(1024));
        t
    };
    let mut t = beating(60);
    assert_eq!(t.push(at(66_000), &[RrTicks(1024)]), Placed::default());
    assert_eq!(t.expire(at(67_500)).gap, Some(GapReason::LostBeats));

    let mut t = beating(60);
    assert_eq!(t.packet(at(61_000), &[RrTicks(1024)], &[0])[1].gap, Some(GapReason::Defect));

    // the first beats of a link wait for the next ones, whatever was there before
    let mut t = beating(60);
    assert_eq!(t.break_off(GapReason::LinkUp), Placed::default());
    assert_eq!(t.push(at(70_000), &[RrTicks(1024)]), Placed::default());
    assert_eq!(t.push(at(71_000), &[RrTicks(1024)]).gap, Some(GapReason::LinkUp));
    let mut t = beating(60);
    assert_eq!(t.packet(at(61_000), &[RrTicks(1024)], &[1])[1].gap, None);
    assert_eq!(t.break_off(GapReason::LinkUp), Placed::default());
    assert_eq!(t.push(at(70_000), &[RrTicks(1024)]), Placed::default());
}

#[test]
fn intervals_that_wait_are_as_long_as_their_new_units_say() {
    let mut t = Timeline::new();
    for i in 0..4 {
        assert_eq!(t.push(at(1000 + i * 10), &[RrTicks(1000); 3]), Placed::default());
    }
    t.change_units(|_| RrTicks(1024));
    let placed = t.expire(at(2530));
    let first = placed.beats.first().map(|b| at(1030).diff_micros(b.start()));
    let last = placed.beats.last().map(|b| at(1030).diff_micros(b.at));
    assert_eq!((placed.beats.len(), first, last), (12, Some(12_000_000), Some(0)), "the last one ends when it came");
}

/// A strap that kept its beats while the link was down sends them at once when it is up again. They fill the gap as far
/// as they fit; none lies in the future, none of before is placed twice.
#[test]
fn what_a_strap_kept_while_the_link_was_down_fills_the_gap() {
    for (away, kept) in [(30, 30), (30, 10), (30, 60), (600, 40), (5, 40)] {
        let mut t = Timeline::new();
        let mut beats = vec![];
        for i in 1..=100 {
            beats.extend(t.push(at(i * 1000), &rr(&[1024])).beats);
        }
        beats.extend(t.break_off(GapReason::LinkUp).beats);
        assert_eq!(beats.len(), 100);
        let up = 100_000 + away * 1000;
        // five a packet, 20 ms apart, then one a second
        let (mut placed, mut first) = (Placed::default(), up);
        let mut take = |p: Placed| {
            placed.old += p.old;
            placed.surplus.ticks += p.surplus.ticks;
            placed.gap = placed.gap.or(p.gap);
            beats.extend(p.beats);
        };
        for i in 0..kept / 5 {
            first += 20;
            let different = 1020 + (i % 3) as u16 * 4;
            take(t.push(at(first), &rr(&[1024, 1024, different, 1024, 1024])));
        }
        for i in 1..=60 {
            let now = up + i * 1000;
            if let Some(due) = t.poll_timeout().filter(|d| *d <= at(now)) {
                take(t.expire(due));
            }
            take(t.push(at(now), &rr(&[1024])));
        }
        let fits = kept.min(away);
        let (got, want) = (beats.len() as u64 - 100, fits + 60);
        assert!(got.abs_diff(want) <= 1, "{away} s away, {kept} kept: {got} placed, {want} expected");
        assert_eq!((u64::from(placed.old) + got, placed.surplus.ticks), (kept + 60, 0), "{away} s away, {kept} kept");
        assert_eq!(placed.gap, Some(GapReason::LinkUp));
        let last = beats.last().unwrap().at.diff_micros(at(up + 60_000));
        assert!((-100_000..=1000).contains(&last), "{last}");
        assert!(beats.windows(2).all(|w| w[1].at > w[0].at));
        assert!(beats.windows(2).all(|w| w[1].start().diff_micros(w[0].at) > -500_000));
    }
}

/// A strap that sends more than time passes: what has no time is left out, whatever the excess, and time goes on.
#[test]
fn beats_never_run_ahead_of_the_clock() {
    for extra in [2, 3, 4, 5, 10, 20] {
        let mut packets = steady(900);
        for (_, list) in packets.iter_mut().skip(extra).step_by(extra) {
            list.push(list[0]);
        }
        let (_, beats, dup) = drive(&packets);
        let room = beats.len() as f64 / 900.0;
        assert!(dup == 0 && (0.97..1.05).contains(&room), "each {extra}th twice: {room}");
        let late = beats.last().unwrap().at.diff_micros(at(packets[899].0));
        assert!(late <= AHEAD_US + 100_000, "each {extra}th twice: {late} µs ahead");
    }
}

/// Whatever arrives: no beat lies further after its arrival than that, and time ascends.
fn check_times(t: &mut Timeline, packets: &[(u64, Vec<RrTicks>, u8)]) -> Result<(), TestCaseError> {
    let (mut last, mut placed) = (None, 0u64);
    let mut check = |p: &Placed, now: Mono, sent: u64| {
        let packet: u64 = p.beats.iter().map(|b| b.rr.as_micros()).sum();
        for b in &p.beats {
            prop_assert!(last.is_none_or(|l| b.at > l), "{b:?} after {last:?}");
            prop_assert!(b.at.diff_micros(now) <= AHEAD_US + packet as i64 / 20, "{b:?} at {now:?}");
            last = Some(b.at);
        }
        placed += p.beats.iter().map(|b| u64::from(b.rr.0)).sum::<u64>() + u64::from(p.surplus.ticks);
        prop_assert!(placed <= sent, "nothing is made up");
        Ok(())
    };
    let mut sent = 0;
    for (ms, list, what) in packets {
        if let Some(due) = t.poll_timeout().filter(|d| *d <= at(*ms)) {
            check(&t.expire(due), due, sent)?;
        }
        match what {
            0 => check(&t.break_off(GapReason::LinkUp), at(*ms), sent)?,
            1 => check(&t.break_off(GapReason::Defect), at(*ms), sent)?,
            _ => {}
        }
        sent += sum(list);
        check(&t.push(at(*ms), list), at(*ms), sent)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_interval_is_placed_once_and_time_ascends(
        packets in proptest::collection::vec((0u64..5000, proptest::collection::vec(1u16..u16::MAX, 0..6)), 1..80)
    ) {
        let mut ms = 0;
        let list: Vec<_> = packets.into_iter().map(|(d, rr)| { ms += d; (ms, rr) }).collect();
        let sent: usize = list.iter().map(|p| p.1.len()).sum();
        let (_, beats, dup) = drive(&list);
        prop_assert!(beats.len() <= sent - dup);
        prop_assert!(beats.windows(2).all(|w| w[1].at > w[0].at));
    }

    #[test]
    fn no_beat_lies_after_its_arrival(
        packets in proptest::collection::vec((0u64..3000, proptest::collection::vec(1u16..3000, 0..9), 0u8..12), 1..150)
    ) {
        let mut ms = 0;
        let list: Vec<_> =
            packets.into_iter().map(|(d, rr, what)| { ms += d; (ms, super::tests::rr(&rr), what) }).collect();
        check_times(&mut Timeline::new(), &list)?;
    }
}
