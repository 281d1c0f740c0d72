use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::{Request, Response};

use crate::{Body, HttpClient, TransportError};

type Answer = Box<dyn FnOnce(&Request<Vec<u8>>) -> Result<Response<Body>, TransportError> + Send>;

/// A transport that gives prepared answers, in order, and remembers the
/// requests.
#[derive(Default)]
pub struct Replay {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Recorded>>,
}

/// A request as it was sent.
pub type Recorded = Request<Vec<u8>>;

impl Replay {
    /// One without answers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an answer.
    #[must_use]
    pub fn answer(self, response: Response<impl Into<Vec<u8>>>) -> Self {
        let response = response.map(Into::into);
        self.answer_with(move |_| Ok(response.map(Body::from)))
    }

    /// Adds a failure to answer.
    #[must_use]
    pub fn fail(self, error: TransportError) -> Self {
        self.answer_with(move |_| Err(error))
    }

    /// Adds an answer that is made from its request.
    #[must_use]
    pub fn answer_with(
        self,
        answer: impl FnOnce(&Request<Vec<u8>>) -> Result<Response<Body>, TransportError>
        + Send
        + 'static,
    ) -> Self {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(Box::new(answer));
        self
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl HttpClient for Replay {
    /// # Panics
    /// When there are no answers left.
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let answer = self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let path = request.uri().path().to_owned();
        let answer =
            answer.unwrap_or_else(|| panic!("no answer left for {} {path}", request.method()));
        let response = answer(&request);
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        response
    }
}
