use std::error::Error as _;

use http_serve::{Error, Limits, Server};

use crate::client::loopback;

#[test]
fn an_address_in_use_is_an_error() {
    let bound = Server::bind(loopback(), Limits::default()).unwrap();
    let address = bound.local_addr();
    let error = Server::bind(address, Limits::default()).unwrap_err();
    assert!(matches!(&error, Error::Bind { address: at, .. } if *at == address));
    assert!(error.source().is_some());
    assert!(error.to_string().contains(&address.to_string()));
}

#[test]
fn limits_that_serve_nobody_are_an_error() {
    let default = Limits::default;
    for (name, limits) in [
        (
            "connections",
            Limits {
                connections: 0,
                ..default()
            },
        ),
        (
            "connections_per_address",
            Limits {
                connections_per_address: 0,
                ..default()
            },
        ),
        (
            "requests_per_connection",
            Limits {
                requests_per_connection: 0,
                ..default()
            },
        ),
        (
            "threads",
            Limits {
                threads: 0,
                ..default()
            },
        ),
        (
            "head_bytes",
            Limits {
                head_bytes: 0,
                ..default()
            },
        ),
        (
            "headers",
            Limits {
                headers: 0,
                ..default()
            },
        ),
        (
            "headers",
            Limits {
                headers: usize::MAX,
                ..default()
            },
        ),
    ] {
        let error = Server::bind(loopback(), limits).unwrap_err();
        assert!(
            matches!(error, Error::Limit { limit, .. } if limit == name),
            "{error}"
        );
    }
}
