use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Instant, Result};

mod parse;

pub(crate) use parse::{Page, resolve};

/// What an export gave: a list of files
/// ([manifest](https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status)),
/// with all its pages. Reads those of versions 1 to 3 and of the ballot of 4.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportManifest {
    /// The server's time of the export, as it came: `_since` of the next one.
    /// Where pages differ, the earliest.
    pub transaction_time: Instant,
    /// The kick-off request as the server understood it. May hold ids.
    pub request: Option<String>,
    /// Whether files have to be asked for with credentials; where pages
    /// differ, each file knows its own.
    pub requires_access_token: bool,
    /// The resource type by which lines are grouped, where they are.
    pub output_organized_by: Option<String>,
    /// Until when files can be had: the `Expires` header, as it came.
    pub expires: Option<String>,
    /// Files of resources.
    pub output: Vec<OutputFile>,
    /// Files of transaction Bundles that name resources to delete. They apply
    /// after all of `output` is stored.
    pub deleted: Vec<OutputFile>,
    /// Files of `OperationOutcome`s: `error`, from version 4 `outcome`.
    pub outcomes: Vec<OutputFile>,
    /// Its pages as they came, with every member we don't know.
    pub raw: Vec<String>,
}

/// One file of an export.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputFile {
    /// What it is for.
    pub kind: FileKind,
    /// Its number among the files of its kind, from 1.
    pub number: u32,
    /// Where it is. Not for logs: it may hold a secret.
    pub url: String,
    /// The type of the resources in it; `None` for mixed ones.
    pub resource_type: Option<String>,
    /// How many resources there should be.
    pub count: Option<u64>,
    /// Its size in bytes; servers differ on whether it is compressed.
    pub file_size: Option<u64>,
    /// Counts of issues by severity (version 4).
    pub count_severity: Vec<(String, u64)>,
    /// The URL of the file that goes on where this one ends.
    pub continues_in_file: Option<String>,
    /// Whether it has to be asked for with credentials. If not, credentials
    /// must not be sent.
    pub requires_access_token: bool,
    /// Whether lines are grouped, with `Parameters` between the groups.
    pub organized: bool,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FileKind {
    /// Resources.
    Output,
    /// Bundles that name deleted resources.
    Deleted,
    /// `OperationOutcome`s about the export.
    Outcome,
}

/// A file's name in messages, such as `Patient file 3`: its number among all
/// of its kind, and no URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileId {
    kind: FileKind,
    resource_type: Option<String>,
    number: u32,
}

impl ExportManifest {
    /// All files: output, deleted, outcomes.
    pub fn files(&self) -> impl Iterator<Item = &OutputFile> {
        self.output
            .iter()
            .chain(&self.deleted)
            .chain(&self.outcomes)
    }

    /// Of how many pages it is made.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.raw.len()
    }

    /// The manifest so far, and the URL of its next page.
    pub(crate) fn first(page: Page, expires: Option<&str>) -> Result<(Self, Option<String>)> {
        let time = page
            .transaction_time
            .clone()
            .ok_or(Error::Manifest("it has no transactionTime"))?;
        let mut manifest = Self {
            transaction_time: time,
            request: page.request.clone(),
            requires_access_token: page.requires_access_token.unwrap_or(true),
            output_organized_by: page.output_organized_by.clone(),
            expires: expires.map(str::to_owned),
            output: Vec::new(),
            deleted: Vec::new(),
            outcomes: Vec::new(),
            raw: Vec::new(),
        };
        let next = manifest.append(page);
        Ok((manifest, next))
    }

    /// Adds a page; gives the URL of the next one.
    pub(crate) fn append(&mut self, page: Page) -> Option<String> {
        let earlier = |time: &Instant| time.timestamp() < self.transaction_time.timestamp();
        if let Some(time) = page.transaction_time.filter(earlier) {
            self.transaction_time = time;
        }
        let token = page
            .requires_access_token
            .unwrap_or(self.requires_access_token);
        let organized = page.output_organized_by.is_some() || self.output_organized_by.is_some();
        let lists = [
            (&mut self.output, page.output),
            (&mut self.deleted, page.deleted),
            (&mut self.outcomes, page.outcomes),
        ];
        for (list, new) in lists {
            let mut known: HashSet<String> = list.iter().map(|file| file.url.clone()).collect();
            for mut file in new {
                if !known.insert(file.url.clone()) {
                    continue;
                }
                file.number = u32::try_from(list.len() + 1).unwrap_or(u32::MAX);
                file.requires_access_token = token;
                file.organized = file.kind == FileKind::Output && organized;
                list.push(file);
            }
        }
        self.raw.push(page.raw);
        page.next
    }
}

impl OutputFile {
    /// A file of resources that is not from a manifest.
    #[must_use]
    pub fn new(url: impl Into<String>, resource_type: Option<&str>) -> Self {
        Self {
            kind: FileKind::Output,
            number: 1,
            url: url.into(),
            resource_type: resource_type.map(str::to_owned),
            count: None,
            file_size: None,
            count_severity: Vec::new(),
            continues_in_file: None,
            requires_access_token: true,
            organized: false,
        }
    }

    /// Its name in messages.
    #[must_use]
    pub fn id(&self) -> FileId {
        FileId {
            kind: self.kind,
            resource_type: self.resource_type.clone(),
            number: self.number,
        }
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain =
            |name: &&str| name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric());
        let name = match self.kind {
            FileKind::Output => self
                .resource_type
                .as_deref()
                .filter(plain)
                .unwrap_or("output"),
            FileKind::Deleted => "deleted",
            FileKind::Outcome => "outcome",
        };
        write!(f, "{name} file {}", self.number)
    }
}

/// By hand: URLs may hold secrets, and requests ids.
impl fmt::Debug for ExportManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportManifest")
            .field("transaction_time", &self.transaction_time)
            .field("requires_access_token", &self.requires_access_token)
            .field("output", &self.output)
            .field("deleted", &self.deleted)
            .field("outcomes", &self.outcomes)
            .field("pages", &self.pages())
            .finish_non_exhaustive()
    }
}

/// By hand, as above.
impl fmt::Debug for OutputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputFile")
            .field("id", &format_args!("{}", self.id()))
            .field("count", &self.count)
            .field("file_size", &self.file_size)
            .finish_non_exhaustive()
    }
}
