//! RR text: one interval in ms a line, `#` comments, blank lines allowed. Nothing is guessed; bad lines are named.

use std::fmt;

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Line number, from 1.
    pub line: usize,
    /// The line, shortened.
    pub text: String,
    /// Cause.
    pub cause: &'static str,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: '{}'", self.line, self.cause, self.text)
    }
}

/// Parses a whole text; every bad line is reported, not only the first.
pub fn parse(text: &str) -> Result<Vec<f64>, Vec<LineError>> {
    let (mut rr, mut errors) = (vec![], vec![]);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (i, raw) in text.lines().enumerate() {
        let content = raw.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let cause = match content.parse::<f64>() {
            Ok(ms) if ms.is_finite() && ms > 0.0 && ms < 63_900.0 => {
                rr.push(ms);
                continue;
            }
            Ok(ms) if ms >= 63_900.0 => "longer than 63.9 s, no interval",
            Ok(_) => "not a positive interval",
            Err(_) => "not a number",
        };
        errors.push(LineError { line: i + 1, text: content.chars().take(40).collect(), cause });
    }
    if errors.is_empty() { Ok(rr) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_line_ends() {
        let text = "\u{feff}# a comment\r\n859\r\n\r\n867.5 # end of line\n  883  \n";
        assert_eq!(parse(text), Ok(vec![859.0, 867.5, 883.0]));
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn every_bad_line_is_named() {
        let errors = parse("800\nabc\n-5\n0\nNaN\n70000\n900,5\n801").unwrap_err();
        let got: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            got,
            [
                "line 2: not a number: 'abc'",
                "line 3: not a positive interval: '-5'",
                "line 4: not a positive interval: '0'",
                "line 5: not a positive interval: 'NaN'",
                "line 6: longer than 63.9 s, no interval: '70000'",
                "line 7: not a number: '900,5'",
            ]
        );
    }
}
