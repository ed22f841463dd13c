//! JSON values as YAML that a person would write.

use serde_json::Value;
use std::fmt::Write as _;

/// A value as YAML. Whatever could be read as something else is quoted as in JSON, which is YAML too.
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (n, (key, v)) in map.iter().enumerate() {
                if n > 0 {
                    indent(depth, out);
                }
                let _ = write!(out, "{}:", scalar(key));
                below(v, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (n, v) in items.iter().enumerate() {
                if n > 0 {
                    indent(depth, out);
                }
                out.push('-');
                match v {
                    // the first key stands beside the dash
                    Value::Object(map) if !map.is_empty() => {
                        out.push(' ');
                        block(v, depth + 1, out);
                    }
                    _ => below(v, depth + 1, out),
                }
            }
        }
        _ => {
            let _ = writeln!(out, "{}", plain(value));
        }
    }
}

/// What follows a `key:` or a dash.
fn below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => nested(value, depth, out),
        Value::Array(items) if !items.is_empty() => nested(value, depth, out),
        Value::String(text) if text.contains('\n') && text.lines().all(|l| !l.starts_with([' ', '\t'])) => {
            out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in text.lines() {
                if !line.is_empty() {
                    indent(depth, out);
                }
                out.push_str(line);
                out.push('\n');
            }
        }
        _ => {
            let _ = writeln!(out, " {}", plain(value));
        }
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    out.push('\n');
    indent(depth, out);
    block(value, depth, out);
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// Words that YAML 1.1 takes for something else.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

fn scalar(text: &str) -> String {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | ' ');
    let simple = text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(inner)
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_lowercase().as_str());
    // an icon: a colon inside a word divides nothing
    let icon = text
        .strip_prefix("mdi:")
        .is_some_and(|t| t.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit()));
    if simple || icon { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dashboard_as_a_person_would_write_it() {
        let v = json!({
            "title": "Strap", "views": [{"path": "today", "cards": [{"type": "tile", "n": 1}, "x"], "empty": [], "none": {}}],
            "deep": {"a": {"b": [[1, 2], [3]]}}, "icon": "mdi:heart-pulse", "text": "one\n\ntwo", "end": "line\n",
        });
        let want = "title: Strap\nviews:\n  - path: today\n    cards:\n      - type: tile\n        \"n\": 1\n      - x\n    empty: []\n    \
                    none: {}\ndeep:\n  a:\n    b:\n      -\n        - 1\n        - 2\n      -\n        - 3\nicon: mdi:heart-pulse\n\
                    text: |-\n  one\n\n  two\nend: |\n  line\n";
        assert_eq!(yaml(&v), want);
    }

    #[test]
    fn what_yaml_would_misread_is_quoted() {
        for (text, want) in [
            ("on", "\"on\""),
            ("No", "\"No\""),
            ("12:30", "\"12:30\""),
            ("1", "\"1\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("{{ x }}", "\"{{ x }}\""),
            ("- x", "\"- x\""),
            ("x ", "\"x \""),
            ("*", "\"*\""),
            ("sensor.alex_heart_rate", "sensor.alex_heart_rate"),
            ("Zoë und Jörg", "Zoë und Jörg"),
        ] {
            assert_eq!(scalar(text), want);
        }
    }
}
