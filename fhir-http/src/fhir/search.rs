use std::fmt;

/// A search of one resource type
/// ([FHIR search](https://hl7.org/fhir/R4/search.html)).
///
/// ```
/// use fhir_http::Search;
///
/// let search = Search::new("Patient")
///     .token("identifier", Some("urn:oid:1.2.36"), "MRN 77")
///     .param("_lastupdated", "ge2026-01-01T00:00:00+01:00")
///     .count(100);
/// assert_eq!(
///     search.query(),
///     "identifier=urn:oid:1.2.36%7CMRN%2077\
///      &_lastupdated=ge2026-01-01T00:00:00%2B01:00&_count=100",
/// );
/// ```
#[derive(Clone)]
pub struct Search {
    pub(super) resource_type: String,
    params: Vec<(String, String)>,
    pub(super) post: bool,
}

impl Search {
    /// A search of all resources of a type.
    pub fn new(resource_type: impl Into<String>) -> Self {
        Self {
            resource_type: resource_type.into(),
            params: Vec::new(),
            post: false,
        }
    }

    /// Adds a parameter, with its modifier where it has one (`name:exact`).
    /// The value is taken as FHIR writes it: a comma means *or*, and a
    /// backslash before `,`, `$` and `|` makes them plain. The same name twice
    /// means *and*.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter of type token: a code or an identifier's value within a
    /// system, both taken literally. `Some("")` is the token without a system.
    #[must_use]
    pub fn token(self, name: impl Into<String>, system: Option<&str>, value: &str) -> Self {
        let value = escape(value);
        let token = match system {
            Some(system) => format!("{}|{value}", escape(system)),
            None => value,
        };
        self.param(name, token)
    }

    /// Asks for pages of as many matches; servers may send fewer.
    #[must_use]
    pub fn count(self, matches: u32) -> Self {
        self.param("_count", matches.to_string())
    }

    /// Sends the parameters in the body of a POST to `_search`, for long
    /// searches and to keep them out of the access logs of servers.
    #[must_use]
    pub const fn post(mut self) -> Self {
        self.post = true;
        self
    }

    /// The parameters in order, encoded for a query or a form.
    #[must_use]
    pub fn query(&self) -> String {
        let pairs = self
            .params
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// By hand: values may name patients.
impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Search")
            .field("resource_type", &self.resource_type)
            .field("params", &names)
            .finish_non_exhaustive()
    }
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '$' | ',' | '|') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Percent-encodes everything but what RFC 3986 leaves as it is in a query and
/// forms too. A space is `%20`: not every server takes `+` for one.
pub(super) fn encode(text: &str) -> String {
    crate::percent_encode(text, b"-._~,:/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_literal() {
        let query = |search: Search| search.query();
        let token =
            |system, value| query(Search::new("Patient").token("identifier", system, value));
        assert_eq!(token(None, "a,b"), "identifier=a%5C,b");
        assert_eq!(
            token(Some(""), "a|b$\\"),
            "identifier=%7Ca%5C%7Cb%5C%24%5C%5C"
        );
        assert_eq!(
            query(Search::new("Patient").param("name:exact", "Müller&x=1#")),
            "name:exact=M%C3%BCller%26x%3D1%23"
        );
        assert_eq!(query(Search::new("Patient")), "");
    }

    proptest! {
        #[test]
        fn servers_decode_what_was_meant(params in prop::collection::vec((".{1,8}", ".{0,16}"), 0..4)) {
            let search = params.iter().fold(Search::new("X"), |search, (name, value)| search.param(name, value));
            let query = search.query();
            let uri = format!("https://a.example/X?{query}");
            prop_assert!(uri.parse::<http::Uri>().is_ok());
            let decoded: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            prop_assert_eq!(decoded, params);
        }
    }
}
