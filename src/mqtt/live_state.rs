//! The live values of a person, each window with what it rests on.

use super::message::number;
use crate::engine::{Live, LiveWindow};
use crate::hrv::Metric;
use crate::hrv::time::TimeDomain;
use serde_json::{Value, json};

/// The payload. Every key is always there: Home Assistant keeps the old value of a missing one. Flat, because a
/// template of an entity reads one field; keys without a number are over 60 s.
pub(super) fn payload(live: &Live) -> Value {
    let beats = live.beats.as_ref();
    let (w30, w60, w300) = (beats.map(|b| &b.last_30), beats.map(|b| &b.last_60), beats.map(|b| &b.last_300));
    let metric = |w: Option<&LiveWindow>, decimals: i32, of: fn(&TimeDomain) -> Metric| {
        number(w.and_then(|w| of(&w.time).ok()), decimals)
    };
    let pairs = |w: Option<&LiveWindow>| w.map(|w| w.time.pairs);
    let artifacts = |w: Option<&LiveWindow>| number(w.and_then(|w| w.artifact_pct), 1);
    let coverage = |w: Option<&LiveWindow>| number(w.map(|w| w.coverage), 2);
    json!({
        "hr": live.hr_bpm,
        "rr": number(live.rr_ms, 0),
        "contact": live.contact,
        "why": live.why.map(|w| w.as_str()),
        "rmssd": metric(w60, 1, |t| t.rmssd_ms),
        "ln_rmssd": metric(w60, 2, |t| t.ln_rmssd),
        "mean_hr": metric(w60, 1, |t| t.mean_hr_bpm),
        "pairs": pairs(w60),
        "artifact_pct": artifacts(w60),
        "coverage": coverage(w60),
        "rmssd_30": metric(w30, 1, |t| t.rmssd_ms),
        "mean_hr_30": metric(w30, 1, |t| t.mean_hr_bpm),
        "pairs_30": pairs(w30),
        "artifact_pct_30": artifacts(w30),
        "coverage_30": coverage(w30),
        "rmssd_300": metric(w300, 1, |t| t.rmssd_ms),
        "sdnn_300": metric(w300, 1, |t| t.sdnn_ms),
        "mean_hr_300": metric(w300, 1, |t| t.mean_hr_bpm),
        "pairs_300": pairs(w300),
        "artifact_pct_300": artifacts(w300),
        "coverage_300": coverage(w300),
        "dfa_a1": number(beats.and_then(|b| b.dfa.alpha1.ok()), 2),
        "dfa_a1_artifact_pct": number(beats.filter(|b| b.dfa.alpha1.is_ok()).and_then(|b| b.dfa.artifact_pct), 1),
        "breathing": number(beats.and_then(|b| b.breathing.per_min.ok()), 0),
        "breathing_confidence": number(beats.and_then(|b| b.breathing.confidence), 2),
    })
}
