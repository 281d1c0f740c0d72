//! What to do about a write that the server did not carry out.

use super::load::load;
use super::order::Reference;
use super::wire::Failure;
use super::write::Write;
use super::{ServerStore, body, outbox};
use crate::Result;

pub(super) enum Verdict {
    /// Send it again, as it is now.
    Again(Write),
    /// Try again at the end of the run.
    Hold,
    /// The same, and noted already.
    Held,
    /// The server doesn't want it.
    Refuse(Write),
}

/// Conflicts of one write in a row after which it is held.
const MOST_CONFLICTS: u8 = 5;

impl ServerStore {
    pub(super) fn judge(&mut self, mut write: Write, failure: &Failure) -> Result<Verdict> {
        if write.provenance_only {
            return Ok(Verdict::Hold);
        }
        let status = failure.refusal.status;
        if write.deleted {
            let gone = matches!(status, 404 | 410)
                || self.read(&write.resource_type, &write.id, None)?.is_none();
            if !gone {
                return Ok(Verdict::Hold);
            }
            write.provenance_only = true;
            return Ok(Verdict::Again(write));
        }
        write.conflicts += 1;
        if write.conflicts > MOST_CONFLICTS {
            return Ok(Verdict::Hold);
        }
        if write.replaces.is_some() {
            // Some servers say 400 for a version that doesn't match, so the version decides, not the status.
            if self.catch_up(&mut write)? {
                return Ok(Verdict::Again(write));
            }
        } else if matches!(status, 409 | 412) && write.conflicts == 1 {
            // Another writer was faster, or it is a rule about references.
            if !self.is_unresolved(&write, failure)? {
                return Ok(Verdict::Again(write));
            }
        }
        let was_sent_with_id = write.there.is_none() && write.replaces.is_none();
        if was_sent_with_id && is_about_ids(failure) {
            // Where the server takes it without, it is one that gives the ids.
            let mut alone = vec![write];
            self.locate(&mut alone)?;
            return Ok(alone.pop().map_or(Verdict::Held, Verdict::Again));
        }
        if self.is_unresolved(&write, failure)? {
            if !self.known.checks_references {
                self.known.checks_references = true;
                let known = &self.known;
                self.local
                    .change(|connection| outbox::note(connection, known))?;
            }
            return Ok(Verdict::Hold);
        }
        // Of an amended version the server has an earlier form, which can't be taken back.
        match write.amended {
            true => Ok(Verdict::Hold),
            false => Ok(Verdict::Refuse(write)),
        }
    }

    /// Compares what we know of a resource with what the server has. Whether there was something to learn.
    fn catch_up(&mut self, write: &mut Write) -> Result<bool> {
        let Some(found) = self.read(&write.resource_type, &write.id, None)? else {
            self.report.drifted += 1;
            write.replaces = None;
            return Ok(true);
        };
        if found.version == write.replaces || found.version.is_none() {
            return Ok(false);
        }
        let ours = write.body.as_deref().unwrap_or_default();
        if body::is_same(&found.body, ours) {
            // The answer to an earlier attempt was lost.
            write.provenance_only = true;
            write.adopted = found.version;
        } else {
            self.report.drifted += 1;
            write.replaces = found.version;
        }
        Ok(true)
    }

    /// Whether the failure is about a reference to what is not there yet: one that the server points at or names.
    fn is_unresolved(&mut self, write: &Write, failure: &Failure) -> Result<bool> {
        // An element that the type doesn't have may hold a reference as well.
        if is_about_form(&failure.refusal.code) {
            return Ok(false);
        }
        let blamed = element_of(&failure.refusal.expression);
        for own in write.references() {
            let is_blamed =
                blamed == Some(&own.element) || failure.names(&own.resource_type, &own.id);
            if is_blamed && !self.resolves(&own)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the server has what a reference is to, from us or from others.
    pub(super) fn resolves(&mut self, own: &Reference) -> Result<bool> {
        let (name, id) = (&own.resource_type, &own.id);
        let told = self
            .local
            .look(|connection| outbox::is_there(connection, name, id))?;
        Ok(told || self.is_on_server(name, id)?)
    }

    /// Versions that are held, as far as what they refer to is there or goes with them.
    pub(super) fn releasable(&mut self) -> Result<Vec<i64>> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let held = self
                .local
                .look(|connection| outbox::list(connection, true, after, 1_000))?;
            let Some(&last) = held.last() else { break };
            after = last;
            for seq in held {
                let write = self.local.look(|connection| load(connection, seq))?;
                if let Some(write) = write
                    && self.may_resolve(&write)?
                {
                    all.push(seq);
                }
            }
        }
        Ok(all)
    }

    fn may_resolve(&mut self, write: &Write) -> Result<bool> {
        for own in write.references() {
            let waits = self
                .local
                .look(|connection| outbox::is_waiting(connection, &own.resource_type, &own.id))?;
            if !waits && !self.resolves(&own)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the server has a resource that it wasn't told by us. It is asked once in a run.
    fn is_on_server(&mut self, resource_type: &str, id: &str) -> Result<bool> {
        // Where it gives the ids, it knows nothing under ours.
        if self.known.assigns_ids {
            return Ok(false);
        }
        let path = format!("{resource_type}/{id}");
        if let Some(&known) = self.elsewhere.get(&path) {
            return Ok(known);
        }
        let found = self.remote.read(&path)?.is_some();
        if self.elsewhere.len() >= MOST_REMEMBERED {
            self.elsewhere.clear();
        }
        self.elsewhere.insert(path, found);
        Ok(found)
    }
}

const MOST_REMEMBERED: usize = 100_000;

/// Whether a server refuses an update that would create, since it gives ids itself ([FHIR](https://hl7.org/fhir/R4/http.html#upsert)).
fn is_about_ids(failure: &Failure) -> bool {
    failure.refusal.status == 405
}

/// Whether an issue of this type is about the resource alone, wherever it refers to.
fn is_about_form(code: &str) -> bool {
    matches!(
        code,
        "structure" | "required" | "code-invalid" | "too-long" | "not-supported" | "extension"
    )
}

/// `subject` of `Observation.subject`, `Observation.subject.reference` and `Observation.subject[0]`; none of a path without an element.
fn element_of(expression: &str) -> Option<&str> {
    let expression = expression.strip_suffix(".reference").unwrap_or(expression);
    let (_, last) = expression.rsplit_once('.')?;
    last.split('[').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_element_is_to_blame() {
        for (expression, element) in [
            ("Observation.subject", Some("subject")),
            ("Observation.subject.reference", Some("subject")),
            ("Provenance.target[0]", Some("target")),
            ("Observation", None),
            ("", None),
        ] {
            assert_eq!(element_of(expression), element, "{expression}");
        }
    }
}
