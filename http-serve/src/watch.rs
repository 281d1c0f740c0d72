use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{self, Instant};

use crate::Limits;
use crate::clock::{after, now};

/// Where a connection is, and by when it has to be further.
///
/// The one place for deadlines of a connection. hyper's own header deadline
/// can't tell a request that is slow from a connection that is idle, and knows
/// neither handshakes nor clients that don't read.
pub(crate) struct Watch {
    head: Duration,
    idle: Duration,
    write_stall: Duration,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// `None` is never.
    deadline: Option<Instant>,
    /// While the client takes no bytes of a response. It stands for `deadline` then.
    write_deadline: Option<Instant>,
    /// When the request began.
    began: Instant,
    /// An answer was given before the request was read.
    unread: bool,
    /// The end of the connection must look like a failure.
    reset: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake,
    /// No byte of a request yet.
    Waiting,
    /// Within the head of a request.
    Head,
    /// From the end of the head to the end of the response.
    Busy,
    /// The client is to see the answer before the connection goes.
    Lingering,
}

/// A deadline has passed.
pub(crate) struct Late;

impl Watch {
    /// For a connection that begins with a TLS handshake, which lasts until [`Watch::open`].
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            head: limits.head,
            idle: limits.idle,
            write_stall: limits.write_stall,
            state: Mutex::new(State {
                phase: Phase::Handshake,
                deadline: after(limits.handshake),
                write_deadline: None,
                began: now(),
                unread: false,
                reset: false,
            }),
        }
    }

    /// The first request may come.
    pub(crate) fn open(&self) {
        let mut state = self.state();
        state.phase = Phase::Waiting;
        state.deadline = after(self.head);
        state.began = now();
    }

    /// Bytes have come.
    pub(crate) fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Waiting {
            state.phase = Phase::Head;
            state.deadline = after(self.head);
            state.began = now();
        }
    }

    /// The head of a request is there. Returns when the request began.
    pub(crate) fn busy(&self) -> Instant {
        let mut state = self.state();
        if state.phase == Phase::Waiting {
            // It came with the request before.
            state.began = now();
        }
        state.phase = Phase::Busy;
        state.deadline = None;
        state.began
    }

    /// The response has been handed over whole, or never will be.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        state.phase = Phase::Waiting;
        state.deadline = after(self.idle);
    }

    /// An answer is given though there may be more of the request.
    pub(crate) fn leaves_unread(&self) {
        self.state().unread = true;
    }

    /// Bytes were taken by the client.
    pub(crate) fn sent(&self) {
        let mut state = self.state();
        state.write_deadline = None;
        if state.phase == Phase::Waiting {
            // The rest of a response: the client isn't idle before it has it.
            state.deadline = after(self.idle);
        }
    }

    /// The client takes no bytes for now.
    pub(crate) fn blocked(&self) {
        let mut state = self.state();
        if state.write_deadline.is_none() {
            state.write_deadline = after(self.write_stall);
        }
    }

    /// Whether the connection has to stay half open, since closing it with
    /// unread bytes would take the answer away from the client (RFC 9112
    /// section 9.6).
    pub(crate) fn lingers(&self) -> bool {
        let mut state = self.state();
        if state.phase == Phase::Lingering {
            return true;
        }
        let lingers = state.unread || state.phase == Phase::Head;
        if lingers {
            state.phase = Phase::Lingering;
            state.deadline = after(LINGER);
        }
        lingers
    }

    /// The client has no other way to see that the body is not whole.
    pub(crate) fn must_reset(&self) {
        self.state().reset = true;
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.state().reset
    }

    /// Runs `future`, the only one that moves this on, within the deadlines.
    pub(crate) async fn guard<T>(&self, future: impl Future<Output = T>) -> Result<T, Late> {
        let mut future = pin!(future);
        let mut timer = pin!(time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let Some(deadline) = self.deadline() else {
                return Poll::Pending;
            };
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().poll(cx).map(|()| Err(Late))
        })
        .await
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        match state.phase {
            Phase::Handshake | Phase::Lingering => state.deadline,
            Phase::Waiting | Phase::Head | Phase::Busy => state.write_deadline.or(state.deadline),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LINGER: Duration = Duration::from_secs(2);
