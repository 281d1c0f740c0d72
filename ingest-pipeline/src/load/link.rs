//! `Patient.link` of type `replaced-by`
//! ([R4](https://hl7.org/fhir/R4/patient-definitions.html#Patient.link)),
//! read and changed in the text of a record, of which all else stays.

use fhir_json::{Document, Edits, HIGHEST_MAX_DEPTH, Kind, Tape, Value};

/// What `link` has where a patient was replaced.
const REPLACED: &str = "replaced-by";

/// The references to those who replace a patient; `None` for a link that names
/// no resource.
pub(crate) fn replaced_by(patient: Value<'_>) -> impl Iterator<Item = Option<String>> {
    links(patient).map(|link| {
        let reference = link.pointer("/other/reference")?.as_str()?;
        Some(reference.into_owned())
    })
}

/// A Patient with one more link, to `reference`; `None` where it has that one,
/// and for what is no record.
pub(crate) fn with_link(text: &str, reference: &str) -> Option<String> {
    let mut tape = Tape::new();
    let root = parse(&mut tape, text)?.root();
    if replaced_by(root).any(|own| own.as_deref() == Some(reference)) {
        return None;
    }
    let reference = serde_json::Value::from(reference);
    let link = format!(r#"{{"other":{{"reference":{reference}}},"type":"{REPLACED}"}}"#);
    let at = root.span();
    let (place, new) = match root.get("link") {
        None if root.is_empty() => (at.start + 1..at.start + 1, format!(r#""link":[{link}]"#)),
        None => (at.start + 1..at.start + 1, format!(r#""link":[{link}],"#)),
        Some(own) if own.kind() == Kind::Array && !own.is_empty() => {
            let end = own.span().end - 1;
            (end..end, format!(",{link}"))
        }
        Some(own) if own.kind() == Kind::Object && !own.is_empty() => {
            (own.span(), format!("[{},{link}]", own.raw()))
        }
        Some(own) => (own.span(), format!("[{link}]")),
    };
    Some([&text[..place.start], &new, &text[place.end..]].concat())
}

/// A Patient without its links to who has replaced it; `None` where it has
/// none.
pub(crate) fn without_links(text: &str) -> Option<String> {
    // Nearly no patient was merged away.
    memchr::memmem::find(text.as_bytes(), REPLACED.as_bytes())?;
    let mut tape = Tape::new();
    let document = parse(&mut tape, text)?;
    let root = document.root();
    let mut edits = Edits::new();
    let count = links(root).map(|link| edits.remove(link)).count();
    let own = root.get("link")?;
    if count == own.elements_or_self().count() {
        edits.clear();
        edits.remove(own);
    }
    if count == 0 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    edits.apply(document, &mut out);
    String::from_utf8(out).ok()
}

/// `meta.lastUpdated`, where it can be read.
pub(crate) fn last_updated(text: &str) -> Option<jiff::Timestamp> {
    let mut tape = Tape::new();
    let root = parse(&mut tape, text)?.root();
    let instant = root.pointer("/meta/lastUpdated")?.as_str()?;
    instant.parse().ok()
}

fn links(patient: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    let links = patient.get("link").into_iter();
    links
        .flat_map(Value::elements_or_self)
        .filter(|link| link.get("type").is_some_and(|kind| kind.is_str(REPLACED)))
}

/// Marks of absence may have nested a stored record deeper than one is that
/// comes in.
fn parse<'a>(tape: &'a mut Tape, text: &'a str) -> Option<Document<'a>> {
    let document = tape.parse_nested(text.as_bytes(), HIGHEST_MAX_DEPTH).ok()?;
    (document.root().kind() == Kind::Object).then_some(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = r#"{"other":{"reference":"Patient/b"},"type":"replaced-by"}"#;

    #[test]
    fn a_link_is_added_and_all_else_stays() {
        let other = r#"{"other":{"reference":"Patient/x"},"type":"seealso"}"#;
        for (text, expected) in [
            ("{}", format!(r#"{{"link":[{NEW}]}}"#)),
            (
                r#"{ "id" : "a", "x": 1.00 }"#,
                format!(r#"{{"link":[{NEW}], "id" : "a", "x": 1.00 }}"#),
            ),
            (r#"{"link":[]}"#, format!(r#"{{"link":[{NEW}]}}"#)),
            (
                r#"{"link":null,"a":1}"#,
                format!(r#"{{"link":[{NEW}],"a":1}}"#),
            ),
            (
                &format!(r#"{{"link": [ {other} ] }}"#),
                format!(r#"{{"link": [ {other} ,{NEW}] }}"#),
            ),
            (
                &format!(r#"{{"link":{other}}}"#),
                format!(r#"{{"link":[{other},{NEW}]}}"#),
            ),
        ] {
            let marked = with_link(text, "Patient/b").expect(text);
            assert_eq!(marked, expected);
            assert_eq!(with_link(&marked, "Patient/b"), None, "once is enough");
            let back = without_links(&marked).expect(text);
            assert!(!back.contains("replaced-by"), "{back}");
            assert_eq!(back.contains("seealso"), text.contains("seealso"));
            assert_eq!(without_links(&back), None);
        }
    }

    #[test]
    fn what_is_no_record_is_left_alone() {
        for text in ["", "[]", "7", "{", r#"{"a":1,"a":2}"#] {
            assert_eq!(with_link(text, "Patient/b"), None);
            assert_eq!(without_links(text), None);
            assert_eq!(last_updated(text), None);
        }
        assert_eq!(without_links(r#"{"link":[],"x":"replaced-by"}"#), None);
        let odd = with_link("{}", "Patient/\"\n").expect("a link");
        assert!(odd.contains(r#""Patient/\"\n""#), "{odd}");
    }
}
