//! From a manifest to the store.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use fhir_bulk::{BulkClient, ExportManifest, FileKind};
use fhir_store::{RunState, Store};

use super::ServerIssues;
use super::feed::{Downloader, Feed, Item, items};
use super::job::folder;
use super::request::policy;
use super::run::Bulk;
use crate::access::StoreAccess;
use crate::clock::millis;
use crate::state::{BulkState, Job, State, private_folder};
use crate::{Error, Event, Load, LoadOptions, Observer, Result, RunSummary, Supply};

/// Downloads the files of a manifest and loads them as they come.
pub(super) struct Transfer<'a> {
    pub(super) bulk: &'a Bulk<'a>,
    pub(super) client: &'a BulkClient,
    pub(super) job: &'a Job,
    pub(super) manifest: &'a ExportManifest,
    pub(super) started: SystemTime,
}

/// What came of it.
pub(super) struct Transferred {
    pub(super) summary: RunSummary,
    pub(super) bytes: u64,
    pub(super) issues: ServerIssues,
    pub(super) notices: Vec<String>,
}

impl Transfer<'_> {
    pub(super) fn run(
        self,
        store: &dyn StoreAccess,
        state: &mut State,
        observer: &mut dyn Observer,
    ) -> Result<Transferred> {
        let Bulk {
            settings,
            options,
            around,
        } = self.bulk;
        let folder = folder(&state.exports(), self.job);
        private_folder(&folder)?;
        let items = items(self.manifest);
        let now = millis(around.clock.now());
        state.enter(&options.run, BulkState::Downloading, None, now)?;
        observer.event(&Event::Manifest {
            files: items.len(),
            resources: promised(self.manifest),
        });
        let (send, arrivals) = mpsc::channel();
        let issues = Mutex::new(ServerIssues::default());
        let feed = Feed {
            items: &items,
            folder: &folder,
            connection: &settings.name,
            arrivals,
            accept_server_errors: settings.accept_server_errors,
            interrupt: &around.interrupt,
            faults: self.absent(),
            next: 0,
            ready: HashMap::new(),
            judged: false,
            issues: &issues,
        };
        let downloader = Downloader {
            client: self.client,
            connection: &settings.name,
            folder: &folder,
            parallel: parallel(settings.bulk.parallel_downloads),
            arrivals: send,
            manifest: &|| self.fresh(),
        };
        let load = LoadOptions {
            kind: "bulk",
            started: Some(self.started),
            connection: Some(settings.name.clone()),
            organization: settings.organization.clone(),
            max_line: usize::try_from(settings.bulk.max_line).unwrap_or(usize::MAX),
            threads: options.threads,
            ..LoadOptions::new(
                settings.normalize(around.env)?,
                options.run.clone(),
                &folder,
            )
        };
        let mut own = State::open(state.path())?;
        // A file without a record is downloaded again.
        own.without_syncs()?;
        let summary = thread::scope(|scope| {
            let (items, run, clock) = (&items, &options.run, &around.clock);
            let downloads = scope.spawn(move || {
                downloader.run(items, &mut own)?;
                own.enter(run, BulkState::Processing, None, millis(clock.now()))
            });
            let loaded = self.open(store, observer).and_then(|mut store| {
                Load::from_source(load, feed)
                    .interrupted_by(around.interrupt.clone())
                    .run(store.as_mut(), &*around.clock, observer)
            });
            if loaded.is_err() {
                // Nobody waits for the files any more.
                around.interrupt.interrupt();
            }
            let downloaded = downloads.join().unwrap_or(Ok(()));
            loaded.and_then(|summary| downloaded.map(|()| summary))
        })?;
        if summary.state == RunState::Interrupted {
            observer.event(&Event::State {
                state: "interrupted",
            });
        }
        let issues = issues.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Transferred {
            bytes: state
                .files(&settings.name)?
                .iter()
                .map(|file| file.bytes)
                .sum(),
            notices: self.notices(&issues, &items),
            issues,
            summary,
        })
    }

    /// The manifest once more, with new links where the server makes some.
    fn fresh(&self) -> Option<ExportManifest> {
        let url = self.job.status_url.as_deref()?;
        let policy = policy(self.bulk.settings);
        let mut export = fhir_bulk::ExportJob::resume(url, policy).ok()?;
        self.client.wait(&mut export, &mut |_| Ok(())).ok()
    }

    /// Opens the store, which another connection may be writing for a while.
    fn open(
        &self,
        access: &dyn StoreAccess,
        observer: &mut dyn Observer,
    ) -> Result<Box<dyn Store>> {
        let around = self.bulk.around;
        let mut told = false;
        loop {
            match access.open() {
                Err(Error::Store(fhir_store::Error::Locked { .. })) => {}
                result => return result,
            }
            if !std::mem::replace(&mut told, true) {
                let text = "another run writes the store; waiting for it";
                observer.event(&Event::Notice { text });
            }
            if !around
                .interrupt
                .sleep(&*around.clock, Duration::from_secs(1))
            {
                return Err(Error::Interrupted);
            }
        }
    }

    /// Expected types that an export of everything does not have.
    fn absent(&self) -> Vec<Supply> {
        if self.job.since.is_some() {
            return Vec::new();
        }
        let settings = self.bulk.settings;
        let there: HashSet<_> = self
            .manifest
            .output
            .iter()
            .filter_map(|file| file.resource_type.as_deref())
            .collect();
        let absent = settings
            .expected_types
            .iter()
            .filter(|name| !there.contains(name.as_str()));
        absent
            .map(|name| Supply::Missing {
                name: format!("{}/{name}", settings.name),
                reason: "expected, but not in the export".to_owned(),
            })
            .collect()
    }

    fn notices(&self, issues: &ServerIssues, items: &[Item]) -> Vec<String> {
        let mut notices = Vec::new();
        if issues.errors > 0 && self.bulk.settings.accept_server_errors {
            let text = issues.fault().unwrap_or_default();
            notices.push(format!("{text}; accepted by the configuration"));
        }
        if items.iter().all(|item| item.file.kind != FileKind::Output) && self.job.since.is_none() {
            notices.push(
                "the export has no files of resources: check the scopes, the types and the group"
                    .to_owned(),
            );
        }
        notices
    }
}

fn parallel(number: u32) -> NonZeroUsize {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

/// Resources that the manifest promises, where it promises for every file.
fn promised(manifest: &ExportManifest) -> Option<u64> {
    manifest.output.iter().map(|file| file.count).sum()
}
