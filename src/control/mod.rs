//! The local control socket: JSON lines over a Unix socket, so that `hrvd check`, `live`, `adopt` and the rest talk to
//! the running daemon. Whoever may open the socket may read the heart of everybody here: it is mode 0660.

mod client;
mod server;

pub use client::{Client, ClientError};
pub use server::{Line, Request, Server, ServerError, Whose};

use crate::check::Posture;
use crate::units::{AthleteId, StrapId};
use serde::{Deserialize, Serialize};

/// What a client may ask, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// Stream every output from now on, after the present state of straps and checks.
    Subscribe {
        /// Only this athlete; everybody if absent.
        athlete: Option<String>,
    },
    /// Begin a check.
    StartCheck {
        /// For whom; may be left out if there is only one athlete.
        athlete: Option<String>,
        /// Posture, if not the athlete's own.
        posture: Option<String>,
    },
    /// End the running check.
    CancelCheck {
        /// Whose; may be left out if there is only one athlete.
        athlete: Option<String>,
    },
    /// Connect this strap from now on.
    Adopt {
        /// Bluetooth address.
        address: String,
        /// Whose strap it is.
        athlete: String,
        /// Name to show.
        name: Option<String>,
    },
    /// Never connect this strap again.
    Forget {
        /// Bluetooth address.
        address: String,
    },
    /// Let a strap go for a while, so that another app can have it, or take it back.
    Release {
        /// Bluetooth address.
        address: String,
        /// For how long; an hour if absent.
        minutes: Option<u32>,
        /// Take it back instead.
        #[serde(default)]
        end: bool,
    },
    /// A person says something about a day: the names and values of the MQTT topics `input/<what>/set`.
    Say {
        /// Who; may be left out if there is only one athlete.
        athlete: Option<String>,
        /// What about.
        what: String,
        /// The value, or an object as text.
        #[serde(default)]
        value: String,
        /// About which day, if not today.
        date: Option<String>,
    },
    /// Where a person's day stands.
    Today {
        /// Whose; may be left out if there is only one athlete.
        athlete: Option<String>,
    },
    /// Delete everything of a person.
    DeleteAthlete {
        /// Whose.
        athlete: String,
    },
    /// What the daemon is doing.
    Status,
    /// Move what was recorded so far into the database, for a reader.
    Seal,
}

/// Why an answer is no; the command line ends with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for does not exist.
    NotFound,
    /// The request is wrong: asking again cannot help.
    Invalid,
    /// It cannot be done now, or did not work.
    #[default]
    Failed,
}

impl Kind {
    const ALL: [Self; 3] = [Self::NotFound, Self::Invalid, Self::Failed];

    /// Stable word for JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
        }
    }

    /// The kind of this word; of a daemon that has no or other words: it did not work.
    pub fn of_word(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|k| word == Some(k.as_str())).unwrap_or_default()
    }
}

/// An answer that says no, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// In a word.
    pub kind: Kind,
    /// Cause.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a hint: it cannot be done now.
    pub fn new(message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, message: message.into(), hint: None }
    }
    /// For another reason.
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Picks the athlete a request means.
pub fn pick_athlete(asked: Option<&str>, known: &[AthleteId]) -> Result<AthleteId, Refusal> {
    let names = || known.iter().map(AthleteId::as_str).collect::<Vec<_>>().join(", ");
    match asked {
        Some(text) => {
            let id: AthleteId = text.parse().map_err(|e| Refusal::new(format!("{e}")).kind(Kind::Invalid))?;
            if known.contains(&id) {
                Ok(id)
            } else if known.is_empty() {
                Err(Refusal::new(format!("no athlete '{id}': nobody is known yet"))
                    .kind(Kind::NotFound)
                    .hint("hrvd adopt ADDRESS --athlete NAME makes one"))
            } else {
                Err(Refusal::new(format!("no athlete '{id}'")).kind(Kind::NotFound).hint(format!("known: {}", names())))
            }
        }
        None => match known {
            [only] => Ok(only.clone()),
            [] => Err(Refusal::new("no athlete is known yet")
                .kind(Kind::NotFound)
                .hint("hrvd adopt ADDRESS --athlete NAME makes one")),
            _ => Err(Refusal::new("which athlete?")
                .kind(Kind::Invalid)
                .hint(format!("--athlete with one of: {}", names()))),
        },
    }
}

/// Parses an optional posture.
pub fn pick_posture(asked: Option<&str>) -> Result<Option<Posture>, Refusal> {
    asked.map(|p| p.parse().map_err(|e: String| Refusal::new(e).kind(Kind::Invalid))).transpose()
}

/// Parses an address.
pub fn pick_address(text: &str) -> Result<StrapId, Refusal> {
    text.parse()
        .map_err(|e| Refusal::new(format!("{e}")).kind(Kind::Invalid).hint("hrvd scan lists straps that are near"))
}
