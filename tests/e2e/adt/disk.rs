//! A disk that is full, where this user may mount a small one, and files that
//! can't be written. What waits meanwhile goes on afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::site::{Site, eventually, message, state};

/// A small file system, until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(path: PathBuf) -> Option<Self> {
        fs::create_dir_all(&path).expect("a folder");
        let mounted = Self(path);
        let done = mount(
            &["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"],
            &mounted.0,
        );
        if !done {
            crate::util::tell("skipped: this user may not mount a file system");
            std::mem::forget(mounted);
            return None;
        }
        Some(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], path: &Path) -> bool {
    let mut command = Command::new("mount");
    let output = command.args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn a_disk_that_is_full_or_read_only_gives_errors_until_it_is_mended() {
    let site = Site::new(2);
    let Some(disk) = Mounted::new(site.folder.path("disk")) else {
        return;
    };
    let text = fs::read_to_string(site.folder.path("ingest.toml")).expect("a file");
    site.folder.write(
        "ingest.toml",
        format!("[state]\npath = \"disk/state.db\"\n{text}"),
    );
    let listening = site.listen(&["--no-work"]);
    let mut sender = listening.sender();
    let mrn = &site.mrns()[0];
    let mut send = |control_id: &str| {
        sender
            .send(&message("A08", control_id, mrn))
            .expect("an answer")
            .code()
    };
    assert_eq!(send("before"), "AA");

    // Full to the last block.
    let filler = disk.0.join("filler");
    let mut file = fs::File::create(&filler).expect("a file");
    let block = [0; 4096];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    drop(file);
    let mut refused = Vec::new();
    for number in 0..2_000 {
        let control_id = format!("full-{number}");
        if send(&control_id) == "AE" {
            refused.push(control_id);
            if refused.len() == 3 {
                break;
            }
        }
    }
    assert_eq!(refused.len(), 3, "the disk is full");
    fs::remove_file(&filler).expect("it is removed");
    for control_id in &refused {
        assert_eq!(send(control_id), "AA", "sent again, without a restart");
    }

    drop(sender);
    let (summary, log) = listening.stop();
    assert!(
        log.contains("can't be kept") && log.contains("ERROR"),
        "{log}"
    );
    assert!(summary["rejected"].as_u64() >= Some(3), "{summary}");
    let known = crate::util::query(
        &crate::util::open(&disk.0.join("state.db")),
        "SELECT count(*) FROM message",
    );
    let accepted = summary["accepted"].as_u64().expect("a number");
    assert_eq!(
        known,
        [accepted.to_string()],
        "what was acknowledged is there"
    );
}

#[test]
fn a_state_that_may_not_be_written_gives_errors_until_it_may() {
    let site = Site::new(2);
    let listening = site.listen(&["--no-work"]);
    let mut sender = listening.sender();
    let mrn = &site.mrns()[0];
    let mut send = |control_id: &str| {
        let answer = sender.send(&message("A08", control_id, mrn));
        answer.expect("an answer").code()
    };
    assert_eq!(send("before"), "AA");
    // Also what is open already, and also for the superuser.
    let files = ["ingest.state.db", "ingest.state.db-wal"].map(|name| site.folder.path(name));
    let attribute = |how: &str| {
        let mut command = Command::new("chattr");
        let output = command.arg(how).args(&files).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !attribute("+i") {
        attribute("-i");
        crate::util::tell("skipped: this user can't make files immutable here");
        return;
    }
    let refused = send("refused");
    assert!(attribute("-i"));
    assert_eq!(refused, "AE");
    assert_eq!(send("refused"), "AA", "sent again, without a restart");
    drop(sender);
    let (summary, log) = listening.stop();
    assert!(log.contains("can't be kept"), "{log}");
    assert_eq!(
        (&summary["accepted"], &summary["rejected"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn fetches_wait_while_the_state_fails_and_go_on_without_a_restart() {
    let site = Site::new(2);
    let listening = site.listen(&[]);
    let path = site.folder.path("ingest.state.db");
    let by_hand = |sql: &str| {
        let connection = rusqlite::Connection::open(&path).expect("the state");
        connection.execute_batch(sql).expect("SQL");
    };
    // Messages come in, but no fetch can be taken, as on a disk that has just become full.
    by_hand(
        "CREATE TRIGGER full BEFORE UPDATE OF holder ON fetch \
         BEGIN SELECT RAISE(ABORT, 'as if it were full'); END",
    );
    let mut sender = listening.sender();
    for (number, mrn) in site.mrns().iter().enumerate() {
        let answer = sender.send(&message("A08", &format!("m{number}"), mrn));
        assert_eq!(answer.expect("an answer").code(), "AA");
    }
    eventually("a line in the log", || {
        listening
            .text()
            .contains("fetches wait until it works again")
    });
    by_hand("DROP TRIGGER full");
    eventually("an empty queue", || {
        state(&site, "SELECT count(*) FROM fetch") == ["0"]
    });
    drop(sender);
    let (_, log) = listening.stop();
    assert!(log.contains("the state database works again"), "{log}");
    assert_eq!(log.matches("until it works again").count(), 1, "{log}");
    let patients = "SELECT count(*) FROM resources WHERE type = 'Patient'";
    assert_eq!(site.folder.query(patients), ["2"]);
}
