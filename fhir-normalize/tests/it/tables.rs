//! Generator of `src/required/table.rs` from the CSV files in `tables/`.
//!
//! The test renders the table and compares it with the committed file;
//! with `UPDATE_TABLES=1` in the environment it writes the file instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[test]
fn the_committed_table_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| {
        let path = root.join("tables").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let table = Definitions::new(
        &read("r4-resource-types.csv"),
        &read("r4-required.csv"),
        &read("r4-parents.csv"),
        &read("r4-valuesets-with-unknown.csv"),
    )
    .render();

    let path = root.join("src/required/table.rs");
    if env::var_os("UPDATE_TABLES").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let line = committed
        .lines()
        .zip(table.lines())
        .take_while(|(old, new)| old == new)
        .count()
        + 1;
    assert!(
        committed == table,
        "{} differs from tables/*.csv at line {line}; run this test with UPDATE_TABLES=1",
        path.display()
    );
}

/// The elements that become rules, in the order of the definitions.
struct Definitions {
    resource_types: Vec<String>,
    /// Elements by path, without `[x]`.
    elements: BTreeMap<String, Element>,
    /// Paths of the elements right below a path, in order.
    members: BTreeMap<String, Vec<String>>,
    with_unknown: BTreeSet<String>,
}

struct Element {
    required: bool,
    many: bool,
    choice: bool,
    types: Vec<String>,
    /// Value set of a required binding.
    bound_to: Option<String>,
}

impl Definitions {
    fn new(resource_types: &str, required: &str, parents: &str, with_unknown: &str) -> Self {
        let column = |text| rows(text, ["type", "valueset"]).map(|[a, b]| format!("{a}{b}"));
        let mut definitions = Self {
            resource_types: column(resource_types).collect(),
            elements: BTreeMap::new(),
            members: BTreeMap::new(),
            with_unknown: column(with_unknown).collect(),
        };
        definitions.resource_types.sort();
        let order: Vec<_> = definitions.read(required, true);
        let more = definitions.read(parents, false);
        // An extra rule: optional in base R4, required by US Core.
        let condition_code = "Condition.code".to_owned();
        let concept = Element {
            required: true,
            many: false,
            choice: false,
            types: vec!["CodeableConcept".to_owned()],
            bound_to: None,
        };
        assert!(
            definitions
                .elements
                .insert(condition_code.clone(), concept)
                .is_none()
        );
        for path in order.iter().chain([&condition_code]).chain(&more) {
            definitions.place(path);
        }
        definitions.prune();
        definitions
    }

    fn read(&mut self, text: &str, required: bool) -> Vec<String> {
        let columns = [
            "kind",
            "path",
            "max",
            "types",
            "binding_strength",
            "valueset",
        ];
        let mut order = Vec::new();
        for [kind, path, max, types, strength, valueset] in rows(text, columns) {
            if kind != "resource" {
                continue;
            }
            let name = path.strip_suffix("[x]").unwrap_or(path);
            let element = Element {
                required,
                many: max != "1",
                choice: name != path,
                types: types.split('|').map(str::to_owned).collect(),
                bound_to: (strength == "required").then(|| valueset.to_owned()),
            };
            assert!(
                element.choice || element.types.len() == 1,
                "{path} has several types"
            );
            assert!(
                self.elements.insert(name.to_owned(), element).is_none(),
                "{path} twice"
            );
            order.push(name.to_owned());
        }
        order
    }

    /// Enters an element among the members of its parent, and so on upwards.
    fn place(&mut self, path: &str) {
        let Some((parent, _)) = path.rsplit_once('.') else {
            return;
        };
        assert!(
            self.elements.contains_key(path),
            "tables/r4-parents.csv lacks {path}"
        );
        self.place(parent);
        let members = self.members.entry(parent.to_owned()).or_default();
        if !members.iter().any(|member| member == path) {
            members.push(path.to_owned());
        }
    }

    /// Drops the optional elements that lead to no required one.
    fn prune(&mut self) {
        let mut kept: BTreeSet<String> = BTreeSet::new();
        // To the least fixed point, for content references may be recursive.
        loop {
            let leads = |path: &String| {
                let members = self.members.get(self.target(path)).into_iter().flatten();
                self.elements[path].required || members.into_iter().any(|path| kept.contains(path))
            };
            let next: BTreeSet<_> = self.elements.keys().filter(|p| leads(p)).cloned().collect();
            if next == kept {
                break;
            }
            kept = next;
        }
        self.elements.retain(|path, _| kept.contains(path));
        for members in self.members.values_mut() {
            members.retain(|path| kept.contains(path));
        }
        self.members.retain(|_, members| !members.is_empty());
    }

    /// The path whose members an element has: its own, but for a content reference.
    fn target<'a>(&'a self, path: &'a str) -> &'a str {
        let types = self
            .elements
            .get(path)
            .map(|element| element.types.as_slice());
        types
            .and_then(|types| types[0].strip_prefix('@'))
            .unwrap_or(path)
    }

    fn render(&self) -> String {
        let mut out = String::from(
            "// @generated by tests/it/tables.rs from tables/*.csv; do not edit.\n\n\
             use super::{ChoiceName, Fill, Rule, Rules};\n\n\
             /// R4 resource types, sorted.\n\
             pub(crate) const RESOURCE_TYPES: &[&str] = &[\n",
        );
        for name in &self.resource_types {
            writeln!(out, "    {name:?},").unwrap();
        }
        out.push_str(
            "];\n\n/// Rules of a resource type, same index as `RESOURCE_TYPES`.\n\
             pub(crate) static RULES: &[&Rules] = &[\n",
        );
        for name in &self.resource_types {
            let rules = self.rules_of(name);
            writeln!(out, "    &{},", rules.as_deref().unwrap_or("Rules::NONE")).unwrap();
        }
        out.push_str("];\n");

        let mut names = BTreeMap::new();
        for (path, members) in &self.members {
            let name = static_name(path);
            if let Some(other) = names.insert(name.clone(), path) {
                panic!("{path} and {other} would both be {name}");
            }
            write!(out, "\nstatic {name}: Rules = Rules::new(&[\n").unwrap();
            for member in members {
                writeln!(out, "    {},", self.rule(member)).unwrap();
            }
            out.push_str("]);\n");
        }
        out
    }

    fn rule(&self, path: &str) -> String {
        let element = &self.elements[path];
        let (_, name) = path.rsplit_once('.').unwrap();
        let written = element.written_type();
        let member = |type_name: &str| format!("{name}{}", capitalized(type_name));
        let fill_name = if element.choice {
            member(written)
        } else {
            name.to_owned()
        };
        let fill = match written {
            _ if !element.required => "Optional",
            "Reference" if !element.choice && path.split('.').count() == 2 => "Reject",
            "CodeableConcept" => "CodeableConcept",
            "code"
                if element
                    .bound_to
                    .as_ref()
                    .is_some_and(|s| self.with_unknown.contains(s)) =>
            {
                "UnknownCode"
            }
            written if is_primitive(written) => "Primitive",
            _ => "Complex",
        };
        let choice: Vec<_> = element
            .types
            .iter()
            .filter(|_| element.choice)
            .map(|t| {
                format!(
                    "ChoiceName {{ name: {:?}, primitive: {} }}",
                    member(t),
                    is_primitive(t)
                )
            })
            .collect();
        // By reference, so that recursive elements may point back.
        let children = match self.rules_of(self.target(path)) {
            Some(rules) => format!("Some(&{rules})"),
            None => "None".to_owned(),
        };
        format!(
            "Rule {{ name: {name:?}, path: {path:?}, many: {}, fill: Fill::{fill}, \
             fill_name: {fill_name:?}, choice: &[{}], children: {children} }}",
            element.many,
            choice.join(", "),
        )
    }

    /// The name of the rules for what is below a path, where there are any.
    fn rules_of(&self, path: &str) -> Option<String> {
        self.members.contains_key(path).then(|| static_name(path))
    }
}

impl Element {
    fn written_type(&self) -> &str {
        let concept = self.types.iter().find(|name| *name == "CodeableConcept");
        concept.unwrap_or(&self.types[0])
    }
}

/// FHIR writes the names of primitive types, and of no others, with a lower-case initial.
fn is_primitive(type_name: &str) -> bool {
    type_name.starts_with(|c: char| c.is_ascii_lowercase())
}

fn capitalized(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

/// `ClaimResponse.addItem` as `CLAIM_RESPONSE_ADD_ITEM`.
fn static_name(path: &str) -> String {
    let mut name = String::new();
    let mut lower = false;
    for c in path.chars() {
        if lower && c.is_ascii_uppercase() {
            name.push('_');
        }
        lower = c.is_ascii_lowercase();
        name.push(if c == '.' {
            '_'
        } else {
            c.to_ascii_uppercase()
        });
    }
    name
}

/// The named columns of every row; a column the header lacks is empty.
fn rows<'a, const N: usize>(
    text: &'a str,
    columns: [&'a str; N],
) -> impl Iterator<Item = [&'a str; N]> {
    assert!(!text.contains('"'), "a quoted cell needs a real CSV reader");
    let mut lines = text.lines();
    let header: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    let places = columns.map(|column| header.iter().position(|name| *name == column));
    lines.map(move |line| {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells.len(), header.len(), "{line}");
        places.map(|place| place.map_or("", |place| cells[place]))
    })
}
