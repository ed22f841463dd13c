//! Unsigned LEB128: seven bits a byte, low bits first.

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, mut n: u128) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Takes a number off the front; `None` if the bytes end inside it or it does not fit.
pub(crate) fn take(rest: &mut &[u8]) -> Option<u128> {
    let mut n = 0u128;
    let mut shift = 0;
    loop {
        let (&b, tail) = rest.split_first()?;
        *rest = tail;
        let bits = u128::from(b & 0x7f);
        if shift > 126 || (shift == 126 && bits > 3) {
            return None;
        }
        n |= bits << shift;
        if b & 0x80 == 0 {
            return Some(n);
        }
        shift += 7;
    }
}

/// Takes a number that fits 64 bits.
pub(crate) fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest)?.try_into().ok()
}

/// Signed to unsigned, small magnitudes first.
pub(crate) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(n in any::<u128>(), s in any::<i64>()) {
            let mut out = Vec::new();
            put(&mut out, n);
            let mut rest = out.as_slice();
            prop_assert_eq!(take(&mut rest), Some(n));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(unzigzag(zigzag(s)), s);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = take(&mut bytes.as_slice());
        }
    }
}
