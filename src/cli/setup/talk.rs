//! Questions and answers of `hrvd setup`. Without a terminal nothing is asked: an answer that no flag gave is an error
//! that names the flag.

use super::Stop;
use crate::cli::terminal::Terminal;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Stdin};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Lines that somebody types, as they come.
type Lines = mpsc::UnboundedReceiver<String>;

/// One conversation.
pub(super) struct Talk<'a, 't> {
    pub(super) terminal: &'a mut Terminal<'t>,
    answers: Option<Lines>,
    /// Ctrl-C.
    pub(super) cancel: CancellationToken,
}

impl<'a, 't> Talk<'a, 't> {
    /// Asks on standard input if that is a terminal and somebody shall be asked.
    pub(super) fn new(terminal: &'a mut Terminal<'t>, ask: bool, cancel: CancellationToken) -> Self {
        let answers = (ask && io::stdin().is_terminal()).then(|| lines(io::stdin()));
        Self { terminal, answers, cancel }
    }

    /// Whether somebody is there to be asked.
    pub(super) fn is_asking(&self) -> bool {
        self.answers.is_some()
    }

    /// Says a line.
    pub(super) fn say(&mut self, line: impl Display) {
        let _ = writeln!(self.terminal.err, "{line}");
    }

    /// Asks for a text; an empty answer is the default. `flag` answers it in a script.
    pub(super) async fn ask(&mut self, question: &str, default: Option<&str>, flag: &str) -> Result<String, Stop> {
        if self.answers.is_none() {
            return default.map(str::to_owned).ok_or_else(|| Stop::missing(question, flag));
        }
        let shown = default.map_or(String::new(), |d| format!(" [{d}]"));
        loop {
            let _ = write!(self.terminal.err, "{question}{shown}: ");
            let _ = self.terminal.err.flush();
            let answer = self.line().await?;
            match (answer.trim(), default) {
                ("", Some(default)) => return Ok(default.to_owned()),
                ("", None) => {}
                (text, _) => return Ok(text.to_owned()),
            }
        }
    }

    /// Asks for a password, which is not shown. It may be empty.
    pub(super) async fn secret(&mut self, question: &str, flag: &str) -> Result<String, Stop> {
        if self.answers.is_none() {
            return Err(Stop::missing(question, flag));
        }
        let _ = write!(self.terminal.err, "{question} (not shown): ");
        let _ = self.terminal.err.flush();
        let hidden = Hidden::begin();
        let answer = self.line().await;
        drop(hidden);
        self.say("");
        answer
    }

    /// Asks yes or no. In a script it is yes: whoever wrote it has said what shall be done.
    pub(super) async fn agree(&mut self, question: &str) -> Result<bool, Stop> {
        if self.answers.is_none() {
            return Ok(true);
        }
        loop {
            let answer = self.ask(&format!("{question} (y/n)"), Some("y"), "").await?;
            match answer.to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => {}
            }
        }
    }

    async fn line(&mut self) -> Result<String, Stop> {
        let Some(answers) = &mut self.answers else { return Err(Stop::Cancelled) };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Stop::Cancelled),
            // the end of the input is nobody's yes
            line = answers.recv() => line.ok_or(Stop::Cancelled),
        }
    }

    /// Waits for something that Ctrl-C may cut short.
    pub(super) async fn unless_cancelled<T>(&self, what: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Stop::Cancelled),
            done = what => Ok(done),
        }
    }
}

/// Reads in a thread of its own: a read of a terminal cannot be given up, and Ctrl-C must be.
fn lines(input: Stdin) -> Lines {
    let (tx, rx) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in input.lock().lines().map_while(Result::ok) {
            if tx.send(line).is_err() {
                return;
            }
        }
    });
    rx
}

/// While it lives, the terminal does not show what is typed.
struct Hidden(Option<Termios>);

impl Hidden {
    fn begin() -> Self {
        let old = tcgetattr(io::stdin()).ok();
        if let Some(old) = &old {
            let mut new = old.clone();
            new.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &new);
        }
        Self(old)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(old) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation with somebody who types these lines.
    async fn with(typed: &[&str], run: impl AsyncFnOnce(&mut Talk<'_, '_>)) -> String {
        let (mut out, mut err) = (vec![], vec![]);
        let mut terminal = Terminal { out: &mut out, err: &mut err, json: false };
        let (tx, rx) = mpsc::unbounded_channel();
        typed.iter().for_each(|l| tx.send((*l).to_owned()).unwrap());
        drop(tx);
        run(&mut Talk { terminal: &mut terminal, answers: Some(rx), cancel: CancellationToken::new() }).await;
        String::from_utf8(err).unwrap()
    }

    #[tokio::test]
    async fn an_empty_answer_is_the_default_and_without_one_it_is_asked_again() {
        let said = with(&["", "  x ", "", "maybe", "N"], async |talk| {
            assert_eq!(talk.ask("Host", Some("here"), "--broker").await.unwrap(), "here");
            assert_eq!(talk.ask("Host", None, "--broker").await.unwrap(), "x");
            assert!(talk.agree("Write").await.unwrap());
            assert!(!talk.agree("Write").await.unwrap());
            // nobody types any more
            assert!(matches!(talk.ask("Host", Some("here"), "--broker").await, Err(Stop::Cancelled)));
        })
        .await;
        assert_eq!(said.matches("Host [here]: ").count(), 2, "{said}");
        assert_eq!(said.matches("Write (y/n) [y]: ").count(), 3, "{said}");
    }

    #[tokio::test]
    async fn a_script_is_told_which_flag_is_missing() {
        let (mut out, mut err) = (vec![], vec![]);
        let mut terminal = Terminal { out: &mut out, err: &mut err, json: false };
        let mut talk = Talk { terminal: &mut terminal, answers: None, cancel: CancellationToken::new() };
        let Err(Stop::Missing { flag, .. }) = talk.ask("Host", None, "--broker").await else { panic!("asked") };
        assert_eq!(flag, "--broker");
        assert!(talk.agree("Write").await.unwrap());
        assert_eq!(talk.ask("Host", Some("here"), "--broker").await.unwrap(), "here");
        assert!(matches!(talk.secret("Password", "--password-file").await, Err(Stop::Missing { .. })));
    }
}
