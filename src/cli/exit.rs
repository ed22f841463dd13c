//! How the program ends. Scripts and the systemd unit rely on these numbers; they never change their meaning.

use std::process::{ExitCode, Termination};

/// Exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It went wrong; the reason is on stderr.
    Failed = 1,
    /// The configuration or the command line is wrong: trying again cannot help. The unit does not restart on it.
    Usage = 2,
    /// The daemon does not answer, or what was asked for does not exist: no strap in reach, no such athlete, no data.
    NotFound = 3,
    /// The check ended without a result: cancelled, the strap was lost, or no honest number exists.
    NoResult = 4,
}

impl Exit {
    /// Every code.
    pub const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::Usage, Self::NotFound, Self::NoResult];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for the help text.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "it went wrong; the reason is on stderr",
            Self::Usage => "the configuration or the command line is wrong",
            Self::NotFound => "the daemon does not answer, or nothing was found",
            Self::NoResult => "the check ended without a result",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}
