//! The strap: which ones are near, which is yours, and whether what it sends is worth something.

use super::signal::{Grade, Tally};
use super::talk::Talk;
use super::{Stop, service};
use crate::cli::ask::connect;
use crate::cli::backup::options;
use crate::cli::scan::{self, Row};
use crate::config::Config;
use crate::control::{ClientError, Op};
use crate::engine::Strap;
use crate::store;
use crate::units::{AthleteId, StrapId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// How long a strap may take to connect and to send its first beat.
const PATIENCE: Duration = Duration::from_secs(45);

/// Looks for straps and lets somebody choose; `None` leaves it for later.
pub(super) async fn choose(
    asked: Option<StrapId>,
    seconds: u16,
    config: &Config,
    talk: &mut Talk<'_, '_>,
) -> Result<Option<StrapId>, Stop> {
    loop {
        let (mut rows, _) = scan::known(config);
        let mine = asked.and_then(|id| rows.get(&id)).is_some_and(|r| r.connected);
        if let (Some(id), true) = (asked, mine) {
            return Ok(Some(id));
        }
        talk.say(format!("Looking for {seconds} s. Wear the strap, pads wet: it sleeps otherwise."));
        let cancel = talk.cancel.clone();
        let looked = scan::look(seconds, config, &mut rows, &cancel).await;
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if let Err(e) = looked {
            scan::complain(e, talk.terminal);
            // what a flag names can be adopted unseen
            return if talk.is_asking() || asked.is_some() { Ok(asked) } else { Err(Stop::Said) };
        }
        let near = nearest(&rows);
        for (n, (id, row)) in near.iter().enumerate() {
            talk.say(line(n + 1, *id, row));
        }
        if near.is_empty() {
            talk.say(scan::NOTHING);
        }
        if let Some(id) = asked {
            if !near.iter().any(|(near, _)| *near == id) {
                talk.say(format!("{id} is not in reach; it is adopted all the same."));
            }
            return Ok(Some(id));
        }
        let free: Vec<usize> =
            near.iter().enumerate().filter(|(_, (_, r))| r.athlete.is_none()).map(|(n, _)| n + 1).collect();
        // with two of them nobody can tell which is the neighbour's
        let default = match free[..] {
            [only] => only.to_string(),
            _ if near.is_empty() => "again".to_owned(),
            _ => "none".to_owned(),
        };
        let question = "Which one is yours? Its number, again, or none";
        let answer = talk.ask(question, talk.is_asking().then_some(default.as_str()), "--strap or --no-strap").await?;
        match answer.to_ascii_lowercase().as_str() {
            "none" | "0" | "n" => return Ok(None),
            other => {
                if let Some((id, _)) = other.parse().ok().and_then(|n: usize| near.get(n.checked_sub(1)?)) {
                    return Ok(Some(*id));
                }
            }
        }
    }
}

/// What is here, the nearest first.
fn nearest(rows: &BTreeMap<StrapId, Row>) -> Vec<(StrapId, Row)> {
    let mut near: Vec<(StrapId, Row)> =
        rows.iter().filter(|(_, r)| r.is_here()).map(|(id, r)| (*id, r.clone())).collect();
    near.sort_by_key(|(id, r)| (std::cmp::Reverse(r.rssi), *id));
    near
}

fn line(n: usize, id: StrapId, row: &Row) -> String {
    let signal = match (row.rssi, row.connected) {
        (Some(dbm), _) => format!("{dbm} dBm"),
        (None, true) => "connected".to_owned(),
        (None, false) => "–".to_owned(),
    };
    let battery = row.battery.map_or("battery –".to_owned(), |b| format!("battery {b} %"));
    let whose = row.athlete.as_ref().map_or("nobody's yet".to_owned(), |a| format!("{a}'s"));
    format!("  {n}  {id}  {:<26} {signal:>9}  {battery}, {whose}", row.shown_name())
}

/// Makes a strap somebody's own; whether a running daemon did it.
pub(super) fn adopt(strap: StrapId, athlete: &AthleteId, config: &Config) -> Result<bool, Stop> {
    if let Some(listed) = config.straps.iter().find(|s| s.address == strap) {
        return match listed.athlete == *athlete {
            true => Ok(true),
            false => Err(Stop::failed(
                format!("{strap} belongs to {} by the configuration file", listed.athlete),
                "change it there",
            )),
        };
    }
    let op = Op::Adopt { address: strap.to_string(), athlete: athlete.to_string(), name: None };
    match connect(config).and_then(|mut client| client.ask(&op)) {
        Ok(_) => Ok(true),
        Err(ClientError::NotRunning(_)) => {
            let strap = Strap { id: strap, athlete: athlete.clone(), name: None };
            let now = crate::clock::Clock::system(crate::clock::ClockTrust::Auto).now().wall;
            let done = store::adopt_offline(options(config), &strap, now).map(|()| false);
            done.map_err(|e| Stop::failed(e.to_string(), e.hint()))
        }
        Err(e) => Err(Stop::failed(e.to_string(), "sudo hrvd doctor looks closer")),
    }
}

/// Listens to the daemon for so long, from the first beat on.
pub(super) async fn listen(strap: StrapId, seconds: u64, config: &Config) -> std::io::Result<Tally> {
    let (read, mut write) = UnixStream::connect(&config.control_socket).await?.into_split();
    write.write_all(b"{\"op\":\"subscribe\"}\n").await?;
    let mut lines = BufReader::new(read).lines();
    let (id, mut tally, mut begun) = (strap.to_string(), Tally::default(), false);
    let mut until = tokio::time::Instant::now() + PATIENCE;
    while let Ok(line) = tokio::time::timeout_at(until, lines.next_line()).await {
        let Some(line) = line? else { break };
        let Ok(v) = serde_json::from_str::<Value>(&line) else { continue };
        // the state before the test tells of the link; packets and beats come as they happen
        tally.take(&id, &v);
        if !begun && tally.packets > 0 {
            begun = true;
            until = tokio::time::Instant::now() + Duration::from_secs(seconds);
        }
    }
    if tally.packets == 0 {
        let status = service::status(&config.control_socket).unwrap_or_default();
        let it = status["straps"].as_array().into_iter().flatten().find(|s| s["strap"] == id.as_str());
        tally.advice = it.and_then(|s| s["advice"].as_str()).map(str::to_owned);
        tally.linked = it.is_some_and(|s| s["link"] == "connected");
    }
    Ok(tally)
}

/// Tests and says it.
pub(super) async fn test(
    strap: StrapId,
    seconds: u64,
    config: &Config,
    talk: &mut Talk<'_, '_>,
) -> Result<Option<Grade>, Stop> {
    talk.say(format!("Testing the signal for {seconds} s as soon as beats come. Keep still."));
    let heard = talk.unless_cancelled(listen(strap, seconds, config)).await?;
    match heard {
        Ok(tally) => {
            let (grade, sentence) = tally.sentence(seconds);
            talk.say(sentence);
            Ok(Some(grade))
        }
        Err(e) => {
            talk.say(format!("The signal cannot be tested: hrvd does not answer ({e})."));
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first_and_names_of_the_air_are_tamed() {
        let id = |n: u8| StrapId([n; 6]);
        let row = |rssi: Option<i16>, connected| {
            let mut row = Row::default();
            (row.rssi, row.connected) = (rssi, connected);
            row
        };
        let rows = BTreeMap::from([
            (id(1), row(Some(-80), false)),
            (id(2), row(Some(-50), false)),
            (id(3), row(None, false)),
            (id(4), row(None, true)),
        ]);
        let order: Vec<StrapId> = nearest(&rows).into_iter().map(|(id, _)| id).collect();
        assert_eq!(order, [id(2), id(1), id(4)]);
        let mut strange = row(Some(-61), false);
        strange.name = Some("H10\x1b[2J".into());
        let said = line(1, id(1), &strange);
        assert!(!said.contains('\x1b') && said.contains("-61 dBm") && said.ends_with("nobody's yet"), "{said}");
    }
}
