use std::collections::HashSet;
use std::fmt;
use std::iter::FusedIterator;

use http::{Request, Uri};

use super::client::get;
use super::{FhirClient, Page};
use crate::{Error, Result};

/// The pages of a search, fetched one by one. Ends after the last page or the
/// first error.
///
/// A link to the next page that leads to another origin is an error, as is one
/// that was followed before, so that no search goes on for ever.
pub struct Pages {
    server: FhirClient,
    /// Where the search is, without its parameters.
    search: Uri,
    next: Option<Request<Vec<u8>>>,
    seen: HashSet<Uri>,
    fetched: usize,
}

impl Pages {
    pub(super) fn new(server: FhirClient, search: Uri, first: Request<Vec<u8>>) -> Self {
        let seen = HashSet::from([first.uri().clone()]);
        Self {
            server,
            search,
            next: Some(first),
            seen,
            fetched: 0,
        }
    }

    fn fetch(&mut self, request: Request<Vec<u8>>) -> Result<Page> {
        let fail = |problem| Error::Paging {
            host: self.server.origin.to_string(),
            problem,
        };
        if self.fetched >= self.server.most_pages {
            return Err(fail("it has more pages than are taken"));
        }
        let (page, next) = self.server.page(request, &self.search)?;
        self.fetched += 1;
        if let Some(next) = next {
            if !self.seen.insert(next.clone()) {
                return Err(fail(
                    "the link to its next page leads back to an earlier one",
                ));
            }
            self.next = Some(get(next));
        }
        Ok(page)
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        let request = self.next.take()?;
        Some(self.fetch(request))
    }
}

impl FusedIterator for Pages {}

/// By hand: addresses hold the search.
impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("fetched", &self.fetched)
            .finish_non_exhaustive()
    }
}
