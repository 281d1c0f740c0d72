use std::fmt;
use std::str::FromStr;

use crate::{Scope, ScopeError, Syntax};

/// Scopes in the order they were given, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// No scopes.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reading and searching of resource types of the whole system.
    ///
    /// # Errors
    /// A type that can't stand in a scope.
    pub fn for_types<T: AsRef<str>>(
        types: impl IntoIterator<Item = T>,
        syntax: Syntax,
    ) -> Result<Self, ScopeError> {
        types
            .into_iter()
            .map(|name| Scope::system(name.as_ref(), syntax))
            .collect()
    }

    /// The scopes of a server's answer. What is no scope is passed over: the
    /// server's list is compared, never sent.
    #[must_use]
    pub fn granted(text: &str) -> Self {
        text.split_whitespace()
            .filter_map(|scope| scope.parse().ok())
            .collect()
    }

    /// Adds a scope, unless it is there.
    pub fn insert(&mut self, scope: Scope) {
        if !self.0.contains(&scope) {
            self.0.push(scope);
        }
    }

    /// The scopes, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether they grant all that `scope` asks for, together.
    #[must_use]
    pub fn covers(&self, scope: &Scope) -> bool {
        scope.is_covered_by(self.iter())
    }

    /// Those of these scopes that `granted` does not cover.
    #[must_use]
    pub fn missing(&self, granted: &Self) -> Self {
        Self(
            self.iter()
                .filter(|scope| !granted.covers(scope))
                .cloned()
                .collect(),
        )
    }

    /// Makes sure that none of them grants writing.
    ///
    /// # Errors
    /// [`ScopeError::Write`] for the first that does.
    pub fn require_read_only(&self) -> Result<(), ScopeError> {
        match self.iter().find(|scope| scope.is_write()) {
            Some(scope) => Err(ScopeError::Write {
                name: scope.name().to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Their names without queries, for messages.
    pub(crate) fn names(&self) -> String {
        self.iter().map(Scope::name).collect::<Vec<_>>().join(" ")
    }

    /// As [`names`](Self::names) what a server granted: it may have put anything
    /// among them, and only what gives access to types is sure to say no more.
    pub(crate) fn access_names(&self) -> String {
        let known = self.iter().filter(|scope| scope.is_access());
        let mut names: Vec<_> = known.map(Scope::name).map(str::to_owned).collect();
        let others = self.len() - names.len();
        if others > 0 {
            names.push(format!("and {others} others"));
        }
        names.join(" ")
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeError;

    /// Scopes with white space between them.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        text.split_whitespace().map(str::parse).collect()
    }
}

/// As it is sent: with a space between scopes.
impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::new();
        for scope in scopes {
            set.insert(scope);
        }
        set
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
