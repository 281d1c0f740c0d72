//! What we publish verifies what we sign, by the tools of others: `openssl`,
//! and PyJWT, which is installed under `target` as the real server is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::site::Site;

/// Reads a JWK Set and a compact JWS, and verifies it by its `kid`.
const VERIFY: &str = r#"
import json, sys
import jwt
keys = {key["kid"]: key for key in json.load(open(sys.argv[1]))["keys"]}
token = open(sys.argv[2]).read()
header = jwt.get_unverified_header(token)
key = jwt.PyJWK(keys[header["kid"]])
claims = jwt.decode(token, key, algorithms=[header["alg"]], audience=sys.argv[3])
assert claims["iss"] == claims["sub"] == "app"
print(header["alg"], header["kid"])
"#;

#[test]
fn others_verify_what_we_sign() {
    let site = Site::new();
    site.keys(&["generate", "--alg", "ES384"]);
    site.keys(&["generate", "--alg", "RS384", "--bits", "2048"]);
    site.keys(&["generate", "--alg", "RS256", "--bits", "2048"]);
    site.keys(&["rotate"]);
    site.run(&["jwks", "export", "--out", "site"]).exits(0);
    let assertions = signed(&site);
    assert_eq!(assertions.len(), 3);
    by_openssl(&site, &assertions);
    by_pyjwt(&site, &assertions);
}

/// An assertion by each active key, made as a connection makes it.
fn signed(site: &Site) -> Vec<(String, PathBuf)> {
    use jwks_publisher::{Algorithm, DirectoryStore, RingSecret, RingSigner, Secret};
    use smart_auth::ClientAssertion;

    let secret =
        RingSecret::passphrase(Secret::new(super::site::PASSPHRASE)).expect("a passphrase");
    let store = std::sync::Arc::new(DirectoryStore::new(site.0.path("keys/acme"), Some(secret)));
    let assertion = ClientAssertion::new("app", AUDIENCE);
    [Algorithm::Es384, Algorithm::Rs384, Algorithm::Rs256]
        .into_iter()
        .map(|algorithm| {
            let now = fhir_http::Clock::now(&fhir_http::SystemClock);
            let signer = RingSigner::new(store.clone(), vec![algorithm]);
            let key = signer.active(now).expect("a key");
            let signed = assertion
                .sign(&*key, now, &fhir_http::SystemRandom)
                .expect("a signature");
            let path = site.0.write(&format!("{algorithm}.jws"), signed.expose());
            (algorithm.to_string(), path)
        })
        .collect()
}

const AUDIENCE: &str = "https://ehr.example/token";

fn by_openssl(site: &Site, assertions: &[(String, PathBuf)]) {
    let there = Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) {
        crate::util::tell("skipped: openssl is not installed");
        return;
    }
    for (algorithm, path) in assertions {
        // Of ES384 openssl wants the signature in DER, which it has no command for.
        if algorithm == "ES384" {
            continue;
        }
        let jws = fs::read_to_string(path).expect("a file");
        let (message, signature) = jws.rsplit_once('.').expect("a JWS");
        let header = decode(message.split('.').next().expect("a header"));
        let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
        let kid = header["kid"].as_str().expect("a kid");
        let pem = site
            .run(&["keys", "export-public", "--form", "pem", "--kid", kid])
            .exits(0)
            .stdout;
        let pem = site.0.write("public.pem", pem);
        let message = site.0.write("message", message);
        let signature = site.0.write("signature", decode(signature));
        let digest = if algorithm == "RS256" {
            "-sha256"
        } else {
            "-sha384"
        };
        let verified = Command::new("openssl")
            .args(["dgst", digest, "-verify"])
            .arg(pem)
            .arg("-signature")
            .arg(signature)
            .arg(message)
            .output()
            .expect("openssl runs");
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(
            verified.status.success() && said.contains("Verified OK"),
            "{algorithm}: {said}"
        );
    }
}

fn by_pyjwt(site: &Site, assertions: &[(String, PathBuf)]) {
    let python = match pyjwt() {
        Ok(python) => python,
        Err(problem) => {
            assert_ne!(
                std::env::var("INGEST_REAL_SERVERS").as_deref(),
                Ok("require"),
                "{problem}"
            );
            crate::util::tell(&format!("skipped: PyJWT can't be installed: {problem}"));
            return;
        }
    };
    for (algorithm, path) in assertions {
        let verified = Command::new(&python)
            .args(["-c", VERIFY])
            .arg(site.0.path("site/jwks/acme.json"))
            .arg(path)
            .arg(AUDIENCE)
            .output()
            .expect("Python runs");
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        let problem = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success(), "{algorithm}: {problem}");
        assert!(said.starts_with(algorithm), "{said}");
    }
}

/// A Python that has PyJWT.
fn pyjwt() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyjwt");
    let python = folder.join("bin").join("python");
    let lock =
        fs::File::create(folder.with_extension("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let run = |command: &mut Command| {
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    if run(Command::new(&python).args(["-c", "import jwt, cryptography"])).is_ok() {
        return Ok(python);
    }
    let _ = fs::remove_dir_all(&folder);
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--retries=2",
        "--only-binary=:all:",
        "PyJWT[crypto]==2.10.1",
    ]))?;
    Ok(python)
}

fn decode(base64url: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(base64url)
        .expect("base64url")
}
