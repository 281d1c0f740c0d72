//! Files as they come from somewhere: resources, several versions of them, and
//! lines that are none; with what has to become of each line.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::model::{Body, Refused, sha256};
use crate::random::Random;

/// What `load` takes for the source, where it is not told.
pub(crate) const SOURCE: &str = "urn:ingest:local";

/// A line, without its end.
struct Line {
    text: Vec<u8>,
    becomes: Becomes,
}

#[derive(Clone)]
enum Becomes {
    Resource(String, Body),
    Refused(&'static str),
    Nothing,
}

/// A file of input.
pub(crate) struct InputFile {
    pub(crate) name: String,
    pub(crate) zipped: bool,
    lines: Vec<Line>,
}

/// What a file comes to.
pub(crate) struct Content {
    pub(crate) states: Vec<(String, Body)>,
    pub(crate) refused: Vec<Refused>,
}

impl InputFile {
    /// Its bytes before they are zipped.
    fn plain(&self) -> Vec<u8> {
        let lines = self.lines.iter();
        lines
            .flat_map(|line| line.text.iter().copied().chain([b'\n']))
            .collect()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let plain = self.plain();
        if !self.zipped {
            return plain;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&plain).expect("memory");
        encoder.finish().expect("memory")
    }

    pub(crate) fn content(&self) -> Content {
        self.first(usize::MAX).expect("whole lines")
    }

    /// What its first bytes come to; `None` where the last line is a part of
    /// one that is wrong already.
    pub(crate) fn first(&self, bytes: usize) -> Option<Content> {
        let mut content = Content {
            states: Vec::new(),
            refused: Vec::new(),
        };
        let mut offset = 0;
        for (number, line) in (1..).zip(&self.lines) {
            let left = bytes.saturating_sub(offset);
            let becomes = match line.becomes.clone() {
                _ if left == 0 => break,
                becomes if left >= line.text.len() => becomes,
                Becomes::Resource(..) => Becomes::Refused("invalid-json"),
                _ => return None,
            };
            match becomes {
                Becomes::Resource(key, body) => content.states.push((key, body)),
                Becomes::Nothing => {}
                Becomes::Refused(reason) => content.refused.push(Refused {
                    file: self.name.clone(),
                    line: number,
                    offset: offset as u64,
                    reason,
                    body: line.text[..left.min(line.text.len())].to_vec(),
                    must: false,
                }),
            }
            offset += line.text.len() + 1;
        }
        Some(content)
    }
}

/// Makes one folder of input after the other.
pub(crate) struct Inputs {
    random: Random,
    /// Whether some patients have their record number for an id.
    numbers: bool,
    patients: u64,
    round: u64,
    /// What observations were so far.
    observations: BTreeMap<u64, Vec<u64>>,
}

impl Inputs {
    pub(crate) fn new(mut random: Random, numbers: bool) -> Self {
        Self {
            patients: random.within(4, 16),
            random,
            numbers,
            round: 0,
            observations: BTreeMap::new(),
        }
    }

    /// The files of the next folder, in the order of their names.
    pub(crate) fn next(&mut self) -> Vec<InputFile> {
        self.round += 1;
        let mut files = vec![
            self.file("1-observations", Self::observations),
            self.file("2-conditions", Self::conditions),
        ];
        if self.round == 1 {
            files.push(self.file("3-persons", Self::persons));
        }
        files.push(self.file("4-encounters", Self::encounters));
        files
    }

    fn file(&mut self, name: &str, fill: fn(&mut Self, &mut Vec<Line>)) -> InputFile {
        let mut lines = Vec::new();
        fill(self, &mut lines);
        let zipped = self.random.chance(40);
        let ending = if zipped { "ndjson.gz" } else { "ndjson" };
        InputFile {
            name: format!("in-{}/{name}.{ending}", self.round),
            zipped,
            lines,
        }
    }

    fn observations(&mut self, lines: &mut Vec<Line>) {
        let many = self.random.within(10, 160);
        for number in 0..many {
            if self.round > 1 && self.random.chance(40) {
                continue;
            }
            let earlier = self.observations.get(&number).cloned().unwrap_or_default();
            // Also one of before that comes back.
            let value = match earlier.is_empty() || self.random.chance(70) {
                true => self.random.below(100_000),
                false => *self.random.pick(&earlier),
            };
            self.observation(number, value, lines);
            if self.random.chance(4) {
                let later = self.random.below(100_000);
                self.observation(number, later, lines);
                if self.random.chance(50) {
                    self.observation(number, value, lines);
                }
            }
            if self.random.chance(5) {
                lines.push(self.nonsense());
            }
        }
    }

    fn observation(&mut self, number: u64, value: u64, lines: &mut Vec<Line>) {
        self.observations.entry(number).or_default().push(value);
        // The patient of an observation stays the same.
        let patient = number.wrapping_mul(31) % self.patients;
        let text = |patient: &str| {
            format!(
                r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"Heart rate"}},"subject":{{"reference":"Patient/{patient}"}},"valueQuantity":{{"value":{}.{:02}0,"unit":"/min"}}}}"#,
                value / 100,
                value % 100
            )
        };
        let sent = text(&self.sent_id(patient));
        let stored = text(&self.stored_id(patient));
        let twice = self.random.chance(3);
        for _ in 0..=u64::from(twice) {
            lines.push(resource(&sent, &format!("Observation/o{number}"), &stored));
        }
    }

    fn conditions(&mut self, lines: &mut Vec<Line>) {
        for number in 0..self.random.within(5, 40) {
            let id = format!("c{}-{number}", self.round);
            let patient = number % self.patients;
            let text = |patient: &str, code: &str| {
                format!(
                    r#"{{"resourceType":"Condition","id":"{id}"{code},"subject":{{"reference":"Patient/{patient}"}}}}"#
                )
            };
            let (sent, stored) = (self.sent_id(patient), self.stored_id(patient));
            let code = r#","code":{"text":"Asthma \/ é"}"#;
            let key = format!("Condition/{id}");
            lines.push(match self.random.below(10) {
                0 => {
                    let stored = text(&stored, UNKNOWN);
                    resource(&text(&sent, ""), &key, &stored)
                }
                1 => refused(
                    &format!(r#"{{"resourceType":"Condition","id":"{id}"{code}}}"#),
                    "missing-required-reference",
                ),
                _ => resource(&text(&sent, code), &key, &text(&stored, code)),
            });
        }
    }

    fn persons(&mut self, lines: &mut Vec<Line>) {
        for number in 0..self.patients {
            let record = record_number(number);
            let text = |id: &str| {
                format!(
                    r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}}]}},"system":"urn:test:mrn","value":"{record}"}}],"name":[{{"family":"Family{number}"}}]}}"#
                )
            };
            let stored = self.stored_id(number);
            let key = format!("Patient/{stored}");
            lines.push(resource(&text(&self.sent_id(number)), &key, &text(&stored)));
        }
    }

    fn encounters(&mut self, lines: &mut Vec<Line>) {
        let many = self.random.within(2, 20);
        for number in 0..many {
            let id = format!("e{}-{number}", self.round);
            let patient = number % self.patients;
            let text = |patient: &str| {
                format!(
                    r#"{{"resourceType":"Encounter","id":"{id}","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
                )
            };
            let (sent, stored) = (self.sent_id(patient), self.stored_id(patient));
            lines.push(resource(
                &text(&sent),
                &format!("Encounter/{id}"),
                &text(&stored),
            ));
        }
        for number in 0..many / 4 {
            let key = format!("Encounter/e{}-{number}", self.round);
            let text = format!(
                r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"request":{{"method":"DELETE","url":"{key}"}}}}]}}"#
            );
            lines.push(Line {
                text: text.into_bytes(),
                becomes: Becomes::Resource(key, None),
            });
        }
    }

    /// Something that is no resource.
    fn nonsense(&mut self) -> Line {
        match self.random.below(5) {
            0 => refused("{\"resourceType\":\"Observation\",\"id\":", "invalid-json"),
            1 => refused(
                r#"{"resourceType":"Observation","id":"a","id":"b"}"#,
                "duplicate-key",
            ),
            2 => refused(
                r#"{"resourceType":"Observatory","id":"a"}"#,
                "unknown-resource-type",
            ),
            3 => Line {
                text: b"{\"resourceType\":\"Observation\",\"id\":\"\xFF\"}".to_vec(),
                becomes: Becomes::Refused("invalid-utf8"),
            },
            _ => Line {
                text: Vec::new(),
                becomes: Becomes::Nothing,
            },
        }
    }

    fn is_numbered(&self, patient: u64) -> bool {
        self.numbers && patient.is_multiple_of(3)
    }

    fn sent_id(&self, patient: u64) -> String {
        match self.is_numbered(patient) {
            true => record_number(patient),
            false => format!("patient-{patient}"),
        }
    }

    /// A record number is not to be an id: it is hashed.
    fn stored_id(&self, patient: u64) -> String {
        let sent = self.sent_id(patient);
        match self.is_numbered(patient) {
            true => sha256(&format!("{SOURCE}\nPatient\n{sent}")),
            false => sent,
        }
    }
}

/// What a Condition without a code has for one.
const UNKNOWN: &str = r#","code":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"unknown","display":"Unknown"}]}"#;

fn record_number(patient: u64) -> String {
    format!("{:08}", patient * 7 + 1)
}

fn resource(sent: &str, key: &str, stored: &str) -> Line {
    Line {
        text: sent.as_bytes().to_vec(),
        becomes: Becomes::Resource(key.to_owned(), Some(stored.to_owned())),
    }
}

fn refused(text: &str, reason: &'static str) -> Line {
    Line {
        text: text.as_bytes().to_vec(),
        becomes: Becomes::Refused(reason),
    }
}
