//! Outputs as JSON objects with a `type`: one shape for the command line, the control socket and recordings of a run.
//!
//! Keys are always present; what is not known is `null`. Units stand in the names.

use crate::ble::Counters;
use crate::check::{CheckResult, CheckStatus};
use crate::engine::{Command, Live, LiveWindow, Notice, Output, Record, RecordKind, StrapStatus, Trigger};
use crate::hrv::{Metric, Why};
use crate::units::{Mono, StrapId};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Times relative to this moment are given as `t_s`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zero(pub Mono);

impl Zero {
    fn t_s(self, at: Mono) -> Value {
        round(at.diff_micros(self.0) as f64 / 1e6, 3)
    }
}

/// A number with at most `digits` decimals; never NaN.
fn round(x: f64, digits: i32) -> Value {
    let k = 10f64.powi(digits);
    json!((x * k).round() / k)
}

fn option(x: Option<f64>, digits: i32) -> Value {
    x.map_or(Value::Null, |x| round(x, digits))
}

/// One output as JSON.
pub fn output(zero: Zero, at: Mono, o: &Output) -> Value {
    match o {
        Output::Record(r) => record(zero, r),
        Output::Beats(b) => json!({
            "type": "beats",
            "t_s": zero.t_s(at),
            "strap": b.strap.to_string(),
            "athlete": b.athlete.as_str(),
            "gap": b.gap.map(|g| g.as_str()),
            "beats": b.beats.iter().map(|b| json!({"t_s": zero.t_s(b.at), "rr_ms": b.rr.as_ms()})).collect::<Vec<_>>(),
        }),
        Output::Live(l) => live(zero, l),
        Output::Check(c) => check(zero, at, c),
        Output::Result(r) => result(zero, r),
        Output::Strap(s) => strap(zero, at, s),
        Output::Notice(n) => notice(zero, at, n),
    }
}

/// The frozen result of a check.
pub fn result(zero: Zero, r: &CheckResult) -> Value {
    let v = r.values;
    json!({
        "type": "check_result",
        "id": r.id.0,
        "athlete": r.athlete.as_str(),
        "strap": r.strap.to_string(),
        "trigger": trigger(r.trigger),
        "posture": r.posture.as_str(),
        "at": r.wall.map(|w| w.to_string()),
        "date": r.local_date.map(|d| d.to_string()),
        "start_s": zero.t_s(r.start),
        "settle_s": round(r.settle_s, 3),
        "length_s": round(r.length_s, 3),
        "rmssd_ms": v.map(|v| v.rmssd_ms),
        "ln_rmssd": v.map(|v| v.ln_rmssd),
        "mean_hr_bpm": v.map(|v| v.mean_hr_bpm),
        "mean_rr_ms": v.map(|v| v.mean_rr_ms),
        "sdnn_ms": v.map(|v| v.sdnn_ms),
        "pnn50_pct": v.map(|v| v.pnn50_pct),
        "ln_rmssd_rr_ratio": v.map(|v| v.ln_rmssd_rr_ratio),
        "artifact_pct": r.artifact_pct,
        "grade": r.grade.as_str(),
        "why": r.why.map(|w| w.as_str()),
        "n": r.n,
        "pairs": r.pairs,
        "coverage": round(r.coverage, 4),
        "gap_s": round(r.gap_s, 3),
        "clean_s": round(r.clean_s, 3),
        "notes": r.notes.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
        "algo_version": r.algo_version,
    })
}

fn record(zero: Zero, r: &Record) -> Value {
    let t = zero.t_s(r.at);
    match &r.kind {
        RecordKind::Packet { strap, bytes } => {
            json!({"type": "packet", "t_s": t, "strap": strap.to_string(), "hex": hex(bytes)})
        }
        RecordKind::Link { strap, up } => json!({"type": "link", "t_s": t, "strap": strap.to_string(), "up": up}),
        RecordKind::Command(c) => {
            let mut v = command(c);
            v["type"] = json!("command");
            v["t_s"] = t;
            v
        }
        RecordKind::Anchor { wall } => json!({"type": "anchor", "t_s": t, "wall": wall.to_string()}),
    }
}

fn live(zero: Zero, l: &Live) -> Value {
    let minute = l.beats.map(|b| b.last_60);
    json!({
        "type": "live",
        "t_s": zero.t_s(l.at),
        "athlete": l.athlete.as_str(),
        "strap": l.strap.to_string(),
        "hr_bpm": l.hr_bpm,
        "rr_ms": option(l.rr_ms, 3),
        "rmssd_ms": metric(minute.map(|w| w.time.rmssd_ms), 3),
        "pairs": minute.map_or(0, |w| w.time.pairs),
        "artifact_pct": option(minute.and_then(|w| w.artifact_pct), 2),
        "contact": l.contact,
        "why": l.why.map(|w| w.as_str()),
        "windows": l.beats.map(|b| [b.last_30, b.last_60, b.last_300].map(|w| window(&w))),
        "dfa": l.beats.map(|b| json!({
            "alpha1": option(b.dfa.alpha1.ok(), 3),
            "n": b.dfa.n,
            "artifact_pct": option(b.dfa.artifact_pct, 2),
            "why": b.dfa.alpha1.err().map(Why::as_str),
        })),
        "breathing": l.beats.map(|b| json!({
            "per_min": option(b.breathing.per_min.ok(), 0),
            "confidence": option(b.breathing.confidence, 2),
            "why": b.breathing.per_min.err().map(Why::as_str),
        })),
    })
}

fn window(w: &LiveWindow) -> Value {
    let t = &w.time;
    json!({
        "length_s": w.span.as_secs(),
        "n": w.n,
        "pairs": t.pairs,
        "artifact_pct": option(w.artifact_pct, 2),
        "coverage": round(w.coverage, 3),
        "mean_rr_ms": metric(Some(t.mean_rr_ms), 3),
        "mean_hr_bpm": metric(Some(t.mean_hr_bpm), 2),
        "sdnn_ms": metric(Some(t.sdnn_ms), 3),
        "rmssd_ms": metric(Some(t.rmssd_ms), 3),
        "ln_rmssd": metric(Some(t.ln_rmssd), 4),
        "sdsd_ms": metric(Some(t.sdsd_ms), 3),
        "pnn50_pct": metric(Some(t.pnn50_pct), 2),
        "pnn20_pct": metric(Some(t.pnn20_pct), 2),
        "sd1_ms": metric(Some(t.sd1_ms), 3),
        "sd2_ms": metric(Some(t.sd2_ms), 3),
        "why": t.rmssd_ms.err().map(Why::as_str),
    })
}

fn metric(m: Option<Metric>, digits: i32) -> Value {
    option(m.and_then(Metric::ok), digits)
}

/// Status of a check.
pub fn check(zero: Zero, at: Mono, c: &CheckStatus) -> Value {
    json!({
        "type": "check",
        "t_s": zero.t_s(at),
        "athlete": c.athlete.as_str(),
        "id": c.check.as_ref().map(|i| i.0.as_str()),
        "strap": c.strap.map(|s| s.to_string()),
        "phase": c.phase.as_str(),
        "changed": c.changed,
        "seconds_left": c.seconds_left,
        "percent": c.percent,
        "hr_bpm": c.hr_bpm,
        "clean_pct": option(c.clean_pct, 1),
        "hint": c.hint.map(|h| h.as_str()),
        "cause": c.cause.map(|h| h.as_str()),
    })
}

/// Status of a strap.
pub fn strap(zero: Zero, at: Mono, s: &StrapStatus) -> Value {
    let age = |t: Mono| round(at.since(t).as_secs_f64(), 1);
    let v = &s.verdict;
    json!({
        "type": "strap",
        "t_s": zero.t_s(at),
        "strap": s.strap.to_string(),
        "athlete": s.athlete.as_str(),
        "name": s.facts.name,
        "link": s.link.as_str(),
        "link_age_s": age(s.link_since),
        "online": s.online,
        "last_packet_age_s": s.last_packet.map(age),
        "contact": s.contact,
        "battery_pct": s.facts.battery_pct,
        "rssi_dbm": s.facts.rssi_dbm,
        "manufacturer": s.facts.manufacturer,
        "model": s.facts.model,
        "serial": s.facts.serial,
        "firmware": s.facts.firmware,
        "packets": s.packets,
        "defects": s.defects,
        "gaps": s.gaps,
        "duplicates": s.duplicates,
        "units": v.units.as_str(),
        "smoothing": v.smoothing.as_str(),
        "worn": v.worn.as_str(),
        "coverage": option(v.coverage.map(|c| c.share), 3),
        "coverage_received": option(v.coverage.map(|c| c.received), 3),
        "findings": v.findings.iter().map(|f| json!({
            "id": f.id.as_str(),
            "current": f.is_current(at),
            "first_age_s": age(f.since),
            "last_age_s": age(f.last),
            "text": f.id.sentence(),
        })).collect::<Vec<_>>(),
    })
}

/// How often each thing happened on the link of one strap.
pub fn link(c: &Counters) -> Value {
    json!({
        "connects": c.connects,
        "connect_failures": c.connect_failures,
        "adopted": c.adopted,
        "drops": c.drops,
        "silences": c.silences,
        "resubscribes": c.resubscribes,
        "silent_reconnects": c.silent_reconnects,
    })
}

/// How often each level of recovery was needed: (a) reconnect to (e) giving up, with what led to them.
pub fn recovery(c: &Counters) -> Value {
    json!({
        "connects": c.connects,
        "connect_failures": c.connect_failures,
        "setups": c.setups,
        "setup_failures": c.setup_failures,
        "adopted": c.adopted,
        "drops": c.drops,
        "silences": c.silences,
        "resubscribes": c.resubscribes,
        "silent_reconnects": c.silent_reconnects,
        "scans": c.scans,
        "adapter_lookups": c.adapter_lookups,
        "managers": c.managers,
        "gave_up": c.gave_up,
        "unanswered": c.unanswered,
    })
}

fn notice(zero: Zero, at: Mono, n: &Notice) -> Value {
    let (what, mut detail) = match n {
        Notice::Defect { strap, what, count } => {
            ("defect", json!({"strap": strap.to_string(), "defect": what, "count": count}))
        }
        Notice::Gap { strap, reason } => ("gap", json!({"strap": strap.to_string(), "reason": reason.as_str()})),
        Notice::TooLate { strap, intervals } => {
            ("too_late", json!({"strap": strap.to_string(), "intervals": intervals}))
        }
        Notice::Refused { command: c, why } => ("refused", json!({"command": command(c), "why": why})),
        Notice::ClockJump { ms } => ("clock_jump", json!({"ms": ms})),
        Notice::UnknownStrap { strap } => ("unknown_strap", json!({"strap": strap.to_string()})),
    };
    let mut out = json!({"type": "notice", "t_s": zero.t_s(at), "what": what});
    if let (Some(out), Some(detail)) = (out.as_object_mut(), detail.as_object_mut()) {
        out.append(detail);
    }
    out
}

fn command(c: &Command) -> Value {
    match c {
        Command::StartCheck { athlete, posture, trigger: t } => json!({
            "action": "start_check",
            "athlete": athlete.as_str(),
            "posture": posture.map(|p| p.as_str()),
            "trigger": trigger(*t),
        }),
        Command::CancelCheck { athlete } => json!({"action": "cancel_check", "athlete": athlete.as_str()}),
    }
}

/// Stable word for what started a check.
pub fn trigger(t: Trigger) -> &'static str {
    match t {
        Trigger::Manual => "manual",
        Trigger::StrapOn => "strap_on",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// The strap of a JSON object, if it names one.
pub fn strap_of(v: &Value) -> Option<StrapId> {
    v["strap"].as_str()?.parse().ok()
}
