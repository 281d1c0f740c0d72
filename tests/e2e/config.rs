//! The configuration file, and what is taken from it.

use crate::generate::{mrn_patient, patient};
use crate::util::{Sandbox, open, query};

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

#[test]
fn a_member_that_does_not_exist_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    for (text, line, name) in [
        ("[store]\nsqlit = \"a.db\"\n", 2, "sqlit"),
        ("[store]\n\n[tenant.acme]\n", 3, "tenant"),
        ("[tenants.acme]\norganisation = \"x\"\n", 2, "organisation"),
        ("[state]\npath = \"x\"\nfolder = \"y\"\n", 3, "folder"),
        ("[store]\nsqlite = 7\n", 2, "7"),
        ("[store\n", 1, ""),
    ] {
        sandbox.write("conf/bad.toml", text);
        let arguments = ["load", "--json", "--config", "conf/bad.toml", "a.ndjson"];
        let ran = sandbox.run(arguments).exits(4);
        assert_eq!(ran.error_code(), "configuration");
        let message = ran.json()["error"]["message"].to_string();
        assert!(
            message.contains(&format!("conf/bad.toml:{line}:")),
            "{message}"
        );
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    sandbox.write("conf/data/keep", "");
    let config = sandbox.write("conf/mine.toml", "[store]\nsqlite = \"data/acme.db\"\n");

    sandbox
        .run(["load", "--config", "conf/mine.toml", "a.ndjson"])
        .exits(0);
    let store = sandbox.path("conf/data/acme.db");
    assert_eq!(query(&open(&store), "SELECT id FROM resources"), ["a"]);
    assert!(!sandbox.path("ingest.db").exists());

    let ran = sandbox
        .command(["runs", "list", "--json"])
        .env("INGEST_CONFIG", &config)
        .output()
        .expect("the command runs");
    let runs = crate::util::Ran::of(ran).exits(0).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));

    // `--db` weighs more, and the argument more than the environment.
    let ran = sandbox
        .command(["load", "--db", "own.db", "a.ndjson"])
        .env("INGEST_CONFIG", &config)
        .output()
        .expect("the command runs");
    crate::util::Ran::of(ran).exits(0);
    assert!(sandbox.path("own.db").exists());
    sandbox.write("other.toml", "[store]\nsqlite = \"other.db\"\n");
    let ran = sandbox
        .command(["load", "--config", "other.toml", "a.ndjson"])
        .env("INGEST_CONFIG", &config)
        .output()
        .expect("the command runs");
    crate::util::Ran::of(ran).exits(0);
    assert!(sandbox.path("other.db").exists());
}

#[test]
fn the_configuration_of_the_folder_is_found() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    sandbox.write("ingest.toml", "[store]\nsqlite = \"found.db\"\n");
    sandbox.run(["load", "a.ndjson"]).exits(0);
    assert!(sandbox.path("found.db").exists());
}

#[test]
fn a_key_changes_every_hashed_id_and_no_other() {
    let plain = Sandbox::new();
    let keyed = Sandbox::new();
    keyed.write("secret/id.key", format!("{KEY}\n"));
    keyed.write(
        "ingest.toml",
        "[tenants.acme]\nid_key = { file = \"secret/id.key\" }\n",
    );
    let by_environment = Sandbox::new();
    by_environment.write(
        "ingest.toml",
        "[tenants.acme]\nid_key = { env = \"ACME_ID_KEY\" }\n",
    );
    for sandbox in [&plain, &keyed, &by_environment] {
        sandbox.lines("in.ndjson", &[mrn_patient("12345"), patient("a", "")]);
        let ran = sandbox
            .command(["load", "in.ndjson"])
            .env("ACME_ID_KEY", KEY)
            .output()
            .expect("the command runs");
        crate::util::Ran::of(ran).exits(0);
    }
    let ids = "SELECT source_id, id FROM resources ORDER BY source_id";
    let (plain, keyed) = (plain.query(ids), keyed.query(ids));
    // SHA-256, and HMAC-SHA-256 under the key, of the same three lines.
    assert_eq!(
        plain,
        [
            "12345|8103f4b39059eccbfeca03704a066b04f24b670d30bd13ab9145397560397c05",
            "a|a"
        ]
    );
    assert_eq!(
        keyed,
        [
            "12345|bdf733eab91c44a2e8f2b589edbfb1e15734e52dd14e3b3cdccaec3937494db0",
            "a|a"
        ]
    );
    assert_eq!(by_environment.query(ids), keyed);
}

#[test]
fn a_key_that_is_not_there_is_an_error_of_the_configuration() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    sandbox.write("short.key", "0001");
    sandbox.write("odd.key", &KEY[1..]);
    for place in [
        "{ file = \"missing.key\" }",
        "{ file = \"short.key\" }",
        "{ file = \"odd.key\" }",
        "{ env = \"INGEST_TEST_NOT_SET\" }",
        "{ file = \"odd.key\", env = \"X\" }",
        "{ value = \"x\" }",
        "7",
    ] {
        sandbox.write("ingest.toml", format!("[tenants.acme]\nid_key = {place}\n"));
        let ran = sandbox.run(["load", "--json", "a.ndjson"]).exits(4);
        assert_eq!(ran.error_code(), "configuration", "{place}");
    }
    assert!(!sandbox.path("ingest.db").exists());
}

#[test]
fn one_of_several_tenants_has_to_be_named() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    sandbox.write(
        "ingest.toml",
        "[tenants.acme]\norganization = \"Acme\"\n[tenants.other]\norganization = \"Other\"\n",
    );
    sandbox.run(["load", "a.ndjson"]).exits(4);
    sandbox
        .run(["load", "--tenant", "other", "a.ndjson"])
        .exits(0);
    assert_eq!(
        sandbox.query("SELECT json_extract(body, '$.agent[0].who.display') FROM provenances"),
        ["Other"]
    );
}
