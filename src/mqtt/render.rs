//! From what the engine says to messages; no I/O.

use super::discovery::Discovery;
use super::entity::EVENTS;
use super::live_state;
use super::message::{
    BridgeStatus, Delivery, Message, availability, bytes, idle, iso, no_numbers, number, removed, retained,
    unknown_strap,
};
use super::privacy::{Publish, Sieve};
use super::strap_state::{self, Explained};
use super::topics::Topics;
use crate::check::{AbortCause, CheckId, CheckResult, CheckStatus, Phase};
use crate::engine::{Athlete, LinkState, Live, Output, Roster, Strap, StrapFacts, StrapStatus};
use crate::language::Language;
use crate::publication::Publication;
use crate::units::{AthleteId, Mono, Now, StrapId};
use crate::verdict::{FindingId, Source, Worn};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Counters of a strap are said at most this often, unless something else about it changed.
const COUNTERS_EVERY: Duration = Duration::from_secs(60);

/// How things are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderOptions {
    /// Name of the gateway in Home Assistant.
    pub gateway_name: String,
    /// Language of entity names.
    pub language: Language,
    /// How often live values come; decides when they expire.
    pub live_interval: Duration,
    /// Version to show.
    pub version: String,
    /// How much of each person is said; everything of who is not named.
    pub publish: BTreeMap<AthleteId, Publish>,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            gateway_name: "Strap gateway".into(),
            language: Language::En,
            live_interval: Duration::from_secs(5),
            version: env!("CARGO_PKG_VERSION").into(),
            publish: BTreeMap::new(),
        }
    }
}

#[derive(Debug)]
struct AthleteView {
    athlete: Athlete,
    /// The check whose start was told.
    started: Option<CheckId>,
}

#[derive(Debug)]
struct StrapView {
    strap: Strap,
    facts: StrapFacts,
    told: Option<Told>,
    /// The newest status, for when only its explanation changes.
    status: Option<StrapStatus>,
    explained: Explained,
}

impl StrapView {
    fn new(strap: Strap) -> Self {
        Self { strap, facts: StrapFacts::default(), told: None, status: None, explained: Explained::default() }
    }
}

/// What of a strap is told at once.
type Slow = (LinkState, bool, Option<bool>, Option<u8>, Worn, Source, Vec<FindingId>);

/// What was last told of a strap.
#[derive(Debug)]
struct Told {
    at: Mono,
    slow: Slow,
}

/// Turns the engine's outputs into messages.
#[derive(Debug)]
pub struct Renderer {
    topics: Topics,
    pub(super) options: RenderOptions,
    pub(super) sieve: Sieve,
    athletes: BTreeMap<AthleteId, AthleteView>,
    straps: BTreeMap<StrapId, StrapView>,
}

impl Renderer {
    /// Knows nobody yet; start with [`Self::roster`].
    pub fn new(topics: Topics, options: RenderOptions) -> Self {
        let sieve = Sieve::new(topics.clone(), options.publish.clone());
        Self { topics, options, sieve, athletes: BTreeMap::new(), straps: BTreeMap::new() }
    }

    /// Announces who is there, sets who is new to "nothing yet" and removes who is gone. What the broker keeps of an
    /// earlier run is replaced by it, because more may have been published then.
    pub fn roster(&mut self, roster: &Roster) -> Vec<Message> {
        let all = self.all_of(roster);
        all.into_iter().filter_map(|m| self.sift(m)).collect()
    }

    fn all_of(&mut self, roster: &Roster) -> Vec<Message> {
        let mut out = Vec::new();
        let gone: Vec<_> =
            self.straps.keys().filter(|id| !roster.straps.iter().any(|s| s.id == **id)).copied().collect();
        for id in gone {
            self.straps.remove(&id);
            out.extend(self.topics.all_of_strap(id).into_iter().map(removed));
        }
        let gone: Vec<_> =
            self.athletes.keys().filter(|id| !roster.athletes.iter().any(|a| a.id == **id)).cloned().collect();
        for id in gone {
            self.athletes.remove(&id);
            out.extend(self.topics.all_of_athlete(&id).into_iter().map(removed));
        }
        out.push(retained(self.topics.gateway_discovery(), &self.discovery().gateway()));
        for strap in &roster.straps {
            let old = self.straps.remove(&strap.id);
            // another wearer may say less of it
            let old = old.filter(|v| v.strap.athlete == strap.athlete);
            let is_new = old.is_none();
            let view = old.unwrap_or_else(|| StrapView::new(strap.clone()));
            self.straps.insert(strap.id, StrapView { strap: strap.clone(), ..view });
            if self.sieve.of(&strap.athlete) == Publish::Nothing {
                out.extend(self.topics.all_of_strap(strap.id).into_iter().map(removed));
                continue;
            }
            out.extend(self.strap_discovery(strap.id));
            if is_new {
                out.push(availability(self.topics.strap_availability(strap.id), false));
                out.push(retained(self.topics.strap_state(strap.id), &unknown_strap()));
            }
        }
        for athlete in &roster.athletes {
            let old = self.athletes.remove(&athlete.id);
            let is_new = old.is_none();
            let started = old.and_then(|v| v.started);
            let mut straps = roster.straps.iter().filter(|s| s.athlete == athlete.id).map(|s| s.id);
            let only = straps.next().filter(|_| straps.next().is_none());
            let publish = self.sieve.of(&athlete.id);
            if publish == Publish::Nothing {
                out.extend(self.topics.all_of_athlete(&athlete.id).into_iter().map(removed));
            } else {
                let discovery = self.discovery().athlete(athlete, only, publish);
                out.push(retained(self.topics.athlete_discovery(&athlete.id), &discovery));
                if is_new {
                    out.push(retained(self.topics.check(&athlete.id), &idle()));
                    if publish == Publish::Words {
                        out.push(retained(self.topics.morning(&athlete.id), &Value::Object(no_numbers())));
                        // said anew by who judges, if somebody does
                        let judged = [self.topics.readiness(&athlete.id), self.topics.inputs(&athlete.id)];
                        out.extend(judged.map(removed));
                    }
                }
            }
            self.athletes.insert(athlete.id.clone(), AthleteView { athlete: athlete.clone(), started });
        }
        out
    }

    /// What an output of the engine means for the broker.
    pub fn output(&mut self, output: &Output, now: Now) -> Vec<Message> {
        let all = self.unsifted(output, now);
        all.into_iter().filter_map(|m| self.sift(m)).collect()
    }

    fn unsifted(&mut self, output: &Output, now: Now) -> Vec<Message> {
        match output {
            Output::Live(live) => vec![self.live(live)],
            Output::Check(status) => self.check(status, now),
            Output::Result(result) => self.result(result),
            Output::Strap(status) => self.strap(status, now),
            Output::Record(_) | Output::Beats(_) | Output::Notice(_) => Vec::new(),
        }
    }

    /// The person's last valid result, read from the store at start; nothing if it holds no values.
    pub fn morning(&self, result: &CheckResult) -> Option<Message> {
        result.values?;
        self.sift(retained(self.topics.morning(&result.athlete), &Value::Object(self.numbers(result))))
    }

    /// The topics that it writes to.
    pub(super) fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Live values come at another interval from now on; said with the next [`Self::roster`].
    pub fn set_live_interval(&mut self, interval: Duration) {
        self.options.live_interval = interval;
    }

    /// The message without what its owner does not want to be said, or not yet; nothing if nothing is left. What goes by
    /// the outbox is held back when it leaves there.
    pub(super) fn sift(&self, mut message: Message) -> Option<Message> {
        let wearer = |id| self.straps.get(&id).map(|v| v.strap.athlete.clone());
        if message.delivery != Delivery::Durable {
            self.sieve.hold(&mut message.publication);
        }
        self.sieve.sift(&mut message.publication, wearer).then_some(message)
    }

    /// State of the gateway.
    pub fn bridge(&self, status: &BridgeStatus) -> Message {
        let word = |problem: &Option<String>| if problem.is_some() { "problem" } else { "ok" };
        let detail = |problem: &Option<String>| problem.as_deref().map(|p| p.chars().take(200).collect::<String>());
        let payload = json!({
            "version": self.options.version,
            "adapter": word(&status.adapter_problem),
            "adapter_problem": detail(&status.adapter_problem),
            "store": word(&status.store_problem),
            "store_problem": detail(&status.store_problem),
            "unsent": status.unsent,
            "database_mb": status.database_mb,
            "started": status.started.map(|t| iso(t, &TimeZone::UTC)),
            "recovery": status.recovery.map(|c| crate::json::recovery(&c)),
        });
        retained(self.topics.bridge(), &payload)
    }

    fn discovery(&self) -> Discovery<'_> {
        Discovery {
            topics: &self.topics,
            language: self.options.language,
            gateway_name: &self.options.gateway_name,
            version: &self.options.version,
            live_interval: self.options.live_interval,
        }
    }

    fn strap_discovery(&self, id: StrapId) -> Option<Message> {
        let view = self.straps.get(&id)?;
        let publish = self.sieve.of(&view.strap.athlete);
        let payload = self.discovery().strap(&view.strap, &view.facts, publish);
        (publish != Publish::Nothing).then(|| retained(self.topics.strap_discovery(id), &payload))
    }

    fn live(&self, live: &Live) -> Message {
        let payload = bytes(&live_state::payload(live));
        let publication = Publication { topic: self.topics.live(&live.athlete), payload, retain: false, qos: 0 };
        Message { delivery: Delivery::Live, publication }
    }

    fn check(&mut self, status: &CheckStatus, now: Now) -> Vec<Message> {
        let topic = self.topics.check(&status.athlete);
        // A retained heart rate would come back as a current one when Home Assistant starts.
        let live = !status.changed;
        let payload = json!({
            "phase": status.phase.as_str(),
            "seconds_left": status.seconds_left,
            "percent": status.percent,
            "hr": status.hr_bpm.filter(|_| live),
            "clean_pct": number(status.clean_pct.filter(|_| live), 1),
            "hint": status.hint.map(|h| h.as_str()),
            "cause": status.cause.map(|c| c.as_str()),
            "id": status.check.as_ref().map(|id| id.0.as_str()),
        });
        if live {
            let publication = Publication { topic, payload: bytes(&payload), retain: false, qos: 0 };
            return vec![Message { delivery: Delivery::Live, publication }];
        }
        let mut out = vec![retained(topic, &payload)];
        let [started, _, failed, cancelled] = EVENTS;
        let (event, delivery) = match status.phase {
            Phase::WaitingForStrap | Phase::Settling | Phase::Recording => {
                let view = self.athletes.get_mut(&status.athlete);
                match view.filter(|v| v.started != status.check && status.check.is_some()) {
                    Some(view) => view.started = status.check.clone(),
                    None => return out,
                }
                (started, Delivery::Transient)
            }
            Phase::Aborted if status.cause == Some(AbortCause::Cancelled) => (cancelled, Delivery::Transient),
            Phase::Aborted => (failed, Delivery::Durable),
            // The result speaks for a check that ended.
            Phase::Idle | Phase::Grading | Phase::Done => return out,
        };
        let mut fields = no_numbers();
        fields.insert("id".into(), json!(status.check.as_ref().map(|id| id.0.as_str())));
        fields.insert("at".into(), json!(now.wall.map(|t| iso(t, &self.time_zone(&status.athlete)))));
        out.push(self.event(&status.athlete, event, status.cause.map(|c| c.as_str()), fields, delivery));
        out
    }

    fn result(&self, result: &CheckResult) -> Vec<Message> {
        let [_, completed, failed, _] = EVENTS;
        let kind = if result.values.is_some() { completed } else { failed };
        let cause = result.why.map(|w| w.as_str());
        // A result without values is an event only: it must not wipe the numbers of an earlier, valid check.
        let event = self.event(&result.athlete, kind, cause, self.numbers(result), Delivery::Durable);
        self.morning(result).into_iter().chain([event]).collect()
    }

    fn event(
        &self,
        athlete: &AthleteId,
        kind: &str,
        cause: Option<&str>,
        fields: Map<String, Value>,
        delivery: Delivery,
    ) -> Message {
        let mut payload = Map::new();
        payload.insert("event_type".into(), json!(kind));
        payload.insert("cause".into(), json!(cause));
        payload.extend(fields);
        let payload = bytes(&Value::Object(payload));
        let publication = Publication { topic: self.topics.check_event(athlete), payload, retain: false, qos: 1 };
        Message { delivery, publication }
    }

    fn strap(&mut self, status: &StrapStatus, now: Now) -> Vec<Message> {
        let time_zone = self.time_zone(&status.athlete);
        let Some(view) = self.straps.get_mut(&status.strap) else { return Vec::new() };
        let mut out = Vec::new();
        let identity = |f: &StrapFacts| {
            let f = f.clone();
            (f.name, f.manufacturer, f.model, f.serial, f.firmware, f.hardware)
        };
        let renamed = identity(&view.facts) != identity(&status.facts);
        view.facts = status.facts.clone();
        view.status = Some(status.clone());
        let v = &status.verdict;
        let findings = v.findings.iter().map(|f| f.id).collect();
        let facts = &status.facts;
        let slow = (status.link, status.online, status.contact, facts.battery_pct, v.worn, v.source(), findings);
        let due = view.told.as_ref().is_none_or(|t| t.slow != slow || now.mono.since(t.at) >= COUNTERS_EVERY);
        if due {
            view.told = Some(Told { at: now.mono, slow });
            let payload = strap_state::payload(status, &view.explained, now, &time_zone);
            out.push(availability(self.topics.strap_availability(status.strap), status.online));
            out.push(retained(self.topics.strap_state(status.strap), &payload));
        }
        if renamed {
            out.extend(self.strap_discovery(status.strap));
        }
        out
    }

    /// What is known beside the engine's status; a message if it is worth one.
    pub fn explain(&mut self, strap: StrapId, explained: Explained, now: Now) -> Option<Message> {
        let time_zone = self.time_zone(&self.straps.get(&strap)?.status.as_ref()?.athlete);
        let view = self.straps.get_mut(&strap)?;
        let news = view.explained.differs(&explained);
        view.explained = explained;
        let payload = strap_state::payload(view.status.as_ref().filter(|_| news)?, &view.explained, now, &time_zone);
        self.sift(retained(self.topics.strap_state(strap), &payload))
    }

    fn time_zone(&self, athlete: &AthleteId) -> TimeZone {
        self.athletes.get(athlete).map_or(TimeZone::UTC, |v| v.athlete.time_zone.clone())
    }

    /// All that is told of a result, in the same words for state and event.
    fn numbers(&self, r: &CheckResult) -> Map<String, Value> {
        let v = r.values.as_ref();
        let mut m = no_numbers();
        let mut put = |key: &str, value: Value| {
            m.insert(key.to_owned(), value);
        };
        put("rmssd", number(v.map(|v| v.rmssd_ms), 1));
        put("ln_rmssd", number(v.map(|v| v.ln_rmssd), 3));
        put("hr", number(v.map(|v| v.mean_hr_bpm), 1));
        put("mean_rr", number(v.map(|v| v.mean_rr_ms), 1));
        put("sdnn", number(v.map(|v| v.sdnn_ms), 1));
        put("pnn50", number(v.map(|v| v.pnn50_pct), 1));
        put("ln_rmssd_rr_ratio", number(v.map(|v| v.ln_rmssd_rr_ratio), 3));
        put("grade", json!(r.grade.as_str()));
        put("artifact_pct", number(Some(r.artifact_pct), 1));
        put("coverage", number(Some(r.coverage), 3));
        put("n", json!(r.n));
        put("pairs", json!(r.pairs));
        put("at", json!(r.wall.map(|t| iso(t, &self.time_zone(&r.athlete)))));
        put("date", json!(r.local_date.map(|d| d.to_string())));
        put("posture", json!(r.posture.as_str()));
        put("notes", json!(r.notes.iter().map(|n| n.as_str()).collect::<Vec<_>>()));
        put("id", json!(r.id.0));
        put("algo_version", json!(r.algo_version));
        m
    }
}
