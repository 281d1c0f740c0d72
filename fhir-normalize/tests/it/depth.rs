//! How deep a resource may be nested.

use fhir_normalize::Normalizer;

use crate::bundles::bundle;
use crate::support::{Visited, preserve, records};

#[test]
fn depth_is_counted_from_the_resource() {
    // The resource is level 1.
    let deep = |levels: usize| {
        let arrays = levels - 1;
        format!(
            r#"{{"resourceType":"Patient","id":"d","x":{}{}}}"#,
            "[".repeat(arrays),
            "]".repeat(arrays)
        )
    };
    let mut normalizer = Normalizer::new(preserve());
    assert_eq!(
        records(&mut normalizer, &deep(128))[0].1.summary(),
        "Patient/d"
    );
    assert!(normalizer.normalize(deep(128).as_bytes()).is_ok());
    for levels in [129, 130, 131, 132, 133, 500, 100_000] {
        let refused = records(&mut normalizer, &deep(levels))[0].1.summary();
        assert_eq!(refused, "!too-deep", "{levels}");
        assert!(normalizer.normalize(deep(levels).as_bytes()).is_err());
    }
    // In a Bundle as well, which is no text to be taken apart where one is
    // deeper.
    for (levels, expected) in [(128, "Patient/d Patient/e"), (129, "!too-deep")] {
        let text = bundle(
            "collection",
            &[
                &format!(r#"{{"resource":{}}}"#, deep(levels)),
                r#"{"resource":{"resourceType":"Patient","id":"e"}}"#,
            ],
        );
        let all = records(&mut normalizer, &text);
        let summary: Vec<_> = all.iter().map(|(_, visited)| visited.summary()).collect();
        assert_eq!(summary.join(" "), expected);
        if let Visited::Refused(rejected) = &all[0].1 {
            assert_eq!(all[0].0, 0..text.len());
            let innermost = text.rfind("[]").expect("brackets");
            assert_eq!(rejected.offset, Some(innermost));
        }
    }
    // One resource, whatever is inside.
    let document = bundle("document", &[&format!(r#"{{"resource":{}}}"#, deep(126))]);
    assert_eq!(
        records(&mut normalizer, &document)[0].1.summary(),
        "!too-deep"
    );
}
