//! From files, environment and flags to one configuration, or to every reason against it.

use super::build;
use super::error::{ConfigError, Origin, Problem, Severity, SourceFile};
use super::model::Config;
use super::raw::Raw;
use super::read::{Digest, Layers, digest};
use super::roster::{Entry, Roster};
use super::schema;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration file if none is named.
pub const DEFAULT_FILE: &str = "/etc/hrvd/hrvd.toml";

/// A larger file is no configuration; a wrong path may lead to a device that never ends.
const LARGEST: u64 = 1 << 20;

/// What to load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// File named on the command line; it must exist. `None` takes [`DEFAULT_FILE`], which may be missing.
    pub file: Option<PathBuf>,
    /// Values set by flags.
    pub overrides: Vec<Override>,
}

/// A value set by a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Dotted key, such as `log.level`.
    pub key: String,
    /// Its value as text.
    pub value: String,
    /// The flag, for messages and `config show --origin`.
    pub flag: String,
}

/// What a configuration depends on beside its files. Injected, so that tests need no process environment.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The host's name; the gateway is called after it.
    pub host_name: String,
    /// The system's time zone, if it could be learned.
    pub time_zone: Option<TimeZone>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            time_zone: TimeZone::try_system().ok(),
        }
    }

    /// The value of a variable, if it is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value)
    }
}

/// One value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Dotted key, such as `mqtt.host` or `athlete[0].slug`.
    pub key: String,
    /// Value.
    pub value: toml::Value,
    /// Origin.
    pub origin: Origin,
}

/// A valid configuration and what is worth saying about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings; to be logged at start.
    pub warnings: Vec<Problem>,
    /// Every value that is set, with its origin.
    pub settings: Vec<Setting>,
    /// The files that were read, lowest layer first.
    pub files: Vec<PathBuf>,
}

/// Loads and checks the configuration.
pub fn load(request: &Request, around: &Surroundings) -> Result<Loaded, ConfigError> {
    let mut loader = Loader::default();
    let files = loader.files(request);
    loader.environment(around);
    for o in &request.overrides {
        loader.value(&o.key, &o.value, Origin::Flag(o.flag.clone()));
    }
    let main = request.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let Loader { layers, roster, refused, mut problems, .. } = loader;
    let merged = match layers.merge() {
        Ok(merged) => merged,
        Err(problem) => {
            problems.push(*problem);
            return Err(ConfigError::new(problems));
        }
    };
    let (config, settings) = build::build(&merged, &roster, &refused, (around, &main), &mut problems);
    match config {
        Some(config) if problems.iter().all(|p| p.severity == Severity::Warning) => {
            Ok(Loaded { config, warnings: problems, settings, files })
        }
        _ => Err(ConfigError::new(problems)),
    }
}

/// The environment variable of a key; `None` for keys that only a file can hold.
pub fn variable_of(key: &str) -> Option<String> {
    let section = key.split('.').next().unwrap_or_default();
    if schema::LISTS.contains(&section) {
        return None;
    }
    Some(format!("HRVD__{}", key.to_ascii_uppercase().replace('.', "__")))
}

#[derive(Default)]
struct Loader {
    layers: Layers,
    roster: Roster,
    refused: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Loader {
    fn files(&mut self, request: &Request) -> Vec<PathBuf> {
        // The defaults are a layer like any other, so that they need no second way of reading.
        let defaults = toml::to_string(&Raw::default()).unwrap_or_default();
        if let Some(defaults) = digest(&defaults, &|_| Origin::Default, &mut self.problems) {
            self.layers.push(&defaults.leaves);
        }
        let main = request.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let mut read = Vec::new();
        match self.file(&main) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && request.file.is_none() => {}
            Err(e) => self.unreadable(&main, &e),
            Ok(()) => read.push(main.clone()),
        }
        for path in self.fragments(&main.with_file_name("conf.d")) {
            match self.file(&path) {
                Ok(()) => read.push(path),
                Err(e) => self.unreadable(&path, &e),
            }
        }
        read
    }

    /// The fragments by name; other files (editor and package left-overs) are passed over.
    fn fragments(&mut self, dir: &Path) -> Vec<PathBuf> {
        let list = std::fs::read_dir(dir).and_then(|entries| {
            let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|e| e.path())).collect();
            paths
        });
        let mut paths = match list {
            Ok(paths) => paths,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(e) => {
                self.unreadable(dir, &e);
                return Vec::new();
            }
        };
        let hidden = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        paths.retain(|p| p.extension().is_some_and(|e| e == "toml") && !hidden(p));
        paths.sort();
        paths
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let what = if error.kind() == io::ErrorKind::NotFound { "there is no such file" } else { "cannot be read" };
        let mut problem = Problem::error(Origin::whole_file(path), format!("{}: {what}", path.display()));
        match error.kind() {
            io::ErrorKind::NotFound => {}
            io::ErrorKind::PermissionDenied => {
                problem.message = format!("{}: permission denied", path.display());
                problem = problem.hint("the daemon's user needs to read it: chown root:hrvd and chmod 0640");
            }
            _ => problem.message = format!("{}: {what}: {error}", path.display()),
        }
        self.problems.push(problem);
        self.roster.incomplete = true;
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
        }
        let text = match String::from_utf8(bytes) {
            // A byte order mark is what a Windows editor leaves.
            Ok(text) => text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            Err(e) => {
                let good = e.utf8_error().valid_up_to();
                let file =
                    SourceFile { path: path.to_owned(), text: String::from_utf8_lossy(e.as_bytes()).into_owned() };
                let origin = Origin::File { file: Arc::new(file), span: good..good + 1 };
                self.problems.push(Problem::error(origin, "the file is not UTF-8 text").hint("save it as UTF-8"));
                self.roster.incomplete = true;
                return Ok(());
            }
        };
        let file = Arc::new(SourceFile { path: path.to_owned(), text });
        let place = |span| Origin::File { file: file.clone(), span };
        match digest(&file.text, &place, &mut self.problems) {
            Some(digest) => self.take(digest),
            None => self.roster.incomplete = true,
        }
        Ok(())
    }

    fn take(&mut self, mut digest: Digest) {
        self.layers.push(&digest.leaves);
        self.roster.incomplete |= digest.refused.contains("athlete");
        let athletes = std::mem::take(&mut digest.raw.athlete).into_iter().enumerate();
        self.roster.athletes.extend(athletes.map(|(n, raw)| Entry::new(raw, &format!("athlete[{n}]"), &digest)));
        let straps = std::mem::take(&mut digest.raw.strap).into_iter().enumerate();
        self.roster.straps.extend(straps.map(|(n, raw)| Entry::new(raw, &format!("strap[{n}]"), &digest)));
        self.refused.append(&mut digest.refused);
    }

    fn environment(&mut self, around: &Surroundings) {
        let mut ours: Vec<_> = around.variables.iter().map(|(k, v)| (k.to_string_lossy(), v)).collect();
        ours.retain(|(name, _)| name.to_ascii_uppercase().starts_with("HRVD_"));
        ours.sort();
        for (name, value) in ours {
            let origin = Origin::Variable(name.clone().into_owned());
            let keys = schema::known_keys();
            let key = keys.iter().find(|key| variable_of(key).is_some_and(|v| v == name));
            match (key, value.to_str()) {
                (Some(key), Some(value)) => self.value(key, value, origin),
                (Some(_), None) => self.problems.push(Problem::error(origin, format!("{name} is not UTF-8 text"))),
                (None, _) => {
                    let problem = if is_slip(&name, &keys) { Problem::error } else { Problem::warning };
                    let hint = variable_advice(&name, &keys);
                    self.problems.push(problem(origin, format!("unknown variable {name}")).hint(hint));
                }
            }
        }
    }

    /// One value from outside the files. It is text; a number or a truth value where the key wants one.
    fn value(&mut self, key: &str, value: &str, origin: Origin) {
        let place = |_| origin.clone();
        let bare = matches!(value, "true" | "false") || value.parse::<i64>().is_ok_and(|n| n.to_string() == value);
        let quoted = format!("{key} = {}", toml::Value::String(value.to_owned()));
        let mut problems = Vec::new();
        let mut read = digest(&quoted, &place, &mut problems);
        if bare && !problems.is_empty() {
            problems.clear();
            read = digest(&format!("{key} = {value}"), &place, &mut problems);
        }
        self.problems.append(&mut problems);
        if let Some(digest) = read {
            self.take(digest);
        }
    }
}

/// Underscores are what people forget.
fn squeezed(text: &str) -> String {
    text.replace("__", "_")
}

/// Whether a setting is meant. `HRVD__` is ours alone; `HRVD_` may also name something of the scripts around the program,
/// unless a setting would have this name if not for the underscores.
fn is_slip(name: &str, keys: &[String]) -> bool {
    let upper = name.to_ascii_uppercase();
    let same = |key: &String| variable_of(key).is_some_and(|known| squeezed(&known) == squeezed(&upper));
    upper.starts_with("HRVD__") || keys.iter().any(same)
}

fn variable_advice(name: &str, keys: &[String]) -> String {
    let upper = name.to_ascii_uppercase();
    let path = upper.trim_start_matches("HRVD").trim_start_matches('_').to_ascii_lowercase();
    let section = path.split('_').next().unwrap_or_default();
    if schema::LISTS.contains(&section) {
        return "athletes and straps can be set in a file only".to_owned();
    }
    let (table, key) = path.rsplit_once("__").or_else(|| path.split_once('_')).unwrap_or(("", &path));
    if let Some(hint) = schema::missing_on_purpose(&table.replace("__", "."), key) {
        return hint.to_owned();
    }
    let names: Vec<String> = keys.iter().filter_map(|key| variable_of(key)).collect();
    let same = names.iter().find(|known| squeezed(known) == squeezed(&upper));
    let near = same.map(String::as_str).or_else(|| {
        let shared = |known: &&String| squeezed(known).split('_').nth(1) == Some(section.to_ascii_uppercase().as_str());
        schema::nearest(&upper, names.iter().filter(shared).map(String::as_str))
    });
    match near {
        Some(near) => format!("did you mean {near}?"),
        None => "variables are named HRVD__SECTION__KEY, such as HRVD__MQTT__HOST".to_owned(),
    }
}
