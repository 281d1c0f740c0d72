//! The export that the server works at: begun, gone on with, given up.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fhir_bulk::{BulkClient, ExportJob};

use super::plan::{Scope, Since, closes};
use super::request::{policy, request};
use super::run::{Bulk, json};
use crate::access::StoreAccess;
use crate::clock::millis;
use crate::config::ExportLevel;
use crate::state::{BulkState, Job, State};
use crate::{Error, Result};

/// An export that was begun before.
pub(super) enum Earlier {
    None,
    GoOn(Job),
    GiveUp(Job),
}

impl Bulk<'_> {
    /// What to do about an export that was begun before.
    pub(super) fn earlier(
        &self,
        store: &dyn StoreAccess,
        state: &State,
        scope: &Scope,
    ) -> Result<Earlier> {
        let name = self.settings.name.as_str();
        let Some(job) = state.job(name)? else {
            if self.options.resume {
                return Err(Error::NoJob {
                    connection: name.to_owned(),
                    action: "resume",
                });
            }
            return Ok(Earlier::None);
        };
        if self.options.resume {
            return Ok(Earlier::GoOn(job));
        }
        let runs = state.runs(Some(name), usize::MAX)?;
        // The last run that worked at it, itself not counted.
        let last = runs.iter().find(|run| run.id != self.options.run);
        let open = last.is_some_and(|run| {
            !matches!(
                run.state,
                BulkState::Partial | BulkState::Completed | BulkState::Cancelled
            )
        });
        let same = job.scope == scope.text()
            && match self.options.since {
                // Changes are enough where the store has what was before them.
                Since::Auto => {
                    let holds = |run: &str| store.has_completed(run);
                    let watermarks = state.watermarks(name, holds)?;
                    closes(job.since.as_deref(), scope, &watermarks)
                }
                Since::Full => job.since.is_none(),
                Since::Instant(_) => false,
            };
        Ok(if open && same {
            Earlier::GoOn(job)
        } else {
            Earlier::GiveUp(job)
        })
    }

    pub(super) fn begin(
        &self,
        level: &ExportLevel,
        scope: &Scope,
        since: Option<String>,
        started: SystemTime,
    ) -> Result<Job> {
        let request = request(self.settings, level, since.as_deref())?;
        let policy = policy(self.settings);
        let (export, _) = ExportJob::kick_off(&request, &self.settings.bulk.base, policy)?;
        Ok(Job {
            run: self.options.run.clone(),
            scope: scope.text(),
            request: json(&export),
            since,
            status_url: None,
            started: millis(started),
            manifest: None,
        })
    }

    /// The job as the protocol knows it.
    pub(super) fn known(&self, job: &Job) -> Result<ExportJob> {
        // How patiently it is asked for is what the configuration says now.
        let policy = policy(self.settings);
        if let Ok(export) = serde_json::from_str::<ExportJob>(&job.request) {
            return Ok(export.with_policy(policy));
        }
        // Written by another version: its address is enough.
        let url = job.status_url.as_deref().unwrap_or_default();
        Ok(ExportJob::resume(url, policy)?)
    }

    /// Gives up an export that nobody wants any more.
    pub(super) fn drop_job(&self, client: &BulkClient, state: &mut State, job: &Job) -> Result<()> {
        if let Err(error) = client.delete(&self.known(job)?) {
            tracing::warn!(connection = self.settings.name, %error, "the earlier export can't be deleted");
        }
        self.forget(state, job)
    }

    pub(super) fn forget(&self, state: &mut State, job: &Job) -> Result<()> {
        state.forget_job(&self.settings.name)?;
        let folder = folder(&state.exports(), job);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::StateFile {
                path: folder,
                source: error,
            }),
            _ => Ok(()),
        }
    }
}

/// Where the files of a job are.
pub(super) fn folder(exports: &Path, job: &Job) -> PathBuf {
    exports.join(&job.run)
}
