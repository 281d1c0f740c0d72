use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ExportFile, ExportSettings, Job, ManifestStyle, Section};
use crate::fault::{Active, What};

/// Which page of a manifest is asked for, and the URLs in it.
pub(crate) struct Page<'a> {
    /// From 1; `None` where the client did not name one.
    pub(crate) number: Option<usize>,
    /// Where the manifest is.
    pub(crate) status_url: &'a str,
    /// What goes before the path of a file.
    pub(crate) files: &'a str,
    /// Whether files want a token.
    pub(crate) requires_token: bool,
}

/// The Output Manifest, or one page of it.
pub(crate) fn manifest(
    job: &Job,
    page: &Page<'_>,
    settings: &ExportSettings,
    faults: &Active,
) -> Value {
    let numbered = || (1..).zip(&job.files);
    let of = |section| {
        numbered()
            .filter(move |(_, file)| file.section == section)
            .collect::<Vec<_>>()
    };
    let output = of(Section::Output);
    let in_pages = job.in_pages || page.number.is_some() || faults.has(&What::NextLink);
    let size = if in_pages {
        settings.files_per_page.max(1)
    } else {
        usize::MAX
    };
    let number = page.number.unwrap_or(1);
    let skipped = (number - 1).saturating_mul(size);
    let last = skipped.saturating_add(size) >= output.len();

    let style = settings.manifest;
    let entry = |(number, file): &(usize, &std::sync::Arc<ExportFile>)| {
        item(job, page, *number, file, style, faults)
    };
    let list = |files: &[(usize, _)]| files.iter().map(entry).collect::<Vec<_>>();
    let on_last = |section| if last { list(&of(section)) } else { Vec::new() };
    let shown = &output[skipped.min(output.len())..skipped.saturating_add(size).min(output.len())];
    let mut items = list(shown);
    if faults.has(&What::DuplicateUrl)
        && let Some(first) = items.first().cloned()
    {
        items.push(first);
    }

    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("transactionTime", job.transaction_time.clone().into());
    put(
        "requiresAccessToken",
        match style {
            ManifestStyle::StringBooleans => page.requires_token.to_string().into(),
            _ => page.requires_token.into(),
        },
    );
    let errors = on_last(Section::Error);
    let minimal = style == ManifestStyle::Minimal;
    if style == ManifestStyle::V4 {
        put("outputFormat", "application/fhir+ndjson".into());
        put("outcome", errors.into());
    } else {
        put("request", job.request.clone().into());
        if !((minimal && errors.is_empty()) || faults.has(&What::NoErrorKey)) {
            put("error", errors.into());
        }
    }
    if !(minimal && items.is_empty()) {
        put("output", items.into());
    }
    let deleted = on_last(Section::Deleted);
    if !deleted.is_empty() || !minimal {
        put("deleted", deleted.into());
    }
    if !last {
        let url = format!("{}?page={}", page.status_url, number + 1);
        put("link", json!([{"relation": "next", "url": url}]));
    }
    Value::Object(document)
}

fn item(
    job: &Job,
    page: &Page<'_>,
    number: usize,
    file: &ExportFile,
    style: ManifestStyle,
    faults: &Active,
) -> Value {
    let kind = &file.resource_type;
    let url = format!("{}/bulk/{}/{number}.{kind}.ndjson", page.files, job.id);
    let mut item = json!({"type": kind, "url": url});
    if style != ManifestStyle::Minimal {
        let off = faults.find(|what| {
            if let What::Count(by) = what {
                Some(*by)
            } else {
                None
            }
        });
        item["count"] = file.count.saturating_add_signed(off.unwrap_or(0)).into();
    }
    if style == ManifestStyle::V4 {
        item["fileSize"] = file.size().into();
        if file.section == Section::Error {
            let mut severities = BTreeMap::new();
            for severity in &file.severities {
                *severities.entry(*severity).or_insert(0) += 1;
            }
            item["countSeverity"] = json!(severities);
        }
    }
    item
}
