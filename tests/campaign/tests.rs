//! A short campaign, and whether it could see what it looks for.

use rusqlite::Connection;

use crate::campaign;
use crate::finding::Kind;
use crate::folder::Folder;
use crate::held::Held;
use crate::input::{Inputs, SOURCE};
use crate::model::Model;
use crate::plan::{Fault, Plan};
use crate::random::Random;
use crate::site::STORE;

#[test]
fn everything_is_there_once_whatever_goes_wrong() {
    let numbers: Vec<_> = (0..Fault::ALL.len() as u64).collect();
    let report = campaign::run(1, &numbers, 4, &|_| {});
    assert!(report.is_good(), "{report}");
    for fault in Fault::ALL {
        assert!(report.met(fault) > 0, "{}: {report}", fault.name());
    }
}

#[test]
fn a_seed_always_gives_the_same_plans() {
    for number in 0..100 {
        let [one, other] = [3, 3].map(|seed| Plan::new(seed, number));
        assert_eq!(one.to_string(), other.to_string());
    }
    let texts = |seed| -> Vec<_> {
        (0..20)
            .map(|own| Plan::new(seed, own).to_string())
            .collect()
    };
    assert_ne!(texts(1), texts(2));
}

/// What is done to a store that holds everything once, and what has to be found.
const TAMPERING: &[(&str, Kind)] = &[
    (
        "DELETE FROM version WHERE seq = (SELECT max(seq) FROM version WHERE activity = 0)",
        Kind::Lost,
    ),
    (
        "INSERT INTO version SELECT 1000000, type, id, version + 1, 1, hash, context, source_id, \
         recorded, provenance, message, remediations, 0, amended, line FROM version \
         WHERE seq = (SELECT max(seq) FROM version WHERE activity = 0); \
         INSERT INTO body SELECT 1000000, data FROM body \
         WHERE seq = (SELECT max(seq) FROM version WHERE activity = 0 AND seq < 1000000); \
         UPDATE version SET superseded = 1 \
         WHERE seq = (SELECT max(seq) FROM version WHERE activity = 0 AND seq < 1000000)",
        Kind::Duplicated,
    ),
    (
        "UPDATE body SET data = replace(data, 'Heart', 'Head')",
        Kind::Wrong,
    ),
    (
        "UPDATE version SET version = 3 WHERE seq = (SELECT max(seq) FROM version)",
        Kind::Lost,
    ),
    (
        "UPDATE version SET provenance = randomblob(32)",
        Kind::Wrong,
    ),
    ("DELETE FROM refused", Kind::Lost),
];

#[test]
fn what_is_lost_or_there_twice_is_found() {
    let mut inputs = Inputs::new(Random::new(5), true);
    let files = inputs.next();
    let mut model = Model::new(SOURCE);
    for file in &files {
        let content = file.content();
        model.input(content.states);
        model.refuse(content.refused);
    }
    let seen = model.keys().cloned().collect();
    model.settle(&Model::new(SOURCE), &seen);
    model.settle_refused();
    assert!(!model.refused.is_empty());
    for (sql, kind) in [(&"", None)]
        .into_iter()
        .chain(TAMPERING.iter().map(|(sql, kind)| (sql, Some(*kind))))
    {
        let folder = Folder::new(false);
        for file in &files {
            folder.write(&file.name, file.bytes());
        }
        let ran = folder.run(&["load", "--json", "--db", STORE, "in-1"]);
        assert_eq!(ran.code, Some(0), "{}", ran.told());
        let connection = Connection::open(folder.path(STORE)).expect("a store");
        connection.execute_batch(sql).expect(sql);
        drop(connection);
        let held = Held::read(&folder.path(STORE)).expect("a store");
        let mut findings = held.against(&model, true);
        findings.extend(held.quarantined(&model, true));
        let found: Vec<_> = findings.iter().map(|finding| finding.kind).collect();
        match kind {
            None => assert!(findings.is_empty(), "{findings:?}"),
            Some(kind) => assert!(found.contains(&kind), "{sql}: {findings:?}"),
        }
    }
}
