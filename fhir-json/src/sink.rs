//! Where text is written to.

/// Where text is written to.
pub trait Sink {
    /// Takes the next bytes, which are UTF-8.
    fn write(&mut self, bytes: &[u8]);

    /// Takes the next characters.
    fn write_str(&mut self, text: &str) {
        self.write(text.as_bytes());
    }
}

impl Sink for String {
    fn write(&mut self, bytes: &[u8]) {
        self.push_str(&Self::from_utf8_lossy(bytes));
    }

    #[inline]
    fn write_str(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A [`Sink`] that feeds a hash function.
///
/// Digests cost much for each call, so small writes are collected first;
/// the last of them reach the digest with [`finish`](Self::finish).
#[cfg(feature = "digest")]
#[derive(Debug)]
pub struct DigestSink<'d, D: digest::Update> {
    digest: &'d mut D,
    buffer: [u8; 1024],
    used: usize,
}

#[cfg(feature = "digest")]
impl<'d, D: digest::Update> DigestSink<'d, D> {
    /// Writes into `digest`.
    pub const fn new(digest: &'d mut D) -> Self {
        Self {
            digest,
            buffer: [0; 1024],
            used: 0,
        }
    }

    /// Hands over what is still collected.
    pub fn finish(self) {
        self.digest.update(&self.buffer[..self.used]);
    }
}

#[cfg(feature = "digest")]
impl<D: digest::Update> Sink for DigestSink<'_, D> {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(free) = self.buffer[self.used..].get_mut(..bytes.len()) {
            free.copy_from_slice(bytes);
            self.used += bytes.len();
            return;
        }
        self.digest.update(&self.buffer[..self.used]);
        self.used = 0;
        if bytes.len() >= self.buffer.len() {
            self.digest.update(bytes);
        } else {
            self.buffer[..bytes.len()].copy_from_slice(bytes);
            self.used = bytes.len();
        }
    }
}
