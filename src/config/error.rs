//! What is wrong with a configuration, where exactly, and what would help.

use jiff::Timestamp;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A configuration file and its text, kept for pointing into it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its text; empty if it could not be read.
    pub text: String,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// Follows from something else, named here.
    Derived(&'static str),
    /// Bytes of a file.
    File {
        /// Which file.
        file: Arc<SourceFile>,
        /// Which bytes of its text.
        span: Range<usize>,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
    /// An MQTT command while the daemon ran, and when that was.
    Set(Option<Timestamp>),
}

impl Origin {
    /// A file as a whole, for instance one that cannot be read.
    pub(super) fn whole_file(path: &Path) -> Self {
        let file = Arc::new(SourceFile { path: path.to_owned(), text: String::new() });
        Self::File { file, span: 0..0 }
    }

    /// Line and column, from one, if it is a place in a file.
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::File { file, span } if !file.text.is_empty() => {
                let at = Position::of(&file.text, span);
                Some((at.line, at.column))
            }
            _ => None,
        }
    }

    /// Sorting by this key puts problems in the order of layers, files and lines.
    fn order(&self) -> (u8, PathBuf, usize) {
        match self {
            Self::Default => (0, PathBuf::new(), 0),
            Self::Derived(_) => (1, PathBuf::new(), 0),
            // `conf.d/x.toml` is read after `hrvd.toml`: the depth sorts before the name.
            Self::File { file, span } => {
                (2 + file.path.components().count().min(200) as u8, file.path.clone(), span.start)
            }
            Self::Variable(name) => (250, name.into(), 0),
            Self::Flag(name) => (251, name.into(), 0),
            Self::Set(_) => (252, PathBuf::new(), 0),
        }
    }
}

impl fmt::Display for Origin {
    /// Short: `default`, `/etc/hrvd/hrvd.toml:4`, `HRVD__MQTT__HOST`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Derived(from) => f.write_str(from),
            Self::File { file, .. } if file.text.is_empty() => write!(f, "{}", file.path.display()),
            Self::File { file, span } => {
                write!(f, "{}:{}", file.path.display(), Position::of(&file.text, span).line)
            }
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
            Self::Set(Some(at)) => write!(f, "set by MQTT, {}", at.strftime("%Y-%m-%d")),
            Self::Set(None) => f.write_str("set by MQTT"),
        }
    }
}

/// One-based line and column (in characters) of a span, and its line.
struct Position<'a> {
    line: usize,
    column: usize,
    width: usize,
    text: &'a str,
}

impl<'a> Position<'a> {
    fn of(text: &'a str, span: &Range<usize>) -> Self {
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(span.start), floor(span.end));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].split('\n').next().unwrap_or_default();
        let column = text[line_start..start].chars().count();
        let last = end.min(line_start + line.trim_end().len());
        let width = text.get(start..last).map_or(1, |s| s.chars().count()).max(1);
        Self { line: text[..line_start].matches('\n').count() + 1, column: column + 1, width, text: line.trim_end() }
    }

    /// The line as it may be shown: tabs as one blank, so that the caret stands right; a secret never.
    fn shown(&self) -> String {
        let line = self.text.replace('\t', " ");
        let secret = |at: &usize| {
            let key = line[..*at].trim_end().trim_end_matches(['"', '\'']).to_ascii_lowercase();
            ["password", "passwd", "pass", "secret", "token"].iter().any(|word| key.ends_with(word))
        };
        match line.match_indices('=').map(|(at, _)| at).find(secret) {
            Some(at) => format!("{}= …", &line[..at]),
            None => line,
        }
    }
}

/// Text that somebody typed, fit to be printed: on one line, and without the password of a URL.
fn printable(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if let Some((scheme, rest)) = out.split_once("://") {
        if let Some((_, host)) = rest.rsplit_once('@') {
            return format!("{scheme}://…@{host}");
        }
    }
    out
}

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The daemon runs, but somebody should look.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, a fragment without a full stop, as it was found.
    pub(super) message: String,
    /// Where.
    pub origin: Origin,
    /// Another place that belongs to it, with a word on why.
    pub also: Option<(&'static str, Origin)>,
    /// What would help.
    pub(super) hints: Vec<String>,
}

impl Problem {
    /// What is wrong, on one line and without secrets.
    pub fn message(&self) -> String {
        printable(&self.message)
    }
    /// What would help, likewise.
    pub fn hints(&self) -> Vec<String> {
        self.hints.iter().map(|hint| printable(hint)).collect()
    }
    /// All of it on one line, for the log.
    pub fn one_line(&self) -> String {
        let hints: String = self.hints().iter().map(|hint| format!("; hint: {hint}")).collect();
        format!("{} ({}){hints}", self.message(), printable(&self.origin.to_string()))
    }
    pub(super) fn error(origin: Origin, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), origin, also: None, hints: Vec::new() }
    }
    pub(super) fn warning(origin: Origin, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(origin, message) }
    }
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
    pub(super) fn also(mut self, why: &'static str, origin: Origin) -> Self {
        self.also = Some((why, origin));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{word}: {}", self.message())?;
        match &self.origin {
            Origin::File { file, .. } if file.text.is_empty() => writeln!(f, "  --> {}", file.path.display())?,
            Origin::File { file, span } => {
                let at = Position::of(&file.text, span);
                let margin = at.line.to_string().len();
                writeln!(f, "{:margin$} --> {}:{}:{}", "", file.path.display(), at.line, at.column)?;
                writeln!(f, "{:margin$} |", "")?;
                writeln!(f, "{} | {}", at.line, printable(&at.shown()))?;
                writeln!(f, "{:margin$} | {:indent$}{}", "", "", "^".repeat(at.width), indent = at.column - 1)?;
            }
            Origin::Variable(name) => writeln!(f, "  --> environment variable {}", printable(name))?,
            Origin::Flag(name) => writeln!(f, "  --> flag {name}")?,
            Origin::Set(_) => writeln!(f, "  --> set by MQTT")?,
            Origin::Default => writeln!(f, "  --> the built-in default")?,
            Origin::Derived(from) => writeln!(f, "  --> {from}")?,
        }
        if let Some((why, origin)) = &self.also {
            writeln!(f, "note: {why} {origin}")?;
        }
        for hint in self.hints() {
            writeln!(f, "hint: {hint}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one error; warnings may stand beside.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_cached_key(|p| p.origin.order());
        Self { problems }
    }
    /// Number of errors.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|p| p.severity == Severity::Error).count()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        match self.errors() {
            1 => f.write_str("the configuration has 1 error"),
            n => write!(f, "the configuration has {n} errors"),
        }
    }
}
