//! Key sets as files, for a web server or a CDN of somebody else.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::Publisher;

/// What a [`Publisher`] publishes, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// The files: every key set, and beside it, with `.headers` at the end of
    /// its name, the headers that it has to be served with.
    pub files: Vec<ExportedFile>,
    /// When the files have to be made anew at the latest, where the rings say so.
    pub valid_until: Option<SystemTime>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedFile {
    /// Its path below the root of the site, such as `jwks/acme.json`.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl Export {
    /// What `publisher` publishes now.
    #[must_use]
    pub fn of(publisher: &Publisher) -> Self {
        let documents = publisher.documents();
        let files = documents.iter().flat_map(|(path, document)| {
            let path = path.trim_start_matches('/');
            let mut headers = String::new();
            for (name, value) in document.headers() {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                headers.push_str(&format!("{name}: {value}\n"));
            }
            if let Some(until) = document
                .until
                .and_then(|time| Timestamp::try_from(time).ok())
            {
                headers.push_str(&format!("# to be made anew by {until:.0}\n"));
            }
            [
                ExportedFile {
                    path: path.to_owned(),
                    content: document.body.clone(),
                },
                ExportedFile {
                    path: format!("{path}.headers"),
                    content: headers.into_bytes(),
                },
            ]
        });
        Self {
            files: files.collect(),
            valid_until: documents
                .iter()
                .filter_map(|(_, document)| document.until)
                .min(),
        }
    }
}
