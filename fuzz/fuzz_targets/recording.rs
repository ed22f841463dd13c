//! Any text is a recording or an error with a line; what decodes encodes to the same records.
#![no_main]

use hrvd::recording::{chunk, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = chunk::decode(bytes);
    let Ok(content) = std::str::from_utf8(bytes) else { return };
    if let Ok(decoded) = text::decode(content) {
        let again = text::decode(&text::encode(&decoded.records)).expect("what we wrote");
        assert_eq!(again.records, decoded.records);
    }
});
