//! The raw truth behind one check, found without looking at the rest of it.

use super::batch::{Numbered, in_order};
use super::error::{At, StoreError};
use super::query::LEAD;
use super::rows::mono_us;
use super::{Query, journal, seal};
use crate::check::CheckResult;
use crate::engine::{Command, Record, RecordKind};
use rusqlite::params;
use std::time::Duration;

/// A check is over this long after its recording began: the longest protocol, extended, with a drop-out.
const MOST: Duration = Duration::from_secs(1800);
/// Order numbers that can lie between a command and the first packet of the strap that it waits for: those of a
/// quarter of an hour of many straps.
const BEFORE: i64 = 20_000;

impl Query {
    /// The raw records behind a check, journal included, and the boot of their times: those of its strap and its
    /// person since the strap may have been waited for, until the check was over. Without packets there is nothing that
    /// could be computed again.
    pub fn records_of(&self, r: &CheckResult) -> Result<Option<(String, Vec<Record>)>, StoreError> {
        // the journal first: what is sealed in between is then found in the database and not twice
        let journal = journal::peek(&self.path)?;
        let boot = self.first("SELECT boot_id FROM check_result WHERE check_id = ?1", [&r.id.0], |row| {
            row.get::<_, String>("boot_id")
        })?;
        let Some(boot) = boot else { return Ok(None) };
        let (from, to) = (r.start - LEAD, r.start + MOST);
        let (from_us, to_us) = (mono_us(from), mono_us(to));
        let strap = r.strap.to_string();
        // order numbers rise with time: chunks lie between the first one of their recording and the first one of what
        // began later
        let mut out = self.chunks(
            "SELECT c.payload, c.codec, r.strap FROM recording r CROSS JOIN packet_chunk c
             ON c.recording_id = r.id AND c.id >= r.first_ord AND c.id < coalesce((SELECT min(n.first_ord)
                FROM recording n WHERE n.first_ord > r.first_ord AND (n.boot_id <> ?1 OR n.start_us > ?3)), ?5)
             WHERE r.boot_id = ?1 AND r.strap = ?4 AND r.start_us <= ?3 AND coalesce(r.end_us, ?5) >= ?2
                AND c.end_us >= ?2 AND c.start_us <= ?3",
            params![boot, from_us, to_us, strap, i64::MAX],
        )?;
        let fresh = journal.records.iter().filter(|_| journal.boot == boot);
        let known = || out.iter().chain(fresh.clone()).map(|(ord, _)| *ord as i64);
        let near = match (known().min(), known().max()) {
            (Some(first), Some(last)) => (first - BEFORE, last + BEFORE),
            _ => return Ok(None),
        };
        out.extend(self.events(
            "SELECT id, line FROM event_log WHERE id BETWEEN ?6 AND ?7 AND boot_id = ?1 AND mono_us BETWEEN ?2 AND ?3
                AND (kind = 'clock' OR strap = ?4 OR athlete = ?5)
             UNION SELECT * FROM (SELECT id, line FROM event_log
                WHERE id < ?7 AND boot_id = ?1 AND kind = 'clock' AND mono_us < ?2 ORDER BY id DESC LIMIT 1)",
            params![boot, from_us, to_us, strap, r.athlete.as_str(), near.0, near.1],
        )?);
        let sealed = seal::sealed_to(&self.conn).at(&self.path)?;
        if journal.boot == boot {
            let mine = |(ord, record): &Numbered| Some(*ord) > sealed && concerns(&record.kind, r);
            out.extend(journal.records.into_iter().filter(mine));
        }
        let anchor = |kind: &RecordKind| matches!(kind, RecordKind::Anchor { .. });
        out.retain(|(_, r)| r.at <= to && (r.at >= from || anchor(&r.kind)));
        in_order(&mut out);
        if !out.iter().any(|(_, r)| matches!(r.kind, RecordKind::Packet { .. })) {
            return Ok(None);
        }
        Ok(Some((boot, out.into_iter().map(|(_, r)| r).collect())))
    }
}

fn concerns(kind: &RecordKind, r: &CheckResult) -> bool {
    match kind {
        RecordKind::Packet { strap, .. } | RecordKind::Link { strap, .. } => *strap == r.strap,
        RecordKind::Command(Command::StartCheck { athlete, .. } | Command::CancelCheck { athlete }) => {
            *athlete == r.athlete
        }
        RecordKind::Anchor { .. } => true,
    }
}
