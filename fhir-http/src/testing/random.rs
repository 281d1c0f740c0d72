use crate::Random;

/// A source of randomness that always draws the same byte: 0 makes every
/// backoff nothing, 255 makes it as long as it gets.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeRandom(u8);

impl FakeRandom {
    /// One that draws `byte`.
    #[must_use]
    pub const fn new(byte: u8) -> Self {
        Self(byte)
    }
}

impl Random for FakeRandom {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}
