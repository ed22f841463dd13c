//! What setup writes: fragments beside the configuration file and the broker's password. Everything is staged first and
//! then put in place by renaming, so that nobody ever reads half a file; a file that somebody edited is left alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// First line of a fragment: the number changes with the text, so that an edit shows.
const HEAD: &str = "# Written by `hrvd setup`";

/// One file that shall be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    pub(super) text: Vec<u8>,
    pub(super) kind: Kind,
}

/// What kind of file, and so who may read it and whether it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A fragment of the configuration that carries its own mark.
    Fragment,
    /// A secret: mode 0600 in a folder of mode 0700, never shown.
    Secret,
    /// A drop-in for systemd.
    DropIn,
}

/// What has to happen with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    New,
    /// The text that goes.
    Replace(String),
    /// Somebody edited it: it stays.
    Edited(String),
}

impl Wanted {
    /// A fragment with its mark.
    pub(super) fn fragment(path: PathBuf, body: &str) -> Self {
        Self { path, text: marked(body).into_bytes(), kind: Kind::Fragment }
    }

    /// What would have to be done.
    pub(super) fn change(&self) -> io::Result<Change> {
        let old = match fs::read(&self.path) {
            Ok(old) => old,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Change::New),
            Err(e) => return Err(e),
        };
        if old == self.text {
            return Ok(Change::Nothing);
        }
        let text = String::from_utf8_lossy(&old).into_owned();
        Ok(match self.kind {
            Kind::Fragment if !is_unedited(&text) => Change::Edited(text),
            _ => Change::Replace(text),
        })
    }

    /// What changes, for people: lines that go and lines that come.
    pub(super) fn show(&self, change: &Change) -> Vec<String> {
        let path = self.path.display();
        let text = String::from_utf8_lossy(&self.text);
        let new: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
        let mut out = vec![];
        match (self.kind, change) {
            (_, Change::Nothing | Change::Edited(_)) => {}
            (Kind::Secret, Change::New) => out.push(format!("{path}: new, readable by root only, not shown")),
            (Kind::Secret, Change::Replace(_)) => out.push(format!("{path}: another password, not shown")),
            (_, Change::New) => {
                out.push(format!("{path}: new"));
                out.extend(new.iter().map(|l| format!("    {l}")));
            }
            (_, Change::Replace(old)) => {
                let old: Vec<&str> = old.lines().filter(|l| !l.starts_with('#')).collect();
                out.push(format!("{path}: changed"));
                out.extend(old.iter().filter(|l| !new.contains(l)).map(|l| format!("  - {l}")));
                out.extend(new.iter().filter(|l| !old.contains(l)).map(|l| format!("  + {l}")));
            }
        }
        out
    }
}

/// A body under its mark.
fn marked(body: &str) -> String {
    format!(
        "{HEAD} (mark {:08x}). Change it as you like: setup leaves an edited file alone.\n{body}",
        crate::recording::crc32(body.as_bytes())
    )
}

/// Whether a fragment is as setup wrote it.
pub(in crate::cli) fn is_unedited(text: &str) -> bool {
    let body = text.split_once('\n').map_or("", |(_, body)| body);
    text.starts_with(HEAD) && marked(body) == text
}

/// Files that are written and not yet in place. Dropped, they are gone.
#[derive(Debug, Default)]
pub(super) struct Staged(Vec<(PathBuf, PathBuf)>);

impl Staged {
    /// Writes each beside its place, forced to the card.
    pub(super) fn write(wanted: &[Wanted]) -> io::Result<Self> {
        let mut staged = Self::default();
        for w in wanted {
            let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", w.path.display()));
            let Some(dir) = w.path.parent() else { continue };
            let (folder, mode) = if w.kind == Kind::Secret { (0o700, 0o600) } else { (0o755, 0o644) };
            fs::DirBuilder::new().recursive(true).mode(folder).create(dir).map_err(named)?;
            let part = part_of(&w.path);
            match fs::remove_file(&part) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(named(e)),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part).map_err(named)?;
            staged.0.push((part, w.path.clone()));
            // whatever the umask of the shell is: the daemon has to read its configuration
            let put = file.set_permissions(fs::Permissions::from_mode(mode)).and_then(|()| file.write_all(&w.text));
            put.and_then(|()| file.sync_all()).map_err(named)?;
        }
        Ok(staged)
    }

    /// Puts them in place, one after the other; the number of those that are.
    pub(super) fn commit(mut self) -> io::Result<usize> {
        let mut done = 0;
        while !self.0.is_empty() {
            let (part, path) = &self.0[0];
            fs::rename(part, path)?;
            if let Some(dir) = path.parent() {
                File::open(dir)?.sync_all()?;
            }
            done += 1;
            self.0.remove(0);
        }
        Ok(done)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (part, _) in &self.0 {
            let _ = fs::remove_file(part);
        }
    }
}

/// Hidden and without the ending `.toml`: nobody reads it as configuration.
fn part_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut all: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        all.sort();
        all
    }

    #[test]
    fn an_edit_is_seen_and_what_setup_wrote_is_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("50-setup.toml");
        let old = Wanted::fragment(path.clone(), "[mqtt]\nhost = \"a\"\n");
        assert_eq!(old.change().unwrap(), Change::New);
        Staged::write(std::slice::from_ref(&old)).unwrap().commit().unwrap();
        assert_eq!(old.change().unwrap(), Change::Nothing);
        let new = Wanted::fragment(path.clone(), "[mqtt]\nhost = \"b\"\n");
        let change = new.change().unwrap();
        assert!(matches!(&change, Change::Replace(_)));
        let shown = new.show(&change).join("\n");
        assert!(shown.ends_with("changed\n  - host = \"a\"\n  + host = \"b\""), "{shown}");
        // any byte more is somebody's
        for edit in ["# mine\n", "\n", "[gateway]\nid = \"x\"\n"] {
            fs::write(&path, [old.text.as_slice(), edit.as_bytes()].concat()).unwrap();
            assert!(matches!(new.change().unwrap(), Change::Edited(_)), "{edit:?}");
        }
        fs::write(&path, "[mqtt]\nhost = \"b\"\n").unwrap();
        assert!(matches!(new.change().unwrap(), Change::Edited(_)), "a file without our mark");
    }

    #[test]
    fn what_is_staged_and_not_wanted_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("credentials/mqtt-password");
        let wanted = [
            Wanted { path: secret.clone(), text: b"s3cret\n".to_vec(), kind: Kind::Secret },
            Wanted::fragment(dir.path().join("50-setup.toml"), "x\n"),
        ];
        let staged = Staged::write(&wanted).unwrap();
        assert!(!secret.exists());
        drop(staged);
        assert_eq!((names(dir.path()), names(&dir.path().join("credentials"))), (vec!["credentials".into()], vec![]));
        // what a killed run left is no obstacle
        fs::write(part_of(&secret), "half").unwrap();
        assert_eq!(Staged::write(&wanted).unwrap().commit().unwrap(), 2);
        assert_eq!(names(dir.path()), ["50-setup.toml", "credentials"]);
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&secret), mode(secret.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read(&secret).unwrap(), b"s3cret\n");
        let shown = wanted[0].show(&Change::Replace("old".into())).join("");
        assert!(!shown.contains("s3cret") && !shown.contains("old"), "{shown}");
    }
}
