//! `hrvd config check` and `hrvd config show`.

use super::exit::Exit;
use super::terminal::Terminal;
use crate::config::{Loaded, Origin, Problem, Request, Setting, Severity, Surroundings, load};
use crate::store::Query;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io;

/// Reports every error and warning. Exit code 2 if the daemon would not start.
pub fn check(request: &Request, around: &Surroundings, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let (problems, files) = match load(request, around) {
        Ok(loaded) => (loaded.warnings, Some(loaded.files)),
        Err(error) => (error.problems, None),
    };
    if terminal.json {
        let of = |severity| problems.iter().filter(|p| p.severity == severity).map(problem_json).collect::<Vec<_>>();
        let report = json!({
            "valid": files.is_some(), "files": files, "errors": of(Severity::Error), "warnings": of(Severity::Warning),
        });
        writeln!(terminal.out, "{report}")?;
    } else {
        for problem in &problems {
            writeln!(terminal.err, "{problem}")?;
        }
        match &files {
            Some(files) => writeln!(terminal.out, "{}", verdict(files, problems.len()))?,
            None => {
                let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
                writeln!(terminal.err, "{}", count(errors, "error"))?;
            }
        }
    }
    Ok(if files.is_some() { Exit::Done } else { Exit::Usage })
}

fn verdict(files: &[std::path::PathBuf], warnings: usize) -> String {
    let mut text = match files {
        [] => "valid: there is no file, the built-in defaults hold".to_owned(),
        files => {
            let names: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
            format!("valid: {}", names.join(", "))
        }
    };
    if warnings > 0 {
        let _ = write!(text, " ({})", count(warnings, "warning"));
    }
    text
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn problem_json(problem: &Problem) -> Value {
    json!({ "message": problem.message(), "origin": origin_json(&problem.origin), "hints": problem.hints() })
}

fn origin_json(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::Derived(from) => json!({ "kind": "derived", "from": from }),
        Origin::Variable(name) => json!({ "kind": "environment", "variable": name }),
        Origin::Flag(name) => json!({ "kind": "flag", "flag": name }),
        Origin::Set(at) => json!({ "kind": "mqtt", "at": at.map(|t| t.to_string()) }),
        Origin::File { file, .. } => {
            let position = origin.position();
            let (line, column) = (position.map(|p| p.0), position.map(|p| p.1));
            json!({ "kind": "file", "file": file.path, "line": line, "column": column })
        }
    }
}

/// Prints the configuration in force.
pub fn show(request: &Request, around: &Surroundings, origin: bool, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let mut loaded = match load(request, around) {
        Ok(loaded) => loaded,
        Err(error) => {
            writeln!(terminal.err, "{error}")?;
            return Ok(Exit::Usage);
        }
    };
    for warning in &loaded.warnings {
        writeln!(terminal.err, "{warning}")?;
    }
    // what was set while the daemon ran lies in its database, if this user may look there
    let path = &loaded.config.store.path;
    match path.try_exists() {
        Ok(false) => {}
        Ok(true) => match Query::open(path).and_then(|q| q.preferences()) {
            Ok(stored) => loaded.overlay(&stored),
            Err(e) => writeln!(terminal.err, "warning: what was set by MQTT is not shown: {e}")?,
        },
        Err(e) => writeln!(terminal.err, "warning: what was set by MQTT is not shown: {}: {e}", path.display())?,
    }
    if terminal.json {
        writeln!(terminal.out, "{:#}", tree(&loaded, origin))?;
    } else {
        write!(terminal.out, "{}", toml(&loaded.settings, origin))?;
    }
    Ok(Exit::Done)
}

/// `athlete[0].wake_window.from` is table `athlete[0]`, key `wake_window.from`; `mqtt.tls.enabled` is table `mqtt.tls`.
fn split(key: &str) -> (&str, &str) {
    let at = if key.contains('[') { key.find('.') } else { key.rfind('.') };
    at.map_or(("", key), |at| (&key[..at], &key[at + 1..]))
}

fn toml(settings: &[Setting], origin: bool) -> String {
    let lines: Vec<(&str, String, &Setting)> = settings
        .iter()
        .map(|s| {
            let (table, key) = split(&s.key);
            (table, format!("{key} = {}", s.value), s)
        })
        .collect();
    let width = lines.iter().map(|(_, line, _)| line.chars().count()).max().unwrap_or(0);
    let (mut text, mut current) = (String::new(), "");
    for (table, line, setting) in lines {
        if table != current {
            let blank = if current.is_empty() { "" } else { "\n" };
            let _ = match table.split_once('[') {
                Some((list, _)) => writeln!(text, "{blank}[[{list}]]"),
                None => writeln!(text, "{blank}[{table}]"),
            };
            current = table;
        }
        let _ = match origin {
            true => writeln!(text, "{line:width$}  # {}", setting.origin),
            false => writeln!(text, "{line}"),
        };
    }
    text
}

/// The same as nested JSON; with `origin` each value is an object of value and origin.
fn tree(loaded: &Loaded, origin: bool) -> Value {
    let mut root = Map::new();
    for setting in &loaded.settings {
        let plain = serde_json::to_value(&setting.value).unwrap_or_default();
        let value = if origin { json!({ "value": plain, "origin": origin_json(&setting.origin) }) } else { plain };
        insert(&mut root, &setting.key, value);
    }
    for list in ["athlete", "strap"] {
        root.entry(list).or_insert_with(|| json!([]));
    }
    Value::Object(root)
}

fn insert(into: &mut Map<String, Value>, key: &str, value: Value) {
    let Some((table, rest)) = key.split_once('.') else {
        into.insert(key.to_owned(), value);
        return;
    };
    let slot = match table.split_once('[') {
        // Entries come in order, so the last one is the current one until its number is passed.
        Some((list, number)) => {
            let entry = into.entry(list).or_insert_with(|| json!([]));
            let Value::Array(items) = entry else { return };
            let wanted = number.trim_end_matches(']').parse::<usize>().unwrap_or(0);
            while items.len() <= wanted {
                items.push(json!({}));
            }
            items.get_mut(wanted)
        }
        None => Some(into.entry(table).or_insert_with(|| json!({}))),
    };
    if let Some(Value::Object(inner)) = slot {
        insert(inner, rest, value);
    }
}
