//! Conditional requests ([RFC 9110, 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)).

use http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

/// What the preconditions of a GET or HEAD come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing speaks against the document.
    Send,
    /// The client has it.
    NotModified,
    /// The client wants another one.
    Failed,
}

impl Condition {
    /// `etag` is the strong tag of the document, with its quotation marks.
    pub(super) fn of(headers: &HeaderMap, etag: &HeaderValue) -> Self {
        let etag = etag.as_bytes();
        if let Some(List { any, tags }) = List::of(headers, &IF_MATCH)
            && !any
            && !tags.iter().any(|tag| !tag.weak && tag.opaque == etag)
        {
            return Self::Failed;
        }
        match List::of(headers, &IF_NONE_MATCH) {
            // The comparison is the weak one: the tag alone counts.
            Some(List { any, tags }) if any || tags.iter().any(|tag| tag.opaque == etag) => {
                Self::NotModified
            }
            _ => Self::Send,
        }
    }
}

/// The entity tags of all lines of a header. What is no entity tag is passed
/// over: a client that says nonsense gets the document.
struct List<'a> {
    any: bool,
    tags: Vec<Tag<'a>>,
}

struct Tag<'a> {
    weak: bool,
    /// With its quotation marks.
    opaque: &'a [u8],
}

impl<'a> List<'a> {
    fn of(headers: &'a HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut list = Self {
            any: false,
            tags: Vec::new(),
        };
        let mut given = false;
        for line in headers.get_all(name) {
            given = true;
            if line.as_bytes().trim_ascii() == b"*" {
                list.any = true;
                continue;
            }
            list.read(line.as_bytes());
        }
        given.then_some(list)
    }

    /// Members may hold commas, inside their quotation marks only.
    fn read(&mut self, mut rest: &'a [u8]) {
        loop {
            rest = rest.trim_ascii_start();
            let (weak, after) = match rest.strip_prefix(b"W/") {
                Some(after) => (true, after),
                None => (false, rest),
            };
            let end = opaque(after);
            let after = match end {
                Some(end) if is_end(&after[end..]) => {
                    let opaque = &after[..end];
                    self.tags.push(Tag { weak, opaque });
                    &after[end..]
                }
                _ => rest,
            };
            let Some(comma) = after.iter().position(|byte| *byte == b',') else {
                return;
            };
            rest = &after[comma + 1..];
        }
    }
}

/// The length of the quoted tag that `text` begins with.
fn opaque(text: &[u8]) -> Option<usize> {
    let (b'"', inside) = text.split_first()? else {
        return None;
    };
    let end = inside.iter().position(|byte| *byte == b'"')?;
    let is_etagc = |byte: &u8| matches!(*byte, 0x21 | 0x23..=0x7e | 0x80..=0xff);
    inside[..end].iter().all(is_etagc).then_some(end + 2)
}

fn is_end(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), None | Some(b','))
}
