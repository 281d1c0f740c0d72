use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use hl7v2_adt::listener::{Answer, Error, Fault, Handler, Limits, Listener, Peer};
use hl7v2_adt::mllp::encode;

use super::client::{Sender, Told, listen, loopback, obedient};

#[test]
fn messages_are_answered_in_their_order_however_they_come() {
    let (listener, reins) = listen(Limits::default());
    let mut sender = Sender::connect(&listener);
    assert_eq!(sender.ask("one"), "ack:one");

    // Many at once, with line ends between them and one that wants no answer.
    let mut stream = Vec::new();
    for number in 0..500 {
        stream.extend(encode(format!("{number}").as_bytes()).unwrap());
        stream.extend(b"\r\n");
    }
    stream.extend(encode(b"silent").unwrap());
    stream.extend(encode(b"end").unwrap());
    sender.send(&stream);
    for number in 0..500 {
        assert_eq!(sender.answer(), format!("ack:{number}"));
    }
    assert_eq!(sender.answer(), "ack:end");

    // A byte at a time, and a large one.
    for byte in encode(b"two").unwrap() {
        sender.send([byte]);
    }
    assert_eq!(sender.answer(), "ack:two");
    let large = "x".repeat(1_000_000);
    assert_eq!(sender.ask(&large), format!("ack:{large}"));
    assert_eq!(sender.ask(""), "ack:");
    assert!(reins.nothing_told());
}

#[test]
fn an_answer_can_close() {
    let (listener, _reins) = listen(Limits::default());
    let mut sender = Sender::connect(&listener);
    // What was sent behind it doesn't take the answer away.
    let more = encode(&[b'x'; 100_000]).unwrap();
    sender.send([&encode(b"reply and close").unwrap()[..], &more].concat());
    assert_eq!(sender.answer(), "last");
    assert!(sender.is_closed());
    // An answer that would end its frame early is a wrong one for every sender.
    for message in ["close", "unframed"] {
        let mut sender = Sender::connect(&listener);
        sender.tell(message);
        assert!(sender.is_closed(), "{message}");
    }
}

#[test]
fn frames_without_a_return_are_tolerated() {
    let (listener, reins) = listen(Limits::default());
    let mut sender = Sender::connect(&listener);
    sender.send("\x0bone\x1c\x0btwo\x1c\r");
    assert_eq!(sender.answer(), "ack:one");
    assert_eq!(sender.answer(), "ack:two");
    sender.send("\x0bthree\x1c");
    sender.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(sender.answer(), "ack:three");
    assert!(sender.is_closed());
    assert!(reins.nothing_told());
}

#[test]
fn a_cut_frame_is_told_and_the_next_is_received() {
    let (listener, reins) = listen(Limits::default());
    let mut sender = Sender::connect(&listener);
    sender.send("\x0bMSH|lost\r\x0bnext\x1c\r");
    assert_eq!(sender.answer(), "cut");
    assert_eq!(sender.answer(), "ack:next");
    assert_eq!(reins.told(), Told::Cut(b"MSH|lost\r".to_vec()));
    sender.send("\x0bMSH|half");
    sender.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(sender.answer(), "cut");
    assert!(sender.is_closed());
    assert_eq!(reins.told(), Told::Cut(b"MSH|half".to_vec()));
    // Gone without waiting for anything.
    let mut sender = Sender::connect(&listener);
    sender.send("\x0bMSH|gone");
    drop(sender);
    assert_eq!(reins.told(), Told::Cut(b"MSH|gone".to_vec()));
}

#[test]
fn a_handler_that_panics_takes_its_own_connection_only() {
    let (listener, _reins) = listen(Limits::default());
    let mut other = Sender::connect(&listener);
    other.ask("before");
    let mut sender = Sender::connect(&listener);
    sender.tell("panic");
    assert!(sender.is_closed());
    assert_eq!(other.ask("after"), "ack:after");
    assert_eq!(Sender::connect(&listener).ask("new"), "ack:new");
}

#[test]
fn a_handler_knows_its_peer() {
    let (listener, _reins) = listen(Limits::default());
    let mut sender = Sender::connect(&listener);
    let address = sender.0.get_ref().local_addr().unwrap();
    assert_eq!(sender.ask("who"), format!("{address} 0 None"));
}

#[test]
fn a_fault_of_the_handler_in_a_fault_closes_too() {
    struct Panics;
    impl Handler for Panics {
        fn receive(&self, _: &[u8], _: &Peer) -> Answer {
            Answer::Silent
        }
        fn fault(&self, _: Fault<'_>, _: &Peer) -> Answer {
            panic!("always")
        }
    }
    let bound = Listener::bind(loopback(), Limits::default()).unwrap();
    let listener = bound.serve(Arc::new(Panics)).unwrap();
    let mut sender = Sender::connect(&listener);
    sender.send("\x0bone\x0btwo\x1c\r");
    assert!(sender.is_closed());
}

#[test]
fn what_cannot_be_served_is_an_error() {
    let limits = [
        Limits {
            connections: 0,
            ..Limits::default()
        },
        Limits {
            connections_per_address: 0,
            ..Limits::default()
        },
        Limits {
            message_bytes: 0,
            ..Limits::default()
        },
        Limits {
            write_stall: Duration::ZERO,
            ..Limits::default()
        },
    ];
    for limits in limits {
        let error = Listener::bind(loopback(), limits).unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error}");
    }
    let bound = Listener::bind(loopback(), Limits::default()).unwrap();
    let error = Listener::bind(bound.local_addr(), Limits::default()).unwrap_err();
    assert!(matches!(error, Error::Bind { .. }), "{error}");
    let listener = bound.serve(obedient().0).unwrap();
    assert_eq!(Sender::connect(&listener).ask("one"), "ack:one");
}
