//! One source of configuration: text in, typed values with their places out. All errors of the text at once.

use super::error::{Origin, Problem};
use super::raw::Raw;
use super::schema::{self, LISTS};
use super::value::HINT;
use config::{Map, Value, ValueKind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// What one source says.
#[derive(Debug, Default)]
pub(super) struct Digest {
    /// The values in their types; what the source does not set is the default.
    pub(super) raw: Raw,
    /// Leaves that the source sets, outside the lists, by dotted path.
    pub(super) leaves: BTreeMap<String, (toml::Value, Origin)>,
    /// Places of everything, lists included: `athlete[0].slug`.
    pub(super) places: BTreeMap<String, Origin>,
    /// Paths that were refused and reported.
    pub(super) refused: BTreeSet<String>,
}

/// Reads a TOML text. `None` if it is no TOML at all.
///
/// serde stops at the first error. To get them all, a refused value is cut out of the tree and the rest is read again.
pub(super) fn digest(
    text: &str,
    place: &dyn Fn(Range<usize>) -> Origin,
    problems: &mut Vec<Problem>,
) -> Option<Digest> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        syntax(text, &errors, place, problems);
        return None;
    }
    let whole = tree.span();
    let mut tree = tree.into_inner();
    let mut digest = Digest::default();
    let mut refuse = |path: String, problem: Problem| {
        problems.push(problem);
        digest.refused.insert(path);
    };
    drop_unknown(&mut tree, "", "", place, &mut refuse);
    loop {
        let error = match Raw::deserialize(toml::de::Deserializer::from(Spanned::new(whole.clone(), tree.clone()))) {
            Ok(raw) => {
                digest.raw = raw;
                break;
            }
            Err(error) => error,
        };
        let culprit = error.span().and_then(|span| smallest(&tree, &span, ""));
        let Some(culprit) = culprit else {
            // Without a place nothing can be cut out; report it and take nothing from this source.
            problems.push(Problem::error(place(error.span().unwrap_or_default()), error.message()));
            return None;
        };
        refuse(culprit.path.clone(), value_problem(error.message(), &culprit, place));
        remove(&mut tree, "", &culprit.path);
    }
    collect(&tree, "", false, place, &mut digest);
    Some(digest)
}

/// Syntax errors: one a line, because what follows on the same line is mostly a consequence.
fn syntax(text: &str, errors: &[toml::de::Error], place: &dyn Fn(Range<usize>) -> Origin, problems: &mut Vec<Problem>) {
    let mut lines = BTreeSet::new();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let line = text.get(..span.start).unwrap_or(text).matches('\n').count();
        if lines.insert(line) {
            problems.push(Problem::error(place(span), format!("invalid TOML: {}", error.message())));
        }
    }
}

/// Reports and removes keys that do not exist. `table` is the path in the schema, `at` the path in this text.
fn drop_unknown(
    tree: &mut DeTable<'_>,
    table: &str,
    at: &str,
    place: &dyn Fn(Range<usize>) -> Origin,
    refuse: &mut dyn FnMut(String, Problem),
) {
    let known = schema::keys(table).unwrap_or_default();
    retain(tree, |key, value| {
        let name: &str = key.get_ref();
        let (path, shown) = (schema::join(table, name), schema::join(at, name));
        if !known.contains(&name) {
            let what = if value.get_ref().is_table() && table.is_empty() { "table" } else { "key" };
            let message = format!("unknown {what} '{name}' in {}", schema::header(table));
            let mut problem = Problem::error(place(key.span()), message);
            problem.hints = schema::advice(table, name);
            refuse(shown, problem);
            return false;
        }
        let list = LISTS.contains(&path.as_str());
        match value.get_mut() {
            DeValue::Table(_) if list => {
                let message = format!("expected a list of tables, found one table '{name}'");
                let problem = Problem::error(place(key.span()), message).hint(format!("write [[{name}]]"));
                refuse(shown, problem);
                return false;
            }
            DeValue::Table(inner) if schema::keys(&path).is_some() => {
                drop_unknown(inner, &path, &shown, place, refuse);
            }
            DeValue::Array(items) if list => {
                for (n, item) in items.iter_mut().enumerate() {
                    if let DeValue::Table(inner) = item.get_mut() {
                        drop_unknown(inner, &path, &format!("{shown}[{n}]"), place, refuse);
                    }
                }
            }
            _ => {}
        }
        true
    });
}

/// An entry of a table.
struct Entry {
    path: String,
    span: Range<usize>,
    found: String,
}

/// The smallest entry that an error can mean.
fn smallest(tree: &DeTable<'_>, wanted: &Range<usize>, at: &str) -> Option<Entry> {
    let mut best: Option<Entry> = None;
    let mut offer = |entry: Entry| {
        if best.as_ref().is_none_or(|b| entry.span.len() < b.span.len()) {
            best = Some(entry);
        }
    };
    for (key, value) in tree {
        let path = schema::join(at, key.get_ref());
        for span in [key.span(), value.span()] {
            if span.start <= wanted.start && wanted.end <= span.end {
                offer(Entry { path: path.clone(), span: value.span(), found: describe(value.get_ref()) });
            }
        }
        match value.get_ref() {
            DeValue::Table(inner) => smallest(inner, wanted, &path).map(&mut offer),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    let inner = item.get_ref().as_table();
                    inner.and_then(|t| smallest(t, wanted, &format!("{path}[{n}]"))).map(&mut offer);
                }
                None
            }
            _ => None,
        };
    }
    best
}

/// `Map::retain` wants plain keys.
fn retain<'i>(tree: &mut DeTable<'i>, mut keep: impl FnMut(&Spanned<DeString<'i>>, &mut Spanned<DeValue<'i>>) -> bool) {
    for (key, mut value) in std::mem::take(tree) {
        if keep(&key, &mut value) {
            tree.insert(key, value);
        }
    }
}

fn remove(tree: &mut DeTable<'_>, at: &str, target: &str) {
    retain(tree, |key, value| {
        let path = schema::join(at, key.get_ref());
        match value.get_mut() {
            DeValue::Table(inner) => remove(inner, &path, target),
            DeValue::Array(items) => {
                for (n, item) in items.iter_mut().enumerate() {
                    if let DeValue::Table(inner) = item.get_mut() {
                        remove(inner, &format!("{path}[{n}]"), target);
                    }
                }
            }
            _ => {}
        }
        path != target
    });
}

/// What stands there, in words.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
        DeValue::String(_) => "a text".to_owned(),
        DeValue::Integer(n) => format!("the number {n}"),
        DeValue::Float(n) => format!("the number {}", n.as_str()),
        DeValue::Boolean(b) => format!("{b} without quotes"),
        DeValue::Datetime(_) => "a date or time without quotes".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn value_problem(message: &str, entry: &Entry, place: &dyn Fn(Range<usize>) -> Origin) -> Problem {
    let (message, hint) = match message.split_once(HINT) {
        Some((message, hint)) => (message, Some(hint)),
        None => (message, None),
    };
    // serde's own words for a wrong type name Rust types; keep what was expected and say what stands there.
    let expected = message.strip_prefix("invalid type: ").and_then(|m| m.split_once(", expected ")).map(|(_, e)| e);
    let message = match expected {
        Some("a boolean") => format!("expected true or false, found {}", entry.found),
        Some("a sequence") => format!("expected a list of tables, found {}", entry.found),
        Some(expected) => format!("expected {expected}, found {}", entry.found),
        None => message.to_owned(),
    };
    let key = entry.path.rsplit('.').next().unwrap_or(&entry.path);
    let problem = Problem::error(place(entry.span.clone()), format!("{key}: {message}"));
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Notes the place of everything, and the leaves outside the lists.
fn collect(tree: &DeTable<'_>, at: &str, in_list: bool, place: &dyn Fn(Range<usize>) -> Origin, into: &mut Digest) {
    for (key, value) in tree {
        let path = schema::join(at, key.get_ref());
        into.places.insert(path.clone(), place(value.span()));
        match value.get_ref() {
            DeValue::Table(inner) => collect(inner, &path, in_list, place, into),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    let path = format!("{path}[{n}]");
                    into.places.insert(path.clone(), place(item.span()));
                    if let DeValue::Table(inner) = item.get_ref() {
                        collect(inner, &path, true, place, into);
                    }
                }
            }
            _ if in_list => {}
            _ => {
                let leaf = toml::Value::deserialize(toml::de::ValueDeserializer::from(value.clone()));
                if let Ok(leaf) = leaf {
                    into.leaves.insert(path, (leaf, place(key.span())));
                }
            }
        }
    }
}

/// The layers, merged by config-rs; each value carries the number of its origin through the merge.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: Vec<Layer>,
    origins: Vec<Origin>,
}

#[derive(Clone, Debug)]
struct Layer(Map<String, Value>);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }
    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// The winning values.
pub(super) struct Merged {
    pub(super) raw: Raw,
    origins: BTreeMap<String, Origin>,
    pub(super) values: BTreeMap<String, toml::Value>,
}

impl Merged {
    /// Where the value of a key comes from.
    pub(super) fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }
}

impl Layers {
    /// Puts a layer on top.
    pub(super) fn push(&mut self, leaves: &BTreeMap<String, (toml::Value, Origin)>) {
        let mut layer = Map::new();
        for (path, (value, origin)) in leaves {
            let number = self.origins.len().to_string();
            self.origins.push(origin.clone());
            // The path is a key of config-rs' own path language: only known keys come here, and they are plain.
            layer.insert(path.clone(), Value::new(Some(&number), kind(value)));
        }
        self.layers.push(Layer(layer));
    }

    /// Merges the layers, the last one wins.
    pub(super) fn merge(self) -> Result<Merged, Box<Problem>> {
        let built = self.layers.into_iter().fold(config::Config::builder(), |all, layer| all.add_source(layer)).build();
        let internal =
            |e: &dyn std::fmt::Display| Box::new(Problem::error(Origin::Default, format!("layers do not merge: {e}")));
        let built = built.map_err(|e| internal(&e))?;
        let (mut origins, mut values) = (BTreeMap::new(), BTreeMap::new());
        winners(&built.cache, "", &mut |path, value| {
            let number = value.origin().and_then(|text| text.parse::<usize>().ok());
            if let Some(origin) = number.and_then(|n| self.origins.get(n)) {
                origins.insert(path.to_owned(), origin.clone());
            }
            values.insert(path.to_owned(), plain(value));
        });
        // Each layer was read in its types already, so this cannot fail by what somebody typed.
        let raw = built.try_deserialize().map_err(|e| internal(&e))?;
        Ok(Merged { raw, origins, values })
    }
}

fn kind(value: &toml::Value) -> ValueKind {
    match value {
        toml::Value::Integer(n) => ValueKind::I64(*n),
        toml::Value::Boolean(b) => ValueKind::Boolean(*b),
        toml::Value::Float(n) => ValueKind::Float(*n),
        toml::Value::String(text) => ValueKind::String(text.clone()),
        // No key outside the lists holds another type; serde has refused it before.
        other => ValueKind::String(other.to_string()),
    }
}

fn plain(value: &Value) -> toml::Value {
    match &value.kind {
        ValueKind::I64(n) => toml::Value::Integer(*n),
        ValueKind::Boolean(b) => toml::Value::Boolean(*b),
        ValueKind::Float(n) => toml::Value::Float(*n),
        other => toml::Value::String(other.to_string()),
    }
}

fn winners(value: &Value, at: &str, note: &mut dyn FnMut(&str, &Value)) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (key, value) in table {
                winners(value, &schema::join(at, key), note);
            }
        }
        _ => note(at, value),
    }
}
