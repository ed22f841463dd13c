//! Recordings of the raw truth: a text format for people and bug reports, a compact chunk format for the store.
//!
//! Both hold what arrived, untouched and in order; equal neighbouring packets are kept as two.

pub mod chunk;
mod crc32;
pub mod text;
pub(crate) mod varint;

pub use crc32::crc32;

/// Strategies for property tests, shared by the codecs and the store.
#[cfg(test)]
pub(crate) mod arbitrary {
    use crate::check::Posture;
    use crate::engine::{Command, PacketBytes, Record, RecordKind, Trigger};
    use crate::units::{AthleteId, Mono, StrapId};
    use jiff::Timestamp;
    use proptest::prelude::*;

    pub(crate) fn bytes() -> impl Strategy<Value = PacketBytes> {
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(PacketBytes::from_vec)
    }

    pub(crate) fn strap() -> impl Strategy<Value = StrapId> {
        (0u8..3).prop_map(|n| StrapId([0xa0, 0x9e, 0x1a, 0x9f, 0x6e, n]))
    }

    fn athlete() -> impl Strategy<Value = AthleteId> {
        "[a-z0-9][a-z0-9_-]{0,31}".prop_map(|s| s.parse().unwrap())
    }

    fn command() -> impl Strategy<Value = Command> {
        let posture = proptest::option::of(proptest::sample::select(Posture::ALL));
        let trigger = proptest::sample::select(vec![Trigger::Manual, Trigger::StrapOn]);
        prop_oneof![
            (athlete(), posture, trigger).prop_map(|(athlete, posture, trigger)| Command::StartCheck {
                athlete,
                posture,
                trigger
            }),
            athlete().prop_map(|athlete| Command::CancelCheck { athlete }),
        ]
    }

    pub(crate) fn kind() -> impl Strategy<Value = RecordKind> {
        let wall = Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond();
        prop_oneof![
            6 => (strap(), bytes()).prop_map(|(strap, bytes)| RecordKind::Packet { strap, bytes }),
            1 => (strap(), any::<bool>()).prop_map(|(strap, up)| RecordKind::Link { strap, up }),
            1 => command().prop_map(RecordKind::Command),
            1 => wall.prop_map(|ns| RecordKind::Anchor { wall: Timestamp::from_nanosecond(ns).unwrap() }),
        ]
    }

    /// Records in the order of time; equal times occur.
    pub(crate) fn records() -> impl Strategy<Value = Vec<Record>> {
        let step = prop_oneof![Just(0u64), 1u64..2_000_000, 0u64..1 << 40];
        (0u64..1 << 50, proptest::collection::vec((step, kind()), 0..40)).prop_map(|(start, list)| {
            let mut us = start;
            let mut next = |(step, kind)| {
                us += step;
                Record { at: Mono::from_micros(us), kind }
            };
            list.into_iter().map(&mut next).collect()
        })
    }
}
