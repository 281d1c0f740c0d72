//! Files of an export, downloaded side by side and given to the load in order.

use std::collections::HashMap;
use std::io::BufReader;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use fhir_bulk::{BulkClient, ExportManifest, FileKind, OutputFile};
use fhir_normalize::resource_type;

use super::ServerIssues;
use crate::source;
use crate::state::{FileRecord, State};
use crate::{Input, Interrupt, Result, Source, Supply};

/// A file of the export, and what it is called on this side.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) file: OutputFile,
    pub(super) name: String,
}

/// The files in the order in which they are loaded: patients first, so that
/// most references can be resolved at once, and deletions when everything
/// else is there. What the server says about the export comes last.
pub(super) fn items(manifest: &ExportManifest) -> Vec<Item> {
    let mut items: Vec<_> = manifest
        .files()
        .map(|file| Item {
            name: name(file),
            file: file.clone(),
        })
        .collect();
    items.sort_by_key(|item| match item.file.kind {
        FileKind::Output if item.file.resource_type.as_deref() == Some("Patient") => 0,
        FileKind::Output => 1,
        FileKind::Deleted => 2,
        _ => 3,
    });
    items
}

/// `Patient.1.ndjson`; never made of what the server calls the file.
fn name(file: &OutputFile) -> String {
    let kind = match file.kind {
        FileKind::Output => known_type(file).unwrap_or("output"),
        FileKind::Deleted => "deleted",
        _ => "outcome",
    };
    format!("{kind}.{}.ndjson", file.number)
}

fn known_type(file: &OutputFile) -> Option<&'static str> {
    resource_type(file.resource_type.as_deref()?)
}

/// What became of one file.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It is there, complete.
    There(FileRecord),
    /// It can't be had.
    Failed(String),
}

/// Downloads what is not there yet; every file arrives at `arrivals` once,
/// unless the process is asked to stop.
///
/// Links to files expire, with some servers within minutes. Where one does not
/// work any more the manifest is asked for again, once, for new ones.
pub(super) struct Downloader<'a> {
    pub(super) client: &'a BulkClient,
    pub(super) connection: &'a str,
    pub(super) folder: &'a Path,
    pub(super) parallel: NonZeroUsize,
    pub(super) arrivals: Sender<(usize, Arrival)>,
    /// Gives the manifest once more.
    pub(super) manifest: &'a (dyn Fn() -> Option<ExportManifest> + Sync),
}

impl Downloader<'_> {
    /// # Errors
    /// When the state database fails.
    pub(super) fn run(&self, items: &[Item], state: &mut State) -> Result<()> {
        let known: HashMap<_, _> = state
            .files(self.connection)?
            .into_iter()
            .map(|record| (record.name.clone(), record))
            .collect();
        let mut missing = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match known.get(&item.name) {
                // What has a fault is asked for again: it may be mended.
                Some(record) if record.fault.is_none() && self.is_there(record) => {
                    self.arrive(index, Arrival::There(record.clone()));
                }
                _ => missing.push((index, item.clone())),
            }
        }
        let mut expired = Vec::new();
        self.download(&missing, state, &mut |index, error| {
            if has_expired(&error) {
                expired.push((index, error));
            } else {
                self.arrive(index, Arrival::Failed(crate::causes(&error)));
            }
        })?;
        if expired.is_empty() {
            return Ok(());
        }
        let manifest = (self.manifest)();
        let fresh: HashMap<_, _> = manifest
            .iter()
            .flat_map(ExportManifest::files)
            .map(|file| (name(file), file))
            .collect();
        let mut again = Vec::new();
        for (index, error) in expired {
            match fresh.get(&items[index].name) {
                Some(&file) => again.push((
                    index,
                    Item {
                        file: file.clone(),
                        name: items[index].name.clone(),
                    },
                )),
                None => self.arrive(index, Arrival::Failed(crate::causes(&error))),
            }
        }
        self.download(&again, state, &mut |index, error| {
            self.arrive(index, Arrival::Failed(crate::causes(&error)));
        })
    }

    /// Downloads files; those that can't be had go to `failed`.
    fn download(
        &self,
        items: &[(usize, Item)],
        state: &mut State,
        failed: &mut dyn FnMut(usize, fhir_bulk::Error),
    ) -> Result<()> {
        let indexes: HashMap<_, _> = items
            .iter()
            .map(|(index, item)| (item.name.as_str(), *index))
            .collect();
        let mut fault = None;
        self.client.downloads().parallel(self.parallel).run(
            items.iter().map(|(_, item)| &item.file),
            |file| self.folder.join(name(file)),
            |file, result| {
                let name = name(file);
                let Some(&index) = indexes.get(name.as_str()) else {
                    return ControlFlow::Continue(());
                };
                let downloaded = match result {
                    Ok(downloaded) => downloaded,
                    Err(fhir_bulk::Error::Interrupted) => return ControlFlow::Break(()),
                    Err(error) => {
                        failed(index, error);
                        return ControlFlow::Continue(());
                    }
                };
                let record = FileRecord {
                    name,
                    bytes: downloaded.bytes,
                    lines: downloaded.lines,
                    fault: downloaded.faults.first().map(ToString::to_string),
                };
                if let Err(error) = state.save_file(self.connection, &record) {
                    fault = Some(error);
                    return ControlFlow::Break(());
                }
                self.arrive(index, Arrival::There(record));
                ControlFlow::Continue(())
            },
        );
        fault.map_or(Ok(()), Err)
    }

    fn is_there(&self, record: &FileRecord) -> bool {
        let metadata = std::fs::metadata(self.folder.join(&record.name));
        metadata.is_ok_and(|metadata| metadata.len() == record.bytes)
    }

    fn arrive(&self, index: usize, arrival: Arrival) {
        // Nobody listens any more when the load has failed.
        let _ = self.arrivals.send((index, arrival));
    }
}

/// Whether a new link may help.
const fn has_expired(error: &fhir_bulk::Error) -> bool {
    matches!(
        error,
        fhir_bulk::Error::FileStatus {
            status: 400 | 401 | 403 | 404 | 410,
            ..
        }
    )
}

/// Gives the files to the load as they are there, in order.
pub(super) struct Feed<'a> {
    pub(super) items: &'a [Item],
    pub(super) folder: &'a Path,
    pub(super) connection: &'a str,
    pub(super) arrivals: Receiver<(usize, Arrival)>,
    pub(super) accept_server_errors: bool,
    pub(super) interrupt: &'a Interrupt,
    /// What is missing besides files, such as expected types.
    pub(super) faults: Vec<Supply>,
    pub(super) next: usize,
    pub(super) ready: HashMap<usize, Arrival>,
    /// Whether the server's words were looked at.
    pub(super) judged: bool,
    /// What the server says about the export.
    pub(super) issues: &'a Mutex<ServerIssues>,
}

impl Feed<'_> {
    /// `None` when the downloads have been stopped.
    fn wait_for(&mut self, index: usize) -> Option<Arrival> {
        loop {
            if let Some(arrival) = self.ready.remove(&index) {
                return Some(arrival);
            }
            let (index, arrival) = self.arrivals.recv().ok()?;
            self.ready.insert(index, arrival);
        }
    }

    /// The downloads have ended before their time: because they were asked to,
    /// or because they failed as a whole, which must not look like the end.
    fn stopped(&mut self) -> Option<Supply> {
        if self.interrupt.is_interrupted() {
            return None;
        }
        let item = &self.items[self.next];
        self.next = self.items.len();
        Some(Supply::Missing {
            name: self.called(item),
            reason: "it and all that follow were not downloaded".to_owned(),
        })
    }

    fn input(&mut self, item: &Item, record: &FileRecord) -> Supply {
        if let Some(fault) = &record.fault {
            self.faults.push(Supply::Missing {
                name: self.called(item),
                reason: fault.clone(),
            });
        }
        let expected = match item.file.kind {
            // Bundles are taken apart, whatever they hold.
            FileKind::Output if !item.file.organized => {
                known_type(&item.file).filter(|&name| name != "Bundle")
            }
            // Bundles of deletions: a resource in them is nothing to be stored.
            FileKind::Deleted => Some("Bundle"),
            _ => None,
        };
        Supply::File(self.exported(item, record, expected))
    }

    fn exported(&self, item: &Item, record: &FileRecord, expected: Option<&'static str>) -> Input {
        let path = self.folder.join(&item.name);
        Input::exported(path, record.bytes, self.called(item), expected)
    }

    fn called(&self, item: &Item) -> String {
        format!("{}/{}", self.connection, item.name)
    }

    fn outcome(&self, item: &Item, record: &FileRecord) {
        let input = self.exported(item, record, None);
        let opened = source::open(&input, self.folder, &Arc::default(), self.interrupt);
        let issues = match opened.and_then(source::Text::proved) {
            Ok(text) => {
                let mut issues = ServerIssues::default();
                issues.read(BufReader::new(text));
                issues
            }
            Err(_) => ServerIssues::unread(),
        };
        let mut all = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        all.add(issues);
    }

    /// What the server's words make of the run, once all of them are read.
    fn verdict(&mut self) -> Option<Supply> {
        if std::mem::replace(&mut self.judged, true) || self.accept_server_errors {
            return None;
        }
        let issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        issues.fault().map(|reason| Supply::Missing {
            name: format!("{}/outcome", self.connection),
            reason,
        })
    }
}

impl Source for Feed<'_> {
    fn next(&mut self) -> Option<Supply> {
        loop {
            if let Some(fault) = self.faults.pop() {
                return Some(fault);
            }
            let items = self.items;
            let Some(item) = items.get(self.next) else {
                return self.verdict();
            };
            let Some(arrival) = self.wait_for(self.next) else {
                return self.stopped();
            };
            self.next += 1;
            let is_outcome = item.file.kind == FileKind::Outcome;
            match arrival {
                Arrival::There(record) if is_outcome => self.outcome(item, &record),
                Arrival::Failed(_) if is_outcome && self.accept_server_errors => {}
                Arrival::There(record) => return Some(self.input(item, &record)),
                Arrival::Failed(reason) => {
                    return Some(Supply::Missing {
                        name: self.called(item),
                        reason,
                    });
                }
            }
        }
    }

    fn extent(&self) -> (usize, u64) {
        let bytes = self
            .items
            .iter()
            .filter_map(|item| item.file.file_size)
            .sum();
        (self.items.len(), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_never_the_servers() {
        let urls = [
            "https://ehr.example/files/../../../etc/passwd",
            "https://ehr.example/..%2f..%2fetc%2fpasswd%00",
        ];
        let types = [
            Some("../../etc/passwd"),
            Some("/etc/passwd"),
            Some("Patient/.."),
            Some("Patient\0"),
            Some("p\u{430}tient"),
            Some(""),
            None,
        ];
        for (url, resource_type) in urls.iter().flat_map(|url| types.map(|name| (url, name))) {
            assert_eq!(
                name(&OutputFile::new(*url, resource_type)),
                "output.1.ndjson"
            );
        }
        let known = OutputFile::new(urls[0], Some("Patient"));
        assert_eq!(name(&known), "Patient.1.ndjson");
    }
}
