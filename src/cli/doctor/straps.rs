//! What doctor says of straps: their links, what those needed, and what their beats are worth.

use super::{Finding, Verdict, ok, warn};
use serde_json::Value;

/// A strap in one line: the state of its link, what is known beside it, and the one thing that explains it.
pub(super) fn strap(s: &Value) -> Finding {
    let name = s["name"].as_str().or(s["strap"].as_str()).unwrap_or("strap");
    let link = s["link"].as_str().unwrap_or("unknown");
    let cause = s["cause"].as_str().filter(|c| *c != "none" && *c != link);
    let seconds = |key: &str| s[key].as_f64();
    let mut text = format!("{name}: {}", link.replace('_', " "));
    text += &seconds("link_age_s").map_or(String::new(), |a| format!(" for {}", ago(a)));
    text += &cause.map_or(String::new(), |c| format!(" ({})", c.replace('_', " ")));
    if link != "connected" {
        text += &seconds("last_seen_age_s")
            .map_or(", not seen since hrvd started".to_owned(), |a| format!(", last seen {} ago", ago(a)));
    }
    text += &s["released_s"].as_u64().map_or(String::new(), |left| format!(", for {} min more", left.div_ceil(60)));
    text += &s["battery_pct"].as_u64().map_or(String::new(), |b| format!(", battery {b} %"));
    text += &s["battery_days"].as_u64().map_or(String::new(), |d| format!(" (about {d} days left)"));
    // advertisements alone carry a strength: of a connected strap it is an old one
    text += &s["signal_dbm"].as_i64().map_or(String::new(), |dbm| {
        let trend = s["signal_trend"].as_str().filter(|t| *t != "steady").map_or(String::new(), |t| format!(", {t}"));
        format!(", signal {dbm} dBm when last advertising{trend}")
    });
    text += &link_words(s);
    match (s["advice"].as_str(), s["calm"].as_bool()) {
        (None, _) if link == "connected" => ok("strap", text),
        (None, _) => warn("strap", text, "wait a moment and look again"),
        (Some(advice), Some(true)) => {
            Finding { what: "strap", verdict: Verdict::Ok, text, hint: Some(advice.to_owned()) }
        }
        (Some(advice), _) => warn("strap", text, advice),
    }
}

/// What its beats are worth, if it sent any, and each thing that is wrong with them in a sentence.
pub(super) fn signal(s: &Value) -> Vec<Finding> {
    let name = s["name"].as_str().or(s["strap"].as_str()).unwrap_or("strap");
    let mut out = vec![];
    let worn = s["worn"].as_str().unwrap_or("unsure");
    if s["packets"].as_u64().is_some_and(|n| n > 0) {
        let mut text = format!("{name}: ");
        text += match worn {
            "worn" => "worn",
            "not_worn" => "not worn",
            _ => "unsure whether it is worn",
        };
        text += match s["units"].as_str() {
            Some("ticks_1024") => ", intervals in 1/1024 s",
            Some("milliseconds") => ", intervals in ms, converted",
            _ => ", units of intervals not proven yet",
        };
        text += match s["smoothing"].as_str() {
            Some("none") => ", beat by beat",
            Some("smoothed") => ", smoothed",
            Some("from_heart_rate") => ", calculated from heart rate",
            _ => "",
        };
        text += &s["coverage"].as_f64().map_or(String::new(), |c| format!(", covering {:.0} % of the time", 100.0 * c));
        out.push(ok("signal", text));
    }
    for f in s["findings"].as_array().into_iter().flatten() {
        let Some(sentence) = f["text"].as_str() else { continue };
        let fine = f["id"] == "rr_in_milliseconds";
        let age = f["last_age_s"].as_f64().map_or(String::new(), |a| format!(" (last seen {} ago)", ago(a)));
        match f["current"].as_bool() {
            Some(true) if fine => out.push(ok("signal", format!("{name}: {sentence}"))),
            Some(true) => {
                // the sentence ends with what to do, where something can be done
                let (what, hint) = sentence.split_once(". ").unwrap_or((sentence, "docs/straps.md says what it means"));
                out.push(warn("signal", format!("{name}: {}", what.trim_end_matches('.')), hint));
            }
            _ => out.push(ok("signal", format!("{name}: earlier, {sentence}{age}"))),
        }
    }
    out
}

/// What a link needed, if it needed anything, and what is being done.
fn link_words(s: &Value) -> String {
    let n = |key: &str| s["link_counts"][key].as_u64().filter(|n| *n > 0);
    let mut parts = vec![];
    let level = s["recovery"].as_str().filter(|r| *r != "none");
    parts.extend(level.map(|r| format!("now {}", r.replace('_', " "))));
    for (key, word) in [
        ("drops", "drops"),
        ("resubscribes", "subscribed again"),
        ("silent_reconnects", "reconnects out of silence"),
        ("adopted", "links taken over"),
    ] {
        parts.extend(n(key).map(|n| format!("{word} {n}")));
    }
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

/// What Bluetooth needed to go on since the daemon's start, level by level.
pub(super) fn recovery(status: &Value) -> Option<Finding> {
    let n = |key: &str| status["recovery"][key].as_u64();
    let (connects, drops) = (n("connects")?, n("drops")?);
    let (silent, lookups) = (n("silent_reconnects")?, n("adapter_lookups")?);
    let (managers, gave_up) = (n("managers")?, n("gave_up")?);
    let text = format!(
        "{connects} connects, {} taken over, {drops} drops, {} subscribed again and {silent} reconnects out of silence, \
         {} scans, adapter looked for {lookups} times, bus asked for {managers} times again",
        n("adopted").unwrap_or(0),
        n("resubscribes").unwrap_or(0),
        n("scans")?
    );
    Some(match () {
        () if gave_up > 0 || managers > 0 => warn(
            "recovery",
            text,
            "bluetoothd or the bus was lost meanwhile: journalctl -u bluetooth -u dbus says when and why",
        ),
        () if drops >= 10 && drops * 2 > connects => warn(
            "recovery",
            text,
            "many links drop: put this machine's Wi-Fi on 5 GHz or a cable, or use a USB adapter on a short cable",
        ),
        () => ok("recovery", text),
    })
}

pub(in crate::cli) fn ago(seconds: f64) -> String {
    match seconds as u64 {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7199 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}

#[cfg(test)]
#[path = "straps_tests.rs"]
mod tests;
