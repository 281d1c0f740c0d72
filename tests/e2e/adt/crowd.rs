//! Many senders, and some that behave badly. `ADT_CROWD=200` is what developers
//! run, with a release build; in CI there are fewer. `ADT_PACE=200` has each of
//! them wait for so many milliseconds between messages; else the next one goes
//! out when the one before is answered.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ehr_sandbox::MllpSender;
use fhir_http::{Clock as _, SystemClock};

use super::site::{Site, message, widened};

#[test]
fn senders_are_answered_whatever_others_do() {
    let crowd = widened("ADT_CROWD", 24);
    let each = widened("ADT_MESSAGES", 20);
    let pace = Duration::from_millis(widened("ADT_PACE", 0) as u64);
    let site = Site::new(10);
    let listening = site.listen(&["--no-work", "--quiet"]);
    let (address, mrns) = (listening.address, site.mrns());
    let busy = AtomicBool::new(true);
    let mut latencies: Vec<Duration> = thread::scope(|scope| {
        let busy = &busy;
        // One that drips, one without an end, one that sends garbage.
        scope.spawn(move || {
            let mut stream = TcpStream::connect(address).expect("a connection");
            while busy.load(Ordering::Relaxed) && stream.write_all(b"\x0b").is_ok() {
                SystemClock.sleep(Duration::from_millis(100));
            }
        });
        scope.spawn(move || {
            let mut stream = TcpStream::connect(address).expect("a connection");
            let block = [b'A'; 64 * 1024];
            let mut sent = stream.write_all(b"\x0bMSH|^~\\&|").map(|()| 0);
            while let Ok(bytes) = sent
                && bytes < 100 << 20
                && busy.load(Ordering::Relaxed)
            {
                sent = stream.write_all(&block).map(|()| bytes + block.len());
            }
        });
        scope.spawn(move || {
            while busy.load(Ordering::Relaxed) {
                if let Ok(mut stream) = TcpStream::connect(address) {
                    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\xff\xfe");
                }
                SystemClock.sleep(Duration::from_millis(50));
            }
        });
        let senders: Vec<_> = (0..crowd)
            .map(|sender| {
                let mrns = &mrns;
                scope.spawn(move || {
                    let mut connection = MllpSender::connect(address).expect("a connection");
                    let mut latencies = Vec::new();
                    // Not all at the same moment.
                    SystemClock.sleep(pace * sender as u32 / crowd as u32);
                    for number in 0..each {
                        let text = message(
                            "A08",
                            &format!("{sender}-{number}"),
                            &mrns[number % mrns.len()],
                        );
                        let from = SystemClock.now();
                        let answer = connection.send(&text).expect("an answer");
                        assert_eq!(answer.code(), "AA");
                        assert_eq!(answer.control_id(), format!("{sender}-{number}"));
                        latencies.push(SystemClock.now().duration_since(from).unwrap_or_default());
                        SystemClock.sleep(pace);
                    }
                    latencies
                })
            })
            .collect();
        let latencies = senders
            .into_iter()
            .flat_map(|it| it.join().expect("a sender"))
            .collect();
        busy.store(false, Ordering::Relaxed);
        latencies
    });
    latencies.sort();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    crate::util::tell(&format!(
        "{crowd} senders of {each}: p50 {:?}, p99 {:?}, most {:?}",
        at(50),
        at(99),
        at(100)
    ));
    assert_eq!(latencies.len(), crowd * each);
    let (summary, log) = listening.stop();
    assert_eq!(summary["accepted"], crowd * each, "{log}");
    // The machine may be busy with other tests: what developers see is far less.
    let most = if crowd >= 200 { 50 } else { 2_000 };
    assert!(at(99) < Duration::from_millis(most), "{:?}", at(99));
}
