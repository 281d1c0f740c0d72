//! Invariants over generated resources and damaged samples; `PROPTEST_CASES` in
//! the environment sets how many.

use std::sync::LazyLock;

use fhir_normalize::Normalizer;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::pair::Pair;
use crate::required::REQUIRED;
use crate::samples::{mask, sample_lines};
use crate::support::{hash, preserve};
use crate::tree::Tree;

static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(sample_lines);

proptest! {
    #[test]
    fn resources_become_what_the_contract_says(
        resources in vec(resources(), 1..4),
        disguised in any::<bool>(),
    ) {
        for mut pair in Pair::all() {
            for resource in &resources {
                let text = if disguised { resource.disguised() } else { resource.text() };
                pair.assert_agree(text.as_bytes());
                pair.assert_records_agree(&text);
            }
        }
    }

    #[test]
    fn resources_of_a_known_shape_become_what_the_contract_says(
        resource in resources(),
        strings in vec(select(&STRINGS[..]), 1..6),
        other_type in select(&["Patient", "Observation", "Bundle", "Binary", "Nobody"][..]),
    ) {
        let mut other = resource.clone();
        let mut strings = strings.iter().cycle();
        let mut next = || (*strings.next().expect("a string")).to_owned();
        replace_strings(&mut other, &mut next);
        let mut of_another_type = other.clone();
        if let Tree::Object(members) = &mut of_another_type {
            members[0].1 = Tree::string(other_type);
        }
        for mut pair in Pair::all() {
            for tree in [&resource, &other, &resource, &of_another_type, &other, &resource] {
                pair.assert_agree(tree.text().as_bytes());
                pair.assert_records_agree(&tree.text());
            }
        }
    }

    #[test]
    fn bundles_become_what_the_contract_says(bundle in bundles()) {
        for mut pair in Pair::all() {
            pair.assert_records_agree(&bundle.text());
            pair.assert_agree(bundle.disguised().as_bytes());
        }
    }

    #[test]
    fn the_content_hash_is_of_the_tree_and_not_of_the_text(resource in resources()) {
        let mut normalizer = Normalizer::new(preserve());
        let plain = normalizer
            .normalize(resource.text().as_bytes())
            .map(|normalized| (normalized.id.to_owned(), normalized.content_hash));
        let disguised = normalizer
            .normalize(resource.disguised().as_bytes())
            .map(|normalized| (normalized.id.to_owned(), normalized.content_hash));
        match (plain, disguised) {
            (Ok(plain), Ok(disguised)) => prop_assert_eq!(plain, disguised),
            (Err(plain), Err(disguised)) => prop_assert_eq!(plain.reason, disguised.reason),
            (plain, disguised) => prop_assert!(false, "{:?} {:?}", plain, disguised),
        }
    }

    #[test]
    fn id_modes_differ_in_ids_and_references_alone(resource in resources()) {
        let [preserved, hashed] = [preserve(), hash()].map(|settings| {
            let mut normalizer = Normalizer::new(settings);
            let normalized = normalizer.normalize(resource.text().as_bytes());
            normalized.map(|normalized| {
                let mut tree = Tree::parse(normalized.body);
                mask("", &mut tree);
                tree.sorted()
            })
        });
        prop_assert_eq!(preserved, hashed);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in vec(any::<u8>(), 0..200)) {
        for mut pair in Pair::all() {
            prop_assert!(pair.assert_agree(&bytes).is_some());
            assert_visited(&mut pair.normalizer, &bytes);
        }
    }

    #[test]
    fn no_damage_to_a_sample_is_too_strange(
        sample in any::<Index>(),
        damage in vec((any::<Index>(), any::<Index>(), 0..5_u8, any::<u8>()), 1..4),
    ) {
        let mut text = sample.get(&SAMPLES).clone();
        for (from, to, kind, byte) in damage {
            hurt(&mut text, &from, &to, kind, byte);
        }
        for mut pair in Pair::all() {
            pair.assert_agree(&text);
            assert_visited(&mut pair.normalizer, &text);
        }
    }
}

/// Has other strings wherever there are strings, but for the type's name.
fn replace_strings(tree: &mut Tree, next: &mut impl FnMut() -> String) {
    match tree {
        Tree::String(text) => *text = next(),
        Tree::Array(elements) => elements
            .iter_mut()
            .for_each(|own| replace_strings(own, next)),
        Tree::Object(members) => members
            .iter_mut()
            .filter(|(name, _)| name != "resourceType")
            .for_each(|(_, own)| replace_strings(own, next)),
        _ => {}
    }
}

/// Each visit is inside of the text, and what is stored is JSON.
fn assert_visited(normalizer: &mut Normalizer, text: &[u8]) {
    normalizer.records(text, &mut |span, result| {
        assert!(text.get(span).is_some());
        match result {
            Ok(fhir_normalize::Record::Resource(normalized)) => {
                assert!(Tree::try_parse(normalized.body.as_bytes()).is_some());
                assert!(fhir_normalize::is_legal_id(normalized.id));
            }
            Ok(_) => {}
            Err(rejected) => assert!(rejected.offset.is_none_or(|at| at <= text.len())),
        }
    });
}

fn hurt(text: &mut Vec<u8>, from: &Index, to: &Index, kind: u8, byte: u8) {
    if text.is_empty() {
        return;
    }
    let (from, to) = (from.index(text.len()), to.index(text.len()));
    let part = from.min(to)..from.max(to).min(from.min(to) + 40);
    match kind {
        0 => text[from] = byte,
        1 => drop(text.remove(from)),
        2 => drop(text.drain(part)),
        3 => text.truncate(from),
        _ => {
            let copy = text[part].to_vec();
            text.splice(to..to, copy);
        }
    }
}

/// Resources of every type; what they lack and what they have too much is left
/// to chance.
fn resources() -> impl Strategy<Value = Tree> {
    let types: Vec<_> = REQUIRED.resource_types().map(str::to_owned).collect();
    select(types).prop_flat_map(resources_of)
}

fn resources_of(resource_type: String) -> impl Strategy<Value = Tree> {
    let names = names_in(&resource_type);
    let members = vec((select(names.clone()), values(names)), 0..8);
    (members, ids(), identifiers(), 0..3_u8).prop_map(
        move |(mut members, id, identifier, complete)| {
            members.insert(0, ("resourceType".to_owned(), Tree::string(&resource_type)));
            members.extend(id.map(|id| ("id".to_owned(), id)));
            members.push(("identifier".to_owned(), identifier));
            let resource = object(members);
            if complete == 0 {
                resource
            } else {
                completed(resource)
            }
        },
    )
}

/// With the References that are never invented.
fn completed(mut resource: Tree) -> Tree {
    let resource_type = resource.str("resourceType").unwrap_or_default().to_owned();
    let Tree::Object(members) = &mut resource else {
        return resource;
    };
    for element in REQUIRED.below(&resource_type) {
        if element.required && element.types == ["Reference"] {
            members.retain(|(name, value)| *name != element.name || !value.is_nothing());
            if !members.iter().any(|(name, _)| *name == element.name) {
                let value = Tree::parse(r#"{"reference":"Patient/12345"}"#);
                members.push((element.name.clone(), value));
            }
        }
    }
    resource
}

fn bundles() -> impl Strategy<Value = Tree> {
    const UUIDS: [&str; 3] = [
        "urn:uuid:00000000-0000-4000-8000-000000000001",
        "urn:uuid:00000000-0000-4000-8000-000000000002",
        "https://ehr.example/r4/Patient/p1",
    ];
    const KINDS: [&str; 6] = [
        "transaction",
        "batch",
        "collection",
        "searchset",
        "history",
        "document",
    ];
    let entry = (select(&UUIDS[..]), resources()).prop_map(|(url, resource)| {
        Tree::Object(vec![
            ("fullUrl".to_owned(), Tree::string(url)),
            ("resource".to_owned(), resource),
        ])
    });
    (select(&KINDS[..]), vec(entry, 0..5)).prop_map(|(kind, entries)| {
        object(vec![
            ("resourceType".to_owned(), Tree::string("Bundle")),
            ("type".to_owned(), Tree::string(kind)),
            ("entry".to_owned(), Tree::Array(entries)),
        ])
    })
}

/// Names of elements that matter to a type, and of some that matter to all.
fn names_in(resource_type: &str) -> Vec<String> {
    const COMMON: [&str; 20] = [
        "attachment",
        "code",
        "coding",
        "contained",
        "display",
        "extension",
        "lastUpdated",
        "meta",
        "photo",
        "reference",
        "reference",
        "reference",
        "subject",
        "system",
        "text",
        "type",
        "unknown",
        "url",
        "value",
        "versionId",
    ];
    let mut names: Vec<_> = COMMON.iter().map(|&name| name.to_owned()).collect();
    let mut open = vec![resource_type.to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = open.pop() {
        if seen.contains(&path) {
            continue;
        }
        for element in REQUIRED.below(&path) {
            names.extend(element.member_names().into_iter().take(6));
            open.push(element.members.clone());
        }
        seen.push(path);
    }
    names
}

/// Strings that matter in one place or another.
const STRINGS: [&str; 24] = [
    "",
    "MR",
    "urn:mrn",
    "p1",
    "12345",
    "a_b",
    "final",
    "http://terminology.hl7.org/CodeSystem/v2-0203",
    "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
    "Patient/p1",
    "Patient/12345",
    "Patient/a_b",
    "Patient/p1/_history/2",
    "Binary/b1",
    "https://ehr.example/r4/Patient/12345",
    "https://alias.example/Binary/b_1/_history/1",
    "https://other.example/Patient/p1",
    "#c",
    "urn:oid:1.2",
    "urn:uuid:00000000-0000-4000-8000-000000000001",
    "urn:uuid:00000000-0000-4000-8000-000000000002",
    "Patient?identifier=urn:mrn|12345",
    "Patient?name=x",
    "Nobody/1",
];

fn values(names: Vec<String>) -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        6 => select(&STRINGS[..]).prop_map(Tree::string),
        1 => any::<String>().prop_map(Tree::String),
        1 => "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?".prop_map(Tree::Number),
        1 => any::<bool>().prop_map(Tree::Bool),
        1 => Just(Tree::Null),
        1 => Just(Tree::Object(Vec::new())),
        1 => Just(Tree::Array(Vec::new())),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Tree::Array),
            3 => vec((select(names.clone()), inner), 0..5).prop_map(object),
        ]
    })
}

fn ids() -> impl Strategy<Value = Option<Tree>> {
    prop_oneof![
        6 => select(&["p1", "12345", "a_b", "", "é"][..]).prop_map(|id| Some(Tree::string(id))),
        1 => Just(None),
        1 => Just(Some(Tree::Number("12345".to_owned()))),
        1 => select(vec![Tree::Null, Tree::Array(Vec::new()), Tree::Bool(true)]).prop_map(Some),
    ]
}

fn identifiers() -> impl Strategy<Value = Tree> {
    const IDENTIFIERS: [&str; 5] = [
        r#"{"value":"12345","type":{"coding":[{"code":"MR"}]}}"#,
        r#"[{"value":"12345","system":"urn:mrn"}]"#,
        r#"[{"value":"p1"},{"value":"12345","type":{"coding":{"code":"MR","system":"http://hl7.org/fhir/v2/0203"}}}]"#,
        r#"[{"value":"p1","type":{"coding":[{"code":"MR","system":"urn:other"}]}}]"#,
        "[]",
    ];
    select(&IDENTIFIERS[..]).prop_map(Tree::parse)
}

/// An object of the members whose names are new.
fn object(members: Vec<(String, Tree)>) -> Tree {
    let mut own: Vec<(String, Tree)> = Vec::new();
    for member in members {
        if own.iter().all(|(name, _)| *name != member.0) {
            own.push(member);
        }
    }
    Tree::Object(own)
}
