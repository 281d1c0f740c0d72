use std::io;
use std::path::PathBuf;

/// Why a sandbox can't be had as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder can't be read.
    #[error("{} can't be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A folder without a file to serve.
    #[error("{} has no .ndjson or .jsonl files", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A line of a file is no resource.
    #[error("{}, line {line}: no FHIR resource, it lacks {lacks}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is missing.
        lacks: &'static str,
    },
    /// Text that describes no fault.
    #[error("`{text}` is no fault: {problem}")]
    Fault {
        /// The text.
        text: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// No port to listen on.
    #[error("no connections can be accepted on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What happened.
        source: http_serve::Error,
    },
    /// An address that messages may not be sent to.
    #[error("{address} is not of this machine: messages go to loopback addresses only")]
    NotLoopback {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// The connection to a listener of messages can't be made, or broke.
    #[error("the connection to the listener at {address} failed while {during}")]
    Connection {
        /// The address.
        address: std::net::SocketAddr,
        /// What was being done.
        during: &'static str,
        /// What happened.
        source: io::Error,
    },
    /// A listener closed the connection instead of an acknowledgement.
    #[error("the listener at {address} closed the connection and acknowledged nothing")]
    Closed {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// An acknowledgement that breaks a rule of MLLP or HL7 v2.
    #[error("the acknowledgement is wrong: {problem}")]
    Acknowledgement {
        /// What is wrong.
        problem: &'static str,
    },
    /// The client that fetches JWK Sets can't be made.
    #[error("no client for JWK Set URLs")]
    Transport(#[source] fhir_http::BoxError),
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
