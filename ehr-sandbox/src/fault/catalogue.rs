use super::{Fault, FaultPlan};

/// Name and faults. Whatever reads an export has to get through all of these
/// with the whole data, or say that it has not.
const CATALOGUE: &[(&str, &[&str])] = &[
    ("discovery-html", &["discovery:every:html"]),
    ("discovery-relative", &["discovery:every:relative-urls"]),
    ("token-503", &["token:1:status=503,retry-after=1"]),
    ("token-bare-400", &["token:1:status=400"]),
    (
        "metadata-403",
        &["metadata:every:status=403,body=outcome/forbidden"],
    ),
    (
        "kick-off-429",
        &["kick-off:first-2:status=429,body=outcome/throttled,retry-after=1"],
    ),
    ("kick-off-503", &["kick-off:1:status=503,body=html"]),
    ("kick-off-relative", &["kick-off:every:relative-urls"]),
    ("kick-off-401", &["kick-off:1:expire-token"]),
    ("kick-off-dropped", &["kick-off:1:drop"]),
    ("status-429", &["status:1:status=429,retry-after=1"]),
    ("status-500-html", &["status:1:status=500,body=html"]),
    ("status-transient", &["status:1:transient"]),
    ("status-401", &["status:1:expire-token"]),
    (
        "status-retry-after-date",
        &["status:1:retry-after=Fri, 31 Dec 1999 23:59:59 GMT"],
    ),
    (
        "status-retry-after-epoch-ms",
        &["status:1:retry-after=1767323045678"],
    ),
    (
        "status-retry-after-nonsense",
        &["status:1:retry-after=soon"],
    ),
    ("status-gone", &["status:every:expired=404"]),
    ("status-stuck", &["status:every:stuck"]),
    ("manifest-relative", &["manifest:every:relative-urls"]),
    ("manifest-no-error-key", &["manifest:every:no-error-key"]),
    ("manifest-next-link", &["manifest:every:next-link"]),
    ("manifest-duplicate-url", &["manifest:every:duplicate-url"]),
    (
        "manifest-outcome-errors",
        &["manifest:every:outcome-errors"],
    ),
    ("manifest-count-high", &["manifest:every:count=+1"]),
    ("manifest-count-low", &["manifest:every:count=-1"]),
    ("manifest-cut", &["manifest:1:cut=50"]),
    ("file-503", &["file:1:status=503,retry-after=1"]),
    ("file-429", &["file:1:status=429,retry-after=1"]),
    ("file-404", &["file/1:every:expired=404"]),
    ("file-410", &["file/1:every:expired=410"]),
    ("file-404-then-fine", &["file:1:expired=404"]),
    ("file-401", &["file:2:expire-token"]),
    ("file-cut-length", &["file:1:cut=1000"]),
    ("file-cut-chunked", &["file:1:cut=1000,chunked"]),
    ("file-cut-twice", &["file/1:first-2:cut=700"]),
    (
        "file-cut-no-range",
        &["file/1:1:cut=1000", "file/1:every:no-range"],
    ),
    (
        "file-cut-changed",
        &["file/1:1:cut=1000", "file/1:2:changed-etag"],
    ),
    ("file-dropped", &["file:1:drop"]),
    ("file-gzip-cut", &["file:1:gzip-cut=200"]),
    ("file-short", &["file:1:short=1"]),
    ("file-short-always", &["file/1:every:short=1"]),
    ("file-html", &["file:1:html"]),
    ("file-html-always", &["file/1:every:html"]),
    ("file-content-type", &["file:every:content-type=text/plain"]),
    ("file-wrong-type", &["file/1:every:wrong-type"]),
    ("file-redirect", &["file:every:redirect"]),
    ("file-slow", &["file:1:delay=20"]),
    ("delete-500", &["delete:1:status=500"]),
    ("read-503", &["read:1:status=503"]),
    ("search-429", &["search:1:status=429,retry-after=1"]),
    ("search-relative", &["search:every:relative-urls"]),
    ("search-redirect", &["search:1:redirect"]),
    ("search-cut", &["search:1:cut=100"]),
    ("write-503", &["write:1:status=503,retry-after=1"]),
    (
        "write-429",
        &["write:first-2:status=429,body=outcome/throttled,retry-after=1"],
    ),
    ("write-401", &["write:1:expire-token"]),
    ("write-dropped", &["write:1:drop"]),
    ("write-cut", &["write:1:cut=20"]),
    ("write-slow", &["write:1:delay=20"]),
    ("write-done-dropped", &["write:1:after=drop"]),
    ("write-done-504", &["write:1:after=status=504,body=html"]),
    ("write-done-slow", &["write:1:after=delay=20"]),
];

impl FaultPlan {
    /// Plans by name, for table-driven tests: what real servers and networks
    /// do to clients.
    ///
    /// A name that ends in `-always`, `-gone`, `-stuck`, `-404` or `-410`
    /// can't be got over; a client has to say so.
    #[must_use]
    pub fn catalogue() -> Vec<(&'static str, Self)> {
        let fault = |text: &&str| text.parse::<Fault>().ok();
        let plan = |texts: &[&str]| texts.iter().filter_map(fault).collect();
        CATALOGUE
            .iter()
            .map(|(name, texts)| (*name, plan(texts)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_a_fault() {
        for (name, texts) in CATALOGUE {
            for text in *texts {
                let fault: Fault = text.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(fault.to_string(), *text, "{name}");
            }
        }
        assert_eq!(FaultPlan::catalogue().len(), CATALOGUE.len());
    }
}
