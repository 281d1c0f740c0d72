use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jose_keys::Algorithm;

/// What a function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a ring can't be read or changed. No variant holds anything of a private
/// key, or of what protects it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is a key for the algorithm already.
    #[error(
        "the ring has an active key for {algorithm}: rotate it, which keeps the old one published"
    )]
    Occupied {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The key is in the ring already.
    #[error("the ring has the key {kid} already")]
    Duplicate {
        /// Its `kid`.
        kid: String,
    },
    /// A rotation is under way.
    #[error(
        "a rotation is under way: {kid} becomes active in {} s; retire it to give the rotation up",
        after.as_secs()
    )]
    Pending {
        /// The key that becomes active.
        kid: String,
        /// In how long.
        after: Duration,
    },
    /// There is no such key.
    #[error("the ring has no key {kid}")]
    NoSuchKey {
        /// The `kid` asked for.
        kid: String,
    },
    /// There is no key to sign with.
    #[error("the ring has no active key for {}", names(algorithms))]
    NoActiveKey {
        /// The algorithms that would do.
        algorithms: Vec<Algorithm>,
    },
    /// Nothing would be left to sign with.
    #[error(
        "{kid} is the only key for its algorithm: nothing could be signed; rotate without grace instead"
    )]
    LastKey {
        /// The key that was to be retired.
        kid: String,
    },
    /// A time is beyond what can be written down.
    #[error("a time of the ring would be out of range: is the clock right?")]
    Time,
    /// A key can't be read, made or used.
    #[error(transparent)]
    Key(#[from] jose_keys::Error),
    /// The secret that protects the ring is needed, and was not given.
    #[error("the private keys in {} are encrypted, and what opens them was not given", path.display())]
    NoSecret {
        /// The ring.
        path: PathBuf,
    },
    /// The secret that protects the ring is another one.
    #[error(
        "the private keys in {} can't be opened: it is not the passphrase or key they were sealed with, or the file is damaged",
        path.display()
    )]
    WrongSecret {
        /// The ring.
        path: PathBuf,
    },
    /// A ring is protected by a passphrase, and a key was given, or the other
    /// way round.
    #[error("the private keys in {} are sealed with a {expected}, not with a {given}", path.display())]
    OtherSecret {
        /// The ring.
        path: PathBuf,
        /// `passphrase` or `key`.
        expected: &'static str,
        /// `passphrase` or `key`.
        given: &'static str,
    },
    /// A key file or passphrase that is none.
    #[error("{problem}")]
    Secret {
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },
    /// A file of the ring can't be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// `read`, `write`, `lock`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no key ring of this version.
    #[error("{} is no key ring: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: &'static str,
    },
    /// A ring that was there is there no more.
    #[error("the ring is gone: was its folder moved, or is it not mounted?")]
    Gone,
    /// The system has no randomness to give.
    #[error("the system gave no random numbers")]
    Random,
    /// Without TLS only this machine is served.
    #[error("{address} can be reached from other machines, which takes TLS")]
    Plain {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// The server can't be started, or its certificate not be used.
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Serve(Box<http_serve::Error>),
    /// A name that can't be part of the URL of a key set.
    #[error(
        "a key set is published under a name of at most 63 lower-case letters, digits and `-`, which does not begin with `-`"
    )]
    Tenant,
}

fn names(algorithms: &[Algorithm]) -> String {
    let names: Vec<_> = algorithms
        .iter()
        .map(|algorithm| algorithm.as_str())
        .collect();
    names.join(" or ")
}
