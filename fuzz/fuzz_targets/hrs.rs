//! Any bytes decode; what decodes without defect encodes to the same meaning.
#![no_main]

use hrvd::hrs::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (m, defect) = decode(bytes);
    assert!(m.rr.len() * 2 <= bytes.len());
    if defect.is_none() {
        assert_eq!(decode(&encode(&m)), (m, None));
    }
});
