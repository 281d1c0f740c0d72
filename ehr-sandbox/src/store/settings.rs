use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Resource;

/// How the sandbox takes what is written to it: see
/// [`Builder::writes`](crate::Builder::writes).
#[derive(Clone)]
#[non_exhaustive]
pub struct WriteSettings {
    /// Transaction Bundles are carried out. Default: true.
    pub transactions: bool,
    /// Batch Bundles are carried out. Default: true.
    pub batches: bool,
    /// Status of a Bundle of a kind that isn't carried out; the
    /// OperationOutcome says `not-supported`. Default: 501.
    pub unsupported: u16,
    /// Clients may choose ids. Otherwise a `PUT` of what is not there has
    /// status 405. Default: true.
    pub client_ids: bool,
    /// Status of a resource with a reference to what is not there, and whether
    /// that matters at all. A deletion of what others refer to has status 409
    /// then. Default: `None`.
    pub dangling_references: Option<u16>,
    /// Status of an `If-Match` that doesn't match: 412, or 409 as some servers
    /// have it. Default: 412.
    pub mismatch: u16,
    /// A resource that is the same as before has no new version. Default:
    /// false.
    pub skip_unchanged: bool,
    /// The longest body, in bytes; a longer one has status 413. Default: 64
    /// MiB, which is the most over sockets.
    pub longest_body: usize,
    /// So many write requests in that time; further ones have status 429 and
    /// `Retry-After`. Default: `None`.
    pub rate: Option<(usize, Duration)>,
    rules: Vec<Rule>,
    refused_ids: Vec<IdRule>,
}

type Rule = Arc<dyn Fn(&Resource) -> Option<Rejection> + Send + Sync>;
type IdRule = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Why a resource is not taken: an OperationOutcome with one issue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The status. Default: 422.
    pub status: u16,
    /// The code, such as `invalid`
    /// (<https://hl7.org/fhir/R4/valueset-issue-type.html>).
    pub code: String,
    /// Where in the resource, as a simple FHIRPath: `Patient.birthDate`.
    pub expression: String,
    /// The text.
    pub diagnostics: String,
}

impl Rejection {
    /// One with status 422.
    #[must_use]
    pub fn new(code: impl Into<String>, expression: impl Into<String>) -> Self {
        Self {
            status: 422,
            code: code.into(),
            expression: expression.into(),
            diagnostics: "the resource breaks a rule of this server".to_owned(),
        }
    }
}

impl Default for WriteSettings {
    fn default() -> Self {
        Self {
            transactions: true,
            batches: true,
            unsupported: 501,
            client_ids: true,
            dangling_references: None,
            mismatch: 412,
            skip_unchanged: false,
            longest_body: LARGEST_BODY,
            rate: None,
            rules: Vec::new(),
            refused_ids: Vec::new(),
        }
    }
}

impl WriteSettings {
    /// Adds a rule that a resource has to keep to be created or updated.
    #[must_use]
    pub fn reject(
        mut self,
        rule: impl Fn(&Resource) -> Option<Rejection> + Send + Sync + 'static,
    ) -> Self {
        self.rules.push(Arc::new(rule));
        self
    }

    /// Refuses ids that clients choose for new resources, with status 400.
    #[must_use]
    pub fn refuse_ids(mut self, refused: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.refused_ids.push(Arc::new(refused));
        self
    }

    pub(crate) fn rejection(&self, resource: &Resource) -> Option<Rejection> {
        self.rules.iter().find_map(|rule| rule(resource))
    }

    pub(crate) fn refuses_id(&self, id: &str) -> bool {
        self.refused_ids.iter().any(|refused| refused(id))
    }
}

/// By hand: rules have none.
impl fmt::Debug for WriteSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteSettings")
            .field("transactions", &self.transactions)
            .field("batches", &self.batches)
            .field("client_ids", &self.client_ids)
            .field("dangling_references", &self.dangling_references)
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

/// Over sockets the server itself refuses longer ones.
pub(crate) const LARGEST_BODY: usize = 64 * 1024 * 1024;
