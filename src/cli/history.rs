//! `hrvd history`: the last days in a table.

use super::Exit;
use super::args::Global;
use super::check::ASK;
use super::day_page::level;
use super::guide::Look;
use super::terminal::Terminal;
use super::whose::{DayWord, failed, open, pick};
use crate::clock::{Clock, ClockTrust};
use crate::config::Surroundings;
use crate::daemon::{self, Settings, keyed};
use crate::load::plus_days;
use crate::readiness::{Reading, Version};
use crate::store::{Query, StoreError};
use crate::units::AthleteId;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Arguments of `hrvd history`.
#[derive(Clone, Debug, clap::Args)]
pub struct HistoryArgs {
    /// How many days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
    pub days: u16,
    /// The last of them: today, yesterday or a date
    #[arg(long, value_name = "DAY")]
    pub until: Option<DayWord>,
    /// Whose; needed if there are several
    #[arg(long, value_name = "SLUG")]
    pub athlete: Option<AthleteId>,
}

/// Days that hold a check or a verdict, oldest first.
pub fn run(args: &HistoryArgs, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let config = match super::run::load(global, around) {
        Ok(loaded) => loaded.config,
        Err(exit) => return exit,
    };
    let who = open(&config, terminal).and_then(|q| Ok((pick(args.athlete.as_ref(), &config, &q, terminal)?, q)));
    let (athlete, query) = match who {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let now = Clock::system(ClockTrust::Plausible).now();
    let today = athlete.time_zone.to_datetime(now.wall.unwrap_or_default()).date();
    let today = args.until.map_or(today, |d| d.date(today));
    let first = plus_days(today, 1 - i64::from(args.days));
    let desk = daemon::look(&Settings::from(&config).readiness, &query, &athlete, now);
    let rows = match desk.and_then(|desk| rows(&query, &athlete.id, first, today, desk.waiting_for())) {
        Ok(rows) => rows,
        Err(e) => return failed(&e, terminal),
    };
    if rows.is_empty() {
        let _ = writeln!(terminal.err, "nothing is known of these days: hrvd check takes a morning's measurement");
        return Exit::NotFound;
    }
    let look = Look::of_stdout(global.no_color);
    let written = if terminal.json {
        rows.iter().try_for_each(|r| writeln!(terminal.out, "{r}"))
    } else {
        table(terminal.out, look, &rows)
    };
    if !terminal.json && rows.iter().any(|r| r["numbers_wait"] == true) {
        let _ = writeln!(terminal.err, "{ASK}");
    }
    terminal.ends(written.map(|()| Exit::Done))
}

/// `waits` is the day whose numbers wait until the person has said how it feels.
fn rows(
    query: &Query,
    athlete: &AthleteId,
    first: Date,
    last: Date,
    waits: Option<Date>,
) -> Result<Vec<Value>, StoreError> {
    let verdicts: BTreeMap<Date, Version> = keyed(query.verdicts(athlete, first, last)?);
    let book = query.book(athlete, Some(last))?;
    let measured = (0..).map(|n| plus_days(first, n)).take_while(|d| *d <= last);
    let measured = measured.filter(|d| book.mornings.of(*d).next().is_some());
    let days: BTreeSet<Date> = verdicts.keys().copied().chain(measured).collect();
    let row = |date: Date| {
        let v = verdicts.get(&date);
        let reading = book.mornings.counting(date, None).or_else(|| book.mornings.of(date).next());
        let values = reading.and_then(|r: &Reading| r.values).filter(|_| waits != Some(date));
        json!({
            "date": date.to_string(),
            "level": v.map(|v| v.verdict.level), "hard": v.map(|v| v.verdict.hard),
            "score": v.and_then(|v| v.verdict.score), "version": v.map(|v| v.number),
            "algo_version": v.map(|v| v.verdict.algo_version),
            "flags": v.map(|v| v.verdict.flags.iter().filter(|f| f.weight > 0).map(|f| f.id).collect::<Vec<_>>()),
            "rmssd_ms": values.map(|v| v.0.exp()), "hr_bpm": values.map(|v| v.1),
            "grade": reading.map(|r| r.grade), "numbers_wait": waits == Some(date),
            "usual_low_ms": v.and_then(|v| v.verdict.range).map(|r| r.lo.exp()),
            "usual_high_ms": v.and_then(|v| v.verdict.range).map(|r| r.hi.exp()),
            "week_ms": v.and_then(|v| v.verdict.mean7).map(f64::exp),
            "feel": v.and_then(|v| v.feel), "sleep_h": book.sleep(date).0,
            "wellness": v.and_then(|v| v.day.hooper.last().copied().flatten()),
            "plan": book.plan.on(date), "tags": book.tags(date), "was_right": book.was_right(date),
        })
    };
    Ok(days.into_iter().map(row).collect())
}

/// Width of the picture.
const WIDE: usize = 21;

fn table(out: &mut dyn Write, look: Look, rows: &[Value]) -> io::Result<()> {
    let known = |key: &str| rows.iter().filter_map(|r| r[key].as_f64()).collect::<Vec<f64>>();
    let all: Vec<f64> = ["rmssd_ms", "usual_low_ms", "usual_high_ms"].iter().flat_map(|k| known(k)).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let place = |x: f64| ((x - low) / (high - low).max(1.0) * (WIDE - 1) as f64).round() as usize;
    let head = format!(
        "{:<15}{:<9}{:>5}{:>6}{:>6}  {:<WIDE$}  feel  flags",
        "day", "verdict", "RMSSD", "week", "pulse", "usual"
    );
    writeln!(out, "{}", look.dim(&head))?;
    for r in rows {
        let date: Option<Date> = r["date"].as_str().and_then(|d| d.parse().ok());
        let day = date.map_or(String::new(), |d| d.strftime("%a %Y-%m-%d").to_string());
        let word = r["level"].as_str().unwrap_or("-");
        let mut strip = vec![' '; WIDE];
        if let (Some(lo), Some(hi)) = (r["usual_low_ms"].as_f64(), r["usual_high_ms"].as_f64()) {
            strip.iter_mut().skip(place(lo)).take(place(hi) + 1 - place(lo)).for_each(|c| *c = '░');
        }
        if let Some(slot) = r["rmssd_ms"].as_f64().and_then(|x| strip.get_mut(place(x))) {
            *slot = '●';
        }
        let n = |key: &str| r[key].as_f64().map_or_else(|| "-".to_owned(), |x| format!("{x:.0}"));
        let flags: Vec<&str> = r["flags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let version = r["version"].as_u64().filter(|n| *n > 1).map_or(String::new(), |n| format!(" v{n}"));
        let strip: String = strip.into_iter().collect();
        writeln!(
            out,
            "{day:<15}{}{}{:>5}{:>6}{:>6}  {strip}  {:<5} {}{}",
            level(look, word),
            " ".repeat(9usize.saturating_sub(word.len())),
            n("rmssd_ms"),
            n("week_ms"),
            n("hr_bpm"),
            r["feel"].as_str().unwrap_or(if r["numbers_wait"] == true { "?" } else { "-" }),
            flags.join(" "),
            look.dim(&version),
        )?;
    }
    Ok(())
}
