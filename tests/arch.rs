//! The architecture's promises, kept by a scan of the sources: who may name which dependency, who may touch the world.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A source file with its comments and its tests taken out, line by line.
struct Source {
    /// Path below `src`, with slashes.
    path: String,
    /// Lines as they are.
    lines: usize,
    /// (line number, code) without comments, string contents and `#[cfg(test)]` items.
    code: Vec<(usize, String)>,
}

impl Source {
    fn places(&self, found: impl Fn(&str) -> bool) -> Vec<String> {
        self.code.iter().filter(|(_, l)| found(l)).map(|(n, l)| format!("{}:{n}: {}", self.path, l.trim())).collect()
    }
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn sources() -> &'static [Source] {
    static ALL: OnceLock<Vec<Source>> = OnceLock::new();
    ALL.get_or_init(read_all)
}

fn read_all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = vec![];
    files(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 50, "the scan finds the sources");
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let whole_file_is_a_test = path.ends_with("_tests.rs");
        let code = if whole_file_is_a_test { vec![] } else { without_tests(&strip(&text)) };
        Source { path, lines: text.lines().count(), code }
    };
    paths.iter().map(read).collect()
}

/// Takes out comments and the contents of strings and characters; line ends stay.
fn strip(text: &str) -> String {
    let b: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut i = 0;
    let at = |i: usize| b.get(i).copied().unwrap_or('\0');
    while i < b.len() {
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < b.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        (c, _) => {
                            out.extend((c == '\n').then_some('\n'));
                            i += 1;
                        }
                    }
                    if depth == 0 || i >= b.len() {
                        break;
                    }
                }
            }
            'r' if (at(i + 1) == '"' || at(i + 1) == '#') && !ident(out.chars().last()) => {
                let hashes = b[i + 1..].iter().take_while(|c| **c == '#').count();
                if at(i + 1 + hashes) != '"' {
                    out.push('r');
                    i += 1;
                    continue;
                }
                i += 2 + hashes;
                while i < b.len() && !(at(i) == '"' && (1..=hashes).all(|k| at(i + k) == '#')) {
                    out.extend((at(i) == '\n').then_some('\n'));
                    i += 1;
                }
                i += 1 + hashes;
                out.push_str("\"\"");
            }
            '"' => {
                i += 1;
                while i < b.len() && at(i) != '"' {
                    let step = if at(i) == '\\' { 2 } else { 1 };
                    out.extend(b[i..(i + step).min(b.len())].iter().filter(|c| **c == '\n'));
                    i += step;
                }
                i += 1;
                out.push_str("\"\"");
            }
            // a character, not a lifetime
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < b.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
                out.push_str("' '");
            }
            c => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

fn ident(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Lines with their numbers, but for the items under `#[cfg(test)]`.
fn without_tests(code: &str) -> Vec<(usize, String)> {
    let mut out = vec![];
    let mut depth: Option<i32> = None; // inside a test item, once its first brace was seen
    let mut skipping = false;
    for (n, line) in code.lines().enumerate() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            (skipping, depth) = (true, None);
        }
        if !skipping {
            out.push((n + 1, line.to_owned()));
            continue;
        }
        for c in line.chars() {
            match c {
                '{' => depth = Some(depth.unwrap_or(0) + 1),
                '}' => depth = depth.map(|d| d - 1),
                // an item without a body ends at its semicolon
                ';' if depth.is_none() => skipping = false,
                _ => {}
            }
            if depth == Some(0) {
                skipping = false;
            }
        }
    }
    out
}

/// Whether `word` stands in the line as a word of its own.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !ident(before) && !ident(after)
    })
}

/// Everything outside the allowed files that names `word`.
fn strangers(word: &str, allowed: &[&str]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut bad = vec![];
    for s in sources() {
        let found = s.places(|l| names(l, word));
        match allowed.iter().find(|a| s.path == **a || (a.ends_with('/') && s.path.starts_with(**a))) {
            Some(a) if !found.is_empty() => drop(seen.insert(*a)),
            Some(_) => {}
            None => bad.extend(found),
        }
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>().len(),
        allowed.len(),
        "{word}: a place on the list needs it no more"
    );
    bad
}

#[track_caller]
fn only_in(word: &str, allowed: &[&str]) {
    let bad = strangers(word, allowed);
    assert!(bad.is_empty(), "'{word}' belongs into {allowed:?} only:\n{}", bad.join("\n"));
}

#[test]
fn the_scan_sees_code_and_nothing_else() {
    let text = "let a = \"unwrap()\"; // unwrap()\n/* tokio\n/* nested */ */ b.unwrap();\nlet c = '\"'; d();\nlet r = r#\"x\"y\"#;\n\
                fn f<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests {\n    fn g() { h.unwrap(); }\n}\nlast();\n#[cfg(test)]\nmod more;\nend();";
    let seen: Vec<(usize, String)> =
        without_tests(&strip(text)).into_iter().map(|(n, l)| (n, l.trim().to_owned())).collect();
    let want = [
        (1, "let a = \"\";"),
        (2, ""),
        (3, "b.unwrap();"),
        (4, "let c = ' '; d();"),
        (5, "let r = \"\";"),
        (6, "fn f<'a>(x: &'a str) {}"),
        (11, "last();"),
        (14, "end();"),
    ];
    assert_eq!(seen, want.map(|(n, l)| (n, l.to_owned())));
    assert!(names("use tokio::net;", "tokio") && !names("my_tokio", "tokio") && !names("tokio_util::x", "tokio"));
}

#[test]
fn each_client_lives_in_one_place() {
    only_in("btleplug", &["ble/bluez.rs"]);
    only_in("rumqttc", &["mqtt/link.rs"]);
    only_in("rusqlite", &["store/"]);
    // what the MQTT link is encrypted with
    only_in("rustls", &["mqtt/link.rs", "mqtt/tls.rs"]);
    only_in("rustls_native_certs", &["mqtt/tls.rs"]);
    only_in("sd_notify", &["daemon/systemd.rs"]);
    only_in("tracing_subscriber", &["logging.rs"]);
    only_in("tracing_journald", &["logging.rs"]);
    only_in("indicatif", &["cli/guide.rs"]);
    only_in("clap_complete", &["cli/args.rs", "cli/completions.rs"]);
    only_in("clap_mangen", &["cli/man.rs"]);
}

#[test]
fn clocks_are_read_in_one_file() {
    for clock in ["clock_gettime", "SystemTime", "Timestamp::now", "Zoned::now"] {
        let bad: Vec<String> =
            sources().iter().filter(|s| s.path != "clock.rs").flat_map(|s| s.places(|l| names(l, clock))).collect();
        assert!(bad.is_empty(), "{clock} belongs into src/clock.rs:\n{}", bad.join("\n"));
    }
    // A wait may be measured by the runtime's clock, which tests can stop.
    let bad: Vec<String> = sources()
        .iter()
        .filter(|s| s.path != "clock.rs")
        .flat_map(|s| s.places(|l| names(l, "Instant") && !l.contains("tokio::time::Instant")))
        .collect();
    assert!(bad.is_empty(), "only tokio::time::Instant, written in full:\n{}", bad.join("\n"));
}

#[test]
fn nothing_panics_on_data() {
    let words = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!(", "dbg!("];
    let bad: Vec<String> = sources().iter().flat_map(|s| s.places(|l| words.iter().any(|w| l.contains(w)))).collect();
    assert!(bad.is_empty(), "outside of tests:\n{}", bad.join("\n"));
    // and nobody allows himself to
    let bad: Vec<String> = sources()
        .iter()
        .flat_map(|s| {
            s.places(|l| l.contains("allow(") && l.contains("clippy::") && !l.contains("cfg_attr(test"))
                .into_iter()
                .filter(|l| ["unwrap", "expect_used", "panic", "disallowed"].iter().any(|w| l.contains(w)))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Modules of `src/lib.rs` that are there without the feature `daemon`.
fn core_modules() -> BTreeSet<String> {
    let mut edge = false;
    let mut core = BTreeSet::new();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[cfg(feature = \"daemon\")]") {
            edge = true;
        } else if let Some(name) = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';')) {
            if !std::mem::take(&mut edge) {
                core.insert(name.to_owned());
            }
        }
    }
    for must in ["engine", "check", "hrs", "hrv", "timeline", "artifact", "units"] {
        assert!(core.contains(must), "{must} belongs to the core");
    }
    core
}

/// Files of core modules that the feature `daemon` alone compiles, by the line above their `mod`.
fn edge_files_of_core(module: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module).join("mod.rs");
    let Ok(text) = std::fs::read_to_string(path) else { return BTreeSet::new() };
    let mut edge = false;
    let mut out = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[cfg(feature = \"daemon\")]") {
            edge = true;
        } else if let Some(name) = line.strip_suffix(';').and_then(|l| l.rsplit_once("mod ")).map(|(_, n)| n) {
            if std::mem::take(&mut edge) {
                out.insert(format!("{module}/{name}.rs"));
            }
        } else if !line.starts_with("#[") {
            edge = false;
        }
    }
    out
}

#[test]
fn the_core_touches_nothing() {
    let core = core_modules();
    let edges: BTreeSet<String> = core.iter().flat_map(|m| edge_files_of_core(m)).collect();
    let worldly = [
        "tokio",
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "std::thread",
        "std::io",
        "std::os",
        "tracing",
        "serde_json",
        "rustix",
        "async",
        "await",
        "Mutex",
        "println!",
        "eprintln!",
    ];
    let mut looked = 0;
    let mut bad = vec![];
    for s in sources() {
        let module = s.path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if !core.contains(&module) || edges.contains(&s.path) {
            continue;
        }
        looked += 1;
        bad.extend(s.places(|l| worldly.iter().any(|w| names(l, w))));
    }
    assert!(looked > 30, "{looked} files of the core");
    assert!(bad.is_empty(), "the core does no I/O and knows no runtime:\n{}", bad.join("\n"));
}

#[test]
fn unsafe_code_is_nowhere() {
    let bad: Vec<String> = sources().iter().flat_map(|s| s.places(|l| names(l, "unsafe"))).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// One noun a file, split past about 400 lines. Longer ones and why they stay.
const LONG: &[(&str, usize, &str)] = &[
    ("ble/arbiter.rs", 700, "one state machine: who may scan and connect; its transitions are read together"),
    ("ble/link.rs", 670, "one state machine: the life of one strap's link"),
    ("ble/bluez.rs", 650, "every work-around of the Bluetooth client in its one file"),
    ("check/machine.rs", 520, "one state machine: the protocol of a check"),
    ("daemon/hub.rs", 500, "the one select loop and what each input means"),
    ("mqtt/entity.rs", 500, "one table: every entity of the three devices"),
    ("readiness/desk.rs", 470, "one state machine: a person's day, what waits and what is given"),
    ("readiness/table.rs", 560, "one table: every sentence, in English and German"),
    ("store/writer.rs", 540, "one thread's state machine: journal, seal, trouble"),
];

#[test]
fn files_are_short() {
    let lengths: BTreeMap<String, usize> = sources().iter().map(|s| (s.path.clone(), s.lines)).collect();
    for (path, most, why) in LONG {
        let lines = lengths.get(*path).unwrap_or_else(|| panic!("{path} is on the list and gone"));
        assert!(lines <= most, "{path} has {lines} lines; {most} were allowed because: {why}");
        assert!(*lines > 400, "{path} is short now ({lines} lines): take it off the list");
    }
    let bad: Vec<String> = lengths
        .iter()
        .filter(|(p, n)| **n > 400 && !LONG.iter().any(|(l, ..)| l == p))
        .map(|(p, n)| format!("{p}: {n} lines"))
        .collect();
    assert!(bad.is_empty(), "split these, or list them with a reason:\n{}", bad.join("\n"));
}
