/// A SMART system scope, of version 1 (`system/Patient.read`) or 2
/// (`system/Patient.rs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `None` is every type.
    resource_type: Option<String>,
    read: bool,
    search: bool,
    /// Whether it asks for more than reading.
    writes: bool,
    text: String,
}

impl Scope {
    /// `None` for any other scope: there is nothing else to be granted here.
    fn parse(text: &str) -> Option<Self> {
        let (name, permissions) = text.strip_prefix("system/")?.split_once('.')?;
        let permissions = permissions.split('?').next().unwrap_or(permissions);
        let (read, search, writes) = match permissions {
            "read" => (true, true, false),
            "*" => (true, true, true),
            "write" => (false, false, true),
            letters => {
                let in_order = letters.chars().scan("cruds", |rest, letter| {
                    let place = rest.find(letter);
                    *rest = place.map_or("", |place| &rest[place + 1..]);
                    Some(place.is_some())
                });
                if letters.is_empty() || !in_order.into_iter().all(|known| known) {
                    return None;
                }
                (
                    letters.contains('r'),
                    letters.contains('s'),
                    letters.contains(['c', 'u', 'd']),
                )
            }
        };
        let resource_type = (name != "*").then(|| name.to_owned());
        Some(Self {
            resource_type,
            read,
            search,
            writes,
            text: text.to_owned(),
        })
    }

    fn includes(&self, resource_type: &str) -> bool {
        self.resource_type
            .as_deref()
            .is_none_or(|own| own == resource_type)
    }

    /// What both allow, reading only.
    fn intersection(&self, allowed: &Self) -> Option<Self> {
        let resource_type = match (&self.resource_type, &allowed.resource_type) {
            (Some(own), Some(other)) if own != other => return None,
            (Some(one), _) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        let (read, search) = (self.read && allowed.read, self.search && allowed.search);
        if !read && !search {
            return None;
        }
        let whole = resource_type == self.resource_type
            && (read, search) == (self.read, self.search)
            && !self.writes;
        let name = resource_type.as_deref().unwrap_or("*");
        let permissions = match (read, search) {
            (true, true) if self.text.ends_with(".read") || self.text.ends_with(".*") => "read",
            (true, true) => "rs",
            (true, false) => "r",
            _ => "s",
        };
        let text = if whole {
            self.text.clone()
        } else {
            format!("system/{name}.{permissions}")
        };
        Some(Self {
            resource_type,
            read,
            search,
            writes: false,
            text,
        })
    }
}

/// Scopes that were granted, or may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes(Vec<Scope>);

impl Scopes {
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.split(' ').filter_map(Scope::parse).collect())
    }

    /// What of the requested scopes is allowed; nothing is granted beyond
    /// reading.
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

    pub(crate) fn may_read(&self, resource_type: &str) -> bool {
        self.0
            .iter()
            .any(|scope| scope.read && scope.includes(resource_type))
    }

    pub(crate) fn may_search(&self, resource_type: &str) -> bool {
        self.0
            .iter()
            .any(|scope| scope.search && scope.includes(resource_type))
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
            let granted = Scopes::granted(requested, &Scopes::parse(allowed));
            assert_eq!(granted.text(), expected, "{requested} of {allowed}");
        }
    }
}
