//! Resources as a server gives them back.

use fhir_json::{Document, Edits, Emitter, Tape};

/// The text without what a server writes into every resource: `meta.versionId`, `meta.lastUpdated`.
pub(super) fn bare(body: &str) -> String {
    let mut tape = Tape::new();
    let Ok(document) = tape.parse(body.as_bytes()) else {
        return body.to_owned();
    };
    let mut text = Vec::new();
    edits(document).apply(document, &mut text);
    String::from_utf8(text).unwrap_or_else(|_| body.to_owned())
}

/// Whether two texts are the same resource but for what servers write into it.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    match (canonical(one), canonical(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// Whether a text is one JSON object, and so can stand in a Bundle without harm.
pub(super) fn is_object(body: &str) -> bool {
    let mut tape = Tape::new();
    let document = tape.parse(body.as_bytes());
    document.is_ok_and(|document| document.root().kind() == fhir_json::Kind::Object)
}

fn canonical(body: &str) -> Option<Vec<u8>> {
    let mut tape = Tape::new();
    let document = tape.parse(body.as_bytes()).ok()?;
    let mut text = Vec::new();
    Emitter::new().canonical(document.root(), &edits(document), &mut text);
    Some(text)
}

fn edits(document: Document<'_>) -> Edits {
    let mut edits = Edits::new();
    let Some(meta) = document.root().get("meta") else {
        return edits;
    };
    let written = |name: &str| matches!(name, "versionId" | "lastUpdated");
    let of_server =
        |member: &fhir_json::Value<'_>| member.name().is_some_and(|name| written(&name));
    if meta.members().all(|member| of_server(&member)) {
        edits.remove(meta);
    } else {
        meta.members()
            .filter(of_server)
            .for_each(|member| edits.remove(member));
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_wrote_is_taken_out() {
        let cases = [
            (
                r#"{"id":"1","meta":{"versionId":"7","lastUpdated":"x"},"v":1.10}"#,
                r#"{"id":"1","v":1.10}"#,
            ),
            (
                r#"{"meta":{"versionId":"7","tag":[{"code":"a"}]},"id":"1"}"#,
                r#"{"meta":{"tag":[{"code":"a"}]},"id":"1"}"#,
            ),
            (r#"{"id":"1"}"#, r#"{"id":"1"}"#),
        ];
        for (given, expected) in cases {
            assert_eq!(bare(given), expected);
            assert!(is_same(given, expected));
        }
        assert!(is_same(r#"{"a":1,"b":2}"#, r#"{ "b":2, "a":1 }"#));
        assert!(!is_same(r#"{"a":1.0}"#, r#"{"a":1.00}"#));
        assert!(!is_same("{", "{"));
    }

    #[test]
    fn only_objects_are_resources() {
        assert!(is_object("{}"));
        for other in ["", "[]", "{},{}", "{}}", "null"] {
            assert!(!is_object(other), "{other}");
        }
    }
}
