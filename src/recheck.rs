//! A check computed again from its raw packets.

use crate::check::{CheckConfig, CheckResult};
use crate::engine::{Athlete, Config, Engine, Input, Output, Record, Roster, Strap};
use crate::player::Player;
use crate::verdict::source_of;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The result that today's program makes of the packets behind a stored one; `None` if they make no such check.
/// `protocol` is the one that it was taken under.
pub fn recheck(
    stored: &CheckResult,
    boot: &str,
    records: &[Record],
    zone: &TimeZone,
    protocol: &CheckConfig,
) -> Option<CheckResult> {
    let first = records.first()?.at;
    let config = Config { boot: boot.to_owned(), live_interval: Duration::from_secs(60), check: protocol.clone() };
    let mut player = Player::new(Engine::new(config), first, None);
    let mut found = None;
    let mut said = |_, output| {
        if let Output::Result(r) = output {
            if r.id == stored.id {
                found = Some(*r);
            }
        }
    };
    let athlete = Athlete {
        id: stored.athlete.clone(),
        name: stored.athlete.to_string(),
        time_zone: zone.clone(),
        posture: stored.posture,
        wake_window: None,
    };
    let strap = Strap { id: stored.strap, athlete: stored.athlete.clone(), name: None };
    let roster = Roster { athletes: vec![athlete], straps: vec![strap] };
    player.input(first, Input::Roster(roster), &mut said);
    let source = source_of(records, stored.strap);
    player.input(first, Input::Known { strap: stored.strap, source }, &mut said);
    let mut last = first;
    for record in records {
        last = record.at;
        player.record(record.clone(), &mut said);
    }
    player.advance(last + Duration::from_secs(5), &mut said);
    found
}

/// Whether two results say the same: every number that was frozen, to nine digits.
pub fn same(a: &CheckResult, b: &CheckResult) -> bool {
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * x.abs().max(1.0) || (x.is_nan() && y.is_nan());
    let values = match (&a.values, &b.values) {
        (Some(a), Some(b)) => {
            near(a.rmssd_ms, b.rmssd_ms) && near(a.ln_rmssd, b.ln_rmssd) && near(a.mean_hr_bpm, b.mean_hr_bpm)
        }
        (None, None) => true,
        _ => false,
    };
    values && a.grade == b.grade && a.why == b.why && a.n == b.n && a.pairs == b.pairs
}
