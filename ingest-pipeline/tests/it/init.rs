//! A new configuration.

use std::fs;

use ingest_pipeline::config::{Config, ConfigError};
use ingest_pipeline::init::{self, TEMPLATE};

#[test]
fn a_new_configuration_is_read_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path().join("some/where");
    let created = init::write(&folder).expect("room for it");
    assert_eq!(created.config, folder.join("ingest.toml"));
    assert_eq!(created.keys, folder.join("keys"));
    let config = Config::read(&created.config).expect("it can be read");
    assert_eq!(config.store.sqlite, Some(folder.join("ingest.db")));
    assert_eq!(config.tenants["default"].keys, Some(created.keys.clone()));
    assert!(config.connections.is_empty());
    assert_eq!(fs::read_dir(&created.keys).expect("a folder").count(), 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = created
            .keys
            .metadata()
            .expect("a folder")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn the_comments_are_settings_that_can_be_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ingest.toml");
    let settings: Vec<_> = TEMPLATE
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .collect();
    fs::write(&path, settings.join("\n")).expect("room for a file");
    let config = Config::read(&path).expect("it can be read");
    let memorial = config.connection("memorial").expect("it is there");
    assert_eq!(memorial.profile.display_name, "Epic");
}

#[test]
fn every_key_is_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ingest.toml");
    for table in [
        "state",
        "tenants.x",
        "tenants.x.archive",
        "tenants.x.archive.s3",
        "connections.x",
        "connections.x.http",
        "connections.x.bulk",
        "connections.x.adt",
    ] {
        // A key like no other is answered with all that there are.
        fs::write(&path, format!("[{table}]\nqqqq = 1\n")).expect("room for a file");
        let message = Config::read(&path).expect_err("an unknown key").to_string();
        let known: Vec<_> = message.split('`').skip(3).step_by(2).collect();
        assert!(!known.is_empty(), "{message}");
        let tables = ["http", "bulk", "adt", "archive", "s3"];
        for key in known.iter().filter(|key| !tables.contains(key)) {
            let shown = ["", "# ", "##   "]
                .iter()
                .any(|start| TEMPLATE.contains(&format!("\n{start}{key} = ")));
            assert!(shown, "{key} of {table}");
        }
    }
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("ingest.toml");
    fs::write(&config, "mine").expect("room for a file");
    let error = init::write(folder.path()).expect_err("there is one");
    assert!(matches!(&error, ConfigError::Exists { path } if *path == config));
    assert!(
        error.to_string().contains("ingest.toml is already there"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&config).expect("it is there"), "mine");
    assert!(
        !folder.path().join("keys").exists(),
        "nothing else was made"
    );

    fs::remove_file(&config).expect("it is there");
    let keys = folder.path().join("keys");
    fs::write(&keys, "mine").expect("room for a file");
    let error = init::write(folder.path()).expect_err("there is one");
    assert!(matches!(error, ConfigError::Exists { path } if path == keys));
    assert!(!config.exists(), "nothing else was made");

    // Links count as what they are, also those that lead to nothing yet.
    #[cfg(unix)]
    {
        let outside = tempfile::tempdir().expect("a temporary folder");
        for link in [&keys, &config] {
            let _ = fs::remove_file(&keys);
            std::os::unix::fs::symlink(outside.path().join("new"), link).expect("a link");
            let error = init::write(folder.path()).expect_err("there is a link");
            assert!(matches!(error, ConfigError::Exists { path } if path == *link));
        }
        assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
        fs::remove_file(&config).expect("it is there");
        fs::write(&keys, "").expect("room for a file");
    }

    fs::remove_file(&keys).expect("it is there");
    fs::create_dir(&keys).expect("room for a folder");
    fs::write(keys.join("ring.json"), "mine").expect("room for a file");
    init::write(folder.path()).expect("a ring that is there is kept");
    assert_eq!(
        fs::read_to_string(keys.join("ring.json")).expect("it is there"),
        "mine"
    );
}
