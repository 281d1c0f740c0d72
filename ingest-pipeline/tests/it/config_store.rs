//! `[store]` of `ingest.toml`: what it comes to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest_pipeline::config::{Algorithm, Auth, Config, Secret, SecretMethod, StoreServer};

use crate::config::read;

pub(crate) const BASE: &str = "[store]\nfhir = \"https://store.example/fhir/\"\n";

/// What `[store]` with these lines comes to, in a folder.
fn server_in(folder: &Path, text: &str) -> StoreServer {
    let path = folder.join("ingest.toml");
    std::fs::write(&path, text).expect("room for a file");
    let config = Config::read(&path).expect(text);
    config.store_server().expect(text).expect("a server")
}

/// What it comes to where no path is looked at.
fn server(lines: &str) -> StoreServer {
    let config = read(&format!("{BASE}{lines}\n")).expect(lines);
    config.store_server().expect(lines).expect("a server")
}

#[test]
fn without_a_server_the_store_is_a_file() {
    for text in ["", "[store]\n", "[store]\nsqlite = \"a.db\"\n"] {
        let config = read(text).expect(text);
        assert!(config.store_server().expect(text).is_none(), "{text}");
    }
    assert!(Config::default().store_server().expect("none").is_none());
}

#[test]
fn an_address_is_enough() {
    let server = server("");
    assert_eq!(server.base, "https://store.example/fhir");
    assert_eq!(server.auth, Auth::Anonymous);
    assert_eq!(server.scopes, ["system/*.cruds"]);
    assert_eq!(server.token_endpoint, None);
    assert_eq!(server.token_lifetime, Some(Duration::from_secs(300)));
    assert_eq!(server.http.retries, 5);
    let limits = (
        server.bundle_writes,
        server.bundle_bytes,
        server.concurrency,
    );
    assert_eq!(limits, (None, None, None));
}

#[test]
fn what_is_said_of_a_server_is_taken() {
    let server = server(
        "client_id = \"writer\"\nclient_secret = { env = \"S\" }\n\
         token_endpoint = \"https://auth.example/token\"\ntoken_lifetime = \"20s\"\n\
         bundle_writes = 7\nbundle_bytes = 2048\nconcurrency = 3\n\
         [store.http]\nretries = 2\nheaders = { X-Client = \"{client_id}\" }\n",
    );
    let endpoint = server.token_endpoint.as_deref();
    assert_eq!(endpoint, Some("https://auth.example/token"));
    assert_eq!(server.token_lifetime, Some(Duration::from_secs(20)));
    let limits = (
        server.bundle_writes,
        server.bundle_bytes,
        server.concurrency,
    );
    assert_eq!(limits, (Some(7), Some(2048), Some(3)));
    assert_eq!(
        (server.http.retries, &*server.http.headers["x-client"]),
        (2, "writer")
    );
}

#[test]
fn scopes_to_write_are_made_or_listed() {
    for (lines, expected) in [
        ("", "system/*.cruds"),
        ("scope_syntax = \"v2\"", "system/*.cruds"),
        ("scope_syntax = \"v1\"", "system/*.read system/*.write"),
        (
            "scopes = [\"system/*.rs\", \"system/Patient.cu\"]",
            "system/*.rs system/Patient.cu",
        ),
        (
            "scopes = [\"system/*.*\"]\nscope_syntax = \"v2\"",
            "system/*.*",
        ),
    ] {
        assert_eq!(server(lines).scopes.join(" "), expected, "{lines}");
    }
}

#[test]
fn the_state_is_beside_the_other_state_or_the_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = |name: &str| folder.path().join(name);
    for (lines, expected) in [
        ("", here("fhir-store.db")),
        (
            "[state]\npath = \"data/state.db\"\n",
            here("data/fhir-store.db"),
        ),
        (
            "[state]\npath = \"/var/lib/ingest/state.db\"\n",
            "/var/lib/ingest/fhir-store.db".into(),
        ),
        ("state = \"own/of-server.db\"\n", here("own/of-server.db")),
        (
            "state = \"own.db\"\n[state]\npath = \"data/state.db\"\n",
            here("own.db"),
        ),
        ("state = \"/var/own.db\"\n", "/var/own.db".into()),
    ] {
        let server = server_in(folder.path(), &format!("{BASE}{lines}"));
        assert_eq!(server.state, expected, "{lines}");
    }
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = |name: &str| folder.path().join(name);
    let id = "client_id = \"c\"\n";
    let key = server_in(
        folder.path(),
        &format!(
            "{BASE}{id}signing_key = {{ file = \"k.pem\", kid = \"k\", alg = \"ES384\" }}\n\
             http = {{ ca_file = \"ca.pem\", secret_headers = {{ X-Key = {{ file = \"x\" }} }}, \
             client_certificate = {{ cert_file = \"c\", key_file = \"/k\" }} }}\n"
        ),
    );
    assert_eq!(
        key.auth,
        Auth::Key {
            client_id: "c".to_owned(),
            file: here("k.pem"),
            kid: Some("k".to_owned()),
            alg: Some(Algorithm::Es384),
        }
    );
    assert_eq!(key.http.ca_file, Some(here("ca.pem")));
    assert_eq!(key.http.secret_headers["x-key"], Secret::File(here("x")));
    let certificate = key.http.client_certificate.expect("one");
    let files = (certificate.cert_file, certificate.key_file);
    assert_eq!(files, (here("c"), PathBuf::from("/k")));

    let secret = server_in(
        folder.path(),
        &format!("{BASE}{id}client_secret = {{ file = \"s\" }}\nclient_secret_method = \"post\"\n"),
    );
    assert_eq!(
        secret.auth,
        Auth::Secret {
            client_id: "c".to_owned(),
            place: Secret::File(here("s")),
            method: SecretMethod::Post,
        }
    );
    let config = Config::read(&folder.path().join("ingest.toml")).expect("it is there");
    assert_eq!(config.store.sqlite, None);
}

#[test]
fn the_ring_is_that_of_the_tenant_who_is_named_or_the_only_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let one = "[tenants.acme]\nkeys = \"acme\"\nkey_file = \"acme.key\"\n";
    let two = format!("{one}[tenants.other]\nkeys = \"other\"\n");
    let id = "client_id = \"c\"\nalgorithms = [\"ES384\"]\n";
    for (tenant, tenants, ring, key_file) in [
        ("", one, "acme", Some("acme.key")),
        ("tenant = \"acme\"\n", &two, "acme", Some("acme.key")),
        ("tenant = \"other\"\n", &two, "other", None),
    ] {
        let server = server_in(folder.path(), &format!("{BASE}{id}{tenant}{tenants}"));
        assert_eq!(
            server.auth,
            Auth::Ring {
                client_id: "c".to_owned(),
                folder: folder.path().join(ring),
                key_file: key_file.map(|name| folder.path().join(name)),
                algorithms: vec![Algorithm::Es384],
            }
        );
    }
    // Where nothing of theirs is needed, tenants do not matter.
    for own in [
        "",
        "client_id = \"c\"\nclient_secret = { env = \"S\" }\n",
        "client_id = \"c\"\nsigning_key = { file = \"/k\" }\n",
    ] {
        server_in(folder.path(), &format!("{BASE}{own}{two}"));
    }
}
