use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

/// Is told of every request: the seam for a request log and for metrics.
pub trait Observer: Send + Sync + 'static {
    /// A request was answered or given up. Called on the server's one thread,
    /// which answers nobody meanwhile: it must not block.
    fn observe(&self, exchange: &Exchange<'_>);
}

impl<F> Observer for F
where
    F: Fn(&Exchange<'_>) + Send + Sync + 'static,
{
    fn observe(&self, exchange: &Exchange<'_>) {
        self(exchange);
    }
}

/// A request and what became of it. Holds no header, no body and no query
/// string.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// The path of the request without its query. Paths of a FHIR server hold
    /// ids of patients: keep those out of a log.
    pub path: &'a str,
    /// The status of the response; none when the client was gone before.
    pub status: Option<StatusCode>,
    /// From the first byte of the request to the last of the response, which
    /// may still be in a buffer then.
    pub elapsed: Duration,
    /// The network of the client: the first 24 bits of an IPv4 address, the
    /// first 48 of an IPv6 address, and zeros.
    pub network: IpAddr,
    /// Bytes of the body of the response.
    pub sent: u64,
    /// Whether that was all of it.
    pub complete: bool,
}

impl Exchange<'_> {
    /// The method for a log: `other` where it is none of HTTP
    /// ([RFC 9110, 9](https://www.rfc-editor.org/rfc/rfc9110#section-9), and
    /// PATCH), for then it may be any text.
    #[must_use]
    pub fn method_name(&self) -> &str {
        const ALL: [Method; 9] = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::PATCH,
            Method::TRACE,
            Method::CONNECT,
        ];
        let is_known = ALL.contains(self.method);
        if is_known {
            self.method.as_str()
        } else {
            "other"
        }
    }
}

/// Tells of a request when it is dropped.
pub(crate) struct Record {
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) status: Option<StatusCode>,
    pub(crate) began: Instant,
    pub(crate) peer: IpAddr,
    pub(crate) sent: u64,
    pub(crate) complete: bool,
}

impl Drop for Record {
    fn drop(&mut self) {
        let exchange = Exchange {
            method: &self.method,
            path: &self.path,
            status: self.status,
            elapsed: self.began.elapsed(),
            network: network(self.peer),
            sent: self.sent,
            complete: self.complete,
        };
        // Without the path, which may name a patient.
        tracing::debug!(
            method = exchange.method_name(),
            status = exchange.status.map(|status| status.as_u16()),
            elapsed_ms = u64::try_from(exchange.elapsed.as_millis()).unwrap_or(u64::MAX),
            network = %exchange.network,
            sent = exchange.sent,
            complete = exchange.complete,
            "request",
        );
        if let Some(observer) = &self.observer {
            observer.observe(&exchange);
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() >> 8 << 8)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_by_its_network_only() {
        let cases = [
            ("192.0.2.77", "192.0.2.0"),
            ("::ffff:192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("::1", "::"),
        ];
        for (address, expected) in cases {
            let network = network(address.parse().unwrap());
            assert_eq!(network.to_string(), expected, "{address}");
        }
    }

    #[test]
    fn a_method_that_a_client_made_up_is_not_named() {
        for (method, name) in [("GET", "GET"), ("PATCH", "PATCH"), ("MILLER", "other")] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let exchange = Exchange {
                method: &method,
                path: "/",
                status: None,
                elapsed: Duration::ZERO,
                network: IpAddr::V4(Ipv4Addr::LOCALHOST),
                sent: 0,
                complete: false,
            };
            assert_eq!(exchange.method_name(), name);
        }
    }
}
