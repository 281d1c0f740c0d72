//! Assertions signed with the active key of a tenant's ring.

use std::sync::Arc;
use std::time::Duration;

use ehr_sandbox::{RegisteredClient, Where};
use fhir_http::Clock as _;
use ingest_pipeline::jwks::{
    Algorithm, DirectoryStore, JwkSet, KeyStore as _, NewKey, PrivateKey, RotationPolicy,
    Signer as _,
};
use ingest_pipeline::probe::{StepStatus, probe};
use ingest_pipeline::{Error, ErrorKind, keys};

use crate::site::{CANARY, Files, Site, start, works};

const RING: &str = "client_id = \"app\"\nalgorithms = [\"ES384\"]";
const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn key() -> NewKey {
    NewKey::new(PrivateKey::generate_p384().unwrap(), Algorithm::Es384).unwrap()
}

fn write_key_file(files: &Files) {
    files.write("ring.key", DIGITS);
    set_mode(files, 0o600);
}

fn set_mode(files: &Files, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(files.path("ring.key"), mode).unwrap();
    }
    #[cfg(not(unix))]
    let _ = (files, mode);
}

/// The ring as an operator changes it, in another process.
fn operator(files: &Files) -> DirectoryStore {
    let config = ingest_pipeline::config::Config::read(&files.path("ingest.toml")).unwrap();
    keys::ring(&config.tenants["t"], |_| None).unwrap()
}

#[test]
fn a_rotation_is_picked_up_without_a_restart() {
    // The document is what the EHR sees, and it sees both keys.
    let files = Files::new();
    write_key_file(&files);
    files.settings("https://ehr.example", RING);
    let ring = operator(&files);
    let (first, second) = (key(), key());
    let kids = [
        first.public.kid().to_owned(),
        second.public.kid().to_owned(),
    ];
    ring.generate("anna", start(), first).unwrap();
    let lead = RotationPolicy {
        lead_time: Duration::from_secs(3_600),
        ..RotationPolicy::default()
    };
    ring.rotate("anna", start(), second, &lead).unwrap();
    let published = JwkSet::of(&ring.load().unwrap(), start()).to_json();

    let client = RegisteredClient::new("app").jwks(published);
    let mut site = Site::new(|builder| builder.client(client));
    site.files = files;
    let connected = site.connect(RING);
    let auth = connected.auth.as_ref().unwrap();
    let signed_by = || auth.token().unwrap().kid().map(str::to_owned);
    assert_eq!(signed_by().as_deref(), Some(kids[0].as_str()));
    assert!(works(&site, &connected.fhir));

    // What is in flight stays good: the token that the old key brought.
    ring.retire(
        "anna",
        site.clock.now(),
        &kids[0],
        Duration::from_secs(86_400),
        false,
    )
    .unwrap();
    assert!(works(&site, &connected.fhir));
    assert_eq!(site.sandbox.count(&Where::Token), 1);
    site.clock.advance(Duration::from_secs(400));
    assert_eq!(
        signed_by().as_deref(),
        Some(kids[1].as_str()),
        "the next assertion"
    );
    assert!(works(&site, &connected.fhir));
    assert_eq!(site.sandbox.count(&Where::Token), 2);
}

#[test]
fn a_ring_that_can_not_sign_is_told_before_anything_is_sent() {
    let site = Site::new(|builder| builder.client(RegisteredClient::new("app")));
    write_key_file(&site.files);
    let settings = site.settings(RING);
    let report = probe(&settings, &site.around()).unwrap();
    let step = report
        .steps
        .iter()
        .find(|step| step.name == "assertion")
        .unwrap();
    assert_eq!(step.status, StepStatus::Failed);
    assert!(
        step.hint.as_ref().unwrap().contains("ingest keys generate"),
        "{step:?}"
    );
    assert_eq!(site.sandbox.count(&Where::Token), 0);

    let token = site.connect(RING).auth.unwrap().token();
    let error = Error::from(token.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.hint().unwrap().contains("ingest keys generate"));

    // A ring that was sealed with another key.
    let other = ingest_pipeline::jwks::RingSecret::key_file(&ingest_pipeline::jwks::Secret::new(
        "ab".repeat(32),
    ));
    let ring = DirectoryStore::new(site.files.path("ring"), Some(other.unwrap()));
    ring.generate("anna", start(), key()).unwrap();
    let token = site.connect(RING).auth.unwrap().token();
    let error = ingest_pipeline::causes(&token.unwrap_err());
    assert!(error.contains("can't be opened"), "{error}");
}

#[test]
fn a_key_file_is_for_its_owner_and_holds_a_key() {
    let files = Files::new();
    let refused = || crate::site::refused(&files, RING);
    assert!(matches!(refused(), Error::File { .. }), "there is none");
    files.write("ring.key", CANARY);
    set_mode(&files, 0o600);
    let error = refused();
    assert!(
        error.to_string().contains("64 hexadecimal digits"),
        "{error}"
    );
    #[cfg(unix)]
    {
        write_key_file(&files);
        set_mode(&files, 0o640);
        let error = refused();
        assert!(
            matches!(error, Error::KeyFileMode { mode: 0o640, .. }),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().unwrap().contains("0600"));
    }
}

#[test]
fn a_tenant_without_a_key_file_has_a_passphrase() {
    let config: ingest_pipeline::config::Config =
        toml::from_str("[tenants.t]\nkeys = \"ring\"\n[tenants.none]\n").unwrap();
    let tenant = &config.tenants["t"];
    assert!(
        keys::ring(tenant, |name| (name == keys::PASSPHRASE)
            .then(|| "a long passphrase".into()))
        .is_ok()
    );
    let short = keys::ring(tenant, |_| Some("short".into())).unwrap_err();
    assert!(short.to_string().contains("12 characters"), "{short}");
    assert!(
        keys::ring(tenant, |_| None).is_ok(),
        "its public part can be read"
    );
    assert!(matches!(
        keys::ring(&config.tenants["none"], |_| None),
        Err(Error::NoRing)
    ));
}

#[test]
fn signers_give_what_is_published() {
    let files = Files::new();
    write_key_file(&files);
    files.settings("https://ehr.example", RING);
    let ring = Arc::new(operator(&files));
    ring.generate("anna", start(), key()).unwrap();
    let signer = ingest_pipeline::jwks::RingSigner::new(ring.clone(), vec![Algorithm::Es384]);
    let key = signer.active(start()).unwrap();
    let published = ring.load().unwrap();
    let jwk = published.key(key.kid()).unwrap().jwk().clone();
    assert!(jwk.verify(b"m", &key.sign(b"m").unwrap()));
}
