use ingest_pipeline::adt::Received;
use ingest_pipeline::archive::RawKey;
use ingest_pipeline::millis;
use ingest_pipeline::state::inbox::{DeadLetter, Revived};
use serde::Serialize;
use serde_json::json;

use super::Site;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;

/// A dead letter as it is listed: nothing of the message but its control id.
#[derive(Serialize)]
struct Row {
    id: i64,
    connection: String,
    received: String,
    kind: &'static str,
    reason: String,
    detail: String,
    attempts: u32,
    control_id: String,
    raw_key: String,
}

impl From<&DeadLetter> for Row {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id,
            connection: letter.connection.clone(),
            received: instant(letter.received),
            kind: if letter.is_fetch { "fetch" } else { "message" },
            reason: letter.reason.clone(),
            detail: letter.detail.clone(),
            attempts: letter.attempts,
            control_id: String::from_utf8_lossy(&letter.control_id).into_owned(),
            raw_key: letter.raw_key.clone(),
        }
    }
}

pub(super) fn list(context: &Context<'_>, site: &Site<'_>) -> Result<Exit, Failure> {
    let letters = site.state()?.dead_letters()?;
    let rows: Vec<_> = letters.iter().map(Row::from).collect();
    if context.global.json {
        report::json(&json!({ "dead_letters": rows }))?;
        return Ok(Exit::Ok);
    }
    if rows.is_empty() {
        report::lines(["no dead letters"])?;
        return Ok(Exit::Ok);
    }
    let heads = [
        "id",
        "connection",
        "received",
        "kind",
        "reason",
        "attempts",
        "control id",
    ];
    let mut table = vec![heads.map(str::to_owned).to_vec()];
    table.extend(rows.into_iter().map(|row| {
        vec![
            row.id.to_string(),
            row.connection,
            row.received,
            row.kind.to_owned(),
            row.reason,
            row.attempts.to_string(),
            row.control_id,
        ]
    }));
    report::lines(report::table(&table))?;
    Ok(Exit::Ok)
}

pub(super) fn show(context: &Context<'_>, site: &Site<'_>, id: i64) -> Result<Exit, Failure> {
    let letter = site.state()?.dead_letter(id)?.ok_or_else(|| unknown(id))?;
    let row = Row::from(&letter);
    let message = message(site, &letter)?;
    let text = String::from_utf8_lossy(&message);
    if context.global.json {
        let mut shown = serde_json::to_value(&row).unwrap_or_default();
        shown["body"] = json!(text);
        report::json(&shown)?;
        return Ok(Exit::Ok);
    }
    report::lines([
        format!("{} {} of connection {}", row.kind, row.id, row.connection),
        format!("received {}, {} attempts", row.received, row.attempts),
        format!("{}: {}", row.reason, row.detail),
        format!("archived as {}", row.raw_key),
        String::new(),
    ])?;
    // Segments end in CR, which a terminal would overwrite lines with.
    report::lines(text.trim_end().split(['\r', '\n']).map(str::to_owned))?;
    Ok(Exit::Ok)
}

pub(super) fn replay(
    context: &Context<'_>,
    site: &Site<'_>,
    ids: &[i64],
    all: bool,
) -> Result<Exit, Failure> {
    let mut state = site.state()?;
    let ids = match all {
        true => state.dead_letters()?.iter().map(|it| it.id).collect(),
        false => ids.to_vec(),
    };
    let (mut replayed, mut still_dead) = (0, 0);
    for id in ids {
        match state.revive(id, millis(site.around.clock.now()))? {
            Revived::Queued => replayed += 1,
            Revived::Unknown => return Err(unknown(id)),
            Revived::Receive(letter) => {
                let settings = site.connection(Some(&letter.connection))?;
                let receiver = site.receiver(&settings, &site.inbox(&settings)?)?;
                match receiver.take_one(&message(site, &letter)?).0 {
                    Received::Accepted { .. } => replayed += 1,
                    _ => still_dead += 1,
                }
            }
        }
    }
    if context.global.json {
        report::json(&json!({ "replayed": replayed, "still_dead": still_dead }))?;
    } else {
        report::lines([format!("{replayed} put back, {still_dead} still dead")])?;
    }
    Ok(Exit::Ok)
}

fn message(site: &Site<'_>, letter: &DeadLetter) -> Result<Vec<u8>, Failure> {
    let key = RawKey::parse(&letter.raw_key)?;
    let settings = site.connection(Some(&letter.connection))?;
    let message = site.archive(&settings)?.get(&site.state()?, &key)?;
    message.map(|message| message.to_vec()).ok_or_else(|| {
        let text = format!("the archive has no message {}", letter.raw_key);
        Failure::new(Exit::Store, text)
    })
}

fn unknown(id: i64) -> Failure {
    Failure::new(Exit::Usage, format!("there is no dead letter {id}"))
        .hint("ingest adt dead-letters list shows those there are")
}

fn instant(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| "?".to_owned(), |time| format!("{time:.0}"))
}
