//! `hrvd demo`: the whole daemon with a simulated strap, a private broker, and everything shown that it says.

mod broker;
mod stage;

use super::Exit;
use super::args::Global;
use super::guide::{Look, result_words};
use super::terminal::{Terminal, talk};
use crate::analyze::parse_rr_text;
use crate::config::Surroundings;
use crate::units::RrTicks;
use broker::Broker;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// Five minutes of a resting person: the sample "short NN series" of pyHRV (BSD-3-Clause, see tests/data/README.md).
const SAMPLE: &str = include_str!("../../../tests/data/pyhrv_short.txt");

/// What is asked for.
#[derive(Clone, Debug)]
pub struct DemoArgs {
    /// How many times as fast as life.
    pub speed: f64,
    /// Go on after the check.
    pub keep: bool,
    /// `host:port` of a broker to use.
    pub broker: Option<String>,
    /// RR intervals to play instead of the built-in ones.
    pub rr: Option<PathBuf>,
}

/// Plays the demo.
pub fn run(args: &DemoArgs, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    if !(0.5..=100.0).contains(&args.speed) {
        let _ = writeln!(terminal.err, "error: --speed takes a number from 0.5 to 100");
        return Exit::Usage;
    }
    let fail = |e: String, terminal: &mut Terminal<'_>| {
        let _ = writeln!(terminal.err, "error: {e}");
        Exit::Failed
    };
    let dir = match tempdir() {
        Ok(dir) => dir,
        Err(e) => return fail(format!("no temporary folder: {e}"), terminal),
    };
    let (broker, address) = match &args.broker {
        Some(text) => match resolve(text) {
            Ok(address) => (None, address),
            Err(e) => return fail(e, terminal),
        },
        None => match Broker::start(&dir.0) {
            Ok(broker) => {
                let address = broker.address();
                (Some(broker), address)
            }
            Err(e) => return fail(e, terminal),
        },
    };
    let text = match args.rr.as_ref().map(|path| (path, std::fs::read_to_string(path))) {
        None => SAMPLE.to_owned(),
        Some((_, Ok(text))) => text,
        Some((path, Err(e))) => return fail(format!("{}: {e}", path.display()), terminal),
    };
    let rr: Vec<RrTicks> = match parse_rr_text(&text) {
        Ok(series) => series.rr_ms.into_iter().filter_map(RrTicks::from_ms).collect(),
        Err(bad) => {
            let first = bad.first().map_or(String::new(), ToString::to_string);
            return fail(format!("no RR intervals in ms, one a line: {first}"), terminal);
        }
    };
    if rr.is_empty() {
        return fail("there is no RR interval in it".to_owned(), terminal);
    }
    let look = Look::of_stderr(global.no_color);
    let stage = stage::Stage { args: args.clone(), look, json: terminal.json, rr, broker: address, dir: dir.0.clone() };
    let mut outcome = None;
    let exit = super::run::with_runtime(around, async |cancel| match stage.play(cancel).await {
        Ok(result) => {
            outcome = result;
            Exit::Done
        }
        Err(e) => {
            talk(&format!("error: {e}"));
            Exit::Failed
        }
    });
    drop(broker);
    match outcome {
        Some(v) if !terminal.json => {
            let _ = write!(terminal.out, "\n{}", result_words(look, &v));
        }
        None if exit == Exit::Done => return Exit::NoResult,
        _ => {}
    }
    exit
}

fn resolve(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|e| format!("--broker {text}: {e} (it takes HOST:PORT)"))?;
    found.next().ok_or_else(|| format!("--broker {text}: no such host"))
}

/// A folder that goes away with its owner.
struct TempDir(std::path::PathBuf);

fn tempdir() -> std::io::Result<TempDir> {
    let path = std::env::temp_dir().join(format!("hrvd-demo-{}-{:08x}", std::process::id(), fastrand::u32(..)));
    std::fs::create_dir(&path)?;
    Ok(TempDir(path))
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
