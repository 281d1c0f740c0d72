use crate::RunSummary;

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
    /// The run has ended.
    Finished(&'a RunSummary),
}
