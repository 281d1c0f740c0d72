//! As many resources as wanted, made from few: copies of the input of the
//! benches in which every UUID is another one. The same arguments give the same
//! bytes.
//!
//! Ids are UUIDs in Synthea's data, and so are the values of most identifiers;
//! a reference stays one to the copy of what it was to.

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Deserialize;

use crate::support::Input;

/// So many resources, or more, refer to one patient in a full export. The sample
/// has less of each patient, so several of its copies share theirs.
const RESOURCES_PER_PATIENT: usize = 300;

/// Types of which there is one for many copies.
const SHARED: [&str; 5] = [
    "Patient",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Location",
];

/// One line in so many differs in the changed data.
const CHANGED: u64 = 100;

const UUID: usize = 36;

/// Writes a file of each type into `folder`, about so many bytes together, one
/// line in a hundred `changed` if wanted. Counts lines and bytes.
pub(crate) fn write(
    bytes: u64,
    folder: &Path,
    changed: bool,
) -> Result<(u64, u64), Box<dyn Error>> {
    let base = Base::new(&Input::load())?;
    let copies = base.copies(bytes);
    fs::create_dir_all(folder)?;
    let (mut count, mut written) = (0, 0);
    for (name, lines) in &base.types {
        let file = File::create(folder.join(format!("{name}.ndjson")))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        for copy in (0..copies).step_by(base.step(name)) {
            for line in lines {
                let mut text = line.copy(copy as u64, base.share as u64);
                count += 1;
                if changed && count % CHANGED == 0 {
                    // In place of the object's end, and the line's.
                    text.truncate(text.len() - b"}\n".len());
                    text.extend_from_slice(CHANGE);
                }
                file.write_all(&text)?;
                written += text.len() as u64;
            }
        }
        file.flush()?;
    }
    Ok((count, written))
}

/// A member that any resource may have and none of Synthea's does.
const CHANGE: &[u8] = b",\"language\":\"en\"}\n";

struct Base {
    types: BTreeMap<Name, Vec<Line>>,
    /// So many copies have their patients in common.
    share: usize,
}

/// Patients come first: those known by their medical record number have to be
/// known before they are referenced.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name(bool, String);

struct Line {
    /// With the line feed.
    text: Vec<u8>,
    uuids: Vec<Uuid>,
}

struct Uuid {
    at: usize,
    value: u128,
    is_shared: bool,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'a str,
    id: &'a str,
}

impl Base {
    fn new(input: &Input) -> Result<Self, Box<dyn Error>> {
        let heads = input.lines().map(serde_json::from_slice::<Head<'_>>);
        let heads = heads.collect::<Result<Vec<_>, _>>()?;
        let mut shared = HashSet::new();
        for head in &heads {
            let id = uuid(head.id.as_bytes()).ok_or("an id that is no UUID has no copies")?;
            if SHARED.contains(&head.resource_type) {
                shared.insert(id);
            }
        }
        let mut types = BTreeMap::<_, Vec<_>>::new();
        for (head, line) in heads.iter().zip(input.lines()) {
            let name = head.resource_type;
            let lines = types.entry(Name(name != "Patient", name.to_owned()));
            lines.or_default().push(Line::new(line, &shared));
        }
        let patients = heads.iter().filter(|head| head.resource_type == "Patient");
        let wanted = RESOURCES_PER_PATIENT * patients.count();
        let share = wanted.div_ceil(heads.len()).max(1);
        Ok(Self { types, share })
    }

    /// From one copy with lines of this type to the next.
    fn step(&self, name: &Name) -> usize {
        if SHARED.contains(&name.1.as_str()) {
            self.share
        } else {
            1
        }
    }

    /// The number of copies that comes nearest to so many bytes.
    fn copies(&self, bytes: u64) -> usize {
        let size = |(name, lines): (&Name, &Vec<Line>)| {
            let size: usize = lines.iter().map(|line| line.text.len()).sum();
            size as f64 / self.step(name) as f64
        };
        let one: f64 = self.types.iter().map(size).sum();
        ((bytes as f64 / one).round() as usize).max(1)
    }
}

impl Line {
    fn new(line: &[u8], shared: &HashSet<u128>) -> Self {
        let text = [line.trim_ascii_end(), b"\n"].concat();
        let mut uuids: Vec<Uuid> = Vec::new();
        for first in memchr::memchr_iter(b'-', &text) {
            let Some(at) = first.checked_sub(8) else {
                continue;
            };
            let is_free = uuids.last().is_none_or(|last| last.at + UUID <= at);
            let found = text.get(at..at + UUID).and_then(uuid);
            if let Some(value) = found.filter(|_| is_free) {
                let is_shared = shared.contains(&value);
                uuids.push(Uuid {
                    at,
                    value,
                    is_shared,
                });
            }
        }
        Self { text, uuids }
    }

    fn copy(&self, copy: u64, share: u64) -> Vec<u8> {
        let mut text = self.text.clone();
        for uuid in &self.uuids {
            let number = if uuid.is_shared { copy / share } else { copy };
            // Mixing is one to one: two UUIDs of a copy never become the same.
            let [high, low] = [uuid.value >> 64, uuid.value].map(|half| half as u64);
            let [high, low] = [mix(high ^ mix(number)), mix(low ^ mix(!number))];
            let digits = format!("{high:016x}{low:016x}");
            let places = text[uuid.at..uuid.at + UUID].iter_mut();
            for (place, digit) in places.filter(|place| **place != b'-').zip(digits.bytes()) {
                *place = digit;
            }
        }
        text
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

fn uuid(text: &[u8]) -> Option<u128> {
    if text.len() != UUID || [8, 13, 18, 23].iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let digits: Vec<_> = text.iter().copied().filter(|&byte| byte != b'-').collect();
    // `from_str_radix` would take a sign.
    if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u128::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
}

/// The last step of SplitMix64.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
