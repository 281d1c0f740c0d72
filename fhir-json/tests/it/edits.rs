//! Edits of a text against the same edits of a tree.

use std::collections::BTreeMap;

use fhir_json::{Edits, Emitter, Tape, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::strategies::{choices, numbers, texts, trees};
use crate::tree::{Choices, Tree};

#[derive(Clone, Debug)]
enum Change {
    Replace(Tree),
    Remove,
    Omit,
    Insert(String, Tree),
}

fn changes() -> impl Strategy<Value = (Index, Change)> {
    let json = || trees().prop_map(|tree| tree.sorted());
    let change = prop_oneof![
        json().prop_map(Change::Replace),
        Just(Change::Remove),
        Just(Change::Omit),
        (texts(), json()).prop_map(|(name, tree)| Change::Insert(name, tree)),
    ];
    (any::<Index>(), change)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn edits_of_text_are_edits_of_the_tree(
        tree in trees(),
        choices in choices(),
        changes in vec(changes(), 0..10),
    ) {
        let plan = Plan::new(&tree, changes);
        let mut choices = choices;
        let source = tree.in_source_form(&mut choices);
        let text = source.print(&mut choices);

        let (mut tape, mut emitter, mut edits) = (Tape::new(), Emitter::new(), Edits::new());
        assert_edited(&plan, &tree, &text, &source, &mut tape, &mut emitter, &mut edits);
    }

    #[test]
    fn edits_of_texts_of_a_known_shape(
        tree in trees(),
        writing in choices(),
        changes in vec(changes(), 0..10),
        other in (vec(texts(), 1..8), vec(numbers(), 1..8), vec(changes(), 0..4)),
    ) {
        let (strings, digits, others) = other;
        let (mut tape, mut emitter, mut edits) = (Tape::new(), Emitter::new(), Edits::new());
        // The first two are read for the shape, and the third is written for the
        // plan that the next ones are written by.
        let other = tree.with_scalars(&strings, &digits);
        for (tree, changes) in [
            (&tree, &changes),
            (&tree, &changes),
            (&other, &changes),
            (&tree, &changes),
            (&other, &others),
            (&other, &changes),
        ] {
            let plan = Plan::new(tree, changes.clone());
            let source = tree.in_source_form(&mut Choices::plain());
            let text = source.print(&mut writing.clone());
            assert_edited(&plan, tree, &text, &source, &mut tape, &mut emitter, &mut edits);
        }
        let source = tree.in_source_form(&mut Choices::plain());
        let text = source.print(&mut writing.clone());
        prop_assert!(tape.parse(text.as_bytes()).unwrap().shape().is_some());
    }
}

/// Edits `text`, which is that of `tree`, and compares.
fn assert_edited(
    plan: &Plan,
    tree: &Tree,
    text: &str,
    source: &Tree,
    tape: &mut Tape,
    emitter: &mut Emitter,
    edits: &mut Edits,
) {
    let document = tape.parse(text.as_bytes()).unwrap();
    let values: Vec<_> = document.root().descendants().collect();
    // A set that was used before is as good as a new one.
    edits.clear();
    plan.make(&values, edits);

    let mut applied = Vec::new();
    edits.apply(document, &mut applied);
    let expected = plan.in_source_form().of(source, 0, false);
    let expected = expected.print(&mut Choices::plain());
    assert_eq!(std::str::from_utf8(&applied).unwrap(), expected);
    assert_eq!(edits.is_empty(), plan.keeps_text());

    let mut canonical = Vec::new();
    emitter.canonical(document.root(), edits, &mut canonical);
    let expected = plan.of(tree, 0, true).canonical();
    assert_eq!(std::str::from_utf8(&canonical).unwrap(), expected);

    let mut applied_tape = Tape::new();
    let applied = applied_tape.parse(&applied).unwrap();
    let mut canonical = Vec::new();
    emitter.canonical(applied.root(), &Edits::new(), &mut canonical);
    let expected = plan.of(tree, 0, false).canonical();
    assert_eq!(std::str::from_utf8(&canonical).unwrap(), expected);

    // One value by itself, with the changes that are inside it.
    let inner = values.len() / 2;
    if !plan.is_left_out(inner, true) {
        let (mut compact, mut canonical) = (Vec::new(), Vec::new());
        emitter.compact(values[inner], edits, &mut compact);
        emitter.canonical(values[inner], edits, &mut canonical);
        let expected = plan
            .in_source_form()
            .of(source.preorder()[inner], inner, false);
        assert_eq!(compact, expected.print(&mut Choices::plain()).into_bytes());
        let expected = plan.of(tree.preorder()[inner], inner, true).canonical();
        assert_eq!(canonical, expected.into_bytes());
    }
}

#[test]
fn nothing_changed_is_the_text_without_white_space() {
    let text = b" { \"b\" : [ 1.00 , \"\\u0041 \" ] , \"a\" : { } } ";
    let mut tape = Tape::new();
    let mut out = Vec::new();
    Edits::new().apply(tape.parse(text).unwrap(), &mut out);
    assert_eq!(out, br#"{"b":[1.00,"\u0041 "],"a":{}}"#);
}

#[test]
fn added_names_sort_by_their_text() {
    let text = br##"{"\\":1,"#":2,"z":3,"":4}"##;
    let mut tape = Tape::new();
    let document = tape.parse(text).unwrap();
    let mut edits = Edits::new();
    edits.insert(document.root(), "\"", b"5");
    edits.insert_str(document.root(), "\n", "6");
    edits.insert(document.root(), "a\\", b"7");
    edits.insert(document.root(), "a", b"8");
    let mut out = Vec::new();
    Emitter::new().canonical(document.root(), &edits, &mut out);
    assert_eq!(
        std::str::from_utf8(&out).unwrap(),
        r##"{"":4,"\n":"6","\"":5,"#":2,"\\":1,"a":8,"a\\":7,"z":3}"##
    );
}

/// Changes to the values of a tree, by their place in text order.
#[derive(Clone, Debug, Default)]
struct Plan {
    changes: Vec<(usize, Change)>,
    inserted: BTreeMap<usize, Vec<(String, Tree)>>,
    replaced: BTreeMap<usize, Tree>,
    removed: Vec<usize>,
    omitted: Vec<usize>,
}

impl Plan {
    /// The changes that make sense: the root can't be left out, a value is
    /// replaced or removed once, an added name is new.
    fn new(tree: &Tree, changes: Vec<(Index, Change)>) -> Self {
        let values = tree.preorder();
        let mut plan = Self::default();
        for (index, change) in changes {
            let at = index.index(values.len());
            let settled = plan.replaced.contains_key(&at) || plan.is_left_out(at, true);
            match &change {
                Change::Replace(_) | Change::Remove | Change::Omit if settled => continue,
                Change::Remove | Change::Omit if at == 0 => continue,
                Change::Insert(name, _) if plan.has_member(values[at], at, name) => continue,
                Change::Replace(json) => drop(plan.replaced.insert(at, json.clone())),
                Change::Remove => plan.removed.push(at),
                Change::Omit => plan.omitted.push(at),
                Change::Insert(name, json) => {
                    let inserted = plan.inserted.entry(at).or_default();
                    inserted.push((name.clone(), json.clone()));
                }
            }
            plan.changes.push((at, change));
        }
        plan
    }

    fn has_member(&self, value: &Tree, at: usize, name: &str) -> bool {
        let Tree::Object(members) = value else {
            return true;
        };
        let mut child = at + 1;
        let own = members.iter().any(|(own, value)| {
            let index = child;
            child += value.size();
            own == name && !self.is_left_out(index, false)
        });
        let mut inserted = self.inserted.get(&at).into_iter().flatten();
        own || inserted.any(|(other, _)| other == name)
    }

    fn is_left_out(&self, at: usize, canonical: bool) -> bool {
        self.removed.contains(&at) || canonical && self.omitted.contains(&at)
    }

    fn keeps_text(&self) -> bool {
        self.changes.len() == self.omitted.len()
    }

    fn make(&self, values: &[Value<'_>], edits: &mut Edits) {
        let json = |tree: &Tree| tree.canonical().into_bytes();
        for (at, change) in &self.changes {
            let value = values[*at];
            match change {
                Change::Replace(Tree::String(text)) => edits.replace_with_str(value, text),
                Change::Replace(tree) => edits.replace(value, &json(tree)),
                Change::Remove => edits.remove(value),
                Change::Omit => edits.omit(value),
                Change::Insert(name, Tree::String(text)) => edits.insert_str(value, name, text),
                Change::Insert(name, tree) => edits.insert(value, name, &json(tree)),
            }
        }
    }

    fn in_source_form(&self) -> Self {
        let mut plan = self.clone();
        let plain = &mut Choices::plain();
        for json in plan.replaced.values_mut() {
            *json = json.in_source_form(plain);
        }
        for members in plan.inserted.values_mut() {
            let object = Tree::Object(std::mem::take(members)).in_source_form(plain);
            if let Tree::Object(source) = object {
                *members = source;
            }
        }
        plan
    }

    /// The changed form of `tree`, which stands at `at`.
    fn of(&self, tree: &Tree, at: usize, canonical: bool) -> Tree {
        if let Some(json) = self.replaced.get(&at) {
            return json.clone();
        }
        let mut child = at + 1;
        let mut inner = |value: &Tree| {
            let index = child;
            child += value.size();
            (!self.is_left_out(index, canonical)).then(|| self.of(value, index, canonical))
        };
        match tree {
            Tree::Array(elements) => Tree::Array(elements.iter().filter_map(inner).collect()),
            Tree::Object(members) => {
                let kept = members
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), inner(value)?)));
                let inserted = self.inserted.get(&at).into_iter().flatten();
                Tree::Object(kept.chain(inserted.cloned()).collect::<Vec<_>>())
            }
            leaf => leaf.clone(),
        }
    }
}
