//! `[store]` of `ingest.toml`: what it refuses, and how it says so.

use crate::config::read;
use crate::config_store::BASE;

/// The message after the folder of the file, by which nothing is told that may
/// be secret.
#[track_caller]
fn refused(text: &str) -> String {
    let error = read(text).expect_err(text).to_string();
    let start = error.find("ingest.toml").unwrap_or_default();
    error[start..].to_owned()
}

/// A file may be read before there is a key, to make one.
#[test]
fn a_client_that_nothing_proves_is_refused_when_it_is_used() {
    for tenants in ["", "[tenants.acme]\n"] {
        let config = read(&format!("{BASE}client_id = \"c\"\n{tenants}")).expect("it is read");
        let error = config.store_server().expect_err("no key").to_string();
        assert_eq!(
            error,
            "`client_id` in [store]: nothing proves it: set `keys` of the tenant, \
             `signing_key` or `client_secret`"
        );
    }
}

#[test]
fn keys_of_a_server_have_no_place_beside_a_file() {
    for line in [
        "state = \"a.db\"",
        "tenant = \"acme\"",
        "token_endpoint = \"https://auth.example\"",
        "client_id = \"c\"",
        "signing_key = { file = \"k\" }",
        "client_secret = { env = \"S\" }",
        "client_secret_method = \"post\"",
        "algorithms = [\"ES384\"]",
        "scopes = [\"system/*.cruds\"]",
        "scope_syntax = \"v1\"",
        "token_lifetime = 20",
        "bundle_writes = 10",
        "bundle_bytes = 10000",
        "concurrency = 2",
        "http = { retries = 1 }",
    ] {
        let (key, _) = line.split_once(' ').expect("a key");
        let problem = "it is for a store on a FHIR server, and `fhir` is not set";
        for sqlite in ["", "sqlite = \"a.db\""] {
            assert_eq!(
                refused(&format!("[tenants.acme]\n[store]\n{sqlite}\n{line}\n")),
                format!("ingest.toml:4: `{key}` in [store]: {problem}")
            );
        }
    }
}

#[test]
fn values_that_cannot_be_used_are_told_with_line_and_place() {
    for (line, place, expected) in [
        (
            "sqlite = \"a.db\"",
            "2: `fhir` in [store]",
            "a store is either `sqlite` or `fhir`, not both",
        ),
        (
            "tenant = \"acne\"",
            "3: `tenant` in [store]",
            "there is no tenant `acne`; did you mean `acme`?",
        ),
        (
            "token_endpoint = \"http://auth.example/t\"",
            "3: `token_endpoint` in [store]",
            "plain http is for loopback addresses only, use https",
        ),
        (
            "token_endpoint = \"/token\"",
            "3: `token_endpoint` in [store]",
            "it is not absolute",
        ),
        (
            "client_id = \"a b\"",
            "3: `client_id` in [store]",
            "it is empty or has spaces or control characters",
        ),
        (
            "signing_key = { file = \"k\" }",
            "3: `signing_key` in [store]",
            "there is no `client_id` to go with it",
        ),
        (
            "client_secret = { env = \"S\" }",
            "3: `client_secret` in [store]",
            "there is no `client_id` to go with it",
        ),
        (
            "client_secret_method = \"post\"",
            "3: `client_secret_method` in [store]",
            "there is no `client_secret`",
        ),
        (
            "algorithms = []",
            "3: `algorithms` in [store]",
            "name one, or leave it out",
        ),
        (
            "scopes = [\"system/*.cruds openid\"]",
            "3: `scopes` in [store]",
            "a scope is empty or has spaces; write one scope an entry",
        ),
        (
            "bundle_writes = 0",
            "3: `bundle_writes` in [store]",
            "it is from 1 to 1000",
        ),
        (
            "bundle_writes = 1001",
            "3: `bundle_writes` in [store]",
            "it is from 1 to 1000",
        ),
        (
            "concurrency = 0",
            "3: `concurrency` in [store]",
            "it is from 1 to 1000",
        ),
        (
            "concurrency = 1001",
            "3: `concurrency` in [store]",
            "it is from 1 to 1000",
        ),
        (
            "bundle_bytes = 1023",
            "3: `bundle_bytes` in [store]",
            "it is a number of bytes, at least 1024",
        ),
        (
            "http = { retries = 21 }",
            "3: `retries` in [store.http]",
            "it is 20 at most",
        ),
        (
            "[store.http]\nheaders = { Authorization = \"x\" }",
            "4: `headers` in [store.http]",
            "one of them is not for the configuration to set",
        ),
    ] {
        let message = refused(&format!("{BASE}{line}\n[tenants.acme]\n"));
        assert_eq!(
            message,
            format!("ingest.toml:{place}: {expected}"),
            "{line}"
        );
    }
    let both =
        "client_id = \"c\"\nsigning_key = { file = \"k\" }\nclient_secret = { env = \"S\" }\n";
    assert_eq!(
        refused(&format!("{BASE}{both}")),
        "ingest.toml:5: `client_secret` in [store]: there is either `signing_key` or \
         `client_secret`, not both"
    );
    let two = "client_id = \"c\"\n[tenants.a]\nkeys = \"a\"\n[tenants.b]\nkeys = \"b\"\n";
    assert_eq!(
        refused(&format!("{BASE}{two}")),
        "ingest.toml:1: `tenant` in [store]: there are several, name one"
    );
    for scopes in [
        "[]",
        "[\"system/*.rs\"]",
        "[\"system/Patient.read\", \"openid\"]",
    ] {
        let message = refused(&format!("{BASE}scopes = {scopes}\n"));
        let start = "ingest.toml:3: `scopes` in [store]: none of them lets this client write;";
        assert!(message.starts_with(start), "{message}");
        assert!(message.contains("`system/*.cruds` (SMART 2)"), "{message}");
    }
}

#[test]
fn the_address_is_that_of_a_server() {
    for (base, problem) in [
        ("http://store.example/fhir", "use https"),
        ("https://user:pass@store.example", "user name or password"),
        (
            "https://store.example/fhir?x=y",
            "neither query nor fragment",
        ),
        ("https://store.example/fhir#x", "neither query nor fragment"),
        ("ftp://store.example", "neither https nor http"),
        ("store.example/fhir", ""),
        ("", ""),
    ] {
        let message = refused(&format!("[store]\nfhir = \"{base}\"\n"));
        assert!(
            message.starts_with("ingest.toml:2: `fhir` in [store]: "),
            "{message}"
        );
        assert!(message.contains(problem), "{base}: {message}");
        // What stands there may be a password.
        assert!(!message.contains("pass@"), "{message}");
    }
    for base in ["http://127.0.0.1:8080/fhir", "http://localhost"] {
        let config = read(&format!("[store]\nfhir = \"{base}\"\n")).expect(base);
        assert_eq!(config.store_server().expect(base).expect("one").base, base);
    }
    let misspelt = refused("[store]\nfihr = \"https://store.example\"\n");
    assert_eq!(
        misspelt,
        "ingest.toml:2: unknown key `fihr` in [store]; did you mean `fhir`?"
    );
}

/// In however many ways its address can be written.
#[test]
fn an_ehr_is_no_store() {
    for ehr in [
        "fhir_base = \"https://store.example/fhir\"",
        "fhir_base = \"https://store.example/fhir//\"",
        "fhir_base = \"https://STORE.example:443/FHIR\"",
        "fhir_base = \"https://ehr.example\"\nbulk = { base = \"https://store.example/fhir/\" }",
    ] {
        let message = refused(&format!("{BASE}[connections.memorial]\n{ehr}\n"));
        assert_eq!(
            message,
            "ingest.toml:2: `fhir` in [store]: it is the EHR of connection `memorial`, \
             and EHRs are only read",
            "{ehr}"
        );
    }
    for ehr in [
        "https://store.example/r4",
        "https://store.example:8443/fhir",
        "https://ehr.example/fhir",
    ] {
        let text = format!("{BASE}[connections.memorial]\nfhir_base = \"{ehr}\"\n");
        assert!(read(&text).is_ok(), "{ehr}");
    }
}
