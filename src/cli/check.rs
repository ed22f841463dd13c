//! `hrvd check`: starts a check on the daemon and guides through it.

use super::Exit;
use super::args::Global;
use super::ask::{complain, load_and_connect};
use super::guide::{Guide, Look, result_words};
use super::terminal::Terminal;
use crate::check::Posture;
use crate::config::Surroundings;
use crate::control::{Client, ClientError, Op};
use crate::readiness::Feel;
use crate::units::AthleteId;
use serde_json::{Value, json};

/// What is asked for.
#[derive(Debug)]
pub struct CheckArgs<'a> {
    /// Whose.
    pub athlete: Option<&'a AthleteId>,
    /// Posture, if not the usual one.
    pub posture: Option<Posture>,
    /// End the running check.
    pub cancel: bool,
}

/// Starts (or cancels) and follows a check.
pub fn run(args: &CheckArgs<'_>, global: &Global, around: &Surroundings, terminal: &mut Terminal<'_>) -> Exit {
    let mut client = match load_and_connect(global, around, terminal) {
        Ok(client) => client,
        Err(exit) => return exit,
    };
    match follow(args, &mut client, global, terminal) {
        Ok(exit) => exit,
        Err(e) => complain(&e, terminal),
    }
}

fn follow(
    args: &CheckArgs<'_>,
    client: &mut Client,
    global: &Global,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, ClientError> {
    let asked = args.athlete.map(ToString::to_string);
    if args.cancel {
        let answer = client.ask(&Op::CancelCheck { athlete: asked })?;
        let _ = if terminal.json {
            writeln!(terminal.out, "{}", json!({"athlete": answer["athlete"], "cancelled": true}))
        } else {
            writeln!(terminal.err, "cancelled")
        };
        return Ok(Exit::Done);
    }
    // listen first, so that nothing of the check is missed
    client.ask(&Op::Subscribe { athlete: asked.clone() })?;
    let posture = args.posture.map(|p| p.as_str().to_owned());
    let started = client.ask(&Op::StartCheck { athlete: asked, posture })?;
    let athlete = started["athlete"].as_str().unwrap_or_default().to_owned();
    let look = Look::of_stderr(global.no_color);
    let mut guide = Guide::new(look);
    // the state before the start may still be in the pipe: the check begins with its first running phase
    let mut running = false;
    while let Some(v) = client.receive()? {
        if v["athlete"].as_str() != Some(&athlete) {
            continue;
        }
        if terminal.json && running {
            let _ = writeln!(terminal.out, "{v}");
        }
        match v["type"].as_str() {
            Some("check_result") => {
                if terminal.json {
                    return Ok(finish(&v, look, terminal));
                }
                if !ask_feel(client, &athlete, terminal) {
                    let _ = writeln!(terminal.err, "The check is done; its numbers wait for the answer. {ASK}");
                    return Ok(exit_of(&v));
                }
                let exit = finish(&v, look, terminal);
                tell_verdict(client, &athlete, terminal);
                return Ok(exit);
            }
            Some("check") => {
                let phase = v["phase"].as_str().unwrap_or_default();
                running |= matches!(phase, "waiting_for_strap" | "settling" | "recording");
                if running && guide.see(&v) && phase == "aborted" {
                    return Ok(Exit::NoResult);
                }
            }
            _ => {
                guide.see(&v);
            }
        }
    }
    let _ = writeln!(terminal.err, "hrvd stopped; the check goes on when it is back");
    Ok(Exit::Failed)
}

/// What to say so that numbers are shown.
pub(super) const ASK: &str = "How does the day feel? hrvd log feel good | ok | bad, then hrvd today";

/// Whether the numbers wait for the feel; a daemon that is older than this program has no such answer.
fn numbers_wait(client: &mut Client, athlete: &str) -> bool {
    let today = Op::Today { athlete: Some(athlete.to_owned()) };
    client.ask(&today).is_ok_and(|v| v["numbers_wait"] == true)
}

/// Asks how the day feels before any number is shown, if the verdict waits for it and somebody sits there; whether
/// nothing waits any more.
fn ask_feel(client: &mut Client, athlete: &str, terminal: &mut Terminal<'_>) -> bool {
    use std::io::{IsTerminal, stdin};
    if !numbers_wait(client, athlete) {
        return true;
    }
    if !stdin().is_terminal() {
        return false;
    }
    let _ = write!(terminal.err, "How does the day feel? good, ok or bad (Enter: later) ");
    let _ = terminal.err.flush();
    let mut line = String::new();
    stdin().read_line(&mut line).is_ok() && say_feel(client, athlete, &line, terminal)
}

/// Hands the answer on; whether nothing waits any more. One that is refused may have changed nothing.
fn say_feel(client: &mut Client, athlete: &str, line: &str, terminal: &mut Terminal<'_>) -> bool {
    let Some(feel) = feel_of(line) else { return false };
    let value = feel.as_str().to_owned();
    match client.ask(&Op::Say { athlete: Some(athlete.to_owned()), what: "feel".into(), value, date: None }) {
        Ok(_) => true,
        Err(e) => {
            complain(&e, terminal);
            !numbers_wait(client, athlete)
        }
    }
}

/// A feel by its word or the beginning of it.
fn feel_of(line: &str) -> Option<Feel> {
    let word = line.trim().to_ascii_lowercase();
    Feel::ALL.iter().copied().find(|f| !word.is_empty() && f.as_str().starts_with(&word))
}

/// The verdict, or that it waits for the feel.
fn tell_verdict(client: &mut Client, athlete: &str, terminal: &mut Terminal<'_>) {
    // a daemon that is older than this program has no such answer
    let Ok(v) = client.ask(&Op::Today { athlete: Some(athlete.to_owned()) }) else { return };
    let day = &v["readiness"];
    let _ = match day["state"].as_str() {
        Some("waiting_for_feel") => writeln!(terminal.err, "{ASK}"),
        Some("given") => {
            let text = day["level_text"].as_str().unwrap_or_default();
            writeln!(terminal.out, "{}  {text} (hrvd today)", day["level"].as_str().unwrap_or_default())
        }
        _ => Ok(()),
    };
}

/// Prints the result; a result without numbers has its own exit code.
pub(super) fn finish(v: &Value, look: Look, terminal: &mut Terminal<'_>) -> Exit {
    if !terminal.json {
        let _ = write!(terminal.out, "{}", result_words(look, v));
    }
    exit_of(v)
}

fn exit_of(v: &Value) -> Exit {
    if v["rmssd_ms"].is_null() { Exit::NoResult } else { Exit::Done }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_feel_by_its_first_letter() {
        for (line, want) in
            [("g\n", Some(Feel::Good)), ("OK", Some(Feel::Ok)), (" bad ", Some(Feel::Bad)), ("b", Some(Feel::Bad))]
        {
            assert_eq!(feel_of(line), want, "{line:?}");
        }
        assert!(["", "\n", "fine", "goodness"].iter().all(|l| feel_of(l).is_none()));
    }

    #[test]
    fn a_feel_that_is_not_taken_shows_no_numbers() {
        let refused = r#"{"type":"error","kind":"invalid","message":"the date is not known yet"}"#;
        let today = |waits: bool| format!(r#"{{"type":"today","numbers_wait":{waits}}}"#);
        for (answers, shown) in [
            (vec![r#"{"type":"ok"}"#.to_owned()], true),
            (vec![refused.to_owned(), today(true)], false),
            // taken, and it could not be stored
            (vec![refused.to_owned(), today(false)], true),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("s");
            let listener = UnixListener::bind(&path).unwrap();
            let n = answers.len();
            let daemon = std::thread::spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                let asked = BufReader::new(stream.try_clone().unwrap()).lines();
                asked.zip(answers).map(|(_, answer)| writeln!(&stream, "{answer}").unwrap()).count()
            });
            let (mut out, mut err) = (vec![], vec![]);
            let mut client = Client::connect(&path).unwrap();
            let mut terminal = Terminal { out: &mut out, err: &mut err, json: false };
            assert_eq!(say_feel(&mut client, "alex", "good\n", &mut terminal), shown, "{n}");
            drop(client);
            assert_eq!((daemon.join().unwrap(), err.is_empty()), (n, n == 1));
        }
    }
}
