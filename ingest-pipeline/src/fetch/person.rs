//! Who is meant.

use std::collections::BTreeSet;
use std::time::SystemTime;

use fhir_http::Search;
use fhir_json::{Tape, Value};

use super::reference::target;
use super::server::{MOST_OTHERS, was_used};
use super::{FetchError, Fetcher, PatientKey};
use crate::load::replaced_by;

/// Longer chains of patients who replace one another are none that people
/// have made.
const LONGEST_CHAIN: usize = 16;

/// A patient, with all records that lead there.
pub(super) struct Person {
    /// Id at the source of who remains.
    pub(super) survivor: String,
    pub(super) records: Vec<Record>,
    /// When the server said so, by its own clock, where it tells that.
    pub(super) date: Option<SystemTime>,
}

/// A Patient as the server gives it.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) text: Box<str>,
    inactive: bool,
    /// Whether it says that another one has replaced it.
    pub(super) is_replaced: bool,
    /// Who that is, where it says it by an id.
    replaced_by: Option<String>,
}

type Found = (Vec<Record>, Option<SystemTime>);

impl Fetcher {
    /// Finds the patient who is meant, and who remains where others have
    /// replaced that one.
    pub(super) fn resolve(&self, key: &PatientKey) -> Result<Person, FetchError> {
        let host = || self.server.host.clone();
        let (found, date) = self.records(key)?;
        if found.is_empty() {
            let by = match key {
                PatientKey::Id(_) => "id",
                PatientKey::Identifier { .. } => "identifier",
            };
            return Err(FetchError::NoPatient { host: host(), by });
        }
        let is_current = |record: &&Record| !record.inactive && !record.is_replaced;
        let current: Vec<_> = found.iter().filter(is_current).collect();
        if current.len() > 1 {
            return Err(FetchError::Ambiguous {
                host: host(),
                patients: current.len(),
            });
        }
        // Records that nobody uses any more may share an identifier.
        let starts: Vec<_> = match current.first() {
            Some(&only) => vec![only.clone()],
            None => found.clone(),
        };
        let mut records = found;
        let mut survivors = BTreeSet::new();
        for start in starts {
            survivors.insert(self.survivor(start, &mut records)?);
        }
        let patients = survivors.len();
        match survivors.pop_first() {
            Some(survivor) if patients == 1 => Ok(Person {
                survivor,
                records,
                date,
            }),
            _ => Err(FetchError::Ambiguous {
                host: host(),
                patients,
            }),
        }
    }

    /// The records that the server has for a key, none where it has none, and
    /// when it said so.
    pub(super) fn records(&self, key: &PatientKey) -> Result<Found, FetchError> {
        match key {
            PatientKey::Id(id) => Ok((self.record(id)?.into_iter().collect(), None)),
            PatientKey::Identifier { system, value } => self.identified(system.as_deref(), value),
        }
    }

    fn record(&self, id: &str) -> Result<Option<Record>, FetchError> {
        match self.server.read("Patient", id) {
            Ok(text) => Ok(Record::read(text, &self.server.bases)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn identified(&self, system: Option<&str>, value: &str) -> Result<Found, FetchError> {
        let search = Search::new("Patient")
            .token("identifier", system, value)
            .count(self.adt.page_size);
        let mut records: Vec<Record> = Vec::new();
        let mut others = 0;
        let mut date = None;
        self.server.search(&search, |page| {
            date = date.or(page.date);
            for entry in page.entries {
                let text: Box<str> = entry.resource.into();
                if !has_identifier(&text, system, value) {
                    others += 1;
                    continue;
                }
                let record = Record::read(text, &self.server.bases);
                let new = record.filter(|record| records.iter().all(|own| own.id != record.id));
                records.extend(new);
            }
            let was_used = was_used(page.self_link.as_deref(), "identifier");
            if others > MOST_OTHERS || others > 0 && !was_used {
                return Err(self.unfiltered("Patient", "identifier"));
            }
            Ok(true)
        })?;
        Ok((records, date))
    }

    pub(super) fn unfiltered(&self, resource_type: &str, parameter: &'static str) -> FetchError {
        FetchError::Unfiltered {
            host: self.server.host.clone(),
            resource_type: resource_type.to_owned(),
            parameter,
        }
    }

    /// Follows the links from a record to who remains; the records on the way
    /// are added.
    fn survivor(&self, start: Record, records: &mut Vec<Record>) -> Result<String, FetchError> {
        let mut current = start;
        // Circles come to an end here too.
        for _ in 0..LONGEST_CHAIN {
            let Some(id) = &current.replaced_by else {
                return Ok(current.id);
            };
            let known = records.iter().find(|record| record.id == *id).cloned();
            let next = match known {
                Some(record) => Some(record),
                None => self.record(id)?,
            };
            // A link into the void: what there is, is taken.
            let Some(next) = next else {
                return Ok(current.id);
            };
            if records.iter().all(|record| record.id != next.id) {
                records.push(next.clone());
            }
            current = next;
        }
        let host = self.server.host.clone();
        Err(FetchError::Links { host })
    }
}

impl Record {
    /// `None` for a Patient without an id.
    fn read(text: Box<str>, bases: &[String]) -> Option<Self> {
        let mut tape = Tape::new();
        let document = tape.parse(text.as_bytes()).ok()?;
        let root = document.root();
        let id = root.get("id")?.as_str()?.into_owned();
        let links: Vec<_> = replaced_by(root).collect();
        let who = links.iter().flatten().find_map(|reference| {
            let (name, id) = target(reference, bases)?;
            (name == "Patient").then(|| id.to_owned())
        });
        Some(Self {
            id,
            inactive: root.get("active").and_then(Value::as_bool) == Some(false),
            is_replaced: !links.is_empty(),
            replaced_by: who,
            text,
        })
    }
}

/// Whether a Patient has an identifier. Servers find others as well, by a part
/// of the value or because they pass over the parameter.
fn has_identifier(text: &str, system: Option<&str>, value: &str) -> bool {
    let mut tape = Tape::new();
    let Ok(document) = tape.parse(text.as_bytes()) else {
        return false;
    };
    let is = |own: Value<'_>, text: &str| own.as_str().is_some_and(|own| own.trim() == text.trim());
    let identifiers = document.root().get("identifier").into_iter();
    identifiers.flat_map(Value::elements_or_self).any(|own| {
        let fits = system.is_none_or(|system| {
            let own = own.get("system");
            own.is_none_or(|own| is(own, system))
        });
        fits && own.get("value").is_some_and(|own| is(own, value))
    })
}

/// Whether the server says that there is no such resource.
pub(super) fn is_absent(error: &fhir_http::Error) -> bool {
    match error {
        // No id that could be asked for.
        fhir_http::Error::Request { .. } => true,
        error => error
            .status()
            .is_some_and(|status| matches!(status.as_u16(), 404 | 410)),
    }
}
