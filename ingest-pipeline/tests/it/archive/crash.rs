//! What a crash leaves, and what happens when nothing can be written.

use std::fs::{self, File};
use std::path::Path;

use ingest_pipeline::archive::RawArchive;
use ingest_pipeline::{Error, ErrorKind, causes};

use super::{MESSAGE, directory, kept, name_of};

const LEFT: &str = ".a1B2c3.part";

#[test]
fn what_a_crash_left_is_harmless_and_goes() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join(name_of(MESSAGE).as_str());
    let folder = file.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    for name in [LEFT, ".empty.part", "not-ours.part", ".not-ours"] {
        fs::write(folder.join(name), b"hl7-raw\x01 half").unwrap();
    }
    fs::create_dir(folder.join(".folder.part")).unwrap();
    let archive = directory(root.path());
    assert!(archive.get(&name_of(MESSAGE)).unwrap().is_none());
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    assert!(kept(&archive, MESSAGE));
    let mut left: Vec<_> = names(folder);
    left.retain(|name| !name.ends_with(".hl7"));
    assert_eq!(left, [".folder.part", ".not-ours", "not-ours.part"]);
}

#[test]
fn what_is_being_written_stays() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join(name_of(MESSAGE).as_str());
    let folder = file.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    let other = File::create(folder.join(LEFT)).unwrap();
    other.lock().unwrap();
    directory(root.path())
        .put(&name_of(MESSAGE), MESSAGE)
        .unwrap();
    assert!(folder.join(LEFT).exists());
    // Its process is gone.
    drop(other);
    directory(root.path()).put(&name_of(b"x"), b"x").unwrap();
    assert!(!folder.join(LEFT).exists());
}

#[test]
fn a_check_leaves_nothing() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("archive");
    let archive = directory(&root);
    for _ in 0..2 {
        archive.check().unwrap();
        assert_eq!(names(&root), [""; 0]);
    }
    fs::write(root.join(LEFT), b"").unwrap();
    directory(&root).check().unwrap();
    assert_eq!(names(&root), [""; 0]);
}

#[test]
fn a_folder_that_was_removed_is_made_again() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("archive");
    let archive = directory(&root);
    for removed in ["acme/2026/03/09", "acme", ""] {
        archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
        archive.check().unwrap();
        fs::remove_dir_all(root.join(removed)).unwrap();
        assert!(archive.get(&name_of(MESSAGE)).unwrap().is_none());
    }
    archive.check().unwrap();
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    assert!(kept(&archive, MESSAGE));
}

#[test]
fn what_cannot_be_written_is_an_error_until_it_can() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("archive");
    // Modes don't stop root, this does.
    fs::write(&root, b"").unwrap();
    let archive = directory(&root);
    for result in [archive.check(), archive.put(&name_of(MESSAGE), MESSAGE)] {
        failed(&result.unwrap_err(), &root);
    }
    fs::remove_file(&root).unwrap();
    archive.check().unwrap();
    // A file in the place of a folder, on every level.
    let name = name_of(MESSAGE).to_string();
    for (at, _) in name.match_indices('/') {
        let part = root.join(&name[..at]);
        fs::write(&part, b"").unwrap();
        failed(&archive.put(&name_of(MESSAGE), MESSAGE).unwrap_err(), &root);
        fs::remove_file(&part).unwrap();
        fs::create_dir(&part).unwrap();
    }
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    assert!(kept(&archive, MESSAGE));
}

/// A disk of 64 KiB, where mounting one is allowed.
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::small(root.path()) else {
        println!("skipped: no right to mount a small disk");
        return;
    };
    let archive = directory(root.path());
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    let ballast = root.path().join("ballast");
    let large = vec![b'x'; 100_000];
    let error = archive.put(&name_of(&large), &large).unwrap_err();
    failed(&error, root.path());
    let _ = fs::write(&ballast, &large);
    failed(
        &archive.put(&name_of(b"new"), b"new").unwrap_err(),
        root.path(),
    );
    failed(&archive.check().unwrap_err(), root.path());
    // Reading, and what is there already, need no room.
    assert!(kept(&archive, MESSAGE));
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    fs::remove_file(&ballast).unwrap();
    archive.check().unwrap();
    archive.put(&name_of(b"new"), b"new").unwrap();
    assert!(kept(&archive, b"new"));

    disk.remount("ro");
    failed(
        &archive.put(&name_of(b"newer"), b"newer").unwrap_err(),
        root.path(),
    );
    failed(&archive.check().unwrap_err(), root.path());
    disk.remount("rw");
    archive.put(&name_of(b"newer"), b"newer").unwrap();
}

#[cfg(target_os = "linux")]
struct Mounted<'a>(&'a Path);

#[cfg(target_os = "linux")]
impl<'a> Mounted<'a> {
    fn small(folder: &'a Path) -> Option<Self> {
        mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], folder).then(|| Self(folder))
    }

    fn remount(&self, mode: &str) {
        assert!(mount(&["-o", &format!("remount,{mode}")], self.0));
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0).output();
    }
}

#[cfg(target_os = "linux")]
fn mount(arguments: &[&str], folder: &Path) -> bool {
    let command = std::process::Command::new("mount")
        .args(arguments)
        .arg(folder)
        .output();
    command.is_ok_and(|output| output.status.success())
}

/// An error of the store that says where, and nothing of the message.
fn failed(error: &Error, root: &Path) {
    assert!(matches!(error, Error::Archive { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Store);
    let text = causes(error);
    assert!(text.contains(&*root.to_string_lossy()), "{text}");
    assert!(!text.contains("PID"), "{text}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
