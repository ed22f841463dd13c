//! What the documents print is true of the program: commands parse, links lead somewhere, JSON is JSON.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::{CommandFactory, Parser};
use hrvd::cli::{Cli, Exit};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file of ours, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut files = vec![
        root().join("README.md"),
        root().join("CHANGELOG.md"),
        root().join("SECURITY.md"),
        root().join("PRIVACY.md"),
        root().join("tests/data/README.md"),
    ];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        files.push(entry.unwrap().path());
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "md"));
    files.into_iter().map(|f| (f.clone(), fs::read_to_string(f).unwrap())).collect()
}

/// Blocks between fences, with the language of each.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = vec![];
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                inside = true;
                out.push((language.trim().to_owned(), String::new()));
            }
            None if inside => {
                let block = &mut out.last_mut().unwrap().1;
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    assert!(!inside, "a fence is not closed");
    out
}

/// The text outside of fences.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// Code spans that begin with `hrvd `.
fn spans(text: &str) -> Vec<String> {
    let prose = prose(text);
    let spans = prose.split('`').skip(1).step_by(2);
    spans.map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|s| s.starts_with("hrvd ")).collect()
}

/// The arguments of an hrvd command in a line of shell, with its placeholders filled in.
fn command(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default().split(['>', '|']).next().unwrap_or_default();
    let mut words: Vec<&str> = line.split_whitespace().collect();
    while words.first().is_some_and(|w| matches!(*w, "sudo" | "env") || w.contains('=')) {
        words.remove(0);
    }
    (words.first() == Some(&"hrvd")).then(|| {
        let fill = |w: &str| match w {
            "ADDRESS" => "A0:9E:1A:9F:6E:53".to_owned(),
            "SLUG" | "NAME" => "alex".to_owned(),
            "WHAT" => "checks".to_owned(),
            "PART" => "discovery".to_owned(),
            "SHELL" => "bash".to_owned(),
            other => other.to_owned(),
        };
        words.into_iter().map(fill).collect()
    })
}

#[test]
fn every_printed_command_parses() {
    let mut seen = 0;
    for (file, text) in documents() {
        let shell = blocks(&text).into_iter().filter(|(language, _)| language == "sh").map(|(_, block)| block);
        let lines: Vec<String> = shell.flat_map(|b| b.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        for line in lines.iter().chain(&spans(&text)) {
            let Some(args) = command(line) else { continue };
            seen += 1;
            // a bare `hrvd config` or `hrvd adopt` in a sentence names the command and is no call
            if args.len() == 2 && Cli::command().find_subcommand(&args[1]).is_some() {
                continue;
            }
            if let Err(e) = Cli::try_parse_from(&args) {
                panic!("{}: '{line}': {e}", file.display());
            }
        }
    }
    assert!(seen >= 30, "only {seen} commands were found");
}

#[test]
fn the_readme_names_every_command_and_every_exit_code() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    for sub in Cli::command().get_subcommands().filter(|s| !s.is_hide_set()) {
        assert!(text.contains(&format!("| `hrvd {}", sub.get_name())), "{}", sub.get_name());
    }
    for exit in Exit::ALL {
        assert!(text.contains(&format!("| {} | {}", exit.code(), exit.meaning())), "{}", exit.code());
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let plain = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = plain.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text).lines().filter(|l| l.starts_with('#')).map(anchor).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut seen = 0;
    for (file, text) in documents() {
        for part in prose(&text).split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            if target.starts_with("http") {
                continue;
            }
            seen += 1;
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let there = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(there.exists(), "{}: {target}", file.display());
            if !fragment.is_empty() {
                let known = anchors(&fs::read_to_string(&there).unwrap());
                assert!(known.contains(fragment), "{}: no heading {target}", file.display());
            }
        }
    }
    assert!(seen >= 10, "only {seen} links were found");
}

#[test]
fn every_table_of_the_database_is_described() {
    let text = fs::read_to_string(root().join("docs/recording.md")).unwrap();
    let migrations: Vec<_> =
        fs::read_dir(root().join("src/store/migrations")).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(text.contains(&format!("Schema version {} ", migrations.len())), "{} migrations", migrations.len());
    let mut seen = 0;
    for sql in migrations.iter().map(|path| fs::read_to_string(path).unwrap()) {
        for line in sql.lines().filter_map(|l| l.strip_prefix("CREATE TABLE ")) {
            let name = line.split_whitespace().next().unwrap();
            assert!(text.contains(&format!("| `{name}` |")), "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} tables were found");
}

#[test]
fn every_json_line_is_json() {
    let mut seen = 0;
    for (file, text) in documents() {
        for (_, block) in blocks(&text).into_iter().filter(|(language, _)| language == "json") {
            for line in block.lines() {
                seen += 1;
                if let Err(e) = serde_json::from_str::<serde_json::Value>(line) {
                    panic!("{}: {line}: {e}", file.display());
                }
            }
        }
    }
    assert!(seen >= 15, "only {seen} lines were found");
}
