//! One strap as the engine sees it: its time base, its live window and what is known of its link.

use super::input::{LinkState, PacketBytes, StrapFacts};
use super::output::{Beats, Notice, Output, Record, RecordKind, Signs, StrapStatus};
use super::windows::Windows;
use crate::hrs::{self, Defect};
use crate::timeline::{GapReason, Placed, Timeline};
use crate::units::{AthleteId, Mono, StrapId};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::Duration;

/// Heart rate older than this is not shown as live.
pub(super) const FRESH: Duration = Duration::from_secs(6);
/// Beats after at least this much silence mean that the strap was put on.
pub(super) const PUT_ON_AFTER: Duration = Duration::from_secs(60);
/// Counters and signal strength alone are worth a status no more often than this.
const STATUS_EVERY: Duration = Duration::from_secs(60);
/// A link that ends after so long without RR, but not without packets, was left by a strap that was taken off: an H10 goes
/// on for about 45 s.
const WITHOUT_RR: Duration = Duration::from_secs(20);
/// The same by the strap's own word about contact.
const WITHOUT_CONTACT: Duration = Duration::from_secs(5);

/// What one packet meant, for the person's check and live values.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) hr: Option<u16>,
    pub(super) contact: Option<bool>,
    pub(super) has_rr: bool,
    pub(super) placed: SmallVec<[Placed; 1]>,
    /// The first beats after a long silence.
    pub(super) put_on: bool,
}

#[derive(Clone, Debug)]
pub(super) struct StrapState {
    pub(super) id: StrapId,
    pub(super) athlete: AthleteId,
    pub(super) link: LinkState,
    link_since: Mono,
    pub(super) facts: StrapFacts,
    timeline: Timeline,
    pub(super) windows: Windows,
    pub(super) last_packet: Option<Mono>,
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
    signs: Signs,
    /// The status as last said, and when.
    said: Option<(Mono, StrapStatus)>,
}

impl StrapState {
    pub(super) fn new(id: StrapId, athlete: AthleteId, now: Mono) -> Self {
        Self {
            id,
            athlete,
            link: LinkState::Unknown,
            link_since: now,
            facts: StrapFacts::default(),
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
            signs: Signs::default(),
            said: None,
        }
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
            self.set_link(now, LinkState::Connected);
        }
        let mut heard = Heard { hr: m.hr, contact: self.contact, has_rr: !m.rr.is_empty(), ..Heard::default() };
        heard.put_on =
            heard.has_rr && self.contact != Some(false) && self.last_beats.is_none_or(|t| now.since(t) >= PUT_ON_AFTER);
        if heard.has_rr {
            self.last_beats = Some(now);
        }
        heard.placed = self.timeline.packet(now, &m.rr, &breaks);
        for placed in &heard.placed {
            self.take(placed, out);
        }
        heard
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
            return Placed::default();
        }
        self.hr = None;
        self.signs = Signs { last_rr: self.signs.last_rr, taken_off: self.looks_taken_off(), ..Signs::default() };
        let owed = self.timeline.break_off(GapReason::LinkUp);
        self.take(&owed, out);
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
        }
    }

    pub(super) fn on_facts(&mut self, facts: StrapFacts) {
        let f = &mut self.facts;
        f.name = facts.name.or(f.name.take());
        f.battery_pct = facts.battery_pct.or(f.battery_pct);
        f.rssi_dbm = facts.rssi_dbm.or(f.rssi_dbm);
        f.location = facts.location.or(f.location);
        f.manufacturer = facts.manufacturer.or(f.manufacturer.take());
        f.model = facts.model.or(f.model.take());
        f.serial = facts.serial.or(f.serial.take());
        f.firmware = facts.firmware.or(f.firmware.take());
        f.hardware = facts.hardware.or(f.hardware.take());
        f.software = facts.software.or(f.software.take());
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
    fn take(&mut self, placed: &Placed, out: &mut VecDeque<Output>) {
        self.duplicates += u64::from(placed.duplicate);
        if placed.beats.is_empty() {
            return;
        }
        if let Some(reason) = placed.gap {
            if reason != GapReason::LinkUp {
                self.gaps += 1;
                out.push_back(Output::Notice(Notice::Gap { strap: self.id, reason }));
            }
        }
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
        self.take(&placed, out);
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

    /// When something changes by time alone.
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        let stale = self.said.as_ref().filter(|(_, s)| s.online).and(self.last_packet).map(|t| t + FRESH);
        self.timeline.poll_timeout().into_iter().chain(stale).min()
    }

    pub(super) fn status(&self, now: Mono) -> StrapStatus {
        StrapStatus {
            strap: self.id,
            athlete: self.athlete.clone(),
            link: self.link,
            link_since: self.link_since,
            online: self.online(now),
            last_packet: self.last_packet,
            contact: self.contact.filter(|_| self.online(now)),
            facts: self.facts.clone(),
            packets: self.packets,
            defects: self.defects,
            gaps: self.gaps,
            duplicates: self.duplicates,
            signs: self.signs,
        }
    }

    /// The status, if it says something new.
    pub(super) fn poll_status(&mut self, now: Mono) -> Option<StrapStatus> {
        let status = self.status(now);
        let worth = match &self.said {
            None => true,
            Some((at, said)) => {
                now.since(*at) >= STATUS_EVERY && *said != status || {
                    let mut same = said.clone();
                    (same.last_packet, same.packets, same.defects) =
                        (status.last_packet, status.packets, status.defects);
                    (same.gaps, same.duplicates) = (status.gaps, status.duplicates);
                    same.facts.rssi_dbm = status.facts.rssi_dbm;
                    same.signs = status.signs;
                    same != status
                }
            }
        };
        worth.then(|| {
            self.said = Some((now, status.clone()));
            status
        })
    }
}
