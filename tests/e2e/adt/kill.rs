//! kill -9 under load. `ADT_KILLS=20` is what developers run; in CI there are
//! fewer.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use ehr_sandbox::MllpSender;

use super::site::{Site, message, state, widened};

const SENDERS: usize = 8;

#[test]
fn what_was_acknowledged_survives_a_kill_and_is_fetched() {
    let kills = widened("ADT_KILLS", 3);
    let site = Site::new(40);
    let mrns = site.mrns();
    // Control ids that got an AA, over all lives of the listener.
    let safe = Mutex::new(BTreeSet::new());
    for round in 0..kills {
        let listening = site.listen_logging(&format!("{round}.log"), &[]);
        let address = listening.address;
        let enough = 20 + round * 7;
        let answered = std::sync::atomic::AtomicUsize::new(0);
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (safe, mrns, answered) = (&safe, &mrns, &answered);
                scope.spawn(move || {
                    let Ok(mut connection) = MllpSender::connect(address) else {
                        return;
                    };
                    for number in 0.. {
                        let control_id = format!("{round}-{sender}-{number}");
                        let mrn = patient_of(&control_id, mrns);
                        // The connection breaks when the listener is killed.
                        let Ok(answer) = connection.send(&message("A08", &control_id, mrn)) else {
                            return;
                        };
                        assert_eq!(answer.code(), "AA");
                        safe.lock()
                            .expect("a lock")
                            .insert((control_id, mrn.clone()));
                        answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
            super::site::eventually("enough acknowledgements", || {
                answered.load(std::sync::atomic::Ordering::Relaxed) >= enough
            });
            listening.kill();
        });
    }
    let safe = safe.into_inner().expect("a lock");
    assert!(safe.len() >= kills * 20);

    // The next life finishes the work, without being asked for anything.
    let listening = site.listen_logging("last.log", &[]);
    super::site::eventually("an empty queue", || {
        state(
            &site,
            "SELECT (SELECT count(*) FROM fetch) + (SELECT count(*) FROM raw)",
        ) == ["0"]
    });
    listening.stop();
    let kept: BTreeSet<String> = state(&site, "SELECT CAST(control_id AS TEXT) FROM message")
        .into_iter()
        .collect();
    let stored = site
        .folder
        .query("SELECT count(*) FROM resources WHERE type = 'Patient'");
    // What was kept is fetched, whether or not the answer came through.
    let wanted: BTreeSet<_> = kept.iter().map(|own| patient_of(own, &mrns)).collect();
    assert_eq!(stored, [wanted.len().to_string()]);
    for (control_id, _) in &safe {
        assert!(
            kept.contains(control_id),
            "{control_id} was acknowledged and is lost"
        );
    }
    // Each once, and its bytes in the archive.
    let count = state(
        &site,
        "SELECT count(*) - count(DISTINCT control_id) FROM message",
    );
    assert_eq!(count, ["0"]);
    for key in state(&site, "SELECT raw_key FROM message ORDER BY id LIMIT 25") {
        assert!(
            site.folder
                .path("ingest.state.db.archive")
                .join(&key)
                .exists(),
            "{key}"
        );
        let raw = site
            .folder
            .run(["adt", "raw", "show", &key])
            .exits(0)
            .text();
        let control_id = raw.split('|').nth(9).expect("MSH-10").to_owned();
        let (_, mrn) = safe
            .iter()
            .find(|(id, _)| *id == control_id)
            .map_or((String::new(), String::new()), Clone::clone);
        if !mrn.is_empty() {
            assert_eq!(raw.as_bytes(), message("A08", &control_id, &mrn), "{key}");
        }
    }
    // A sender that heard nothing sends again: nothing is queued twice.
    let listening = site.listen_logging("again.log", &["--no-work"]);
    let mut sender = listening.sender();
    for (control_id, mrn) in safe.iter().take(20) {
        assert_eq!(
            sender
                .send(&message("A08", control_id, mrn))
                .expect("an answer")
                .code(),
            "AA"
        );
    }
    let (summary, _) = listening.stop();
    assert_eq!(
        (&summary["duplicates"], &summary["queued_fetches"]),
        (&20.into(), &0.into()),
        "{summary}"
    );
    assert_eq!(site.folder.query("PRAGMA integrity_check"), ["ok"]);
}

/// The MRN in the message with this control id, `round-sender-number`.
fn patient_of<'a>(control_id: &str, mrns: &'a [String]) -> &'a String {
    let numbers: Vec<usize> = control_id
        .split('-')
        .map(|number| number.parse().expect("a number"))
        .collect();
    &mrns[(numbers[1] * 31 + numbers[2]) % mrns.len()]
}
