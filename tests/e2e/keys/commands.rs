use std::fs;

use serde_json::Value;

use super::site::Site;
use crate::util::Sandbox;

#[test]
fn a_ring_lives_through_the_commands() {
    let site = Site::new();
    let none = site.run(&["keys", "list"]).exits(0);
    assert!(
        none.text().contains("ingest keys generate"),
        "{}",
        none.text()
    );
    let made = site.keys(&["generate", "--alg", "ES384"]);
    let first = made["changes"][0]["kid"]
        .as_str()
        .expect("a kid")
        .to_owned();
    assert_eq!(made["keys"][0]["state"], "active");
    assert_eq!(made["keys"][0]["algorithm"], "ES384");
    assert_eq!(made["keys"][0]["published_until"], Value::Null);

    let again = site
        .run(&["keys", "--json", "generate", "--alg", "ES384"])
        .exits(2);
    assert_eq!(again.error_code(), "usage");

    let rotated = site.keys(&["rotate"]);
    let second = rotated["changes"][0]["kid"]
        .as_str()
        .expect("a kid")
        .to_owned();
    assert_ne!(first, second);
    let state = |state: &str, kid: &str| (state.to_owned(), kid.to_owned());
    assert_eq!(
        site.states(),
        [state("retiring", &first), state("active", &second)]
    );
    let list = site.run(&["keys", "list"]).exits(0).text();
    let heads: Vec<_> = list
        .lines()
        .next()
        .expect("heads")
        .split("  ")
        .map(str::trim)
        .collect();
    for head in ["kid", "algorithm", "state", "age", "published until"] {
        assert!(heads.contains(&head), "{list}");
    }

    // For cron: nothing to do while the key is young.
    let young = site.keys(&["rotate", "--if-older-than", "30d"]);
    assert_eq!(young["changes"], serde_json::json!([]));
    assert_eq!(
        site.keys(&["rotate", "--if-older-than", "0"])["changes"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(site.states().len(), 3);

    // A key that leaked: by the beginning of its kid, and gone at once.
    site.keys(&["retire", &second[..12], "--grace", "0"]);
    assert!(site.states().iter().all(|(_, kid)| *kid != second));
    let active = site.states().pop().expect("keys");
    let refused = site.run(&["keys", "--json", "retire", &active.1]).exits(2);
    assert!(
        refused.text().contains("rotate --grace 0"),
        "{}",
        refused.text()
    );
    let gone = site.keys(&["rotate", "--grace", "0"]);
    assert_eq!(gone["changes"][0]["pruned"], serde_json::json!([active.1]));
    site.keys(&["retire", &first, "--grace", "0"]);
    assert_eq!(site.states().len(), 1);
    assert_eq!(site.keys(&["prune"])["changes"], serde_json::json!([]));
    assert!(
        site.run(&["keys", "prune"])
            .exits(0)
            .text()
            .contains("nothing to do")
    );

    let log = fs::read_to_string(site.0.path("keys/acme/audit.log")).expect("a log");
    let actions: Vec<_> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| {
            assert_eq!(line["actor"], "anna");
            line["action"].as_str().expect("an action").to_owned()
        })
        .collect();
    assert_eq!(
        actions,
        ["generate", "rotate", "rotate", "retire", "rotate", "retire"]
    );
}

#[test]
fn keys_of_others_are_taken_in() {
    let site = Site::new();
    site.0
        .write("other.pem", include_str!("../../data/keys/p384.pem"));
    let imported = site.keys(&["import", "other.pem"]);
    assert_eq!(imported["keys"][0]["algorithm"], "ES384");
    let again = site
        .run(&["keys", "--json", "import", "other.pem"])
        .exits(2);
    assert!(again.text().contains("already"), "{}", again.text());
    site.0.write("none.pem", "nothing like a key, but a canary");
    for file in ["none.pem", "missing.pem"] {
        let refused = site.run(&["keys", "--json", "import", file]);
        assert!(!refused.text().contains("canary"));
        assert!(refused.text().contains(file), "{}", refused.text());
    }
    let wrong = site
        .run(&["keys", "--json", "import", "other.pem", "--alg", "RS384"])
        .exits(2);
    assert!(wrong.text().contains("other.pem"), "{}", wrong.text());

    let public = site.run(&["keys", "export-public"]).exits(0).json();
    assert_eq!(public["keys"][0]["kid"], imported["keys"][0]["kid"]);
    assert!(public["keys"][0].get("d").is_none());
    let pem = site
        .run(&["keys", "export-public", "--form", "pem"])
        .exits(0)
        .text();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
}

#[test]
fn what_is_missing_is_told_with_what_to_do() {
    let site = Site::new();
    let without = |arguments: &[&str]| {
        let mut command = site.command(arguments);
        command.env_remove("INGEST_KEY_PASSPHRASE");
        crate::util::Ran::of(command.output().expect("it runs"))
    };
    let refused = without(&["keys", "--json", "generate", "--alg", "ES384"]).exits(4);
    let error = refused.json();
    assert_eq!(error["error"]["code"], "configuration");
    let hint = error["error"]["hint"].as_str().expect("a hint");
    assert!(
        hint.contains("INGEST_KEY_PASSPHRASE") && hint.contains("key_file"),
        "{hint}"
    );
    assert!(!site.0.path("keys/acme/ring.json").exists());
    without(&["keys", "list"]).exits(0);

    let empty = Sandbox::new();
    let refused = empty.run(["keys", "--json", "list"]).exits(4);
    assert!(refused.text().contains("ingest init"), "{}", refused.text());
    let refused = empty.run(["jwks", "--json", "export"]).exits(4);
    assert!(refused.text().contains("ingest init"), "{}", refused.text());
    for (config, says) in [
        ("[tenants.a]\n[tenants.b]\n", "--tenant"),
        ("[tenants.a]\n", "keys"),
    ] {
        empty.write("ingest.toml", config);
        let refused = empty.run(["keys", "--json", "list"]).exits(4);
        assert!(refused.text().contains(says), "{}", refused.text());
    }
    empty.write("ingest.toml", "[tenants.\"Not_A_Name\"]\nkeys = \"k\"\n");
    let refused = empty.run(["jwks", "--json", "export"]).exits(4);
    assert!(refused.text().contains("Not_A_Name"), "{}", refused.text());
    // Others than this machine are served by TLS only.
    let refused = site
        .run(&["jwks", "--json", "serve", "--listen", "0.0.0.0:0"])
        .exits(4);
    assert!(refused.text().contains("--tls-cert"), "{}", refused.text());
}

#[test]
fn files_for_a_cdn_come_with_their_headers() {
    let site = Site::new();
    site.keys(&["generate", "--alg", "ES384"]);
    site.keys(&["rotate", "--lead-time", "1h"]);
    let export = site
        .run(&["jwks", "export", "--json", "--out", "site"])
        .exits(0)
        .json();
    assert_eq!(export["files"].as_array().map(Vec::len), Some(4));
    assert!(export["valid_until"].is_string(), "{export}");
    let document = fs::read_to_string(site.0.path("site/jwks/acme.json")).expect("a file");
    assert_eq!(
        document,
        fs::read_to_string(site.0.path("site/.well-known/jwks.json")).expect("a file")
    );
    let set: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(set["keys"].as_array().map(Vec::len), Some(2));
    let headers = fs::read_to_string(site.0.path("site/jwks/acme.json.headers")).expect("a file");
    assert!(
        headers.contains("content-type: application/jwk-set+json\n"),
        "{headers}"
    );
    assert!(
        headers.contains("cache-control: public, max-age=300\n"),
        "{headers}"
    );
    let printed = site.run(&["jwks", "export"]).exits(0).text();
    assert_eq!(printed.trim_end(), document);
}

/// One kid in 64 begins with a hyphen.
#[test]
fn a_kid_may_begin_with_a_hyphen() {
    let site = Site::new();
    site.keys(&["generate"]);
    for arguments in [
        &["retire", "-Mx3", "--grace", "0"][..],
        &["retire", "--grace", "0", "-vQ9"],
    ] {
        let refused = site.run(&[&["keys", "--json"], arguments].concat());
        let refused = refused.exits(2).text();
        assert!(!refused.contains("unexpected argument"), "{refused}");
    }
}
