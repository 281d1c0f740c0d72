use std::hash::{DefaultHasher, Hash, Hasher};

/// What an input came to, as a fingerprint: an input whose outcome is new is
/// worth more inputs like it. Numbers go in by their size alone, or every
/// input would be new.
#[derive(Clone, Default)]
pub(crate) struct Outcome(DefaultHasher);

impl Outcome {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Of a word, such as a kind of error.
    pub(crate) fn with(mut self, word: impl Hash) -> Self {
        word.hash(&mut self.0);
        self
    }

    /// Of a number, by its bits.
    pub(crate) fn size(self, number: usize) -> Self {
        self.with(usize::BITS - number.leading_zeros())
    }

    /// Of a text of ours, such as that of an error, without its numbers and
    /// what it quotes.
    pub(crate) fn text(self, text: &str) -> Self {
        let mut quoted = false;
        let plain: String = text
            .chars()
            .filter(|char| {
                quoted ^= matches!(char, '`' | '"');
                !quoted && !char.is_ascii_digit()
            })
            .collect();
        self.with(plain)
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.finish()
    }
}
