/// How much a [`ServerStore`](super::ServerStore) asks of its server at once.
///
/// These are upper limits: what turns out to be too much is halved, and grows again slowly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerSettings {
    /// Writes in a Bundle, each of them a resource and its Provenance. Default: 100.
    pub bundle_writes: usize,
    /// Bytes of a Bundle; one write may have more. Default: 4 MiB.
    pub bundle_bytes: usize,
    /// Requests at the same time. Default: 4.
    pub concurrency: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            bundle_writes: 100,
            bundle_bytes: 4 << 20,
            concurrency: 4,
        }
    }
}

impl ServerSettings {
    /// The same settings with another limit of writes in a Bundle, at least 1.
    #[must_use]
    pub const fn bundle_writes(mut self, writes: usize) -> Self {
        self.bundle_writes = writes;
        self
    }

    /// The same settings with another limit of bytes of a Bundle.
    #[must_use]
    pub const fn bundle_bytes(mut self, bytes: usize) -> Self {
        self.bundle_bytes = bytes;
        self
    }

    /// The same settings with another limit of requests at the same time, at least 1.
    #[must_use]
    pub const fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }
}
