//! Records of all straps as one journal payload, and their split by strap for the database.

use crate::engine::{Command, Record, RecordKind};
use crate::recording::chunk::{self, Packet};
use crate::recording::text;
use crate::recording::varint::{put, take, take_u64};
use crate::units::StrapId;

/// A record and its order number.
pub(super) type Numbered = (u64, Record);

/// In the order in which they came.
pub(super) fn in_order(records: &mut [Numbered]) {
    records.sort_by_key(|(ord, _)| *ord);
}

/// Records split by what holds them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    /// Packets by strap, straps in order of appearance.
    pub(super) straps: Vec<(StrapId, Vec<Packet>)>,
    /// Everything else.
    pub(super) events: Vec<Numbered>,
}

impl Batch {
    /// Splits numbered records.
    pub(super) fn split<'a>(records: impl IntoIterator<Item = (u64, &'a Record)>) -> Self {
        let mut out = Self::default();
        for (ord, record) in records {
            let RecordKind::Packet { strap, bytes } = &record.kind else {
                out.events.push((ord, record.clone()));
                continue;
            };
            let packet = Packet { ord, at: record.at, bytes: bytes.clone() };
            match out.straps.iter_mut().find(|(s, _)| s == strap) {
                Some((_, packets)) => packets.push(packet),
                None => out.straps.push((*strap, vec![packet])),
            }
        }
        out
    }

    /// Puts the records back in order.
    pub(super) fn join(self) -> Vec<Numbered> {
        let mut out = self.events;
        for (strap, packets) in self.straps {
            out.extend(packets.into_iter().map(|p| packet_record(strap, p)));
        }
        in_order(&mut out);
        out
    }

    /// Encodes for the journal; [`decode`] is the inverse.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.straps.len() as u128);
        for (strap, packets) in &self.straps {
            out.extend_from_slice(&strap.0);
            let blob = chunk::encode(packets);
            put(&mut out, blob.len() as u128);
            out.extend_from_slice(&blob);
        }
        put(&mut out, self.events.len() as u128);
        for (ord, record) in &self.events {
            let line = text::line(record);
            put(&mut out, (*ord).into());
            put(&mut out, line.len() as u128);
            out.extend_from_slice(line.as_bytes());
        }
        out
    }
}

/// Decodes a journal payload; `None` if it is damaged.
pub(super) fn decode(mut rest: &[u8]) -> Option<Batch> {
    let rest = &mut rest;
    let mut out = Batch::default();
    for _ in 0..take(rest)? {
        let (address, tail) = rest.split_first_chunk::<6>()?;
        *rest = tail;
        out.straps.push((StrapId(*address), chunk::decode(take_bytes(rest)?).ok()?));
    }
    for _ in 0..take(rest)? {
        let ord = take_u64(rest)?;
        let line = std::str::from_utf8(take_bytes(rest)?).ok()?;
        out.events.push((ord, text::record(line).ok()??));
    }
    rest.is_empty().then_some(out)
}

/// Takes a length and then that many bytes.
fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take(rest)?).ok()?;
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

/// A stored packet as a record again.
pub(super) fn packet_record(strap: StrapId, p: Packet) -> Numbered {
    (p.ord, Record { at: p.at, kind: RecordKind::Packet { strap, bytes: p.bytes } })
}

/// Columns of the event log, for tools that do not read lines.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) kind: &'static str,
    pub(super) strap: Option<String>,
    pub(super) athlete: Option<String>,
    pub(super) wall_us: Option<i64>,
}

/// The columns of an event; `None` for packets, which are kept in chunks.
pub(super) fn columns(record: &Record) -> Option<Columns> {
    let none = Columns::default();
    Some(match &record.kind {
        RecordKind::Packet { .. } => return None,
        RecordKind::Link { strap, .. } => Columns { kind: "link", strap: Some(strap.to_string()), ..none },
        RecordKind::Command(Command::StartCheck { athlete, .. } | Command::CancelCheck { athlete }) => {
            Columns { kind: "command", athlete: Some(athlete.to_string()), ..none }
        }
        RecordKind::Anchor { wall } => Columns { kind: "clock", wall_us: Some(wall.as_microsecond()), ..none },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::arbitrary::records;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(records in records(), first in 0u64..1 << 40) {
            let numbered: Vec<Numbered> = records.into_iter().enumerate().map(|(i, r)| (first + i as u64, r)).collect();
            let batch = Batch::split(numbered.iter().map(|(o, r)| (*o, r)));
            let back = decode(&batch.encode());
            prop_assert_eq!(back.as_ref(), Some(&batch));
            prop_assert_eq!(back.unwrap().join(), numbered);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }
}
