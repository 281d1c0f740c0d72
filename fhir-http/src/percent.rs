/// Percent-encodes all of `text` but ASCII letters and digits and the bytes in
/// `kept` ([RFC 3986, 2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)).
///
/// ```
/// use fhir_http::{UNRESERVED, percent_encode};
///
/// assert_eq!(percent_encode("a b/ü~", UNRESERVED), "a%20b%2F%C3%BC~");
/// ```
#[must_use]
pub fn percent_encode(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What never has to be encoded, besides letters and digits
/// ([RFC 3986, 2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)).
pub const UNRESERVED: &[u8] = b"-._~";
