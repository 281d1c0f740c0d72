use hl7v2_adt::{Ack, AckMode, Header, Outcome, Timestamp};

use super::judge::Problem;

/// The acknowledgements for a message, none, one or two.
pub(super) fn replies(
    header: &Header<'_>,
    mode: AckMode,
    outcome: Outcome,
    problem: Option<&Problem>,
    now: Timestamp,
    mut control_id: impl FnMut() -> String,
) -> Vec<Vec<u8>> {
    let replies = mode.replies(header, outcome);
    [replies.accept, replies.application]
        .into_iter()
        .flatten()
        .map(|code| {
            let own = control_id();
            let mut ack = Ack::new(header, code, &own, now);
            if let Some(problem) = problem {
                ack = ack.with_error(problem.code, problem.path());
            }
            ack.to_bytes()
        })
        .collect()
}
