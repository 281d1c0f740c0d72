//! Stand-ins for the network and for time, for tests of what is built on this
//! crate.

mod clock;
mod random;
mod replay;

pub use clock::FakeClock;
pub use random::FakeRandom;
pub use replay::{Recorded, Replay};
