use std::path::PathBuf;

use fhir_http::{BoxError, Client, NoRetry};
use http::header::{ACCEPT, HeaderValue};
use http::{Method, Request};

use crate::request::{PREFER, parse_uri};
use crate::{
    Download, Downloaded, Downloads, Error, ExportJob, ExportManifest, ExportRequest, OutputFile,
    OutputReader, PollPolicy, Progress, Result, Step,
};

/// Runs exports over a [`Client`]: its transport, credentials, clock and
/// interruption. The rules are those of [`ExportJob`].
#[derive(Clone)]
pub struct BulkClient {
    client: Client,
}

/// What happens during an export.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server took the request. Comes before the first status request:
    /// keep the job, or at least its status URL, so that it can be resumed.
    Accepted(&'a ExportJob),
    /// The export is waited for.
    Waiting(&'a Progress),
}

impl BulkClient {
    /// Exports over `client`.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client it works with.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Starts an export at the server with the FHIR base URL `base` and waits
    /// for its manifest. What `hear` does is done before the export goes on;
    /// its errors stop it.
    ///
    /// # Errors
    /// As [`kick_off`](Self::kick_off) and [`wait`](Self::wait).
    pub fn export(
        &self,
        request: &ExportRequest,
        base: &str,
        policy: PollPolicy,
        hear: &mut dyn FnMut(Event<'_>) -> std::result::Result<(), BoxError>,
    ) -> Result<(ExportJob, ExportManifest)> {
        let (mut job, _) = ExportJob::kick_off(request, base, policy)?;
        let manifest = self.wait(&mut job, hear)?;
        Ok((job, manifest))
    }

    /// Drives a job to its manifest, from wherever it is: just made, resumed,
    /// or restored. After an error the job is as it was before the request
    /// that failed, and can be waited for again.
    ///
    /// # Errors
    /// Those of [`ExportJob::on_response`] and [`ExportJob::on_failure`];
    /// [`Error::Event`] when `hear` fails; [`Error::Interrupted`].
    pub fn wait(
        &self,
        job: &mut ExportJob,
        hear: &mut dyn FnMut(Event<'_>) -> std::result::Result<(), BoxError>,
    ) -> Result<ExportManifest> {
        match self.drive(job, hear, false)? {
            Some(manifest) => Ok(manifest),
            None => Err(Error::Protocol("the export ended without a manifest")),
        }
    }

    /// Starts an export and waits only until the server took it.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn kick_off(
        &self,
        request: &ExportRequest,
        base: &str,
        policy: PollPolicy,
    ) -> Result<ExportJob> {
        let (mut job, _) = ExportJob::kick_off(request, base, policy)?;
        match self.drive(&mut job, &mut |_| Ok(()), true)? {
            None => Ok(job),
            Some(_) => Err(Error::Protocol(
                "the export was answered at once, without a job",
            )),
        }
    }

    /// Deletes a job: cancels it while it runs, lets the server drop its files
    /// when it is finished. Some servers start no other export before. A job
    /// that is not there any more is fine.
    ///
    /// # Errors
    /// When the server refuses, or does not answer.
    pub fn delete(&self, job: &ExportJob) -> Result<()> {
        let Some(url) = job.status_url() else {
            return Ok(());
        };
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = parse_uri(url, "the status URL")?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/fhir+json"));
        headers.insert(PREFER, HeaderValue::from_static("respond-async"));
        let response = self.client.fetch(request, BODY_LIMIT)?;
        let status = response.status();
        if status.is_success() || matches!(status.as_u16(), 404 | 410) {
            return Ok(());
        }
        Err(Error::NotDeleted {
            status: status.as_u16(),
        })
    }

    /// The download of `file` to `path`.
    #[must_use]
    pub fn download<'a>(&'a self, file: &'a OutputFile, path: impl Into<PathBuf>) -> Download<'a> {
        Download::new(&self.client, file, path)
    }

    /// Downloads of many files at a time.
    #[must_use]
    pub const fn downloads(&self) -> Downloads<'_> {
        Downloads::new(&self.client)
    }

    /// Downloads one file now.
    ///
    /// # Errors
    /// As [`Download::run`].
    pub fn fetch(&self, file: &OutputFile, path: impl Into<PathBuf>) -> Result<Downloaded> {
        self.download(file, path).run()
    }

    /// The text of `file`, straight off the network.
    ///
    /// # Errors
    /// As [`OutputReader::open`].
    pub fn read(&self, file: &OutputFile) -> Result<OutputReader> {
        OutputReader::open(self.client.clone(), file.clone())
    }

    /// Sends, waits and sends until the manifest is there or, if that is
    /// enough, until the server took the job.
    fn drive(
        &self,
        job: &mut ExportJob,
        hear: &mut dyn FnMut(Event<'_>) -> std::result::Result<(), BoxError>,
        until_accepted: bool,
    ) -> Result<Option<ExportManifest>> {
        let (clock, interrupt) = (self.client.clock(), self.client.interruption());
        let mut request = job.request()?;
        loop {
            if interrupt.is_interrupted() {
                return Err(Error::Interrupted);
            }
            let known = job.status_url().is_some();
            let step = self.exchange(job, request)?;
            if !known && job.status_url().is_some() {
                hear(Event::Accepted(job)).map_err(Error::Event)?;
            }
            request = match step {
                Step::Complete(manifest) => return Ok(Some(*manifest)),
                _ if until_accepted && job.status_url().is_some() => return Ok(None),
                Step::Send(request) => request,
                Step::Wait(wait, progress) => {
                    hear(Event::Waiting(&progress)).map_err(Error::Event)?;
                    if !interrupt.sleep(&**clock, wait) {
                        return Err(Error::Interrupted);
                    }
                    job.request()?
                }
            };
        }
    }

    fn exchange(&self, job: &mut ExportJob, mut request: Request<Vec<u8>>) -> Result<Step> {
        // The job decides on retries: it knows what a status means for it.
        request.extensions_mut().insert(NoRetry);
        let random = &**self.client.randomness();
        let response = self.client.fetch(request, BODY_LIMIT);
        let now = self.client.clock().now();
        match response {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers());
                job.on_response(now, status, headers, response.body(), random)
            }
            Err(failure) => job.on_failure(now, failure, random),
        }
    }
}

/// Upper limit of a decoded manifest: some 100,000 files.
const BODY_LIMIT: u64 = 64 * 1024 * 1024;
