//! What can go wrong with the store, in classes that each have one disposition.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the store. `Display` is a fragment; [`StoreError::hint`] says what helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room left; live values go on, history waits in memory.
    #[error("no space left for {}: {cause}", path.display())]
    Full {
        /// Of the database.
        path: PathBuf,
        /// As the system says it.
        cause: String,
    },
    /// The file or its directory cannot be written.
    #[error("{} cannot be written: {cause}", path.display())]
    ReadOnly {
        /// Of the database.
        path: PathBuf,
        /// As the system says it.
        cause: String,
    },
    /// Another process holds it.
    #[error("{} is in use by another process: {cause}", path.display())]
    Busy {
        /// Of the database.
        path: PathBuf,
        /// As the system says it.
        cause: String,
    },
    /// The content is damaged.
    #[error("{} is damaged: {cause}", path.display())]
    Corrupt {
        /// Of the database.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
    /// Written by a newer program.
    #[error("{} has schema version {found}; this program knows up to {known}", path.display())]
    TooNew {
        /// Of the database.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// Newest version that this program knows.
        known: i64,
    },
    /// A database of some other program.
    #[error("{} is a database, but not one of hrvd", path.display())]
    Foreign {
        /// Of the database.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{}: {cause}", path.display())]
    Io {
        /// Of the file.
        path: PathBuf,
        /// As the system says it.
        cause: String,
    },
    /// The database refused a row; trying again cannot help.
    #[error("{} refused a row: {cause}", path.display())]
    Rejected {
        /// Of the database.
        path: PathBuf,
        /// As SQLite says it.
        cause: String,
    },
    /// It may not be read, or not even looked for.
    #[error("{} cannot be read: {cause}", path.display())]
    Denied {
        /// Of the database.
        path: PathBuf,
        /// As the system says it.
        cause: String,
    },
    /// The store was stopped, or its thread ended.
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    /// Stable code for logs and documentation.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full { .. } => "E-STORE-001",
            Self::ReadOnly { .. } => "E-STORE-002",
            Self::Busy { .. } => "E-STORE-003",
            Self::Corrupt { .. } => "E-STORE-004",
            Self::TooNew { .. } => "E-STORE-005",
            Self::Foreign { .. } => "E-STORE-006",
            Self::Io { .. } => "E-STORE-007",
            Self::Stopped => "E-STORE-008",
            Self::Rejected { .. } => "E-STORE-009",
            Self::Denied { .. } => "E-STORE-010",
        }
    }

    /// What the owner can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Full { .. } => "free some space; what is held in memory is written as soon as there is room",
            Self::ReadOnly { .. } => {
                "check the owner and the mode of the directory, and whether the card went read-only"
            }
            Self::Busy { .. } => "stop the other hrvd, or the tool that has the file open",
            Self::Corrupt { .. } => "the damaged file is kept beside the new one; restore a backup if there is one",
            Self::TooNew { .. } => "install the newer hrvd again, or restore the .backup file made before the upgrade",
            Self::Foreign { .. } => "point the setting store.path to another file",
            Self::Io { .. } => "check the card and the file system",
            Self::Stopped => "see the log for what ended it",
            Self::Denied { .. } => "use sudo, or the user that the daemon runs as",
            Self::Rejected { .. } => "this is a defect of hrvd; please report it",
        }
    }

    /// Whether trying again later can help while live values go on.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::ReadOnly { .. } | Self::Busy { .. } | Self::Io { .. })
    }

    /// Classifies an error of a file operation.
    pub(super) fn io(path: &Path, e: &io::Error) -> Self {
        let (path, cause) = (path.to_owned(), e.to_string());
        match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, cause },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path, cause },
            _ => Self::Io { path, cause },
        }
    }

    /// Classifies an error of SQLite.
    pub(super) fn sql(path: &Path, e: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let (path, cause) = (path.to_owned(), e.to_string());
        match e.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full { path, cause },
            Some(Code::ReadOnly | Code::PermissionDenied | Code::CannotOpen) => Self::ReadOnly { path, cause },
            Some(Code::DatabaseBusy | Code::DatabaseLocked | Code::FileLockingProtocolFailed) => {
                Self::Busy { path, cause }
            }
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Corrupt { path, cause },
            Some(Code::SystemIoFailure | Code::OutOfMemory | Code::OperationInterrupted) => Self::Io { path, cause },
            _ => Self::Rejected { path, cause },
        }
    }
}

/// Attaches the path to errors of both kinds.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T, StoreError>;
}

impl<T> At<T> for rusqlite::Result<T> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|e| StoreError::sql(path, &e))
    }
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|e| StoreError::io(path, &e))
    }
}
