//! The contract of ids, references and hashes once more, over trees and with no
//! regard to speed: what the normalizer is compared with.

use std::collections::{BTreeMap, BTreeSet};

use fhir_normalize::{IdMode, Settings};
use sha2::{Digest, Sha256};

use crate::required::{Mended, REQUIRED};
use crate::tree::Tree;

/// What is known of a source.
pub(crate) struct Oracle {
    pub(crate) settings: Settings,
    key: Option<Vec<u8>>,
    mrn_patients: BTreeSet<String>,
    /// `urn:uuid:` references of the Bundle at hand with what they become.
    pub(crate) links: BTreeMap<String, String>,
}

/// What a resource has to become.
pub(crate) struct Expected {
    pub(crate) resource_type: String,
    pub(crate) id: String,
    pub(crate) source_id: String,
    pub(crate) mrn_patient: bool,
    pub(crate) conditional: bool,
    pub(crate) mended: Vec<Mended>,
    /// What is stored, the order of members apart.
    pub(crate) tree: Tree,
    /// The text that is hashed.
    pub(crate) canonical: String,
}

/// Which resource it is.
pub(crate) struct Identity {
    pub(crate) resource_type: String,
    pub(crate) id: String,
    source_id: String,
    mrn_patient: bool,
}

impl Oracle {
    /// `key` has to be the one in `settings`, which does not tell it.
    pub(crate) fn new(settings: Settings, key: Option<&[u8]>) -> Self {
        Self {
            settings,
            key: key.map(<[u8]>::to_vec),
            mrn_patients: BTreeSet::new(),
            links: BTreeMap::new(),
        }
    }

    /// The resource normalized, or the reason code.
    pub(crate) fn normalize(&mut self, resource: &Tree) -> Result<Expected, &'static str> {
        let Identity {
            resource_type,
            id,
            source_id,
            mrn_patient,
        } = self.identify(resource)?;
        let mut tree = resource.clone();
        set(&mut tree, "id", Tree::string(&id));
        let mut mended = Vec::new();
        REQUIRED.mend(&resource_type, &mut tree, &resource_type, &mut mended)?;
        let mut conditional = false;
        self.rewrite("", &mut tree, &mut conditional);
        Ok(Expected {
            canonical: hashed_part(&tree).canonical(),
            resource_type,
            id,
            source_id,
            mrn_patient,
            conditional,
            mended,
            tree,
        })
    }

    /// Type and ids of the resource, or the reason code; takes note of a
    /// patient's medical record number.
    pub(crate) fn identify(&mut self, resource: &Tree) -> Result<Identity, &'static str> {
        let Tree::Object(_) = resource else {
            return Err("invalid-json");
        };
        let resource_type = resource.str("resourceType").unwrap_or_default().to_owned();
        if resource_type.is_empty() {
            return Err("missing-resource-type");
        }
        if !REQUIRED.is_resource_type(&resource_type) {
            return Err("unknown-resource-type");
        }
        let source_id = match resource.get("id") {
            None => None,
            Some(Tree::String(id)) => Some(id.clone()).filter(|id| !id.is_empty()),
            Some(Tree::Number(digits)) => Some(digits.clone()),
            Some(_) => return Err("invalid-json"),
        };
        let source_id = source_id.unwrap_or_else(|| sha256(hashed_part(resource).canonical()));
        let mrn_patient = resource_type == "Patient" && self.is_mrn(resource, &source_id);
        if mrn_patient {
            self.mrn_patients.insert(source_id.clone());
        }
        Ok(Identity {
            id: if mrn_patient || !self.keeps(&source_id) {
                self.hashed(&resource_type, &source_id)
            } else {
                source_id.clone()
            },
            resource_type,
            source_id,
            mrn_patient,
        })
    }

    /// The id in a reference.
    fn new_id(&self, resource_type: &str, source_id: &str) -> String {
        let mrn = resource_type == "Patient" && self.mrn_patients.contains(source_id);
        if mrn || !self.keeps(source_id) {
            return self.hashed(resource_type, source_id);
        }
        source_id.to_owned()
    }

    fn keeps(&self, source_id: &str) -> bool {
        self.settings.id_mode == IdMode::Preserve && is_legal(source_id)
    }

    fn hashed(&self, resource_type: &str, source_id: &str) -> String {
        let text = format!(
            "{}\n{resource_type}\n{source_id}",
            self.settings.source_system
        );
        match &self.key {
            None => sha256(text),
            Some(key) => hmac(key, text.as_bytes()),
        }
    }

    fn is_mrn(&self, patient: &Tree, id: &str) -> bool {
        const SYSTEMS: [Option<&str>; 4] = [
            None,
            Some("http://terminology.hl7.org/CodeSystem/v2-0203"),
            Some("http://hl7.org/fhir/v2/0203"),
            Some("urn:oid:2.16.840.1.113883.18.108"),
        ];
        let identifiers = patient.get("identifier").map(Tree::elements_or_self);
        identifiers.unwrap_or_default().iter().any(|identifier| {
            let codings = identifier.get("type").and_then(|t| t.get("coding"));
            let typed = codings
                .map(Tree::elements_or_self)
                .unwrap_or_default()
                .iter()
                .any(|coding| {
                    let known = match coding.get("system") {
                        None => true,
                        Some(system) => SYSTEMS.contains(&Some(system.as_str().unwrap_or("?"))),
                    };
                    coding.str("code") == Some("MR") && known
                });
            let system = identifier.str("system");
            let configured = system.is_some() && system == self.settings.mrn_system.as_deref();
            identifier.str("value") == Some(id) && (typed || configured)
        })
    }

    /// Rewrites the references in `tree`, which is or is inside of the element
    /// `element`.
    fn rewrite(&self, element: &str, tree: &mut Tree, conditional: &mut bool) {
        match tree {
            Tree::Array(elements) => {
                for inner in elements {
                    self.rewrite(element, inner, conditional);
                }
            }
            Tree::Object(members) => {
                for (name, value) in members {
                    match value {
                        Tree::String(text) if name == "reference" => match self.target(text) {
                            Target::Resource(resource_type, id) => {
                                let id = self.new_id(&resource_type, &id);
                                *text = format!("{resource_type}/{id}");
                            }
                            Target::Query => *conditional = true,
                            Target::Other => {
                                if let Some(target) = self.links.get(text) {
                                    text.clone_from(target);
                                }
                            }
                        },
                        Tree::String(text) if name == "url" && is_attachment(element) => {
                            if let Target::Resource(resource_type, id) = self.target(text)
                                && resource_type == "Binary"
                            {
                                *text = format!("Binary/{}", self.new_id("Binary", &id));
                            }
                        }
                        value => self.rewrite(name, value, conditional),
                    }
                }
            }
            _ => {}
        }
    }

    fn target(&self, text: &str) -> Target {
        let bases = self.settings.bases.iter().filter_map(|base| {
            text.strip_prefix(base.trim_end_matches('/'))?
                .strip_prefix('/')
        });
        for relative in bases.chain([text]) {
            if let Some((resource_type, query)) = relative.split_once("?identifier=")
                && REQUIRED.is_resource_type(resource_type)
            {
                let token = query.replace("%7C", "|");
                let value = token.split_once('|').map_or("", |(_, value)| value);
                if !value.is_empty() && !query.contains('&') {
                    return Target::Query;
                }
            }
            if let Some((resource_type, path)) = relative.split_once('/')
                && REQUIRED.is_resource_type(resource_type)
            {
                let id = path.split("/_history/").next().unwrap_or_default();
                if !id.is_empty() {
                    return Target::Resource(resource_type.to_owned(), id.to_owned());
                }
            }
        }
        Target::Other
    }
}

enum Target {
    Resource(String, String),
    Query,
    Other,
}

/// The elements of R4 that are Attachments, by their names.
fn is_attachment(element: &str) -> bool {
    const NAMES: [&str; 7] = [
        "attachment",
        "content",
        "document",
        "form",
        "image",
        "photo",
        "presentedForm",
    ];
    NAMES.contains(&element) || element.ends_with("Attachment")
}

/// The resource without what the content hash leaves out.
fn hashed_part(resource: &Tree) -> Tree {
    let Tree::Object(members) = resource else {
        return resource.clone();
    };
    let without = |members: &[(String, Tree)], names: &[&str]| -> Vec<(String, Tree)> {
        let kept = members
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        kept.cloned().collect()
    };
    let mut kept = without(members, &["text"]);
    for (name, value) in &mut kept {
        match (name.as_str(), &mut *value) {
            ("meta", Tree::Object(meta)) => *meta = without(meta, &["versionId", "lastUpdated"]),
            ("contained", Tree::Object(one)) => *one = without(one, &["text"]),
            ("contained", Tree::Array(all)) => {
                for one in all {
                    if let Tree::Object(members) = one {
                        *members = without(members, &["text"]);
                    }
                }
            }
            _ => {}
        }
    }
    kept.retain(|(name, value)| name != "meta" || *value != Tree::Object(Vec::new()));
    Tree::Object(kept)
}

fn set(object: &mut Tree, name: &str, value: Tree) {
    if let Tree::Object(members) = object {
        match members.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = value,
            None => members.push((name.to_owned(), value)),
        }
    }
}

fn is_legal(id: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !id.is_empty() && id.len() <= 64 && id.chars().all(legal)
}

pub(crate) fn sha256(text: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(text.as_ref()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 2104, for keys of at most a block.
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> String {
    const BLOCK: usize = 64;
    assert!(key.len() <= BLOCK);
    let pad = |with: u8| -> Vec<u8> {
        let key = key.iter().copied().chain(std::iter::repeat(0));
        key.take(BLOCK).map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::digest([&pad(0x36), text].concat());
    sha256([&pad(0x5c)[..], &inner[..]].concat())
}
