use std::collections::BTreeMap;
use std::time::Duration;

use crate::{RunSummary, TypeCounts};

/// Hears what a job does, on the thread that called it. Nothing in an event
/// is content of a record.
pub trait Observer {
    /// Something has happened.
    fn event(&mut self, event: &Event<'_>);
}

/// An observer of nothing.
impl Observer for () {
    fn event(&mut self, _: &Event<'_>) {}
}

/// What happens in a job.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The job begins.
    Started {
        /// Id of the run.
        run: &'a str,
        /// Size of all files as they are stored; standard input counts 0.
        bytes: u64,
        /// Number of files.
        files: usize,
    },
    /// A file begins.
    File {
        /// Its name.
        name: &'a str,
    },
    /// Records have been dealt with.
    Progress {
        /// Bytes read of the files as they are stored.
        bytes: u64,
        /// Resources dealt with.
        resources: u64,
        /// The same by resource type.
        by_type: &'a BTreeMap<&'static str, TypeCounts>,
    },
    /// A record was refused and is in the quarantine.
    Quarantined {
        /// The file.
        file: &'a str,
        /// Line number, from 1; `None` in a JSON document.
        line: Option<u64>,
        /// Reason code.
        reason: &'a str,
        /// The reason in words.
        detail: &'a str,
    },
    /// A file can't be read, or not further; the run will be partial.
    FileRefused {
        /// The file.
        file: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// The input has been read; what needed all of it is done now: references
    /// by identifier, deletions, content that was there before.
    Settling {
        /// Records that waited.
        records: u64,
    },
    /// An export begins, or goes on.
    Export {
        /// Id of the run.
        run: &'a str,
        /// The `_since` it has; `None` for an export of everything.
        since: Option<&'a str>,
    },
    /// A run over the network has reached a state.
    State {
        /// Its name.
        state: &'a str,
    },
    /// The server is not done yet.
    Waiting {
        /// What it says about it, in its own words: for people, not for logs.
        message: Option<&'a str>,
        /// How long the export has been going on.
        elapsed: Duration,
        /// Until it is asked again.
        wait: Duration,
        /// How often in a row there was no usable answer.
        failures: u32,
    },
    /// The server is done, and files begin to come.
    Manifest {
        /// How many files.
        files: usize,
        /// How many resources, where the server says it for every file.
        resources: Option<u64>,
    },
    /// Something that is worth knowing.
    Notice {
        /// What.
        text: &'a str,
    },
    /// The run has ended.
    Finished(&'a RunSummary),
}
