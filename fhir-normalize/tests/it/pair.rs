//! A normalizer beside the oracle it has to agree with.

use std::collections::BTreeMap;

use fhir_normalize::{IdKey, IdMode, Normalizer, Settings};

use crate::oracle::{Expected, Oracle, hex, sha256};
use crate::support::{BASE, Visited, hash, preserve, records};
use crate::tree::Tree;

const KEY: &[u8] = b"a key for tests";

/// The deepest nesting that is stored.
const MAX_DEPTH: usize = 128;

/// What JSON itself is refused for.
const JSON_REASONS: [&str; 5] = [
    "invalid-json",
    "invalid-utf8",
    "duplicate-key",
    "too-deep",
    "too-long",
];

/// A normalizer and the oracle it has to agree with.
pub(crate) struct Pair {
    pub(crate) normalizer: Normalizer,
    pub(crate) oracle: Oracle,
}

impl Pair {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            oracle: Oracle::new(settings.clone(), settings.id_key.is_some().then_some(KEY)),
            normalizer: Normalizer::new(settings),
        }
    }

    /// One a combination of settings.
    pub(crate) fn all() -> [Self; 3] {
        let keyed = Settings {
            id_key: Some(IdKey::new(KEY)),
            mrn_system: Some("urn:mrn".to_owned()),
            bases: vec![format!("{BASE}/"), "https://alias.example".to_owned()],
            ..hash()
        };
        let mut with_bases = keyed.clone();
        with_bases.id_mode = IdMode::Preserve;
        with_bases.id_key = None;
        [
            Self::new(preserve()),
            Self::new(keyed),
            Self::new(with_bases),
        ]
    }

    /// Normalizes a text both ways and compares; the reason where it is
    /// refused.
    pub(crate) fn assert_agree(&mut self, text: &[u8]) -> Option<&'static str> {
        let tree = Tree::try_parse(text).filter(|tree| tree.depth() <= MAX_DEPTH);
        let expected = match &tree {
            Some(tree) => self.oracle.normalize(tree),
            None => Err("JSON"),
        };
        let shown = || String::from_utf8_lossy(text);
        let normalized = match (self.normalizer.normalize(text), expected) {
            (Ok(normalized), Ok(expected)) => {
                assert_eq!(normalized.resource_type, expected.resource_type);
                assert_eq!(normalized.source_id, expected.source_id, "{}", shown());
                assert_eq!(normalized.mrn_patient, expected.mrn_patient, "{}", shown());
                assert_eq!(normalized.conditional, expected.conditional, "{}", shown());
                let mut mended: Vec<_> = normalized
                    .remediations
                    .iter()
                    .map(|mended| (mended.path.clone(), mended.rule))
                    .collect();
                let mut wanted = expected.mended.clone();
                mended.sort();
                wanted.sort();
                assert_eq!(mended, wanted, "{}", shown());
                assert_eq!(
                    str::from_utf8(normalized.canonical),
                    Ok(&*expected.canonical)
                );
                assert_eq!(hex(&normalized.content_hash), sha256(&expected.canonical));
                assert_stored(normalized.id, normalized.body, &expected);
                (normalized.body.to_owned(), normalized.content_hash)
            }
            (Err(rejected), Err(reason)) => {
                let code = rejected.reason.code();
                let same = code == reason || reason == "JSON" && JSON_REASONS.contains(&code);
                assert!(same, "{rejected}, but it should be {reason}: {}", shown());
                return Some(code);
            }
            (Ok(_), Err(reason)) => panic!("should be refused, {reason}: {}", shown()),
            (Err(rejected), Ok(_)) => panic!("{rejected}: {}", shown()),
        };
        let source = tree.expect("it was stored");
        assert_order(&source, &Tree::parse(&normalized.0));
        if self.oracle.settings.id_mode == IdMode::Preserve {
            self.assert_settled(&normalized.0, normalized.1);
        }
        None
    }

    /// What was normalized once stays as it is.
    fn assert_settled(&mut self, body: &str, content_hash: [u8; 32]) {
        let again = self.normalizer.normalize(body.as_bytes()).expect(body);
        assert_eq!(again.body, body);
        assert_eq!(again.content_hash, content_hash);
        assert_eq!(again.remediations, [], "{body}");
    }

    /// The records of a text against the oracle; how many were stored, and the
    /// reasons of the refusals.
    pub(crate) fn assert_records_agree(&mut self, text: &str) -> (usize, Vec<&'static str>) {
        let Some(tree) = Tree::try_parse(text.as_bytes()) else {
            return (0, Vec::new());
        };
        self.learn_links(&tree);
        let (mut stored, mut refused) = (0, Vec::new());
        for (span, visited) in records(&mut self.normalizer, text) {
            let mut part = Tree::parse(&text[span]);
            if let Some(uuid) = uuid_of_entry(&tree, &part) {
                add_id(&mut part, uuid);
            }
            match visited {
                Visited::Stored { name, body } => {
                    stored += 1;
                    let expected = self.oracle.normalize(&part).expect(&body);
                    let id = name.split_once('/').expect("a name").1;
                    assert_stored(id, &body, &expected);
                }
                Visited::Refused(rejected) => refused.push(rejected.reason.code()),
                Visited::Deleted { .. } => {}
            }
        }
        self.oracle.links.clear();
        (stored, refused)
    }

    fn learn_links(&mut self, bundle: &Tree) {
        const TAKEN_APART: [&str; 5] =
            ["transaction", "batch", "collection", "searchset", "history"];
        let mut links = BTreeMap::new();
        if bundle
            .str("type")
            .is_none_or(|kind| !TAKEN_APART.contains(&kind))
        {
            return;
        }
        let mut entries: Vec<_> = entries(bundle).iter().collect();
        if bundle.str("type") == Some("history") {
            entries.reverse();
        }
        for entry in entries {
            let Some(resource) = entry.get("resource") else {
                continue;
            };
            let url = entry.str("fullUrl").unwrap_or_default();
            let mut resource = resource.clone();
            if let Some(uuid) = url.strip_prefix("urn:uuid:") {
                add_id(&mut resource, uuid);
            }
            // Also of an entry that is refused: it may be mended and come again.
            let Ok(identity) = self.oracle.identify(&resource) else {
                continue;
            };
            if url.starts_with("urn:uuid:") {
                let target = format!("{}/{}", identity.resource_type, identity.id);
                links.entry(url.to_owned()).or_insert(target);
            }
        }
        self.oracle.links = links;
    }
}

/// The entries of a Bundle.
pub(crate) fn entries(bundle: &Tree) -> &[Tree] {
    bundle
        .get("entry")
        .map(Tree::elements_or_self)
        .unwrap_or_default()
}

/// The stored text has the tree expected, with the digits of its numbers.
fn assert_stored(id: &str, body: &str, expected: &Expected) {
    assert_eq!(id, expected.id);
    let stored = Tree::parse(body);
    assert_eq!(stored.sorted(), expected.tree.sorted(), "{body}");
}

/// Members that the source has stay in its order.
fn assert_order(source: &Tree, stored: &Tree) {
    match (source, stored) {
        (Tree::Object(old), Tree::Object(new)) => {
            let mut places = old.iter().filter_map(|(name, value)| {
                let place = new.iter().position(|(own, _)| own == name)?;
                // Filled in place of nothing: removed here, added at the end.
                (!value.is_nothing()).then(|| {
                    assert_order(value, &new[place].1);
                    place
                })
            });
            assert!(places.by_ref().is_sorted(), "{}", stored.text());
        }
        (Tree::Array(old), Tree::Array(new)) => {
            for (old, new) in old.iter().zip(new) {
                assert_order(old, new);
            }
        }
        _ => {}
    }
}

fn uuid_of_entry<'a>(bundle: &'a Tree, resource: &Tree) -> Option<&'a str> {
    let entry = entries(bundle)
        .iter()
        .find(|entry| entry.get("resource") == Some(resource))?;
    entry.str("fullUrl")?.strip_prefix("urn:uuid:")
}

/// Gives an id to a resource that has none, or an empty one.
fn add_id(resource: &mut Tree, id: &str) {
    let missing = resource.get("id").is_none_or(|id| id.as_str() == Some(""));
    if missing && let Tree::Object(members) = resource {
        members.retain(|(name, _)| name != "id");
        members.push(("id".to_owned(), Tree::string(id)));
    }
}
