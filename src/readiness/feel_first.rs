//! Feel first: the verdict waits until the person has said how it feels, or until the wait ends.

use crate::units::Mono;
use jiff::civil::Date;
use std::collections::VecDeque;
use std::time::Duration;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeelInput {
    /// A morning check is done and frozen.
    CheckDone(Date),
    /// The person said how that day feels.
    FeelGiven(Date),
    /// The check was of another day: nothing of this one waits.
    Moved(Date),
    /// The deadline of [`FeelFirst::poll_timeout`] may have passed.
    Timeout,
}

/// The verdict of this day may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose turn it is.
    pub date: Date,
    /// Whether the feel came first.
    pub feel_known: bool,
}

/// The machine. One a person.
#[derive(Clone, Debug)]
pub struct FeelFirst {
    wait: Duration,
    waiting: Option<(Date, Mono)>,
    /// The newest day with a feel and the newest one released.
    felt: Option<Date>,
    released: Option<Date>,
    out: VecDeque<Release>,
}

/// How long a verdict waits unless the configuration says otherwise.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(600);

impl FeelFirst {
    /// Waits this long; 0 holds nothing back.
    pub fn new(wait: Duration) -> Self {
        Self { wait, waiting: None, felt: None, released: None, out: VecDeque::new() }
    }

    /// A restart: this day's verdict was shown already.
    pub fn already_released(&mut self, date: Date) {
        self.released = Some(date);
    }

    /// A restart: this day's verdict was held back and may be for a while yet, at most as long as ever.
    pub fn resume(&mut self, now: Mono, date: Date, rest: Duration) {
        if self.released != Some(date) {
            self.waiting = Some((date, now + rest.min(self.wait)));
            self.expire(now);
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Mono, input: FeelInput) {
        self.expire(now);
        match input {
            FeelInput::CheckDone(date) if self.released == Some(date) || self.is_waiting_for(date) => {}
            FeelInput::CheckDone(date) => {
                // a day that still waits is not kept waiting by the next one
                if let Some((earlier, _)) = self.waiting.take() {
                    self.release(earlier);
                }
                if self.wait.is_zero() || self.felt == Some(date) {
                    self.release(date);
                } else {
                    self.waiting = Some((date, now + self.wait));
                }
            }
            FeelInput::FeelGiven(date) => {
                self.felt = self.felt.max(Some(date));
                if self.is_waiting_for(date) {
                    self.waiting = None;
                    self.release(date);
                }
            }
            FeelInput::Moved(date) => self.waiting = self.waiting.filter(|(d, _)| *d != date),
            FeelInput::Timeout => {}
        }
    }

    fn is_waiting_for(&self, date: Date) -> bool {
        self.waiting.is_some_and(|(d, _)| d == date)
    }

    fn expire(&mut self, now: Mono) {
        if let Some((date, _)) = self.waiting.filter(|(_, until)| *until <= now) {
            self.waiting = None;
            self.release(date);
        }
    }

    fn release(&mut self, date: Date) {
        self.released = Some(date);
        self.out.push_back(Release { date, feel_known: self.felt == Some(date) });
    }

    /// The next release.
    pub fn poll_output(&mut self) -> Option<Release> {
        self.out.pop_front()
    }

    /// When to say [`FeelInput::Timeout`].
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.waiting.map(|(_, until)| until)
    }

    /// Whether a result of this day is held back by nothing any more.
    pub fn is_released(&self, date: Date) -> bool {
        self.released == Some(date)
    }

    /// How long results wait.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The day whose verdict waits.
    pub fn waiting_for(&self) -> Option<Date> {
        self.waiting.map(|(d, _)| d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FeelInput::*;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 3, 2);

    fn run(wait_s: u64, inputs: &[(u64, FeelInput)]) -> (Vec<Release>, FeelFirst) {
        let mut m = FeelFirst::new(Duration::from_secs(wait_s));
        inputs.iter().for_each(|(t, i)| m.handle(Mono::from_secs(*t), *i));
        (std::iter::from_fn(|| m.poll_output()).collect(), m)
    }

    fn release(date: Date, feel_known: bool) -> Release {
        Release { date, feel_known }
    }

    #[test]
    fn held_until_the_feel() {
        let (out, m) = run(600, &[(0, CheckDone(TODAY))]);
        assert_eq!((out.len(), m.poll_timeout(), m.waiting_for()), (0, Some(Mono::from_secs(600)), Some(TODAY)));
        let (out, m) = run(600, &[(0, CheckDone(TODAY)), (60, FeelGiven(TODAY)), (700, Timeout)]);
        assert_eq!((out, m.poll_timeout()), (vec![release(TODAY, true)], None));
    }

    #[test]
    fn or_until_the_wait_ends() {
        assert!(run(600, &[(0, CheckDone(TODAY)), (599, Timeout)]).0.is_empty());
        assert_eq!(run(600, &[(0, CheckDone(TODAY)), (600, Timeout)]).0, [release(TODAY, false)]);
    }

    #[test]
    fn feel_before_the_check_and_no_wait_at_all() {
        assert_eq!(run(600, &[(0, FeelGiven(TODAY)), (5, CheckDone(TODAY))]).0, [release(TODAY, true)]);
        assert_eq!(run(0, &[(5, CheckDone(TODAY))]).0, [release(TODAY, false)]);
    }

    #[test]
    fn once_a_day_and_never_lost() {
        let twice = [(0, CheckDone(TODAY)), (1, CheckDone(TODAY)), (2, FeelGiven(TODAY)), (3, CheckDone(TODAY))];
        assert_eq!(run(600, &twice).0, [release(TODAY, true)]);
        let yesterday = date(2026, 3, 1);
        let both = [(0, CheckDone(yesterday)), (1, CheckDone(TODAY)), (9, FeelGiven(yesterday)), (601, Timeout)];
        assert_eq!(run(600, &both).0, [release(yesterday, false), release(TODAY, false)]);
        let mut m = FeelFirst::new(DEFAULT_WAIT);
        m.already_released(TODAY);
        m.handle(Mono::from_secs(1), CheckDone(TODAY));
        assert_eq!((m.poll_output(), m.poll_timeout()), (None, None));
    }
}
