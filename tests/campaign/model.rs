//! What a store has to hold, from what its sources held. Knows nothing of how
//! it is done.

use std::collections::{BTreeMap, BTreeSet};

use fhir_json::Tape;
use sha2::{Digest as _, Sha256};

use crate::finding::Finding;

/// What a resource was at a source at some time; `None` once it is deleted.
pub(crate) type Body = Option<String>;

#[derive(Clone, Debug)]
struct State {
    body: Body,
    /// A run that saw it was completed.
    must: bool,
}

/// What became of the resources of a source, one state after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) source_system: String,
    history: BTreeMap<String, Vec<State>>,
    /// Keys whose last state has to be the current version.
    current: BTreeSet<String>,
    /// Keys that have to be there in any state.
    present: BTreeSet<String>,
    /// Where a full export does not tell that something was deleted.
    undeleted: BTreeSet<String>,
    /// Bytes of the store were changed: what a content hash leaves out can be
    /// another without anybody being able to tell.
    pub(crate) damaged: bool,
    pub(crate) refused: Vec<Refused>,
}

/// A line that is no resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) offset: u64,
    pub(crate) reason: &'static str,
    pub(crate) body: Vec<u8>,
    /// A run that read it was completed.
    pub(crate) must: bool,
}

impl Model {
    pub(crate) fn new(source_system: &str) -> Self {
        Self {
            source_system: source_system.to_owned(),
            ..Self::default()
        }
    }

    /// Another input: its states in order, which may be seen by a run from now on.
    pub(crate) fn input(&mut self, states: impl IntoIterator<Item = (String, Body)>) {
        for (key, body) in states {
            let history = self.history.entry(key.clone()).or_default();
            if history.last().is_none_or(|last| last.body != body) {
                if body.is_some() {
                    self.undeleted.remove(&key);
                }
                history.push(State { body, must: false });
            }
        }
    }

    /// Lines that are no resources, of an input that may be seen from now on.
    pub(crate) fn refuse(&mut self, lines: Vec<Refused>) {
        for line in lines {
            let is_known = |own: &Refused| {
                (&own.file, own.line, &own.body) == (&line.file, line.line, &line.body)
            };
            if !self.refused.iter().any(is_known) {
                self.refused.push(line);
            }
        }
    }

    /// The keys that something is known of, and are not deleted.
    pub(crate) fn alive(&self) -> BTreeSet<String> {
        let alive = self.history.iter().filter(|(_, states)| {
            let last = states.last();
            last.is_some_and(|state| state.body.is_some())
        });
        alive.map(|(key, _)| key.clone()).collect()
    }

    /// A run saw all of these keys in the input that was entered since
    /// `before`, and was completed.
    pub(crate) fn settle(&mut self, before: &Self, seen: &BTreeSet<String>) {
        for (key, states) in &mut self.history {
            if !seen.contains(key) {
                self.current.remove(key);
                continue;
            }
            let known = before.history.get(key).map_or(&[][..], Vec::as_slice);
            let is_told = !self.undeleted.contains(key);
            for place in known.len()..states.len() {
                let body = states[place].body.clone();
                // What was seen before only counts as the last word.
                let is_new = states[..place].iter().all(|earlier| earlier.body != body);
                let seen = states[..place].iter().any(|state| state.must);
                // Nobody is told of what is gone before it was seen.
                states[place].must |= is_new && (body.is_some() || seen && is_told);
            }
            let seen = states.iter().any(|state| state.must);
            if let Some(last) = states.last_mut() {
                last.must |= last.body.is_some() || seen && is_told;
            }
            self.current.insert(key.clone());
        }
    }

    /// Lines that were refused so far have been seen by a run that was completed.
    pub(crate) fn settle_refused(&mut self) {
        for refused in &mut self.refused {
            refused.must = true;
        }
    }

    /// Only these have to be as they are now, and those have to be there.
    pub(crate) fn settle_only(&mut self, current: BTreeSet<String>, present: BTreeSet<String>) {
        for key in &current {
            if let Some(last) = self.history.get_mut(key).and_then(|own| own.last_mut()) {
                last.must = true;
            }
        }
        self.current = current;
        self.present = present;
    }

    /// Nothing is known any more but what is there now: the store is a new one.
    pub(crate) fn begin_anew(&mut self) {
        self.history.retain(|_, states| {
            states.drain(..states.len().saturating_sub(1));
            states.iter_mut().for_each(|state| state.must = false);
            states.iter().any(|state| state.body.is_some())
        });
        self.current.clear();
        self.present.clear();
        self.refused.clear();
    }

    /// Everything was exported anew, which does not tell of deletions.
    pub(crate) fn forgive_deletions(&mut self) {
        for (key, states) in &mut self.history {
            let last = states.last_mut();
            if let Some(last) = last.filter(|last| last.body.is_none() && !last.must) {
                last.must = false;
                self.undeleted.insert(key.clone());
            }
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.history.keys()
    }

    /// What a resource was, one after the other.
    pub(crate) fn states(&self, key: &str) -> Vec<Body> {
        let states = self.history.get(key).map_or(&[][..], Vec::as_slice);
        states.iter().map(|state| state.body.clone()).collect()
    }

    /// Whether the last state of a resource has to be what is there.
    pub(crate) fn is_current(&self, key: &str) -> bool {
        self.current.contains(key) && !self.undeleted.contains(key)
    }

    /// How many versions there may be of it: at least and at most.
    pub(crate) fn versions(&self, key: &str) -> (usize, usize) {
        let states = self.history.get(key).map_or(&[][..], Vec::as_slice);
        let mut needed: Vec<_> = states.iter().filter(|own| own.must).collect();
        needed.dedup_by(|one, other| same(&one.body, &other.body));
        (needed.len(), states.len())
    }

    /// Compares the versions that are there with the states there were.
    /// `settled`: all of it has to have arrived.
    pub(crate) fn judge(&self, key: &str, versions: &[Body], settled: bool) -> Option<Finding> {
        let Some(states) = self.history.get(key) else {
            let text = format!("{key} has {} versions and was never sent", versions.len());
            return Some(Finding::duplicated(text));
        };
        let last = states.last().map(|state| &state.body);
        let is_current = settled && self.is_current(key);
        if versions.is_empty() {
            let missing = states.iter().any(|state| state.must)
                || settled && self.present.contains(key)
                || is_current && last.is_some_and(Option::is_some);
            return missing.then(|| Finding::lost(format!("{key} is missing")));
        }
        let same = |own: &Body, sent: &Body| same(own, sent) || self.damaged && alike(own, sent);
        if !fits(states, versions, &same) {
            return Some(explain(key, states, versions));
        }
        let there = versions.last();
        if is_current && !there.zip(last).is_some_and(|(own, last)| same(own, last)) {
            return Some(Finding::lost(format!("{key} is not what it is now")));
        }
        None
    }
}

/// Whether the versions are some of the states in their order, with all of
/// those that must be.
fn fits(states: &[State], versions: &[Body], same: &dyn Fn(&Body, &Body) -> bool) -> bool {
    // At each state: the numbers of versions that may have been matched before it.
    let mut reached = BTreeSet::from([0_usize]);
    for state in states {
        let mut next = BTreeSet::new();
        for &matched in &reached {
            let current = matched.checked_sub(1).map(|place| &versions[place]);
            if !state.must || current.is_some_and(|own| same(own, &state.body)) {
                next.insert(matched);
            }
            if versions
                .get(matched)
                .is_some_and(|own| same(own, &state.body))
            {
                next.insert(matched + 1);
            }
        }
        reached = next;
    }
    reached.contains(&versions.len())
}

fn explain(key: &str, states: &[State], versions: &[Body]) -> Finding {
    let known = |body: &Body| states.iter().any(|state| same(body, &state.body));
    let marks: String = states
        .iter()
        .map(|state| if state.must { '!' } else { '?' })
        .collect();
    let places: Vec<_> = versions
        .iter()
        .map(|body| {
            let place = states.iter().position(|state| same(body, &state.body));
            place.map_or("unknown".to_owned(), |place| place.to_string())
        })
        .collect();
    let text = format!(
        "{key}: states {marks}, versions are states {}",
        places.join(", ")
    );
    let unknown = versions.iter().find(|body| !known(body));
    if let Some(unknown) = unknown {
        let shown = unknown.as_deref().unwrap_or("deleted");
        let sent = states.last().and_then(|state| state.body.as_deref());
        return Finding::wrong(format!(
            "{text}; stored {shown}; sent {}",
            sent.unwrap_or("nothing")
        ));
    }
    let missing = states
        .iter()
        .any(|state| state.must && !versions.iter().any(|own| same(own, &state.body)));
    match missing {
        true => Finding::lost(text),
        false => Finding::duplicated(text),
    }
}

/// Whether two texts are the same resource, with every digit.
pub(crate) fn same(one: &Body, other: &Body) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one == other || {
                let one = canonical(one, false);
                one.is_some() && one == canonical(other, false)
            }
        }
        _ => false,
    }
}

/// Whether two texts have the same content hash.
fn alike(one: &Body, other: &Body) -> bool {
    let [one, other] = [one, other].map(|body| canonical(body.as_deref()?, true));
    one.is_some() && one == other
}

/// In canonical form; `None` for what is no JSON.
pub(crate) fn canonical(text: &str, content: bool) -> Option<String> {
    let mut tape = Tape::new();
    let document = tape.parse(text.as_bytes()).ok()?;
    Some(crate::canonical::canonical(document.root(), content))
}

/// In lower-case hexadecimal.
pub(crate) fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
