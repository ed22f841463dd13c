//! Counted back-off.

use crate::units::StrapId;
use std::time::Duration;

/// Longest wait between two attempts, before jitter.
pub const LONGEST: Duration = Duration::from_secs(60);

/// How long to wait after the `failures`-th failure in a row: 1, 2, 4 ... 60 s, plus up to a quarter, so that several
/// straps do not march in step. Deterministic: the same strap and count always wait alike.
pub fn delay(strap: StrapId, failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let base = Duration::from_secs(1u64 << (failures - 1).min(6)).min(LONGEST);
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ u64::from(failures);
    for byte in strap.0 {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    base + base / 4 * ((hash >> 32) % 1000) as u32 / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_a_minute_and_no_further() {
        let strap = StrapId([1, 2, 3, 4, 5, 6]);
        assert_eq!(delay(strap, 0), Duration::ZERO);
        let mut last = Duration::ZERO;
        for n in 1..=7 {
            let d = delay(strap, n);
            assert!(d > last, "{n}: {d:?} after {last:?}");
            last = d;
        }
        for n in [8, 100, u32::MAX] {
            let d = delay(strap, n);
            assert!(d >= LONGEST && d <= LONGEST * 5 / 4, "{n}: {d:?}");
        }
    }

    #[test]
    fn straps_do_not_march_in_step() {
        let a = delay(StrapId([0, 0, 0, 0, 0, 1]), 6);
        let b = delay(StrapId([0, 0, 0, 0, 0, 2]), 6);
        assert_ne!(a, b);
    }
}
