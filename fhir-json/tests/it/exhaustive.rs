//! All short texts there are.

use crate::properties::assert_verdict;

#[test]
fn every_text_of_up_to_two_bytes() {
    assert_verdict(b"");
    for first in 0..=255 {
        assert_verdict(&[first]);
        for second in 0..=255 {
            assert_verdict(&[first, second]);
        }
    }
}

#[test]
fn every_two_bytes_in_a_string() {
    for first in 0..=255 {
        for second in 0..=255 {
            assert_verdict(&[b'"', first, second, b'"']);
        }
    }
}

#[test]
fn every_short_text_over_the_alphabet_of_structure() {
    every_text(5, b"{}[],:\"\\ a0");
    every_text(7, b"[]{},0");
}

#[test]
fn every_short_text_over_the_alphabet_of_numbers() {
    every_text(6, b"-+.eE01 ");
}

#[test]
fn every_object_of_three_short_names() {
    const NAMES: [&str; 9] = [
        "", "a", "b", "aa", r"\u0061", r"\u0061a", r"\n", r"\u000a", r"\u000A",
    ];
    for first in NAMES {
        for second in NAMES {
            for third in NAMES {
                let text = format!(r#"{{"{first}":0,"{second}":{{"{third}":1}},"{third}":2}}"#);
                assert_verdict(text.as_bytes());
            }
        }
    }
}

fn every_text(longest: usize, alphabet: &[u8]) {
    let mut texts = vec![Vec::new()];
    for _ in 0..longest {
        texts = texts
            .iter()
            .flat_map(|text| {
                alphabet
                    .iter()
                    .map(|&byte| [text.as_slice(), &[byte]].concat())
            })
            .collect();
        texts.iter().for_each(|text| assert_verdict(text));
    }
}
