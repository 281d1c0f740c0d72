use std::time::SystemTime;

use fhir_bulk::{BulkClient, Event as Hear, ExportManifest};
use fhir_http::BoxError;
use fhir_store::RunState;

use super::BulkSummary;
use super::heartbeat::Heartbeat;
use super::job::Earlier;
use super::plan::{Plan, Scope, Since, closes};
use super::request::scope;
use super::transfer::Transfer;
use crate::access::StoreAccess;
use crate::clock::millis;
use crate::config::{ConnectionSettings, ExportLevel};
use crate::connect::{Connected, Surroundings};
use crate::state::{BulkState, Job, State, Watermark};
use crate::{Error, ErrorKind, Event, Observer, Result};

/// How an export is done.
#[derive(Clone, Debug)]
pub struct BulkOptions {
    /// Id of the run, see [`run_id`](crate::run_id).
    pub run: String,
    /// Who we are, in the messages of other processes: `process 12 on host`.
    pub holder: String,
    /// From when on.
    pub since: Since,
    /// Whose data, in place of what is configured.
    pub level: Option<ExportLevel>,
    /// Whether to go on with the last export also when it ended partial.
    pub resume: bool,
    /// Threads that parse.
    pub threads: usize,
}

impl BulkOptions {
    /// Changes since the last run, on one thread.
    #[must_use]
    pub fn new(run: impl Into<String>, holder: impl Into<String>) -> Self {
        Self {
            run: run.into(),
            holder: holder.into(),
            since: Since::Auto,
            level: None,
            resume: false,
            threads: 1,
        }
    }
}

/// An export of one connection into the store.
///
/// It is one run at a time for each connection. The server prepares files,
/// which are downloaded side by side, proved complete and loaded one after the
/// other. When everything is in the store, the watermark moves to the
/// server's time of the export, and the next run asks for what changed since.
/// What a run that was interrupted has begun, the next one ends.
pub struct Bulk<'a> {
    pub(super) settings: &'a ConnectionSettings,
    pub(super) options: BulkOptions,
    pub(super) around: &'a Surroundings,
}

impl<'a> Bulk<'a> {
    /// A run of the connection with `settings`, stopped by the interrupt of
    /// `around`.
    #[must_use]
    pub const fn new(
        settings: &'a ConnectionSettings,
        options: BulkOptions,
        around: &'a Surroundings,
    ) -> Self {
        Self {
            settings,
            options,
            around,
        }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`Error::Running`] while another process runs the connection; whatever
    /// keeps the export from being had; a failing store. Bad records and bad
    /// files are no error: the summary has them.
    pub fn run(
        self,
        store: &dyn StoreAccess,
        state: &mut State,
        observer: &mut dyn Observer,
    ) -> Result<BulkSummary> {
        let started = self.around.clock.now();
        let options = &self.options;
        let name = self.settings.name.as_str();
        let lease = state.acquire(name, &options.run, &options.holder, millis(started))?;
        let heartbeat = Heartbeat::start(
            state.path(),
            lease,
            std::sync::Arc::clone(&self.around.clock),
            self.around.interrupt.clone(),
        )?;
        state.begin_run(&options.run, name, millis(started))?;
        let result = self.export(store, state, observer, started);
        let lost = heartbeat.is_lost();
        let lease = heartbeat.stop();
        let result = match result {
            // Wherever it was, the place is of no interest.
            Err(error) if error.kind() == ErrorKind::Interrupted && !lost => {
                Err(Error::Interrupted)
            }
            _ if lost => Err(Error::LeaseLost {
                connection: name.to_owned(),
            }),
            result => result,
        };
        self.close(store, state, &result, started)?;
        if let Some(lease) = lease {
            state.release(lease)?;
        }
        result
    }

    /// Gives up the export that the server works at.
    ///
    /// # Errors
    /// [`Error::NoJob`] where there is none, [`Error::Running`] while a
    /// process runs it, and when the server can't be reached.
    pub fn cancel(self, state: &mut State) -> Result<()> {
        let now = millis(self.around.clock.now());
        let name = self.settings.name.as_str();
        let lease = state.acquire(name, &self.options.run, &self.options.holder, now)?;
        let result = self.give_up(state, now);
        state.release(lease)?;
        result
    }

    fn give_up(&self, state: &mut State, now: i64) -> Result<()> {
        let name = self.settings.name.as_str();
        let job = state.job(name)?.ok_or_else(|| Error::NoJob {
            connection: name.to_owned(),
            action: "cancel",
        })?;
        let client = BulkClient::new(Connected::new(self.settings, self.around)?.bulk);
        client.delete(&self.known(&job)?)?;
        state.enter(&job.run, BulkState::Cancelled, None, now)?;
        self.forget(state, &job)
    }

    fn export(
        &self,
        store: &dyn StoreAccess,
        state: &mut State,
        observer: &mut dyn Observer,
        started: SystemTime,
    ) -> Result<BulkSummary> {
        let level = self.settings.export_level(self.options.level.clone())?;
        let scope = scope(self.settings, &level);
        let connected = Connected::new(self.settings, self.around)?;
        let client = BulkClient::new(connected.bulk);
        let mut notices = Vec::new();
        let mut notice = |observer: &mut dyn Observer, text: String| {
            observer.event(&Event::Notice { text: &text });
            notices.push(text);
        };
        let job = match self.earlier(store, state, &scope)? {
            Earlier::GoOn(job) => {
                notice(
                    observer,
                    format!("going on with the export of run {}", job.run),
                );
                job
            }
            earlier => {
                if let Earlier::GiveUp(job) = earlier {
                    self.drop_job(&client, state, &job)?;
                }
                self.planned(store, state, &level, &scope, started, &mut |text| {
                    notice(observer, text);
                })?
            }
        };
        state.set_since(&self.options.run, job.since.as_deref())?;
        observer.event(&Event::Export {
            run: &self.options.run,
            since: job.since.as_deref(),
        });
        let resumed = job.run != self.options.run;
        let since = job.since.clone();
        let (job, manifest) = match self.manifest(&client, state, job, observer) {
            // Servers forget exports after a while.
            Err(Error::Export(error))
                if resumed && matches!(*error, fhir_bulk::Error::JobGone { .. }) =>
            {
                notice(
                    observer,
                    "the server has forgotten that export; beginning a new one".to_owned(),
                );
                // What was asked for then is still what is missing.
                let job = self.begin(&level, &scope, since, started)?;
                self.manifest(&client, state, job, observer)?
            }
            result => result?,
        };
        state.set_since(&self.options.run, job.since.as_deref())?;
        let transferred = Transfer {
            bulk: self,
            client: &client,
            job: &job,
            manifest: &manifest,
            started,
        }
        .run(store, state, observer)?;
        for text in &transferred.notices {
            notice(observer, text.clone());
        }
        if transferred.summary.state == RunState::Completed {
            if !self.advance(store, state, &job, &manifest)? {
                let text = "the watermark stays where it is: what changed before this export's \
                            --since is not known to be in the store";
                notice(observer, text.to_owned());
            }
            self.conclude(&client, state, &job)?;
        }
        Ok(BulkSummary {
            run: transferred.summary,
            connection: self.settings.name.clone(),
            since: job.since,
            transaction_time: manifest.transaction_time.as_str().to_owned(),
            files: manifest.output.len() + manifest.deleted.len(),
            downloaded_bytes: transferred.bytes,
            server_issues: transferred.issues,
            notices,
        })
    }

    /// A new export, of what is missing.
    fn planned(
        &self,
        store: &dyn StoreAccess,
        state: &State,
        level: &ExportLevel,
        scope: &Scope,
        started: SystemTime,
        notice: &mut dyn FnMut(String),
    ) -> Result<Job> {
        let watermarks = state.watermarks(&self.settings.name, |run| store.has_completed(run))?;
        let supported = self.settings.bulk.since_supported;
        let plan = Plan::new(&self.options.since, scope, &watermarks, supported);
        if let Some(why) = plan.why_full {
            notice(format!("everything is exported again: {why}"));
        }
        if plan.since.is_some() && matches!(level, ExportLevel::Group(_)) {
            // Servers differ on whether they export these whole.
            let text = "members who joined the group since then may lack what is older: \
                        run with --since full now and then";
            notice(text.to_owned());
        }
        if let Some(text) = self.too_soon(state, started)? {
            notice(text);
        }
        self.begin(level, scope, plan.since, started)
    }

    /// Some servers refuse the same export for a while.
    fn too_soon(&self, state: &State, started: SystemTime) -> Result<Option<String>> {
        let Some(interval) = self.settings.bulk.job_interval else {
            return Ok(None);
        };
        let runs = state.runs(Some(&self.settings.name), usize::MAX)?;
        let last = runs.iter().find(|run| run.state == BulkState::Completed);
        let since = last.map(|run| millis(started).saturating_sub(run.started));
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        Ok(since.is_some_and(|since| since < interval_ms).then(|| {
            format!(
                "{} makes the same export once in {} hours and may refuse this one",
                self.settings.profile.display_name,
                interval.as_secs() / 3600
            )
        }))
    }

    /// Waits until the server has the files ready. The job is kept before
    /// anything else is asked, so that a crash does not lose it.
    fn manifest(
        &self,
        client: &BulkClient,
        state: &mut State,
        mut job: Job,
        observer: &mut dyn Observer,
    ) -> Result<(Job, ExportManifest)> {
        let now = || millis(self.around.clock.now());
        if let Some(manifest) = job
            .manifest
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
        {
            return Ok((job, manifest));
        }
        let name = self.settings.name.as_str();
        let run = self.options.run.as_str();
        state.enter(run, BulkState::Exporting, None, now())?;
        observer.event(&Event::State {
            state: BulkState::Exporting.as_str(),
        });
        let mut export = self.known(&job)?;
        let result = client.wait(&mut export, &mut |event| {
            match event {
                Hear::Accepted(export) => {
                    job.request = json(export);
                    job.status_url = export.status_url().map(str::to_owned);
                    state
                        .save_job(name, &job)
                        .map_err(|error| Box::new(error) as BoxError)?;
                }
                Hear::Waiting(progress) => observer.event(&Event::Waiting {
                    message: progress.message.as_deref(),
                    elapsed: progress.elapsed,
                    wait: progress.wait,
                    failures: progress.failures,
                }),
                _ => {}
            }
            Ok(())
        });
        let manifest = match result {
            Ok(manifest) => manifest,
            Err(error) => {
                if is_dead(&error) {
                    self.forget(state, &job)?;
                }
                return Err(error.into());
            }
        };
        job.request = json(&export);
        job.manifest = Some(json(&manifest));
        state.save_job(name, &job)?;
        Ok((job, manifest))
    }

    /// After a load that was completed: moves the watermark, unless that would
    /// leave something out.
    fn advance(
        &self,
        store: &dyn StoreAccess,
        state: &mut State,
        job: &Job,
        manifest: &ExportManifest,
    ) -> Result<bool> {
        let watermarks = state.watermarks(&self.settings.name, |run| store.has_completed(run))?;
        let scope = serde_json::from_str::<Scope>(&job.scope).ok();
        if !scope.is_some_and(|scope| closes(job.since.as_deref(), &scope, &watermarks)) {
            return Ok(false);
        }
        let watermark = Watermark {
            run: self.options.run.clone(),
            scope: job.scope.clone(),
            instant: manifest.transaction_time.as_str().to_owned(),
        };
        let now = millis(self.around.clock.now());
        state.set_watermark(&self.settings.name, &watermark, now)?;
        Ok(true)
    }

    /// Everything is safe, whether the server hears of it or not.
    fn conclude(&self, client: &BulkClient, state: &mut State, job: &Job) -> Result<()> {
        if let Err(error) = client.delete(&self.known(job)?) {
            tracing::warn!(connection = self.settings.name, %error, "the server keeps the export");
        }
        self.forget(state, job)
    }
}

/// Whether asking for the job again can't help.
const fn is_dead(error: &fhir_bulk::Error) -> bool {
    use fhir_bulk::Error as E;
    matches!(
        error,
        E::Failed { .. } | E::JobGone { .. } | E::Manifest(_) | E::Protocol(_) | E::Refused { .. }
    )
}

pub(super) fn json(value: &impl serde::Serialize) -> String {
    // Made of strings and numbers, which always serialize.
    serde_json::to_string(value).unwrap_or_default()
}
