use http::Method;

use crate::data::{Level, is_resource_type};
use crate::fault::{Files, Spot, Where};

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Discovery,
    Token,
    Metadata,
    KickOff(Level),
    Status(String),
    Delete(String),
    File {
        job: String,
        number: usize,
        resource_type: String,
    },
    Search(String),
    Read(String, String),
    /// All versions of a resource, or one.
    History(String, String, Option<String>),
    Write(Target),
    /// The path is known, the method isn't.
    WrongMethod,
    Unknown,
}

/// What a write request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The FHIR base, for Bundles.
    Base,
    Type(String),
    Resource(String, String),
}

impl Route {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let get = method == Method::GET || method == Method::HEAD;
        let post = method == Method::POST;
        let (put, delete) = (method == Method::PUT, method == Method::DELETE);
        let when = |allowed: bool, route: Self| if allowed { route } else { Self::WrongMethod };
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match *segments {
            // The endpoint answers other methods in its own way.
            ["auth", "token"] => Self::Token,
            ["bulk", job, file] => when(get, Self::file(job, file)),
            ["fhir", ".well-known", "smart-configuration"] => when(get, Self::Discovery),
            ["fhir", "metadata"] => when(get, Self::Metadata),
            ["fhir", "$export"] => when(get || post, Self::KickOff(Level::System)),
            ["fhir", "Patient", "$export"] => when(get || post, Self::KickOff(Level::Patient)),
            ["fhir", "Group", id, "$export"] => {
                when(get || post, Self::KickOff(Level::Group(id.to_owned())))
            }
            ["fhir", "$export-status", job] if delete => Self::Delete(job.to_owned()),
            ["fhir", "$export-status", job] => when(get, Self::Status(job.to_owned())),
            ["fhir"] => when(post, Self::Write(Target::Base)),
            ["fhir", name] if is_resource_type(name) && (post || put) => {
                Self::Write(Target::Type(name.to_owned()))
            }
            ["fhir", name] if is_resource_type(name) => when(get, Self::Search(name.to_owned())),
            ["fhir", name, "_search"] if is_resource_type(name) => {
                when(post, Self::Search(name.to_owned()))
            }
            ["fhir", name, id] if is_resource_type(name) && (put || delete) => {
                Self::Write(Target::Resource(name.to_owned(), id.to_owned()))
            }
            ["fhir", name, id] if is_resource_type(name) => {
                when(get, Self::Read(name.to_owned(), id.to_owned()))
            }
            ["fhir", name, id, "_history"] if is_resource_type(name) => {
                when(get, Self::History(name.to_owned(), id.to_owned(), None))
            }
            ["fhir", name, id, "_history", version] if is_resource_type(name) => {
                let version = Some(version.to_owned());
                when(get, Self::History(name.to_owned(), id.to_owned(), version))
            }
            _ => Self::Unknown,
        }
    }

    /// What it is for a server that can't be written to.
    pub(crate) fn reading(self) -> Self {
        match self {
            Self::Write(_) => Self::WrongMethod,
            Self::History(..) => Self::Unknown,
            other => other,
        }
    }

    /// `NUMBER.TYPE.ndjson`.
    fn file(job: &str, name: &str) -> Self {
        let mut parts = name.split('.');
        match (
            parts.next().map(str::parse),
            parts.next(),
            parts.next(),
            parts.next(),
        ) {
            (Some(Ok(number)), Some(resource_type), Some("ndjson"), None) => Self::File {
                job: job.to_owned(),
                number,
                resource_type: resource_type.to_owned(),
            },
            _ => Self::Unknown,
        }
    }

    /// How faults see it.
    pub(crate) fn spot(&self) -> Option<Spot> {
        Some(Spot::at(match self {
            Self::Discovery => Where::Discovery,
            Self::Token => Where::Token,
            Self::Metadata => Where::Metadata,
            Self::KickOff(_) => Where::KickOff,
            Self::Status(_) => Where::Status,
            Self::Delete(_) => Where::Delete,
            Self::Search(_) => Where::Search,
            Self::Read(..) | Self::History(..) => Where::Read,
            Self::Write(_) => Where::Write,
            Self::File {
                number,
                resource_type,
                ..
            } => {
                return Some(Spot {
                    place: Where::File(Files::Number(*number)),
                    number: *number,
                    resource_type: resource_type.clone(),
                });
            }
            Self::WrongMethod | Self::Unknown => return None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_the_guides_say() {
        let cases = [
            (
                "GET",
                "/fhir/.well-known/smart-configuration",
                Route::Discovery,
            ),
            ("GET", "/.well-known/smart-configuration", Route::Unknown),
            ("POST", "/auth/token", Route::Token),
            ("GET", "/fhir/$export", Route::KickOff(Level::System)),
            (
                "POST",
                "/fhir/Group/g/$export",
                Route::KickOff(Level::Group("g".into())),
            ),
            ("PUT", "/fhir/Patient/$export", Route::WrongMethod),
            (
                "DELETE",
                "/fhir/$export-status/1",
                Route::Delete("1".into()),
            ),
            ("GET", "/fhir/Patient", Route::Search("Patient".into())),
            (
                "POST",
                "/fhir/Patient/_search",
                Route::Search("Patient".into()),
            ),
            (
                "GET",
                "/fhir/Patient/p1",
                Route::Read("Patient".into(), "p1".into()),
            ),
            ("GET", "/fhir/Nonsense/p1", Route::Unknown),
            ("GET", "/bulk/j/x.Patient.ndjson", Route::Unknown),
            ("PATCH", "/fhir/Patient/p1", Route::WrongMethod),
            ("DELETE", "/fhir/Patient", Route::WrongMethod),
            ("POST", "/fhir", Route::Write(Target::Base)),
            ("POST", "/fhir/", Route::Write(Target::Base)),
            ("GET", "/fhir", Route::WrongMethod),
            (
                "POST",
                "/fhir/Patient",
                Route::Write(Target::Type("Patient".into())),
            ),
            (
                "DELETE",
                "/fhir/Patient/p1",
                Route::Write(Target::Resource("Patient".into(), "p1".into())),
            ),
            (
                "GET",
                "/fhir/Patient/p1/_history",
                Route::History("Patient".into(), "p1".into(), None),
            ),
            (
                "GET",
                "/fhir/Patient/p1/_history/2",
                Route::History("Patient".into(), "p1".into(), Some("2".into())),
            ),
        ];
        for (method, path, expected) in cases {
            let method = method.parse().expect("a method");
            assert_eq!(Route::of(&method, path), expected, "{method} {path}");
        }
    }
}
