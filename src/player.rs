//! Drives an engine through simulated time: inputs at their own moments, timeouts in between, nothing slept.

use crate::engine::{Engine, Input, LinkState, Output, Record, RecordKind};
use crate::units::{Mono, Now};
use jiff::Timestamp;

/// The next moment up to `until` at which something is due. Live and in a replay alike it is done at its own moment, and
/// before what comes in at that moment. `latest` is what the engine was told last: time never runs back.
pub fn next_due(engine: &Engine, latest: Mono, until: Now) -> Option<Now> {
    let mono = engine.poll_timeout().filter(|due| *due <= until.mono)?.max(latest);
    let ago = until.mono.since(mono);
    Some(Now { mono, wall: until.wall.and_then(|wall| wall.checked_sub(ago).ok()) })
}

/// An engine and the clock it is told.
#[derive(Debug)]
pub struct Player {
    engine: Engine,
    now: Mono,
    /// Wall clock at a monotonic time, once known.
    wall: Option<(Mono, Timestamp)>,
}

impl Player {
    /// Starts at `start`; `wall` is the wall clock at that moment, if known.
    pub fn new(engine: Engine, start: Mono, wall: Option<Timestamp>) -> Self {
        Self { engine, now: start, wall: wall.map(|w| (start, w)) }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to be driven by somebody else from now on.
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// The simulated moment.
    pub fn now(&self) -> Now {
        self.at(self.now)
    }

    fn at(&self, at: Mono) -> Now {
        let wall = self
            .wall
            .and_then(|(mono, wall)| Timestamp::from_microsecond(wall.as_microsecond() + at.diff_micros(mono)).ok());
        Now { mono: at, wall }
    }

    /// From now on the wall clock stands here.
    pub fn set_wall(&mut self, wall: Timestamp) {
        self.wall = Some((self.now, wall));
    }

    /// Lets time pass to `until`; every timeout on the way is handled at its own moment.
    pub fn advance(&mut self, until: Mono, said: &mut impl FnMut(Mono, Output)) {
        while let Some(due) = next_due(&self.engine, self.now, self.at(until)) {
            self.now = due.mono;
            self.engine.handle(due, Input::Timeout);
            self.drain(said);
        }
        self.now = self.now.max(until);
    }

    /// An input at `at` (or now, if that has passed).
    pub fn input(&mut self, at: Mono, input: Input, said: &mut impl FnMut(Mono, Output)) {
        self.advance(at, said);
        self.engine.handle(self.now(), input);
        self.drain(said);
    }

    /// A record of the raw truth: the inputs that made it.
    pub fn record(&mut self, record: Record, said: &mut impl FnMut(Mono, Output)) {
        let input = match record.kind {
            RecordKind::Packet { strap, bytes } => Input::Packet { strap, bytes },
            RecordKind::Link { strap, up: true } => Input::Link { strap, state: LinkState::Connected },
            RecordKind::Link { strap, up: false } => Input::Link { strap, state: LinkState::NotSeen },
            RecordKind::Command(command) => Input::Command(command),
            RecordKind::Anchor { wall } => {
                self.advance(record.at, said);
                self.set_wall(wall);
                Input::Timeout
            }
        };
        self.input(record.at, input, said);
    }

    fn drain(&mut self, said: &mut impl FnMut(Mono, Output)) {
        while let Some(output) = self.engine.poll_output() {
            said(self.now, output);
        }
    }
}
