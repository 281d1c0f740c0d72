use http::{HeaderMap, header};

/// Longest answer of an authorization server that is read, in bytes.
pub(crate) const LIMIT: u64 = 1 << 20;

/// What a body is that was not understood. Login pages come with any status,
/// and sometimes as `application/json`.
pub(crate) fn describe(headers: &HeaderMap, body: &[u8]) -> &'static str {
    let html = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        });
    let text = body.trim_ascii_start();
    if text.is_empty() {
        "an empty body"
    } else if html || text.starts_with(b"<") {
        "an HTML page"
    } else {
        "a body that can't be understood"
    }
}
