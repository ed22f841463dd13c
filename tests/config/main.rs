//! Configuration, from the outside.

#![allow(clippy::unwrap_used, clippy::panic)]

mod command;
mod layers;
mod refusals;
mod shipped;

use hrvd::config::{Loaded, Override, Request, Surroundings, load};
use jiff::tz::TimeZone;
use std::ffi::OsString;
use std::path::Path;

/// A snapshot without the expression, which here would repeat the whole table.
macro_rules! snapshot {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($text) })
    };
}

pub(crate) use snapshot;

/// A directory with files; an empty environment unless told otherwise.
pub(crate) struct Case {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) request: Request,
    pub(crate) around: Surroundings,
}

impl Case {
    pub(crate) fn new(main: &str) -> Self {
        Self::bytes(main.as_bytes())
    }
    pub(crate) fn bytes(main: &[u8]) -> Self {
        let case = Self::without_file();
        case.write("hrvd.toml", main);
        case
    }
    pub(crate) fn without_file() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let request = Request { file: Some(dir.path().join("hrvd.toml")), overrides: Vec::new() };
        let around = Surroundings { variables: Vec::new(), host_name: "pi".into(), time_zone: Some(TimeZone::UTC) };
        Self { dir, request, around }
    }
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.write(name, text);
        self
    }
    pub(crate) fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.around.variables.push((name.into(), value.into()));
        self
    }
    pub(crate) fn flag(mut self, key: &str, value: &str, flag: &str) -> Self {
        self.request.overrides.push(Override { key: key.into(), value: value.into(), flag: flag.into() });
        self
    }
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
    pub(crate) fn hide(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "DIR")
    }
    pub(crate) fn ok(&self) -> Loaded {
        load(&self.request, &self.around).unwrap_or_else(|e| panic!("{e}"))
    }
    pub(crate) fn warnings(&self) -> String {
        let all: Vec<String> = self.ok().warnings.iter().map(ToString::to_string).collect();
        self.hide(&all.join("\n"))
    }
    /// Whether no error says this.
    pub(crate) fn without(&self, complaint: &str) -> bool {
        load(&self.request, &self.around).err().is_none_or(|e| !e.to_string().contains(complaint))
    }
    pub(crate) fn errors(&self) -> String {
        match load(&self.request, &self.around) {
            Ok(loaded) => panic!("accepted: {:?}", loaded.config),
            Err(e) => self.hide(&e.to_string()),
        }
    }
}
