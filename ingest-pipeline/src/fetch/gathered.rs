//! What was read, in temporary files without a name.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tempfile::SpooledTempFile;

use super::reference::{Head, Key, Reader};
use super::{FetchError, FetchRequest, Fetcher};
use crate::{Input, MergedPatient};

/// A patient's record, ready to be [loaded](super::load).
///
/// It is kept in a temporary file without a name, which is gone when this is
/// dropped, or with the process.
#[derive(Clone)]
pub struct Gathered {
    input: Input,
    patient: String,
    started: SystemTime,
    since: SystemTime,
    counts: GatherCounts,
}

/// What came of a fetch, besides what is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatherCounts {
    /// Resources read, each counted once.
    pub resources: u64,
    /// Resources that are referred to and that the server does not have.
    pub missing: u64,
    /// Resources that are referred to and that the server does not give us:
    /// scopes may be too narrow.
    pub refused: u64,
    /// Merged patients that neither the server nor the store knows, or that
    /// can't be told apart from others: nothing is written for them.
    pub unknown_merged: u64,
}

impl Gathered {
    /// Id at the source of the patient whose record it is: who was asked for,
    /// or who has replaced them.
    #[must_use]
    pub fn patient(&self) -> &str {
        &self.patient
    }

    /// When the fetch began.
    #[must_use]
    pub const fn started(&self) -> SystemTime {
        self.started
    }

    /// What a later fetch gives as `since`, once this one is in the store: when
    /// it began by our clock or by the server's, whichever is earlier. A clock
    /// of ours that is ahead would leave out what changes until then.
    ///
    /// Nothing where the server refused to give what something refers to: that
    /// is asked for again by a fetch of everything alone.
    #[must_use]
    pub fn since(&self) -> Option<SystemTime> {
        (self.counts.refused == 0).then_some(self.since)
    }

    /// What came of it.
    #[must_use]
    pub const fn counts(&self) -> GatherCounts {
        self.counts
    }

    /// As a load takes it: NDJSON.
    #[must_use]
    pub fn input(&self) -> Input {
        self.input.clone()
    }
}

/// By hand: it is about a patient.
impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gathered")
            .field("started", &self.started)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// What a fetch has so far.
pub(super) struct Gathering {
    shared: Arc<Shared>,
    /// What is written by the thread that fetches.
    own: Haul,
    file: BufWriter<File>,
    pub(super) references: BTreeSet<Key>,
    pub(super) counts: GatherCounts,
    pub(super) merged: Vec<MergedPatient>,
}

/// What all threads of a fetch share.
struct Shared {
    bases: Vec<String>,
    follow: BTreeSet<&'static str>,
    folder: PathBuf,
    /// What is read already: each resource is taken once, as it came first.
    claimed: Mutex<HashSet<Key>>,
}

impl Shared {
    fn fail(&self, source: io::Error) -> FetchError {
        FetchError::Spool {
            folder: self.folder.clone(),
            source,
        }
    }

    fn claim(&self, key: Key) -> bool {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.insert(key)
    }
}

/// What one search or read has brought.
pub(super) struct Haul {
    shared: Arc<Shared>,
    reader: Reader,
    lines: SpooledTempFile,
    resources: u64,
    references: BTreeSet<Key>,
}

impl Fetcher {
    pub(super) fn begin(&self) -> Result<Gathering, FetchError> {
        let follow = self.adt.follow.iter();
        let shared = Arc::new(Shared {
            bases: self.server.bases.clone(),
            follow: follow
                .filter_map(|name| fhir_normalize::resource_type(name))
                .collect(),
            folder: self.options.spool.clone(),
            claimed: Mutex::default(),
        });
        let file = tempfile::tempfile_in(&shared.folder).map_err(|error| shared.fail(error))?;
        Ok(Gathering {
            own: Haul::new(&shared),
            shared,
            file: BufWriter::new(file),
            references: BTreeSet::new(),
            counts: GatherCounts::default(),
            merged: Vec::new(),
        })
    }
}

impl Gathering {
    /// Takes a resource, unless it is there already.
    pub(super) fn take(&mut self, text: &str) -> Result<(), FetchError> {
        self.own.take(text).map(drop)
    }

    /// Takes another version of a resource that is there already.
    pub(super) fn take_again(&mut self, text: &str) -> Result<(), FetchError> {
        self.own.push(text)
    }

    /// For what a thread reads.
    pub(super) fn haul(&self) -> impl Fn() -> Haul + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || Haul::new(&shared)
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        let claimed = self.shared.claimed.lock();
        let claimed = claimed.unwrap_or_else(PoisonError::into_inner);
        claimed.contains(key)
    }

    /// Adds what a thread has read.
    pub(super) fn add(&mut self, mut haul: Haul) -> Result<(), FetchError> {
        self.counts.resources += haul.resources;
        self.references.append(&mut haul.references);
        let copied = haul
            .lines
            .seek(SeekFrom::Start(0))
            .and_then(|_| io::copy(&mut haul.lines, &mut self.file));
        copied.map(drop).map_err(|error| self.shared.fail(error))
    }

    /// Moves what the fetching thread has taken itself to the others.
    pub(super) fn settle(&mut self) -> Result<(), FetchError> {
        let own = std::mem::replace(&mut self.own, Haul::new(&self.shared));
        self.add(own)
    }

    pub(super) fn finish(
        mut self,
        connection: &str,
        request: &FetchRequest,
        patient: String,
        (started, since): (SystemTime, SystemTime),
    ) -> Result<Gathered, FetchError> {
        self.settle()?;
        let fail = |error| self.shared.fail(error);
        let file = self
            .file
            .into_inner()
            .map_err(|error| fail(error.into_error()))?;
        let size = file.metadata().map_err(fail)?.len();
        let mut input = Input::opened(file, size, format!("{connection}/fetch"));
        if let Some(message) = &request.message {
            input = input.caused_by(message.clone());
        }
        Ok(Gathered {
            input: input.merging(self.merged),
            patient,
            started,
            since,
            counts: self.counts,
        })
    }
}

impl Haul {
    fn new(shared: &Arc<Shared>) -> Self {
        /// Most records are smaller, and need no file.
        const IN_MEMORY: usize = 1 << 20;
        Self {
            shared: Arc::clone(shared),
            reader: Reader::default(),
            lines: tempfile::spooled_tempfile_in(IN_MEMORY, &shared.folder),
            resources: 0,
            references: BTreeSet::new(),
        }
    }

    /// Takes a resource, unless it is there already, and says what it is.
    pub(super) fn take(&mut self, text: &str) -> Result<Head, FetchError> {
        let mut found = BTreeSet::new();
        let Shared { bases, follow, .. } = &*self.shared;
        let head = self.reader.read(text, bases, follow, &mut found);
        // What can't be read is left to the quarantine.
        let is_new = head.key.clone().is_none_or(|key| self.shared.claim(key));
        if is_new {
            self.resources += 1;
            self.references.append(&mut found);
            self.push(text)?;
        }
        Ok(head)
    }

    /// What a resource is, without taking it.
    pub(super) fn peek(&mut self, text: &str) -> Option<Key> {
        self.reader
            .read(text, &[], &BTreeSet::new(), &mut BTreeSet::new())
            .key
    }

    /// Writes a resource as one line. Line ends of a text that is laid out for
    /// people become spaces; there are none within strings.
    fn push(&mut self, text: &str) -> Result<(), FetchError> {
        let mut rest = text.as_bytes();
        let written = loop {
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            if let Err(error) = self.lines.write_all(&rest[..end]) {
                break Err(error);
            }
            let is_last = end == rest.len();
            let mark = if is_last { b"\n" } else { b" " };
            if let Err(error) = self.lines.write_all(mark) {
                break Err(error);
            }
            if is_last {
                break Ok(());
            }
            rest = &rest[end + 1..];
        };
        written.map_err(|error| self.shared.fail(error))
    }
}
