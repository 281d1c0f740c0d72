use super::AckCode;
use crate::{AckCondition, Header};

/// Which acknowledgements a sender is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AckMode {
    /// By MSH-15 and MSH-16: both empty is the original mode, else enhanced.
    #[default]
    Auto,
    /// AA, AE and AR, whatever the message asks for. Many senders fill in
    /// `AL` and `NE` and still wait for `AA`.
    Original,
    /// CA, CE and CR by MSH-15, and AA, AE and AR by MSH-16; where both are
    /// empty, the first.
    Enhanced,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is safe: durable, and certain to be worked on.
    Accepted,
    /// It is not: AE or CE.
    Error,
    /// It can't be: AR or CR.
    Rejected,
}

/// What to answer, first the one, then the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replies {
    /// Accept acknowledgement of the enhanced mode.
    pub accept: Option<AckCode>,
    /// Application acknowledgement; in the original mode the only one.
    pub application: Option<AckCode>,
}

impl AckMode {
    /// What to answer to a message. Nothing to an acknowledgement.
    #[must_use]
    pub fn replies(self, header: &Header<'_>, outcome: Outcome) -> Replies {
        let (accept, application) = (header.accept_ack(), header.application_ack());
        let asks = accept.is_some() || application.is_some();
        let (commit, processed) = match outcome {
            Outcome::Accepted => (AckCode::Ca, AckCode::Aa),
            Outcome::Error => (AckCode::Ce, AckCode::Ae),
            Outcome::Rejected => (AckCode::Cr, AckCode::Ar),
        };
        if header.is_ack() {
            return Replies::default();
        }
        if self == Self::Original || self == Self::Auto && !asks {
            return Replies {
                accept: None,
                application: Some(processed),
            };
        }
        if !asks {
            return Replies {
                accept: Some(commit),
                application: None,
            };
        }
        Replies {
            accept: Some(commit).filter(|_| is_wanted(accept, outcome)),
            application: Some(processed).filter(|_| is_wanted(application, outcome)),
        }
    }
}

/// In the enhanced mode nothing is sent for a field that is empty.
fn is_wanted(condition: Option<AckCondition>, outcome: Outcome) -> bool {
    let accepted = outcome == Outcome::Accepted;
    match condition {
        Some(AckCondition::Always) => true,
        Some(AckCondition::OnError) => !accepted,
        Some(AckCondition::OnSuccess) => accepted,
        Some(AckCondition::Never) | None => false,
    }
}
