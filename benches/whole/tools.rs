//! What `benches/whole/run` needs besides `ingest`: its input, and floors,
//! programs that do a part of the work and nothing else.
//!
//! ```text
//! tools generate BYTES FOLDER
//! tools generate-changed BYTES FOLDER
//! tools FLOOR FILE…
//! ```

// Each prints what it saw: the script counts resources and bytes by it.
#![allow(clippy::print_stdout)]

mod generate;
#[path = "../support/mod.rs"]
mod support;

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::path::Path;

use fhir_normalize::{Normalizer, Settings};
use sha2::{Digest, Sha256};
use support::value_hash;

/// As much as a floor reads at a time.
const CHUNK: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (lines, bytes) = match arguments[..] {
        ["generate", bytes, folder] => generate::write(bytes.parse()?, Path::new(folder), false)?,
        ["generate-changed", bytes, folder] => {
            generate::write(bytes.parse()?, Path::new(folder), true)?
        }
        [floor, ref files @ ..] if !files.is_empty() => run(floor, files)?,
        _ => return Err("expected generate[-changed] BYTES FOLDER, or FLOOR FILE…".into()),
    };
    println!("{lines} {bytes}");
    Ok(())
}

fn run(floor: &str, files: &[&str]) -> Result<(u64, u64), Box<dyn Error>> {
    match floor {
        "scan" => lines(files, |_| ()),
        "sha256" => lines(files, |line| {
            black_box(Sha256::digest(line));
        }),
        "value" => lines(files, |line| {
            black_box(serde_json::from_slice::<serde_json::Value>(line).expect("JSON"));
        }),
        "value-hash" => lines(files, |line| {
            black_box(value_hash(line));
        }),
        "normalize" => {
            let mut normalizer = Normalizer::new(Settings::new("urn:ingest:bench"));
            lines(files, |line| {
                normalizer.records(line, &mut |_, record| {
                    black_box(record.expect("a resource that is stored"));
                });
            })
        }
        // The last file is the one that is written.
        "copy" => copy(files),
        _ => return Err(format!("no floor {floor}").into()),
    }
    .map_err(|error| format!("{floor}: {error}").into())
}

/// Gives `each` all lines that are not empty; counts them, and all bytes.
fn lines(files: &[&str], mut each: impl FnMut(&[u8])) -> io::Result<(u64, u64)> {
    let (mut count, mut bytes) = (0, 0);
    let mut buffer = vec![0; CHUNK];
    for file in files {
        let mut file = File::open(file)?;
        // Where a line begins whose end was not read yet.
        let mut kept = 0;
        loop {
            if kept == buffer.len() {
                buffer.resize(2 * kept, 0);
            }
            let read = file.read(&mut buffer[kept..])?;
            let filled = kept + read;
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', &buffer[kept..filled]).map(|at| kept + at) {
                if end > start {
                    each(&buffer[start..end]);
                    count += 1;
                }
                start = end + 1;
            }
            bytes += read as u64;
            if read == 0 {
                if filled > start {
                    each(&buffer[start..filled]);
                    count += 1;
                }
                break;
            }
            buffer.copy_within(start..filled, 0);
            kept = filled - start;
        }
    }
    Ok((count, bytes))
}

/// Writes the files into the last one and waits for the disk.
fn copy(files: &[&str]) -> io::Result<(u64, u64)> {
    let Some((target, sources)) = files.split_last() else {
        return Err(io::Error::other("no file to write"));
    };
    let mut output = File::create(target)?;
    let (mut bytes, mut buffer) = (0, vec![0; CHUNK]);
    for source in sources {
        let mut input = File::open(source)?;
        while let read @ 1.. = input.read(&mut buffer)? {
            output.write_all(&buffer[..read])?;
            bytes += read as u64;
        }
    }
    output.sync_all()?;
    fs::remove_file(target)?;
    Ok((0, bytes))
}
