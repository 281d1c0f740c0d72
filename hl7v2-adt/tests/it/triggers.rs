use hl7v2_adt::{IdentityEffect, Level, PatientCount, TriggerEvent};

fn all() -> impl Iterator<Item = TriggerEvent> {
    (1..=62).map(|number| TriggerEvent::from_code(&format!("A{number:02}")))
}

fn codes(with: impl Fn(TriggerEvent) -> bool) -> String {
    let codes: Vec<_> = all()
        .filter(|&event| with(event))
        .map(TriggerEvent::code)
        .collect();
    codes.join(" ")
}

#[test]
fn codes_lead_to_events_and_back() {
    for (number, event) in (1..).zip(all()) {
        assert_eq!(event.code(), format!("A{number:02}"));
        assert!(!event.meaning().is_empty());
    }
    for code in [
        "", "A", "A1", "A00", "A63", "A001", "a01", "R01", "A+1", "A０１", "ADT_A01",
    ] {
        assert_eq!(TriggerEvent::from_code(code), TriggerEvent::Other, "{code}");
    }
    assert_eq!(TriggerEvent::Other.code(), "");
}

#[test]
fn effects_on_identity_are_those_of_chapter_3() {
    let with = |effect| codes(move |event| event.identity_effect() == effect);
    assert_eq!(
        with(IdentityEffect::Merge),
        "A18 A30 A34 A35 A36 A39 A40 A41 A42"
    );
    assert_eq!(with(IdentityEffect::Link), "A24");
    assert_eq!(with(IdentityEffect::Unlink), "A37");
    assert_eq!(with(IdentityEffect::Move), "A43 A44 A45");
    assert_eq!(
        with(IdentityEffect::ChangeId),
        "A06 A07 A46 A47 A48 A49 A50 A51"
    );
    assert_eq!(with(IdentityEffect::Create), "A28");
    assert_eq!(with(IdentityEffect::Delete), "A23 A29");
    assert_eq!(TriggerEvent::Other.identity_effect(), IdentityEffect::None);
}

#[test]
fn patients_and_levels_are_those_of_chapter_3() {
    let naming = |count| codes(move |event| event.patients() == count);
    assert_eq!(naming(PatientCount::None), "A19 A20");
    assert_eq!(naming(PatientCount::Two), "A17 A24 A37");
    assert_eq!(naming(PatientCount::Groups), "A39 A40 A41 A42 A43 A44");
    let about = |level| codes(move |event| event.level() == level);
    assert_eq!(about(Some(Level::Account)), "A35 A41 A44 A49");
    assert_eq!(about(Some(Level::Person)), "A28 A29 A30 A31 A39");
    assert_eq!(about(Some(Level::Bed)), "A20");
    assert_eq!(about(None), "A56 A57 A58 A59");
    assert_eq!(
        codes(TriggerEvent::is_withdrawn),
        "A18 A19 A30 A34 A35 A36 A39 A46 A48"
    );
}

#[test]
fn structures_depend_on_the_version() {
    let cases = [
        ("A01", "2.5.1", Some("ADT_A01")),
        ("A04", "2.5.1", Some("ADT_A01")),
        ("A04", "2.3.1", Some("ADT_A04")),
        ("A04", "2.1", Some("ADT_A04")),
        ("A40", "2.5", Some("ADT_A39")),
        ("A47", "2.6", Some("ADT_A30")),
        ("A47", "2.7", Some("ADT_A44")),
        ("A47", "2.9.1", Some("ADT_A44")),
        ("A39", "2.7", Some("ADT_A39")),
        ("A39", "2.9", None),
        ("A61", "2.3", None),
        ("A34", "2.7", None),
        ("A56", "2.5.1", None),
        ("A01", "", Some("ADT_A01")),
        ("A01", "nonsense", Some("ADT_A01")),
    ];
    for (code, version, expected) in cases {
        assert_eq!(
            TriggerEvent::from_code(code).structure(version),
            expected,
            "{code} {version}"
        );
    }
}
