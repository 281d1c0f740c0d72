use hl7v2_adt::{Precision, Timestamp};

#[test]
fn precision_and_offset_are_kept_as_written() {
    let cases = [
        ("2024", "2024", Precision::Year, None),
        ("202403", "2024-03", Precision::Month, None),
        ("20240301", "2024-03-01", Precision::Day, None),
        ("2024030110", "2024-03-01T10", Precision::Hour, None),
        ("202403011014", "2024-03-01T10:14", Precision::Minute, None),
        (
            "20240301101459",
            "2024-03-01T10:14:59",
            Precision::Second,
            None,
        ),
        (
            "20240301101459+0000",
            "2024-03-01T10:14:59Z",
            Precision::Second,
            Some(0),
        ),
        (
            "20240301101459-0330",
            "2024-03-01T10:14:59-03:30",
            Precision::Second,
            Some(-210),
        ),
        (
            "20240301101459-0030",
            "2024-03-01T10:14:59-00:30",
            Precision::Second,
            Some(-30),
        ),
        (
            "202403011014+0545",
            "2024-03-01T10:14+05:45",
            Precision::Minute,
            Some(345),
        ),
        (
            "20240301101459.1234+0100",
            "2024-03-01T10:14:59.1234+01:00",
            Precision::Fraction(4),
            Some(60),
        ),
        (
            "20240301101459.123456-0500",
            "2024-03-01T10:14:59.123456-05:00",
            Precision::Fraction(6),
            Some(-300),
        ),
        (
            "20240301101459.0",
            "2024-03-01T10:14:59.0",
            Precision::Fraction(1),
            None,
        ),
        (
            "19000101-1200",
            "1900-01-01-12:00",
            Precision::Day,
            Some(-720),
        ),
    ];
    for (text, iso, precision, offset) in cases {
        let time = Timestamp::parse(text).unwrap();
        assert_eq!(time.to_string(), iso);
        assert_eq!(
            (time.precision(), time.offset()),
            (precision, offset),
            "{text}"
        );
        assert_eq!(time.to_hl7(), text);
    }
    assert_eq!(
        Timestamp::parse(" 20240301101459+05 ").unwrap().offset(),
        Some(300)
    );
}

#[test]
fn what_is_no_time_is_none() {
    for text in [
        "",
        "\"\"",
        "24",
        "20241",
        "20241301",
        "20240230",
        "20230229",
        "2024030124",
        "202403011060",
        "20240301101461",
        "20240301101459.",
        "20240301.5",
        "20240301101459+9999",
        "20240301101459+1",
        "2024010115304512",
        "2024-03-01",
        "20240301101459Z",
        "２０２４",
        "2024030é",
        "20240301+é",
        "+0100",
        "20240301101459.é+0100",
    ] {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
    assert!(Timestamp::parse("20240229").is_some());
    assert!(Timestamp::parse("19000229").is_none());
}

#[test]
fn seconds_since_1970_go_both_ways() {
    for (seconds, text) in [
        (0, "19700101000000+0000"),
        (-1, "19691231235959+0000"),
        (1_709_288_099, "20240301101459+0000"),
        (951_782_400, "20000229000000+0000"),
        (-2_203_891_201, "19000228235959+0000"),
        (-2_203_891_200, "19000301000000+0000"),
        (253_402_300_799, "99991231235959+0000"),
    ] {
        let time = Timestamp::from_unix(seconds);
        assert_eq!(time.to_hl7(), text);
        assert_eq!(time.to_unix(60), seconds);
    }
    assert_eq!(
        Timestamp::from_unix(i64::MAX).to_hl7(),
        "99991231235959+0000"
    );
    assert_eq!(
        Timestamp::from_unix(i64::MIN).to_hl7(),
        "00000101000000+0000"
    );
    let local = Timestamp::parse("20240301101459").unwrap();
    assert_eq!(local.to_unix(60), 1_709_288_099 - 3600);
    let year = Timestamp::parse("2024").unwrap();
    assert_eq!(
        (year.to_unix(0), year.date()),
        (1_704_067_200, (2024, 1, 1))
    );
}
