//! The server as a client on a real socket sees it.

mod bodies;
mod client;
#[cfg(target_os = "linux")]
mod descriptors;
mod limits;
mod observe;
mod requests;
mod start;
mod stop;
#[cfg(feature = "tls")]
mod tls;
