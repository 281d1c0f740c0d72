//! The contract of remediation once more, straight from `tables/*.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use crate::tree::Tree;

/// Path and rule of what was mended.
pub(crate) type Mended = (String, &'static str);

const EXTENSION: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// Read once for all tests.
pub(crate) static REQUIRED: LazyLock<Required> = LazyLock::new(Required::read);

/// The elements that R4 requires, and the optional ones above them.
pub(crate) struct Required {
    resource_types: BTreeSet<String>,
    with_unknown: BTreeSet<String>,
    /// By the path of the element they are members of.
    elements: BTreeMap<String, Vec<Element>>,
}

pub(crate) struct Element {
    /// Without `[x]`.
    pub(crate) name: String,
    pub(crate) required: bool,
    many: bool,
    choice: bool,
    pub(crate) types: Vec<String>,
    /// Where the members of this element are defined.
    pub(crate) members: String,
    value_set: String,
    bound: bool,
}

impl Required {
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables");
        let lines = |name: &str| -> Vec<String> {
            let text = fs::read_to_string(folder.join(name)).expect("a table");
            text.lines().skip(1).map(str::to_owned).collect()
        };
        let mut required = Self {
            resource_types: lines("r4-resource-types.csv").into_iter().collect(),
            with_unknown: lines("r4-valuesets-with-unknown.csv").into_iter().collect(),
            elements: BTreeMap::new(),
        };
        for line in lines("r4-required.csv") {
            required.add(&line, true);
        }
        for line in lines("r4-parents.csv") {
            required.add(&line, false);
        }
        required.add(
            "resource,Condition,Condition.code,1,0,1,CodeableConcept,,,",
            true,
        );
        required
    }

    fn add(&mut self, line: &str, required: bool) {
        let cells: Vec<_> = line.split(',').collect();
        let [kind, _, path, _, _, max, types, strength, value_set, ..] = cells[..] else {
            panic!("{line}");
        };
        if kind != "resource" {
            return;
        }
        let (parent, name) = path.rsplit_once('.').expect("an element");
        let element = Element {
            name: name.trim_end_matches("[x]").to_owned(),
            required,
            many: max != "1",
            choice: name.ends_with("[x]"),
            types: types.split('|').map(str::to_owned).collect(),
            members: types.strip_prefix('@').unwrap_or(path).to_owned(),
            value_set: value_set.to_owned(),
            bound: strength == "required",
        };
        let siblings = self.elements.entry(parent.to_owned()).or_default();
        siblings.push(element);
    }

    pub(crate) fn is_resource_type(&self, name: &str) -> bool {
        self.resource_types.contains(name)
    }

    pub(crate) fn resource_types(&self) -> impl Iterator<Item = &str> {
        self.resource_types.iter().map(String::as_str)
    }

    /// The elements defined right below a path.
    pub(crate) fn below(&self, path: &str) -> &[Element] {
        self.elements.get(path).map_or(&[], Vec::as_slice)
    }

    /// Fills what an object lacks that is defined at `path` and stands at
    /// `place`; the reason code where it cannot be filled.
    pub(crate) fn mend(
        &self,
        path: &str,
        object: &mut Tree,
        place: &str,
        mended: &mut Vec<Mended>,
    ) -> Result<(), &'static str> {
        for element in self.below(path) {
            let names = element.member_names();
            let Tree::Object(members) = object else {
                return Ok(());
            };
            let here = format!("{place}.{}", element.name);
            let is_present =
                |(name, value): &&mut (String, Tree)| names.contains(name) && !value.is_nothing();
            match members.iter_mut().find(is_present) {
                Some((_, Tree::Array(elements))) => {
                    for (at, inner) in elements.iter_mut().enumerate() {
                        self.enter(element, inner, &format!("{here}[{at}]"), mended)?;
                    }
                }
                Some((_, inner)) => self.enter(element, inner, &here, mended)?,
                None if !element.required => {}
                None => {
                    let (name, filler, rule) = self.filler(element, path)?;
                    members.retain(|(name, _)| !names.contains(name));
                    let value = match element.many {
                        true => Tree::Array(vec![filler]),
                        false => filler,
                    };
                    members.push((name, value));
                    mended.push((here, rule));
                }
            }
        }
        Ok(())
    }

    fn enter(
        &self,
        element: &Element,
        value: &mut Tree,
        place: &str,
        mended: &mut Vec<Mended>,
    ) -> Result<(), &'static str> {
        if value.is_nothing() || is_mark(value) {
            return Ok(());
        }
        self.mend(&element.members, value, place, mended)
    }

    /// The member, value and rule for a missing element.
    fn filler(
        &self,
        element: &Element,
        path: &str,
    ) -> Result<(String, Tree, &'static str), &'static str> {
        let concept = element.types.iter().any(|name| name == "CodeableConcept");
        let written = match concept {
            true => "CodeableConcept",
            false => &element.types[0],
        };
        let name = match element.choice {
            true => choice(&element.name, written),
            false => element.name.clone(),
        };
        let mark = format!(r#"{{"extension":[{{"url":"{EXTENSION}","valueCode":"unknown"}}]}}"#);
        if concept {
            let text = r#"{"coding":[{
                "system":"http://terminology.hl7.org/CodeSystem/data-absent-reason",
                "code":"unknown","display":"Unknown"}]}"#;
            return Ok((name, Tree::parse(text), "unknown-concept"));
        }
        if written == "Reference" && !element.choice && !path.contains('.') {
            return Err("missing-required-reference");
        }
        if written == "code" && element.bound && self.with_unknown.contains(&element.value_set) {
            return Ok((name, Tree::string("unknown"), "unknown-code"));
        }
        let name = match is_primitive(written) {
            true => format!("_{name}"),
            false => name,
        };
        Ok((name, Tree::parse(mark), "data-absent-reason"))
    }
}

impl Element {
    /// The members by which this element may be present.
    pub(crate) fn member_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for type_name in &self.types {
            let name = match self.choice {
                true => choice(&self.name, type_name),
                false => self.name.clone(),
            };
            if is_primitive(type_name) {
                names.push(format!("_{name}"));
            }
            names.push(name);
        }
        names
    }
}

fn choice(name: &str, type_name: &str) -> String {
    let (first, rest) = type_name.split_at(1);
    format!("{name}{}{rest}", first.to_uppercase())
}

fn is_primitive(type_name: &str) -> bool {
    type_name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// An object that says of itself that it is absent, and nothing else.
fn is_mark(value: &Tree) -> bool {
    let [(name, extensions)] = value.members() else {
        return false;
    };
    let mut extensions = extensions.elements_or_self().iter();
    name == "extension" && extensions.any(|extension| extension.str("url") == Some(EXTENSION))
}
