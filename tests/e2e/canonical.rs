//! Resources in a form in which two can be compared.

use fhir_json::{Edits, Emitter, Tape, Value};

/// `Type/id`, and the resource with its members in order, the digits of its
/// numbers, and without what a server writes into a resource by itself.
pub(crate) fn canonical(line: &str) -> (String, String) {
    let mut tape = Tape::new();
    let document = tape.parse(line.as_bytes()).expect("JSON");
    let root = document.root();
    let mut edits = Edits::new();
    if let Some(meta) = root.get("meta") {
        let of_server = |member: &Value<'_>| {
            let name = member.name();
            name.is_some_and(|name| ["versionId", "lastUpdated"].contains(&&*name))
        };
        match meta.members().all(|member| of_server(&member)) {
            true => edits.remove(meta),
            false => meta
                .members()
                .filter(of_server)
                .for_each(|member| edits.remove(member)),
        }
    }
    let mut text = Vec::new();
    Emitter::new().canonical(root, &edits, &mut text);
    let member = |name| root.get(name).and_then(Value::as_str).expect("a text");
    let key = format!("{}/{}", member("resourceType"), member("id"));
    (key, String::from_utf8(text).expect("UTF-8"))
}
