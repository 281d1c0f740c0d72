use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use hl7v2_adt::listener::{Certificates, Clients, Error, Limits, Listener};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::client::{PATIENCE, SHORT, Sender, connect as connect_plain, loopback, obedient};

/// A certificate and its key, in PEM.
struct Pair {
    chain: String,
    key: String,
}

impl Pair {
    /// One that signed itself.
    fn new() -> Self {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            chain: pair.cert.pem(),
            key: pair.signing_key.serialize_pem(),
        }
    }

    fn certificates(&self, clients: Clients<'_>) -> Certificates {
        Certificates::from_pem(self.chain.as_bytes(), self.key.as_bytes(), clients).unwrap()
    }
}

/// Signs the certificates of clients.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }

    fn client(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["sender.example".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

type TlsSender = Sender<StreamOwned<ClientConnection, TcpStream>>;

/// A sender that trusts the one certificate and nothing else.
fn connect(address: SocketAddr, trusted: &Pair, own: Option<&Pair>) -> io::Result<TlsSender> {
    let mut roots = RootCertStore::empty();
    roots.add(der(trusted)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![der(pair)], key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = connect_plain(address);
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(Sender(BufReader::new(StreamOwned::new(connection, socket))))
}

fn der(pair: &Pair) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pair.chain.as_bytes()).unwrap()
}

fn listen(limits: Limits, certificates: Certificates) -> Listener {
    let bound = Listener::bind(loopback(), limits).unwrap();
    bound.tls(certificates).serve(obedient().0).unwrap()
}

#[test]
fn messages_are_answered_over_tls() {
    let pair = Pair::new();
    let listener = listen(Limits::default(), pair.certificates(Clients::Anonymous));
    let mut sender = connect(listener.local_addr(), &pair, None).unwrap();
    assert_eq!(sender.ask("one"), "ack:one");
    let large = "x".repeat(1_000_000);
    assert_eq!(sender.ask(&large), format!("ack:{large}"));
    sender.send("\x0btwo\x1c\r\x0bthree\x1c\r");
    assert_eq!(sender.answer(), "ack:two");
    assert_eq!(sender.answer(), "ack:three");
    assert!(sender.ask("who").ends_with(" 0 None"));
    assert_eq!(sender.ask("reply and close"), "last");
    // It is closed with a word, not cut; so are idle ones.
    assert_eq!(sender.answer(), "");
    let mut idle = connect(listener.local_addr(), &pair, None).unwrap();
    idle.ask("one");
    let closing = std::thread::spawn(move || idle.answer());
    assert_eq!(listener.stop(PATIENCE), 0);
    assert_eq!(closing.join().unwrap(), "");
}

#[test]
fn clients_prove_who_they_are() {
    let (pair, authority) = (Pair::new(), Authority::new());
    let (client, stranger) = (authority.client(), Authority::new().client());
    let pem = authority.certificate.as_bytes();
    // The certificate that is shown, and whether it has to be and is taken.
    let cases = [
        (Clients::Required(pem), Some(&client), true),
        (Clients::Required(pem), Some(&stranger), false),
        (Clients::Required(pem), None, false),
        (Clients::Optional(pem), Some(&client), true),
        (Clients::Optional(pem), Some(&stranger), false),
        (Clients::Optional(pem), None, true),
    ];
    for (clients, shown, is_taken) in cases {
        let listener = listen(Limits::default(), pair.certificates(clients));
        let mut sender = connect(listener.local_addr(), &pair, shown).unwrap();
        if !is_taken {
            // In TLS 1.3 a client is told after its own handshake is over.
            assert!(sender.is_closed());
            continue;
        }
        let answer = sender.ask("who");
        let length = shown.map_or(0, |shown| der(shown).len());
        assert!(answer.contains(&format!(" {length} ")), "{answer}");
        assert_eq!(answer.ends_with(" None"), shown.is_none(), "{answer}");
    }
}

#[test]
fn certificates_are_replaced_while_it_runs() {
    let (old, new, authority) = (Pair::new(), Pair::new(), Authority::new());
    let certificates = old.certificates(Clients::Anonymous);
    let listener = listen(Limits::default(), certificates.clone());
    let address = listener.local_addr();
    let mut before = connect(address, &old, None).unwrap();
    before.ask("one");
    assert!(connect(address, &new, None).is_err());

    let clients = Clients::Required(authority.certificate.as_bytes());
    certificates
        .replace(new.chain.as_bytes(), new.key.as_bytes(), clients)
        .unwrap();
    let client = authority.client();
    let mut after = connect(address, &new, Some(&client)).unwrap();
    assert_eq!(after.ask("two"), "ack:two");
    assert!(connect(address, &new, None).unwrap().is_closed());
    assert!(connect(address, &old, Some(&client)).is_err());
    assert_eq!(before.ask("three"), "ack:three");

    // What can't be used leaves what is in use alone.
    let mixed = certificates.replace(new.chain.as_bytes(), old.key.as_bytes(), clients);
    assert!(matches!(mixed, Err(Error::KeyPair(_))));
    assert!(connect(address, &new, Some(&client)).is_ok());
}

#[test]
fn what_cannot_be_used_is_an_error_without_the_key() {
    let pair = Pair::new();
    let cut_key = pair.key.replace("-----END", "-----ENT");
    let cut = pair.chain.replace("-----END", "-----ENT");
    let cut_chain = format!("{}{cut}", pair.chain);
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    type Is = fn(&Error) -> bool;
    let anonymous = Clients::Anonymous;
    let cases: [(&str, &str, Clients<'_>, Is); 7] = [
        ("", &pair.key, anonymous, |error| {
            matches!(error, Error::NoCertificate { what: "the chain" })
        }),
        (&cut_chain, &pair.key, anonymous, |error| {
            matches!(error, Error::Certificate { index: 2, .. })
        }),
        (&pair.chain, &cut_key, anonymous, |error| {
            matches!(error, Error::PrivateKey)
        }),
        (&pair.chain, "", anonymous, |error| {
            matches!(error, Error::PrivateKey)
        }),
        (
            &pair.chain,
            &pair.key,
            Clients::Required(b""),
            |error| matches!(error, Error::NoCertificate { what } if what.contains("clients")),
        ),
        (
            &pair.chain,
            &pair.key,
            Clients::Optional(cut.as_bytes()),
            |error| matches!(error, Error::Certificate { index: 1, what, .. } if what.contains("clients")),
        ),
        (
            &pair.chain,
            &pair.key,
            Clients::Required(no_certificate.as_bytes()),
            |error| matches!(error, Error::Authorities(_)),
        ),
    ];
    for (chain, key, clients, expected) in cases {
        let error = Certificates::from_pem(chain.as_bytes(), key.as_bytes(), clients).unwrap_err();
        assert!(expected(&error), "{error}");
        let shown = format!("{error:?}");
        assert!(key.lines().nth(1).is_none_or(|line| !shown.contains(line)));
    }
    let shown = format!("{:?}", pair.certificates(anonymous));
    assert_eq!(shown, "Certificates(…)");
}

#[test]
fn a_slow_handshake_is_cut() {
    let limits = Limits {
        handshake: SHORT,
        ..Limits::default()
    };
    let listener = listen(limits, Pair::new().certificates(Clients::Anonymous));
    let mut silent = Sender::connect(&listener);
    let mut dripping = Sender::connect(&listener);
    // The record of a long ClientHello.
    let hello = [0x16, 3, 1, 0x20, 0, 1, 0, 0x1f, 0xfc].into_iter();
    let taken = dripping.drip(hello.chain(std::iter::repeat_n(3, 1000)));
    assert!(taken.is_some());
    assert!(silent.is_closed());
}

#[test]
fn a_frame_that_drips_below_tls_is_cut() {
    let pair = Pair::new();
    let limits = Limits {
        frame: SHORT,
        ..Limits::default()
    };
    let listener = listen(limits, pair.certificates(Clients::Anonymous));
    let mut other = connect(listener.local_addr(), &pair, None).unwrap();
    let mut slow = connect(listener.local_addr(), &pair, None).unwrap();
    slow.send("\x0bMSH|");
    // A record that never ends.
    let record = [0x17, 3, 3, 0x20, 0].into_iter();
    let socket = slow.0.get_ref().sock.try_clone().unwrap();
    let mut below = Sender(BufReader::new(socket));
    let taken = below.drip(record.chain(std::iter::repeat_n(3, 1000)));
    assert!(taken.is_some());
    assert_eq!(slow.answer(), "timeout");
    assert_eq!(other.ask("one"), "ack:one");
}

#[test]
fn mllp_in_plain_is_not_answered_on_a_port_of_tls() {
    let certificates = Pair::new().certificates(Clients::Anonymous);
    let listener = listen(Limits::default(), certificates);
    let mut sender = Sender::connect_to(listener.local_addr());
    sender.tell("one");
    // There may be an alert of TLS, which is no frame.
    assert!(!matches!(
        hl7v2_adt::mllp::read_frame(&mut sender.0, 1000),
        Ok(Some(_))
    ));
}
