//! The top level of a resource: what it is, and what its hash leaves out.

use std::borrow::Cow;

use fhir_json::{Edits, Kind, Value, name_hash};

use crate::rejected::{Reason, Rejected};
use crate::required::resource_type as type_index;

/// What a resource is called.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) type_index: usize,
    pub(crate) id: Option<Value<'a>>,
    pub(crate) identifier: Option<Value<'a>>,
}

/// The members of a resource's top level that matter.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) names: Names<'a>,
    pub(crate) resource_type: Value<'a>,
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
    let [mut id, mut identifier, mut meta, mut text, mut contained] = [None; 5];
    for member in root.members() {
        // Most members are none of these, and told by a hash.
        if member.name_hash().is_some_and(|hash| HEAD >> hash & 1 == 0) {
            continue;
        }
        let name = member.name().unwrap_or_default();
        let slot = match &*name {
            "resourceType" => &mut type_member,
            "id" => &mut id,
            "identifier" => &mut identifier,
            "meta" => &mut meta,
            "text" => &mut text,
            "contained" => &mut contained,
            _ => continue,
        };
        *slot = Some(member);
    }
    let own_type = type_member.and_then(|member| Some((member, member.as_str()?)));
    let Some((resource_type, name)) = own_type.filter(|(_, name)| !name.is_empty()) else {
        return Err(Rejected::new(
            Reason::MissingResourceType,
            "no resourceType",
        ));
    };
    let type_index = type_index(&name).ok_or_else(|| {
        Rejected::new(
            Reason::UnknownResourceType,
            "resourceType is not one of FHIR R4",
        )
    })?;
    Ok(Head {
        names: Names {
            type_index,
            id,
            identifier,
        },
        resource_type,
        meta,
        text,
        contained,
    })
}

/// A bit for the hash of each name that [`head`] looks for.
const HEAD: u64 = 1 << name_hash("resourceType")
    | 1 << name_hash("id")
    | 1 << name_hash("identifier")
    | 1 << name_hash("meta")
    | 1 << name_hash("text")
    | 1 << name_hash("contained");

impl<'a> Head<'a> {
    /// Plans what is left out of the hash.
    pub(crate) fn omit(&self, edits: &mut Edits) {
        self.each_omitted(|value| edits.omit(value));
    }

    /// Visits what is left out of the hash: what a server changes by itself,
    /// and narrative.
    pub(crate) fn each_omitted(&self, mut omit: impl FnMut(Value<'a>)) {
        if let Some(text) = self.text {
            omit(text);
        }
        for resource in self
            .contained
            .iter()
            .flat_map(|contained| contained.elements_or_self())
        {
            if let Some(text) = resource.get("text") {
                omit(text);
            }
        }
        let Some(meta) = self.meta.filter(|meta| meta.kind() == Kind::Object) else {
            return;
        };
        let volatile =
            |member: &Value<'_>| member.is_named("versionId") || member.is_named("lastUpdated");
        if meta.members().all(|member| volatile(&member)) {
            omit(meta);
        } else {
            meta.members().filter(volatile).for_each(omit);
        }
    }
}

impl<'a> Names<'a> {
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
