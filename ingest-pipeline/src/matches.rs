//! Which resources conditional references mean.

use std::collections::{BTreeSet, HashMap};

use fhir_normalize::{Conditional, Normalizer};

/// Identifiers that conditional references ask for, each with the ids of the
/// resources that have it: two at most, which tell that there is no one match.
#[derive(Debug, Default)]
pub(crate) struct Matches(HashMap<Key, BTreeSet<String>>);

/// Type, system and value.
type Key = (&'static str, String, String);

impl Matches {
    /// Notes what the references of a normalized resource ask for.
    pub(crate) fn want(&mut self, body: &str, normalizer: &mut Normalizer) {
        let note = |conditional: &Conditional<'_>| {
            self.0.entry(key(conditional)).or_default();
            None
        };
        // An error can't be: the body came out of a normalizer.
        let _ = normalizer.rewrite(body.as_bytes(), note);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Offers a resource with one of its identifiers as a match.
    pub(crate) fn offer(
        &mut self,
        resource_type: &'static str,
        system: &str,
        value: &str,
        id: &str,
    ) {
        let key = (resource_type, system.to_owned(), value.to_owned());
        if let Some(ids) = self.0.get_mut(&key).filter(|ids| ids.len() < 2) {
            ids.insert(id.to_owned());
        }
    }

    /// Offers the resources that `find` knows for each identifier.
    pub(crate) fn offer_all<E>(
        &mut self,
        mut find: impl FnMut(&str, &str, &str) -> Result<Vec<String>, E>,
    ) -> Result<(), E> {
        for ((resource_type, system, value), ids) in &mut self.0 {
            ids.extend(find(resource_type, system, value)?);
        }
        Ok(())
    }

    /// The id of the one resource meant.
    pub(crate) fn one(&self, conditional: &Conditional<'_>) -> Option<String> {
        let ids = self.0.get(&key(conditional))?;
        if ids.len() == 1 {
            ids.first().cloned()
        } else {
            None
        }
    }
}

fn key(conditional: &Conditional<'_>) -> Key {
    let Conditional {
        resource_type,
        system,
        value,
    } = conditional;
    (*resource_type, system.to_string(), value.to_string())
}
