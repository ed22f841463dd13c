//! `hrvd explain`: computes a day again, from its raw packets to its verdict, and says whether it comes out the same.

use super::Exit;
use super::args::Global;
use super::day_page::page;
use super::guide::Look;
use super::terminal::Terminal;
use super::whose::{DayWord, failed, open, pick};
use crate::check::{CheckConfig, CheckResult};
use crate::clock::{Clock, ClockTrust};
use crate::config::Surroundings;
use crate::daemon::Settings;
use crate::engine::Athlete;
use crate::language::Language;
use crate::readiness::difference::{Difference, between};
use crate::readiness::entry_json::value;
use crate::readiness::report::{self, Detail};
use crate::readiness::{Book, DayState, Model, V2, assess, differences};
use crate::recheck::{recheck, same};
use crate::store::{Query, StoreError};
use crate::units::AthleteId;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Arguments of `hrvd explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The day: today, yesterday or a date [default: the newest with a verdict]
    pub date: Option<DayWord>,
    /// Whose; needed if there are several
    #[arg(long, value_name = "SLUG")]
    pub athlete: Option<AthleteId>,
    /// Show what this version of the model makes of the same inputs
    #[arg(long, value_name = "N", value_parser = super::readiness::model)]
    pub algo: Option<&'static Model>,
}

/// What an explanation needs to know beside the store.
pub struct Wanted<'a> {
    /// Whose day.
    pub athlete: &'a Athlete,
    /// Which.
    pub date: Date,
    /// The protocol of checks.
    pub protocol: &'a CheckConfig,
    /// Another version of the model to compare with.
    pub other: Option<&'static Model>,
    /// In which language.
    pub language: Language,
}

/// Explains a day.
pub fn run(args: &ExplainArgs, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    let who = open(&config, terminal).and_then(|q| Ok((pick(args.athlete.as_ref(), &config, &q, terminal)?, q)));
    let (athlete, query) = match who {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let now = Clock::system(ClockTrust::Plausible).now().wall.unwrap_or_default();
    let today = athlete.time_zone.to_datetime(now).date();
    let date = match args.date.map(|d| Ok(Some(d.date(today)))) {
        Some(given) => given,
        None => query.last_verdict_date(&athlete.id),
    };
    let settings = Settings::from(&config);
    let explained = date.and_then(|date| {
        let date = date.unwrap_or(today);
        let (protocol, language) = (&settings.check, settings.render.language);
        explain(&query, &Wanted { athlete: &athlete, date, protocol, other: args.algo, language })
    });
    let v = match explained {
        Ok(Some(v)) => v,
        Ok(None) => {
            let _ = writeln!(terminal.err, "no verdict was given for that day: hrvd history shows those that have one");
            return Exit::NotFound;
        }
        Err(e) => return failed(&e, terminal),
    };
    let look = Look::of_stdout(global.no_color);
    let written = if terminal.json {
        writeln!(terminal.out, "{v}")
    } else {
        tell(terminal.out, look, &v, settings.render.language)
    };
    terminal.ends(written.map(|()| Exit::Done))
}

/// The day, everything that it was made from, and whether it comes out the same now; `None` without a verdict.
pub fn explain(query: &Query, w: &Wanted<'_>) -> Result<Option<Value>, StoreError> {
    let who = &w.athlete.id;
    let versions = query.versions(who, w.date)?;
    let Some(last) = versions.last() else { return Ok(None) };
    let mut checks = Vec::new();
    let book = query.book(who, Some(w.date))?;
    for r in query.checks_of(who, w.date)? {
        checks.push(check(query, w, &book, &r)?);
    }
    let model = Model::of_version(last.verdict.algo_version);
    let again = model.map(|m| assess(&last.day, m));
    let first = versions.first().map_or(last.at, |v| v.at);
    let now = book.day(w.date, first, model.unwrap_or(&V2));
    let recomputed = again.as_ref().map_or(Value::Null, |a| {
        json!({
            "algo_version": a.algo_version, "same": *a == last.verdict, "level": a.level,
            "differences": between(&last.verdict, a).iter().map(difference).collect::<Vec<_>>(),
        })
    });
    let other = w.other.map_or(Value::Null, |m| {
        let other = assess(&last.day, m);
        json!({
            "algo_version": m.version, "level": other.level, "hard": other.hard, "score": other.score,
            "differences": between(&last.verdict, &other).iter().map(difference).collect::<Vec<_>>(),
        })
    });
    let zone = &w.athlete.time_zone;
    let given = (Some(w.date), DayState::Given, Some(last));
    Ok(Some(json!({
        "type": "explain", "athlete": who.as_str(), "date": w.date.to_string(),
        "verdict": report::day(&book, given, model.unwrap_or(&V2), zone, Detail::Full, w.language),
        "versions": versions.iter().map(|v| json!({
            "version": v.number, "at": v.at.to_string(), "algo_version": v.verdict.algo_version,
            "level": v.verdict.level, "score": v.verdict.score, "feel": v.feel, "changed": v.changed,
        })).collect::<Vec<_>>(),
        "checks": checks,
        "recomputed": recomputed,
        "inputs_since": differences(&last.day, &now),
        "other": other,
        "inputs": query.inputs(who, w.date)?.iter().map(|e| json!({
            "at": e.at.to_string(), "source": e.source, "kind": e.what.kind(), "value": value(&e.what),
        })).collect::<Vec<_>>(),
        "day": last.day,
    })))
}

fn difference(d: &Difference) -> Value {
    json!({"what": d.what, "before": d.before, "after": d.after})
}

/// One check: as it was frozen, and from its raw packets.
fn check(query: &Query, w: &Wanted<'_>, book: &Book, r: &CheckResult) -> Result<Value, StoreError> {
    let raw = query.records_of(r)?;
    let again = raw.as_ref().and_then(|(boot, records)| recheck(r, boot, records, &w.athlete.time_zone, w.protocol));
    let word = match (&raw, &again) {
        (None, _) => "missing",
        (Some(_), None) => "no_check",
        (Some(_), Some(a)) if same(r, a) => "same",
        (Some(_), Some(_)) => "differs",
    };
    let counts = book.mornings.counting(w.date, None).is_some_and(|c| c.id == r.id.0);
    let numbers = |r: &CheckResult| {
        json!({
            "grade": r.grade, "rmssd_ms": r.values.map(|v| v.rmssd_ms), "hr_bpm": r.values.map(|v| v.mean_hr_bpm),
            "n": r.n, "artifact_pct": r.artifact_pct, "algo_version": r.algo_version,
        })
    };
    Ok(json!({
        "id": r.id.0, "at": r.wall.map(|t| t.to_string()), "counts": counts, "frozen": numbers(r), "raw": word,
        "packets": raw.map_or(0, |(_, records)| records.len()), "again": again.as_ref().map(numbers),
    }))
}

fn tell(out: &mut dyn Write, look: Look, v: &Value, language: Language) -> io::Result<()> {
    let or = |en: &'static str, de: &'static str| language.pick(en, de);
    page(out, look, &v["verdict"], language)?;
    writeln!(out, "\n  {}", look.dim(or("computed again", "neu gerechnet")))?;
    for c in v["checks"].as_array().into_iter().flatten() {
        let n = |x: &Value| x.as_f64().map_or_else(|| "-".to_owned(), |x| format!("{x:.1}"));
        let frozen = &c["frozen"];
        let counts = if c["counts"] == true { "" } else { or(", does not count", ", zählt nicht") };
        let packets = or("its raw packets", "ihre Rohdaten");
        let raw = match c["raw"].as_str() {
            Some("same") => or("give the same", "ergeben dasselbe").to_owned(),
            Some("differs") => {
                format!("{} {} ms {}", or("give", "ergeben"), n(&c["again"]["rmssd_ms"]), or("now", "heute"))
            }
            Some("no_check") => or(
                "make no check any more: under another [check] protocol?",
                "ergeben keine Messung mehr: unter einem anderen Ablauf in [check]?",
            )
            .to_owned(),
            _ => or("are not in this store", "liegen nicht in diesem Speicher").to_owned(),
        };
        let at = c["at"].as_str().and_then(|t| t.get(11..16)).unwrap_or("?");
        let (check, grade) = (or("check", "Messung"), frozen["grade"].as_str().unwrap_or_default());
        writeln!(out, "  {check} {at} UTC: RMSSD {} ms, {grade}{counts}; {packets} {raw}", n(&frozen["rmssd_ms"]))?;
    }
    let model = or("model", "Modell");
    let word = match v["recomputed"]["same"] == true {
        true => or("with the frozen inputs gives the same verdict", "mit den damaligen Angaben ergibt dasselbe Urteil"),
        false => {
            or("with the frozen inputs gives another verdict", "mit den damaligen Angaben ergibt ein anderes Urteil")
        }
    };
    writeln!(out, "  {model} {} {word}", v["recomputed"]["algo_version"])?;
    differences_of(out, &v["recomputed"])?;
    let since: Vec<&str> = v["inputs_since"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !since.is_empty() {
        let differs =
            or("what is known now differs from what was judged", "was jetzt bekannt ist, war beim Urteil anders");
        writeln!(out, "  {differs}: {}", since.join(", "))?;
    }
    if v["other"].is_object() {
        let o = &v["other"];
        let say = or("would say", "ergäbe");
        writeln!(out, "  {model} {} {say} {}", o["algo_version"], o["level"].as_str().unwrap_or_default())?;
        differences_of(out, o)?;
    }
    for x in v["versions"].as_array().into_iter().flatten() {
        let changed: Vec<&str> = x["changed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let why = match changed.is_empty() {
            true => String::new(),
            false => format!(": {} {}", changed.join(", "), or("changed", "geändert")),
        };
        let (at, level) = (x["at"].as_str().unwrap_or_default(), x["level"].as_str().unwrap_or_default());
        let version = or("version", "Fassung");
        writeln!(out, "  {}", look.dim(&format!("{version} {} {} {at}: {level}{why}", x["version"], or("at", "um"))))?;
    }
    Ok(())
}

fn differences_of(out: &mut dyn Write, v: &Value) -> io::Result<()> {
    for d in v["differences"].as_array().into_iter().flatten() {
        let word = |x: &Value| x.as_str().unwrap_or("none").to_owned();
        writeln!(out, "    {}: {} -> {}", word(&d["what"]), word(&d["before"]), word(&d["after"]))?;
    }
    Ok(())
}
