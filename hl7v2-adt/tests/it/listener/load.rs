//! Many senders beside bad ones.

use std::io::Write;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hl7v2_adt::listener::{Limits, Protocol};

use super::client::{Sender, Told, connect, listen};

/// Messages of each sender, for more than a quick look.
const WIDER: &str = "HL7V2_ADT_LOAD";

/// The bad ones have their deadlines far beyond this.
const BOUND: Duration = Duration::from_secs(5);

#[test]
fn bad_senders_slow_nobody_down() {
    let wider = std::env::var(WIDER).ok();
    let messages = wider.as_ref().map_or(10, |text| text.parse().unwrap());
    let senders = 200;
    let (listener, reins) = listen(Limits::default());
    let address = listener.local_addr();
    let message = format!("MSH|^~\\&|{}\r", "x".repeat(1200));

    let running = AtomicBool::new(true);
    let barrier = Barrier::new(senders);
    let mut times = thread::scope(|scope| {
        scope.spawn(|| {
            let mut dripping = Sender::connect_to(address);
            let endless = b"\x0b".iter().copied().chain(std::iter::repeat(b'x'));
            dripping.drip(endless.take_while(|_| running.load(Ordering::Relaxed)))
        });
        scope.spawn(|| {
            let mut endless = connect(address);
            let _ = endless.write_all(b"\x0b");
            let block = [b'x'; 64 * 1024];
            // 100 MiB, or until the listener has had enough.
            (0..1600).all(|_| endless.write_all(&block).is_ok())
        });
        scope.spawn(|| {
            while running.load(Ordering::Relaxed) {
                let mut garbage = connect(address);
                while garbage.write_all(&[0xff; 16 * 1024]).is_ok() {}
            }
        });
        let senders = (0..senders).map(|_| {
            scope.spawn(|| {
                let mut sender = Sender::connect_to(address);
                barrier.wait();
                (0..messages)
                    .map(|_| {
                        let began = now();
                        assert_eq!(sender.ask(&message).len(), message.len() + 4);
                        began.elapsed()
                    })
                    .collect::<Vec<_>>()
            })
        });
        let senders = senders.collect::<Vec<_>>();
        let times = senders
            .into_iter()
            .flat_map(|sender| sender.join().unwrap());
        let times = times.collect::<Vec<_>>();
        running.store(false, Ordering::Relaxed);
        times
    });
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    if wider.is_some() {
        let (half, most, all) = (at(0.5), at(0.99), at(1.0));
        let text = format!(
            "{} answers: p50 {half:?}, p99 {most:?}, max {all:?}\n",
            times.len()
        );
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    assert!(at(0.99) < BOUND, "p99 {:?}", at(0.99));

    let mut has_seen = (false, false);
    while has_seen != (true, true) {
        match reins.told() {
            Told::TooLong(_) => has_seen.0 = true,
            Told::Junk(Protocol::Unknown) => has_seen.1 = true,
            Told::Cut(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn now() -> Instant {
    Instant::now()
}
