//! Where a day stands.

use crate::check::words;
use std::fmt;
use std::str::FromStr;

words! {
    /// Where a day stands.
    DayState {
        /// No check, no verdict.
        None = "none",
        /// The check is done; the verdict is held back.
        WaitingForFeel = "waiting_for_feel",
        /// There is a verdict.
        Given = "given",
    }
}
