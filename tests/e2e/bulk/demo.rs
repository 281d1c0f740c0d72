//! The first minutes with the command: `demo` and `init`.

use std::fs;

use serde_json::Value;

use crate::util::{Sandbox, assert_balances, open, query};

#[test]
fn the_demo_reconciles_the_store_with_the_ehr() {
    let sandbox = Sandbox::new();
    let report = sandbox
        .run(["demo", "--json", "--no-progress", "--keep", "kept"])
        .exits(0)
        .json();
    assert_eq!(report["passed"], true, "{report}");
    assert!(report["elapsed_ms"].as_u64() < Some(60_000), "{report}");
    assert_eq!(report["patients"], 100);
    let steps = report["test"]["steps"].as_array().expect("steps");
    assert!(steps.iter().all(|step| step["status"] == "ok"), "{report}");

    let exports = report["exports"].as_array().expect("exports");
    assert_eq!(exports.len(), 3);
    for summary in exports {
        assert_balances(summary);
        assert_eq!(summary["state"], "completed");
    }
    assert_eq!(exports[0]["since"], Value::Null);
    assert_eq!(exports[1]["since"], exports[0]["transaction_time"]);
    assert_eq!(exports[1]["deleted"], report["deleted_at_ehr"]);
    assert!(exports[1]["deleted"].as_u64() > Some(0));
    assert_eq!(exports[2]["resources"], 0);

    let types = report["by_type"].as_object().expect("by_type");
    let mut total = 0;
    for (name, counts) in types {
        assert_eq!(counts["missing"], 0, "{name}");
        assert_eq!(counts["surplus"], 0, "{name}");
        assert_eq!(counts["in_ehr"], counts["in_store"], "{name}");
        total += counts["in_store"].as_u64().expect("a number");
    }
    // The store says the same to anybody who asks it.
    let reader = open(&sandbox.path("kept/demo.db"));
    let count = query(&reader, "SELECT count(*) FROM resources WHERE deleted = 0");
    assert_eq!(count, [total.to_string()]);
    assert_eq!(query(&reader, "PRAGMA integrity_check"), ["ok"]);

    // What was kept is not mixed with another demo's.
    let ran = sandbox.run(["demo", "--json", "--keep", "kept"]).exits(2);
    assert_eq!(ran.error_code(), "usage");
    let status = sandbox
        .run(["status", "--json", "--config", "kept/ingest.toml"])
        .exits(0)
        .json();
    assert_eq!(
        status["connections"][0]["watermark"],
        exports[2]["transaction_time"]
    );
}

#[test]
fn the_demo_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(["demo", "--patients", "5"]).exits(0);
    assert!(ran.text().contains("the demo passed"), "{}", ran.text());
    let here = sandbox.path("").read_dir().expect("a folder").count();
    assert_eq!(here, 0);
}

#[test]
fn a_configuration_is_written_once_and_can_be_read() {
    let sandbox = Sandbox::new();
    sandbox.run(["init", "acme"]).exits(0);
    let file = sandbox.path("acme/ingest.toml");
    assert!(sandbox.path("acme/keys").is_dir());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let keys = fs::metadata(sandbox.path("acme/keys")).expect("a folder");
        assert_eq!(keys.permissions().mode() & 0o777, 0o700);
    }
    let status = ["status", "--json", "--config", "acme/ingest.toml"];
    let json = sandbox.run(status).exits(0).json();
    assert_eq!(json["connections"], Value::Array(Vec::new()));
    assert_eq!(json["exists"], false);

    let own = "# mine\n";
    fs::write(&file, own).expect("a file");
    let ran = sandbox.run(["init", "acme", "--json"]).exits(4);
    assert_eq!(ran.error_code(), "configuration");
    assert_eq!(fs::read_to_string(&file).expect("a file"), own);

    let json = sandbox.run(["init", "--json"]).exits(0).json();
    assert_eq!(json["config"], "./ingest.toml");
    assert!(sandbox.path("ingest.toml").exists());
    sandbox.run(["status"]).exits(0);
}
