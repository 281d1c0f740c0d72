use std::fmt;
use std::str::FromStr;

/// One scope of an access token, in either syntax of SMART App Launch
/// ([scopes and launch context][spec]) or a vendor's own.
///
/// The text is kept as it was written: scopes are equal when their texts are.
/// Whether one grants what another asks for is [`covers`](Self::covers).
///
/// [spec]: https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    text: String,
    form: Form,
}

/// How access to a type is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// `system/Patient.read` (SMART App Launch 1).
    V1,
    /// `system/Patient.rs` (SMART App Launch 2).
    V2,
}

/// Why a scope is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// It holds what no scope may
    /// ([RFC 6749, 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
    #[error("a scope is empty or holds a space, a quote, a backslash or what is not ASCII")]
    Malformed,
    /// It grants writing. Access here is for reading only.
    #[error("scope {name} grants writing: ask for `read` or `rs` instead")]
    Write {
        /// The scope, without its query.
        name: String,
    },
}

impl Scope {
    /// Access to read and search a resource type of the whole system; `*` is
    /// every type.
    ///
    /// # Errors
    /// A type that can't stand in a scope.
    pub fn system(resource_type: &str, syntax: Syntax) -> Result<Self, ScopeError> {
        let access = match syntax {
            Syntax::V1 => "read",
            Syntax::V2 => "rs",
        };
        let scope: Self = format!("system/{resource_type}.{access}").parse()?;
        match &scope.form {
            Form::Access { resource, .. } if resource == resource_type => Ok(scope),
            _ => Err(ScopeError::Malformed),
        }
    }

    /// The scope as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scope without its query, which may say more than a log should.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.split('?').next().unwrap_or_default()
    }

    /// The resource type it is about; `None` for `*` and for scopes that are
    /// about none.
    #[must_use]
    pub fn resource_type(&self) -> Option<&str> {
        match &self.form {
            Form::Access { resource, .. } if resource != "*" => Some(resource),
            _ => None,
        }
    }

    /// Whether it gives access to types by permissions that are known.
    pub(crate) const fn is_access(&self) -> bool {
        matches!(
            self.form,
            Form::Access {
                access: Access::Permissions(_),
                ..
            }
        )
    }

    /// Whether it grants more than reading: `write` and `*` of syntax 1, any of
    /// `c`, `u` and `d` of syntax 2.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match &self.form {
            Form::Access { access, .. } => access.is_write(),
            Form::Other => false,
        }
    }

    /// Whether `self`, as granted, grants all that `other` asks for, whatever
    /// the syntax of either.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self == other || other.is_covered_by(std::iter::once(self))
    }

    /// Whether `granted` together grant all of it: `system/Patient.rs` is also
    /// `system/Patient.r` and `system/Patient.s`.
    pub(crate) fn is_covered_by<'a>(&self, granted: impl Iterator<Item = &'a Self>) -> bool {
        let mut permissions = 0;
        for scope in granted {
            if scope == self {
                return true;
            }
            let (Form::Access { access: wanted, .. }, Form::Access { access: given, .. }) =
                (&self.form, &scope.form)
            else {
                continue;
            };
            if !scope.form.reaches(&self.form) {
                continue;
            }
            match (given, wanted) {
                (Access::Permissions(bits), Access::Permissions(_)) => permissions |= bits,
                (Access::Other(given), Access::Other(wanted)) if given == wanted => return true,
                _ => {}
            }
        }
        match &self.form {
            Form::Access {
                access: Access::Permissions(wanted),
                ..
            } => permissions & wanted == *wanted,
            _ => false,
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    /// Any scope of RFC 6749. What is no access to a resource type, such as
    /// `openid` or a vendor's own, is kept as it is.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(ScopeError::Malformed);
        }
        Ok(Self {
            text: text.to_owned(),
            form: Form::of(text),
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    /// `context/resource.access?query`
    Access {
        context: String,
        resource: String,
        access: Access,
        query: Option<String>,
    },
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Access {
    Permissions(u8),
    /// An operation, such as `$export`, or something not known.
    Other(String),
}

const CREATE: u8 = 1;
const READ: u8 = 2;
const UPDATE: u8 = 4;
const DELETE: u8 = 8;
const SEARCH: u8 = 16;
const WRITE: u8 = CREATE | UPDATE | DELETE;

impl Form {
    fn of(text: &str) -> Self {
        Self::access(text).unwrap_or(Self::Other)
    }

    fn access(text: &str) -> Option<Self> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (text, None),
        };
        let (context, rest) = path.split_once('/')?;
        if !matches!(context, "system" | "user" | "patient") {
            return None;
        }
        let (resource, access) = rest.split_once('.')?;
        let named = !resource.is_empty() && resource.bytes().all(|b| b.is_ascii_alphanumeric());
        (resource == "*" || named).then(|| Self::Access {
            context: context.to_owned(),
            resource: resource.to_owned(),
            access: Access::of(access),
            query,
        })
    }

    /// Whether its context, types and query take in those of `other`.
    fn reaches(&self, other: &Self) -> bool {
        let (
            Self::Access {
                context,
                resource,
                query,
                ..
            },
            Self::Access {
                context: other_context,
                resource: other_resource,
                query: other_query,
                ..
            },
        ) = (self, other)
        else {
            return false;
        };
        context == other_context
            && (resource == "*" || resource == other_resource)
            && (query.is_none() || query == other_query)
    }
}

impl Access {
    /// Letters are taken in any case and order. Servers may read them as
    /// loosely, and a scope that may grant writing has to be seen as one.
    fn of(text: &str) -> Self {
        let permissions = match text.to_ascii_lowercase().as_str() {
            "" => None,
            "read" => Some(READ | SEARCH),
            "write" => Some(WRITE),
            "*" => Some(READ | SEARCH | WRITE),
            letters => letters.bytes().try_fold(0, |bits, letter| {
                Some(
                    bits | match letter {
                        b'c' => CREATE,
                        b'r' => READ,
                        b'u' => UPDATE,
                        b'd' => DELETE,
                        b's' => SEARCH,
                        _ => return None,
                    },
                )
            }),
        };
        permissions.map_or_else(|| Self::Other(text.to_owned()), Self::Permissions)
    }

    fn is_write(&self) -> bool {
        match self {
            Self::Permissions(bits) => bits & WRITE != 0,
            Self::Other(name) => {
                matches!(
                    name.to_ascii_lowercase().as_str(),
                    "create" | "update" | "delete"
                )
            }
        }
    }
}
