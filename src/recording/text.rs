//! The text format of a recording: one record a line, made to be read, mailed and cut with ordinary tools.
//!
//! ```text
//! #hrvd-recording 1
//! clock 1000000 2026-11-24T06:30:00Z
//! link 1200000 A0:9E:1A:9F:6E:53 up
//! packet 2200000 A0:9E:1A:9F:6E:53 103c0004
//! start 3000000 alex supine manual
//! cancel 4000000 alex
//! link 9000000 A0:9E:1A:9F:6E:53 down
//! ```
//!
//! The second word is the time since boot in µs and never falls. `-` stands for an empty packet and for the athlete's
//! own posture. Blank lines and lines that begin with `#` are remarks. A reader skips and counts unknown first words of
//! a newer minor version (`#hrvd-recording 1.3`) and refuses a newer major one.

use crate::engine::{Command, PacketBytes, Record, RecordKind, Trigger};
use crate::units::Mono;
use std::fmt::Write;
use std::str::FromStr;

const MAGIC: &str = "#hrvd-recording";
const MAJOR: u32 = 1;
const MINOR: u32 = 0;

/// The first line of every recording, without its line end.
pub const HEADER: &str = "#hrvd-recording 1";

/// A decoded recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// What happened, in order.
    pub records: Vec<Record>,
    /// Lines of kinds that this version does not know (only in files of a newer minor version).
    pub skipped: usize,
}

/// Why a text is no recording, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TextError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// The word of a trigger in recordings and the store.
pub(crate) fn trigger_word(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Manual => "manual",
        Trigger::StrapOn => "strap_on",
    }
}

/// The inverse of [`trigger_word`].
pub(crate) fn trigger(word: &str) -> Result<Trigger, String> {
    match word {
        "manual" => Ok(Trigger::Manual),
        "strap_on" => Ok(Trigger::StrapOn),
        _ => Err(format!("'{word}' is none of manual, strap_on")),
    }
}

/// Encodes records with the header.
pub fn encode<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    let mut out = String::from(HEADER);
    out.push('\n');
    for record in records {
        out.push_str(&line(record));
        out.push('\n');
    }
    out
}

/// Encodes one record as a line, without its end.
pub fn line(record: &Record) -> String {
    let us = record.at.as_micros();
    match &record.kind {
        RecordKind::Packet { strap, bytes } => {
            let mut out = format!("packet {us} {strap} ");
            for b in bytes {
                let _ = write!(out, "{b:02x}"); // writing to a String cannot fail
            }
            if bytes.is_empty() {
                out.push('-');
            }
            out
        }
        RecordKind::Link { strap, up } => format!("link {us} {strap} {}", if *up { "up" } else { "down" }),
        RecordKind::Command(Command::StartCheck { athlete, posture, trigger }) => {
            let posture = posture.map_or("-", |p| p.as_str());
            format!("start {us} {athlete} {posture} {}", trigger_word(*trigger))
        }
        RecordKind::Command(Command::CancelCheck { athlete }) => format!("cancel {us} {athlete}"),
        RecordKind::Anchor { wall } => format!("clock {us} {wall}"),
    }
}

/// Decodes a recording; the first wrong line is an error.
pub fn decode(text: &str) -> Result<Decoded, TextError> {
    let mut lines = text.lines().zip(1..);
    let (first, _) = lines.next().unwrap_or_default();
    let minor = version(first).map_err(|what| TextError { line: 1, what })?;
    let mut out = Decoded::default();
    let mut last = Mono::default();
    for (text, line) in lines {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        match record(text).map_err(|what| TextError { line, what })? {
            Some(record) if record.at < last => {
                let what = format!("time goes back from {} to {}", last.as_micros(), record.at.as_micros());
                return Err(TextError { line, what });
            }
            Some(record) => {
                last = record.at;
                out.records.push(record);
            }
            None if minor > MINOR => out.skipped += 1,
            None => {
                let word = text.split(' ').next().unwrap_or_default();
                let what = format!("'{word}' is none of packet, link, start, cancel, clock");
                return Err(TextError { line, what });
            }
        }
    }
    Ok(out)
}

fn version(first: &str) -> Result<u32, String> {
    let text = first.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(' '));
    let text = text.ok_or_else(|| format!("a recording begins with '{HEADER}'"))?.trim_end();
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let number = |s: &str| s.parse::<u32>().map_err(|_| format!("'{text}' is no version number"));
    match (number(major)?, number(minor)?) {
        (MAJOR, minor) => Ok(minor),
        (major, _) => Err(format!("this is a recording of version {major}; this program reads version {MAJOR}")),
    }
}

/// Decodes one line; `None` if its kind is unknown.
pub(crate) fn record(line: &str) -> Result<Option<Record>, String> {
    let mut words = line.split(' ');
    let kind = words.next().unwrap_or_default();
    if !matches!(kind, "packet" | "link" | "start" | "cancel" | "clock") {
        return Ok(None);
    }
    let mut word = |what: &'static str| words.next().ok_or_else(|| format!("{what} is missing"));
    let at = word("the time")?;
    let at = Mono::from_micros(parse(at, "a time in µs")?);
    let kind = match kind {
        "packet" => RecordKind::Packet { strap: strap(word("the address")?)?, bytes: hex(word("the packet")?)? },
        "link" => RecordKind::Link {
            strap: strap(word("the address")?)?,
            up: match word("up or down")? {
                "up" => true,
                "down" => false,
                other => return Err(format!("'{other}' is neither up nor down")),
            },
        },
        "start" => RecordKind::Command(Command::StartCheck {
            athlete: word("the athlete")?.parse().map_err(|e| format!("{e}"))?,
            posture: match word("the posture")? {
                "-" => None,
                posture => Some(posture.parse()?),
            },
            trigger: trigger(word("the trigger")?)?,
        }),
        "cancel" => RecordKind::Command(Command::CancelCheck {
            athlete: word("the athlete")?.parse().map_err(|e| format!("{e}"))?,
        }),
        _ => RecordKind::Anchor { wall: parse(word("the wall clock")?, "a time such as 2026-11-24T06:30:00Z")? },
    };
    match words.next() {
        None => Ok(Some(Record { at, kind })),
        Some(extra) => Err(format!("'{extra}' is one word too many")),
    }
}

fn parse<T: FromStr>(word: &str, what: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("'{word}' is not {what}"))
}

fn strap(word: &str) -> Result<crate::units::StrapId, String> {
    word.parse().map_err(|e| format!("{e}"))
}

fn hex(word: &str) -> Result<PacketBytes, String> {
    if word == "-" {
        return Ok(PacketBytes::new());
    }
    let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
    let pair = |p: &[u8]| match p {
        [a, b] => Some(digit(*a)? << 4 | digit(*b)?),
        _ => None,
    };
    let bytes: Option<PacketBytes> = word.as_bytes().chunks(2).map(pair).collect();
    bytes.filter(|b| !b.is_empty()).ok_or_else(|| format!("'{word}' is not pairs of hex digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::arbitrary::records;
    use proptest::prelude::*;

    const EXAMPLE: &str = "#hrvd-recording 1
clock 1000000 2026-11-24T06:30:00.25Z
link 1200000 A0:9E:1A:9F:6E:53 up
packet 2200000 A0:9E:1A:9F:6E:53 103c0004
packet 2200000 A0:9E:1A:9F:6E:53 103c0004
packet 2300000 A0:9E:1A:9F:6E:53 -
start 3000000 alex supine manual
start 3000001 alex - strap_on
cancel 4000000 alex
link 9000000 A0:9E:1A:9F:6E:53 down
";

    #[test]
    fn the_format_is_what_it_says() {
        let decoded = decode(EXAMPLE).unwrap();
        assert_eq!((decoded.records.len(), decoded.skipped), (9, 0));
        assert_eq!(decoded.records[2], decoded.records[3]); // equal neighbours stay two
        assert_eq!(encode(&decoded.records), EXAMPLE);
        assert_eq!(decode(&EXAMPLE.replace('\n', "\r\n")).unwrap(), decoded);
        assert_eq!(decode(&EXAMPLE.replace("link 9", "# remark\n\nlink 9")).unwrap(), decoded);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, part) in [
            ("", 1, "begins with"),
            ("hello", 1, "begins with"),
            ("#hrvd-recording 2\n", 1, "version 2"),
            ("#hrvd-recording x\n", 1, "no version"),
            ("#hrvd-recording 1\nclok 1 x", 2, "'clok' is none of"),
            ("#hrvd-recording 1\n\npacket", 3, "time is missing"),
            ("#hrvd-recording 1\npacket -1 A0:9E:1A:9F:6E:53 00", 2, "time in µs"),
            ("#hrvd-recording 1\npacket 1 A0:9E 00", 2, "Bluetooth address"),
            ("#hrvd-recording 1\npacket 1 A0:9E:1A:9F:6E:53 0", 2, "hex"),
            ("#hrvd-recording 1\npacket 1 A0:9E:1A:9F:6E:53 +1", 2, "hex"),
            ("#hrvd-recording 1\npacket 1 A0:9E:1A:9F:6E:53 é1", 2, "hex"),
            ("#hrvd-recording 1\npacket 1 A0:9E:1A:9F:6E:53", 2, "packet is missing"),
            ("#hrvd-recording 1\npacket 1 A0:9E:1A:9F:6E:53 00 00", 2, "too many"),
            ("#hrvd-recording 1\npacket  1 A0:9E:1A:9F:6E:53 00", 2, "time in µs"),
            ("#hrvd-recording 1\nlink 1 A0:9E:1A:9F:6E:53 maybe", 2, "neither"),
            ("#hrvd-recording 1\nstart 1 alex lying manual", 2, "none of supine"),
            ("#hrvd-recording 1\nstart 1 Alex - manual", 2, "short name"),
            ("#hrvd-recording 1\nstart 1 alex - magic", 2, "none of manual"),
            ("#hrvd-recording 1\nclock 1 yesterday", 2, "2026-11-24"),
            ("#hrvd-recording 1\ncancel 2 alex\ncancel 1 alex", 3, "goes back from 2 to 1"),
        ] {
            let e = decode(text).unwrap_err();
            assert_eq!(e.line, line, "{text}: {e}");
            assert!(e.what.contains(part), "{text}: {e}");
        }
    }

    #[test]
    fn a_newer_minor_version_may_hold_more() {
        let text = EXAMPLE.replace("recording 1", "recording 1.7") + "mood 9000001 fine\n";
        let decoded = decode(&text).unwrap();
        assert_eq!((decoded.records.len(), decoded.skipped), (9, 1));
        let wrong = text + "packet nonsense\n"; // a known kind is read strictly all the same
        assert_eq!(decode(&wrong).unwrap_err().line, 12);
    }

    proptest! {
        #[test]
        fn round_trip(records in records()) {
            prop_assert_eq!(decode(&encode(&records)), Ok(Decoded { records, skipped: 0 }));
        }

        #[test]
        fn any_text(text in "\\PC{0,80}", body in "[a-z0-9 .:\\-\n]{0,200}") {
            let _ = decode(&text);
            let _ = decode(&format!("{HEADER}\n{body}"));
        }
    }
}
