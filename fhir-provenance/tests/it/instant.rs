use fhir_provenance::{EARLIEST, LATEST, write_instant};
use proptest::prelude::*;

fn text(milliseconds: i64) -> String {
    let mut out = Vec::new();
    write_instant(milliseconds, &mut out);
    String::from_utf8(out).expect("an instant is ASCII")
}

#[test]
fn known_instants() {
    let cases = [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z"),
        // 1900 was no leap year.
        (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
        (-2_203_891_200_001, "1900-02-28T23:59:59.999Z"),
        (1_767_323_045_678, "2026-01-02T03:04:05.678Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (EARLIEST, "0001-01-01T00:00:00.000Z"),
        (LATEST, "9999-12-31T23:59:59.999Z"),
        (EARLIEST - 1, "0001-01-01T00:00:00.000Z"),
        (LATEST + 1, "9999-12-31T23:59:59.999Z"),
        (i64::MIN, "0001-01-01T00:00:00.000Z"),
        (i64::MAX, "9999-12-31T23:59:59.999Z"),
    ];
    for (milliseconds, expected) in cases {
        assert_eq!(text(milliseconds), expected, "{milliseconds}");
    }
}

proptest! {
    /// Fixed-width fields make the order of the texts that of the times.
    #[test]
    fn order_is_kept(a in EARLIEST..=LATEST, b in EARLIEST..=LATEST) {
        prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
    }

    #[test]
    fn one_day_later_keeps_the_time_of_day(a in EARLIEST..=(LATEST - 86_400_000)) {
        let (today, tomorrow) = (text(a), text(a + 86_400_000));
        prop_assert_eq!(&today[10..], &tomorrow[10..]);
        prop_assert_ne!(&today[..10], &tomorrow[..10]);
    }
}
