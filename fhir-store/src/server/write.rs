//! One version as requests.

use std::borrow::Cow;
use std::collections::HashMap;

use super::names;
use super::order::{Reference, references};

/// One version the server has to be told of.
pub(super) struct Write {
    pub(super) seq: i64,
    pub(super) resource_type: String,
    pub(super) id: String,
    pub(super) run: Option<String>,
    pub(super) deleted: bool,
    /// It is the first version.
    pub(super) created: bool,
    /// The resource as JSON text; none for a delete.
    pub(super) body: Option<String>,
    pub(super) provenance_id: String,
    pub(super) provenance: String,
    /// The server's version that it replaces, where we know one.
    pub(super) replaces: Option<String>,
    /// The resource is there, or a later version is; what lacks is the Provenance.
    pub(super) provenance_only: bool,
    /// The server's version of the resource, found out by reading it.
    pub(super) adopted: Option<String>,
    /// It was told of this version before: the content was amended.
    pub(super) amended: bool,
    /// How often it was tried again after a conflict.
    pub(super) conflicts: u8,
    /// Where things are, on a server that gives ids of its own.
    pub(super) there: Option<There>,
}

/// Where things are on a server that gives ids of its own.
#[derive(Default)]
pub(super) struct There {
    /// The id of the resource; none before it is created.
    pub(super) resource: Option<String>,
    /// The id of the Provenance; none before it is created.
    pub(super) provenance: Option<String>,
    /// `Type/id` of ours to `Type/id` of the server.
    pub(super) names: Names,
}

/// References to replace.
pub(super) type Names = HashMap<String, String>;

/// One request about one resource, in a Bundle or outside of one.
pub(super) struct Step<'a> {
    pub(super) method: &'static str,
    /// Relative to the base.
    pub(super) url: String,
    /// Only where this search finds nothing.
    pub(super) unless: Option<String>,
    /// Only where this is the current version.
    pub(super) replaces: Option<&'a str>,
    pub(super) body: Option<Cow<'a, str>>,
    /// What others in the Bundle refer to it by, where that is not its URL.
    pub(super) alias: Option<String>,
}

impl Write {
    pub(super) fn bytes(&self) -> usize {
        const REQUESTS: usize = 400;
        self.body.as_ref().map_or(0, String::len) + self.provenance.len() + REQUESTS
    }

    /// What has to be there before it.
    pub(super) fn references(&self) -> Vec<Reference> {
        match &self.body {
            Some(body) if !self.provenance_only => references(body),
            _ => Vec::new(),
        }
    }

    /// `Type/id`, as we name it.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }

    /// Whether the server has to find an id for the resource.
    pub(super) fn is_new_there(&self) -> bool {
        let is_new = |there: &There| there.resource.is_none();
        !self.deleted && !self.provenance_only && self.there.as_ref().is_some_and(is_new)
    }

    /// The write of the resource. `names` are those known besides its own.
    pub(super) fn resource_step(&self, names: &Names) -> Step<'_> {
        let path = self.path();
        let there = self.there.as_ref();
        let id = there.and_then(|there| there.resource.as_deref());
        let url = match id {
            Some(id) => format!("{}/{id}", self.resource_type),
            None => path.clone(),
        };
        let Some(body) = &self.body else {
            return Step::new("DELETE", url, None, None);
        };
        let Some(there) = there else {
            return Step::new("PUT", url, Some(body.into()), self.replaces.as_deref());
        };
        let body = there.outgoing(body, &path, id, names);
        if id.is_some() {
            return Step::new("PUT", url, Some(body), self.replaces.as_deref());
        }
        let step = Step::new("POST", self.resource_type.clone(), Some(body), None);
        Step {
            unless: Some(names::condition(&path)),
            alias: names.get(&path).cloned(),
            ..step
        }
    }

    /// The write of the Provenance. `names` are those known besides its own.
    pub(super) fn provenance_step(&self, names: &Names) -> Step<'_> {
        let path = format!("Provenance/{}", self.provenance_id);
        let Some(there) = &self.there else {
            return Step::new("PUT", path, Some((&self.provenance).into()), None);
        };
        let id = there.provenance.as_deref();
        let body = there.outgoing(&self.provenance, &path, id, names);
        match id {
            Some(id) => Step::new("PUT", format!("Provenance/{id}"), Some(body), None),
            None => Step {
                unless: Some(names::condition(&path)),
                ..Step::new("POST", "Provenance".to_owned(), Some(body), None)
            },
        }
    }
}

impl There {
    fn outgoing(
        &self,
        body: &str,
        path: &str,
        id: Option<&str>,
        more: &Names,
    ) -> Cow<'static, str> {
        names::outgoing(body, path, id, |own| {
            let path = own.path();
            more.get(&path).or(self.names.get(&path)).cloned()
        })
        .into()
    }
}

impl<'a> Step<'a> {
    fn new(
        method: &'static str,
        url: String,
        body: Option<Cow<'a, str>>,
        replaces: Option<&'a str>,
    ) -> Self {
        Self {
            method,
            url,
            unless: None,
            replaces,
            body,
            alias: None,
        }
    }

    pub(super) fn resource_type(&self) -> &str {
        self.url.split('/').next().unwrap_or_default()
    }
}
