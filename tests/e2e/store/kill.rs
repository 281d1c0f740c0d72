//! `kill -9` in the middle of a load into a server. `STORE_KILLS=50` is what
//! developers run; there are fewer usually.

use std::path::Path;
use std::process::Stdio;

use ehr_sandbox::Where;

use super::site::{Expected, STATE, Site, everything};
use crate::adt::site::widened;
use crate::random::Random;
use crate::util::{Sandbox, open, query};

/// Rounds, unless `STORE_KILLS` says otherwise.
const ROUNDS: usize = 5;

/// Many requests, two at a time.
const PACE: &str = "bundle_writes = 10\nconcurrency = 2";

#[test]
fn killed_at_any_moment_the_next_load_ends_with_everything_once() {
    let input = Sandbox::new();
    let folder = everything(&input);
    let expected = Expected::loaded(&[&folder]);
    let undisturbed = Site::new();
    undisturbed.configure(PACE, "");
    undisturbed.loads(&[&folder]);
    let load = Load {
        folder: &folder,
        requests: undisturbed.writes() as u64,
        expected: &expected,
    };
    let mut random = Random::new(2027);
    let rounds = widened("STORE_KILLS", ROUNDS);
    let ended = (0..rounds).map(|round| round_trip(round, &mut random, &load));
    let ended: Vec<_> = ended.collect();
    let count = |what| ended.iter().filter(|own| **own == what).count();
    let late = count(Ended::Late);
    assert!(late * 2 < rounds, "{late} of {rounds} ended before");
    assert!(
        count(Ended::UnderWay) > 0,
        "nothing was under way: {ended:?}"
    );
}

/// A load, and what comes of it where it is left alone.
struct Load<'a> {
    folder: &'a Path,
    /// That may change the server.
    requests: u64,
    expected: &'a Expected,
}

/// When a load was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Not at all, it was faster.
    Late,
    /// Between two batches, or before the first.
    Between,
    /// There was something that the server had not been told, as far as is known.
    UnderWay,
}

/// Kills a load at some moment, and checks what the same load makes of the rest.
fn round_trip(round: usize, random: &mut Random, load: &Load<'_>) -> Ended {
    let mut settings = ehr_sandbox::WriteSettings::default();
    // Where Bundles are no transactions, there is a moment between resource and Provenance.
    settings.transactions = round % 3 != 2;
    let site = Site::with(settings);
    site.configure(PACE, "");
    // The server is slow before or after it does the work.
    let slow = ["write:every:delay=10", "write:every:after=delay=10"];
    site.faults(&[slow[round % 2]]);
    let requests = random.below(load.requests) as usize;
    let spins = random.below(40_000);
    let what = format!("round {round}, killed after {requests} requests and {spins} spins");

    let mut child = site
        .folder
        .command(["load", "--quiet"])
        .arg(load.folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("the command starts");
    let in_time = loop {
        if child.try_wait().expect("a child").is_some() {
            break false;
        }
        let begun = requests > 0 || site.folder.path(STATE).exists();
        if begun && site.server.count(&Where::Write) >= requests {
            // Not only at the moments at which answers arrive.
            (0..spins).for_each(|_| std::hint::spin_loop());
            child.kill().expect("a child");
            break child.wait().expect("a child").code().is_none();
        }
        std::thread::yield_now();
    };

    let ended = match in_time {
        false => Ended::Late,
        true if is_under_way(&site) => Ended::UnderWay,
        true => Ended::Between,
    };

    site.mend();
    let summary = site.loads(&[load.folder]);
    assert_eq!(summary.get("drifted"), None, "{what}: {summary}");
    site.assert_holds(load.expected, &what);
    let state = "SELECT count(*) FROM runs WHERE state = 'running'";
    assert_eq!(site.state(state), ["0"], "{what}");
    assert_eq!(site.state("PRAGMA integrity_check"), ["ok"], "{what}");
    let writes = site.writes();
    site.loads(&[load.folder]);
    assert_eq!(
        site.writes(),
        writes,
        "{what}: there is nothing left to send"
    );
    ended
}

fn is_under_way(site: &Site) -> bool {
    let reader = open(&site.folder.path(STATE));
    // It may have been killed before there were tables.
    let has_tables = reader.prepare("SELECT 1 FROM outbox").is_ok();
    has_tables && query(&reader, "SELECT count(*) FROM outbox") != ["0"]
}
