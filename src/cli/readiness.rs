//! `hrvd readiness FILE`: the verdict of any day, given as JSON. Nothing is read from the daemon or the store.

use super::exit::Exit;
use super::terminal::Terminal;
use crate::readiness::words::{self, Language};
use crate::readiness::{Day, Model, Refusal, assess, counterfactuals, json};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Arguments of `hrvd readiness`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReadinessArgs {
    /// A day, or several in the form of the worked days; - reads from stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Version of the model
    #[arg(long, value_name = "N", default_value = "1", value_parser = model)]
    pub algo: &'static Model,
    /// Language of sentences: en or de
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = language)]
    pub language: Language,
}

/// A version of the model by its number.
pub(super) fn model(text: &str) -> Result<&'static Model, String> {
    let known = || crate::readiness::MODELS.iter().map(|m| m.version.to_string()).collect::<Vec<_>>().join(", ");
    text.parse().ok().and_then(Model::of_version).ok_or_else(|| format!("versions are {}", known()))
}

fn language(text: &str) -> Result<Language, String> {
    text.parse().map_err(|_: String| "languages are en and de".into())
}

/// Runs it.
pub fn run(args: &ReadinessArgs, terminal: &mut Terminal<'_>) -> Exit {
    let name = args.file.display();
    let days = match read(&args.file) {
        Ok(days) => days,
        Err(lines) => {
            for line in lines {
                let _ = writeln!(terminal.err, "error: {name}: {line}");
            }
            return Exit::Usage;
        }
    };
    let written = days.iter().try_for_each(|(name, day)| {
        if terminal.json {
            let mut v = json::what_if(day, args.algo, args.language);
            if let (Some(o), Some(name)) = (v.as_object_mut(), name) {
                o.insert("name".into(), Value::from(name.as_str()));
            }
            writeln!(terminal.out, "{v}")
        } else {
            page(terminal.out, name.as_deref(), day, args)
        }
    });
    terminal.ends(written.map(|()| Exit::Done))
}

fn read(file: &Path) -> Result<Vec<(Option<String>, Day)>, Vec<String>> {
    let mut text = String::new();
    let got = if file == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|t| text = t)
    };
    got.map_err(|e| vec![format!("cannot be read: {e}")])?;
    let value: Value = serde_json::from_str(&text).map_err(|e| vec![format!("is no JSON: {e}")])?;
    json::days(&value).map_err(|bad| bad.iter().map(Refusal::to_string).collect())
}

fn page(out: &mut dyn Write, name: Option<&str>, day: &Day, args: &ReadinessArgs) -> io::Result<()> {
    let (model, lang) = (args.algo, args.language);
    let v = assess(day, model);
    let name = name.map_or(String::new(), |n| format!("{n}: "));
    writeln!(out, "{name}{}  {} {}", v.level, words::level(v.level, lang), words::hard(v.hard, lang))?;
    for f in &v.flags {
        let points = if f.weight > 0 { "!" } else { "i" };
        writeln!(out, "  {points} {}  {}", f.id, words::say(f, model, lang))?;
    }
    for n in &v.notes {
        writeln!(out, "  i {}", words::pattern(*n, lang))?;
    }
    for c in counterfactuals(day, model, &v).iter().filter(|c| !c.stricter) {
        writeln!(out, "  > {}", c.say(lang))?;
    }
    writeln!(out, "  {}", words::confidence(v.confidence, lang))
}
