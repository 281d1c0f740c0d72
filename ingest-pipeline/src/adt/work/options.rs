/// How fetches are carried out.
#[derive(Clone, Debug)]
pub struct WorkOptions {
    /// Id of the worker, see [`run_id`](crate::run_id).
    pub id: String,
    /// Whether to end when nothing waits any more.
    pub drain: bool,
    /// Threads that parse.
    pub threads: usize,
    /// Fetches that become one run of the store, and are read side by side.
    pub batch: usize,
    /// How often a fetch is tried before it is given up.
    pub attempts: u32,
}

impl WorkOptions {
    /// Batches of eight, twelve attempts over some twenty minutes.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            drain: false,
            threads: 1,
            batch: 8,
            attempts: 12,
        }
    }
}
