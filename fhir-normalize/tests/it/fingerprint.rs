//! What is made of a resource has a number.

use fhir_normalize::{IdKey, IdMode, Normalizer, Record, Settings};
use sha2::{Digest, Sha256};

use crate::oracle::hex;
use crate::samples::sample_lines;
use crate::tree::Tree;

/// When this fails, what is made of a resource has changed: raise `RULES` in
/// `fingerprint.rs`, so that lines are read again that were read under the old
/// rules, and put the new digest here.
#[test]
fn what_comes_out_is_that_of_the_noted_rules() {
    let mut digest = Sha256::new();
    for settings in kinds() {
        let mut normalizer = Normalizer::new(settings);
        for text in texts() {
            normalizer.records(text.as_bytes(), &mut |_, record| match record {
                Ok(Record::Resource(own)) => {
                    digest.update(own.id.as_bytes());
                    digest.update(own.body.as_bytes());
                    digest.update(own.content_hash);
                }
                Ok(Record::Deletion(own)) => digest.update(own.id.as_bytes()),
                Err(rejected) => digest.update(rejected.reason.code().as_bytes()),
            });
        }
    }
    assert_eq!(hex(&digest.finalize()), NOTED);
}

const NOTED: &str = "04b5013bd89a5ca571e17913c0f87b6af2f1b52a628e2500d572b0cabbd9aa8b";

/// The samples, whole and without each of their elements.
fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    for line in sample_lines() {
        let Tree::Object(members) = Tree::parse(&line) else {
            panic!("not an object");
        };
        for left_out in 0..members.len() {
            let mut rest = members.clone();
            rest.remove(left_out);
            texts.push(Tree::Object(rest).text());
        }
        texts.push(Tree::Object(members).text());
    }
    texts
}

#[test]
fn every_setting_makes_another_fingerprint() {
    let mut all: Vec<_> = kinds().iter().map(Settings::fingerprint).collect();
    let number = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), number);
    for settings in kinds() {
        assert_eq!(settings.fingerprint(), settings.clone().fingerprint());
    }
}

fn kinds() -> Vec<Settings> {
    let plain = || Settings::new("urn:test:a");
    vec![
        plain(),
        Settings::new("urn:test:b"),
        Settings {
            id_mode: IdMode::Hash,
            ..plain()
        },
        Settings {
            id_key: Some(IdKey::new("0123456789abcdef")),
            ..plain()
        },
        Settings {
            id_key: Some(IdKey::new("")),
            ..plain()
        },
        Settings {
            mrn_system: Some("urn:mrn".to_owned()),
            ..plain()
        },
        Settings {
            mrn_system: Some(String::new()),
            ..plain()
        },
        Settings {
            bases: vec!["https://ehr.example/r4".to_owned()],
            ..plain()
        },
        Settings {
            bases: vec!["https://ehr.example".to_owned(), "/r4".to_owned()],
            ..plain()
        },
    ]
}
