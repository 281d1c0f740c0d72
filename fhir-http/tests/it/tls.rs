//! Certificates, keys and other settings of the transport.

use fhir_http::{Error, Roots, TransportError, UreqClient, UreqConfig};

use crate::network::{local, ok, read, send};
use crate::server::{Authority, Server};

#[test]
fn certificates_are_verified() {
    let authority = Authority::new();
    let server = Server::tls(authority.server("localhost", None), ok);
    let uri = format!("https://localhost:{}/", server.port);
    let other = Authority::new().pem;
    let trusting = local().root_certificates(authority.pem.clone());

    assert_eq!(read(send(&trusting, &uri).unwrap()).unwrap(), b"{}");
    let both = local().root_certificates(format!("{other}{}", authority.pem));
    assert!(send(&both, &uri).is_ok());
    let system = UreqConfig::default().root_certificates(authority.pem.clone());
    assert!(send(&system, &uri).is_ok());

    let refused = [
        (local(), &uri),
        (UreqConfig::default(), &uri),
        (UreqConfig::default().roots(Roots::Mozilla), &uri),
        (local().root_certificates(other), &uri),
        // Another name than the certificate's.
        (trusting, &format!("https://127.0.0.1:{}/", server.port)),
    ];
    for (config, uri) in refused {
        let error = send(&config, uri).unwrap_err();
        assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
        assert!(!error.is_transient());
    }
}

#[test]
fn what_is_wrong_with_a_server_is_told_in_plain_words() {
    let authority = Authority::new();
    let trusting = local().root_certificates(authority.pem.clone());
    let years = |from, to| Server::tls(authority.server_of_years("localhost", from, to), ok);
    let right = || Server::tls(authority.server("localhost", None), ok);
    let namesake = local().root_certificates(Authority::new().pem);
    let cases = [
        (years(2001, 2002), &trusting, "localhost", "has expired"),
        (
            years(2998, 2999),
            &trusting,
            "localhost",
            "is not valid yet",
        ),
        (right(), &trusting, "127.0.0.1", "is for another host name"),
        (right(), &local(), "localhost", "is not trusted here"),
        (right(), &namesake, "localhost", "and another key"),
    ];
    for (server, config, host, words) in cases {
        let error = send(config, &format!("https://{host}:{}/", server.port)).unwrap_err();
        let TransportError::Tls(fault) = error else {
            panic!("{words}: {error:?}");
        };
        assert!(fault.to_string().contains(words), "{words}: {fault}");
    }
}

#[test]
fn client_certificates() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::tls(authority.server("localhost", Some(&clients)), ok);
    let uri = format!("https://localhost:{}/", server.port);
    let trusting = local().root_certificates(authority.pem.clone());

    let known = clients.identity("client");
    let known = trusting.clone().client_certificate(known.chain, known.key);
    assert_eq!(read(send(&known, &uri).unwrap()).unwrap(), b"{}");

    let stranger = authority.identity("client");
    let stranger = trusting
        .clone()
        .client_certificate(stranger.chain, stranger.key);
    for config in [trusting, stranger] {
        let error = send(&config, &uri).unwrap_err();
        assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
    }
}

#[test]
fn settings_that_can_not_be_used_are_refused_with_a_position() {
    let authority = Authority::new();
    let (one, two) = (authority.identity("a"), authority.identity("b"));
    let begin = "-----BEGIN CERTIFICATE-----\n";
    let end = "-----END CERTIFICATE-----\n";
    let pem = &authority.pem;
    let cases = [
        (
            local().root_certificates(""),
            "its PEM holds no certificate",
        ),
        (
            local().root_certificates(one.key.clone()),
            "its PEM holds no certificate",
        ),
        (
            local().root_certificates(format!("{pem}{begin}c3VycHJpc2U=\n{end}")),
            "number 2 in its PEM is no X.509",
        ),
        (
            local().root_certificates(format!("{pem}{begin}!!!!\n{end}")),
            "number 2 in its PEM: it is not base64",
        ),
        (
            local().root_certificates(format!("{begin}AAAA\n")),
            "number 1 in its PEM: its END line is missing",
        ),
        (
            local().client_certificate(one.chain.clone(), two.key.clone()),
            "not the certificate's",
        ),
        (
            local().client_certificate(one.chain.clone(), "surprise"),
            "no PEM of a private key",
        ),
        (
            local().client_certificate("", one.key.clone()),
            "its PEM holds no certificate",
        ),
        (
            local()
                .roots(Roots::Mozilla)
                .root_certificates(authority.pem.clone()),
            "can't be joined",
        ),
        (
            local().proxy("http://user:surprise@"),
            "its address is not of the form",
        ),
        (
            local().proxy("gopher://user:surprise@proxy.example"),
            "its address is not of the form",
        ),
    ];
    for (config, expected) in cases {
        let error = UreqClient::new(&config).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }));
        let text = format!("{error} {error:?}");
        assert!(text.contains(expected), "{text}");
        assert!(
            !text.contains("surprise") && !text.contains("!!!!"),
            "{text}"
        );
    }
}

#[test]
fn secrets_of_the_settings_are_not_shown() {
    let identity = Authority::new().identity("a");
    let line = identity.key.lines().nth(1).unwrap().to_owned();
    let config = local()
        .proxy("http://canary-user:canary-password@proxy.example:3128")
        .client_certificate(identity.chain, identity.key);
    let client = UreqClient::new(&config).unwrap();
    let shown = format!("{config:?} {client:?}");
    assert!(
        !shown.contains("canary") && !shown.contains(&line),
        "{shown}"
    );
}
