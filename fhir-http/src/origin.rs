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

    /// Whether it is reached by TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it is this machine: `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_origin_is() {
        let same = [
            ("https://ehr.example", "https://EHR.example:443/fhir?x=1"),
            ("http://127.0.0.1:80/a", "http://127.0.0.1/b"),
            ("HTTPS://a.example/", "https://a.example/"),
        ];
        let other = [
            ("https://ehr.example", "https://ehr.example:8443"),
            ("https://ehr.example", "https://ehr.example.evil.example"),
            ("https://ehr.example", "https://www.ehr.example"),
            ("https://localhost", "http://localhost:443"),
            ("https://ehr.example", "https://ehr.example."),
        ];
        let origin = |text: &str| Origin::of(&text.parse().unwrap()).unwrap();
        for (a, b) in same {
            assert_eq!(origin(a), origin(b), "{a} {b}");
        }
        for (a, b) in other {
            assert_ne!(origin(a), origin(b), "{a} {b}");
        }
        assert_eq!(
            origin("https://Ehr.example/Patient/1?token=x").to_string(),
            "ehr.example:443"
        );
        assert_eq!(origin("http://[::1]:8080/").to_string(), "[::1]:8080");
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for loopback in ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "[::1]"] {
            let origin = Origin::of(&format!("http://{loopback}:1/").parse().unwrap()).unwrap();
            assert!(origin.is_loopback() && !origin.is_https(), "{loopback}");
        }
        let refused = [
            "http://ehr.example/",
            "http://10.0.0.1/",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://0.0.0.0/",
            "https://user:secret@ehr.example/",
            "ftp://ehr.example/",
            "/relative",
        ];
        for address in refused {
            let error = Origin::of(&address.parse().unwrap()).unwrap_err();
            assert!(matches!(error, Error::Url { .. }), "{address}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
