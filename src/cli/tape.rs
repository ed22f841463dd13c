//! Beats of a raw recording, for commands that work on files.

use crate::analyze::Series;
use crate::engine::{Record, RecordKind};
use crate::hrs;
use crate::recording::text;
use crate::timeline::{Beat, GapReason, Placed, Timeline};
use crate::units::StrapId;
use crate::verdict::{Judge, Units, Verdict, source_of, verdict_of};
use std::collections::BTreeMap;

/// Beats without a gap inside, and why they do not follow the beats before.
pub(super) type Segment = (Option<GapReason>, Vec<Beat>);

/// Places the beats of one strap as the engine does that knows its units: those that the whole recording proves.
pub(super) fn segments(records: &[Record], of: StrapId) -> Vec<Segment> {
    let mut segments: Vec<Segment> = vec![];
    let source = source_of(records, of);
    let (mut judge, mut timeline) = (Judge::new(), Timeline::new());
    judge.remember(source);
    timeline.know_units(source.units != Units::Unknown);
    let mut take = |p: Placed| {
        if p.beats.is_empty() {
            return;
        }
        match segments.last_mut().filter(|_| p.gap.is_none()) {
            Some((_, beats)) => beats.extend(p.beats),
            None => segments.push((p.gap, p.beats.into_vec())),
        }
    };
    for record in records {
        if let Some(due) = timeline.poll_timeout().filter(|t| *t <= record.at) {
            let owed = timeline.expire(due);
            judge.placed(&owed);
            take(owed);
        }
        match &record.kind {
            RecordKind::Packet { strap, bytes } if *strap == of => {
                let ((m, defect), breaks) = (hrs::decode(bytes), hrs::breaks(bytes));
                let placed = timeline.packet(record.at, &judge.read(source.units, &m, &breaks), &breaks);
                judge.packets(record.at, &m, defect, &placed);
                placed.into_iter().for_each(&mut take);
            }
            RecordKind::Link { strap, up } if *strap == of => {
                if !up {
                    take(timeline.break_off(GapReason::LinkUp));
                }
                judge.link(record.at, *up);
            }
            _ => {}
        }
    }
    take(timeline.break_off(GapReason::LinkUp));
    segments
}

/// The strap that says most in a recording.
fn loudest(records: &[Record]) -> Option<StrapId> {
    let mut packets: BTreeMap<StrapId, usize> = BTreeMap::new();
    for r in records {
        if let RecordKind::Packet { strap, .. } = r.kind {
            *packets.entry(strap).or_default() += 1;
        }
    }
    packets.into_iter().max_by_key(|(_, n)| *n).map(|(strap, _)| strap)
}

/// A recording's text as a series of intervals, and what its strap's signal is worth.
pub(super) fn series(content: &str) -> Result<(Series, Verdict), String> {
    let records = text::decode(content).map_err(|e| e.to_string())?.records;
    let strap = loudest(&records).ok_or("holds no packets")?;
    let beats = segments(&records, strap);
    let series = Series::from_beats(
        beats.into_iter().flat_map(|(_, beats)| beats.into_iter().enumerate().map(|(i, beat)| (beat, i == 0))),
    );
    Ok((series, verdict_of(&records, strap)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Mono, RrTicks};

    #[test]
    fn intervals_that_a_strap_invents_are_left_out_as_in_the_engine() {
        use crate::sim::{Profile, ProfileStrap, Rhythm, RhythmConfig, SimEvent};
        let strap = StrapId([1; 6]);
        let profile = Profile::by_id("garmin_extra_rr").unwrap();
        let records: Vec<Record> = ProfileStrap::new(profile, Rhythm::new(RhythmConfig::default()), 1)
            .take_while(|e| e.at().as_secs() < 300)
            .filter_map(|e| match e {
                SimEvent::Notification { at, bytes, .. } => {
                    Some(Record { at: Mono::from_secs(100) + at, kind: RecordKind::Packet { strap, bytes } })
                }
                _ => None,
            })
            .collect();
        let invented = |rr: RrTicks| rr.0 < 256;
        let sent: usize = records
            .iter()
            .map(|r| match &r.kind {
                RecordKind::Packet { bytes, .. } => {
                    hrs::decode(bytes).0.rr.into_iter().filter(|r| invented(*r)).count()
                }
                _ => 0,
            })
            .sum();
        let placed: Vec<Beat> = segments(&records, strap).into_iter().flat_map(|s| s.1).collect();
        let kept = placed.iter().filter(|b| invented(b.rr)).count();
        // three among 64 prove it
        assert!(sent > 40 && kept <= 4, "{kept} of {sent}");
    }

    #[test]
    fn a_defect_breaks_the_segment_as_it_does_in_the_engine() {
        let strap = StrapId([1; 6]);
        let packet = |s, bytes: &[u8]| Record {
            at: Mono::from_secs(s),
            kind: RecordKind::Packet { strap, bytes: bytes.into() },
        };
        let whole = &[0x10, 60, 0, 4][..];
        let records = [packet(1, whole), packet(2, whole), packet(3, &[0x10, 60, 0, 4, 9]), packet(4, whole)];
        let found: Vec<_> = segments(&records, strap).into_iter().map(|(gap, beats)| (gap, beats.len())).collect();
        assert_eq!(found, [(Some(GapReason::LinkUp), 3), (Some(GapReason::Defect), 1)]);
    }
}
