//! A day's report for people.

use super::guide::Look;
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
pub(super) fn page(out: &mut dyn Write, look: Look, day: &Value) -> io::Result<()> {
    let text = |key: &str| day[key].as_str();
    let date = text("date").unwrap_or("today");
    match text("state") {
        Some("waiting_for_feel") => {
            writeln!(out, "{date}  The check is done. How does the day feel?")?;
            return writeln!(out, "  hrvd log feel good | ok | bad   (then, or a little later, the verdict is shown)");
        }
        Some("given") => {}
        _ => {
            writeln!(out, "{date}  no verdict yet: hrvd check takes the morning's measurement")?;
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
        (Some(low), Some(high)) => format!(" (usual {:.0} to {:.0})", low.exp(), high.exp()),
        _ => String::new(),
    };
    let row = |out: &mut dyn Write, name: &str, value: String| writeln!(out, "  {name:<14}{value}");
    if day["ln_rmssd"].is_number() {
        row(out, "RMSSD", format!("{} ms{usual}, week {} ms", ms(&day["ln_rmssd"]), ms(&day["ln_rmssd_7d"])))?;
        row(out, "pulse", format!("{} bpm", digits(&day["rhr"], 0)))?;
    }
    if day["load_7d"].is_number() {
        let unit = text("load_unit").unwrap_or_default();
        let form = format!("long {}, short {}", digits(&day["ctl"], 0), digits(&day["atl"], 0));
        row(out, "load", format!("{} in 7 days ({unit}); {form}", digits(&day["load_7d"], 0)))?;
    }
    if day["hours_since_hard"].is_number() {
        row(out, "last hard", format!("{} h before", digits(&day["hours_since_hard"], 0)))?;
    }
    let score = if day["score"].is_number() { format!("score {}, ", day["score"]) } else { String::new() };
    let changed: Vec<&str> = day["changed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let changed = if changed.is_empty() { String::new() } else { format!(" (changed: {})", changed.join(", ")) };
    let at = text("at").and_then(|t| t.get(11..16)).unwrap_or_default();
    row(out, "verdict", format!("{score}version {} at {at}{changed}", day["version"]))?;
    writeln!(out)?;
    for f in day["flags"].as_array().into_iter().flatten() {
        let counts = f["weight"].as_u64() > Some(0);
        let sign = if counts { look.paint("33", "!") } else { look.dim("i") };
        writeln!(out, "  {sign} {}", f["rule"].as_str().unwrap_or_default())?;
        let since = f["since"].as_str().unwrap_or_default();
        let since = if since == date { String::new() } else { format!("Since {since}. ") };
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
