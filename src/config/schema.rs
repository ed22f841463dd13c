//! Which keys exist. The list is asked from serde's derives, so it cannot drift from [`super::raw`].

use super::raw::{
    Raw, RawAthlete, RawBluetooth, RawCheck, RawControl, RawGateway, RawLog, RawMqtt, RawReadiness, RawStore, RawStrap,
    RawTls, RawWindow,
};
use serde::de::{Deserialize, Deserializer, Visitor, value::Error};

/// The field names of a struct, in order.
fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    /// A deserializer without data: it only learns what is asked of it.
    struct Asked<'a>(&'a mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = Error;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("no data"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut found: &'static [&'static str] = &[];
    // It always fails, after it has told the names.
    let _ = T::deserialize(Asked(&mut found));
    found
}

/// Tables that repeat: `[[athlete]]`.
pub(super) const LISTS: [&str; 2] = ["athlete", "strap"];

/// Every table by its dotted path, with its keys; the root is `""`.
pub(super) fn tables() -> [(&'static str, &'static [&'static str]); 13] {
    [
        ("", fields::<Raw>()),
        ("gateway", fields::<RawGateway>()),
        ("mqtt", fields::<RawMqtt>()),
        ("mqtt.tls", fields::<RawTls>()),
        ("bluetooth", fields::<RawBluetooth>()),
        ("store", fields::<RawStore>()),
        ("check", fields::<RawCheck>()),
        ("readiness", fields::<RawReadiness>()),
        ("control", fields::<RawControl>()),
        ("log", fields::<RawLog>()),
        ("athlete", fields::<RawAthlete>()),
        ("athlete.wake_window", fields::<RawWindow>()),
        ("strap", fields::<RawStrap>()),
    ]
}

/// The keys of a table, if there is such a table.
pub(super) fn keys(table: &str) -> Option<&'static [&'static str]> {
    tables().into_iter().find(|(path, _)| *path == table).map(|(_, keys)| keys)
}

/// `table.key`, or `key` at the root.
pub(super) fn join(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// Every key that holds a value (no tables), as a dotted path in the order of the documentation.
pub fn known_keys() -> Vec<String> {
    let leaf = |path: &String| keys(path).is_none();
    let all = tables().into_iter().flat_map(|(table, keys)| keys.iter().map(move |key| join(table, key)));
    all.filter(leaf).collect()
}

/// How a table is written in the file.
pub(super) fn header(table: &str) -> String {
    match table {
        "" => "the top level".to_owned(),
        "athlete.wake_window" => "wake_window".to_owned(),
        list if LISTS.contains(&list) => format!("[[{list}]]"),
        table => format!("[{table}]"),
    }
}

/// The candidate nearest to what was typed, if it is near enough to be meant.
pub(super) fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let best = candidates.into_iter().map(|c| (distance(&typed, &c.to_ascii_lowercase()), c)).min()?;
    (best.0 <= 1.max(typed.chars().count() / 3)).then_some(best.1)
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Advice on keys that people expect and that are missing on purpose.
pub(super) fn missing_on_purpose(table: &str, key: &str) -> Option<&'static str> {
    match (table, key) {
        ("mqtt", "password" | "pass" | "passwd") => {
            Some("no secrets in the configuration: write the password to a file and name it with password_file")
        }
        ("mqtt", "url" | "uri" | "broker" | "server") => Some("write host = \"broker.lan\" and port = 1883"),
        ("mqtt" | "mqtt.tls", "insecure" | "skip_verify" | "verify" | "tls_insecure" | "insecure_skip_verify") => {
            Some("verification cannot be switched off: name your own certificate authority with ca_file")
        }
        _ => None,
    }
}

/// Advice on a key that does not exist in a table.
pub(super) fn advice(table: &str, key: &str) -> Vec<String> {
    if let Some(hint) = missing_on_purpose(table, key) {
        return vec![hint.to_owned()];
    }
    let here = keys(table).unwrap_or_default();
    if let Some(near) = nearest(key, here.iter().copied()) {
        return vec![format!("did you mean '{near}'?")];
    }
    let elsewhere = tables().into_iter().find(|(path, keys)| *path != table && keys.contains(&key));
    let mut hints = Vec::new();
    if let Some((other, _)) = elsewhere {
        hints.push(format!("there is a key '{key}' in {}", header(other)));
    }
    hints.push(format!("known here: {}", here.join(", ")));
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_tells_its_keys() {
        for (table, keys) in tables() {
            assert!(!keys.is_empty(), "{table}");
        }
        assert_eq!(keys("control"), Some(&["socket"][..]));
        let all = known_keys();
        assert!(all.contains(&"mqtt.tls.ca_file".to_owned()) && all.contains(&"athlete.wake_window.to".to_owned()));
        assert!(!all.contains(&"mqtt.tls".to_owned()));
    }

    #[test]
    fn near_means_a_slip_and_not_a_guess() {
        for (typed, want) in [
            ("hots", Some("host")),
            ("Host", Some("host")),
            ("live-interval", Some("live_interval")),
            ("intervall_live", None),
            ("prot", Some("port")),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, ["host", "port", "live_interval"]), want, "{typed}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
