//! What a record becomes, in buffers that are used again.

use fhir_json::{Edits, Emitter, Sink, Value};
use sha2::{Digest, Sha256};

use crate::head::Names;
use crate::remediate::Remediation;

/// `Identifier.system` (may be empty) and `Identifier.value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identifier {
    /// Empty where the identifier has none.
    pub system: String,
    /// Never empty.
    pub value: String,
}

/// What a record became; borrowed from by [`Normalized`](crate::Normalized).
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) body: String,
    pub(crate) canonical: Vec<u8>,
    pub(crate) id: String,
    pub(crate) source_id: String,
    pub(crate) remediations: Vec<Remediation>,
    pub(crate) identifiers: Reused<Identifier>,
    pub(crate) patients: Reused<String>,
}

impl Output {
    /// Writes body and canonical form; gives the content hash.
    pub(crate) fn write(
        &mut self,
        root: Value<'_>,
        edits: &Edits,
        emitter: &mut Emitter,
    ) -> [u8; 32] {
        self.body.clear();
        emitter.compact(root, edits, &mut Body(&mut self.body));
        self.canonical.clear();
        emitter.canonical(root, edits, &mut self.canonical);
        Sha256::digest(&self.canonical).into()
    }

    pub(crate) fn collect_identifiers(&mut self, names: &Names<'_>) {
        self.identifiers.clear();
        let Some(identifier) = names.identifier else {
            return;
        };
        for identifier in identifier.elements_or_self() {
            let member = |name| identifier.get(name).and_then(|value| value.as_str());
            let Some(value) = member("value").filter(|value| !value.is_empty()) else {
                continue;
            };
            let own = self.identifiers.add();
            own.value.clear();
            own.value.push_str(&value);
            own.system.clear();
            own.system.push_str(&member("system").unwrap_or_default());
        }
    }

    pub(crate) fn add_patient(&mut self, source_id: &str) {
        if !self.patients.items().iter().any(|known| known == source_id) {
            let own = self.patients.add();
            own.clear();
            own.push_str(source_id);
        }
    }
}

/// Takes the body.
// Validation of text that is valid is much quicker than what replaces the
// faults of others, which is what a `String` does as a sink.
struct Body<'a>(&'a mut String);

impl Sink for Body<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.push_str(text(bytes));
    }

    #[inline]
    fn write_str(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

/// A list that keeps the buffers of its items when it is cleared.
#[derive(Debug, Default)]
pub(crate) struct Reused<T> {
    all: Vec<T>,
    used: usize,
}

impl<T: Default> Reused<T> {
    pub(crate) const fn clear(&mut self) {
        self.used = 0;
    }

    /// One more item, with what an item before it held.
    fn add(&mut self) -> &mut T {
        let at = self.used;
        self.used += 1;
        if at == self.all.len() {
            self.all.push(T::default());
        }
        &mut self.all[at]
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.all[..self.used]
    }
}

/// Output is made of validated text and ASCII.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
