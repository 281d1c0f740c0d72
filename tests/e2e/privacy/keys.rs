//! Keys of a tenant: taken in, made, rotated, and what goes wrong with them.

use std::fs;

use super::audit::{Audit, LEVELS};
use super::canary::{self, PASSPHRASE, PEM, RING_KEY};
use super::disk;
use crate::util::Ran;

/// A ring that is sealed under a passphrase, or under a key in a file.
const PASSPHRASED: &str = "[tenants.acme]\nkeys = \"keys/acme\"\n";
const SEALED: &str = "[tenants.acme]\nkeys = \"keys/acme\"\nkey_file = \"ring.key\"\n";

/// A folder with a key that is a canary, and with one that is to become a ring.
pub(super) fn audit(level: usize) -> Audit {
    let audit = Audit::new().with("INGEST_KEY_PASSPHRASE", PASSPHRASE);
    audit.give("client.pem", PEM);
    audit.give("client.jwk", canary::jwk().to_string());
    audit.give("ring.key", RING_KEY);
    audit.give("ingest.toml", [SEALED, PASSPHRASED][level % 2]);
    audit
}

/// Texts that hold a private key, and can't be used.
fn unusable() -> Vec<(&'static str, String)> {
    let jwk = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut jwk = canary::jwk();
        change(&mut jwk);
        jwk.to_string()
    };
    let whole = jwk(&|_| ());
    vec![
        (
            "cut.pem",
            PEM.lines().take(3).collect::<Vec<_>>().join("\n"),
        ),
        ("odd.pem", PEM.replacen("MIG2", "MIG2*", 1)),
        (
            "other-kind.pem",
            PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"),
        ),
        ("longer.pem", PEM.replacen("MIG2", "MIG3", 1)),
        ("cut.jwk", whole[..whole.len() - 9].to_owned()),
        (
            "types.jwk",
            jwk(&|jwk| jwk["d"] = [jwk["d"].clone()].into()),
        ),
        ("swapped.jwk", jwk(&|jwk| jwk["x"] = jwk["y"].clone())),
        ("curve.jwk", jwk(&|jwk| jwk["crv"] = jwk["d"].clone())),
        ("kind.jwk", jwk(&|jwk| jwk["kty"] = "RSA".into())),
        ("alg.jwk", jwk(&|jwk| jwk["alg"] = jwk["d"].clone())),
        ("set.jwk", format!("{{\"keys\":[{whole},{whole}]}}")),
        ("other.txt", canary::all()),
    ]
}

#[test]
fn keys_tell_nothing_at_any_level() {
    for (number, level) in LEVELS.iter().enumerate() {
        let audit = audit(number);
        let keys = |arguments: &[&str], exit: i32| {
            audit
                .run(&[&["keys"][..], arguments, *level].concat())
                .exits(exit)
        };
        let client = ["client.pem", "client.jwk"][number % 2];
        keys(&["list"], 0);
        keys(&["import", client], 0);
        keys(&["import", client, "--json"], 2);
        let list = keys(&["list", "--json"], 0).json();
        let kid = list["keys"][0]["kid"].as_str().expect("a kid").to_owned();
        for (arguments, exit) in [
            (&["list"][..], 0),
            (&["generate", "--alg", "ES384"], 2),
            (
                &["generate", "--alg", "RS384", "--bits", "2048", "--json"],
                0,
            ),
            (&["rotate", "--if-older-than", "30d"], 0),
            (&["rotate", "--alg", "ES384", "--lead-time", "1h"], 0),
            (&["rotate", "--alg", "ES384", "--json"], 2),
            (&["export-public"], 0),
            (&["export-public", "--form", "pem"], 0),
            (&["export-public", "--kid", &kid, "--json"], 0),
            (&["retire", "nobody", "--json"], 2),
            (&["retire", &kid, "--grace", "0", "--force", "--json"], 0),
            (&["prune"], 0),
            (&["prune", "--json"], 0),
        ] {
            keys(arguments, exit);
        }
        audit.assert_disk();
    }
}

#[test]
fn keys_that_can_not_be_used_are_not_quoted() {
    let audit = audit(0);
    for (number, (name, text)) in unusable().into_iter().enumerate() {
        audit.give(name, text);
        let level = LEVELS[number % LEVELS.len()];
        for form in [&["--json"][..], &[]] {
            let import = ["keys", "import", name];
            audit.run(&[&import, form, level].concat()).exits(2);
        }
        // The same as the key of a connection.
        audit.give(
            "signing.toml",
            format!(
                "[tenants.acme]\n[connections.c]\nfhir_base = \"http://127.0.0.1:1/fhir\"\n\
                 client_id = \"audit\"\nsigning_key = {{ file = \"{name}\" }}\nlevel = \"system\"\n"
            ),
        );
        for command in [&["test", "c"][..], &["bulk", "c", "--json"]] {
            let config = ["--config", "signing.toml"];
            audit.run(&[command, &config, level].concat()).exits(4);
        }
    }
}

#[test]
fn rings_that_can_not_be_opened_are_not_quoted() {
    for (number, level) in LEVELS.iter().enumerate() {
        let audit = audit(number);
        audit.run(&["keys", "import", "client.pem"]).exits(0);
        let tried = [
            &["keys", "list"][..],
            &["keys", "rotate", "--grace", "0", "--json"],
            &["keys", "export-public"],
            &["jwks", "export", "--json"],
        ];
        // With another secret, with one that is none, and with the other kind.
        let other = RING_KEY.chars().rev().collect::<String>();
        for (passphrase, key, config) in [
            (canary::TOKEN, other.as_str(), number),
            ("", canary::TOKEN, number),
            (PASSPHRASE, RING_KEY, number + 1),
        ] {
            audit.give("ring.key", key);
            audit.give("ingest.toml", [SEALED, PASSPHRASED][config % 2]);
            for arguments in tried {
                let arguments = [arguments, *level].concat();
                let mut command = audit.command(&arguments);
                command.env("INGEST_KEY_PASSPHRASE", passphrase);
                let output = command.output().expect("the command runs");
                audit.examine(&arguments, Ran::of(output));
            }
        }
        // Damaged, wherever that is.
        audit.give("ring.key", RING_KEY);
        audit.give("ingest.toml", [SEALED, PASSPHRASED][number % 2]);
        for path in disk::files(&audit.path("keys")) {
            let whole = fs::read(&path).expect("a file");
            let cut = &whole[..whole.len() / 2];
            for bytes in [cut, canary::all().as_bytes()] {
                fs::write(&path, bytes).expect("a file");
                for arguments in tried {
                    audit.run(&[arguments, *level].concat());
                }
            }
            fs::write(&path, whole).expect("a file");
        }
        audit.run(&["keys", "list"]).exits(0);
        audit.assert_disk();
    }
}
