//! An external suite of texts, where there is one.

use std::path::Path;

use fhir_json::{ErrorKind, Tape};

use crate::corpus::texts_in;

/// Files are named as in JSONTestSuite: `y_` has to be accepted, `n_` has to
/// be refused, `i_` is left to the implementation. The folder is the one that
/// the environment variable `JSON_TEST_SUITE` names; the corpus of this crate
/// covers the same ground without it.
#[test]
fn json_test_suite() {
    let Some(folder) = std::env::var_os("JSON_TEST_SUITE") else {
        return;
    };
    let mut tape = Tape::new();
    let mut wrong = Vec::new();
    let texts = texts_in(Path::new(&folder));
    for (name, text) in &texts {
        let verdict = tape.parse(text).map_err(|error| error.kind());
        let right = match name.split_once('_').map(|(verdict, _)| verdict) {
            // JSON alone allows these; FHIR does not.
            Some("y") if name.starts_with("y_object_duplicated_key") => {
                verdict.is_err_and(|kind| kind == ErrorKind::DuplicateName)
            }
            Some("y") => verdict.is_ok(),
            Some("n") => verdict.is_err(),
            Some("i") => true,
            _ => false,
        };
        if !right {
            wrong.push(name);
        }
    }
    assert!(texts.len() > 100, "too few texts to be the suite");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
