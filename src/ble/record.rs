//! What is held against a strap.

use crate::engine::LinkState;
use crate::verdict::PARAMS_DROP;

/// So many attempts in a row that failed, whatever was said about it, are no accident.
const ATTEMPTS: u32 = 3;

/// Counted until minutes of good data clear it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    /// Failures of any kind: the back-off follows them.
    pub(super) failures: u32,
    /// Connects that the strap refused, in a row.
    pub(super) refusals: u32,
    /// Attempts in a row that ended without a subscription and not by a refusal.
    pub(super) broken: u32,
    pub(super) drops: u32,
    /// Lengths of the last three connections that dropped, in s.
    lengths: [u64; 3],
}

impl Record {
    /// A connection of this length, in s, dropped.
    pub(super) fn dropped(&mut self, length: u64) {
        self.drops = self.drops.saturating_add(1);
        self.lengths = [self.lengths[1], self.lengths[2], length];
    }

    /// Whether connections end 30 s after they began, as if their parameters were refused.
    pub(super) fn drops_after_30s(&self) -> bool {
        self.drops >= 3 && self.lengths.iter().all(|s| PARAMS_DROP.contains(s))
    }

    /// The strap is away for long: what it did before explains nothing any more. The back-off stays.
    pub(super) fn is_old_news(&mut self) {
        *self = Self { failures: self.failures, lengths: self.lengths, ..Self::default() };
    }

    /// What the strap does, if it does something for which there is a word.
    pub(super) fn state(&self) -> Option<LinkState> {
        match () {
            () if self.refusals >= 2 => Some(LinkState::Refuses),
            () if self.drops >= 3 => Some(LinkState::Unstable),
            () if self.broken >= ATTEMPTS => Some(LinkState::Fails),
            () => None,
        }
    }
}
