//! Where two verdicts differ.

use super::verdict::Verdict;

/// One thing that differs, as words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `level`, `hard`, `score`, `confidence`, or `flag <id>`.
    pub what: String,
    /// In the first; absent where the first has no such flag.
    pub before: Option<String>,
    /// In the second.
    pub after: Option<String>,
}

/// Everything that somebody would see: level, advice, score, confidence, flags with their weights.
pub fn between(a: &Verdict, b: &Verdict) -> Vec<Difference> {
    let score = |v: &Verdict| v.score.map(|s| s.to_string());
    let plain = [
        ("level", Some(a.level.to_string()), Some(b.level.to_string())),
        ("hard", Some(a.hard.to_string()), Some(b.hard.to_string())),
        ("score", score(a), score(b)),
        ("confidence", Some(a.confidence.to_string()), Some(b.confidence.to_string())),
    ];
    let weight = |v: &Verdict, id| v.flags.iter().find(|f| f.id == id).map(|f| format!("weight {}", f.weight));
    let flags = super::FlagId::ALL.iter().map(|id| (format!("flag {id}"), weight(a, *id), weight(b, *id)));
    plain
        .into_iter()
        .map(|(what, x, y)| (what.to_owned(), x, y))
        .chain(flags)
        .filter(|(_, x, y)| x != y)
        .map(|(what, before, after)| Difference { what, before, after })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::{Day, V1, V2, assess};

    #[test]
    fn what_the_versions_make_of_a_short_night() {
        let mut sleep = vec![Some(8.0); 20];
        sleep.push(Some(4.5));
        let day = Day { sleep_h: sleep, hours_since_hard: Some(20.0), ..Day::default() };
        let all = between(&assess(&day, &V1), &assess(&day, &V2));
        let said: Vec<String> = all
            .iter()
            .map(|d| {
                let word = |w: &Option<String>| w.clone().unwrap_or_else(|| "-".into());
                format!("{}: {} > {}", d.what, word(&d.before), word(&d.after))
            })
            .collect();
        assert_eq!(said, ["level: EASY > CAUTION", "score: 50 > 67", "flag hard_recent: weight 1 > weight 0"]);
        assert_eq!(between(&assess(&day, &V2), &assess(&day, &V2)), []);
    }
}
