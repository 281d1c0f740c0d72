//! What servers report about their exports, and records that are refused.

use ehr_sandbox::Data;
use fhir_http::Severity;
use serde_json::Value;

use super::expected::Expected;
use super::site::{Site, export};
use crate::generate::patient;
use crate::util::{Sandbox, assert_balances, assert_counts};

/// An EHR that reports issues of these severities with every export.
fn reporting(severities: &[Severity]) -> Site {
    let mut settings = export();
    settings.outcomes = severities.to_vec();
    Site::with(Data::synthetic(3, 3), settings)
}

#[test]
fn errors_that_the_server_reports_make_the_run_partial_unless_accepted() {
    for severity in [Severity::Error, Severity::Fatal] {
        let site = reporting(&[severity, Severity::Warning]);
        let summary = site.bulk(&[]).exits(11).json();
        assert_balances(&summary);
        assert_eq!(summary["state"], "partial");
        assert_eq!(summary["server_issues"]["errors"], 1, "{summary}");
        assert_eq!(summary["server_issues"]["warnings"], 1, "{summary}");
        // What there is was taken all the same.
        Expected::of(&site.ehr.data()).assert_in(&site, "with errors");
        assert_eq!(site.watermark(), None);

        site.configure("accept_server_errors = true", "");
        let summary = site.completes(&[]);
        assert_eq!(summary["since"], Value::Null);
        assert_eq!(summary["server_issues"]["errors"], 1, "{summary}");
        assert!(
            summary["notices"].to_string().contains("accepted"),
            "{summary}"
        );
        assert!(site.watermark().is_some());
    }
}

#[test]
fn warnings_that_the_server_reports_are_counted() {
    let site = reporting(&[Severity::Warning, Severity::Information]);
    let summary = site.completes(&[]);
    let issues = &summary["server_issues"];
    assert_eq!(
        (&issues["errors"], &issues["warnings"]),
        (&0.into(), &1.into())
    );
    assert_eq!(issues["information"], 1);
}

/// An EHR with one record that nobody may take.
fn with_a_bad_record() -> Site {
    let folder = Sandbox::new();
    let bad = r#"{"resourceType":"Patient","id":"bad","gender":"male","gender":"female"}"#;
    folder.lines("Patient.ndjson", &[patient("good", ""), bad.to_owned()]);
    let data = Data::from_ndjson_folder(folder.path("")).expect("data");
    Site::new(data)
}

#[test]
fn a_refused_record_is_told_and_stops_nothing() {
    let site = with_a_bad_record();
    site.configure(r#"types = ["Patient"]"#, "");
    let summary = site.completes(&[]);
    assert_counts(&summary, &[("created", 1), ("quarantined", 1)]);
    assert!(site.watermark().is_some());
    let kept = site
        .folder
        .query("SELECT file, line, reason FROM quarantine");
    assert_eq!(kept, ["c/Patient.1.ndjson|2|duplicate-key"]);

    let site = with_a_bad_record();
    site.configure(r#"types = ["Patient"]"#, "");
    let summary = site.bulk(&["--strict"]).exits(3).json();
    assert_balances(&summary);
    assert_eq!(summary["state"], "completed");
    assert_counts(&summary, &[("created", 1), ("quarantined", 1)]);
}

#[test]
fn resources_of_another_type_are_kept_apart() {
    let site = Site::new(Data::synthetic(3, 3));
    site.faults(&["file/Patient:every:wrong-type"]);
    let summary = site.bulk(&[]).exits(11).json();
    assert_balances(&summary);
    assert_counts(&summary, &[("quarantined", 3)]);
    let kept = site
        .folder
        .query("SELECT DISTINCT reason, json_extract(body, '$.resourceType') FROM quarantine");
    assert_eq!(kept, ["wrong-resource-type|Basic"]);
    let stored = site
        .folder
        .query("SELECT count(*) FROM resources WHERE type IN ('Basic', 'Patient')");
    assert_eq!(stored, ["0"]);
    assert_eq!(site.watermark(), None);
    site.mend();
    site.completes(&[]);
    Expected::of(&site.ehr.data()).assert_in(&site, "mended");
}

#[test]
fn what_stands_among_deletions_is_not_stored() {
    let site = Site::new(Data::synthetic(9, 20));
    let mut expected = Expected::default();
    expected.export(&site.ehr.data());
    let before = site.completes(&[])["transaction_time"].clone();
    site.change(1, 20);
    let counts = expected.export(&site.ehr.data());
    assert!(counts.deleted > 0);
    site.faults(&["file/Bundle:every:wrong-type"]);
    let summary = site.bulk(&[]).exits(11).json();
    assert_balances(&summary);
    assert_counts(&summary, &[("deleted", 0), ("quarantined", 1)]);
    let kept = site.folder.query("SELECT reason FROM quarantine");
    assert_eq!(kept, ["wrong-resource-type"]);
    let stored = site
        .folder
        .query("SELECT count(*) FROM resources WHERE type = 'Basic'");
    assert_eq!(stored, ["0"]);
    assert_eq!(site.watermark(), before.as_str().map(str::to_owned));
    site.mend();
    site.completes(&[]);
    expected.assert_in(&site, "mended");
}

#[test]
fn a_type_that_is_expected_has_to_be_there() {
    let site = Site::new(Data::synthetic(3, 3));
    let types = r#"types = ["Patient", "Immunization"]"#;
    site.configure(
        &format!("{types}\nexpected_types = [\"Patient\", \"Immunization\"]"),
        "",
    );
    let summary = site.bulk(&[]).exits(11).json();
    assert_eq!(summary["state"], "partial");
    assert!(
        summary["error"].to_string().contains("Immunization"),
        "{summary}"
    );
    assert_counts(&summary, &[("created", 3), ("quarantined", 0)]);
    assert_eq!(site.watermark(), None);

    site.configure(&format!("{types}\nexpected_types = [\"Patient\"]"), "");
    site.completes(&[]);
    // Nothing new is nothing suspect.
    assert_counts(&site.completes(&[]), &[("resources", 0)]);
}

#[test]
fn an_export_without_files_is_worth_a_note() {
    let site = Site::new(Data::synthetic(3, 3));
    site.configure(r#"types = ["Immunization"]"#, "");
    let summary = site.completes(&[]);
    assert_counts(&summary, &[("resources", 0)]);
    assert!(
        summary["notices"].to_string().contains("scopes"),
        "{summary}"
    );
}
