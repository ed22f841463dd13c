//! What a finished recording proves about a strap's intervals. Whoever places its beats knows it from the first one on;
//! live it is known after minutes.

use super::{Judge, Source, Units, Verdict};
use crate::engine::{Record, RecordKind};
use crate::hrs;
use crate::timeline::{GapReason, Timeline};
use crate::units::{Mono, StrapId};

/// Judges one strap over all records: what holds for the next session too.
pub fn source_of(records: &[Record], of: StrapId) -> Source {
    verdict_of(records, of).source()
}

/// Judges one strap over all records, at the last of them.
pub fn verdict_of(records: &[Record], of: StrapId) -> Verdict {
    let (mut judge, mut timeline) = (Judge::new(), Timeline::new());
    for record in records {
        match &record.kind {
            RecordKind::Packet { strap, bytes } if *strap == of => {
                if let Some(due) = timeline.poll_timeout().filter(|t| *t <= record.at) {
                    judge.placed(&timeline.expire(due));
                }
                let (m, defect) = hrs::decode(bytes);
                let breaks = hrs::breaks(bytes);
                let placed = timeline.packet(record.at, &judge.read(Units::Unknown, &m, &breaks), &breaks);
                judge.packets(record.at, &m, defect, &placed);
            }
            RecordKind::Link { strap, up } if *strap == of => {
                if !up {
                    judge.placed(&timeline.break_off(GapReason::LinkUp));
                }
                judge.link(record.at, *up);
            }
            _ => {}
        }
    }
    judge.verdict(records.last().map_or(Mono::default(), |r| r.at))
}
