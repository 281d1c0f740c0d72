//! Requests to the server.

use ::http::{HeaderName, HeaderValue, Method, header};
use fhir_http::{Error, FhirClient, OperationOutcome};

use super::names;
use super::wire::{self, Answer, Bundle, Failure, Written, entity_tag};
use super::write::{Names, Step, Write};

/// Kinds of Bundles that a server carries out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bundles {
    Transactions = 0,
    Batches = 1,
    None = 2,
}

/// What became of some writes.
pub(super) enum Outcome {
    /// Each of them has its own.
    Each(Vec<Told>),
    /// Nothing was written, and this is why.
    Nothing(Failure),
    /// There were too many bytes.
    TooLarge,
    /// It took too long. The server may have written it.
    Slow,
    /// The server has no such Bundles.
    Unsupported,
    /// Nobody knows.
    Unknown(Error),
}

/// What became of one write.
pub(super) enum Told {
    /// The server has the resource and the Provenance.
    Done(Written, Written),
    /// It has the resource only.
    WithoutProvenance(Written, Failure),
    /// It has neither.
    Failed(Failure),
}

/// A resource as it was found.
pub(super) struct Found {
    pub(super) body: String,
    pub(super) version: Option<String>,
}

pub(super) struct Remote {
    pub(super) server: FhirClient,
}

impl Remote {
    /// Tells the server of some writes. The second value says whether it has too much to do.
    pub(super) fn tell(&self, how: Bundles, writes: &[Write]) -> (Outcome, bool) {
        let mut congested = false;
        let outcome = match how {
            Bundles::Transactions => self.transaction(writes, &mut congested),
            Bundles::Batches => self.batch(writes, &mut congested),
            Bundles::None => self.singly(writes, &mut congested),
        };
        (outcome.unwrap_or_else(|outcome| outcome), congested)
    }

    fn transaction(&self, writes: &[Write], congested: &mut bool) -> Result<Outcome, Outcome> {
        // Entries refer to those that are yet to get an id by names for this Bundle only.
        let new = writes.iter().filter(|write| write.is_new_there());
        let aliases = (0..).zip(new).map(|(number, write): (u64, _)| {
            let alias = format!("urn:uuid:00000000-0000-4000-8000-{number:012x}");
            (write.path(), alias)
        });
        let aliases: Names = aliases.collect();
        let mut bundle = Bundle::new(self.server.base(), "transaction");
        let mut types = Vec::new();
        let mut owners = Vec::new();
        for (index, write) in writes.iter().enumerate() {
            if !write.provenance_only {
                bundle.add(&write.resource_step(&aliases));
                types.push(write.resource_type.as_str());
                owners.push(index);
            }
            bundle.add(&write.provenance_step(&aliases));
            types.push("Provenance");
            owners.push(index);
        }
        let answers = self.bundle(bundle, &types, writes.len() > 1, congested);
        let mut answers = match answers {
            Ok(answers) => answers.into_iter(),
            Err(Outcome::Nothing(mut failure)) => {
                failure.entry = failure.entry.and_then(|entry| owners.get(entry).copied());
                return Err(Outcome::Nothing(failure));
            }
            Err(other) => return Err(other),
        };
        let mut next = || answers.next().unwrap_or_else(|| Ok(Written::default()));
        let mut all = Vec::with_capacity(writes.len());
        for write in writes {
            let resource = match write.provenance_only {
                true => Ok(Written::default()),
                false => self.with_id(write, next())?,
            };
            all.push(told(resource, Some(next())));
        }
        Ok(Outcome::Each(all))
    }

    /// Resources first: a Provenance must not be there without what it speaks of.
    fn batch(&self, writes: &[Write], congested: &mut bool) -> Result<Outcome, Outcome> {
        let none = Names::new();
        let mut bundle = Bundle::new(self.server.base(), "batch");
        let with_resource = || writes.iter().filter(|write| !write.provenance_only);
        with_resource().for_each(|write| bundle.add(&write.resource_step(&none)));
        let types: Vec<_> = with_resource()
            .map(|write| write.resource_type.as_str())
            .collect();
        let many = writes.len() > 1;
        let mut answers = self.bundle(bundle, &types, many, congested)?.into_iter();
        let mut resources = Vec::with_capacity(writes.len());
        for write in writes {
            let answer = match write.provenance_only {
                true => None,
                false => answers.next(),
            };
            let answer = answer.unwrap_or_else(|| Ok(Written::default()));
            resources.push(self.with_id(write, answer)?);
        }

        let mut bundle = Bundle::new(self.server.base(), "batch");
        for (write, resource) in writes.iter().zip(&resources) {
            if let Ok(written) = resource {
                bundle.add(&write.provenance_step(&named(write, written)));
            }
        }
        let types = vec!["Provenance"; bundle.entries()];
        let mut answers = self.bundle(bundle, &types, many, congested)?.into_iter();
        let told = resources.into_iter().map(|resource| {
            let provenance = resource.is_ok().then(|| answers.next()).flatten();
            told(resource, provenance)
        });
        Ok(Outcome::Each(told.collect()))
    }

    fn singly(&self, writes: &[Write], congested: &mut bool) -> Result<Outcome, Outcome> {
        let mut all = Vec::with_capacity(writes.len());
        for write in writes {
            let resource = match write.provenance_only {
                true => Ok(Written::default()),
                false => {
                    let step = write.resource_step(&Names::new());
                    self.with_id(write, self.step(&step, congested)?)?
                }
            };
            let provenance = match &resource {
                Ok(written) => {
                    let step = write.provenance_step(&named(write, written));
                    Some(self.step(&step, congested)?)
                }
                Err(_) => None,
            };
            all.push(told(resource, provenance));
        }
        Ok(Outcome::Each(all))
    }

    /// One request by itself.
    fn step(&self, step: &Step<'_>, congested: &mut bool) -> Result<Answer, Outcome> {
        let method = Method::from_bytes(step.method.as_bytes()).unwrap_or(Method::PUT);
        let body = step.body.as_deref().unwrap_or_default();
        let mut request = self.request(method, &step.url, body.into())?;
        let conditions = [
            (header::IF_MATCH, step.replaces.map(entity_tag)),
            (IF_NONE_EXIST, step.unless.clone()),
        ];
        for (name, value) in conditions {
            let Some(value) = value else { continue };
            let value = HeaderValue::try_from(value).map_err(|_| {
                Outcome::Unknown(Error::Request {
                    problem: "the server's name for a version is no entity tag",
                })
            })?;
            request.headers_mut().insert(name, value);
        }
        let response = self.exchange(request, false, congested)?;
        if response.status().is_success() {
            // With an answer that may be empty, a login page is all that can be told apart.
            if fhir_http::is_html(response.headers(), response.body()) {
                let error = self.unexpected("an HTML page, not FHIR JSON");
                return Err(Outcome::Unknown(error));
            }
            return Ok(Ok(Written::by(response.headers())));
        }
        match self.refusal(&response, step.resource_type())? {
            Outcome::Nothing(failure) => Ok(Err(failure)),
            Outcome::TooLarge => Ok(Err(Failure::new(413, "too-long"))),
            other => Err(other),
        }
    }

    /// Some servers don't say where it is what a conditional create has found.
    fn with_id(&self, write: &Write, answer: Answer) -> Result<Answer, Outcome> {
        match answer {
            Ok(written) if write.is_new_there() && written.id.is_none() => {
                let found = self.find(&write.resource_type, &write.path());
                let id = found.map_err(Outcome::Unknown)?;
                Ok(Ok(Written { id, ..written }))
            }
            other => Ok(other),
        }
    }

    /// The server's id of what has our tag.
    fn find(&self, resource_type: &str, path: &str) -> Result<Option<String>, Error> {
        let query = names::condition(path);
        let response = self.read_text(&format!("{resource_type}?{query}"))?;
        let unexpected = || self.unexpected("no answer to a search");
        let bundle: serde_json::Value =
            serde_json::from_str(&response.unwrap_or_default()).map_err(|_| unexpected())?;
        let entries = bundle["entry"].as_array().ok_or_else(unexpected)?;
        let [entry] = &entries[..] else {
            return Err(unexpected());
        };
        Ok(entry["resource"]["id"].as_str().map(str::to_owned))
    }

    fn bundle(
        &self,
        bundle: Bundle<'_>,
        types: &[&str],
        divisible: bool,
        congested: &mut bool,
    ) -> Result<Vec<Answer>, Outcome> {
        let (entries, bundle_deletes) = (bundle.entries(), bundle.deletes());
        if entries == 0 {
            return Ok(Vec::new());
        }
        let request = self.request(Method::POST, "", bundle.finish())?;
        let response = self.exchange(request, divisible, congested)?;
        if response.status().is_success() {
            let answers = wire::answers(response.body(), entries, types);
            let unexpected = || self.unexpected("no answer to the Bundle it was sent");
            return answers.ok_or_else(|| Outcome::Unknown(unexpected()));
        }
        // Told by the entry it is about, if at all.
        let blamed = OperationOutcome::from_json(response.body())
            .and_then(|outcome| Failure::of(0, Some(&outcome), "").entry);
        let resource_type = blamed.and_then(|entry| types.get(entry)).unwrap_or(&"");
        let outcome = self.refusal(&response, resource_type)?;
        if let Outcome::Nothing(failure) = &outcome {
            let is_about_bundles = match response.status().as_u16() {
                // Of a resource to be deleted it says nothing about Bundles.
                404 => !bundle_deletes,
                405 | 501 => true,
                400 => failure.refusal.code == "not-supported",
                _ => false,
            };
            if is_about_bundles && failure.entry.is_none() {
                return Err(Outcome::Unsupported);
            }
        }
        Err(outcome)
    }
}

fn told(resource: Answer, provenance: Option<Answer>) -> Told {
    match (resource, provenance) {
        (Ok(resource), Some(Ok(provenance))) => Told::Done(resource, provenance),
        (Ok(resource), Some(Err(failure))) => Told::WithoutProvenance(resource, failure),
        (Ok(resource), None) => Told::WithoutProvenance(resource, Failure::new(0, "")),
        (Err(failure), _) => Told::Failed(failure),
    }
}

/// What the Provenance of a write has to call a resource that has just got its id.
fn named(write: &Write, written: &Written) -> Names {
    let mut names = Names::new();
    if let (true, Some(id)) = (write.is_new_there(), &written.id) {
        names.insert(write.path(), format!("{}/{id}", write.resource_type));
    }
    names
}

/// [Conditional create](https://hl7.org/fhir/R4/http.html#ccreate).
const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
