//! Faults on demand: what goes wrong, where, and how often.

mod catalogue;
mod effect;
mod text;

use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use effect::{Active, Dropped, Surroundings, into_reader};

use crate::{Error, Result};

/// One thing that goes wrong at one place.
///
/// As text it is `PLACE:HITS:WHAT`, such as `file/Patient:1:cut=1000`; the
/// README has the whole grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    at: Where,
    on: Hits,
    what: What,
}

/// The requests that a [`Fault`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Where {
    /// `.well-known/smart-configuration`.
    Discovery,
    /// The token endpoint.
    Token,
    /// Kick-off of an export.
    KickOff,
    /// Status requests, finished or not.
    Status,
    /// Status requests that are answered with the manifest, and those for its
    /// further pages.
    Manifest,
    /// Downloads.
    File(Files),
    /// `DELETE` of an export.
    Delete,
    /// Reads of a resource, of a version, of a history.
    Read,
    /// Searches and their further pages.
    Search,
    /// The CapabilityStatement.
    Metadata,
    /// Everything that is written: creates, updates, deletions, Bundles.
    Write,
}

/// Which files a [`Fault`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Files {
    /// All.
    Any,
    /// The one with this place in the manifest, from 1. Deletions follow the
    /// output, outcomes the deletions.
    Number(usize),
    /// Those of a resource type.
    Type(String),
}

/// Which of the requests to a place are hit, counted from 1 for each fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hits {
    /// One of them.
    Nth(u32),
    /// Those up to one.
    First(u32),
    /// All.
    Every,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// Another status.
    Status {
        /// The status.
        code: u16,
        /// The body.
        body: ErrorBody,
        /// The text of `Retry-After`, which need not make sense.
        retry_after: Option<String>,
    },
    /// The answer comes so many milliseconds later.
    Delay(u64),
    /// The connection is cut in the body.
    Cut {
        /// After so many bytes of it, though never after all of them.
        after: u64,
        /// In chunks, and without the `Content-Length` that would tell.
        chunked: bool,
    },
    /// The file has so many lines fewer than it should, and ends well.
    Short(usize),
    /// The manifest's counts are off by so much.
    Count(i64),
    /// A login page with status 200.
    Html,
    /// Another `Content-Type`.
    ContentType(String),
    /// The file's resources are of another type, `Basic`.
    WrongType,
    /// All tokens become invalid at this moment, the one of the request too.
    ExpireToken,
    /// A redirect (307) to the same path on the sandbox's other origin, which
    /// refuses requests with `Authorization`.
    Redirect,
    /// This text as `Retry-After`.
    RetryAfter(String),
    /// URLs in the answer are relative.
    RelativeUrls,
    /// The connection is closed, at the latest before the body's first byte.
    Drop,
    /// A gzip body ends after so many bytes, while HTTP says it is whole. No
    /// effect on what isn't compressed.
    GzipCut(u64),
    /// `Range` is ignored.
    NoRange,
    /// The `ETag` is another one than before.
    ChangedEtag,
    /// The manifest has no `error`.
    NoErrorKey,
    /// The manifest comes in pages that nobody asked for.
    NextLink,
    /// Status 500 and an OperationOutcome of code `transient`.
    Transient,
    /// Status 404 or 410: the file or job is no longer there.
    Expired(u16),
    /// The export never ends.
    Stuck,
    /// The manifest lists its first file twice.
    DuplicateUrl,
    /// The manifest lists a file with OperationOutcomes of severity `error`.
    OutcomeErrors,
    /// One of status, delay, drop, html, transient, though only once the
    /// request was carried out.
    After(Box<Self>),
}

/// The body that comes with a status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorBody {
    /// None.
    Empty,
    /// A gateway's error page.
    Html,
    /// An OperationOutcome with an issue of this code.
    Outcome(String),
}

impl Fault {
    /// A fault.
    ///
    /// # Errors
    /// When `what` can't happen at that place, so that the fault would never
    /// be seen.
    pub fn new(at: Where, on: Hits, what: What) -> Result<Self> {
        let fault = Self { at, on, what };
        if fault.what.fits(&fault.at) {
            return Ok(fault);
        }
        let problem = "this can't happen at this place".to_owned();
        Err(Error::Fault {
            text: fault.to_string(),
            problem,
        })
    }

    /// Where.
    #[must_use]
    pub const fn at(&self) -> &Where {
        &self.at
    }

    /// Which requests.
    #[must_use]
    pub const fn on(&self) -> Hits {
        self.on
    }

    /// What.
    #[must_use]
    pub const fn what(&self) -> &What {
        &self.what
    }
}

impl What {
    const fn fits(&self, at: &Where) -> bool {
        match self {
            Self::Short(_)
            | Self::WrongType
            | Self::GzipCut(_)
            | Self::NoRange
            | Self::ChangedEtag => {
                matches!(at, Where::File(_))
            }
            Self::Count(_)
            | Self::NoErrorKey
            | Self::NextLink
            | Self::DuplicateUrl
            | Self::OutcomeErrors => matches!(at, Where::Manifest),
            Self::RelativeUrls => matches!(
                at,
                Where::Discovery | Where::KickOff | Where::Manifest | Where::Search
            ),
            Self::Expired(_) => matches!(at, Where::File(_) | Where::Status),
            Self::Stuck => matches!(at, Where::Status),
            Self::After(what) => {
                let carries_out = matches!(at, Where::Write | Where::KickOff | Where::Delete);
                carries_out && what.can_be_late()
            }
            Self::ExpireToken => !matches!(at, Where::Discovery | Where::Token | Where::Metadata),
            _ => true,
        }
    }

    const fn can_be_late(&self) -> bool {
        matches!(
            self,
            Self::Status { .. } | Self::Delay(_) | Self::Drop | Self::Html | Self::Transient
        )
    }
}

/// The faults of a sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    faults: Vec<Fault>,
}

impl FaultPlan {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self { faults: Vec::new() }
    }

    /// The faults that the texts describe.
    ///
    /// # Errors
    /// When one of them describes no fault.
    pub fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self> {
        texts
            .into_iter()
            .map(|text| text.as_ref().parse())
            .collect()
    }

    /// Its faults. Several may hit one request.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl FromIterator<Fault> for FaultPlan {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self {
            faults: faults.into_iter().collect(),
        }
    }
}

/// A plan at work, which counts.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, AtomicU32)>);

/// A request, as faults see it. The number and type are those of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) place: Where,
    pub(crate) number: usize,
    pub(crate) resource_type: String,
}

impl Faults {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        Self(
            plan.faults
                .into_iter()
                .map(|fault| (fault, AtomicU32::new(0)))
                .collect(),
        )
    }

    /// Counts a request and gives the faults that hit it.
    pub(crate) fn hit(&self, spot: &Spot) -> Active {
        let mut active = Vec::new();
        for (fault, count) in self.0.iter().filter(|(fault, _)| spot.is_at(&fault.at)) {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            let hits = match fault.on {
                Hits::Nth(nth) => number == nth,
                Hits::First(last) => number <= last,
                Hits::Every => true,
            };
            if hits {
                active.push((fault.what.clone(), number));
            }
        }
        Active::new(active)
    }
}

impl Spot {
    pub(crate) const fn at(place: Where) -> Self {
        Self {
            place,
            number: 0,
            resource_type: String::new(),
        }
    }

    fn is_at(&self, place: &Where) -> bool {
        match (place, &self.place) {
            (Where::File(Files::Any), Where::File(_)) => true,
            (Where::File(Files::Number(number)), Where::File(_)) => *number == self.number,
            (Where::File(Files::Type(name)), Where::File(_)) => *name == self.resource_type,
            (place, own) => place == own,
        }
    }
}
