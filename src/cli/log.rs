//! `hrvd log`: says something about a day.

use super::Exit;
use super::args::Global;
use super::ask::{complain, load_and_connect};
use super::day_page::level;
use super::guide::Look;
use super::terminal::Terminal;
use super::whose::DayWord;
use crate::clock::{Clock, ClockTrust};
use crate::config::Surroundings;
use crate::control::{ClientError, Op};
use crate::load::{PlanKind, SessionKind};
use crate::readiness::{Caffeine, Feel, PainCourse, Quiet, Side};
use crate::units::AthleteId;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::str::FromStr;

/// Arguments of `hrvd log`.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// What to say.
    #[command(subcommand)]
    pub what: LogWhat,
    /// Who says it; needed if there are several
    #[arg(long, global = true, value_name = "SLUG")]
    pub athlete: Option<AthleteId>,
    /// About which day: today, yesterday or a date, up to 14 days late
    #[arg(long, global = true, value_name = "DAY")]
    pub date: Option<DayWord>,
}

/// What can be said. Saying it again corrects it.
#[derive(Clone, Debug, Subcommand)]
pub enum LogWhat {
    /// How the day feels; a verdict that waits for it is shown then
    #[command(after_help = "Example:\n  hrvd log feel good")]
    Feel {
        /// In a word
        #[arg(value_parser = words(Feel::ALL.iter().map(|w| w.as_str())))]
        word: String,
    },
    /// Hooper's four, each from 1 (best) to 7
    #[command(after_help = "Example:\n  hrvd log wellness --sleep 2 --stress 3 --fatigue 2 --soreness 4")]
    Wellness {
        /// How bad the sleep was
        #[arg(long, value_name = "1-7")]
        sleep: u8,
        /// Stress
        #[arg(long, value_name = "1-7")]
        stress: u8,
        /// Fatigue
        #[arg(long, value_name = "1-7")]
        fatigue: u8,
        /// Muscle soreness
        #[arg(long, value_name = "1-7")]
        soreness: u8,
    },
    /// The night before the day
    #[command(after_help = "Example:\n  hrvd log sleep 7.5 --quality 4")]
    Sleep {
        /// Hours slept
        hours: Option<f64>,
        /// Quality, 5 is best
        #[arg(long, value_name = "1-5")]
        quality: Option<u8>,
    },
    /// A training session, once it is over
    #[command(
        after_help = "Examples:\n  hrvd log session --rpe 6 --minutes 50 --kind easy\n  hrvd log session --date yesterday --end 18:30 --load 85 --kind quality"
    )]
    Session {
        /// Perceived exertion, 0 to 10
        #[arg(long)]
        rpe: Option<f64>,
        /// Length in minutes
        #[arg(long)]
        minutes: Option<f64>,
        /// A load that something else computed
        #[arg(long)]
        load: Option<f64>,
        /// What it was
        #[arg(long, value_parser = words(SessionKind::ALL.iter().map(|w| w.as_str())))]
        kind: Option<String>,
        /// When it ended [default: now; 18:00 for an earlier day]
        #[arg(long, value_name = "HH:MM")]
        end: Option<String>,
        /// Names it, to correct it later [default: its day and end]
        #[arg(long)]
        id: Option<String>,
        /// A free word such as heat; may be given more than once
        #[arg(long)]
        tag: Vec<String>,
    },
    /// A free word for the day: alcohol, travel, heat, sauna
    Tag {
        /// The word: a-z, 0-9, _ and -
        name: String,
        /// Take it back
        #[arg(long)]
        off: bool,
    },
    /// Whether it hurts, and whether that goes away when warm
    Pain {
        /// In a word
        #[arg(value_parser = words(["none"].into_iter().chain(PainCourse::ALL.iter().map(|w| w.as_str()))))]
        word: String,
        /// Where
        #[arg(long, value_parser = words(Side::ALL.iter().map(|w| w.as_str())))]
        side: Option<String>,
    },
    /// Feels ill, or not any more
    Illness {
        /// In a word
        #[arg(value_parser = words(["on", "off"]))]
        word: String,
    },
    /// Motivation, 1 (none) to 5
    Motivation {
        /// The number
        #[arg(value_name = "1-5")]
        number: u8,
    },
    /// Caffeine against the usual
    Caffeine {
        /// In a word
        #[arg(value_parser = words(Caffeine::ALL.iter().map(|w| w.as_str())))]
        word: String,
    },
    /// What a day is planned for; may lie ahead
    Plan {
        /// In a word
        #[arg(value_parser = words(["none"].into_iter().chain(PlanKind::ALL.iter().map(|w| w.as_str()))))]
        word: String,
    },
    /// Data holiday: words only, or nothing, until it is off
    Quiet {
        /// In a word
        #[arg(value_parser = words(Quiet::ALL.iter().map(|w| w.as_str())))]
        word: String,
    },
    /// Whether the verdict of the day was right
    WasRight {
        /// In a word
        #[arg(value_parser = words(["yes", "no"]))]
        word: String,
    },
    /// The baseline begins anew today
    Recalibrate,
}

fn words(all: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(all)
}

impl LogWhat {
    /// The name and the payload that MQTT has for it.
    fn message(&self) -> (&'static str, Value) {
        let object = |fields: Vec<(&str, Value)>| {
            let known = fields.into_iter().filter(|(_, v)| !v.is_null());
            Value::Object(known.map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>())
        };
        match self {
            Self::Feel { word } => ("feel", json!(word)),
            Self::Wellness { sleep, stress, fatigue, soreness } => {
                ("wellness", json!({"sleep": sleep, "stress": stress, "fatigue": fatigue, "soreness": soreness}))
            }
            Self::Sleep { hours, quality } => {
                ("sleep", object(vec![("hours", json!(hours)), ("quality", json!(quality))]))
            }
            Self::Session { rpe, minutes, load, kind, end, id, tag } => {
                let fields = vec![
                    ("rpe", json!(rpe)),
                    ("minutes", json!(minutes)),
                    ("load", json!(load)),
                    ("kind", json!(kind)),
                    ("end", json!(end)),
                    ("id", json!(id)),
                    ("tags", json!(tag)),
                ];
                ("session", object(fields))
            }
            Self::Tag { name, off } => ("tag", json!({"name": name, "on": !off})),
            Self::Pain { word, side } => ("pain", object(vec![("course", json!(word)), ("side", json!(side))])),
            Self::Illness { word } => ("illness", json!(word)),
            Self::Motivation { number } => ("motivation", json!(number)),
            Self::Caffeine { word } => ("caffeine", json!(word)),
            Self::Plan { word } => ("plan", json!(word)),
            Self::Quiet { word } => ("quiet", json!(word)),
            Self::WasRight { word } => ("was_right", json!(word)),
            Self::Recalibrate => ("recalibrate", json!("")),
        }
    }
}

/// Says it to the daemon.
pub fn run(args: &LogArgs, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let mut client = match load_and_connect(global, around, terminal) {
        Ok(client) => client,
        Err(exit) => return exit,
    };
    let (what, payload) = args.what.message();
    let value = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
    let athlete = args.athlete.as_ref().map(ToString::to_string);
    let ask = || -> Result<(Value, Value), ClientError> {
        let today = client.ask(&Op::Today { athlete: athlete.clone() })?;
        // the person's today, which need not be this machine's
        let now = || Clock::system(ClockTrust::Plausible).now().wall;
        let local = || Some(jiff::tz::TimeZone::system().to_datetime(now()?).date());
        let of_daemon = today["readiness"]["date"].as_str().and_then(|d| jiff::civil::Date::from_str(d).ok());
        let date = args.date.zip(of_daemon.or_else(local)).map(|(day, today)| day.date(today).to_string());
        let said = client.ask(&Op::Say { athlete: athlete.clone(), what: what.into(), value, date })?;
        Ok((said, client.ask(&Op::Today { athlete })?))
    };
    let (said, today) = match ask() {
        Ok(both) => both,
        Err(e) => return complain(&e, terminal),
    };
    let look = Look::of_stdout(global.no_color);
    let written = if terminal.json {
        writeln!(terminal.out, "{said}")
    } else {
        tell(terminal.out, look, &said, &today["readiness"])
    };
    terminal.ends(written.map(|()| Exit::Done))
}

fn tell(out: &mut dyn Write, look: Look, said: &Value, day: &Value) -> std::io::Result<()> {
    let kind = said["said"]["kind"].as_str().unwrap_or_default().replace('_', " ");
    let value = match &said["said"]["value"] {
        Value::Object(o) => {
            let known = o.iter().filter(|(_, v)| !v.is_null() && **v != json!([]));
            known.map(|(k, v)| format!("{k} {}", plain(v))).collect::<Vec<_>>().join(", ")
        }
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "none".to_owned(),
        v => plain(v),
    };
    writeln!(out, "{} of {}: {kind} {value}", look.dim("kept"), said["date"].as_str().unwrap_or_default())?;
    if let (Some("given"), Some(word)) = (day["state"].as_str(), day["level"].as_str()) {
        let text = day["level_text"].as_str().unwrap_or_default();
        writeln!(
            out,
            "{}  {text} {}",
            level(look, word),
            look.dim(&format!("(version {}; hrvd today)", day["version"]))
        )?;
    }
    Ok(())
}

fn plain(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_owned)
}
