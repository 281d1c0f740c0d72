use std::fmt;

use super::Scopes;

/// An app as an EHR knows it: registered before it is used.
#[derive(Clone)]
pub struct RegisteredClient {
    pub(crate) id: String,
    pub(crate) keys: Option<KeySource>,
    pub(crate) secret: Option<String>,
    pub(crate) allowed: Scopes,
}

/// Where the public keys of a client are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    Url(String),
    Document(String),
}

impl RegisteredClient {
    /// A client that may read everything, and has neither keys nor a secret
    /// yet.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            keys: None,
            secret: None,
            allowed: Scopes::parse("system/*.rs"),
        }
    }

    /// Keys are fetched from this JWK Set URL, and kept as long as its
    /// `Cache-Control` says.
    #[must_use]
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.keys = Some(KeySource::Url(url.into()));
        self
    }

    /// Keys are in this JWK Set.
    #[must_use]
    pub fn jwks(mut self, document: impl Into<String>) -> Self {
        self.keys = Some(KeySource::Document(document.into()));
        self
    }

    /// The client has a secret, which it sends by HTTP Basic or in the form.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// Scopes it may be granted, separated by spaces. Others than system scopes
    /// never are, and those for writing by a sandbox only that is
    /// [writable](crate::Builder::writable).
    #[must_use]
    pub fn scopes(mut self, scopes: &str) -> Self {
        self.allowed = Scopes::parse(scopes);
        self
    }
}

/// By hand: it holds a secret.
impl fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClient")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
