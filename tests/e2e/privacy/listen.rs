//! A listener while messages come in, and what is none.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::adt::{BADLY, audit};
use super::audit::LEVELS;
use super::canary::{self, FAMILY, MRN};
use super::content::messages;
use super::disk;
use super::server::Ehr;
use super::serving::{Serving, certificate};
use crate::bulk::wait::until;

fn block(message: &[u8]) -> Vec<u8> {
    [b"\x0B", message, b"\x1C\r"].concat()
}

/// What senders write that breaks the rules.
fn broken() -> Vec<Vec<u8>> {
    let whole = block(&messages()[0]);
    let name = format!("{FAMILY} {MRN}\r");
    vec![
        name.clone().into_bytes(),
        whole[..whole.len() / 2].to_vec(),
        [b"\x0B\x0B", &whole[1..]].concat(),
        [&whole[..whole.len() - 1], name.as_bytes()].concat(),
        block(&messages()[0].repeat(20)),
        block(name.repeat(2_000).as_bytes()),
        format!("GET /?{MRN} HTTP/1.1\r\nHost: {FAMILY}\r\n\r\n").into_bytes(),
        [&whole[..60], b"\xFF\xFE\0", &whole[60..]].concat(),
    ]
}

/// Sends blocks over TLS, and gives the answers.
fn send_over_tls(serving: &Serving<'_>, authority: &str, blocks: &[u8]) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM");
    roots.add(root).expect("a certificate");
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = Arc::new(config.with_no_client_auth());
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(config, name).expect("a client");
    let socket = TcpStream::connect(serving.address).expect("a connection");
    let mut stream = StreamOwned::new(connection, socket);
    stream.write_all(blocks).expect("TLS");
    stream.conn.send_close_notify();
    stream.flush().expect("TLS");
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).expect("TLS");
    answers
}

#[test]
fn a_listener_tells_nothing_at_any_level() {
    let ehr = Ehr::start();
    for (number, (level, (place, bad))) in LEVELS.iter().zip(BADLY).enumerate() {
        let audit = audit(&ehr, "[connections.c.adt]\nmessage_bytes = 8192\n");
        ehr.forget();
        ehr.fails(place, bad);
        let (tls, authority) = certificate(&audit);
        let tls = match number % 2 {
            0 => &[][..],
            _ => &tls[..],
        };
        let form = [&[][..], &["--json"]][number / 2 % 2];
        let listen = [&["adt", "listen"][..], tls, form, level].concat();
        let serving = Serving::start(&audit, &listen);
        for bytes in broken() {
            canary::assert_none("an answer", &serving.send(&bytes));
        }
        let blocks: Vec<_> = messages().iter().flat_map(|own| block(own)).collect();
        for _ in 0..2 {
            let answers = match tls.is_empty() {
                true => serving.send(&blocks),
                false => send_over_tls(&serving, &authority, &blocks),
            };
            canary::assert_none("acknowledgements", &answers);
            let answered = answers.iter().filter(|byte| **byte == 0x0B).count();
            assert_eq!(answered, messages().len());
        }
        until(place, || ehr.was_asked(place));
        serving.stop();
        for report in [&["status"][..], &["adt", "dead-letters", "list"]] {
            audit.run(&[report, *level].concat()).exits(0);
        }
        audit.assert_disk();
        disk::assert_content(&audit.path("ingest.state.db"), &["adt_patient.value"]);
    }
}
