use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::sync_channel;
use std::thread;

use fhir_http::Client;

use super::{Download, Downloaded};
use crate::{OutputFile, Result};

/// Downloads of many files, some at a time. A file that fails does not stop
/// the others.
#[derive(Clone)]
pub struct Downloads<'a> {
    client: &'a Client,
    parallel: NonZeroUsize,
}

impl<'a> Downloads<'a> {
    /// Files at a time, unless another number is set.
    pub const PARALLEL: NonZeroUsize = NonZeroUsize::new(4).unwrap();

    /// Downloads over `client`.
    #[must_use]
    pub const fn new(client: &'a Client) -> Self {
        Self {
            client,
            parallel: Self::PARALLEL,
        }
    }

    /// The same with another number of files at a time.
    #[must_use]
    pub const fn parallel(mut self, parallel: NonZeroUsize) -> Self {
        self.parallel = parallel;
        self
    }

    /// Downloads `files` to where `path` says, each as [`Download`] does, and
    /// gives the results to `each` as they come. While `each` is at work
    /// finished files wait, and no more are begun than there is room for.
    /// When it breaks no other file is begun, and those under way end first.
    pub fn run<'f>(
        &self,
        files: impl IntoIterator<Item = &'f OutputFile>,
        path: impl Fn(&OutputFile) -> PathBuf + Sync,
        mut each: impl FnMut(&'f OutputFile, Result<Downloaded>) -> ControlFlow<()>,
    ) {
        let files: Vec<_> = files.into_iter().collect();
        let workers = self.parallel.get().min(files.len());
        let queue = Mutex::new(files.into_iter());
        let (results, done) = sync_channel(0);
        thread::scope(|scope| {
            for _ in 0..workers {
                let (results, queue, path) = (results.clone(), &queue, &path);
                scope.spawn(move || {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(file) = next else { break };
                        let result = Download::new(self.client, file, path(file)).run();
                        if results.send((file, result)).is_err() {
                            break;
                        }
                    }
                });
            }
            // Or receiving would never end.
            drop(results);
            while let Ok((file, result)) = done.recv() {
                if each(file, result).is_break() {
                    break;
                }
            }
            drop(done);
        });
    }
}
