use ingest_pipeline::store::{QuarantineRecord, RunStore, SqliteStore};
use serde_json::{Value, json};

use crate::args::{self, QuarantineAction};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Quarantine) -> Result<Exit, Failure> {
    let mut store = context.records(&args.db)?;
    let json = context.global.json;
    match &args.action {
        QuarantineAction::List { run } => list(&mut store, run.as_deref(), json)?,
        QuarantineAction::Show { id } => {
            let Some(record) = store.quarantine_record(*id)? else {
                let message = format!("there is no record {id} in the quarantine");
                let failure = Failure::new(Exit::Usage, message);
                return Err(failure.hint("see: ingest quarantine list"));
            };
            show(&record, json)?;
        }
        QuarantineAction::Export { run } => export(&mut store, run.as_deref())?,
    }
    Ok(Exit::Ok)
}

/// Calls `visit` with every record, a few at a time.
fn each(
    store: &mut SqliteStore,
    run: Option<&str>,
    mut visit: impl FnMut(QuarantineRecord) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let records = store.quarantined(run, after, 16)?;
        let Some(last) = records.last() else {
            return Ok(());
        };
        after = last.id;
        records.into_iter().try_for_each(&mut visit)?;
    }
}

fn list(store: &mut SqliteStore, run: Option<&str>, json: bool) -> Result<(), Failure> {
    let heads = ["id", "reason", "file", "line", "offset", "bytes", "detail"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let mut records = Vec::new();
    each(store, run, |record| {
        if json {
            records.push(as_json(&record));
            return Ok(());
        }
        let number = |number: Option<u64>| number.map(|own| own.to_string()).unwrap_or_default();
        rows.push(vec![
            record.id.to_string(),
            record.reason,
            record.file,
            number(record.line),
            number(record.byte_offset),
            record.body.len().to_string(),
            record.detail,
        ]);
        Ok(())
    })?;
    if json {
        report::json(&json!({ "quarantine": records }))
    } else {
        report::lines(report::table(&rows))
    }
}

fn show(record: &QuarantineRecord, json: bool) -> Result<(), Failure> {
    if json {
        let mut value = as_json(record);
        value["body"] = String::from_utf8_lossy(&record.body).into();
        return report::json(&value);
    }
    let mut lines = vec![
        format!("id      {}", record.id),
        format!("run     {}", record.run),
        format!("file    {}", record.file),
        format!("reason  {}: {}", record.reason, record.detail),
    ];
    if let Some(line) = record.line {
        lines.push(format!("line    {line}"));
    }
    if let Some(offset) = record.byte_offset {
        lines.push(format!("offset  {offset}"));
    }
    lines.push(String::new());
    report::text(lines)?;
    report::lines([&record.body])
}

fn export(store: &mut SqliteStore, run: Option<&str>) -> Result<(), Failure> {
    each(store, run, |record| report::lines([record.body]))
}

/// Without the body.
fn as_json(record: &QuarantineRecord) -> Value {
    json!({
        "id": record.id,
        "run": record.run,
        "file": record.file,
        "line": record.line,
        "byte_offset": record.byte_offset,
        "reason": record.reason,
        "detail": record.detail,
        "bytes": record.body.len(),
    })
}
