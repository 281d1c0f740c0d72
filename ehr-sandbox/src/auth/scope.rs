/// What may be done to resources of a type: letters of `cruds`, in order.
const ALL: &str = "cruds";
const READ: &str = "rs";
const WRITE: &str = "cud";

/// A SMART system scope, of version 1 (`system/Patient.read`) or 2
/// (`system/Patient.rs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `None` is every type.
    resource_type: Option<String>,
    letters: String,
    text: String,
}

impl Scope {
    /// `None` for any other scope: there is nothing else to be granted here.
    fn parse(text: &str) -> Option<Self> {
        let (name, permissions) = text.strip_prefix("system/")?.split_once('.')?;
        let permissions = permissions.split('?').next().unwrap_or(permissions);
        let letters = match permissions {
            "read" => READ,
            "*" => ALL,
            "write" => WRITE,
            letters => letters,
        };
        if letters.is_empty() || common(ALL, letters) != letters {
            return None;
        }
        Some(Self {
            resource_type: (name != "*").then(|| name.to_owned()),
            letters: letters.to_owned(),
            text: text.to_owned(),
        })
    }

    fn includes(&self, resource_type: &str) -> bool {
        self.resource_type
            .as_deref()
            .is_none_or(|own| own == resource_type)
    }

    /// What both allow.
    fn intersection(&self, allowed: &Self) -> Option<Self> {
        let resource_type = match (&self.resource_type, &allowed.resource_type) {
            (Some(own), Some(other)) if own != other => return None,
            (Some(one), _) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        let letters = common(&self.letters, &allowed.letters);
        if letters.is_empty() {
            return None;
        }
        let whole = resource_type == self.resource_type && letters == self.letters;
        let name = resource_type.as_deref().unwrap_or("*");
        let is_first_version = [".read", ".write", ".*"]
            .iter()
            .any(|end| self.text.ends_with(end));
        let permissions = match letters.as_str() {
            READ if is_first_version => "read",
            WRITE if is_first_version => "write",
            ALL if is_first_version => "*",
            letters => letters,
        };
        let text = if whole {
            self.text.clone()
        } else {
            format!("system/{name}.{permissions}")
        };
        Some(Self {
            resource_type,
            letters,
            text,
        })
    }
}

fn common(one: &str, other: &str) -> String {
    one.chars()
        .filter(|&letter| other.contains(letter))
        .collect()
}

/// Scopes that were granted, or may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes(Vec<Scope>);

impl Scopes {
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.split(' ').filter_map(Scope::parse).collect())
    }

    /// Those, without what they say of writing.
    pub(crate) fn reading(&self) -> Self {
        let reading = Self::parse("system/*.rs");
        let parts = reading.0.iter().flat_map(|reading| {
            let own = self.0.iter();
            own.filter_map(|scope| scope.intersection(reading))
        });
        Self(parts.collect())
    }

    /// What of the requested scopes is allowed.
    pub(crate) fn granted(requested: &str, allowed: &Self) -> Self {
        let mut granted: Vec<Scope> = Vec::new();
        for wanted in requested.split(' ').filter_map(Scope::parse) {
            for scope in allowed
                .0
                .iter()
                .filter_map(|allowed| wanted.intersection(allowed))
            {
                if granted.iter().all(|earlier| earlier.text != scope.text) {
                    granted.push(scope);
                }
            }
        }
        Self(granted)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn text(&self) -> String {
        self.0
            .iter()
            .map(|scope| scope.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Whether one of `cruds` is allowed.
    pub(crate) fn may(&self, letter: char, resource_type: &str) -> bool {
        self.0
            .iter()
            .any(|scope| scope.letters.contains(letter) && scope.includes(resource_type))
    }

    pub(crate) fn may_read(&self, resource_type: &str) -> bool {
        self.may('r', resource_type)
    }

    pub(crate) fn may_search(&self, resource_type: &str) -> bool {
        self.may('s', resource_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_granted_than_asked_for_and_allowed() {
        let cases = [
            (
                "system/Patient.read",
                "system/*.read",
                "system/Patient.read",
            ),
            ("system/Patient.rs", "system/*.read", "system/Patient.rs"),
            (
                "system/*.read",
                "system/Patient.rs system/Group.r",
                "system/Patient.read system/Group.r",
            ),
            ("system/Patient.rs", "system/Patient.s", "system/Patient.s"),
            ("system/Patient.cruds", "system/*.rs", "system/Patient.rs"),
            ("system/*.*", "system/*.rs", "system/*.read"),
            ("system/Patient.write", "system/*.*", ""),
            ("system/Patient.sr", "system/*.rs", ""),
            ("user/Patient.rs openid", "system/*.rs", ""),
            ("system/Condition.rs", "system/Patient.rs", ""),
            ("system/A.rs system/A.rs", "system/*.rs", "system/A.rs"),
            (
                "system/Condition.rs?category=x",
                "system/*.rs",
                "system/Condition.rs?category=x",
            ),
        ];
        for (requested, allowed, expected) in cases {
            let granted = Scopes::granted(requested, &Scopes::parse(allowed).reading());
            assert_eq!(granted.text(), expected, "{requested} of {allowed}");
        }
        let cases = [
            ("system/*.*", "system/*.*", "system/*.*"),
            ("system/*.cruds", "system/*.cru", "system/*.cru"),
            ("system/*.write", "system/A.cruds", "system/A.write"),
            ("system/A.*", "system/*.write", "system/A.write"),
            ("system/A.cu", "system/A.u", "system/A.u"),
        ];
        for (requested, allowed, expected) in cases {
            let granted = Scopes::granted(requested, &Scopes::parse(allowed));
            assert_eq!(granted.text(), expected, "{requested} of {allowed}");
        }
    }
}
