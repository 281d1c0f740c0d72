//! Nothing clinical and nothing secret where logs are kept.

use std::fs;
use std::path::Path;

use ehr_sandbox::Data;

use super::site::{Site, export};
use crate::generate::{mr, patient};
use crate::util::{JWT, Ran, Sandbox};

/// Parts of names, identifiers and texts.
const MARKERS: &[&str] = &["Zebulon", "idmarker", "4711-0815"];

/// What queries, headers, assertions and keys have in them.
const SECRETS: &[&str] = &[
    "Bearer",
    "authorization:",
    "client_assertion",
    "PRIVATE KEY",
    "_type=",
    "_since=",
    "?page=",
    "_outputFormat",
];

fn data() -> Data {
    let folder = Sandbox::new();
    let more = format!(
        r#","identifier":[{}],"name":[{{"family":"Zebulon"}}]"#,
        mr("4711-0815")
    );
    let name = r#","name":[{"family":"Zebulon"}]"#;
    let lines = [
        patient("idmarker-1", &more),
        patient("4711-0815", &more),
        patient("idmarker-2", &format!("{name},\"Zebulon\":1,\"Zebulon\":2")),
        patient("idmarker-3", name),
    ];
    folder.lines("Patient.ndjson", &lines);
    Data::from_ndjson_folder(folder.path("")).expect("data")
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for word in MARKERS.iter().chain(SECRETS).chain(&JWT) {
        let seen = text.to_lowercase().contains(&word.to_lowercase());
        assert!(!seen, "{what} has {word}: {text}");
    }
    // Tokens and addresses of exports are 32 hexadecimal digits here.
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    for word in words {
        let hex = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(!hex, "{what} has {word}: {text}");
    }
}

/// Every kind of run, with everything that can be logged.
fn runs(format: &str) {
    let mut settings = export();
    settings.resources_per_file = 1;
    settings.files_per_page = 1;
    let site = Site::with(data(), settings);
    site.configure(r#"types = ["Patient"]"#, "");
    let log = ["--log-format", format, "-vvv"];
    let run = |arguments: &[&str]| -> Ran {
        let ran = site.folder.run(arguments.iter().chain(&log));
        assert_clean("the log", &ran.stderr);
        assert_clean("the report", &ran.text());
        ran
    };
    let bulk = ["bulk", "c", "--json"];
    assert!(run(&["test", "c"]).exits(0).stderr.len() > 100);
    for (faults, exit) in [
        (
            &["file/1:every:expired=404", "manifest:1:next-link"][..],
            11,
        ),
        (&["file:every:html"], 11),
        (&["file:every:redirect", "status:1:transient"], 0),
        (&["status:every:status=500,body=outcome/exception"], 7),
        (&["status:every:expired=410"], 7),
        (&["kick-off:every:status=400,body=outcome/invalid"], 7),
        (&["token:every:status=401"], 5),
        (
            &[
                "kick-off:1:expire-token",
                "file:1:cut=50",
                "manifest:1:cut=70",
            ],
            0,
        ),
        (&[], 0),
    ] {
        site.faults(faults);
        let ran = run(&bulk).exits(exit);
        assert!(ran.stderr.len() > 300, "{faults:?}: {}", ran.stderr);
    }
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["runs", "list", "--json"],
        &["quarantine", "list"],
    ] {
        run(arguments).exits(0);
    }
    let kept = site.folder.query("SELECT reason FROM quarantine");
    assert_eq!(kept, ["duplicate-key"]);
    // What stays on the disk when all is well: the store, and no exports.
    for path in files(&site.folder.path("")) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with("ingest.db") || name == "client.pem" || name == "ingest.toml" {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
        for word in MARKERS {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
        for word in ["eyJ", "Bearer", "PRIVATE KEY"] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn logs_of_exports_hold_no_content_and_no_secrets() {
    runs("text");
    runs("json");
}

#[cfg(unix)]
#[test]
fn what_is_kept_for_the_next_run_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::with(data(), export());
    site.configure(r#"types = ["Patient"]"#, "");
    site.faults(&["manifest:every:count=+1"]);
    site.bulk(&[]).exits(11);
    let mut downloads = 0;
    for path in files(&site.folder.path("")) {
        let name = path.display().to_string();
        if name.ends_with(".toml") || name.ends_with(".pem") {
            continue;
        }
        downloads += u32::from(name.ends_with(".ndjson"));
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        let hidden = mode & 0o077 == 0
            || fs::metadata(path.parent().expect("a folder"))
                .expect("a folder")
                .permissions()
                .mode()
                & 0o077
                == 0;
        assert!(
            hidden || fs::metadata(&path).expect("a file").len() == 0,
            "{name} {mode:o}"
        );
    }
    assert_eq!(downloads, 1, "a partial run keeps its files");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
