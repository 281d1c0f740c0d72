//! What happens to people in a hospital, as steps that become messages.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::MergeStyle;
use super::message::{SENDERS, Sender};
use super::people::Person;
use crate::data::{Change, instant};
use crate::rng::Rng;

/// A message that is to be written.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) sender: &'static Sender,
    /// MSH-9.1 and MSH-9.2.
    pub(super) kind: (&'static str, &'static str),
    /// A PID segment for each.
    pub(super) people: Vec<Person>,
    /// Who is in MRG.
    pub(super) gone: Option<Person>,
    pub(super) visit: Option<Visit>,
    pub(super) phone: Option<String>,
    /// Whether an identifier of another kind stands before the right one.
    pub(super) other_identifier: bool,
    pub(super) changes: Vec<Change>,
}

/// An Encounter, as PV1 tells it.
#[derive(Clone)]
pub(super) struct Visit {
    /// PV1-19, and the id of the Encounter.
    pub(super) number: String,
    /// `IMP` or `AMB`.
    pub(super) class: &'static str,
    pub(super) room: u64,
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
}

/// The kinds of stories, in the order in which a day has them.
pub(super) const PLOTS: [Plot; 12] = [
    Plot::Stay,
    Plot::Merge,
    Plot::Consultation,
    Plot::CancelledAdmission,
    Plot::CancelledDischarge,
    Plot::Newcomer,
    Plot::Link,
    Plot::Unknown,
    Plot::Nameless,
    Plot::Correction,
    Plot::Unwanted,
    Plot::BedStatus,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plot {
    Stay,
    Merge,
    Consultation,
    CancelledAdmission,
    CancelledDischarge,
    Newcomer,
    Link,
    Unknown,
    Nameless,
    Correction,
    Unwanted,
    BedStatus,
}

/// One story, told step by step.
pub(super) struct Story<'a> {
    pub(super) rng: &'a mut Rng,
    /// Ids of Locations.
    pub(super) locations: &'a [String],
    pub(super) merge: MergeStyle,
    /// `YYYYMMDD`, a part of new ids.
    pub(super) date: &'a str,
    pub(super) number: usize,
    pub(super) at: Timestamp,
    pub(super) steps: Vec<Step>,
}

impl Story<'_> {
    /// Tells it about these people: the second is merged into the first, or
    /// linked with it.
    pub(super) fn tell(&mut self, plot: Plot, first: Option<Person>, second: Option<Person>) {
        match (plot, first, second) {
            (Plot::Newcomer, ..) => {
                let id = format!("adt-{}-p{}", self.date, self.number);
                let person = self.stranger(Some(id));
                self.step("A28", &person)
                    .changes
                    .push(Change::Make(person.resource()));
                self.update("A31", &person);
                self.consultation(&person);
            }
            (Plot::Unknown, ..) => {
                let visit = self.visit("AMB");
                let person = self.stranger(None);
                self.step("A04", &person).visit = Some(visit);
            }
            (Plot::Nameless, ..) => self.push(("ADT", "A08"), Vec::new()),
            (Plot::BedStatus, ..) => self.push(("ADT", "A20"), Vec::new()),
            (Plot::Stay, Some(person), _) => {
                let visit = self.admission(&person);
                let visit = self.transfer(&person, visit);
                self.update("A08", &person);
                self.discharge(&person, visit);
            }
            (Plot::Consultation, Some(person), _) => self.consultation(&person),
            (Plot::CancelledAdmission, Some(person), _) => {
                let visit = self.admission(&person);
                let cancelled = [status("cancelled")];
                self.amend_visit("A11", &person, visit, &cancelled);
            }
            (Plot::CancelledDischarge, Some(person), _) => {
                let visit = self.admission(&person);
                let mut visit = self.discharge(&person, visit);
                visit.end = None;
                let goes_on = [status("in-progress"), Change::period(visit.start, None)];
                self.amend_visit("A13", &person, visit, &goes_on);
            }
            (Plot::Correction, Some(person), _) => self.update("A31", &person),
            (Plot::Unwanted, Some(person), _) => {
                self.step("A10", &person);
                self.push(("ORU", "R01"), vec![person]);
            }
            (Plot::Merge, Some(person), Some(gone)) => self.merge(&person, gone),
            (Plot::Link, Some(person), Some(other)) => {
                let [first, second] = [(&person, &other), (&other, &person)]
                    .map(|(one, two)| amend(one, vec![Change::link(two.id(), "seealso")]));
                self.push(("ADT", "A24"), vec![person, other]);
                self.latest().changes.extend([first, second]);
            }
            _ => {}
        }
    }

    fn consultation(&mut self, person: &Person) {
        let visit = self.visit("AMB");
        let encounter = self.encounter(&visit, person);
        let step = self.step("A04", person);
        step.visit = Some(visit.clone());
        step.changes.push(encounter);
        self.update("A08", person);
        self.discharge(person, visit);
    }

    fn admission(&mut self, person: &Person) -> Visit {
        let visit = self.visit("IMP");
        let encounter = self.encounter(&visit, person);
        let step = self.step("A01", person);
        step.visit = Some(visit.clone());
        step.changes.push(encounter);
        visit
    }

    fn transfer(&mut self, person: &Person, mut visit: Visit) -> Visit {
        visit.room = 200 + self.rng.below(50);
        let location = self.location();
        self.amend_visit("A02", person, visit.clone(), &[("location", location)]);
        visit
    }

    fn discharge(&mut self, person: &Person, mut visit: Visit) -> Visit {
        visit.end = Some(self.at);
        let finished = [status("finished"), Change::period(visit.start, visit.end)];
        let observation = self.observation(person, &visit.number);
        self.amend_visit("A03", person, visit.clone(), &finished);
        self.latest().changes.push(observation);
        visit
    }

    /// A new phone number, in PID-13 and in the Patient.
    fn update(&mut self, trigger: &'static str, person: &Person) {
        let phone = format!("555-{:04}", self.rng.below(10_000));
        let telecom = telecom(&phone);
        let step = self.step(trigger, person);
        step.phone = Some(phone);
        step.changes.push(amend(person, vec![telecom]));
    }

    fn merge(&mut self, person: &Person, gone: Person) {
        self.consultation(&gone);
        let mut survivor = Vec::new();
        let mut changes = vec![Change::Move {
            from: gone.id().to_owned(),
            to: person.id().to_owned(),
        }];
        if self.merge == MergeStyle::ReplacedBy {
            survivor.push(Change::link(gone.id(), "replaces"));
            let link = Change::link(person.id(), "replaced-by");
            let inactive = ("active", Some("false".to_owned()));
            changes.push(amend(&gone, vec![inactive, link]));
        }
        changes.push(amend(person, survivor));
        let step = self.step("A40", person);
        step.gone = Some(gone);
        step.changes = changes;
    }

    fn amend_visit(
        &mut self,
        trigger: &'static str,
        person: &Person,
        visit: Visit,
        members: &[(&'static str, Option<String>)],
    ) {
        let change = Change::Amend {
            resource_type: "Encounter",
            id: visit.number.clone(),
            members: members.to_vec(),
        };
        let step = self.step(trigger, person);
        step.visit = Some(visit);
        step.changes.push(change);
    }

    fn step(&mut self, trigger: &'static str, person: &Person) -> &mut Step {
        self.push(("ADT", trigger), vec![person.clone()]);
        self.latest()
    }

    fn push(&mut self, kind: (&'static str, &'static str), people: Vec<Person>) {
        let at = self.at;
        self.at += SignedDuration::from_secs(60 + self.rng.below(3600) as i64);
        self.steps.push(Step {
            at,
            sender: match self.number % 4 {
                2 => &SENDERS[1],
                3 => &SENDERS[2],
                _ => &SENDERS[0],
            },
            kind,
            people,
            gone: None,
            visit: None,
            phone: None,
            other_identifier: self.rng.below(3) == 0,
            changes: Vec::new(),
        });
    }

    /// The step that was just pushed.
    fn latest(&mut self) -> &mut Step {
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    fn stranger(&self, patient: Option<String>) -> Person {
        Person::stranger(&format!("{}{:02}", self.date, self.number), patient)
    }

    fn visit(&mut self, class: &'static str) -> Visit {
        Visit {
            number: format!("adt-{}-v{}", self.date, self.number),
            class,
            room: 100 + self.rng.below(50),
            start: self.at,
            end: None,
        }
    }

    fn encounter(&mut self, visit: &Visit, person: &Person) -> Change {
        let location = self.location();
        let location = location.map_or(String::new(), |text| format!(r#","location":{text}"#));
        let (_, period) = Change::period(visit.start, None);
        Change::Make(format!(
            r#"{{"resourceType":"Encounter","id":"{}","status":"in-progress","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{}"}},"subject":{{"reference":{}}},"period":{}{location}}}"#,
            visit.number,
            visit.class,
            reference(person),
            period.unwrap_or_default(),
        ))
    }

    fn observation(&mut self, person: &Person, visit: &str) -> Change {
        let pulse = 55 + self.rng.below(40);
        Change::Make(format!(
            r#"{{"resourceType":"Observation","id":"{visit}-ob","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}}]}},"subject":{{"reference":{}}},"encounter":{{"reference":"Encounter/{visit}"}},"effectiveDateTime":"{}","valueQuantity":{{"value":{pulse}.0,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}}}"#,
            reference(person),
            instant(self.at),
        ))
    }

    fn location(&mut self) -> Option<String> {
        let id = match self.locations {
            [] => return None,
            some => &some[self.rng.below(some.len() as u64) as usize],
        };
        let reference = Value::from(format!("Location/{id}"));
        Some(format!(r#"[{{"location":{{"reference":{reference}}}}}]"#))
    }
}

/// The same message again with another phone number.
pub(super) fn reworded(step: &Step, phone: &str, at: Timestamp) -> Step {
    let members = vec![telecom(phone)];
    Step {
        at,
        phone: Some(phone.to_owned()),
        changes: step
            .people
            .iter()
            .map(|person| amend(person, members.clone()))
            .collect(),
        ..step.clone()
    }
}

fn amend(person: &Person, members: Vec<(&'static str, Option<String>)>) -> Change {
    Change::Amend {
        resource_type: "Patient",
        id: person.id().to_owned(),
        members,
    }
}

fn telecom(phone: &str) -> (&'static str, Option<String>) {
    let telecom = format!(r#"[{{"system":"phone","value":"{phone}"}}]"#);
    ("telecom", Some(telecom))
}

fn status(code: &str) -> (&'static str, Option<String>) {
    ("status", Some(format!("\"{code}\"")))
}

fn reference(person: &Person) -> Value {
    Value::from(format!("Patient/{}", person.id()))
}
