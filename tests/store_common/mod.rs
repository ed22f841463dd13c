//! Makers of records and results for the store tests.
#![allow(dead_code)]

use hrvd::check::{CheckId, CheckResult, Grade, Posture, Values};
use hrvd::engine::{Athlete, PacketBytes, Record, RecordKind, Strap, Trigger};
use hrvd::publication::Publication;
use hrvd::store::OpenOptions;
use hrvd::units::{Mono, StrapId};
use std::path::{Path, PathBuf};

pub(crate) fn db(dir: &Path) -> PathBuf {
    dir.join("hrvd.db")
}

pub(crate) fn journal(dir: &Path) -> PathBuf {
    dir.join("hrvd.db.journal-raw")
}

pub(crate) fn athlete(slug: &str) -> Athlete {
    Athlete {
        id: slug.parse().unwrap(),
        name: slug.to_uppercase(),
        time_zone: jiff::tz::TimeZone::get("Europe/Berlin").expect("the tests need the system's time zone database"),
        posture: Posture::Supine,
        wake_window: None,
    }
}

pub(crate) fn options(dir: &Path) -> OpenOptions {
    OpenOptions { athletes: vec![athlete("alex")], ..OpenOptions::new(db(dir), "boot-1") }
}

pub(crate) fn strap(n: u8) -> StrapId {
    StrapId([0xa0, 0x9e, 0x1a, 0x9f, 0x6e, n])
}

pub(crate) fn adopted(n: u8) -> Strap {
    Strap { id: strap(n), athlete: athlete("alex").id, name: None }
}

/// A packet at second `s`, its interval tells the second.
pub(crate) fn packet(n: u8, s: u64) -> Record {
    let [lo, hi] = (s as u16).to_le_bytes();
    let bytes = PacketBytes::from_slice(&[0x10, 60, lo, hi]);
    Record { at: Mono::from_secs(s), kind: RecordKind::Packet { strap: strap(n), bytes } }
}

pub(crate) fn link(n: u8, s: u64, up: bool) -> Record {
    Record { at: Mono::from_secs(s), kind: RecordKind::Link { strap: strap(n), up } }
}

pub(crate) fn strap_of(record: &Record) -> Option<StrapId> {
    match record.kind {
        RecordKind::Packet { strap, .. } | RecordKind::Link { strap, .. } => Some(strap),
        _ => None,
    }
}

pub(crate) fn wall(s: i64) -> Option<jiff::Timestamp> {
    Some(jiff::Timestamp::from_second(1_790_000_000 + s).unwrap())
}

pub(crate) fn result(n: u64, wall: Option<jiff::Timestamp>) -> CheckResult {
    CheckResult {
        id: CheckId(format!("boot-1-alex-{n}")),
        athlete: "alex".parse().unwrap(),
        strap: strap(1),
        trigger: Trigger::StrapOn,
        posture: Posture::Supine,
        start: Mono::from_secs(100 * n),
        wall,
        local_date: wall.map(|w| jiff::tz::TimeZone::UTC.to_datetime(w).date()),
        settle_s: 60.0,
        length_s: 120.25,
        grade: Grade::Good,
        values: Some(Values {
            rmssd_ms: 42.125 + n as f64 / 3.0,
            ln_rmssd: 3.74,
            mean_hr_bpm: 55.1,
            mean_rr_ms: 1088.9,
            sdnn_ms: 61.0,
            pnn50_pct: 18.2,
            ln_rmssd_rr_ratio: 3.43,
        }),
        why: None,
        n: 110,
        pairs: 108,
        artifact_pct: 0.9,
        coverage: 0.999,
        gap_s: 0.0,
        clean_s: 119.0,
        notes: vec![],
        algo_version: 1,
    }
}

pub(crate) fn message(topic: &str, payload: &str) -> Publication {
    Publication { topic: topic.to_owned(), payload: payload.as_bytes().to_vec(), retain: true, qos: 1 }
}
