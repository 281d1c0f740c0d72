//! Keys as `openssl` makes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::run;

/// A key pair, registered at the server for a client of its own.
pub(crate) struct Key {
    /// The algorithm it signs with.
    pub(crate) algorithm: &'static str,
    /// Scope its client asks for: both syntaxes are to be seen.
    pub(crate) scope: &'static str,
    /// Scope its client may have.
    pub(crate) granted: &'static str,
    pub(crate) private: PathBuf,
    pub(crate) public: PathBuf,
}

impl Key {
    pub(crate) fn client_id(&self) -> String {
        format!("client-{}", self.algorithm)
    }
}

/// A key of each kind: RSA, which `openssl` writes as PKCS #8, and P-384, which it
/// writes as SEC 1.
pub(crate) fn make(folder: &Path) -> Result<[Key; 2], String> {
    let rsa = [
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:3072",
    ];
    Ok([
        pair(folder, "RS384", "system/*.read", &rsa)?,
        pair(folder, "ES384", "system/*.rs", &P384)?,
    ])
}

/// A key of a client that may write.
pub(crate) fn writer(folder: &Path) -> Result<Key, String> {
    let mut key = pair(folder, "ES384", "system/*.cruds", &P384)?;
    key.granted = key.scope;
    Ok(key)
}

/// One more key for ES384, as one may get by mistake.
pub(crate) fn another(folder: &Path) -> Result<Key, String> {
    let folder = folder.join("another");
    fs::create_dir_all(&folder).expect("a folder");
    pair(&folder, "ES384", "system/*.rs", &P384)
}

const P384: [&str; 5] = ["ecparam", "-name", "secp384r1", "-genkey", "-noout"];

fn pair(
    folder: &Path,
    algorithm: &'static str,
    scope: &'static str,
    generate: &[&str],
) -> Result<Key, String> {
    let private = folder.join(format!("{algorithm}.pem"));
    let public = folder.join(format!("{algorithm}.pub"));
    let openssl = || Command::new("openssl");
    run(openssl().args(generate).arg("-out").arg(&private))?;
    run(openssl()
        .args(["pkey", "-pubout", "-in"])
        .arg(&private)
        .arg("-out")
        .arg(&public))?;
    Ok(Key {
        algorithm,
        scope,
        granted: "system/*.rs",
        private,
        public,
    })
}
