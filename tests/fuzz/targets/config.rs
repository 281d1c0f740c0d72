use std::fs;
use std::path::PathBuf;

use ingest_pipeline::config::{Config, ConfigError};
use ingest_pipeline::init::TEMPLATE;
use tempfile::TempDir;

use super::{CANARY, Entry, assert_silent};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, Split};

/// `ingest.toml`.
pub(super) const CONFIG: Entry = Entry {
    target: Target {
        name: "config",
        check,
        grammar: Grammar {
            tokens: &[
                "[",
                "]",
                "[[",
                "]]",
                "=",
                "\n",
                "\"",
                "'",
                "\"\"\"",
                "'''",
                "#",
                ".",
                ",",
                "{",
                "}",
                "true",
                "7",
                "-1",
                "1.5",
                "inf",
                "1979-05-27T07:32:00Z",
                "\"5m\"",
                "\"\\u0000\"",
                "[store]\n",
                "[connections.a]\n",
                "[connections.\"a b\"]\n",
                "[tenants.b]\n",
                "[connections.a.http]\n",
                "[connections.a.bulk]\n",
                "[connections.a.adt]\n",
                "fhir_base = \"https://ehr.example\"\n",
                "vendor = \"epic\"\n",
                "client_id = \"c\"\n",
                "tenant = \"b\"\n",
                "level = \"group\"\n",
                "fhir = \"https://store.example\"\n",
                "client_secret = { env = \"X\" }\n",
                "signing_key = { file = \"k\" }\n",
            ],
            separators: b"\n=[]{}\",.",
            pairs: &[("[", "]"), ("{ a = ", " }"), ("\"", "\""), ("a.", "")],
        },
    },
    seeds: Seeds {
        own: seeds,
        places: &["ingest-pipeline/src/init/ingest.toml"],
        names: &["ingest.toml"],
        split: Split::Whole,
    },
    smoke: 12_000,
};

/// Lines that hold a secret where none belongs. None may be repeated as long
/// as it stands as it is: as a name it would be.
const SECRETS: &[&str] = &[
    "client_secret = \"Kanarienvogel-7\"",
    "client_secret = [\"Kanarienvogel-7\"]",
    "signing_key = \"Kanarienvogel-7\"",
    "id_key = \"Kanarienvogel-7\"",
    "proxy_credentials = \"Kanarienvogel-7\"",
    "secret_headers = { x-api-key = \"Kanarienvogel-7\" }",
    "access_key = \"Kanarienvogel-7\"",
];

fn check(text: &[u8]) -> Outcome {
    let file = file();
    fs::write(&file, text).expect("a file to read");
    let read = Config::read(&file);
    let has_secret = has_secret(text);
    let silent = |shown: &str| {
        if has_secret {
            assert_silent(shown);
        }
    };
    let config = match read {
        Ok(config) => config,
        Err(error) => {
            let shown = error.to_string();
            silent(&shown);
            return match error {
                ConfigError::Parse { line, problem, .. } => {
                    let lines = text.split(|byte| *byte == b'\n').count();
                    assert!((1..=lines).contains(&line), "line {line} of {lines}");
                    assert!(!problem.is_empty());
                    Outcome::new().text(&problem)
                }
                ConfigError::Read { .. } => {
                    assert!(std::str::from_utf8(text).is_err(), "{shown}");
                    Outcome::new().with("read")
                }
                other => panic!("an error without its line: {other}"),
            };
        }
    };
    silent(&format!("{config:?}"));
    let mut outcome = Outcome::new()
        .size(config.connections.len())
        .size(config.tenants.len());
    for name in config.connections.keys().take(8) {
        outcome = match config.connection(name) {
            Ok(settings) => {
                silent(&format!("{settings:?}"));
                assert!(!settings.base.ends_with('/'));
                let _ = settings.scopes_for(&["Patient".to_owned()]);
                let _ = settings.fetch_scopes();
                outcome
                    .with(&settings.profile.display_name)
                    .with(settings.export_level(None).is_ok())
                    .size(settings.scopes.len())
            }
            Err(error) => {
                silent(&error.to_string());
                outcome.text(&error.to_string())
            }
        };
    }
    match config.store_server() {
        Ok(server) => {
            silent(&format!("{server:?}"));
            outcome.with(server.is_some())
        }
        Err(error) => {
            silent(&error.to_string());
            outcome.text(&error.to_string())
        }
    }
}

/// Whether every canary of a text stands where a secret would.
fn has_secret(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let mut holds = text.lines().filter(|line| line.contains(CANARY)).peekable();
    holds.peek().is_some() && holds.all(|line| SECRETS.contains(&line))
}

/// One for each thread that fuzzes.
fn file() -> PathBuf {
    thread_local! {
        static FOLDER: TempDir = super::folder();
    }
    FOLDER.with(|folder| folder.path().join("ingest.toml"))
}

/// The template with and without what it only suggests, whole and in parts.
fn seeds() -> Vec<Vec<u8>> {
    let suggested = |line: &str| line.strip_prefix("# ").unwrap_or(line).to_owned();
    let lines: Vec<_> = TEMPLATE
        .lines()
        .filter(|line| !line.starts_with("##"))
        .collect();
    let all: Vec<_> = lines.iter().map(|line| suggested(line)).collect();
    let mut seeds = vec![TEMPLATE.as_bytes().to_vec(), all.join("\n").into_bytes()];
    let tables = all.join("\n");
    seeds.extend(tables.split("\n\n").map(|part| part.as_bytes().to_vec()));
    let connection = "[connections.c]\nfhir_base = \"https://ehr.example/r4\"\nclient_id = \"c\"\n";
    for secret in SECRETS {
        for before in [
            connection,
            "[store]\nfhir = \"https://store.example\"\n",
            "[tenants.t]\n",
            "[connections.c.http]\n",
        ] {
            seeds.push(format!("{before}{secret}\n").into_bytes());
        }
    }
    seeds
}
