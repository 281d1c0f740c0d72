//! What many tests need.

use std::ops::Range;

use fhir_normalize::{IdMode, Normalizer, Record, Rejected, Settings};

use crate::oracle::sha256;

pub(crate) const SOURCE: &str = "urn:example:memorial";
pub(crate) const BASE: &str = "https://ehr.example/r4";

pub(crate) fn preserve() -> Settings {
    Settings::new(SOURCE)
}

pub(crate) fn hash() -> Settings {
    Settings {
        id_mode: IdMode::Hash,
        ..preserve()
    }
}

/// The hashed id of a source id.
pub(crate) fn hashed(resource_type: &str, source_id: &str) -> String {
    sha256(format!("{SOURCE}\n{resource_type}\n{source_id}"))
}

/// `text` with every `<Type/id>` in it replaced by `Type/` and the hashed id.
pub(crate) fn with_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let (reference, after) = after.split_once('>').expect("a >");
        let (resource_type, id) = reference.split_once('/').expect("a /");
        out.push_str(before);
        out.push_str(resource_type);
        out.push('/');
        out.push_str(&hashed(resource_type, id));
        rest = after;
    }
    out + rest
}

/// The stored body and content hash.
pub(crate) fn normalized(settings: Settings, text: &str) -> (String, [u8; 32]) {
    let mut normalizer = Normalizer::new(settings);
    match normalizer.normalize(text.as_bytes()) {
        Ok(normalized) => (normalized.body.to_owned(), normalized.content_hash),
        Err(rejected) => panic!("{rejected}: {text}"),
    }
}

pub(crate) fn rejected(settings: Settings, text: &[u8]) -> Rejected {
    let mut normalizer = Normalizer::new(settings);
    match normalizer.normalize(text) {
        Ok(normalized) => panic!("stored: {}", normalized.body),
        Err(rejected) => rejected,
    }
}

/// A visited record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Visited {
    Stored { name: String, body: String },
    Deleted { name: String, source_id: String },
    Refused(Rejected),
}

impl Visited {
    /// `Type/id`, `-Type/id` or `!reason`.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Stored { name, .. } => name.clone(),
            Self::Deleted { name, .. } => format!("-{name}"),
            Self::Refused(rejected) => format!("!{}", rejected.reason),
        }
    }

    pub(crate) fn body(&self) -> &str {
        match self {
            Self::Stored { body, .. } => body,
            other => panic!("not stored: {other:?}"),
        }
    }

    pub(crate) fn refusal(&self) -> &Rejected {
        match self {
            Self::Refused(rejected) => rejected,
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// All that [`Normalizer::records`] visits, each with where it stands.
pub(crate) fn records(normalizer: &mut Normalizer, text: &str) -> Vec<(Range<usize>, Visited)> {
    let mut all = Vec::new();
    normalizer.records(text.as_bytes(), &mut |span, result| {
        let visited = match result {
            Ok(Record::Resource(normalized)) => Visited::Stored {
                name: format!("{}/{}", normalized.resource_type, normalized.id),
                body: normalized.body.to_owned(),
            },
            Ok(Record::Deletion(deletion)) => Visited::Deleted {
                name: format!("{}/{}", deletion.resource_type, deletion.id),
                source_id: deletion.source_id.to_owned(),
            },
            Err(rejected) => Visited::Refused(rejected),
        };
        all.push((span, visited));
    });
    all
}
