//! Beats of a raw recording, for commands that work on files.

use crate::analyze::Series;
use crate::engine::{Record, RecordKind};
use crate::hrs;
use crate::recording::text;
use crate::timeline::{Beat, GapReason, Placed, Timeline};
use crate::units::{RrTicks, StrapId};
use crate::verdict::{Units, source_of};
use std::collections::BTreeMap;

/// Beats without a gap inside, and why they do not follow the beats before.
pub(super) type Segment = (Option<GapReason>, Vec<Beat>);

/// Places the beats of one strap as the engine does that knows its units: those that the whole recording proves.
pub(super) fn segments(records: &[Record], of: StrapId) -> Vec<Segment> {
    let mut segments: Vec<Segment> = vec![];
    let units = source_of(records, of).units;
    let mut timeline = Timeline::new();
    timeline.know_units(units != Units::Unknown);
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
            take(timeline.expire(due));
        }
        match &record.kind {
            RecordKind::Packet { strap, bytes } if *strap == of => {
                let rr: Vec<RrTicks> = hrs::decode(bytes).0.rr.iter().map(|rr| units.read(*rr)).collect();
                let placed = timeline.packet(record.at, &rr, &hrs::breaks(bytes));
                placed.into_iter().for_each(&mut take);
            }
            RecordKind::Link { strap, up: false } if *strap == of => take(timeline.break_off(GapReason::LinkUp)),
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

/// A recording's text as a series of intervals.
pub(super) fn series(content: &str) -> Result<Series, String> {
    let records = text::decode(content).map_err(|e| e.to_string())?.records;
    let strap = loudest(&records).ok_or("holds no packets")?;
    let beats = segments(&records, strap);
    Ok(Series::from_beats(
        beats.into_iter().flat_map(|(_, beats)| beats.into_iter().enumerate().map(|(i, beat)| (beat, i == 0))),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Mono;

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
