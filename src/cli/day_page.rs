//! A day's report for people.

use super::guide::Look;
use crate::language::Language;
use serde_json::Value;
use std::io::{self, Write};

/// Level as a coloured word. Yellow is a flag and no order; there is no red.
pub(super) fn level(look: Look, level: &str) -> String {
    let code = match level {
        "GO" => "1;32",
        "CAUTION" => "1;33",
        "EASY" | "REST" => "1;35",
        _ => "1",
    };
    look.paint(code, level)
}

/// A number as people read it; a dash where there is none.
pub(super) fn digits(v: &Value, decimals: usize) -> String {
    v.as_f64().map_or_else(|| "-".to_owned(), |x| format!("{x:.decimals$}"))
}

/// lnRMSSD as RMSSD in ms.
pub(super) fn ms(ln: &Value) -> String {
    ln.as_f64().map_or_else(|| "-".to_owned(), |x| format!("{:.0}", x.exp()))
}

/// The report of a day: the answer first, then why, then the numbers behind it.
pub(super) fn page(out: &mut dyn Write, look: Look, day: &Value, language: Language) -> io::Result<()> {
    let or = |en: &'static str, de: &'static str| language.pick(en, de);
    let text = |key: &str| day[key].as_str();
    let date = text("date").unwrap_or(or("today", "heute"));
    match text("state") {
        Some("waiting_for_feel") => {
            let asks =
                or("The check is done. How does the day feel?", "Die Messung ist fertig. Wie fühlt sich der Tag an?");
            let then =
                or("then, or a little later, the verdict is shown", "dann oder etwas später steht hier das Urteil");
            return writeln!(out, "{date}  {asks}\n  hrvd log feel good | ok | bad   ({then})");
        }
        Some("given") => {}
        _ => {
            let none = or(
                "no verdict yet: hrvd check takes the morning's measurement",
                "noch kein Urteil: hrvd check misst den Morgen",
            );
            writeln!(out, "{date}  {none}")?;
            return lines(out, &day["notes"], "i");
        }
    }
    let word = text("level").unwrap_or("UNKNOWN");
    writeln!(out, "{date}  {}  {}", level(look, word), text("level_text").unwrap_or_default())?;
    writeln!(out, "  {} {}", text("hard_text").unwrap_or_default(), text("confidence_text").unwrap_or_default())?;
    if let Some(cell) = text("cell_text") {
        writeln!(out, "  {cell}")?;
    }
    writeln!(out)?;
    let usual = match (day["baseline_low"].as_f64(), day["baseline_high"].as_f64()) {
        (Some(low), Some(high)) => {
            format!(" ({} {:.0} {} {:.0})", or("usual", "üblich"), low.exp(), or("to", "bis"), high.exp())
        }
        _ => String::new(),
    };
    let row = |out: &mut dyn Write, name: &str, value: String| writeln!(out, "  {name:<14}{value}");
    if day["ln_rmssd"].is_number() {
        let week = or("week", "Woche");
        row(out, "RMSSD", format!("{} ms{usual}, {week} {} ms", ms(&day["ln_rmssd"]), ms(&day["ln_rmssd_7d"])))?;
        row(out, or("pulse", "Ruhepuls"), format!("{} bpm", digits(&day["rhr"], 0)))?;
    }
    if day["load_7d"].is_number() {
        let unit = text("load_unit").unwrap_or_default();
        let (long, short) = (digits(&day["ctl"], 0), digits(&day["atl"], 0));
        let form = format!("{} {long}, {} {short}", or("long", "lang"), or("short", "kurz"));
        let days = or("in 7 days", "in 7 Tagen");
        row(out, or("load", "Belastung"), format!("{} {days} ({unit}); {form}", digits(&day["load_7d"], 0)))?;
    }
    if day["hours_since_hard"].is_number() {
        let hours = digits(&day["hours_since_hard"], 0);
        row(out, or("last hard", "zuletzt hart"), format!("{hours} h {}", or("before", "davor")))?;
    }
    let score = or("score", "Wert");
    let score = if day["score"].is_number() { format!("{score} {}, ", day["score"]) } else { String::new() };
    let changed: Vec<&str> = day["changed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let changed = if changed.is_empty() {
        String::new()
    } else {
        format!(" ({}: {})", or("changed", "geändert"), changed.join(", "))
    };
    let at = text("at").and_then(|t| t.get(11..16)).unwrap_or_default();
    let (version, time) = (or("version", "Fassung"), or("at", "um"));
    row(out, or("verdict", "Urteil"), format!("{score}{version} {} {time} {at}{changed}", day["version"]))?;
    writeln!(out)?;
    for f in day["flags"].as_array().into_iter().flatten() {
        let counts = f["weight"].as_u64() > Some(0);
        let sign = if counts { look.paint("33", "!") } else { look.dim("i") };
        writeln!(out, "  {sign} {}", f["rule"].as_str().unwrap_or_default())?;
        let since = f["since"].as_str().unwrap_or_default();
        let since = if since == date { String::new() } else { format!("{} {since}. ", or("Since", "Seit")) };
        if counts {
            let clears = f["clears"].as_str().unwrap_or_default();
            writeln!(out, "    {}", look.dim(&format!("{since}{clears}")))?;
        }
    }
    lines(out, &day["patterns"], "i")?;
    lines(out, &day["notes"], "i")?;
    for r in day["rules"].as_array().into_iter().flatten() {
        let grade = r["evidence"].as_str().unwrap_or_default();
        writeln!(out, "  i {} {}", r["text"].as_str().unwrap_or_default(), look.dim(&format!("[{grade}]")))?;
    }
    if let Some(card) = text("card") {
        writeln!(out, "  i {card}")?;
    }
    if let Some(conflict) = day["conflict"].as_object() {
        writeln!(out, "  ? {}", conflict["text"].as_str().unwrap_or_default())?;
        for o in conflict["options"].as_array().into_iter().flatten() {
            writeln!(out, "    - {}", o["text"].as_str().unwrap_or_default())?;
        }
    }
    lines(out, &day["counterfactuals"], ">")
}

fn lines(out: &mut dyn Write, all: &Value, sign: &str) -> io::Result<()> {
    all.as_array().into_iter().flatten().filter_map(Value::as_str).try_for_each(|l| writeln!(out, "  {sign} {l}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::report::{Detail, readiness, tests::desk};
    use serde_json::json;

    #[test]
    fn a_day_in_each_language() {
        for language in Language::ALL {
            let given = readiness(&desk(), Detail::Full, language);
            let waits = json!({"date": "2026-11-24", "state": "waiting_for_feel"});
            let none = json!({"date": null, "state": "none"});
            let mut out = Vec::new();
            for day in [given, waits, none] {
                page(&mut out, Look { colour: false, moving: false }, &day, language).unwrap();
                writeln!(out).unwrap();
            }
            insta::assert_snapshot!(format!("a_day_{}", language.as_str()), String::from_utf8(out).unwrap());
        }
    }
}
