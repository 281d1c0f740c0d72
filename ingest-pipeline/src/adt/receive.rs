use std::fmt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use fhir_http::{Clock, Random};
use hl7v2_adt::{AdtMessage, Header, Message, Messages, Outcome, Precision, Timestamp, Warning};
use ring::digest::{SHA256, digest};

use super::judge::{self, NOT_HL7, Problem, Verdict};
use super::tally::{Counts, ReceiveSummary};
use super::{Inbox, Rules, reply};
use crate::archive::RawKey;
use crate::clock::millis;
use crate::state::inbox::{Arrival, Disposition, Recorded};
use crate::{Result, causes};

/// Takes messages of one connection: judges and records each, and says what to
/// answer. Many threads may use it at once.
pub struct Receiver {
    pub(super) rules: Rules,
    inbox: Arc<Inbox>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pub(super) counts: Counts,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// It is safe, and so many fetches were queued for it that did not wait
    /// before.
    Accepted {
        /// Fetches.
        queued: u64,
    },
    /// It is of no interest.
    Ignored,
    /// It was accepted before.
    Duplicate,
    /// It is a dead letter, for this reason.
    Dead {
        /// As a code.
        reason: &'static str,
    },
    /// It could not be kept, and its sender is told to send it again.
    Failed,
}

impl Receiver {
    /// Takes messages by `rules`.
    #[must_use]
    pub fn new(
        rules: Rules,
        inbox: Arc<Inbox>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            rules,
            inbox,
            clock,
            random,
            counts: Counts::default(),
        }
    }

    /// Takes what came in one frame, or stands in one file: one message, or
    /// many, in batches or not. Gives what became of each, and what to answer:
    /// of many messages in one frame, all acknowledgements in one frame.
    pub fn take(&self, bytes: &[u8]) -> (Vec<Received>, Vec<Vec<u8>>) {
        let mut messages = Messages::new(bytes);
        let (mut received, mut replies) = (Vec::new(), Vec::new());
        for message in messages.by_ref() {
            let (one, answers) = self.take_one(message.bytes);
            received.push(one);
            replies.extend(answers);
        }
        for warning in messages.warnings() {
            match *warning {
                Warning::Skipped { offset, length } => {
                    tracing::warn!(offset, length, "bytes that belong to no message");
                }
                Warning::BatchCount {
                    declared, found, ..
                } => tracing::warn!(
                    declared,
                    found,
                    "a batch has another number of messages than it says"
                ),
                Warning::FileCount {
                    declared, found, ..
                } => tracing::warn!(
                    declared,
                    found,
                    "a file has another number of batches than it says"
                ),
                _ => {}
            }
        }
        // Of what is no message at all, all is kept.
        if received.is_empty() {
            let (one, answers) = self.take_one(bytes);
            received.push(one);
            replies.extend(answers);
        }
        if received.len() > 1 && !replies.is_empty() {
            replies = vec![replies.concat()];
        }
        (received, replies)
    }

    /// Takes one message.
    pub fn take_one(&self, bytes: &[u8]) -> (Received, Vec<Vec<u8>>) {
        let header = Header::scan(bytes);
        let parsed = Message::parse(bytes);
        let (verdict, trigger, event) = match (&header, &parsed) {
            (Some(header), Ok(message)) => {
                let adt = AdtMessage::new(message);
                (
                    judge::judge(message, header, &self.rules),
                    adt.trigger_code().into_owned(),
                    adt.event_time(),
                )
            }
            _ => (Verdict::Reject(NOT_HL7), String::new(), None),
        };
        let header = header.unwrap_or_default();
        let received = self.keep(bytes, &header, &verdict, trigger, event.as_ref());
        let (outcome, problem) = match (&received, &verdict) {
            (Received::Failed, _) => (Outcome::Error, None),
            (_, Verdict::Reject(problem)) => (Outcome::Rejected, Some(problem)),
            (_, Verdict::Refuse(problem)) => (Outcome::Error, Some(problem)),
            _ => (Outcome::Accepted, None),
        };
        self.counts.add(received);
        let now = self.timestamp();
        let replies = reply::replies(&header, self.rules.ack_mode, outcome, problem, now, || {
            self.control_id()
        });
        (received, replies)
    }

    /// What was received so far.
    #[must_use]
    pub fn summary(&self) -> ReceiveSummary {
        self.counts.summary()
    }

    pub(super) fn keep(
        &self,
        bytes: &[u8],
        header: &Header<'_>,
        verdict: &Verdict,
        trigger: String,
        event: Option<&Timestamp>,
    ) -> Received {
        match self.try_keep(bytes, header, verdict, trigger, event) {
            Ok(recorded) => match recorded {
                Recorded::Accepted {
                    queued,
                    reused,
                    late,
                } => {
                    if reused {
                        tracing::warn!(connection = %self.rules.connection, "a control id was used for another message before");
                    }
                    if late {
                        tracing::info!(connection = %self.rules.connection, "an event came after a later one of the same patient");
                    }
                    Received::Accepted { queued }
                }
                Recorded::Ignored => Received::Ignored,
                Recorded::Duplicate => Received::Duplicate,
                Recorded::Dead => {
                    let (Verdict::Refuse(problem) | Verdict::Reject(problem)) = verdict else {
                        return Received::Failed;
                    };
                    tracing::warn!(
                        connection = %self.rules.connection,
                        reason = problem.reason,
                        detail = problem.detail,
                        "a message became a dead letter"
                    );
                    Received::Dead {
                        reason: problem.reason,
                    }
                }
            },
            Err(error) => {
                // One line for each: an operator has to see that it goes on.
                tracing::error!(
                    connection = %self.rules.connection,
                    error = causes(&error),
                    "a message can't be kept, its sender is told to send it again"
                );
                Received::Failed
            }
        }
    }

    fn try_keep(
        &self,
        bytes: &[u8],
        header: &Header<'_>,
        verdict: &Verdict,
        trigger: String,
        event: Option<&Timestamp>,
    ) -> Result<Recorded> {
        let disposition = match verdict {
            Verdict::Ignore => Disposition::Ignore,
            Verdict::Accept(wanted) => Disposition::Queue(wanted.clone()),
            Verdict::Refuse(problem) => bury(problem, false),
            Verdict::Reject(problem) => bury(problem, true),
        };
        let (mut raw_key, mut sealed) = (String::new(), Vec::new());
        if disposition != Disposition::Ignore {
            let key = self.key(bytes, header);
            sealed = self.inbox.messages().seal(&key, bytes)?;
            raw_key = key.to_string();
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        self.inbox.record(Arrival {
            connection: self.rules.connection.clone(),
            received: millis(self.clock.now()),
            sender: [header.field(3), header.field(4)].join(&b'\r'),
            control_id: header.control_id().to_vec(),
            hash,
            raw_key,
            sealed,
            trigger,
            event_time: event
                .filter(|time| time.precision() > Precision::Day)
                .map(|time| time.to_unix(0) * 1000),
            disposition,
        })
    }

    fn key(&self, bytes: &[u8], header: &Header<'_>) -> RawKey {
        let said = std::str::from_utf8(header.field(7))
            .ok()
            .and_then(Timestamp::parse)
            .and_then(|time| {
                let (year, month, day) = time.date();
                jiff::civil::Date::new(
                    i16::try_from(year).ok()?,
                    i8::try_from(month).ok()?,
                    i8::try_from(day).ok()?,
                )
                .ok()
            });
        let date = said.unwrap_or_else(|| {
            let now = jiff::Timestamp::try_from(self.clock.now()).unwrap_or_default();
            now.to_zoned(jiff::tz::TimeZone::UTC).date()
        });
        RawKey::new(
            &self.rules.tenant,
            date,
            header.field(4),
            header.control_id(),
            bytes,
        )
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        let now = self.clock.now().duration_since(UNIX_EPOCH);
        let seconds = now.unwrap_or_default().as_secs();
        Timestamp::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Sixteen hexadecimal digits: MSH-10 had room for twenty characters once.
    pub(super) fn control_id(&self) -> String {
        let mut bits = [0; 8];
        self.random.fill(&mut bits);
        bits.iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

fn bury(problem: &Problem, outright: bool) -> Disposition {
    Disposition::Bury {
        reason: problem.reason,
        detail: problem.detail.to_owned(),
        outright,
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
