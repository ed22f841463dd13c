//! The ten-second test of a strap: what came, and one sentence about it.

use crate::hrs::{self, Contact};
use serde_json::Value;

/// What came from a strap within the test.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Whether the link was up.
    pub(super) linked: bool,
    /// Notifications with a heart rate.
    pub(super) packets: u32,
    /// RR intervals, ms, as placed in time.
    pub(super) rr_ms: Vec<f64>,
    /// Places where beats are missing, the begin of the link excepted.
    pub(super) gaps: u32,
    /// The strap says that it touches no skin.
    pub(super) no_contact: u32,
    /// Heart rate as the strap says it, the newest.
    pub(super) heart_rate: Option<u16>,
    /// Signal strength of its last advertisement, dBm.
    pub(super) rssi_dbm: Option<i64>,
    /// Battery, %.
    pub(super) battery_pct: Option<u64>,
    /// What the daemon says about a strap that does not come.
    pub(super) advice: Option<String>,
}

/// How the test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grade {
    Good,
    Weak,
    Bad,
}

impl Grade {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Weak => "weak",
            Self::Bad => "bad",
        }
    }
}

/// Weaker than this the link will drop when somebody turns over.
const FAINT_DBM: i64 = -85;
/// Intervals outside of this are no beats of somebody at rest or at work.
const PLAUSIBLE_MS: std::ops::RangeInclusive<f64> = 300.0..=2000.0;

impl Tally {
    /// Takes a line of the control socket; whether it was about this strap.
    pub(super) fn take(&mut self, strap: &str, v: &Value) -> bool {
        if v["strap"].as_str() != Some(strap) {
            return false;
        }
        match v["type"].as_str() {
            Some("packet") => {
                let Some(bytes) = v["hex"].as_str().and_then(unhex) else { return true };
                let (m, _) = hrs::decode(&bytes);
                self.packets += 1;
                self.heart_rate = m.hr.or(self.heart_rate);
                self.no_contact += u32::from(m.contact == Contact::Lost);
            }
            Some("beats") => {
                self.gaps += u32::from(v["gap"].as_str().is_some_and(|g| g != "link_up" && g != "units"));
                let beats = v["beats"].as_array().into_iter().flatten();
                self.rr_ms.extend(beats.filter_map(|b| b["rr_ms"].as_f64()));
            }
            Some("strap") => {
                self.linked |= v["link"] == "connected";
                self.rssi_dbm = v["rssi_dbm"].as_i64().or(self.rssi_dbm);
                self.battery_pct = v["battery_pct"].as_u64().or(self.battery_pct);
            }
            _ => {}
        }
        true
    }

    /// The verdict in a sentence that says what to do.
    pub(super) fn sentence(&self, seconds: u64) -> (Grade, String) {
        let n = self.rr_ms.len();
        let odd = self.rr_ms.iter().filter(|ms| !PLAUSIBLE_MS.contains(*ms)).count();
        let (grade, text) = match () {
            () if !self.linked && self.packets == 0 => {
                let advice = self.advice.clone().unwrap_or_else(|| {
                    "wear it with wet pads, and close every app or watch that may hold its only connection".into()
                });
                (Grade::Bad, format!("The strap did not connect: {advice}."))
            }
            () if self.packets == 0 => (
                Grade::Bad,
                "The strap is connected and sends nothing: wet both pads, tighten it, and wait half a minute.".into(),
            ),
            () if self.no_contact * 2 > self.packets => {
                (Grade::Bad, "The strap says that it does not touch your skin: wet both pads and tighten it.".into())
            }
            () if n == 0 => (
                Grade::Bad,
                "The strap sends heart rate and no RR intervals, so there can be no HRV: a chest strap sends them, \
                 most watches and many optical bands do not."
                    .into(),
            ),
            () if odd * 5 > n => (
                Grade::Bad,
                format!("{odd} of {n} intervals cannot be heartbeats: wet both pads, tighten the strap, keep still."),
            ),
            () if self.gaps > 0 => (
                Grade::Weak,
                format!(
                    "{n} beats came and some are missing in between: wet both pads, or bring strap and gateway closer."
                ),
            ),
            () if self.rssi_dbm.is_some_and(|dbm| dbm < FAINT_DBM) => (
                Grade::Weak,
                format!(
                    "All {n} beats of {seconds} s came, but the signal is faint: bring the gateway closer to your bed."
                ),
            ),
            () => (Grade::Good, format!("The signal is good: all {n} beats of {seconds} s came, none is missing.")),
        };
        let mut beside = vec![];
        beside.extend(self.heart_rate.map(|hr| format!("heart rate {hr}")));
        beside.extend(self.rssi_dbm.map(|dbm| format!("signal {dbm} dBm")));
        beside.extend(self.battery_pct.map(|b| format!("battery {b} %")));
        (grade, if beside.is_empty() { text } else { format!("{text} ({})", beside.join(", ")) })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |i: usize| u8::from_str_radix(text.get(i..i + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "C0:FF:EE:00:00:01";

    fn linked() -> Tally {
        Tally { linked: true, packets: 10, heart_rate: Some(61), ..Tally::default() }
    }

    #[test]
    fn each_outcome_has_its_sentence() {
        let beats = |n: usize| vec![980.0; n];
        for (tally, grade, part) in [
            (Tally::default(), Grade::Bad, "did not connect: wear it"),
            (
                Tally { advice: Some("another device holds it".into()), ..Tally::default() },
                Grade::Bad,
                "another device",
            ),
            (Tally { linked: true, ..Tally::default() }, Grade::Bad, "sends nothing"),
            (Tally { no_contact: 8, rr_ms: beats(9), ..linked() }, Grade::Bad, "does not touch"),
            (linked(), Grade::Bad, "no RR intervals"),
            (Tally { rr_ms: [beats(6), vec![5.0, 9000.0]].concat(), ..linked() }, Grade::Bad, "2 of 8 intervals"),
            (Tally { rr_ms: beats(8), gaps: 1, ..linked() }, Grade::Weak, "missing in between"),
            (Tally { rr_ms: beats(10), rssi_dbm: Some(-91), ..linked() }, Grade::Weak, "faint"),
            (Tally { rr_ms: beats(10), rssi_dbm: Some(-61), ..linked() }, Grade::Good, "all 10 beats of 10 s"),
        ] {
            let (g, text) = tally.sentence(10);
            assert!(g == grade && text.contains(part), "{tally:?}: {g:?} {text}");
        }
        let full = Tally { rr_ms: beats(10), rssi_dbm: Some(-61), battery_pct: Some(90), ..linked() };
        assert!(full.sentence(10).1.ends_with("(heart rate 61, signal -61 dBm, battery 90 %)"));
    }

    #[test]
    fn lines_of_the_socket_are_counted_for_one_strap() {
        let mut t = Tally::default();
        for v in [
            json!({"type": "strap", "strap": A, "link": "connected", "rssi_dbm": -60, "battery_pct": null}),
            json!({"type": "strap", "strap": A, "link": "connected", "rssi_dbm": null, "battery_pct": 90}),
            json!({"type": "packet", "strap": A, "hex": "10425803"}),
            // contact supported and not detected
            json!({"type": "packet", "strap": A, "hex": "043c"}),
            json!({"type": "beats", "strap": A, "gap": "link_up", "beats": [{"rr_ms": 828.125}]}),
            json!({"type": "beats", "strap": A, "gap": "lost_beats", "beats": [{"rr_ms": 900.0}]}),
        ] {
            assert!(t.take(A, &v), "{v}");
        }
        assert!(!t.take(A, &json!({"type": "packet", "strap": "C0:FF:EE:00:00:02", "hex": "10425803"})));
        assert!(!t.take(A, &json!({"type": "ok"})));
        let want = Tally {
            linked: true,
            packets: 2,
            rr_ms: vec![828.125, 900.0],
            gaps: 1,
            no_contact: 1,
            heart_rate: Some(60),
            rssi_dbm: Some(-60),
            battery_pct: Some(90),
            advice: None,
        };
        assert_eq!(t, want);
    }
}
