use std::fmt;

use http::Uri;

use crate::{Error, Result};

/// Scheme, host and port: what credentials are bound to
/// ([RFC 6454](https://www.rfc-editor.org/rfc/rfc6454)).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an absolute URI.
    ///
    /// # Errors
    /// A URI that is relative, of another scheme than `https` and `http`, with
    /// user information, or plain `http` to a host that is not this machine.
    pub fn of(uri: &Uri) -> Result<Self> {
        let fail = |problem| Error::Url {
            what: "the address",
            problem,
        };
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(fail("its scheme is neither https nor http")),
            None => return Err(fail("it is not absolute")),
        };
        let authority = uri.authority().ok_or_else(|| fail("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(fail("it holds a user name or password"));
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err(fail("it has no host"));
        }
        if !https && !is_loopback(&host) {
            return Err(fail("plain http is for loopback addresses only, use https"));
        }
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        Ok(Self { https, host, port })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// `host:port`, for messages.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
