use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{SignedDuration, Timestamp};

use super::people::Person;
use super::story::{PLOTS, Plot, Step, Story, reworded};
use super::{Event, Expected, Outcome, message};
use crate::Data;
use crate::data::timestamp;
use crate::rng::Rng;

/// How a day of messages is to be.
///
/// It is made of stories about one patient each: a stay in the ward, a
/// consultation, a cancelled admission, two records that turn out to be of one
/// person, and so on. They overlap, so that several messages about a patient
/// have others between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Day {
    /// When it begins. Default: 2026-01-01T00:00:00Z, which is after the
    /// synthetic data.
    pub start: SystemTime,
    /// How many stories it has. Default: 12, which is one of each kind.
    pub stories: usize,
    /// The triggers that the receiver wants: `A01`, or `ORU^R01` for another
    /// message type, or `*` for all ADT. Default: all of the day but `A10` and
    /// `ORU^R01`.
    pub allowed: Vec<String>,
    /// What the FHIR server shows of a merge.
    pub merge: MergeStyle,
}

/// What the FHIR server shows of a merge. What belonged to the patient who is
/// no more belongs to the other one either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeStyle {
    /// The patient who is no more has `active` false and a `link` of type
    /// `replaced-by`; the other has one of type `replaces`.
    ReplacedBy,
    /// Nothing: the Patient stays as it was.
    Unmarked,
}

impl Default for Day {
    fn default() -> Self {
        let wanted = "A01 A02 A03 A04 A08 A11 A13 A20 A24 A28 A31 A40";
        Self {
            start: UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            stories: PLOTS.len(),
            allowed: wanted.split(' ').map(str::to_owned).collect(),
            merge: MergeStyle::ReplacedBy,
        }
    }
}

impl Day {
    /// The messages of the day about the patients of the data, in the order of
    /// their time. The same seed and data give the same bytes.
    ///
    /// Besides the stories there are a message that is sent twice and one whose
    /// control id was used before. A patient who was merged into another is in
    /// no message afterwards. Patients without an identifier that has a
    /// `system` are left out; stories that need more patients than there are
    /// don't happen.
    #[must_use]
    pub fn events(&self, seed: u64, data: &Data) -> Vec<Event> {
        let mut rng = Rng::new(seed);
        let date = timestamp(self.start).strftime("%Y%m%d").to_string();
        let mut steps = self.steps(&mut rng, data, &date);
        steps.sort_by_key(|step| step.at);
        let number = |(number, step): (usize, Step)| {
            let control_id = format!("{date}{number:06}");
            (self.event(&step, control_id), step)
        };
        let told: Vec<(Event, Step)> = (1..).zip(steps).map(number).collect();
        let more = self.repeats(&told, &mut rng);
        let mut events: Vec<Event> = told.into_iter().map(|(event, _)| event).collect();
        events.extend(more);
        events.sort_by_key(|event| event.at);
        events
    }

    /// What comes a second time: one message as it is, and one with a control
    /// id that was used.
    fn repeats(&self, told: &[(Event, Step)], rng: &mut Rng) -> Vec<Event> {
        let gone = |person: &Person| {
            let mut merged = told.iter().filter_map(|(_, step)| step.gone.as_ref());
            merged.any(|gone| gone.subject == person.subject)
        };
        let mut updates = told.iter().filter(|(_, step)| {
            let person = step.people.first();
            step.kind.1 == "A08" && person.is_some_and(|person| !gone(person))
        });
        let mut repeats = Vec::new();
        if let Some((event, step)) = updates.next() {
            repeats.push(event.resent(later(rng, step.at)));
        }
        if let Some((event, step)) = updates.next() {
            let step = reworded(step, "555-0199", later(rng, step.at));
            let mut reused = self.event(&step, event.control_id.clone());
            reused.expected.reused_control_id = reused.expected.outcome == Outcome::Accepted;
            repeats.push(reused);
        }
        repeats
    }

    fn steps(&self, rng: &mut Rng, data: &Data, date: &str) -> Vec<Step> {
        let locations = data.resources().filter(|r| r.resource_type() == "Location");
        let locations: Vec<_> = locations.map(|r| r.id().to_owned()).collect();
        let start = timestamp(self.start);
        let mut people = Person::all(data, rng);
        // Those who will be merged away are in no other story.
        let merges = PLOTS.iter().cycle().take(self.stories);
        let merges = merges.filter(|plot| **plot == Plot::Merge).count();
        let mut gone = people.split_off(people.len() - merges.min(people.len() / 2));
        let mut steps = Vec::new();
        for (number, plot) in (1..=self.stories).zip(PLOTS.into_iter().cycle()) {
            let at =
                |place: usize| (!people.is_empty()).then(|| people[place % people.len()].clone());
            let (first, next) = (at(number), at(number + 1));
            let second = match plot {
                Plot::Merge => gone.pop(),
                Plot::Link => next.filter(|_| people.len() > 1),
                _ => None,
            };
            let mut story = Story {
                locations: &locations,
                merge: self.merge,
                date,
                number,
                at: start + SignedDuration::from_secs(rng.below(18 * 3600) as i64),
                steps: Vec::new(),
                rng: &mut *rng,
            };
            story.tell(plot, first, second);
            steps.append(&mut story.steps);
        }
        steps
    }

    fn event(&self, step: &Step, control_id: String) -> Event {
        let outcome = match step {
            _ if !self.allows(step.kind) => Outcome::Ignored,
            // By design A20 names nobody.
            _ if step.people.is_empty() && step.kind.1 != "A20" => Outcome::Rejected,
            _ => Outcome::Accepted,
        };
        let queued = outcome == Outcome::Accepted;
        let subject = |person: &Person| person.subject.clone();
        let patients = step.people.iter().filter(|_| queued).map(subject);
        Event {
            at: step.at,
            changes: step.changes.clone(),
            message: message::write(step, &control_id),
            message_type: format!("{}^{}", step.kind.0, step.kind.1),
            control_id,
            expected: Expected {
                outcome,
                acknowledgement: if outcome == Outcome::Rejected {
                    "AE"
                } else {
                    "AA"
                },
                patients: patients.collect(),
                merged: step.gone.as_ref().filter(|_| queued).map(subject),
                reused_control_id: false,
            },
        }
    }

    fn allows(&self, (message, trigger): (&str, &str)) -> bool {
        self.allowed.iter().any(|allowed| match message {
            "ADT" => allowed == "*" || allowed == trigger || *allowed == format!("ADT^{trigger}"),
            _ => *allowed == format!("{message}^{trigger}"),
        })
    }
}

/// Within the half hour.
fn later(rng: &mut Rng, at: Timestamp) -> Timestamp {
    at + SignedDuration::from_secs(30 + rng.below(1800) as i64)
}
