//! The content hash: what it is of, and what it is not of.

use crate::support::{hash, normalized, preserve};

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","active":true}"#;

#[test]
fn texts_of_one_content() {
    for (one, other) in [
        // White space, order, escapes.
        (
            PATIENT,
            "\t{ \"active\" : true ,\r\n\"id\":\"p\", \"resourceType\":\"Patient\" } ",
        ),
        (
            PATIENT,
            r#"{"\u0072esourceType":"P\u0061tient","id":"\u0070","active":true}"#,
        ),
        (
            r#"{"resourceType":"Patient","id":"p","name":[{"family":"a/é\u0001\n\"😀"}]}"#,
            r#"{"resourceType":"Patient","id":"p","name":[{"family":"a\/\u00E9\u0001\u000a\u0022\ud83d\ude00"}]}"#,
        ),
        // What servers change by themselves.
        (
            PATIENT,
            r#"{"resourceType":"Patient","id":"p","active":true,"meta":{"versionId":"7"}}"#,
        ),
        (
            PATIENT,
            r#"{"resourceType":"Patient","id":"p","active":true,"meta":{"lastUpdated":"2024-01-01T00:00:00Z"}}"#,
        ),
        (
            PATIENT,
            r#"{"resourceType":"Patient","id":"p","active":true,"meta":{"versionId":"7","lastUpdated":"2024-01-01T00:00:00Z"}}"#,
        ),
        (
            PATIENT,
            r#"{"resourceType":"Patient","id":"p","active":true,"meta":{}}"#,
        ),
        (
            r#"{"resourceType":"Patient","id":"p","meta":{"tag":[{"code":"t"}]}}"#,
            r#"{"resourceType":"Patient","id":"p","meta":{"versionId":"1","tag":[{"code":"t"}],"lastUpdated":"2024-01-01T00:00:00Z"}}"#,
        ),
        // Narrative.
        (
            PATIENT,
            r#"{"resourceType":"Patient","id":"p","active":true,"text":{"status":"generated","div":"<div>x</div>"}}"#,
        ),
        (
            r#"{"resourceType":"Patient","id":"p","contained":[{"resourceType":"Organization","id":"o"},{"resourceType":"Group"}]}"#,
            r#"{"resourceType":"Patient","id":"p","contained":[{"resourceType":"Organization","id":"o","text":{"div":"x"}},{"text":null,"resourceType":"Group"}]}"#,
        ),
        (
            r#"{"resourceType":"Patient","id":"p","contained":{"resourceType":"Organization"}}"#,
            r#"{"resourceType":"Patient","id":"p","contained":{"resourceType":"Organization","text":{}}}"#,
        ),
        // Normalized before it is hashed.
        (
            r#"{"resourceType":"Group","id":"p","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/1"}}]}"#,
            r#"{"resourceType":"Group","id":"p","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/1/_history/2"}}]}"#,
        ),
        (
            r#"{"resourceType":"Observation","id":"p","code":{"text":"x"}}"#,
            r#"{"resourceType":"Observation","id":"p","code":{"text":"x"},"status":"unknown"}"#,
        ),
        (
            r#"{"resourceType":"Observation","id":"p","code":{"text":"x"},"status":null}"#,
            r#"{"resourceType":"Observation","id":"p","code":{"text":"x"},"_status":{}}"#,
        ),
        (
            r#"{"resourceType":"Patient","id":"7"}"#,
            r#"{"resourceType":"Patient","id":7}"#,
        ),
    ] {
        for settings in [preserve, hash] {
            let (one, other) = (normalized(settings(), one), normalized(settings(), other));
            assert_eq!(one.1, other.1, "{} {}", one.0, other.0);
        }
    }
}

#[test]
fn texts_of_two_contents() {
    let number = |digits: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"p","status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":{digits}}}}}"#
        )
    };
    let numbers: Vec<_> = ["1", "1.0", "1.00", "1e0", "1E0", "10e-1", "-0", "0", "0.0"]
        .map(number)
        .into();
    for (at, one) in numbers.iter().enumerate() {
        for other in &numbers[..at] {
            assert_ne!(
                normalized(preserve(), one).1,
                normalized(preserve(), other).1,
                "{one} {other}"
            );
        }
    }
    for other in [
        r#"{"resourceType":"Patient","id":"p","active":false}"#,
        r#"{"resourceType":"Patient","id":"p","active":"true"}"#,
        r#"{"resourceType":"Patient","id":"P","active":true}"#,
        r#"{"resourceType":"Person","id":"p","active":true}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"x":null}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"name":[]}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"meta":null}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"meta":{"source":"urn:x"}}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"meta":{"tag":[]}}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"versionId":"7"}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"_text":{}}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"link":[{"text":"x"}]}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"link":[{"meta":{"versionId":"7"}}]}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"contained":[{"resourceType":"Group","meta":{"versionId":"7"}}]}"#,
        r#"{"resourceType":"Patient","id":"p","active":true,"contained":[{"resourceType":"Group","contained":[{"text":"x"}]}]}"#,
    ] {
        assert_ne!(
            normalized(preserve(), PATIENT).1,
            normalized(preserve(), other).1,
            "{other}"
        );
    }
    // What is left out of one contained resource is not left out below it.
    let contained = |inner: &str| {
        format!(
            r#"{{"resourceType":"Patient","id":"p","contained":[{{"resourceType":"Group",{inner}}}]}}"#
        )
    };
    for (one, other) in [
        (r#""meta":{"versionId":"1"}"#, r#""meta":{"versionId":"2"}"#),
        (r#""code":{"text":"a"}"#, r#""code":{"text":"b"}"#),
        (r#""name":"a""#, r#""name":"b""#),
    ] {
        assert_ne!(
            normalized(preserve(), &contained(one)).1,
            normalized(preserve(), &contained(other)).1
        );
    }
    // The order of elements is content.
    let names = |list: &str| format!(r#"{{"resourceType":"Patient","id":"p","name":[{list}]}}"#);
    assert_ne!(
        normalized(preserve(), &names(r#"{"family":"a"},{"family":"b"}"#)).1,
        normalized(preserve(), &names(r#"{"family":"b"},{"family":"a"}"#)).1
    );
}

#[test]
fn what_the_hash_leaves_out_is_stored() {
    let text = r#"{"resourceType":"Patient","id":"p","text":{"div":"x"},"meta":{"versionId":"7","lastUpdated":"y"},"contained":[{"resourceType":"Group","text":{"div":"z"}}]}"#;
    assert_eq!(normalized(preserve(), text).0, text);
}
