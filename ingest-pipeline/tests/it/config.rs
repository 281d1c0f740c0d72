//! `ingest.toml`: what is taken from it.

use std::path::{Path, PathBuf};

use ingest_pipeline::config::{Config, ConfigError, Secret};

use crate::connections::settings;

/// A connection with all it needs, to which cases add.
pub(crate) const MEMORIAL: &str = "[tenants.acme]\nkeys = \"keys\"\n\
    [connections.memorial]\nfhir_base = \"https://ehr.example/r4\"\nclient_id = \"c\"\n";

pub(crate) fn read(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ingest.toml");
    std::fs::write(&path, text).expect("room for a file");
    Config::read(&path)
}

#[test]
fn plain_http_is_for_loopback() {
    for (base, is_fine) in [
        ("https://ehr.example/r4", true),
        ("http://127.0.0.1:8080/r4", true),
        ("http://[::1]:8080", true),
        ("http://localhost/r4", true),
        ("http://ehr.example/r4", false),
        ("http://10.0.0.1/r4", false),
        ("http://127.0.0.1.example/r4", false),
        ("http://localhost@ehr.example/r4", false),
        ("https://user:pass@ehr.example/r4", false),
        ("https://ehr.example/r4?x=y", false),
        ("https://ehr.example/r4#x", false),
        ("ftp://ehr.example/r4", false),
        ("ehr.example/r4", false),
        ("", false),
    ] {
        let text = format!("[connections.c]\nfhir_base = \"{base}\"\n");
        assert_eq!(read(&text).is_ok(), is_fine, "{base}");
    }
}

#[test]
fn connections_are_found_by_name() {
    let config = read(
        "[connections.memorial]\nfhir_base = \"https://a.example\"\n\
         [connections.mercy]\nfhir_base = \"https://b.example\"\n",
    )
    .expect("a configuration");
    assert_eq!(
        config.connection("mercy").expect("it is there").base,
        "https://b.example"
    );
    let error = config.connection("mercyy").expect_err("there is none");
    assert_eq!(
        error.to_string(),
        "the configuration has no connection `mercyy`; there are: mercy, memorial"
    );
    let error = config.only_connection().expect_err("there are two");
    assert_eq!(
        error.to_string(),
        "which connection? there are: memorial, mercy"
    );

    let none = Config::default();
    let error = none.connection("mercy").expect_err("there is none");
    assert_eq!(
        error.to_string(),
        "the configuration has no connection `mercy`; it has none"
    );
    assert!(none.only_connection().is_err());

    let one = read(MEMORIAL).expect("a configuration");
    assert_eq!(one.only_connection().expect("one"), "memorial");
}

#[test]
fn names_of_connections_can_be_parts_of_urns_and_file_names() {
    for (name, is_fine) in [
        ("memorial", true),
        ("\"Memorial-2_b.c\"", true),
        ("\"a b\"", false),
        ("\"../x\"", false),
        ("\"..\"", false),
        ("\".hidden\"", false),
        ("\"/etc\"", false),
        ("\"a/b\"", false),
        ("\"a\\\\b\"", false),
        ("\"a\\u0000b\"", false),
        // Looks like `/`, and like two dots.
        ("\"a\u{2215}b\"", false),
        ("\"\u{2025}\"", false),
        ("\"e\u{301}\"", false),
        ("a".repeat(64).as_str(), true),
        ("a".repeat(65).as_str(), false),
        ("\"\"", false),
        ("_x", false),
        ("\"ü\"", false),
    ] {
        let text = format!("[connections.{name}]\nfhir_base = \"https://a.example\"\n");
        assert_eq!(read(&text).is_ok(), is_fine, "{name}");
    }
}

#[test]
fn the_tenant_of_a_connection_is_the_only_one_or_named() {
    let connection = "[connections.c]\nfhir_base = \"https://a.example\"\n";
    let tenant = |text: &str| {
        let config = read(&format!("{connection}{text}"))?;
        config
            .connection("c")
            .map(|settings| (settings.tenant, settings.organization))
    };
    let (name, organization) = tenant("").expect("none is fine");
    assert_eq!((name, organization.as_str()), (None, "ingest"));
    let (name, organization) = tenant("[tenants.a]\norganization = \"A\"").expect("one");
    assert_eq!((name.as_deref(), organization.as_str()), (Some("a"), "A"));
    assert!(tenant("[tenants.a]\n[tenants.b]\n").is_err());
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ingest.toml");
    let text = format!(
        "{MEMORIAL}signing_key = {{ file = \"client.pem\" }}\n\
         http = {{ proxy = \"http://p.example\", proxy_credentials = {{ file = \"p\" }}, ca_file = \"/etc/ca.pem\", \
         client_certificate = {{ cert_file = \"c\", key_file = \"k\" }} }}\n\
         [connections.other]\nfhir_base = \"https://a.example\"\nclient_id = \"c\"\nclient_secret = {{ file = \"s\" }}\n"
    );
    std::fs::write(&path, text).expect("room for a file");
    let config = Config::read(&path).expect("a configuration");
    let here = |name: &str| folder.path().join(name);
    let memorial = &config.connections["memorial"];
    assert_eq!(config.tenants["acme"].keys, Some(here("keys")));
    assert_eq!(
        memorial.signing_key.as_ref().map(|key| &key.file),
        Some(&here("client.pem"))
    );
    assert_eq!(
        memorial.http.proxy_credentials,
        Some(Secret::File(here("p")))
    );
    assert_eq!(memorial.http.ca_file, Some(PathBuf::from("/etc/ca.pem")));
    let certificate = memorial.http.client_certificate.as_ref().expect("one");
    assert_eq!(
        (&certificate.cert_file, &certificate.key_file),
        (&here("c"), &here("k"))
    );
    assert_eq!(
        config.connections["other"].client_secret,
        Some(Secret::File(here("s")))
    );
}

#[test]
fn secrets_are_read_where_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, " s3cret\n").expect("room for a file");
    let none = |_: &str| None;
    let file = Secret::File(path);
    assert_eq!(
        file.text("client_secret", none).expect("it is there"),
        "s3cret"
    );
    let variable = Secret::Env("NAME".to_owned());
    let env = |name: &str| (name == "NAME").then(|| "s3cret".to_owned());
    assert_eq!(
        variable.text("client_secret", env).expect("it is there"),
        "s3cret"
    );
    for empty in [
        Secret::File(Path::new("/missing/file").to_owned()),
        variable,
    ] {
        let error = empty
            .text("client_secret", none)
            .expect_err("there is none")
            .to_string();
        assert!(
            error.starts_with("client_secret is read from the "),
            "{error}"
        );
    }
}

#[test]
fn headers_with_secrets_take_the_place_of_the_profiles() {
    let epic = "vendor = \"epic\"\nclient_id = \"c\"\n";
    let http = settings(&format!(
        "{epic}http.headers = {{ X-Site = \"{{client_id}}\" }}\n\
         [connections.memorial.http.secret_headers]\n\
         Ocp-Apim-Subscription-Key = {{ env = \"GATEWAY\" }}\n\
         epic-client-id = {{ file = \"/secret/id\" }}"
    ))
    .http;
    assert_eq!(
        http.headers.into_iter().collect::<Vec<_>>(),
        [("x-site".to_owned(), "c".to_owned())]
    );
    assert_eq!(
        http.secret_headers.into_iter().collect::<Vec<_>>(),
        [
            (
                "epic-client-id".to_owned(),
                Secret::File("/secret/id".into())
            ),
            (
                "ocp-apim-subscription-key".to_owned(),
                Secret::Env("GATEWAY".to_owned())
            ),
        ]
    );
}
