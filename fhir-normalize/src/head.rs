//! The top level of a resource: what it is, and what its hash leaves out.

use std::borrow::Cow;

use fhir_json::{Edits, Kind, Value, name_hash};

use crate::rejected::{Reason, Rejected};
use crate::required::resource_type;

/// What the members of a resource's top level say.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) type_index: usize,
    pub(crate) id: Option<Value<'a>>,
    pub(crate) identifier: Option<Value<'a>>,
    meta: Option<Value<'a>>,
    text: Option<Value<'a>>,
    contained: Option<Value<'a>>,
}

/// Reads the top level.
pub(crate) fn head(root: Value<'_>) -> Result<Head<'_>, Rejected> {
    if root.kind() != Kind::Object {
        return Err(Rejected::new(Reason::InvalidJson, "not a JSON object"));
    }
    let mut type_member = None;
    let mut head = Head {
        type_index: 0,
        id: None,
        meta: None,
        text: None,
        contained: None,
        identifier: None,
    };
    for member in root.members() {
        // Most members are none of these, and told by a hash.
        if member.name_hash().is_some_and(|hash| HEAD >> hash & 1 == 0) {
            continue;
        }
        let name = member.name().unwrap_or_default();
        let slot = match &*name {
            "resourceType" => &mut type_member,
            "id" => &mut head.id,
            "identifier" => &mut head.identifier,
            "meta" => &mut head.meta,
            "text" => &mut head.text,
            "contained" => &mut head.contained,
            _ => continue,
        };
        *slot = Some(member);
    }
    let name = type_member
        .and_then(|member| member.as_str())
        .filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(Rejected::new(
            Reason::MissingResourceType,
            "no resourceType",
        ));
    };
    head.type_index = resource_type(&name).ok_or_else(|| {
        Rejected::new(
            Reason::UnknownResourceType,
            "resourceType is not one of FHIR R4",
        )
    })?;
    Ok(head)
}

/// A bit for the hash of each name that [`head`] looks for.
const HEAD: u64 = 1 << name_hash("resourceType")
    | 1 << name_hash("id")
    | 1 << name_hash("identifier")
    | 1 << name_hash("meta")
    | 1 << name_hash("text")
    | 1 << name_hash("contained");

impl<'a> Head<'a> {
    /// Plans what is left out of the hash: what a server changes by itself,
    /// and narrative.
    pub(crate) fn omit(&self, edits: &mut Edits) {
        if let Some(text) = self.text {
            edits.omit(text);
        }
        for resource in self
            .contained
            .iter()
            .flat_map(|contained| contained.elements_or_self())
        {
            if let Some(text) = resource.get("text") {
                edits.omit(text);
            }
        }
        let Some(meta) = self.meta.filter(|meta| meta.kind() == Kind::Object) else {
            return;
        };
        let volatile =
            |member: &Value<'_>| member.is_named("versionId") || member.is_named("lastUpdated");
        if meta.members().all(|member| volatile(&member)) {
            edits.omit(meta);
        } else {
            meta.members()
                .filter(volatile)
                .for_each(|member| edits.omit(member));
        }
    }

    /// The id at the source. A number is taken by its digits; an empty string
    /// is no id, since all resources with one would become the same resource.
    pub(crate) fn source_id(&self) -> Result<Option<Cow<'a, str>>, Rejected> {
        let Some(id) = self.id else { return Ok(None) };
        match id.kind() {
            Kind::String => Ok(id.as_str().filter(|id| !id.is_empty())),
            Kind::Number => Ok(id.as_number().map(Into::into)),
            _ => Err(Rejected::new(Reason::InvalidJson, "id is not a string")),
        }
    }
}
