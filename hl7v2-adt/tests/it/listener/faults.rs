use std::io::{ErrorKind, Write};
use std::sync::mpsc;

use hl7v2_adt::listener::{Limits, Protocol, WhenFull};

use super::client::{SHORT, Sender, Told, connect, listen};

#[test]
fn a_frame_that_drips_is_cut_and_nobody_else_notices() {
    let limits = Limits {
        frame: SHORT,
        ..Limits::default()
    };
    let (listener, reins) = listen(limits);
    let mut stuck = Sender::connect(&listener);
    stuck.send("\x0bMSH|stuck");
    let mut empty = Sender::connect(&listener);
    empty.send("\x0b");
    let mut other = Sender::connect(&listener);
    for _ in 0..20 {
        assert_eq!(other.ask("one"), "ack:one");
    }
    let mut dripping = Sender::connect(&listener);
    let taken = dripping.drip(
        b"\x0b"
            .iter()
            .copied()
            .chain(std::iter::repeat_n(b'x', 1000)),
    );
    assert!(taken.is_some());
    for slow in [&mut stuck, &mut empty, &mut dripping] {
        assert_eq!(slow.answer(), "timeout");
        assert!(slow.is_closed());
    }
    let mut told = [reins.told(), reins.told(), reins.told()].map(|told| match told {
        Told::Timeout(bytes) => bytes,
        other => panic!("{other:?}"),
    });
    told.sort();
    assert_eq!(told[0], b"");
    assert_eq!(told[1], b"MSH|stuck");
    assert!(told[2].starts_with(b"xxx"));
    // It has been silent for longer than the deadline of a frame.
    assert_eq!(other.ask("two"), "ack:two");
}

#[test]
fn all_but_the_return_is_a_message_when_the_deadline_comes() {
    let limits = Limits {
        frame: SHORT,
        ..Limits::default()
    };
    let (listener, reins) = listen(limits);
    let mut sender = Sender::connect(&listener);
    for _ in 0..2 {
        sender.send("\x0bone\x1c");
        assert_eq!(sender.answer(), "ack:one");
    }
    assert!(reins.nothing_told());
}

#[test]
fn silence_between_messages_is_fine_unless_limited() {
    let limits = Limits {
        idle: Some(5 * SHORT),
        ..Limits::default()
    };
    let (listener, reins) = listen(limits);
    let mut sender = Sender::connect(&listener);
    assert_eq!(sender.ask("one"), "ack:one");
    assert!(sender.is_closed());
    assert!(reins.nothing_told());
}

#[test]
fn the_time_of_a_handler_is_not_limited() {
    let limits = Limits {
        frame: SHORT,
        write_stall: SHORT,
        ..Limits::default()
    };
    let (listener, reins) = listen(limits);
    let mut sender = Sender::connect(&listener);
    sender.send("\x0bheld\x1c\r\x0bsecond\x1c\r");
    reins.entered();
    let (_keep, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(3 * SHORT).is_err());
    reins.leave.send(()).unwrap();
    assert_eq!(sender.answer(), "ack:held");
    assert_eq!(sender.answer(), "ack:second");
}

#[test]
fn a_message_without_end_is_refused_at_the_limit() {
    let limits = Limits {
        message_bytes: 100_000,
        ..Limits::default()
    };
    let (listener, reins) = listen(limits);
    let mut other = Sender::connect(&listener);
    let mut endless = Sender::connect(&listener);
    // More than the buffers of the system take: it is read on, but not kept.
    endless.send([&b"\x0bMSH|"[..], &vec![b'x'; 20_000_000]].concat());
    assert_eq!(endless.answer(), "too long");
    assert!(endless.is_closed());
    let Told::TooLong(first) = reins.told() else {
        panic!()
    };
    assert!(first.starts_with(b"MSH|xxx") && first.len() <= 100_000);
    assert_eq!(other.ask("one"), "ack:one");
}

#[test]
fn other_protocols_are_closed_at_once() {
    let cases: [(&[u8], Protocol); 6] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Protocol::Http),
        (b"POST /fhir HTTP/1.1\r\n", Protocol::Http),
        (b"OPTIONS * HTTP/1.1\r\n", Protocol::Http),
        (b"\x16\x03\x01\x02\x00\x01\x00", Protocol::Tls),
        (b"MSH|^~\\&|A\rPID|1\r", Protocol::Hl7),
        (b"BHS|^~\\&|A\r", Protocol::Hl7),
    ];
    let (listener, reins) = listen(Limits::default());
    for (bytes, protocol) in cases {
        for drips in [false, true] {
            let mut sender = Sender::connect(&listener);
            if drips {
                // It may close before the last of them.
                let _ = sender.drip(bytes.iter().copied());
            } else {
                sender.send(bytes);
            }
            assert!(sender.is_closed(), "{protocol:?}");
            assert_eq!(reins.told(), Told::Junk(protocol));
        }
    }
}

#[test]
fn garbage_is_closed_at_the_limit() {
    let limits = Limits {
        junk_bytes: 1000,
        ..Limits::default()
    };
    let (listener, reins) = listen(limits);
    let mut sender = Sender::connect(&listener);
    // Less than the limit from message to message.
    for _ in 0..5 {
        sender.send([b'\0'; 400]);
        assert_eq!(sender.ask("one"), "ack:one");
    }
    assert!(reins.nothing_told());
    sender.send([0xff; 2000]);
    assert!(sender.is_closed());
    assert_eq!(reins.told(), Told::Junk(Protocol::Unknown));
}

#[test]
fn a_sender_that_does_not_read_is_cut() {
    let limits = Limits {
        write_stall: SHORT,
        ..Limits::default()
    };
    let (listener, _reins) = listen(limits);
    let mut stream = connect(listener.local_addr());
    let message = b"\x0blarge\x1c\r";
    // Until the answers fill all buffers and the listener gives up.
    let error = loop {
        if let Err(error) = stream.write_all(message) {
            break error;
        }
    };
    assert!(!matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
}

#[test]
fn connections_beyond_the_limit_wait() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let (listener, reins) = listen(limits);
    let mut first = Sender::connect(&listener);
    assert_eq!(first.ask("one"), "ack:one");
    let mut held = Sender::connect(&listener);
    held.tell("held");
    reins.entered();
    let mut third = Sender::connect(&listener);
    third.tell("three");
    assert_eq!(first.ask("two"), "ack:two");
    drop(first);
    assert_eq!(third.answer(), "ack:three");
    reins.leave.send(()).unwrap();
    assert_eq!(held.answer(), "ack:held");
}

#[test]
fn connections_beyond_the_limit_are_closed_where_that_is_wanted() {
    let close = Limits {
        connections: 2,
        when_full: WhenFull::Close,
        ..Limits::default()
    };
    let of_one_address = Limits {
        connections_per_address: 2,
        exempt_loopback: false,
        ..Limits::default()
    };
    for limits in [close, of_one_address] {
        let (listener, _reins) = listen(limits);
        let mut two = [Sender::connect(&listener), Sender::connect(&listener)];
        for sender in &mut two {
            assert_eq!(sender.ask("one"), "ack:one");
        }
        assert!(Sender::connect(&listener).is_closed());
        for sender in &mut two {
            assert_eq!(sender.ask("two"), "ack:two");
        }
    }
}
