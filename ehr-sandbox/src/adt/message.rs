//! Steps as messages of HL7 v2.

use jiff::Timestamp;

use super::people::Person;
use super::story::{Step, Visit};

/// A system that sends messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sender {
    application: &'static str,
    facility: &'static str,
    version: &'static str,
    /// MSH-2.
    encoding: &'static str,
    /// It writes Latin-1 where that has all the characters.
    latin: bool,
    /// MSH-7 and EVN-2 say which time zone they mean.
    offset: &'static str,
}

/// Most messages are of the first.
pub(super) const SENDERS: [Sender; 3] = [
    Sender {
        application: "REG",
        facility: "GHH",
        version: "2.5.1",
        encoding: r"^~\&",
        latin: false,
        offset: "+0000",
    },
    Sender {
        application: "LEGACY",
        facility: "GHH OLD",
        version: "2.3",
        encoding: r"^~\&",
        latin: true,
        offset: "",
    },
    Sender {
        application: "CLOUD",
        facility: "GHH",
        version: "2.8",
        encoding: r"^~\&#",
        latin: false,
        offset: "+0000",
    },
];

/// The bytes of a step, with the control id.
pub(super) fn write(step: &Step, control_id: &str) -> Vec<u8> {
    let sender = step.sender;
    let mut body = String::new();
    let (message, trigger) = step.kind;
    match (message, trigger) {
        ("ORU", _) => {
            push(&mut body, pid(step, step.people.first()));
            push(&mut body, Segment::new("OBR").set(1, "1").set(4, "GLU"));
            let result = Segment::new("OBX").set(1, "1").set(2, "NM");
            push(&mut body, result.set(3, "2339-0^^LN").set(5, "98.50"));
        }
        (_, "A20") => {
            push(&mut body, event(step));
            push(
                &mut body,
                Segment::new("NPU").set(1, "WARD^101^1").set(2, "U"),
            );
        }
        _ => {
            push(&mut body, event(step));
            let nobody = [None];
            let people = step.people.iter().map(Some);
            for person in people.chain(nobody.into_iter().filter(|_| step.people.is_empty())) {
                push(&mut body, pid(step, person));
            }
            if let Some(gone) = &step.gone {
                push(&mut body, Segment::new("MRG").set(1, cx(sender, gone)));
            }
            if let Some(visit) = &step.visit {
                push(&mut body, pv1(step, visit));
            }
        }
    }
    let latin = sender.latin && body.chars().all(|c| u32::from(c) < 256);
    let charset = match (body.is_ascii(), latin) {
        (true, _) => "",
        (false, true) => "8859/1",
        (false, false) => "UNICODE UTF-8",
    };
    let whole = header(step, control_id, charset) + &body;
    if latin {
        whole.chars().map(|c| u32::from(c) as u8).collect()
    } else {
        whole.into_bytes()
    }
}

fn header(step: &Step, control_id: &str, charset: &str) -> String {
    let sender = step.sender;
    let (message, trigger) = step.kind;
    // MSH-9.3 came with 2.3.1.
    let structure = match sender.version {
        "2.3" => String::new(),
        _ => format!("^{}", structure(message, trigger)),
    };
    // MSH-1 is the separator before MSH-2.
    let rest = Segment::new("MSH")
        .set(1, sender.encoding)
        .set(2, sender.application)
        .set(3, sender.facility)
        .set(4, "INGEST")
        .set(5, "RESEARCH")
        .set(6, time(step.at) + sender.offset)
        .set(8, format!("{message}^{trigger}{structure}"))
        .set(9, control_id)
        .set(10, "P")
        .set(11, sender.version)
        .set(17, charset);
    rest.text()
}

fn structure(message: &str, trigger: &str) -> String {
    let structure = match trigger {
        "A04" | "A08" | "A13" => "A01",
        "A10" | "A11" => "A09",
        "A28" | "A31" => "A05",
        "A40" => "A39",
        own => own,
    };
    format!("{message}_{structure}")
}

fn event(step: &Step) -> Segment {
    let recorded = time(step.at) + step.sender.offset;
    Segment::new("EVN")
        .set(1, step.kind.1)
        .set(2, recorded.clone())
        .set(6, recorded)
}

fn pid(step: &Step, person: Option<&Person>) -> Segment {
    let Some(person) = person else {
        // The HL7 null is no identifier either.
        let nothing = if step.sender.latin { "" } else { "\"\"" };
        let segment = Segment::new("PID").set(1, "1").set(3, nothing);
        return segment.set(5, "Doe^Jo").set(8, "U");
    };
    let escaped = |text: &str| escape(step.sender, text);
    let mut identifiers = cx(step.sender, person);
    if step.other_identifier {
        identifiers.insert_str(0, "7712345^^^LAB&1.2.3.4&ISO^PI~");
    }
    let sex = match person.gender.as_str() {
        "female" => "F",
        "male" => "M",
        "other" => "O",
        _ => "U",
    };
    let name = format!("{}^{}", escaped(&person.family), escaped(&person.given));
    Segment::new("PID")
        .set(1, "1")
        .set(3, identifiers)
        .set(5, name)
        .set(7, person.birth_date.replace('-', ""))
        .set(8, sex)
        .set(11, format!("^^{}", escaped(&person.city)))
        .set(13, step.phone.clone().unwrap_or_default())
}

fn pv1(step: &Step, visit: &Visit) -> Segment {
    let (class, ended) = (visit.class, visit.end);
    Segment::new("PV1")
        .set(1, "1")
        .set(2, if class == "IMP" { "I" } else { "O" })
        .set(3, format!("WARD^{}^1", visit.room))
        .set(19, visit.number.clone())
        .set(44, time(visit.start) + step.sender.offset)
        .set(
            45,
            ended.map_or(String::new(), |end| time(end) + step.sender.offset),
        )
}

/// A medical record number with the authority that the FHIR system is.
fn cx(sender: &Sender, person: &Person) -> String {
    let system = person.subject.system.as_str();
    let universal = match system.split_once("urn:oid:") {
        Some(("", oid)) => format!("{}&ISO", escape(sender, oid)),
        _ => match system.split_once("urn:uuid:") {
            Some(("", uuid)) => format!("{}&UUID", escape(sender, uuid)),
            _ => format!("{}&URI", escape(sender, system)),
        },
    };
    let mrn = escape(sender, &person.subject.mrn);
    format!("{mrn}^^^GHH&{universal}^MR")
}

/// Section 2.7.4 of the standard, and `\P\` where the message has a truncation
/// character.
fn escape(sender: &Sender, text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str(r"\E\"),
            '|' => escaped.push_str(r"\F\"),
            '^' => escaped.push_str(r"\S\"),
            '~' => escaped.push_str(r"\R\"),
            '&' => escaped.push_str(r"\T\"),
            '#' if sender.encoding.contains('#') => escaped.push_str(r"\P\"),
            '\r' | '\n' => escaped.push(' '),
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// In UTC.
fn time(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S").to_string()
}

fn push(body: &mut String, segment: Segment) {
    body.push_str(&segment.text());
}

/// A segment, its fields counted from 1.
struct Segment(Vec<String>);

impl Segment {
    fn new(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    fn set(mut self, field: usize, value: impl Into<String>) -> Self {
        if self.0.len() <= field {
            self.0.resize(field + 1, String::new());
        }
        self.0[field] = value.into();
        self
    }

    /// Without separators at the end, but for the carriage return.
    fn text(&self) -> String {
        let text = self.0.join("|");
        text.trim_end_matches('|').to_owned() + "\r"
    }
}
