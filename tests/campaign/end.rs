//! How commands may end.

use crate::finding::{Result, wrong};
use crate::folder::Ran;
use crate::hazard::Happened;

/// How a command ended, which is one of the ways in which it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It says that everything is there.
    Complete,
    /// It says what is not, by an exit code.
    Told(i32),
    /// By a signal of ours.
    Killed,
}

/// Exit codes that say what is wrong with the world; 1, 2 and 4 would say that
/// something is wrong with us.
const TOLD: &[i32] = &[5, 6, 7, 8, 10, 11, 12];

/// What the end of a run says, and whether it says it in the right way.
pub(crate) fn judge(ran: &Ran, happened: Happened) -> Result<End> {
    if ran.hung || ran.log.contains("panicked at") {
        return wrong(ran.told());
    }
    match (ran.code, ran.signal) {
        (None, Some(9)) if happened.killed => Ok(End::Killed),
        // Before it listens to signals.
        (None, Some(15)) if happened.terminated => Ok(End::Killed),
        (Some(0), _) => {
            balances(ran)?;
            Ok(End::Complete)
        }
        (Some(12), _) if !happened.terminated => wrong(ran.told()),
        (Some(code), _) if TOLD.contains(&code) => {
            let Some(json) = &ran.json else {
                return wrong(format!("no JSON: {}", ran.told()));
            };
            let message = json["error"]["message"].as_str();
            let is_told =
                json["error"]["code"].is_string() && message.is_some_and(|it| !it.is_empty());
            let is_summary = [11, 12].contains(&code) && (json["state"].is_string() || json["received"].is_u64())
                // Messages that could not be kept.
                || code == 10 && json["rejected"].as_u64() > Some(0);
            match is_told || is_summary {
                true => Ok(End::Told(code)),
                false => wrong(format!("no error: {}", ran.told())),
            }
        }
        _ => wrong(ran.told()),
    }
}

/// The end of a run that nothing disturbs: all is well.
pub(crate) fn complete(ran: &Ran) -> Result<()> {
    match judge(ran, Happened::default())? {
        End::Complete => Ok(()),
        _ => wrong(format!("undisturbed, {}", ran.told())),
    }
}

/// The two equations of every summary.
fn balances(ran: &Ran) -> Result<()> {
    let Some(json) = &ran.json else {
        return wrong(format!("no JSON: {}", ran.told()));
    };
    let sum = |names: &[&str]| -> Option<u64> {
        let numbers = names.iter().map(|name| json[name].as_u64());
        numbers.sum()
    };
    if json["resources"].is_null() {
        let parts = ["accepted", "ignored", "duplicates", "rejected"];
        let is_balanced = json["received"].is_null() || json["received"].as_u64() == sum(&parts);
        return match is_balanced {
            true => Ok(()),
            false => wrong(format!("messages don't add up: {}", ran.told())),
        };
    }
    let outcomes = ["created", "updated", "unchanged", "deleted", "quarantined"];
    let writes = ["created", "updated", "deleted"];
    let is_balanced = sum(&["resources"]) == sum(&outcomes)
        && sum(&["provenance"]) == sum(&writes)
        && sum(&outcomes).is_some();
    let is_complete = json["state"] == "completed";
    match is_balanced && is_complete {
        true => Ok(()),
        false => wrong(format!("counts don't add up: {}", ran.told())),
    }
}
