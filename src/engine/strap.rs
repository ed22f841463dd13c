//! One strap as the engine sees it: its time base, its live window and what is known of its link.

mod status;

use super::input::{LinkState, PacketBytes, StrapFacts};
use super::output::{Beats, Notice, Output, Record, RecordKind, Signs};
use super::put_on::{PutOn, WITHOUT_CONTACT, WITHOUT_RR};
use super::signal::{Reread, Signal};
use super::windows::Windows;
use crate::hrs::{self, Defect};
use crate::timeline::{GapReason, Placed, Timeline};
use crate::units::{AthleteId, Mono, StrapId};
use crate::verdict::{Source, Trust, Worn};
use smallvec::SmallVec;
use status::{Counts, News};
use std::collections::VecDeque;
use std::time::Duration;

/// Heart rate older than this is not shown as live.
pub(super) const FRESH: Duration = Duration::from_secs(6);
/// A level of the battery that was read so long before a link came up is not said again before it was read anew.
const BATTERY_KEEPS: Duration = Duration::from_secs(3600);
/// Without packets for so long nobody knows whether it is worn.
const WORN_KEEPS: Duration = Duration::from_secs(15);

/// What one packet meant, for the person's check and live values.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) hr: Option<u16>,
    pub(super) contact: Option<bool>,
    pub(super) has_rr: bool,
    pub(super) placed: SmallVec<[Placed; 1]>,
    /// The first beats of a strap that was put on.
    pub(super) put_on: bool,
    /// All beats so far, these included, are to be read again.
    pub(super) reread: Option<Reread>,
}

#[derive(Clone, Debug)]
pub(super) struct StrapState {
    pub(super) id: StrapId,
    pub(super) athlete: AthleteId,
    pub(super) link: LinkState,
    link_since: Mono,
    pub(super) facts: StrapFacts,
    /// How often facts changed, signal strength aside.
    facts_changes: u32,
    battery_at: Option<Mono>,
    signal: Signal,
    timeline: Timeline,
    pub(super) windows: Windows,
    pub(super) last_packet: Option<Mono>,
    /// When beats were last placed: intervals that are still held are not.
    pub(super) last_beats: Option<Mono>,
    pub(super) hr: Option<u16>,
    pub(super) last_rr: Option<f64>,
    pub(super) contact: Option<bool>,
    packets: u64,
    defects: u64,
    /// The same by kind.
    defect_kinds: Vec<(Defect, u64)>,
    gaps: u64,
    duplicates: u64,
    overruns: u64,
    signs: Signs,
    put_on: PutOn,
    /// The status as last said, and when.
    said: Option<(Mono, News, Counts)>,
}

impl StrapState {
    pub(super) fn new(id: StrapId, athlete: AthleteId, now: Mono) -> Self {
        Self {
            id,
            athlete,
            link: LinkState::Unknown,
            link_since: now,
            facts: StrapFacts::default(),
            facts_changes: 0,
            battery_at: None,
            signal: Signal::default(),
            timeline: Timeline::new(),
            windows: Windows::new(),
            last_packet: None,
            last_beats: None,
            hr: None,
            last_rr: None,
            contact: None,
            packets: 0,
            defects: 0,
            defect_kinds: vec![],
            gaps: 0,
            duplicates: 0,
            overruns: 0,
            signs: Signs::default(),
            put_on: PutOn::new(),
            said: None,
        }
    }

    /// The same strap for another person: its link, what was read from it, what is proven about it and its counters stay;
    /// beats, and whether it is worn, were the other one's.
    pub(super) fn given_to(self, athlete: AthleteId, now: Mono) -> Self {
        let mut new = Self {
            link: self.link,
            link_since: self.link_since,
            facts_changes: self.facts_changes,
            battery_at: self.battery_at,
            last_packet: self.last_packet,
            packets: self.packets,
            defects: self.defects,
            gaps: self.gaps,
            duplicates: self.duplicates,
            ..Self::new(self.id, athlete, now)
        };
        new.remember(self.source());
        (new.facts, new.defect_kinds) = (self.facts, self.defect_kinds);
        if new.link.is_up() {
            new.signal.link(now, true);
            new.put_on.link(now, new.link);
        }
        new
    }

    /// A notification arrived.
    pub(super) fn on_packet(&mut self, now: Mono, bytes: &PacketBytes, out: &mut VecDeque<Output>) -> Heard {
        out.push_back(Output::Record(Record {
            at: now,
            kind: RecordKind::Packet { strap: self.id, bytes: bytes.clone() },
        }));
        self.packets += 1;
        let (m, defect) = hrs::decode(bytes);
        let mut breaks = SmallVec::new();
        if let Some(defect) = defect {
            breaks = hrs::breaks(bytes);
            self.on_defect(defect, out);
        }
        self.last_packet = Some(now);
        self.hr = m.hr;
        if !matches!(defect, Some(Defect::Empty)) {
            self.contact = m.contact.detected();
        }
        self.signs.first_packet.get_or_insert(now);
        self.signs.taken_off = false;
        match self.contact {
            Some(false) => drop(self.signs.no_contact_since.get_or_insert(now)),
            _ => self.signs.no_contact_since = None,
        }
        if !m.rr.is_empty() {
            (self.signs.last_rr, self.signs.any_rr) = (Some(now), true);
        }
        // One that is being let go may still have some on the way.
        if self.link != LinkState::Released && (!self.link.is_up() || self.link == LinkState::Silent) {
            // the packet proves the link, whatever the radio last said
            if !self.link.is_up() {
                self.link_came_up(now);
            }
            self.set_link(now, LinkState::Connected);
        }
        let mut heard = Heard { hr: m.hr, contact: self.contact, has_rr: !m.rr.is_empty(), ..Heard::default() };
        let worn = self.signal.worn(now) == Worn::Worn;
        heard.put_on = self.put_on.packet(now, heard.has_rr, self.contact, worn);
        heard.placed = self.timeline.packet(now, &self.signal.read(&m, &breaks), &breaks);
        for placed in &heard.placed {
            self.take(now, placed, out);
        }
        heard.reread = self.signal.packet(now, &m, defect, &heard.placed);
        if let Some(reread) = heard.reread {
            self.change_units(reread);
        }
        self.timeline.know_units(self.signal.knows_units());
        heard
    }

    /// Earlier sessions proved this about the strap.
    pub(super) fn remember(&mut self, source: Source) -> Option<Reread> {
        let reread = self.signal.remember(source);
        if let Some(reread) = reread {
            self.change_units(reread);
        }
        self.timeline.know_units(self.signal.knows_units());
        reread
    }

    /// What is proven about it.
    pub(super) fn source(&self) -> Source {
        self.signal.revision().0
    }

    /// The live windows begin anew: they must not mix units.
    fn change_units(&mut self, reread: Reread) {
        self.timeline.change_units(|rr| reread.again(rr));
        self.windows = Windows::new();
        self.last_rr = None;
    }

    fn link_came_up(&mut self, now: Mono) {
        self.signal.link(now, true);
        if self.battery_at.is_none_or(|t| now.since(t) >= BATTERY_KEEPS) && self.facts.battery_pct.take().is_some() {
            self.facts_changes += 1;
        }
    }

    /// The link changed; returns beats that were held back when it went down.
    pub(super) fn on_link(&mut self, now: Mono, state: LinkState, out: &mut VecDeque<Output>) -> Placed {
        let (was, is) = (self.link.is_up(), state.is_up());
        self.set_link(now, state);
        if was == is {
            return Placed::default();
        }
        out.push_back(Output::Record(Record { at: now, kind: RecordKind::Link { strap: self.id, up: is } }));
        if is {
            self.link_came_up(now);
            return Placed::default();
        }
        self.hr = None;
        self.signs = Signs { last_rr: self.signs.last_rr, taken_off: self.looks_taken_off(), ..Signs::default() };
        let owed = self.timeline.break_off(GapReason::LinkUp);
        self.take(now, &owed, out);
        self.signal.placed(&owed);
        self.signal.link(now, false);
        owed
    }

    /// By what its last packets said.
    fn looks_taken_off(&self) -> bool {
        let Some(last) = self.last_packet else { return false };
        let no_rr = self.signs.any_rr && self.signs.last_rr.is_some_and(|t| last.since(t) >= WITHOUT_RR);
        no_rr || self.signs.no_contact_since.is_some_and(|t| last.since(t) >= WITHOUT_CONTACT)
    }

    fn set_link(&mut self, now: Mono, state: LinkState) {
        if self.link != state {
            self.link = state;
            self.link_since = now;
            self.put_on.link(now, state);
        }
    }

    pub(super) fn on_facts(&mut self, now: Mono, facts: StrapFacts) {
        if facts.battery_pct.is_some() {
            self.battery_at = Some(now);
        }
        let f = &mut self.facts;
        f.rssi_dbm = facts.rssi_dbm.or(f.rssi_dbm);
        let old = f.clone();
        f.name = facts.name.or(f.name.take());
        f.battery_pct = facts.battery_pct.or(f.battery_pct);
        f.location = facts.location.or(f.location);
        f.manufacturer = facts.manufacturer.or(f.manufacturer.take());
        f.model = facts.model.or(f.model.take());
        f.serial = facts.serial.or(f.serial.take());
        f.firmware = facts.firmware.or(f.firmware.take());
        f.hardware = facts.hardware.or(f.hardware.take());
        f.software = facts.software.or(f.software.take());
        self.facts_changes += u32::from(*f != old);
    }

    /// The owner's name for it.
    pub(super) fn rename(&mut self, name: String) {
        self.on_facts(Mono::default(), StrapFacts { name: Some(name), ..StrapFacts::default() });
    }

    fn on_defect(&mut self, defect: Defect, out: &mut VecDeque<Output>) {
        self.defects += 1;
        let count = match self.defect_kinds.iter_mut().find(|(kind, _)| *kind == defect) {
            Some((_, n)) => {
                *n += 1;
                *n
            }
            None => {
                self.defect_kinds.push((defect, 1));
                1
            }
        };
        if count == 1 || count % 100 == 0 {
            out.push_back(Output::Notice(Notice::Defect { strap: self.id, what: defect.as_str(), count }));
        }
    }

    /// Beats that were placed: into the live window, and out to whoever listens.
    fn take(&mut self, now: Mono, placed: &Placed, out: &mut VecDeque<Output>) {
        self.duplicates += u64::from(placed.duplicate);
        if placed.old > 0 {
            out.push_back(Output::Notice(Notice::TooLate { strap: self.id, intervals: placed.old }));
        }
        if placed.beats.is_empty() {
            return;
        }
        if let Some(reason) = placed.gap {
            // no beat is missing where only the units change
            if !matches!(reason, GapReason::LinkUp | GapReason::Units) {
                self.gaps += 1;
                self.overruns += u64::from(reason == GapReason::TimeBase);
                // a strap that sends more than time passes loses its time base every few seconds
                if reason != GapReason::TimeBase || self.overruns % 100 == 1 {
                    out.push_back(Output::Notice(Notice::Gap { strap: self.id, reason }));
                }
            }
        }
        self.last_beats = Some(now);
        self.windows.take(placed.gap.is_some(), &placed.beats);
        self.last_rr = placed.beats.last().map(|b| b.rr.as_ms());
        out.push_back(Output::Beats(Beats {
            strap: self.id,
            athlete: self.athlete.clone(),
            gap: placed.gap,
            beats: placed.beats.to_vec(),
        }));
    }

    /// Time passed: held beats may be due. Returns them.
    pub(super) fn on_time(&mut self, now: Mono, out: &mut VecDeque<Output>) -> Placed {
        let placed = self.timeline.expire(now);
        self.take(now, &placed, out);
        self.signal.placed(&placed);
        placed
    }

    /// Whether this connection brings heart rate and, for long enough to know, no intervals.
    pub(super) fn sends_no_rr(&self, now: Mono) -> bool {
        let for_long = |t: Mono| now.since(t) >= WITHOUT_RR;
        self.online(now) && self.hr.is_some() && !self.signs.any_rr && self.signs.first_packet.is_some_and(for_long)
    }

    /// Whether beats are arriving now. Heart rate may go on without them (no skin contact): then windows hold the past.
    pub(super) fn beating(&self, now: Mono) -> bool {
        self.online(now) && self.last_beats.is_some_and(|t| now.since(t) < FRESH)
    }

    /// Whether heart rate is arriving now.
    pub(super) fn online(&self, now: Mono) -> bool {
        self.link.is_up() && self.last_packet.is_some_and(|t| now.since(t) < FRESH)
    }

    /// Whether its heart rate is that of somebody who wears it now.
    pub(super) fn is_live(&self, now: Mono) -> bool {
        self.online(now) && self.signal.is_alive(now)
    }

    /// What a check has to know before it makes a number.
    pub(super) fn trust(&self, now: Mono) -> Trust {
        self.signal.trust(now)
    }

    /// When something changes by time alone.
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        let last = self.last_packet.zip(self.said.as_ref());
        let stale = last.filter(|(_, said)| said.1.online).map(|(t, _)| t + FRESH);
        let worn = last.filter(|(_, said)| said.1.worn == Worn::Worn).map(|(t, _)| t + WORN_KEEPS);
        self.timeline.poll_timeout().into_iter().chain(stale).chain(worn).min()
    }
}
