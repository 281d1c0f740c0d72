use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use hl7v2_adt::listener::{Limits, Listener, WhenFull};

use super::client::{PATIENCE, Sender, listen};

#[test]
fn stop_lets_messages_finish_and_closes_the_idle() {
    let (listener, reins) = listen(Limits::default());
    let address = listener.local_addr();
    let mut idle = Sender::connect(&listener);
    idle.ask("one");
    let mut silent = Sender::connect(&listener);
    // One in the handler, one behind it, and one that is only half there.
    let mut sender = Sender::connect(&listener);
    sender.send("\x0bheld\x1c\r\x0bnext\x1c\r\x0bha");
    reins.entered();

    let stopping = thread::spawn(move || listener.stop(PATIENCE));
    assert!(idle.is_closed());
    assert!(silent.is_closed());
    reins.leave.send(()).unwrap();
    assert_eq!(sender.answer(), "ack:held");
    assert_eq!(sender.answer(), "ack:next");
    sender.send("lf\x1c\r");
    assert_eq!(sender.answer(), "ack:half");
    assert!(sender.is_closed());
    assert_eq!(stopping.join().unwrap(), 0);
    assert!(TcpStream::connect(address).is_err());
    assert!(reins.nothing_told_to_the_end());
}

#[test]
fn grace_ends() {
    let (listener, reins) = listen(Limits::default());
    let mut held = Sender::connect(&listener);
    held.tell("held");
    reins.entered();
    // The handler is still held when this returns.
    assert_eq!(listener.stop(Duration::from_millis(50)), 1);
    assert!(held.is_closed());
    drop(reins);
}

/// Its sender has the whole of it, and sends it again.
#[test]
fn a_message_that_stays_half_is_no_fault() {
    let (listener, reins) = listen(Limits::default());
    let mut half = Sender::connect(&listener);
    half.send("\x0bheld\x1c\r\x0bMSH|half");
    reins.entered();
    reins.leave.send(()).unwrap();
    assert_eq!(half.answer(), "ack:held");
    assert_eq!(listener.stop(Duration::from_millis(50)), 1);
    assert!(half.is_closed());
    assert!(reins.nothing_told_to_the_end());
}

#[test]
fn dropping_cuts() {
    let (listener, reins) = listen(Limits::default());
    let address = listener.local_addr();
    let mut held = Sender::connect(&listener);
    held.tell("held");
    reins.entered();
    let mut idle = Sender::connect(&listener);
    idle.ask("one");
    drop(listener);
    assert!(held.is_closed());
    assert!(idle.is_closed());
    assert!(TcpStream::connect(address).is_err());
    drop(reins);
}

#[test]
fn a_full_listener_stops_too() {
    for when_full in [WhenFull::Wait, WhenFull::Close] {
        let limits = Limits {
            connections: 1,
            when_full,
            ..Limits::default()
        };
        let (listener, _reins) = listen(limits);
        let mut only = Sender::connect(&listener);
        only.ask("one");
        let mut waiting = Sender::connect(&listener);
        assert_eq!(listener.stop(PATIENCE), 0);
        assert!(only.is_closed());
        assert!(waiting.is_closed());
    }
}

#[test]
fn every_address_can_be_stopped() {
    for address in ["0.0.0.0:0", "[::]:0", "[::1]:0"] {
        let bound = match Listener::bind(address.parse().unwrap(), Limits::default()) {
            Ok(bound) => bound,
            // No IPv6 here.
            Err(_) if address.starts_with('[') => continue,
            Err(error) => panic!("{error}"),
        };
        let listener = bound.serve(super::client::obedient().0).unwrap();
        assert_eq!(listener.stop(PATIENCE), 0, "{address}");
    }
}
