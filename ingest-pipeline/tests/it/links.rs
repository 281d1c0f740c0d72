//! Links laid where the state keeps its files.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use ingest_pipeline::state::State;

#[test]
fn a_state_is_not_made_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (path, new) = (folder.path().join("state.db"), folder.path().join("new.db"));
    symlink(&new, &path).unwrap();
    State::open(&path).unwrap_err();
    assert!(!new.exists());
}

/// Who may write beside the state can have one file more, which is empty and
/// its owner's; never another mode, and never content.
#[test]
fn a_link_in_place_of_its_lock_gets_no_content() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let (path, kept) = (folder.path().join("state.db"), outside.path().join("kept"));
    fs::write(&kept, "kept").unwrap();
    symlink(&kept, folder.path().join("state.db.lock")).unwrap();
    drop(State::open(&path).unwrap());
    assert_eq!(fs::read(&kept).unwrap(), b"kept");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn names_of_connections_stay_in_the_folder_of_leases() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = State::open(&folder.path().join("state.db")).unwrap();
    for name in [
        "..", "../x", "/x", "a\\b", "a\0b", ".", "", "\u{2215}", "e\u{301}",
    ] {
        // Whether there is such a lease or not, it is in its folder.
        if let Ok(lease) = state.acquire(name, "run", "test", 0) {
            state.release(lease).unwrap();
        }
    }
    let long = "a".repeat(300);
    state.acquire(&long, "run", "test", 0).unwrap_err();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with("state.db"), "{name}");
    }
    let leases = fs::read_dir(folder.path().join("state.db.leases")).unwrap();
    assert_eq!(leases.count(), 8);
}
