//! Memory does not grow with an export.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Stdio;

use ehr_sandbox::Data;

use super::expected::assert_consistent;
use super::site::{Site, export};
use super::wait::until_within;
use crate::util::assert_balances;

/// Size of the file, unless `BULK_BYTES` says otherwise.
const BYTES: u64 = 64_000_000;

/// The peak that is allowed, in KiB.
const PEAK: u64 = 64 * 1024;

#[test]
fn a_file_of_any_size_passes_in_flat_memory() {
    let bytes = std::env::var("BULK_BYTES").map_or(BYTES, |bytes| {
        bytes.parse().expect("BULK_BYTES is a number")
    });
    let mut settings = export();
    settings.gzip = false;
    let site = Site::with(Data::huge(bytes), settings);
    site.configure(r#"types = ["Observation"]"#, "");
    let out = site.folder.path("summary.json");
    let mut child = site
        .folder
        .command(["bulk", "c", "--json", "--quiet"])
        .stdout(Stdio::from(fs::File::create(&out).expect("a file")))
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let mut end = None;
    // Some megabytes a second, even without optimisation.
    let patience = std::time::Duration::from_secs(120 + bytes / 500_000);
    until_within(patience, "the export", || {
        peak = peak.max(high_water(&status).unwrap_or_default());
        end = child.try_wait().expect("a child");
        end.is_some()
    });
    assert_eq!(end.and_then(|end| end.code()), Some(0));
    let text = fs::read_to_string(&out).expect("a summary");
    let summary = serde_json::from_str(&text).expect("JSON");
    assert_balances(&summary);
    assert_eq!(summary["state"], "completed");
    assert!(summary["bytes"].as_u64() >= Some(bytes), "{summary}");
    let lines = bytes.div_ceil(256);
    assert_eq!(summary["created"], lines);
    assert_consistent(&site, Some(lines), "everything");
    let limits = 1..PEAK;
    assert!(limits.contains(&peak), "{peak} KiB for {bytes} bytes");
}

/// Peak of the resident memory in KiB.
fn high_water(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
