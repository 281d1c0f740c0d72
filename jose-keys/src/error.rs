/// Why a key can't be read, made or used.
///
/// No text holds anything of the file that was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A private key that can't be used.
    #[error("the private key can't be used: {problem}")]
    PrivateKey {
        /// What is wrong with it and what to do.
        problem: &'static str,
    },
    /// A public key that can't be used.
    #[error("the public key can't be used: {problem}")]
    PublicKey {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A name of no algorithm that is used here.
    #[error("the algorithm is not RS256, RS384 or ES384")]
    Algorithm,
    /// No key could be made.
    #[error("no key could be made: {problem}")]
    Generate {
        /// What went wrong.
        problem: &'static str,
    },
}

impl Error {
    pub(crate) const fn private(problem: &'static str) -> Self {
        Self::PrivateKey { problem }
    }

    pub(crate) const fn public(problem: &'static str) -> Self {
        Self::PublicKey { problem }
    }
}

/// Result with the crate's [`Error`], unless told otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;
