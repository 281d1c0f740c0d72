//! What a file is, as far as its beginning tells.

/// Why text that begins like this is not taken as NDJSON, if so.
///
/// One line that is no JSON is a bad record; a file that could never have been
/// meant as NDJSON is refused whole, with one clear reason.
pub(super) fn not_lines(text: &[u8]) -> Option<&'static str> {
    if let Some(reason) = utf16(text).or_else(|| packed(text)) {
        return Some(reason);
    }
    let mut lines = full_lines(text);
    let first = lines.next()?;
    match first[0] {
        b'[' => return Some("it is a JSON array, not NDJSON: write one resource a line"),
        b'<' => return Some("it is XML or HTML, not NDJSON"),
        b'{' => {}
        _ => {
            if let Some(reason) = another_format(text) {
                return Some(reason);
            }
        }
    }
    let cut = fhir_json::Tape::new()
        .parse(first)
        .is_err_and(|error| error.kind() == fhir_json::ErrorKind::UnexpectedEnd);
    if cut && lines.next().is_some_and(|line| !line.starts_with(b"{")) {
        return Some("it is a JSON document over several lines, not NDJSON: name it .json");
    }
    None
}

/// Why a file that should be one JSON text is none, if so.
pub(super) fn not_document(text: &[u8]) -> Option<&'static str> {
    let by_its_start = || match text.trim_ascii_start().first()? {
        b'[' => Some("it is a JSON array, not a resource or Bundle: write one resource a line"),
        b'<' => Some("it is XML or HTML, not JSON"),
        _ => None,
    };
    utf16(text).or_else(|| packed(text)).or_else(by_its_start)
}

/// Whether a text that should be one of JSON is lines of such texts.
pub(super) fn are_lines(text: &[u8]) -> bool {
    let mut lines = full_lines(text);
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return false;
    };
    second.starts_with(b"{") && fhir_json::Tape::new().parse(first).is_ok()
}

/// What to do about a file that is this.
macro_rules! unpack {
    ($what:literal) => {
        concat!("it is ", $what, ", not NDJSON: unpack it first")
    };
}

/// What a file is packed with, by the bytes that it has to begin with. Small
/// ones have what they hold as it is, and would pass for lines.
fn packed(text: &[u8]) -> Option<&'static str> {
    let begins = |(magic, _): &&(&[u8], _)| text.starts_with(magic);
    let packed = PACKED.iter().find(begins).map(|&(_, reason)| reason);
    let tar = text.get(257..).unwrap_or_default().starts_with(b"ustar");
    packed.or_else(|| tar.then_some(unpack!("a tar archive")))
}

const PACKED: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", unpack!("a zip archive")),
    (b"7z\xBC\xAF\x27\x1C", unpack!("a 7z archive")),
    (b"\xFD7zXZ\0", unpack!("packed with xz")),
    (b"\x28\xB5\x2F\xFD", unpack!("packed with zstd")),
    (b"\x04\x22\x4D\x18", unpack!("packed with lz4")),
    (b"BZh", unpack!("packed with bzip2")),
];

/// What a text is that does not begin with a record and has nothing of one,
/// where that is plain. Other text may be lines of a bad day, and each has its
/// outcome.
fn another_format(text: &[u8]) -> Option<&'static str> {
    if text.starts_with(b"SQLite format 3\0") {
        return Some("it is an SQLite database, not NDJSON");
    }
    let is_record = |line: &[u8]| {
        let inside = line.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        inside.is_some_and(|rest| rest.starts_with(b"\"") || rest.starts_with(b"}"))
    };
    let has_type = memchr::memmem::find(text, b"resourceType").is_some();
    if has_type || full_lines(text).any(is_record) {
        return None;
    }
    if text.starts_with(b"MSH|") {
        return Some("it is HL7 v2, not NDJSON");
    }
    // JSON has no zero bytes.
    if memchr::memchr(0, text).is_some() {
        return Some("it is a binary file, not NDJSON: of those that are packed, gzip is read");
    }
    let mut lines = full_lines(text);
    let (head, row) = (lines.next()?, lines.next()?);
    let is_table = |separator| head.contains(separator) && row.contains(separator);
    b",;\t"
        .iter()
        .any(is_table)
        .then_some("it looks like CSV, not NDJSON")
}

/// Lines that are not blank, without the white space around them.
fn full_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty())
}

/// Whether a text is UTF-16 by its byte order mark or by its zero bytes.
fn utf16(text: &[u8]) -> Option<&'static str> {
    let marked = text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]);
    let zeros = matches!(text, [0, b'{' | b'[', ..] | [b'{' | b'[', 0, ..]);
    (marked || zeros).then_some("it is UTF-16: convert it to UTF-8")
}
