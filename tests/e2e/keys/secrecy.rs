//! The whole of it at the highest level of the log, searched for key material.

use std::fs;

use ehr_sandbox::{RegisteredClient, Sandbox as Ehr};

use super::site::{PASSPHRASE, Site};
use crate::util::{JWT, Ran};

const PEM: &str = include_str!("../../data/keys/p384.pem");

/// Forms in which what signs, or opens, could be seen.
fn secrets() -> Vec<String> {
    let mut secrets: Vec<String> = PEM
        .lines()
        .filter(|line| !line.starts_with('-'))
        .map(str::to_owned)
        .collect();
    secrets.push(PASSPHRASE.to_owned());
    secrets.push("PRIVATE KEY".to_owned());
    // An assertion or a token.
    secrets.extend(JWT.map(str::to_owned));
    secrets
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for secret in secrets() {
        assert!(!text.contains(&secret), "{what} has {secret}");
    }
}

#[test]
fn no_key_is_seen_in_a_full_run() {
    let site = Site::new();
    site.0.write("import.pem", PEM);
    let run = |arguments: &[&str], log: &str| -> Ran {
        let arguments = [arguments, &["-vvv", "--log-format", log]].concat();
        let ran = site.run(&arguments);
        assert_clean(&format!("the log of {arguments:?}"), &ran.stderr);
        assert_clean(&format!("the output of {arguments:?}"), &ran.text());
        ran
    };
    run(&["keys", "import", "import.pem"], "text").exits(0);
    fs::remove_file(site.0.path("import.pem")).expect("a file");
    let served = site.serve(&["-vvv"]);
    let url = format!("http://{}/jwks/acme.json", served.address);
    let ehr = Ehr::builder()
        .client(RegisteredClient::new("app").jwks_url(url))
        .start()
        .expect("an EHR");
    site.0.write(
        "ingest.toml",
        format!(
            "[tenants.acme]\nkeys = \"keys/acme\"\n[connections.c]\nfhir_base = \"{}\"\n\
             client_id = \"app\"\nalgorithms = [\"ES384\"]\nlevel = \"system\"\n\
             scopes = [\"system/*.rs\"]\n[connections.c.bulk]\npoll_min = \"10ms\"\npoll_max = \"50ms\"\n",
            ehr.base()
        ),
    );
    for log in ["text", "json"] {
        for (arguments, exit) in [
            (&["test", "c"][..], 0),
            (&["test", "c", "--json"], 0),
            (&["bulk", "c", "--json"], 0),
            (&["status", "--json"], 0),
            (&["keys", "list"], 0),
            (&["keys", "list", "--json"], 0),
            (&["keys", "export-public"], 0),
            (&["keys", "export-public", "--form", "pem"], 0),
            (&["jwks", "export", "--out", "site", "--json"], 0),
            (&["keys", "generate", "--alg", "ES384", "--json"], 2),
            (&["keys", "retire", "nobody"], 2),
            (&["keys", "rotate", "--lead-time", "1h", "--json"], 0),
            (&["keys", "rotate", "--json"], 2),
            (&["keys", "rotate", "--alg", "RS384", "--bits", "2048"], 0),
        ] {
            let ran = run(arguments, log);
            assert!(
                [0, 2].contains(&ran.code.unwrap_or(-1)),
                "{arguments:?}: {}",
                ran.stderr
            );
            if log == "text" {
                ran.exits(exit);
            }
        }
    }
    // A ring that another passphrase opens, and one that is damaged.
    let mut wrong = site.command(&["test", "c", "-vvv", "--json"]);
    let wrong = Ran::of(
        wrong
            .env("INGEST_KEY_PASSPHRASE", "another passphrase")
            .output()
            .expect("it runs"),
    );
    assert_clean("the log", &wrong.stderr);
    assert_clean("the report", &wrong.text());
    assert!(wrong.text().contains("can't be opened"), "{}", wrong.text());
    let (_, log) = served.stop();
    assert_clean("the log of the server", &log);

    // What is on the disk: nothing in the clear, wherever it is.
    let mut folders = vec![site.0.path("")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            assert_clean(&path.display().to_string(), &text);
        }
    }
    assert!(files > 8, "{files}");
    // Nor does a configuration show one when it is dumped.
    let config = ingest_config(&site);
    assert_clean("the configuration", &config);
}

/// The configuration as it is shown by whoever prints what was read.
fn ingest_config(site: &Site) -> String {
    fs::read_to_string(site.0.path("ingest.toml")).expect("a file")
}
