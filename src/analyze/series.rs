//! RR intervals from a text file: one a line, in ms or in seconds.

use crate::timeline::Beat;
use crate::units::Mono;
use std::cmp::Ordering;
use std::fmt;

/// Intervals with the gaps between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Intervals, ms.
    pub rr_ms: Vec<f64>,
    /// Before which interval beats are missing, and for how long, s; ascending.
    pub gaps: Vec<(usize, f64)>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Line, from 1.
    pub line: usize,
    /// What it says, shortened.
    pub text: String,
    /// Cause.
    pub cause: &'static str,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: '{}'", self.line, self.cause, self.text)
    }
}

impl std::error::Error for LineError {}

/// Below this a value cannot be an interval in ms, above it none in seconds.
const UNIT_BORDER: f64 = 10.0;
/// Longest that a line may say, ms: a drop-out of ten minutes.
pub(super) const LONGEST_MS: f64 = 600_000.0;

/// Reads RR text. `#` begins a comment, empty lines are skipped. The unit is that of most values, of the first if there
/// are as many of both; a value that can only be in the other unit is an error. Every bad line is named, not only the
/// first.
pub fn parse_rr_text(text: &str) -> Result<Series, Vec<LineError>> {
    let mut values: Vec<(usize, &str, f64)> = Vec::new();
    let mut errors = Vec::new();
    let error = |line: usize, word: &str, cause| LineError { line, text: word.chars().take(40).collect(), cause };
    for (i, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        let word = line.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        match word.parse::<f64>() {
            Err(_) => errors.push(error(i + 1, word, "not a number")),
            Ok(v) if !v.is_finite() || v <= 0.0 => errors.push(error(i + 1, word, "not a positive interval")),
            Ok(v) => values.push((i + 1, word, v)),
        }
    }
    let small = values.iter().filter(|v| v.2 < UNIT_BORDER).count();
    let unit_is_s = match (2 * small).cmp(&values.len()) {
        Ordering::Equal => values.first().is_some_and(|v| v.2 < UNIT_BORDER),
        most => most == Ordering::Greater,
    };
    let mut rr_ms: Vec<f64> = Vec::with_capacity(values.len());
    for (line, word, v) in values {
        let ms = if unit_is_s { v * 1000.0 } else { v };
        if !unit_is_s && v < UNIT_BORDER {
            errors.push(error(line, word, "looks like seconds in a file in ms"));
        } else if ms <= LONGEST_MS {
            rr_ms.push(ms);
        } else {
            let cause = if unit_is_s { "looks like ms in a file in seconds" } else { "longer than ten minutes" };
            errors.push(error(line, word, cause));
        }
    }
    errors.sort_by_key(|e| e.line);
    if rr_ms.is_empty() && errors.is_empty() {
        errors.push(LineError { line: 1, text: String::new(), cause: "no interval in the file" });
    }
    if errors.is_empty() { Ok(Series { rr_ms, gaps: Vec::new() }) } else { Err(errors) }
}

impl Series {
    /// From beats in time. `gap` says that the transport lost beats before one; how long follows from the times.
    pub fn from_beats(beats: impl IntoIterator<Item = (Beat, bool)>) -> Self {
        let mut out = Self::default();
        let mut last: Option<Mono> = None;
        for (beat, gap) in beats {
            if let (true, Some(last)) = (gap, last) {
                let us = beat.at.diff_micros(last) as f64;
                out.gaps.push((out.rr_ms.len(), (us / 1e6 - beat.rr.as_ms() / 1e3).max(0.0)));
            }
            out.rr_ms.push(beat.rr.as_ms());
            last = Some(beat.at);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_units() {
        let want = [812.5, 900.0];
        for text in [
            "812.5\n900\n",
            "812.5 # first\n900",
            "\u{feff}812.5\r\n900\r\n",
            "# note\n\n 812.5 \n9e2",
            "0.8125\n0.9\n",
        ] {
            assert_eq!(parse_rr_text(text).unwrap().rr_ms, want, "{text:?}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, want) in [
            ("", "line 1: no interval in the file: ''"),
            ("900\nabc\n", "line 2: not a number: 'abc'"),
            ("900\n\n0\n", "line 3: not a positive interval: '0'"),
            ("900\nNaN\n", "line 2: not a positive interval: 'NaN'"),
            ("900\n0,9\n", "line 2: not a number: '0,9'"),
            ("900\n0.9\n", "line 2: looks like seconds in a file in ms: '0.9'"),
            ("0.9\n900\n", "line 2: looks like ms in a file in seconds: '900'"),
            // The odd line is blamed, wherever it stands.
            ("12.5\n0.8\n0.9\n", ""),
            ("0.8\n900\n910\n", "line 1: looks like seconds in a file in ms: '0.8'"),
            ("# rest\n5\n900\n910\n", "line 2: looks like seconds in a file in ms: '5'"),
            ("900\n0.8\n0.9\n", "line 1: looks like ms in a file in seconds: '900'"),
            ("x\n900\n0.8\n0.9\n", "line 1: not a number: 'x'"),
            ("900\n1e9\n", "line 2: longer than ten minutes: '1e9'"),
            ("900 910\n", "line 1: not a number: '900 910'"),
        ] {
            let said = parse_rr_text(text).err().map(|e| e[0].to_string());
            assert_eq!(said.unwrap_or_default(), want, "{text:?}");
        }
        assert_eq!(parse_rr_text("12.5\n0.8\n0.9\n").unwrap().rr_ms, [12_500.0, 800.0, 900.0]);
        let both: Vec<usize> = parse_rr_text("x\n900\n0.8\n0.9\n").unwrap_err().iter().map(|e| e.line).collect();
        assert_eq!(both, [1, 2]);
        assert_eq!(parse_rr_text("900\nx\n-1\n910").unwrap_err().len(), 2);
    }

    #[test]
    fn gaps_get_their_length_from_the_times() {
        use crate::units::RrTicks;
        let beat = |s, ticks| Beat { at: Mono::from_secs(s), rr: RrTicks(ticks) };
        let s = Series::from_beats([(beat(10, 1024), true), (beat(11, 1024), false), (beat(17, 1024), true)]);
        assert_eq!(s, Series { rr_ms: vec![1000.0; 3], gaps: vec![(2, 5.0)] });
    }
}
