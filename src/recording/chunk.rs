//! Packets of one strap as a compact blob with a checksum: about seven bytes a beat.
//!
//! Layout, version 1: CRC-32 of the rest (little endian), count, first order number, first time; then per packet the
//! zigzag change of the time step, doubled, plus one if order step and length follow (else: next number, same length),
//! and the bytes. Numbers are LEB128. The time step changes little at a steady notification rate, hence its change.

use super::crc32::crc32;
use super::varint::{put, take, take_u64, unzigzag, zigzag};
use crate::engine::PacketBytes;
use crate::units::Mono;

/// Number of this layout, kept beside each blob.
pub const CODEC: u8 = 1;

/// One packet and its place among all records of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Order number: records of the same microsecond keep their order by it.
    pub ord: u64,
    /// When it arrived.
    pub at: Mono,
    /// Untouched bytes.
    pub bytes: PacketBytes,
}

/// Why a blob cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The checksum does not match: the bytes changed since they were written.
    #[error("checksum mismatch in a packet chunk")]
    Checksum,
    /// It ends too early, says something impossible or has bytes left over.
    #[error("malformed packet chunk")]
    Malformed,
}

/// Encodes packets in the order given.
pub fn encode(packets: &[Packet]) -> Vec<u8> {
    let mut out = vec![0; 4];
    put(&mut out, packets.len() as u128);
    if let Some(first) = packets.first() {
        put(&mut out, first.ord.into());
        put(&mut out, first.at.as_micros().into());
        let (mut ord, mut at, mut step, mut len) = (first.ord.wrapping_sub(1), first.at.as_micros(), 0i64, 0);
        for p in packets {
            let new_step = p.at.as_micros().wrapping_sub(at) as i64;
            let follows = p.ord == ord.wrapping_add(1) && p.bytes.len() == len;
            put(&mut out, u128::from(zigzag(new_step.wrapping_sub(step))) << 1 | u128::from(!follows));
            if !follows {
                put(&mut out, p.ord.wrapping_sub(ord).into());
                put(&mut out, p.bytes.len() as u128);
            }
            out.extend_from_slice(&p.bytes);
            (ord, at, step, len) = (p.ord, p.at.as_micros(), new_step, p.bytes.len());
        }
    }
    let crc = crc32(&out[4..]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Decodes a blob; all of it or nothing.
pub fn decode(blob: &[u8]) -> Result<Vec<Packet>, ChunkError> {
    let (crc, rest) = blob.split_first_chunk::<4>().ok_or(ChunkError::Malformed)?;
    if crc32(rest) != u32::from_le_bytes(*crc) {
        return Err(ChunkError::Checksum);
    }
    body(rest).ok_or(ChunkError::Malformed)
}

fn body(mut rest: &[u8]) -> Option<Vec<Packet>> {
    let rest = &mut rest;
    let n = usize::try_from(take(rest)?).ok()?;
    if n > rest.len() {
        return None; // a packet takes a byte at least; do not reserve what cannot be there
    }
    let mut out = Vec::with_capacity(n);
    if n > 0 {
        let (mut ord, mut at, mut step, mut len) = (take_u64(rest)?.wrapping_sub(1), take_u64(rest)?, 0i64, 0);
        for _ in 0..n {
            let head = take(rest)?;
            step = step.wrapping_add(unzigzag(u64::try_from(head >> 1).ok()?));
            at = at.wrapping_add_signed(step);
            if head & 1 == 1 {
                ord = ord.wrapping_add(take_u64(rest)?);
                len = usize::try_from(take(rest)?).ok()?;
            } else {
                ord = ord.wrapping_add(1);
            }
            let (bytes, tail) = rest.split_at_checked(len)?;
            *rest = tail;
            out.push(Packet { ord, at: Mono::from_micros(at), bytes: PacketBytes::from_slice(bytes) });
        }
    }
    rest.is_empty().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::arbitrary::bytes;
    use proptest::prelude::*;

    fn packet() -> impl Strategy<Value = Packet> {
        (any::<u64>(), any::<u64>(), bytes()).prop_map(|(ord, at, bytes)| Packet {
            ord,
            at: Mono::from_micros(at),
            bytes,
        })
    }

    proptest! {
        #[test]
        fn round_trip(packets in proptest::collection::vec(packet(), 0..50)) {
            prop_assert_eq!(decode(&encode(&packets)), Ok(packets));
        }

        #[test]
        fn a_changed_byte_is_an_error(
            packets in proptest::collection::vec(packet(), 0..20), at in any::<proptest::sample::Index>(), flip in 1u8..,
        ) {
            let mut blob = encode(&packets);
            let i = at.index(blob.len());
            blob[i] ^= flip;
            prop_assert!(decode(&blob).is_err());
        }

        #[test]
        fn a_cut_blob_is_an_error(packets in proptest::collection::vec(packet(), 0..20), at in any::<proptest::sample::Index>()) {
            let blob = encode(&packets);
            prop_assert!(decode(&blob[..at.index(blob.len())]).is_err());
        }

        // a right checksum over nonsense must not panic or reserve without bound
        #[test]
        fn any_body_with_a_right_checksum(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut blob = crc32(&body).to_le_bytes().to_vec();
            blob.extend_from_slice(&body);
            if let Ok(packets) = decode(&blob) {
                prop_assert!(packets.len() <= body.len());
            }
        }
    }

    #[test]
    fn a_steady_strap_takes_seven_bytes_a_packet() {
        let packets: Vec<_> = (0..900u64)
            .map(|i| Packet {
                ord: i,
                at: Mono::from_micros(1_000_000 * i + i * 7919 % 60_000),
                bytes: PacketBytes::from_slice(&[0x10, 60, 0, 4]),
            })
            .collect();
        let size = encode(&packets).len();
        assert!(size <= 900 * 7 + 20, "{size}");
    }
}
