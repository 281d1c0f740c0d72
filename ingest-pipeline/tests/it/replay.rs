//! A replay changes nothing, whatever the input.

use std::collections::HashMap;

use ingest_pipeline::store::{InMemoryStore, RunState, RunStore};
use proptest::prelude::*;

use crate::support::{Folder, content, load};

/// One line of an input: a version of one of a few resources, or its end.
#[derive(Clone, Debug)]
struct Line {
    id: u8,
    /// `None` is a deletion.
    content: Option<u8>,
    conditional: bool,
}

impl Line {
    fn text(&self) -> String {
        let id = self.id;
        let Some(content) = self.content else {
            return format!(
                r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"request":{{"method":"DELETE","url":"Basic/{id}"}}}}]}}"#
            );
        };
        let author = if self.conditional {
            r#","author":{"reference":"Practitioner?identifier=urn:npi|9"}"#
        } else {
            ""
        };
        format!(r#"{{"resourceType":"Basic","id":"{id}","code":{{"text":"{content}"}}{author}}}"#)
    }
}

fn line() -> impl Strategy<Value = Line> {
    let content = prop_oneof![1 => Just(None), 6 => (0..4_u8).prop_map(Some)];
    (0..3_u8, content, prop::bool::weighted(0.2)).prop_map(|(id, content, conditional)| Line {
        id,
        content,
        conditional,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_last_line_of_a_resource_is_what_is_stored(lines in prop::collection::vec(line(), 1..20)) {
        let text: Vec<_> = lines.iter().map(Line::text).collect();
        let folder = Folder::new(&[("a.ndjson", &text.join("\n"))]);
        let mut store = InMemoryStore::new();
        let first = load(&mut store, &folder);
        prop_assert_eq!(first.resources, lines.len() as u64);

        let last: HashMap<_, _> = lines.iter().map(|line| (line.id, line)).collect();
        let after = content(&mut store);
        for (id, line) in last {
            let current = after.iter().rfind(|stored| stored.1 == id.to_string());
            match (&line.content, current) {
                (None, None) => {}
                (None, Some(stored)) => prop_assert!(stored.3, "not deleted"),
                (Some(_), None) => prop_assert!(false, "not stored"),
                (Some(_), Some(stored)) => prop_assert_eq!(&stored.4, &line.text()),
            }
        }
        // Every content of the input is kept in some version.
        for line in lines.iter().filter(|line| line.content.is_some()) {
            prop_assert!(after.iter().any(|stored| stored.4 == line.text()));
        }

        let second = load(&mut store, &folder);
        prop_assert_eq!(second.unchanged, second.resources);
        prop_assert_eq!(second.provenance, 0);
        prop_assert_eq!(content(&mut store), after);
    }
}

#[test]
fn refused_records_are_kept_once_with_their_place() {
    let text = "{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{}}\n\n  {\"id\":\n{\"resourceType\":\"Nonsense\"}";
    let folder = Folder::new(&[("a.ndjson", text)]);
    let mut store = InMemoryStore::new();
    for _ in 0..2 {
        let summary = load(&mut store, &folder);
        assert_eq!(
            (summary.state, summary.quarantined),
            (RunState::Completed, 2)
        );
        let refused = store.quarantined(None, 0, 10).expect("a read");
        assert_eq!(refused.len(), 2);
        for (record, line, reason) in [
            (&refused[0], 3, "invalid-json"),
            (&refused[1], 4, "unknown-resource-type"),
        ] {
            assert_eq!((record.line, record.reason.as_str()), (Some(line), reason));
            let start = record.byte_offset.expect("an offset") as usize;
            assert!(text.as_bytes()[start..].starts_with(&record.body));
        }
    }
}

#[test]
fn a_record_that_waits_may_be_as_deep_as_any_other() {
    // The innermost item is at level 127; what marks its link id as absent
    // goes beyond the limit for input.
    let deepest = r#"{"text":"x"}"#.to_owned();
    let items = (0..62).fold(deepest, |inner, _| {
        format!(r#"{{"linkId":"1","type":"group","item":[{inner}]}}"#)
    });
    let text = format!(
        r#"{{"resourceType":"Questionnaire","id":"q","status":"draft","item":[{items}],"extension":[{{"url":"urn:x","valueReference":{{"reference":"Patient?identifier=a|1"}}}}]}}"#
    );
    let folder = Folder::new(&[("a.ndjson", &text)]);
    let mut store = InMemoryStore::new();
    let first = load(&mut store, &folder);
    assert_eq!(
        (first.resources, first.created, first.remediated),
        (1, 1, 1)
    );
    let second = load(&mut store, &folder);
    assert_eq!((second.resources, second.unchanged), (1, 1));
}
