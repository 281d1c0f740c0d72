use jwks_publisher::{
    DirectoryStore, JwkSet, KeyStore, MemoryStore, RingSecret, RingSigner, Secret,
};

use crate::support::{at, key};

/// Each in the forms that logs and errors would show it in.
#[test]
fn no_type_shows_a_secret() {
    let new = key(0);
    let pem = new.private.to_pem();
    let canary = &pem.expose()[40..100];
    let digits = "c0ffee".repeat(10) + "c0ff";
    let passphrase = "canary passphrase";
    let folder = tempfile::tempdir().unwrap();
    let shown = |debug: String| {
        for secret in [canary, &digits, passphrase, "192, 255, 238"] {
            assert!(!debug.contains(secret), "{debug}");
        }
        assert!(!debug.contains("48, 129, 182"), "DER as numbers: {debug}");
    };
    let by_key = RingSecret::key_file(&Secret::new(digits.clone())).unwrap();
    let by_phrase = RingSecret::passphrase(Secret::new(passphrase)).unwrap();
    for secret in [&by_key, &by_phrase] {
        shown(format!("{secret:?} {secret:#?}"));
    }
    if let RingSecret::Key(key) = &by_key {
        shown(format!("{key:?} {key:#?}"));
    }
    let store = std::sync::Arc::new(DirectoryStore::new(folder.path(), Some(by_key)));
    shown(format!("{store:?} {store:#?}"));
    shown(format!("{new:?} {new:#?} {:?}", new.private));
    store.generate("test", at(0), new).unwrap();
    let signer = RingSigner::new(store.clone(), vec![jwks_publisher::Algorithm::Es384]);
    shown(format!(
        "{:?} {signer:?} {:?}",
        signer.active(at(0)).unwrap(),
        MemoryStore::new()
    ));
    let ring = store.load().unwrap();
    shown(format!("{ring:?} {:?}", JwkSet::of(&ring, at(0))));
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        shown(String::from_utf8_lossy(&text).into_owned());
    }
}
