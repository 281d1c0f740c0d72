//! Files of other formats where resources should be.

use crate::generate::patient;
use crate::sources::gzip;
use crate::util::{Sandbox, assert_counts};

/// A file that is never NDJSON, and why it is refused.
fn others() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let table = |separator: &str| {
        let rows = ["id,family,given", "1,Miller,\"Ann, {}\"", "2,Roe,{\"a\":1}"];
        rows.join("\r\n").replace(',', separator).into_bytes()
    };
    let database = Sandbox::new();
    database.lines("ok.ndjson", &[patient("a", "")]);
    database.load(&["ok.ndjson"]);
    let database = std::fs::read(database.path("ingest.db")).expect("a store");
    // Of what is small, lines are there as they are.
    let line = format!("{}\n", patient("b", ""));
    let begins = |magic: &[u8]| [magic, b"\n", line.as_bytes()].concat();
    let mut tar = b"Patient.ndjson".to_vec();
    tar.resize(257, 0);
    tar.extend(b"ustar\x0000");
    tar.resize(512, 0);
    tar.extend(line.as_bytes());
    let (binary, csv) = ("it is a binary file", "it looks like CSV");
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10";
    let message = "MSH|^~\\&|REG|GHH|IN|R|20270115||ADT^A01|1|P|2.5.1\rPID|1||1^^^GHH^MR\r";
    vec![
        ("image.ndjson", png.to_vec(), binary),
        ("image.png", png.to_vec(), binary),
        (
            "bulk.zip",
            begins(b"PK\x03\x04\x14\0"),
            "it is a zip archive",
        ),
        (
            "bulk.7z",
            begins(b"7z\xBC\xAF\x27\x1C"),
            "it is a 7z archive",
        ),
        ("a.ndjson.xz", begins(b"\xFD7zXZ\0"), "packed with xz"),
        ("a.zst", begins(b"\x28\xB5\x2F\xFD"), "packed with zstd"),
        ("a.lz4", begins(b"\x04\x22\x4D\x18"), "packed with lz4"),
        ("a.bz2", begins(b"BZh9"), "packed with bzip2"),
        ("bulk.tar", tar.clone(), "it is a tar archive"),
        ("bulk.tar.gz", gzip(&tar), "it is a tar archive"),
        ("a.csv", table(","), csv),
        ("a.tsv", table("\t"), csv),
        ("b.ndjson", table(";"), csv),
        ("other.db", database, "it is an SQLite database"),
        ("a.hl7", message.into(), "it is HL7 v2"),
    ]
}

#[test]
fn files_of_another_format_are_refused_whole() {
    for (name, bytes, reason) in others() {
        let folder = Sandbox::new();
        folder.lines("ok.ndjson", &[patient("a", "")]);
        folder.write(name, bytes);
        let ran = folder.run(["load", name, "ok.ndjson", "--json"]).exits(11);
        let summary = ran.json();
        assert_eq!(summary["state"], "partial", "{name}: {summary}");
        assert_counts(&summary, &[("created", 1), ("quarantined", 0)]);
        for word in [name, reason, "not NDJSON"] {
            assert!(ran.stderr.contains(word), "{name}: {word}: {}", ran.stderr);
        }
        let ran = folder.run(["normalize", name, "ok.ndjson"]).exits(11);
        assert_eq!(ran.text().lines().count(), 1, "{name}");
        assert!(ran.stderr.contains(reason), "{name}: {}", ran.stderr);
    }
}

/// Each line of what may have been meant has an outcome of its own.
#[test]
fn text_that_may_have_been_meant_is_quarantined_by_line() {
    let good = patient("a", "");
    for (content, created, quarantined) in [
        ("hello\n".to_owned(), 0, 1),
        ("hello, world\n".to_owned(), 0, 1),
        ("hello\nagain\n".to_owned(), 0, 2),
        ("\0\0\0\0\n\0\n".to_owned() + &good, 1, 2),
        ("id,name\n1,Roe\n".to_owned() + &good, 1, 2),
        (format!("{good}\n1,2\n3,4\n\0\n"), 1, 3),
        ("MSH|x\n{ \"id\": 1 }\n".to_owned(), 0, 2),
        (format!("1, {good}\n2, {good}\n"), 0, 2),
    ] {
        let folder = Sandbox::new();
        folder.write("a.ndjson", &content);
        let summary = folder.load(&["a.ndjson"]);
        let counts = [("created", created), ("quarantined", quarantined)];
        assert_counts(&summary, &counts);
    }
}
