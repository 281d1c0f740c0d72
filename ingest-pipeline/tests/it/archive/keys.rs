//! Names of messages, and the key that seals them.

use std::path::{Component, Path};

use ingest_pipeline::archive::{ArchiveKey, RawKey};
use ingest_pipeline::{Error, ErrorKind};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn name(facility: &[u8], control_id: &[u8]) -> String {
    RawKey::new("acme", date(2026, 3, 9), facility, control_id, b"x").to_string()
}

/// First half of the SHA-256 of `x`, by `sha256sum`.
const X: &str = "2d711642b726b044";

#[test]
fn names_show_facility_and_control_id() {
    let long = "F".repeat(70);
    let escapes = "ü".repeat(40);
    let cut = |value: &str| {
        let digest = Sha256::digest(value.as_bytes());
        let digits: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        format!("~{digits}")
    };
    let cases: &[(&[u8], &[u8], String)] = &[
        (b"HOSP", b"MSG1", format!("HOSP/MSG1-{X}")),
        (b"HOSP", b"", format!("HOSP/{X}")),
        (b"", b"-", format!("-/%2D-{X}")),
        (b"-", b"a-b", format!("%2D/a-b-{X}")),
        (b"none", b"0", format!("none/0-{X}")),
        (b"GOOD HEALTH", b"1", format!("GOOD%20HEALTH/1-{X}")),
        (b"1.2.840", b"1", format!("1.2.840/1-{X}")),
        (b"..", b"..", format!("%2E./%2E.-{X}")),
        (b".", b".part", format!("%2E/%2Epart-{X}")),
        (
            b"../../etc",
            b"/etc/passwd",
            format!("%2E.%2F..%2Fetc/%2Fetc%2Fpasswd-{X}"),
        ),
        (b"a\\b", b"c:d", format!("a%5Cb/c%3Ad-{X}")),
        (b"\0\r\n\x1b", b"%2F~", format!("%00%0D%0A%1B/%252F%7E-{X}")),
        (
            "Zürich".as_bytes(),
            b"Z\xFCrich",
            format!("Z%C3%BCrich/Z%FCrich-{X}"),
        ),
        (
            long.as_bytes(),
            b"1",
            format!("{}{}/1-{X}", "F".repeat(47), cut(&long)),
        ),
        // Of the eighth `ü`, one byte would be left.
        (
            b"a",
            escapes.as_bytes(),
            format!("a/{}{}-{X}", "%C3%BC".repeat(7) + "%C3", cut(&escapes)),
        ),
    ];
    for (facility, control_id, expected) in cases {
        let name = name(facility, control_id);
        assert_eq!(name, format!("acme/2026/03/09/{expected}.hl7"));
        assert_eq!(RawKey::parse(&name).expect(&name).as_str(), name);
    }
}

#[test]
fn the_name_of_a_tenant_is_one_folder() {
    let cases = [
        ("", "-"),
        (".", "%2E"),
        ("..", "%2E."),
        ("/etc", "%2Fetc"),
        ("a/../../b", "a%2F..%2F..%2Fb"),
        ("..\\b", "%2E.%5Cb"),
        ("a\0", "a%00"),
        ("-rf", "%2Drf"),
        // No trouble where this runs, and the archive may move.
        ("CON", "CON"),
        // What looks alike stays apart: `/`, two dots, composed and decomposed.
        ("a\u{2215}b", "a%E2%88%95b"),
        ("\u{2025}", "%E2%80%A5"),
        ("\u{e9}", "%C3%A9"),
        ("e\u{301}", "e%CC%81"),
    ];
    for (tenant, expected) in cases {
        let key = RawKey::new(tenant, date(2026, 3, 9), b"H", b"1", b"x");
        assert_eq!(key.as_str(), format!("{expected}/2026/03/09/H/1-{X}.hl7"));
    }
    // The longest of everything still is a name that file systems take.
    let long = "\u{e9}".repeat(1000);
    let key = RawKey::new(&long, Date::MAX, long.as_bytes(), long.as_bytes(), b"x");
    assert!(
        key.as_str().split('/').all(|part| part.len() <= 143),
        "{key}"
    );
}

#[test]
fn years_have_four_digits() {
    let year = |date: Date| RawKey::new("", date, b"", b"", b"x").to_string();
    assert_eq!(year(date(1, 2, 3)), format!("-/0001/02/03/-/{X}.hl7"));
    assert_eq!(year(Date::MAX), format!("-/9999/12/31/-/{X}.hl7"));
    let before = year(Date::MIN);
    assert_eq!(before, format!("-/0000/01/01/-/{X}.hl7"));
    assert!(RawKey::parse(&before).is_ok());
}

#[test]
fn other_texts_are_refused() {
    let good = format!("acme/2026/03/09/HOSP/MSG1-{X}.hl7");
    assert!(RawKey::parse(&good).is_ok());
    let changed = |from: &str, to: &str| good.replacen(from, to, 1);
    let cases = [
        String::new(),
        "/".to_owned(),
        format!("/{good}"),
        format!("./{good}"),
        format!("{good}/"),
        format!("{good}\n"),
        format!("x/{good}"),
        changed("acme/", ""),
        changed("acme", ""),
        changed("acme", ".."),
        changed("acme", "."),
        changed("acme", "--help"),
        changed("acme", "a%2fb"),
        changed("acme", "%61cme"),
        changed("acme", "%2"),
        changed("acme", "%+1"),
        changed("acme", "a b"),
        changed("acme", "a\\b"),
        changed("acme", "C:"),
        changed("acme", "\u{fc}"),
        changed("acme", &"a".repeat(65)),
        changed("acme", "a~0123456789abcdef"),
        changed("acme", &format!("{}~0123456789abcdeF", "a".repeat(47))),
        changed("2026", "26"),
        changed("2026", "+026"),
        changed("/03/", "/13/"),
        changed("/03/", "/3/"),
        changed("/03/09/", "/02/30/"),
        changed("HOSP", ""),
        changed("HOSP", ".."),
        changed("MSG1-", "-"),
        changed("MSG1-", "--"),
        changed("MSG1", ".."),
        changed(X, "2D711642B726B044"),
        changed(X, &X[1..]),
        changed(".hl7", ""),
        changed(".hl7", ".HL7"),
    ];
    for text in cases {
        let error = RawKey::parse(&text).expect_err(&text);
        assert!(matches!(error, Error::RawKey), "{text}");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.hint().is_some());
    }
}

#[test]
fn keys_are_64_digits_and_not_shown() {
    let digits = "00".repeat(31) + "fE";
    let key = ArchiveKey::from_hex(&digits).unwrap();
    assert_eq!(format!("{key:?}"), "ArchiveKey(…)");
    for text in [
        "",
        &digits[1..],
        &digits[2..],
        &format!("{digits}0"),
        &format!("{digits}00"),
        &format!(" {}", &digits[1..]),
        &digits.replace('f', "g"),
        &digits.replace("00", "+0"),
        &digits.replacen("00", "é", 1),
    ] {
        assert!(ArchiveKey::from_hex(text).is_none(), "{text:?}");
    }
}

/// Bytes that are likely to be trouble.
fn outside() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        prop::collection::vec(prop::sample::select(&b"./\\%~-:\0 aF2\xC3"[..]), 0..100),
    ]
}

proptest! {
    #[test]
    fn a_name_stays_in_its_folder(
        tenant: String,
        days in -700_000..2_900_000_i32,
        facility in outside(),
        control_id in outside(),
        message in outside(),
    ) {
        let day = date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
        let key = RawKey::new(&tenant, day, &facility, &control_id, &message);
        let parts: Vec<_> = Path::new(key.as_str()).components().collect();
        prop_assert_eq!(parts.len(), 6);
        for part in parts {
            let Component::Normal(part) = part else {
                return Err(TestCaseError::fail(format!("{part:?} in {key}")));
            };
            let part = part.to_str().unwrap();
            prop_assert!(part.len() <= 85 && !part.starts_with('.'), "{}", part);
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%".contains(&b);
            prop_assert!(part.bytes().all(is_plain), "{}", part);
        }
        prop_assert_eq!(&RawKey::parse(key.as_str()).unwrap(), &key);
        prop_assert_eq!(key, RawKey::new(&tenant, day, &facility, &control_id, &message));
    }

    #[test]
    fn different_values_have_different_names(a in outside(), b in outside()) {
        prop_assume!(a != b);
        prop_assert_ne!(name(&a, b"1"), name(&b, b"1"));
        prop_assert_ne!(name(b"1", &a), name(b"1", &b));
        prop_assert_ne!(name(&a, &b), name(&b, &a));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z./%~0-9-]{0,120}|\\PC*") {
        if let Ok(key) = RawKey::parse(&text) {
            prop_assert_eq!(key.as_str(), text);
        }
    }
}
