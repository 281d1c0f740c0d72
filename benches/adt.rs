//! What it costs to read an ADT message: beside the parser crate that others
//! use, and beside a scan for bytes that knows nothing of the format.
//!
//! All find the same three fields: MSH-9, MSH-10 and PID-3.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hl7v2_adt::{
    Ack, AckCode, AdtMessage, Header, Message, Messages, PatientIdentifierRule, Timestamp,
};
use memchr::{memchr, memchr_iter, memmem};

fn adt(criterion: &mut Criterion) {
    let messages = load();
    let bytes: usize = messages.iter().map(|message| message.len()).sum();
    let mut group = criterion.benchmark_group("adt");
    group.sample_size(20);
    // A message counts as an element: criterion's `Kelem/s` are thousands of messages.
    group.throughput(Throughput::ElementsAndBytes {
        elements: messages.len() as u64,
        bytes: bytes as u64,
    });
    let mut bench = |name: &str, read: &dyn Fn(&str)| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| messages.iter().for_each(|message| read(black_box(message))));
        });
    };
    bench("separators counted by memchr", &|message| {
        black_box(memchr_iter(b'|', message.as_bytes()).count());
    });
    bench("memchr scan up to PID-3", &|message| {
        black_box(scan(message.as_bytes()));
    });
    bench("Header", &|message| {
        black_box(Header::scan(message.as_bytes()));
    });
    bench("Message, all segments", &|message| {
        black_box(Message::parse(message.as_bytes()).expect("a message"));
    });
    bench("Message, three fields", &|message| {
        let message = Message::parse(message.as_bytes()).expect("a message");
        let header = message.header();
        black_box((header.field(9), header.field(10)));
        black_box(message.segment("PID").map(|pid| pid.field(3)));
    });
    bench(
        "AdtMessage, trigger and chosen identifier as text",
        &|message| {
            let message = Message::parse(message.as_bytes()).expect("a message");
            let adt = AdtMessage::new(&message);
            let rule = PatientIdentifierRule::default();
            black_box((adt.trigger(), adt.control_id(), adt.event_time()));
            for patient in adt.patients() {
                black_box(rule.select(&patient, None).map(|chosen| chosen.text()));
            }
        },
    );
    let time = Timestamp::from_unix(1_700_000_000);
    bench("Header and Ack", &|message| {
        let header = Header::scan(message.as_bytes()).expect("a header");
        black_box(Ack::new(&header, AckCode::Aa, "1", time).to_bytes());
    });
    bench("hl7-parser, three fields", &|message| {
        let message = hl7_parser::Message::parse(message).expect("a message");
        let header = message.segment("MSH").expect("a header");
        black_box((header.field(9), header.field(10)));
        black_box(message.segment("PID").map(|pid| pid.field(3)));
    });
    group.finish();
}

/// Raw MSH-9, MSH-10 and PID-3, taking the usual separators for granted.
fn scan(message: &[u8]) -> Option<[&[u8]; 3]> {
    let field = |mut rest: &[u8], number: usize| {
        for _ in 0..number {
            rest = &rest[memchr(b'|', rest)? + 1..];
        }
        let end = memchr::memchr2(b'|', b'\r', rest).unwrap_or(rest.len());
        Some((rest.len() - end, end))
    };
    let part = |from: &[u8], number: usize| {
        let (after, length) = field(from, number)?;
        let end = from.len() - after;
        Some((end - length, end))
    };
    let (start, end) = part(message, 8)?;
    let (id_start, id_end) = part(&message[end..], 1)?;
    let pid = memmem::find(message, b"\rPID|")?;
    let (pid_start, pid_end) = part(&message[pid..], 3)?;
    Some([
        &message[start..end],
        &message[end + id_start..end + id_end],
        &message[pid + pid_start..pid + pid_end],
    ])
}

/// The ADT messages of the crate's tests, or of the folder in `ADT_CORPUS`, as
/// `hl7-parser` can read them: UTF-8, lines that end in CR and are segments,
/// and the usual separators.
fn load() -> Vec<String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hl7v2-adt/tests/data/adt");
    let mut folders = vec![std::env::var_os("ADT_CORPUS").map_or(own, PathBuf::from)];
    let mut messages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the corpus") {
            let path = entry.expect("the corpus").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(path).expect("the corpus");
            messages.extend(Messages::new(&bytes).filter_map(|part| plain(part.bytes)));
        }
    }
    assert!(messages.len() > 50, "{} messages", messages.len());
    messages
}

fn plain(bytes: &[u8]) -> Option<String> {
    let message = Message::parse(bytes).ok()?;
    let is_segment = |name: &[u8]| name.len() == 3 && name.iter().all(u8::is_ascii_alphanumeric);
    let mut text = String::new();
    for segment in message.segments().filter(|one| is_segment(one.name())) {
        text.push_str(std::str::from_utf8(segment.raw()).ok()?);
        text.push_str(if segment.raw().len() == 3 {
            "|\r"
        } else {
            "\r"
        });
    }
    let usual = text.starts_with("MSH|^~\\&|") && bytes.len() <= 16_384;
    let read = hl7_parser::Message::parse(&text).ok()?.raw_value().len() + 1 == text.len();
    let adt = message.header().field(9).text() == "ADT" && message.segment("PID").is_some();
    (usual && adt && read).then_some(text)
}

criterion_group!(benches, adt);
criterion_main!(benches);
