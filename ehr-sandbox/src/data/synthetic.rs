use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Data, Resource, instant};
use crate::rng::Rng;

/// 2024-01-01T00:00:00Z, where the data begins.
const START: Timestamp = Timestamp::constant(1_704_067_200, 0);
/// The data is two years long.
const MINUTES: u64 = 2 * 365 * 24 * 60;

const FAMILIES: [&str; 8] = [
    "Müller",
    "O'Neill",
    "García Márquez",
    "Nguyễn",
    "Øvergård",
    "李",
    "Smith",
    "Čapek",
];
const GIVEN: [&str; 8] = [
    "Zoë",
    "José",
    "Anna",
    "Łukasz",
    "Fatma",
    "明",
    "Mary \"Mo\"",
    "Ahmed",
];
const CITIES: [&str; 4] = ["Springfield", "São Paulo", "Zürich", "Kraków"];
/// LOINC code, display, unit, lowest value, decimal places.
const MEASURES: [(&str, &str, &str, u64, usize); 5] = [
    ("29463-7", "Body weight", "kg", 50, 2),
    ("8867-4", "Heart rate", "/min", 55, 0),
    ("8310-5", "Body temperature", "Cel", 36, 1),
    ("2339-0", "Glucose", "mg/dL", 80, 3),
    ("8302-2", "Body height", "cm", 150, 1),
];
const PROBLEMS: [(&str, &str); 4] = [
    ("44054006", "Diabetes mellitus type 2"),
    ("38341003", "Hypertensive disorder"),
    ("195967001", "Asthma"),
    ("230690007", "Cerebrovascular accident"),
];
const DRUGS: [(&str, &str); 3] = [
    ("860975", "metformin 500 MG"),
    ("314076", "lisinopril 10 MG"),
    ("197361", "amlodipine 5 MG"),
];

impl Data {
    /// Identifier system of the medical record numbers (type `MR`).
    pub const MRN_SYSTEM: &'static str = "urn:oid:2.16.840.1.113883.19.5";

    /// Made-up patients of a made-up hospital, the same ones for the same
    /// seed. References are whole, `lastUpdated` lies in 2024 and 2025.
    ///
    /// There are decimals with trailing zeros, names beyond ASCII and escapes
    /// in strings, for those are what gets lost. Patient `pN` has the medical
    /// record number `MRN` and `N` with six digits. Group [`Data::ALL`] holds
    /// every patient, group `half` every second.
    #[must_use]
    pub fn synthetic(seed: u64, patients: usize) -> Self {
        let mut maker = Maker {
            rng: Rng::new(seed),
            data: Self::default(),
        };
        maker.hospital();
        for number in 1..=patients {
            maker.patient(number);
        }
        let half = (1..=patients)
            .step_by(2)
            .map(|number| format!("p{number}"))
            .collect();
        maker.data.groups.insert("half".to_owned(), half);
        maker.data.groups.entry(Self::ALL.to_owned()).or_default();
        maker.data
    }
}

struct Maker {
    rng: Rng,
    data: Data,
}

impl Maker {
    fn hospital(&mut self) {
        for n in 1..=2 {
            let name = text(["Good Health Hospital", "Clínica São José"][n - 1]);
            self.add(
                "Organization",
                &format!("o{n}"),
                format_args!(r#""active":true,"name":{name}"#),
            );
            self.add(
                "Location",
                &format!("l{n}"),
                format_args!(
                    r#""status":"active","name":"Ward {n}","position":{{"longitude":-83.690,"latitude":42.2570}},"managingOrganization":{{"reference":"Organization/o{n}"}}"#
                ),
            );
        }
        for (n, family) in (1..=3).zip(FAMILIES) {
            let family = text(family);
            self.add(
                "Practitioner",
                &format!("dr{n}"),
                format_args!(r#""active":true,"name":[{{"family":{family},"prefix":["Dr."]}}]"#),
            );
            let organization = n % 2 + 1;
            self.add(
                "PractitionerRole",
                &format!("role{n}"),
                format_args!(
                    r#""active":true,"practitioner":{{"reference":"Practitioner/dr{n}"}},"organization":{{"reference":"Organization/o{organization}"}}"#
                ),
            );
        }
    }

    fn patient(&mut self, n: usize) {
        let (family, given) = (text(self.rng.pick(&FAMILIES)), text(self.rng.pick(&GIVEN)));
        let city = text(self.rng.pick(&CITIES));
        let gender = self.rng.pick(&["female", "male", "other", "unknown"]);
        let (year, month, day) = (
            1930 + self.rng.below(90),
            1 + self.rng.below(12),
            1 + self.rng.below(28),
        );
        let doctor = 1 + self.rng.below(3);
        let system = Data::MRN_SYSTEM;
        self.add(
            "Patient",
            &format!("p{n}"),
            format_args!(
                r#""identifier":[{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}}]}},"system":"{system}","value":"MRN{n:06}"}}],"active":true,"name":[{{"use":"official","family":{family},"given":[{given}]}}],"gender":"{gender}","birthDate":"{year}-{month:02}-{day:02}","address":[{{"city":{city}}}],"generalPractitioner":[{{"reference":"Practitioner/dr{doctor}"}}]"#
            ),
        );
        let visits = 1 + self.rng.below(3);
        for visit in 1..=visits {
            self.visit(n, visit, doctor);
        }
        let (code, display) = self.rng.pick(&DRUGS);
        let dose = 1 + self.rng.below(3);
        self.add(
            "MedicationRequest",
            &format!("m{n}"),
            format_args!(
                r#""status":"active","intent":"order","medicationCodeableConcept":{{"coding":[{{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"{code}","display":"{display}"}}]}},"subject":{{"reference":"Patient/p{n}"}},"requester":{{"reference":"PractitionerRole/role{doctor}"}},"dosageInstruction":[{{"text":"with meals \/ daily","doseAndRate":[{{"doseQuantity":{{"value":{dose}.50,"unit":"tablet"}}}}]}}]"#
            ),
        );
        self.add(
            "DocumentReference",
            &format!("d{n}"),
            format_args!(
                r#""status":"current","subject":{{"reference":"Patient/p{n}"}},"author":[{{"reference":"Practitioner/dr{doctor}"}}],"content":[{{"attachment":{{"contentType":"text/plain","data":"RGlzY2hhcmdlIG5vdGUK","title":"Caf\u00e9 note\n"}}}}]"#
            ),
        );
    }

    fn visit(&mut self, n: usize, visit: u64, doctor: u64) {
        let location = 1 + self.rng.below(2);
        let encounter = format!("e{n}-{visit}");
        let day = instant(self.moment());
        self.add(
            "Encounter",
            &encounter,
            format_args!(
                r#""status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},"subject":{{"reference":"Patient/p{n}"}},"participant":[{{"individual":{{"reference":"Practitioner/dr{doctor}"}}}}],"period":{{"start":"{day}"}},"location":[{{"location":{{"reference":"Location/l{location}"}}}}]"#
            ),
        );
        let (code, display) = self.rng.pick(&PROBLEMS);
        self.add(
            "Condition",
            &format!("c{n}-{visit}"),
            format_args!(
                r#""clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}},"code":{{"coding":[{{"system":"http://snomed.info/sct","code":"{code}","display":"{display}"}}]}},"subject":{{"reference":"Patient/p{n}"}},"encounter":{{"reference":"Encounter/{encounter}"}}"#
            ),
        );
        for (place, (code, display, unit, low, digits)) in MEASURES.into_iter().enumerate() {
            let value = self.value(low, digits);
            let status = self.rng.pick(&["final", "final", "final", "amended"]);
            self.add(
                "Observation",
                &format!("ob{n}-{visit}-{place}"),
                format_args!(
                    r#""status":"{status}","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}","display":"{display}"}}]}},"subject":{{"reference":"Patient/p{n}"}},"encounter":{{"reference":"Encounter/{encounter}"}},"effectiveDateTime":"{day}","valueQuantity":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"}}"#
                ),
            );
        }
    }

    /// The last decimal place is a zero, which tells 1.50 from 1.5.
    fn value(&mut self, low: u64, digits: usize) -> String {
        let whole = low + self.rng.below(40);
        match digits {
            0 => whole.to_string(),
            1 => format!("{whole}.0"),
            _ => {
                let width = digits - 1;
                let part = self.rng.below(10_u64.pow(width as u32));
                format!("{whole}.{part:0width$}0")
            }
        }
    }

    fn moment(&mut self) -> Timestamp {
        START + SignedDuration::from_mins(self.rng.below(MINUTES) as i64)
    }

    fn add(&mut self, resource_type: &str, id: &str, rest: std::fmt::Arguments<'_>) {
        let updated = instant(self.moment());
        let json = format!(
            r#"{{"resourceType":"{resource_type}","id":"{id}","meta":{{"versionId":"1","lastUpdated":"{updated}"}},{rest}}}"#
        );
        let resource = Resource::parse(json);
        debug_assert!(resource.is_ok(), "{resource_type} {id} is no JSON");
        if let Ok(resource) = resource {
            self.data.push(resource);
        }
    }
}

/// A JSON string.
fn text(value: &str) -> String {
    Value::from(value).to_string()
}
