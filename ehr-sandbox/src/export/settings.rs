use fhir_http::Severity;

/// How exports go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportSettings {
    /// How many status requests are answered with 202 before the manifest.
    pub polls: u32,
    /// Text of `Retry-After` while an export runs.
    pub retry_after: Option<String>,
    /// Resources in one file at most.
    pub resources_per_file: usize,
    /// Output files on one page of the manifest, where it comes in pages.
    pub files_per_page: usize,
    /// How the manifest looks.
    pub manifest: ManifestStyle,
    /// Refuse a kick-off with 429 while an export of the client runs.
    pub one_job: bool,
    /// Serve files gzipped to those who accept that.
    pub gzip: bool,
    /// Serve files from the other origin, which wants no token and refuses
    /// requests that carry one; `requiresAccessToken` is `false` then.
    pub files_elsewhere: bool,
    /// An error file with one OperationOutcome of each severity listed.
    pub outcomes: Vec<Severity>,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self {
            polls: 1,
            retry_after: Some("1".to_owned()),
            resources_per_file: 1000,
            files_per_page: 2,
            manifest: ManifestStyle::default(),
            one_job: false,
            gzip: true,
            files_elsewhere: false,
            outcomes: Vec::new(),
        }
    }
}

/// How a manifest looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestStyle {
    /// Bulk Data Access 3.0, as 1.0 and 2.0 were.
    #[default]
    V3,
    /// The ballot of version 4: `outcome` instead of `error`, `countSeverity`,
    /// `fileSize`, no `request`. Comma lists in Parameters are refused.
    V4,
    /// As little as HAPI FHIR sends: no `error`, no counts, and no `output`
    /// where there is none.
    Minimal,
    /// `requiresAccessToken` as a string, as Soarian sends it.
    StringBooleans,
}
