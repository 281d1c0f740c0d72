use std::sync::Arc;

use fhir_http::Severity;
use jiff::Timestamp;
use serde_json::json;

use super::{ExportFile, ExportSettings, KickOff, Line, Section};
use crate::auth::random_hex;
use crate::data::{Data, instant};
use crate::reply::issue;

/// Deletions in one line of a file.
const DELETIONS: usize = 100;

/// An export, made at its kick-off; the status only pretends to wait for it.
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) request: String,
    pub(crate) transaction_time: String,
    pub(crate) files: Vec<Arc<ExportFile>>,
    pub(crate) polls: u32,
    pub(crate) in_pages: bool,
    pub(crate) separate_status: bool,
}

impl Job {
    pub(crate) fn new(
        kick_off: &KickOff,
        data: &Data,
        settings: &ExportSettings,
        now: Timestamp,
    ) -> Self {
        let newest = data.newest().unwrap_or(now);
        let mut files = output(kick_off, data, settings);
        files.extend(deleted(kick_off, data));
        files.extend(outcomes(kick_off, settings));
        Self {
            id: random_hex(),
            client: String::new(),
            request: String::new(),
            // No resource may be later than this.
            transaction_time: instant(now.max(newest)),
            files: files.into_iter().map(Arc::new).collect(),
            polls: 0,
            in_pages: kick_off.in_pages,
            separate_status: kick_off.separate_status,
        }
    }

    /// Adds a file that says that something went wrong.
    pub(crate) fn add_errors(&mut self) {
        if !self.files.iter().any(|file| file.section == Section::Error) {
            let lines = [(
                "error",
                "processing",
                "some resources could not be exported",
            )];
            self.files.push(Arc::new(outcome_file(&lines)));
        }
    }
}

fn output(kick_off: &KickOff, data: &Data, settings: &ExportSettings) -> Vec<ExportFile> {
    if let Some(huge) = data.stream() {
        return vec![ExportFile::huge(huge)];
    }
    let resources = data.select(&kick_off.selection);
    let mut files = Vec::new();
    for of_type in resources.chunk_by(|a, b| a.resource_type() == b.resource_type()) {
        let elements: Vec<_> = kick_off.elements.iter().map(String::as_str).collect();
        for part in of_type.chunks(settings.resources_per_file.max(1)) {
            let lines = part.iter().map(|resource| match elements.is_empty() {
                true => Line::Data(Arc::clone(resource)),
                false => Line::Made(resource.subset(&elements)),
            });
            files.push(ExportFile::new(
                Section::Output,
                part[0].resource_type(),
                lines.collect(),
            ));
        }
    }
    files
}

fn deleted(kick_off: &KickOff, data: &Data) -> Option<ExportFile> {
    let deletions = data.select_deletions(&kick_off.selection);
    let lines = deletions.chunks(DELETIONS).map(|chunk| {
        let entry = chunk
            .iter()
            .map(|deletion| json!({"request": {"method": "DELETE", "url": deletion.reference}}));
        let entry: Vec<_> = entry.collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entry});
        Line::Made(bundle.to_string())
    });
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| ExportFile::new(Section::Deleted, "Bundle", lines))
}

fn outcomes(kick_off: &KickOff, settings: &ExportSettings) -> Option<ExportFile> {
    let ignored = kick_off
        .ignored
        .iter()
        .map(|text| ("information", "not-supported", text.as_str()));
    let planned = settings.outcomes.iter().map(|severity| {
        let severity = match severity {
            Severity::Information => "information",
            Severity::Warning => "warning",
            Severity::Fatal => "fatal",
            _ => "error",
        };
        (severity, "processing", "as the sandbox is set")
    });
    let lines: Vec<_> = ignored.chain(planned).collect();
    (!lines.is_empty()).then(|| outcome_file(&lines))
}

fn outcome_file(lines: &[(&'static str, &str, &str)]) -> ExportFile {
    let text = lines.iter().map(|(severity, code, diagnostics)| {
        Line::Made(issue(severity, code, diagnostics).to_string())
    });
    let mut file = ExportFile::new(Section::Error, "OperationOutcome", text.collect());
    file.severities = lines.iter().map(|(severity, ..)| *severity).collect();
    file
}
