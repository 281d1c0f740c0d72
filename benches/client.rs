//! What a download costs that is checked, beside `curl` of the same files.
//!
//! `cargo bench -p ingest-benches --bench client -- [MEGABYTES [ROUNDS]]`
//!
//! The sandbox serves the files from this process; everything that downloads
//! is a process of its own, so that its CPU time is known: that of the
//! children this one has waited for, in ticks of 10 ms. The contenders take
//! turns. The run fails where one of ours takes more than [`MEMORY`].
//!
//! It needs Linux, for `/proc`, and `curl`.

// A table on standard output, and the time it took, are what this is for.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::error::Error;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;

use ehr_sandbox::{Data, ExportSettings, Sandbox};
use fhir_bulk::{BulkClient, ExportManifest, ExportRequest, PollPolicy};
use fhir_http::{Client, SystemClock, UreqClient, UreqConfig};

/// What is downloaded unless told otherwise.
const MEGABYTES: u64 = 1000;
const ROUNDS: usize = 5;
/// What our client may take, in KiB, whatever the size of a file.
const MEMORY: u64 = 64 * 1024;
/// Ticks of `/proc/PID/stat` in a second, on every Linux there is today.
const TICKS: f64 = 100.0;
/// The contender that the others are compared with.
const REFERENCE: usize = 1;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<ExitCode> {
    let arguments = std::env::args().skip(1);
    let arguments: Vec<_> = arguments.filter(|argument| argument != "--bench").collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (megabytes, rounds) = match arguments[..] {
        ["download", how, manifest, folder] => {
            download(how, Path::new(manifest), Path::new(folder))?;
            return Ok(ExitCode::SUCCESS);
        }
        [] => (MEGABYTES, ROUNDS),
        [megabytes] => (megabytes.parse()?, ROUNDS),
        [megabytes, rounds] => (megabytes.parse()?, rounds.parse()?),
        _ => return Err("expected [MEGABYTES [ROUNDS]]".into()),
    };
    let data = match std::env::var_os("INGEST_BENCH_DATA") {
        Some(folder) => Data::from_ndjson_folder(folder)?,
        None => Data::huge(megabytes * 1_000_000),
    };
    println!("| server sends | contender | CPU s/GB | ratio | least | most | MB/s | peak MiB |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let plain = compare("plain", false, &data, rounds)?;
    let gzip = compare("gzip", true, &data, rounds)?;
    let peak = plain.max(gzip);
    if peak > MEMORY {
        println!("\nFAILED: {peak} KiB, more than {MEMORY}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets the contenders take turns and prints what they took.
/// Gives the most memory that one of ours took, in KiB.
fn compare(encoding: &str, gzip: bool, data: &Data, rounds: usize) -> Result<u64> {
    let mut export = ExportSettings::default();
    export.gzip = gzip;
    export.polls = 0;
    export.resources_per_file = usize::MAX;
    let sandbox = Sandbox::builder()
        .open()
        .data(data.clone())
        .export(export)
        .start()?;
    let folder = tempfile::tempdir()?;
    let (_, manifest) = client()?.export(
        &ExportRequest::system(),
        &sandbox.base(),
        PollPolicy::default(),
        &mut |_| Ok(()),
    )?;
    let kept = folder.path().join("manifest.json");
    fs::write(&kept, serde_json::to_vec(&manifest)?)?;

    let fit = |name: &&str| gzip || !name.contains("--compressed");
    let contenders = CONTENDERS.into_iter().filter(fit);
    let mut contenders: Vec<_> = contenders.map(|name| (name, Vec::new())).collect();
    for _ in 0..rounds {
        for (name, turns) in &mut contenders {
            let place = folder.path().join("files");
            fs::create_dir(&place)?;
            let mut command = command(name, &manifest, &kept, &place)?;
            turns.push(Turn::of(&mut command)?);
            fs::remove_dir_all(&place)?;
        }
    }
    sandbox.stop();
    // Ours have counted the decoded bytes.
    let all = || contenders.iter().flat_map(|(_, turns)| turns);
    let bytes = all().map(|turn| turn.bytes).max().unwrap_or_default();
    let reference = contenders[REFERENCE].1.clone();
    for (name, turns) in &contenders {
        print_row(encoding, name, turns, &reference, bytes as f64);
    }
    Ok(all().map(|turn| turn.peak).max().unwrap_or_default())
}

/// Those that begin with `curl` are that, with these options. All accept
/// gzip; `--compressed` decodes it as well.
const CONTENDERS: [&str; 5] = [
    "curl, to nowhere",
    "curl, to a file",
    "curl --compressed, to nowhere",
    "Download, to a file",
    "OutputReader, to nowhere",
];

fn command(name: &str, manifest: &ExportManifest, kept: &Path, folder: &Path) -> Result<Command> {
    let (program, place) = name.split_once(", ").expect("a name of two parts");
    let mut words = program.split(' ');
    if words.next() != Some("curl") {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["download", program]).args([kept, folder]);
        return Ok(command);
    }
    let mut command = Command::new("curl");
    command.args(["-q", "--silent", "--show-error", "--fail", "--noproxy", "*"]);
    command.args(["--header", "Accept: application/fhir+ndjson"]);
    match words.next() {
        Some(option) => command.arg(option),
        None => command.args(["--header", "Accept-Encoding: gzip"]),
    };
    for (number, file) in manifest.files().enumerate() {
        let path = match place {
            "to nowhere" => "/dev/null".into(),
            _ => folder.join(number.to_string()),
        };
        command.arg("--output").arg(path).arg(&file.url);
    }
    Ok(command)
}

/// What one process took.
#[derive(Clone)]
struct Turn {
    /// User and system time, in seconds.
    cpu: f64,
    seconds: f64,
    /// Bytes of text it has seen; 0 where it doesn't say.
    bytes: u64,
    /// Most memory it had at a time, in KiB; 0 where it doesn't say.
    peak: u64,
}

impl Turn {
    fn of(command: &mut Command) -> Result<Self> {
        let before = children()?;
        let start = Instant::now();
        let output = command.stderr(Stdio::inherit()).output()?;
        let seconds = start.elapsed().as_secs_f64();
        if !output.status.success() {
            return Err(format!("{:?}: {}", command.get_program(), output.status).into());
        }
        let said = String::from_utf8(output.stdout)?;
        let mut numbers = said.split_whitespace().map(str::parse);
        Ok(Self {
            cpu: (children()? - before) as f64 / TICKS,
            seconds,
            bytes: numbers.next().transpose()?.unwrap_or_default(),
            peak: numbers.next().transpose()?.unwrap_or_default(),
        })
    }
}

/// CPU time of the processes that were waited for, in ticks: the fields
/// `cutime` and `cstime`, 16 and 17 of the line, 14 and 15 after the name.
fn children() -> Result<u64> {
    let line = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = line.rsplit_once(") ").ok_or("no process name")?;
    let ticks = fields.split(' ').skip(13).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<std::result::Result<_, _>>()?)
}

/// The part of the child: downloads, checks, and says how much it saw and took.
fn download(how: &str, manifest: &Path, folder: &Path) -> Result<()> {
    let manifest: ExportManifest = serde_json::from_slice(&fs::read(manifest)?)?;
    let client = client()?;
    let mut bytes = 0;
    for (number, file) in manifest.files().enumerate() {
        let (decoded, faults) = if how == "Download" {
            let done = client.fetch(file, folder.join(number.to_string()))?;
            (done.decoded_bytes, done.faults)
        } else {
            let mut reader = client.read(file)?;
            while let read @ 1.. = reader.fill_buf().map(<[u8]>::len)? {
                reader.consume(read);
            }
            (reader.bytes(), reader.faults().to_vec())
        };
        if !faults.is_empty() {
            return Err(io::Error::other(format!("{}: {faults:?}", file.id())).into());
        }
        bytes += decoded;
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.split_whitespace().next());
    println!("{bytes} {}", peak.ok_or("no VmHWM")?);
    Ok(())
}

fn client() -> Result<BulkClient> {
    let transport = UreqClient::new(&UreqConfig::default())?;
    Ok(BulkClient::new(Client::new(
        Arc::new(transport),
        Arc::new(SystemClock),
    )))
}

fn print_row(encoding: &str, name: &str, turns: &[Turn], reference: &[Turn], bytes: f64) {
    let ratios = sorted(turns.iter().zip(reference).map(|(a, b)| a.cpu / b.cpu));
    let middle = turns.len() / 2;
    let peak = match turns.iter().map(|turn| turn.peak).max() {
        None | Some(0) => String::new(),
        Some(peak) => (peak / 1024).to_string(),
    };
    println!(
        "| {encoding} | {name} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {peak} |",
        sorted(turns.iter().map(|turn| turn.cpu))[middle] / bytes * 1e9,
        ratios[middle],
        ratios[0],
        ratios[ratios.len() - 1],
        bytes / 1e6 / sorted(turns.iter().map(|turn| turn.seconds))[middle],
    );
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}
