use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use super::accept::Shared;
use super::clock::Deadline;
use super::registry::{Entry, Link};
use super::sniff::{ENOUGH, Protocol};
use super::socket::{Socket, Transport};
use super::{Answer, Fault, Handler, Peer, tls};
use crate::mllp::{Decoder, Event, encode};

/// Serves one connection until it ends, is too slow, or the listener stops.
pub(super) fn run(entry: &Entry, address: SocketAddr, shared: &Shared) {
    let mut peer = Peer::new(address);
    let link = entry.link();
    let mut transport = match open(shared, Arc::clone(&link)) {
        Ok(transport) => transport,
        Err(error) => {
            tracing::debug!(network = %peer.network(), %error, "a connection could not be opened");
            return;
        }
    };
    if let Some(der) = transport.client_certificate() {
        peer.identify(der.to_vec(), tls::fingerprint(der));
    }
    let mut conversation = Conversation {
        shared,
        link: &link,
        peer,
        transport: &mut transport,
    };
    match conversation.run() {
        End::Cut => {}
        End::Close => transport.say_goodbye(),
        End::Linger => {
            transport.say_goodbye();
            transport.linger();
        }
    }
}

fn open(shared: &Shared, link: Arc<Link>) -> io::Result<Transport> {
    let deadline = Deadline::after(shared.limits.handshake);
    let socket = Socket::new(link, shared.limits.write_stall)?;
    match &shared.certificates {
        None => Ok(Transport::Plain(socket)),
        Some(certificates) => Transport::tls(certificates.config(), socket, deadline),
    }
}

struct Conversation<'a> {
    shared: &'a Shared,
    link: &'a Link,
    peer: Peer,
    transport: &'a mut Transport,
}

/// How a connection is closed.
enum End {
    /// Without a word: there is nobody to hear it.
    Cut,
    Close,
    /// With time for the sender to read the answer.
    Linger,
}

/// What goes on until it ends.
type Flow = ControlFlow<End>;

impl Conversation<'_> {
    fn run(&mut self) -> End {
        let mut decoder = Decoder::new(self.shared.limits.message_bytes);
        match self.receive(&mut decoder) {
            ControlFlow::Break(end) => end,
            ControlFlow::Continue(never) => match never {},
        }
    }

    fn receive(&mut self, decoder: &mut Decoder) -> ControlFlow<End, std::convert::Infallible> {
        let limits = &self.shared.limits;
        let mut buffer = vec![0; READ_BYTES];
        let mut opening = Vec::with_capacity(ENOUGH);
        let mut frame = None;
        let mut dropped_before = 0;
        let mut has_warned = false;
        loop {
            let deadline = if decoder.is_inside() {
                frame
            } else {
                if self.link.rest() {
                    return ControlFlow::Break(End::Linger);
                }
                limits.idle.and_then(Deadline::after)
            };
            let count = match self.transport.read(&mut buffer, deadline) {
                Ok(0) => return ControlFlow::Break(self.ended(decoder)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    self.timed_out(decoder)?;
                    continue;
                }
                Err(_) => return ControlFlow::Break(self.ended(decoder)),
            };
            self.link.work();
            let mut input = &buffer[..count];
            if opening.len() < ENOUGH {
                opening.extend(input.iter().take(ENOUGH - opening.len()));
                if let Some(protocol) = Protocol::of(&opening) {
                    return ControlFlow::Break(self.give_up(Fault::Junk { protocol }));
                }
            }
            while let Some(event) = decoder.decode(&mut input) {
                self.tell(event)?;
                dropped_before = decoder.dropped();
                frame = None;
            }
            if decoder.is_inside() {
                frame = frame.or_else(|| Deadline::after(limits.frame));
            }
            if decoder.dropped() - dropped_before > limits.junk_bytes {
                let protocol = Protocol::Unknown;
                return ControlFlow::Break(self.give_up(Fault::Junk { protocol }));
            }
            if decoder.without_return() > 0 && !has_warned {
                tracing::warn!(
                    network = %self.peer.network(),
                    "a sender ends its frames without CR, which makes their answers late"
                );
                has_warned = true;
            }
        }
    }

    /// The sender has closed, or is gone, or the listener stops.
    fn ended(&mut self, decoder: &mut Decoder) -> End {
        if self.link.is_finishing() {
            return End::Linger;
        }
        let Some(event) = decoder.finish() else {
            return End::Close;
        };
        self.link.work();
        match self.tell(event) {
            ControlFlow::Break(end) => end,
            ControlFlow::Continue(()) => End::Close,
        }
    }

    fn timed_out(&mut self, decoder: &mut Decoder) -> Flow {
        if !decoder.is_inside() {
            tracing::debug!(network = %self.peer.network(), "an idle connection is closed");
            return ControlFlow::Break(End::Close);
        }
        let bytes = match decoder.finish() {
            // All but the CR is there, and more may never come: some senders
            // don't know of it, and would never get an answer.
            Some(event @ Event::Frame(_)) => return self.tell(event),
            Some(Event::Cut(bytes)) => bytes,
            Some(Event::TooLong { .. }) | None => &[],
        };
        ControlFlow::Break(self.give_up(Fault::Timeout { bytes }))
    }

    fn tell(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Frame(message) => self.answer(|handler, peer| handler.receive(message, peer)),
            Event::Cut(bytes) => {
                let fault = Fault::Cut { bytes };
                self.log(fault);
                self.answer(|handler, peer| handler.fault(fault, peer))
            }
            Event::TooLong { first } => ControlFlow::Break(self.give_up(Fault::TooLong { first })),
        }
    }

    /// Closes the connection for a fault, after what the handler has to say.
    fn give_up(&mut self, fault: Fault<'_>) -> End {
        self.log(fault);
        match self.answer(|handler, peer| handler.fault(fault, peer)) {
            ControlFlow::Break(end) => end,
            ControlFlow::Continue(()) => End::Linger,
        }
    }

    fn answer(&mut self, ask: impl FnOnce(&dyn Handler, &Peer) -> Answer) -> Flow {
        let network = self.peer.network();
        let asked = || ask(&*self.shared.handler, &self.peer);
        let (acknowledgements, goes_on) = match panic::catch_unwind(AssertUnwindSafe(asked)) {
            Ok(Answer::Reply(acknowledgement)) => (vec![acknowledgement], true),
            Ok(Answer::Replies(acknowledgements)) => (acknowledgements, true),
            Ok(Answer::ReplyAndClose(acknowledgement)) => (vec![acknowledgement], false),
            Ok(Answer::Silent) => return ControlFlow::Continue(()),
            Ok(Answer::Close) => return ControlFlow::Break(End::Close),
            Err(_) => {
                tracing::error!(%network, "the handler panicked, its connection is closed");
                return ControlFlow::Break(End::Close);
            }
        };
        let frames: Option<Vec<_>> = acknowledgements.iter().map(|one| encode(one)).collect();
        let Some(frames) = frames else {
            tracing::error!(%network, "an answer would break its frame, the connection is closed");
            return ControlFlow::Break(End::Close);
        };
        let frame = frames.concat();
        if let Err(error) = self.transport.send(&frame) {
            tracing::debug!(%network, %error, "an answer could not be sent");
            return ControlFlow::Break(End::Cut);
        }
        match goes_on {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(End::Linger),
        }
    }

    fn log(&self, fault: Fault<'_>) {
        tracing::debug!(network = %self.peer.network(), ?fault, "what came is no message");
    }
}

const READ_BYTES: usize = 16 * 1024;
