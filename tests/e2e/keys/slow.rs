//! Clients that drip, and one that does not. `DRIPPING=400` is what developers
//! run; in CI there are fewer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fhir_http::{Clock as _, SystemClock};

use super::site::{Site, ask};

/// What the server gives for the head of a request.
const DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn clients_that_drip_are_cut_while_others_are_served() {
    let clients: usize = std::env::var("DRIPPING")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(40);
    let site = Site::new();
    site.keys(&["generate", "--alg", "ES384"]);
    let served = site.serve(&[]);
    let address = served.address;
    let dripping = AtomicBool::new(true);
    let (cut, mut latencies) = thread::scope(|scope| {
        let drips: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(move || {
                    let from = SystemClock.now();
                    let mut client = TcpStream::connect(address).expect("a connection");
                    client
                        .set_read_timeout(Some(Duration::from_secs(1)))
                        .expect("a timeout");
                    let mut head = b"GET /jwks/acme.json HTTP/1.1\r\nX-Slow: "
                        .iter()
                        .copied()
                        .chain([b'a'].repeat(100_000));
                    // One byte a second: the read waits for that long.
                    loop {
                        let byte = head.next().expect("more than is ever sent");
                        if client.write_all(&[byte]).is_err() {
                            break;
                        }
                        let mut answer = [0; 512];
                        match client.read(&mut answer) {
                            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                            _ => break,
                        }
                    }
                    SystemClock.now().duration_since(from).unwrap_or_default()
                })
            })
            .collect();
        let good = scope.spawn(|| {
            let mut latencies = Vec::new();
            while dripping.load(Ordering::Relaxed) {
                let from = SystemClock.now();
                let (head, _) = ask(address, "GET /jwks/acme.json HTTP/1.1").expect("an answer");
                assert!(head.starts_with("http/1.1 200 "), "{head}");
                latencies.push(SystemClock.now().duration_since(from).unwrap_or_default());
            }
            latencies
        });
        let cut: Vec<_> = drips
            .into_iter()
            .map(|drip| drip.join().expect("a client"))
            .collect();
        dripping.store(false, Ordering::Relaxed);
        (cut, good.join().expect("the good client"))
    });
    for lived in &cut {
        assert!(
            *lived >= DEADLINE - Duration::from_secs(1),
            "cut before its time: {lived:?}"
        );
        assert!(*lived < DEADLINE * 2, "not cut: {lived:?}");
    }
    latencies.sort();
    let p99 = latencies[latencies.len() * 99 / 100];
    crate::util::tell(&format!(
        "{clients} dripping, {} answers, p99 {p99:?}",
        latencies.len()
    ));
    assert!(latencies.len() > 100);
    // The machine may be busy with other tests: what developers see is far less.
    let most = if clients >= 400 { 50 } else { 500 };
    assert!(p99 < Duration::from_millis(most), "p99 {p99:?}");
}
