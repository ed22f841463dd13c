//! What is live of a strap whose signal carries no HRV: heart rate, and why there is nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim_common;

use hrvd::engine::*;
use hrvd::sim::Profile;
use hrvd::verdict::FindingId;
use sim_common::*;

const WORTHLESS: [FindingId; 5] = [
    FindingId::SmoothedRr,
    FindingId::RrFromHeartRate,
    FindingId::RepeatedRr,
    FindingId::RrAheadOfClock,
    FindingId::FlatLine,
];

/// Whether any number of beats is in it.
fn holds_numbers(l: &Live) -> bool {
    l.rr_ms.is_some()
        || l.beats.is_some_and(|b| {
            let window = |w: &LiveWindow| {
                let t = &w.time;
                let all = [t.mean_rr_ms, t.mean_hr_bpm, t.sdnn_ms, t.rmssd_ms, t.ln_rmssd, t.sdsd_ms];
                let more = [t.pnn50_pct, t.pnn20_pct, t.sd1_ms, t.sd2_ms];
                all.iter().chain(&more).any(|m| m.is_ok())
            };
            [b.last_30, b.last_60, b.last_300].iter().any(window)
                || b.dfa.alpha1.is_ok()
                || b.breathing.per_min.is_ok()
                || b.breathing.confidence.is_some()
        })
}

#[test]
fn a_signal_that_carries_no_hrv_has_no_live_hrv() {
    for profile in Profile::all() {
        let w = played(profile.id, 2, 900, &[]);
        let (mut found, mut refused, mut shown) = (false, 0, 0);
        for (at, o) in &w.said {
            match o {
                Output::Strap(s) => {
                    let bad = |f: &hrvd::verdict::Finding| WORTHLESS.contains(&f.id) && f.is_current(*at);
                    found = s.verdict.findings.iter().any(bad);
                }
                Output::Live(l) if l.hr_bpm.is_some() => {
                    assert!(l.why.is_none() || !holds_numbers(l), "{}: {l:?}", profile.id);
                    if found {
                        assert!(!holds_numbers(l), "{}: {l:?}", profile.id);
                        refused += u32::from(l.why.is_some());
                    }
                    shown += u32::from(holds_numbers(l));
                }
                _ => {}
            }
        }
        let worthless = profile.diagnosis.findings.iter().any(|f| WORTHLESS.contains(f));
        let no_rr = profile.diagnosis.findings.contains(&FindingId::NoRr) || profile.traits.silent;
        assert_eq!(refused >= 30, worthless && !no_rr, "{}: {refused} refused", profile.id);
        // and nothing of it touches the others
        let last = w.lives().into_iter().rfind(|(_, l)| l.hr_bpm.is_some() && l.beats.is_some());
        assert!(worthless || no_rr || last.is_some_and(|(_, l)| l.why.is_none() && shown >= 60), "{}", profile.id);
    }
}
