use hl7v2_adt::listener::{Answer, Fault, Handler, Peer};
use hl7v2_adt::{ErrorCode, Header, Outcome};

use super::judge::{Problem, Verdict};
use super::{Receiver, reply};

/// Over MLLP. What came instead of a message is a dead letter as well.
impl Handler for Receiver {
    fn receive(&self, message: &[u8], _peer: &Peer) -> Answer {
        Answer::Replies(self.take(message).1)
    }

    fn fault(&self, fault: Fault<'_>, peer: &Peer) -> Answer {
        let (bytes, reason, detail) = match fault {
            Fault::Cut { bytes } => (bytes, "cut", "its frame was broken off"),
            Fault::TooLong { first } => (
                first,
                "too-long",
                "it is longer than is taken; this is its beginning",
            ),
            Fault::Timeout { bytes } => (bytes, "timeout", "its frame did not end in time"),
            Fault::Junk { protocol } => {
                tracing::warn!(network = %peer.network(), ?protocol, "what was sent is no MLLP");
                return Answer::Close;
            }
            _ => return Answer::Close,
        };
        if bytes.is_empty() {
            return Answer::Close;
        }
        let problem = Problem {
            reason,
            detail,
            code: ErrorCode::SegmentSequence,
            place: None,
        };
        let header = Header::scan(bytes).unwrap_or_default();
        let verdict = Verdict::Reject(problem);
        let received = self.keep(bytes, &header, &verdict, String::new(), None);
        self.counts.add(received);
        // Whoever was cut off may have begun another message, for which it
        // would take the answer.
        if matches!(fault, Fault::Cut { .. }) {
            return Answer::Silent;
        }
        let mode = self.rules.ack_mode;
        let now = self.timestamp();
        let replies = reply::replies(
            &header,
            mode,
            Outcome::Rejected,
            Some(&problem),
            now,
            || self.control_id(),
        );
        match replies.into_iter().next() {
            Some(reply) => Answer::ReplyAndClose(reply),
            None => Answer::Close,
        }
    }
}
