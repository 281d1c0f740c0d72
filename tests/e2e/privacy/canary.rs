//! Texts that occur nowhere by chance, and the search for them in every form in
//! which a program may write them down.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::util::JWT;

pub(super) const FAMILY: &str = "Zebulonqvist";
pub(super) const GIVEN: &str = "Marigoldinex";
pub(super) const MRN: &str = "QXMRN48151623";
/// The id of a resource, which is legal and no record number.
pub(super) const ID: &str = "qxid-77Wk3Tz9";
pub(super) const IDENTIFIER: &str = "QXIDENT90210455";
pub(super) const ADDRESS: &str = "Wombatstrasse77";
pub(super) const PHONE: &str = "0699QX1238804";
pub(super) const DISPLAY: &str = "DrQuillfeather";
pub(super) const NOTE: &str = "Coughsblueink";
pub(super) const KIN: &str = "Nextkinvexley";
pub(super) const CLIENT_SECRET: &str = "clientsecretQx1v8z";
pub(super) const TOKEN: &str = "tokenQx9u2LmTyW44kPz";
pub(super) const PASSPHRASE: &str = "OrchidQx55Velvet91";
pub(super) const BUCKET_SECRET: &str = "bucketsecretQx7Hh21";
pub(super) const HEADER: &str = "headersecretQx3Nn90";
/// An `id_key`, which has to be hexadecimal.
pub(super) const ID_KEY: &str = "c0ffee5eed1dbadcc0ffee5eed1dbad7c0ffee5eed1dbad7";
/// A `key_file` of a ring of keys.
pub(super) const RING_KEY: &str =
    "0ddba11f00d5caffe1dec0debada55e5cab1efacedfeed5eab0bb1e5a1dba5ed";
/// A private key on P-384.
pub(super) const PEM: &str = include_str!("../../data/keys/p384.pem");

const TEXTS: &[&str] = &[
    FAMILY,
    GIVEN,
    MRN,
    ID,
    IDENTIFIER,
    ADDRESS,
    PHONE,
    DISPLAY,
    NOTE,
    KIN,
    CLIENT_SECRET,
    TOKEN,
    PASSPHRASE,
    BUCKET_SECRET,
    HEADER,
    ID_KEY,
    RING_KEY,
];

/// Members of a JWK that only private keys have (RFC 7518, section 6).
const PRIVATE: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];

/// What is shown of a text that is cut off.
const PART: usize = 8;

/// Every canary in one text, as a server may send it that echoes what it has.
pub(super) fn all() -> String {
    TEXTS.join(" ")
}

/// The private key as a JWK.
pub(super) fn jwk() -> Value {
    let der = der();
    // It ends with the coordinates of the public key.
    let (x, y) = der[der.len() - 96..].split_at(48);
    let [d, x, y] = [private(&der), x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
    json!({"kty": "EC", "crv": "P-384", "alg": "ES384", "d": d, "x": x, "y": y})
}

/// The first canary in these bytes, also where they are compressed: what, in
/// which form, and where. Of JWTs the beginning of a header is enough.
pub(super) fn find(bytes: &[u8]) -> Option<String> {
    let mut unpacked = Vec::new();
    if bytes.starts_with(b"\x1F\x8B") {
        // A stream that is cut has what comes before the cut.
        let _ = MultiGzDecoder::new(bytes).read_to_end(&mut unpacked);
    }
    let find = |bytes: &[u8]| {
        let folded = bytes.to_ascii_lowercase();
        let found = FOLDED.first_in(&folded);
        found.or_else(|| EXACT.first_in(bytes))
    };
    find(bytes).or_else(|| find(&unpacked))
}

#[track_caller]
pub(super) fn assert_none(what: &str, bytes: &[u8]) {
    if let Some(found) = find(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let text: String = text.chars().take(6_000).collect();
        panic!("{what} has {found}:\n{text}");
    }
}

/// Forms whose case doesn't matter.
static FOLDED: LazyLock<Needles> = LazyLock::new(|| {
    let mut needles = Needles::default();
    for text in TEXTS {
        let bytes = text.to_ascii_lowercase().into_bytes();
        needles.add(text, "as it is", &bytes[..PART]);
        needles.add(text, "as it is", &bytes[bytes.len() - PART..]);
        let wide: Vec<u8> = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
        needles.add(text, "UTF-16", &wide);
        let each = |of: fn(&u8) -> String| text.as_bytes().iter().map(of).collect::<String>();
        let percent = each(|byte| format!("%{byte:02x}"));
        needles.add(text, "with percent signs", percent.as_bytes());
        let escaped = each(|byte| format!("\\u{byte:04x}"));
        needles.add(text, "escaped", escaped.as_bytes());
    }
    for (name, bytes) in secrets() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        needles.add(&name, "hexadecimal", hex.as_bytes());
        for between in [",", ", "] {
            let list: Vec<_> = bytes.iter().map(u8::to_string).collect();
            needles.add(&name, "a list of bytes", list.join(between).as_bytes());
        }
    }
    // A hint may say what the line has to be; a key goes on after it.
    for end in ["\n", "\r", "\\n", "\\r"] {
        let line = format!("private key-----{end}");
        needles.add("a key", "PEM", line.as_bytes());
    }
    for member in PRIVATE {
        for quote in ["\"", "\\\""] {
            let name = format!("\"{member}{quote}:");
            needles.add("a key", "JWK", name.as_bytes());
        }
    }
    needles
});

/// Forms that another case would make something else of.
static EXACT: LazyLock<Needles> = LazyLock::new(|| {
    let mut needles = Needles::default();
    for (name, bytes) in secrets() {
        needles.add(&name, "as it is", &bytes);
        for before in 0..3 {
            for engine in [STANDARD, URL_SAFE] {
                // What the bytes around it have no part in.
                let padded = [&vec![0; before], bytes.as_slice()].concat();
                let encoded = engine.encode(&padded);
                let own = [0, 2, 3][before]..padded.len() / 3 * 4;
                needles.add(&name, "Base64", &encoded.as_bytes()[own]);
            }
        }
    }
    for line in PEM.lines().filter(|line| !line.starts_with('-')) {
        needles.add("a key", "PEM", line.as_bytes());
    }
    // An assertion.
    for part in JWT {
        needles.add("a JWT", "signed", part.as_bytes());
    }
    needles
});

/// All canaries as bytes, with those that texts stand for.
fn secrets() -> Vec<(String, Vec<u8>)> {
    let texts = TEXTS.iter();
    let mut secrets: Vec<_> = texts
        .map(|text| ((*text).to_owned(), text.as_bytes().to_vec()))
        .collect();
    for (name, text) in [("the id key", ID_KEY), ("the ring's key", RING_KEY)] {
        let digits = text.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<_>> = digits.map(byte).collect();
        secrets.push((name.to_owned(), bytes.expect("hexadecimal")));
    }
    secrets.push(("`d` of a key".to_owned(), private(&der()).to_vec()));
    secrets
}

fn der() -> Vec<u8> {
    let body: String = PEM.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).expect("PEM")
}

/// The number that is the key: the first OCTET STRING of 48 bytes (RFC 5915,
/// section 3).
fn private(der: &[u8]) -> &[u8] {
    let at = der.windows(2).position(|tag| tag == [0x04, 48]);
    &der[at.expect("a private key") + 2..][..48]
}

/// Looked for all at once: the test has much to search, and many to search for.
struct Needles {
    begins: Vec<bool>,
    all: BTreeSet<(Vec<u8>, String)>,
}

impl Default for Needles {
    fn default() -> Self {
        Self {
            begins: vec![false; 1 << 16],
            all: BTreeSet::new(),
        }
    }
}

impl Needles {
    fn add(&mut self, name: &str, form: &str, needle: &[u8]) {
        assert!(needle.len() >= 4, "{name}, {form}");
        self.begins[begin(needle)] = true;
        self.all
            .insert((needle.to_vec(), format!("{name} ({form})")));
    }

    fn first_in(&self, bytes: &[u8]) -> Option<String> {
        let pairs = bytes.windows(2).enumerate();
        let mut begins = pairs.filter(|(_, pair)| self.begins[begin(pair)]);
        begins.find_map(|(at, _)| {
            let rest = &bytes[at..];
            let mut all = self.all.iter();
            let found = all.find(|(needle, _)| rest.starts_with(needle));
            found.map(|(_, name)| format!("{name} at byte {at}"))
        })
    }
}

fn begin(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// A search that finds nothing proves nothing.
#[test]
fn what_is_planted_is_found() {
    use crate::sources::gzip;

    assert_eq!(
        find(b"an ordinary line of a log, with 4711 and Patient"),
        None
    );
    for (name, bytes) in secrets() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let mut forms = vec![
            bytes.clone(),
            hex.into_bytes(),
            format!("{bytes:?}").into_bytes(),
        ];
        if bytes.is_ascii() {
            forms.push(percent.into_bytes());
            forms.push(bytes.to_ascii_uppercase());
            forms.push(bytes.iter().flat_map(|byte| [*byte, 0]).collect());
            forms.push([&bytes[..PART], b"..."].concat());
            forms.push([b"...", &bytes[bytes.len() - PART..]].concat());
        }
        for before in ["", "x", "xy", "a longer one"] {
            let whole = [before.as_bytes(), &bytes, b" and more"].concat();
            forms.push(STANDARD.encode(&whole).into_bytes());
            forms.push(URL_SAFE.encode(&whole).into_bytes());
        }
        for form in forms {
            let planted = [b"key=\"", form.as_slice(), b"\" at\n"].concat();
            assert!(find(&planted).is_some(), "{name} in {planted:?}");
            assert!(find(&gzip(&planted)).is_some(), "{name}, compressed");
        }
    }
    let own = |line: &str| line.starts_with('-') || find(line.as_bytes()).is_some();
    assert!(PEM.lines().all(own));
    for key in [
        "-----BEGIN RSA PRIVATE KEY-----\nMI",
        "{\"kty\":\"RSA\",\"qi\":\"A\"}",
    ] {
        assert!(find(key.as_bytes()).is_some(), "{key}");
        let quoted = format!("{key:?}");
        assert!(find(quoted.as_bytes()).is_some(), "{quoted}");
    }
}
