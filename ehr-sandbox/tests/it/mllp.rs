//! Messages over MLLP, to a listener that writes down what arrives.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ehr_sandbox::{Error, MllpSender};

use crate::util::clock;

const MESSAGE: &[u8] = b"MSH|^~\\&|REG|GHH|INGEST|RESEARCH|20260101||ADT^A01|42|P|2.5.1\rPID|1\r";
const ACK: &[u8] =
    b"\x0bMSH|^~\\&|INGEST|RESEARCH|REG|GHH|20260101||ACK^A01^ACK|1|P|2.5.1\rMSA|AA|42\r\x1c\r";

/// Answers the first bytes with these, then reads until the end.
fn listener(answer: &'static [u8]) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut received = vec![0; 1];
        stream.read_exact(&mut received).expect("a byte");
        stream.write_all(answer).expect("written");
        if answer.is_empty() {
            // Closes with all that came read, so that it is no reset.
            stream.shutdown(std::net::Shutdown::Write).expect("closed");
        }
        // A sender that has not read all of the answer resets the connection.
        let _ = stream.read_to_end(&mut received);
        received
    });
    (address, thread)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [b"\x0b", message, b"\x1c\r"].concat()
}

#[test]
fn messages_arrive_in_their_blocks() {
    let (address, received) = listener(ACK);
    let mut sender = MllpSender::connect(address).expect("connected");
    let acknowledgement = sender.send(MESSAGE).expect("acknowledged");
    assert_eq!(acknowledgement.code(), "AA");
    assert_eq!(acknowledgement.control_id(), "42");
    let fields = [
        ("MSH", 1),
        ("MSH", 2),
        ("MSH", 5),
        ("MSH", 9),
        ("ERR", 3),
        ("MSA", 0),
        ("MSA", 9),
    ];
    let fields = fields.map(|(segment, field)| acknowledgement.field(segment, field));
    assert_eq!(fields, ["|", r"^~\&", "REG", "ACK^A01^ACK", "", "", ""]);
    assert_eq!(acknowledgement.bytes(), &ACK[1..ACK.len() - 2]);
    assert!(!format!("{acknowledgement:?} {sender:?}").contains("42\""));
    drop(sender);
    assert_eq!(received.join().expect("read"), framed(MESSAGE));
}

#[test]
fn pieces_have_pauses_between_them() {
    let clock = clock();
    let (address, received) = listener(ACK);
    let mut sender = MllpSender::connect(address)
        .expect("connected")
        .in_pieces(10, Duration::from_millis(5))
        .clock(clock.clone());
    sender.send(MESSAGE).expect("acknowledged");
    drop(sender);
    assert_eq!(received.join().expect("read"), framed(MESSAGE));
    let pieces = framed(MESSAGE).len().div_ceil(10);
    assert_eq!(clock.slept(), vec![Duration::from_millis(5); pieces - 1]);
}

#[test]
fn what_breaks_the_rules_can_be_sent_too() {
    // Several in one go, with as many acknowledgements.
    let answers: &[u8] = ACK.repeat(3).leak();
    let (address, received) = listener(answers);
    let mut sender = MllpSender::connect(address).expect("connected");
    let acknowledgements = sender.send_all(&[MESSAGE; 3]).expect("acknowledged");
    assert_eq!(acknowledgements.len(), 3);
    drop(sender);
    assert_eq!(received.join().expect("read"), framed(MESSAGE).repeat(3));

    // Garbage before the block.
    let (address, received) = listener(ACK);
    let mut sender = MllpSender::connect(address).expect("connected");
    sender.write(b"GET / HTTP/1.1\r\n").expect("written");
    sender.send(MESSAGE).expect("acknowledged");
    sender.finish().expect("finished");
    assert!(matches!(
        sender.acknowledgement(),
        Err(Error::Closed { .. })
    ));
    let expected = [b"GET / HTTP/1.1\r\n", &*framed(MESSAGE)].concat();
    assert_eq!(received.join().expect("read"), expected);

    // No end block.
    for (after, kept) in [(5, 5), (0, 0), (10_000, MESSAGE.len())] {
        let (address, received) = listener(b"");
        let sender = MllpSender::connect(address).expect("connected");
        sender.break_off(MESSAGE, after).expect("written");
        let expected = [b"\x0b", &MESSAGE[..kept]].concat();
        assert_eq!(received.join().expect("read"), expected);
    }
}

#[test]
fn wrong_acknowledgements_are_told() {
    let cases: [(&'static [u8], &str); 9] = [
        (&ACK[1..], "start block"),
        (b"\r\n\x0bMSH", "start block"),
        (
            b"\x0bMSH|^~\\&|\rMSA|AA|42\r\x1cX",
            "no carriage return follows",
        ),
        (b"\x0bMSH|^~\\&|\rMSA|AA|42\x1c\r", "last segment"),
        (b"\x0bMSH|^~\\&|\r\nMSA|AA|42\r\x1c\r", "line feed"),
        (b"\x0bMSH|^~\\&|\rERR|\r\x1c\r", "no MSA"),
        (b"\x0bMSA|AA|42\r\x1c\r", "MSH"),
        (b"\x0bMSH\x1c\r", "MSH"),
        (b"\x0bMSH|\x0bMSH", "in the middle"),
    ];
    for (answer, expected) in cases {
        let (address, received) = listener(answer);
        let mut sender = MllpSender::connect(address).expect("connected");
        let error = sender.send(MESSAGE).expect_err(expected);
        assert!(matches!(error, Error::Acknowledgement { .. }));
        let shown = error.to_string();
        assert!(shown.contains(expected) && !shown.contains("42"), "{shown}");
        drop(sender);
        received.join().expect("read");
    }
    let (address, received) = listener(b"");
    let mut sender = MllpSender::connect(address).expect("connected");
    assert!(matches!(sender.send(MESSAGE), Err(Error::Closed { .. })));
    drop(sender);
    received.join().expect("read");
}

#[test]
fn only_this_machine_is_spoken_to() {
    for address in [
        "192.0.2.1:2575",
        "0.0.0.0:2575",
        "[2001:db8::1]:2575",
        "[::ffff:192.0.2.1]:1",
    ] {
        let address = address.parse().expect("an address");
        assert!(matches!(
            MllpSender::connect(address),
            Err(Error::NotLoopback { .. })
        ));
    }
    // Nothing listens there.
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let error = MllpSender::connect(address).expect_err("nobody");
    assert!(matches!(
        error,
        Error::Connection {
            during: "connecting",
            ..
        }
    ));
}
