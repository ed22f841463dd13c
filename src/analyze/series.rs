//! RR intervals from a text file: one a line, in ms or in seconds.

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
    /// Cause.
    pub cause: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.cause)
    }
}

impl std::error::Error for LineError {}

/// Below this a value cannot be an interval in ms, above it none in seconds.
const UNIT_BORDER: f64 = 10.0;
/// Longest that a line may say, ms: a drop-out of ten minutes.
const LONGEST_MS: f64 = 600_000.0;

/// Reads RR text. Empty lines and lines that start with `#` are skipped. The unit is that of all values: a file in which
/// some look like ms and some like seconds is refused at the first that differs from the first value.
pub fn parse_rr_text(text: &str) -> Result<Series, LineError> {
    let mut values: Vec<f64> = Vec::new();
    let mut seconds = false;
    for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        let error = |cause: String| Err(LineError { line: i + 1, cause });
        let Ok(value) = word.parse::<f64>() else {
            let shown: String = word.chars().take(40).collect();
            return error(format!("'{shown}' is not a number"));
        };
        if !value.is_finite() || value <= 0.0 {
            return error(format!("'{word}' is not a positive interval"));
        }
        if values.is_empty() {
            seconds = value < UNIT_BORDER;
        }
        let in_seconds = value < UNIT_BORDER;
        // Seconds may hold a drop-out longer than ten seconds; ms below ten are no interval at all.
        if in_seconds && !seconds {
            return error(format!("{value} looks like seconds in a file in ms"));
        }
        if !in_seconds && seconds && value > LONGEST_MS / 1000.0 {
            return error(format!("{value} looks like ms in a file in seconds"));
        }
        let ms = if seconds { value * 1000.0 } else { value };
        if ms > LONGEST_MS {
            return error(format!("{value} is longer than ten minutes"));
        }
        values.push(ms);
    }
    if values.is_empty() {
        return Err(LineError { line: 1, cause: "no interval in the file".into() });
    }
    Ok(Series { rr_ms: values, gaps: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_units() {
        let want = [812.5, 900.0];
        for text in ["812.5\n900\n", "\u{feff}812.5\r\n900\r\n", "# note\n\n 812.5 \n9e2", "0.8125\n0.9\n"] {
            assert_eq!(parse_rr_text(text).unwrap().rr_ms, want, "{text:?}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, line, cause) in [
            ("", 1, "no interval"),
            ("900\nabc\n", 2, "'abc' is not a number"),
            ("900\n\n0\n", 3, "not a positive"),
            ("900\n-5\n", 2, "not a positive"),
            ("900\nNaN\n", 2, "not a positive"),
            ("900\ninf\n", 2, "not a positive"),
            ("900\n0,9\n", 2, "not a number"),
            ("900\n0.9\n", 2, "seconds in a file in ms"),
            ("0.9\n900\n", 2, "ms in a file in seconds"),
            ("900\n1e9\n", 2, "longer than ten minutes"),
            ("900 910\n", 1, "not a number"),
        ] {
            let e = parse_rr_text(text).unwrap_err();
            assert_eq!(e.line, line, "{text:?}");
            assert!(e.cause.contains(cause), "{text:?}: {}", e.cause);
        }
    }
}
