//! Secrets: they come from files only and are never shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// A text that does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself; hand it to the one who needs it, nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A file that holds a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordFile {
    /// Where.
    pub path: PathBuf,
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the password file {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds nothing.
    #[error("the password file {} is empty", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

/// Nobody's password is longer; a wrong path may lead to a device that never ends.
const LIMIT: u64 = 4096;

impl PasswordFile {
    /// Reads the password. One newline at the end does not belong to it.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let unreadable = |source| SecretError::Unreadable { path: self.path.clone(), source };
        let mut text = String::new();
        File::open(&self.path).and_then(|f| f.take(LIMIT + 1).read_to_string(&mut text)).map_err(unreadable)?;
        if text.len() as u64 > LIMIT {
            return Err(unreadable(io::Error::other(format!("longer than {LIMIT} bytes"))));
        }
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(SecretError::Empty { path: self.path.clone() });
        }
        Ok(Secret(line.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_is_cut_and_nothing_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let file = PasswordFile { path: path.clone() };
        for (bytes, want) in
            [("a b", "a b"), ("x\n", "x"), ("x\r\n", "x"), ("x\n\n", "x\n"), (" x ", " x "), ("pässwörd\n", "pässwörd")]
        {
            std::fs::write(&path, bytes).unwrap();
            let secret = file.read().unwrap();
            assert_eq!(secret.expose(), want);
            assert_eq!(format!("{secret:?}"), "Secret(…)");
        }
        for bytes in [&b""[..], b"\n", b"\r\n", b"\xff\xfe", &[b'x'; 4097]] {
            std::fs::write(&path, bytes).unwrap();
            assert!(file.read().is_err(), "{bytes:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file.read(), Err(SecretError::Unreadable { .. })));
    }
}
