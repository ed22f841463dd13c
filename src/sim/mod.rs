//! Simulated hearts and straps: RR intervals in, 0x2A37 notifications out, as a strap on a chest sends them.
//!
//! Pure and seeded; the demo, `hrvd replay` of a text file, `hrvd simulate` and the tests use the same code. The same
//! seed gives the same bytes on every machine.
//!
//! * [`Heart`] and [`StrapSim`]: a resting heart on a faultless strap.
//! * [`Rhythm`]: a heart with ectopics, exercise and a truth; [`ProfileStrap`]: a strap with one of the behaviours of
//!   [`Profile::all`], each with the diagnosis that must be given.

mod heart;
mod profile;
mod profile_strap;
mod profiles;
pub mod random;
mod rhythm;
mod sensor;
mod strap;

pub use heart::{Heart, HeartConfig};
pub use profile::{
    After, ContactTrait, Deaf, Diagnosis, Every, PLAIN, Profile, Rounding, RrSource, Tail, Traits, Unit,
};
pub use profile_strap::{ProfileStrap, SimEvent};
pub use rhythm::{BeatKind, Course, HeartBeat, Rhythm, RhythmConfig};
pub use sensor::{How, Truth};
pub use strap::{Notification, StrapSim};
