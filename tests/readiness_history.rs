//! Two real histories, day by day. A change here is a change that people would notice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use hrvd::readiness::{Day, Model, V1, V2, assess};
use jiff::civil::Date;
use std::fmt::Write as _;
use std::path::Path;

/// Date, lnRMSSD, heart rate.
fn history(name: &str) -> Vec<(Date, f64, f64)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let f: Vec<&str> = line.split(',').collect();
        (f[0].parse().unwrap(), f[3].parse().unwrap(), f[4].parse().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

/// One line a measured day.
fn told(name: &str, model: &Model) -> String {
    let all = history(name);
    let mut out = String::new();
    let mut counts = [0; 5];
    for (today, ..) in &all {
        let (mut ln_rmssd, mut rhr) = (vec![None; 61], vec![None; 61]);
        for (date, ln, hr) in all.iter().filter(|(d, ..)| d <= today) {
            if let Some(i) = 60usize.checked_sub((*today - *date).get_days() as usize) {
                (ln_rmssd[i], rhr[i]) = (Some(*ln), Some(*hr));
            }
        }
        let v = assess(&Day { ln_rmssd, rhr, ..Day::default() }, model);
        counts[v.level as usize] += 1;
        let flags: Vec<String> = v.flags.iter().map(|f| format!("{} {:.3}", f.id, f.value)).collect();
        let z = v.z_today.map_or("-".into(), |z| format!("{z:+.2}"));
        writeln!(out, "{today} {:<8} n={} z={z} {}", v.level, v.n_base, flags.join(", ")).unwrap();
    }
    format!("GO, CAUTION, EASY, REST, UNKNOWN: {counts:?}\n{out}")
}

#[test]
fn history_295ed96279() {
    insta::assert_snapshot!("history_295ed96279_v1", told("history_295ed96279.csv", &V1));
    insta::assert_snapshot!("history_295ed96279_v2", told("history_295ed96279.csv", &V2));
}

#[test]
fn history_a1c2e6b2eb() {
    insta::assert_snapshot!("history_a1c2e6b2eb_v1", told("history_a1c2e6b2eb.csv", &V1));
    insta::assert_snapshot!("history_a1c2e6b2eb_v2", told("history_a1c2e6b2eb.csv", &V2));
}
