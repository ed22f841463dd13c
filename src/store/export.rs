//! Recordings as records, one or all of them: what belongs to one is found without a look at all others.

use super::batch::{Numbered, in_order};
use super::error::{At, StoreError};
use super::query::{LEAD, RecordingInfo};
use super::rows::mono_us;
use super::{Query, journal, seal};
use crate::engine::{Command, Record, RecordKind};
use crate::units::AthleteId;
use rusqlite::params;
use std::collections::BTreeMap;

/// What else happened: a link, a command or an anchor.
struct Event {
    at: i64,
    ord: i64,
    clock: bool,
    strap: Option<String>,
    athlete: Option<String>,
    line: String,
}

/// Recordings that can be read one after the other.
pub struct Exports<'a> {
    query: &'a Query,
    /// Those that there are, the oldest first.
    pub recordings: Vec<RecordingInfo>,
    /// By boot and in the order of their time: events have no index, so they are read once.
    events: BTreeMap<String, Vec<Event>>,
}

impl Query {
    /// All recordings, to be read one after the other.
    pub fn exports(&self) -> Result<Exports<'_>, StoreError> {
        self.of_boot(self.recordings()?, None)
    }

    /// The records of one recording: its packets and links, the person's commands, and the clock anchors; with what is
    /// still in the journal if it goes on.
    pub fn export(&self, id: i64) -> Result<Option<Vec<Record>>, StoreError> {
        let Some(info) = self.recordings()?.into_iter().find(|r| r.id == id) else { return Ok(None) };
        let boot = info.boot_id.clone();
        self.of_boot(vec![], Some(&boot))?.records(&info).map(Some)
    }

    fn of_boot(&self, recordings: Vec<RecordingInfo>, boot: Option<&str>) -> Result<Exports<'_>, StoreError> {
        let mut events: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for (boot, event) in self.list(
            "SELECT boot_id, id, mono_us, kind, strap, athlete, line FROM event_log WHERE ?1 IS NULL OR boot_id = ?1",
            [boot],
            |r| {
                let kind: String = r.get("kind")?;
                let event = Event {
                    at: r.get("mono_us")?,
                    ord: r.get("id")?,
                    clock: kind == "clock",
                    strap: r.get("strap")?,
                    athlete: r.get("athlete")?,
                    line: r.get("line")?,
                };
                Ok((r.get("boot_id")?, event))
            },
        )? {
            events.entry(boot).or_default().push(event);
        }
        events.values_mut().for_each(|all| all.sort_by_key(|e| (e.at, e.ord)));
        Ok(Exports { query: self, recordings, events })
    }
}

impl Exports<'_> {
    /// The records of one of them.
    pub fn records(&self, info: &RecordingInfo) -> Result<Vec<Record>, StoreError> {
        let journal = if info.running { journal::peek(&self.query.path)? } else { journal::Content::default() };
        // the recordings of a strap follow each other, and so do the numbers of their packets
        let mut out = self.query.packets(
            "r.id = ?1 AND c.id >= r.first_ord AND c.id < coalesce((SELECT n.first_ord FROM recording n
                WHERE n.strap = r.strap AND n.id > r.id ORDER BY n.id LIMIT 1), 9223372036854775807)",
            params![info.id],
        )?;
        out.extend(self.around(info)?);
        if info.running && journal.boot == info.boot_id {
            let sealed = seal::sealed_to(&self.query.conn).at(&self.query.path)?;
            out.extend(journal.records.into_iter().filter(|(ord, r)| Some(*ord) > sealed && concerns(&r.kind, info)));
        }
        in_order(&mut out);
        let out: Vec<Record> = out.into_iter().map(|(_, r)| r).collect();
        Ok(trim(out, info))
    }

    fn around(&self, info: &RecordingInfo) -> Result<Vec<Numbered>, StoreError> {
        let all = self.events.get(&info.boot_id).map(Vec::as_slice).unwrap_or_default();
        let (first, last) = (mono_us(info.start - LEAD), mono_us(info.end + seal::SAME_WEARING));
        let (before, rest) = all.split_at(all.partition_point(|e| e.at < first));
        let own = |e: &&Event| {
            let strap = e.strap.as_deref().and_then(|s| s.parse().ok());
            let commanded = e.athlete.is_some() && e.athlete.as_deref() == info.athlete.as_ref().map(AthleteId::as_str);
            e.clock || strap == Some(info.strap) || commanded
        };
        let clock = before.iter().rev().find(|e| e.clock);
        let during = rest.iter().take_while(|e| e.at <= last).filter(own);
        clock.into_iter().chain(during).map(|e| Ok((e.ord as u64, self.query.event(&e.line)?))).collect()
    }
}

fn concerns(kind: &RecordKind, info: &RecordingInfo) -> bool {
    match kind {
        RecordKind::Packet { strap, .. } | RecordKind::Link { strap, .. } => *strap == info.strap,
        RecordKind::Command(Command::StartCheck { athlete, .. } | Command::CancelCheck { athlete }) => {
            info.athlete.as_ref() == Some(athlete)
        }
        RecordKind::Anchor { .. } => true,
    }
}

/// Drops what lies around the recording but belongs to another: all but anchors and commands before the link came up,
/// and links after it went down.
fn trim(mut records: Vec<Record>, info: &RecordingInfo) -> Vec<Record> {
    let first = records.iter().position(|r| matches!(r.kind, RecordKind::Packet { .. })).unwrap_or(0);
    let up = records[..first].iter().rposition(|r| matches!(r.kind, RecordKind::Link { .. })).unwrap_or(first);
    let last = records.iter().rposition(|r| matches!(r.kind, RecordKind::Packet { .. })).unwrap_or(0);
    let mut down_seen = false;
    let mut i = 0;
    records.retain(|r| {
        let here = i;
        i += 1;
        match r.kind {
            RecordKind::Packet { .. } => true,
            RecordKind::Link { strap, up: goes_up } => {
                let keep = strap == info.strap && here >= up && !(here > last && (goes_up || down_seen));
                down_seen |= keep && here > last;
                keep
            }
            RecordKind::Command(_) | RecordKind::Anchor { .. } => here < last,
        }
    });
    records
}
