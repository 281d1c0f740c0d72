//! Durable acknowledgements a second, for 1, 10 and 100 senders, beside what
//! the disk can do: appends to a file, each with its own fsync. And how long it
//! takes from a message to the patient in the store.
//!
//! `cargo bench -p ingest-benches --bench receive -- [SECONDS] [ROUNDS]`
#![expect(clippy::print_stdout, reason = "that is what benches do")]

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use ehr_sandbox::{Data, MllpSender, Sandbox};
use fhir_http::{Clock as _, SystemClock};
use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::adt::{self, Inbox, Receiver, Rules, Shown, Work, WorkOptions};
use ingest_pipeline::config::{Archive, Config, ConnectionSettings};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::hl7::listener::{Limits, Listener};
use ingest_pipeline::store::SqliteStore;

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).filter_map(|it| it.parse().ok());
    let (seconds, rounds) = (numbers.next().unwrap_or(3), numbers.next().unwrap_or(5));
    println!("| what | senders | per second | p50 ms | p99 ms |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for _ in 0..rounds {
        let folder = tempfile::tempdir()?;
        let (count, latencies) = fsyncs(folder.path(), Duration::from_secs(seconds))?;
        let rate = count as f64 / seconds as f64;
        row("append and fsync", 1, rate, &latencies);
        for senders in [1, 10, 100] {
            let latencies = acknowledged(senders, Duration::from_secs(seconds))?;
            let rate = latencies.len() as f64 / seconds as f64;
            row("acknowledged", senders, rate, &latencies);
        }
    }
    let latencies = to_the_store(200)?;
    let total: Duration = latencies.iter().sum();
    let rate = latencies.len() as f64 / total.as_secs_f64();
    row("sent to stored", 1, rate, &latencies);
    Ok(())
}

fn row(what: &str, senders: usize, rate: f64, latencies: &[Duration]) {
    let mut sorted = latencies.to_vec();
    sorted.sort();
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!(
        "| {what} | {senders} | {rate:.0} | {:.1} | {:.1} |",
        at(50),
        at(99)
    );
}

fn fsyncs(folder: &Path, time: Duration) -> Result<(usize, Vec<Duration>), Box<dyn Error>> {
    let mut file = File::create(folder.join("appended"))?;
    let block = [b'x'; 1200];
    let mut latencies = Vec::new();
    let from = SystemClock.now();
    while since(from) < time {
        let one = SystemClock.now();
        file.write_all(&block)?;
        file.sync_data()?;
        latencies.push(since(one));
    }
    Ok((latencies.len(), latencies))
}

fn acknowledged(senders: usize, time: Duration) -> Result<Vec<Duration>, Box<dyn Error>> {
    let site = Site::new("https://ehr.example/r4")?;
    let listener = site.listen()?;
    let address = listener.local_addr();
    let from = SystemClock.now();
    let latencies = thread::scope(|scope| {
        let threads: Vec<_> = (0..senders)
            .map(|sender| scope.spawn(move || send(address, sender, from, time)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a sender"))
            .collect()
    });
    listener.stop(Duration::from_secs(5));
    Ok(latencies)
}

fn send(address: SocketAddr, sender: usize, from: SystemTime, time: Duration) -> Vec<Duration> {
    let mut connection = MllpSender::connect(address).expect("a connection");
    let mut latencies = Vec::new();
    while since(from) < time {
        let text = message(
            &format!("{sender}-{}", latencies.len()),
            &format!("{sender}"),
        );
        let one = SystemClock.now();
        let answer = connection.send(&text).expect("an answer");
        assert_eq!(answer.code(), "AA");
        latencies.push(since(one));
    }
    latencies
}

/// One message after the other, each about another patient.
fn to_the_store(patients: usize) -> Result<Vec<Duration>, Box<dyn Error>> {
    let ehr = Sandbox::builder()
        .open()
        .data(Data::synthetic(1, patients))
        .start()?;
    let site = Site::new(&ehr.base())?;
    let listener = site.listen()?;
    let mut sender = MllpSender::connect(listener.local_addr())?;
    let data = ehr.data();
    let records: Vec<_> = data
        .resources()
        .filter(|it| it.resource_type() == "Patient")
        .filter_map(|it| {
            let json: serde_json::Value = serde_json::from_str(it.json()).ok()?;
            let identifiers = json["identifier"].as_array()?;
            let mrn = identifiers
                .iter()
                .find(|it| it["system"] == Data::MRN_SYSTEM)?;
            Some((it.id().to_owned(), mrn["value"].as_str()?.to_owned()))
        })
        .collect();
    let around = site.around.clone();
    thread::scope(|scope| {
        let worker = scope.spawn(|| site.work());
        let mut latencies = Vec::new();
        for (number, (id, mrn)) in records.iter().enumerate() {
            let from = SystemClock.now();
            sender.send(&message(&number.to_string(), mrn))?;
            while !site.has(id) {
                SystemClock.sleep(Duration::from_millis(1));
            }
            latencies.push(since(from));
        }
        around.interrupt.interrupt();
        let _ = worker.join();
        listener.stop(Duration::from_secs(1));
        Ok(latencies)
    })
}

struct Site {
    folder: tempfile::TempDir,
    settings: ConnectionSettings,
    around: Surroundings,
}

impl Site {
    fn new(base: &str) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ingest.toml");
        std::fs::write(
            &path,
            format!("[connections.c]\nfhir_base = \"{base}\"\nsource_system = \"urn:bench\"\n"),
        )?;
        Ok(Self {
            settings: Config::read(&path)?.connection("c")?,
            folder,
            around: Surroundings::system(|_| None),
        })
    }

    fn listen(&self) -> Result<Listener, Box<dyn Error>> {
        let state = self.folder.path().join("state.db");
        let archive = adt::archive(&Archive::default(), &state, &self.around)?;
        let receiver = Receiver::new(
            Rules::new(&self.settings),
            Arc::new(Inbox::open(&state, archive)?),
            self.around.clock.clone(),
            self.around.random.clone(),
        );
        let bound = Listener::bind("127.0.0.1:0".parse()?, Limits::default())?;
        Ok(bound.serve(Arc::new(receiver))?)
    }

    fn work(&self) {
        let (store, state) = (SqliteFile(self.db()), self.folder.path().join("state.db"));
        let options = WorkOptions::new(self.around.run_id());
        let settings = vec![self.settings.clone()];
        let shown = Shown::new([]);
        let work = Work::new(
            settings,
            &self.around,
            &store,
            self.folder.path(),
            &state,
            shown,
            options,
        );
        work.expect("a worker").run().expect("it works");
    }

    fn db(&self) -> std::path::PathBuf {
        self.folder.path().join("ingest.db")
    }

    fn has(&self, id: &str) -> bool {
        use ingest_pipeline::store::ResourceStore as _;
        let store = SqliteStore::open_read_only(self.db());
        store.is_ok_and(|mut store| store.get("Patient", id).is_ok_and(|it| it.is_some()))
    }
}

fn message(control_id: &str, mrn: &str) -> Vec<u8> {
    let oid = Data::MRN_SYSTEM.trim_start_matches("urn:oid:");
    let mut text = format!(
        "MSH|^~\\&|REG|GHH|IN|R|20270115080000||ADT^A08|{control_id}|P|2.5.1\r\
         EVN|A08|20270115075900\r\
         PID|1||{mrn}^^^GHH&{oid}&ISO^MR||EXAMPLE^ERIN^Q||19700101|F\rPV1|1|I|W1^R2^B3\r"
    );
    // As long as real ones are.
    while text.len() < 1200 {
        text.push_str("OBX|1|NM|8867-4^Heart rate^LN||72|/min|60-100|N|||F\r");
    }
    text.into_bytes()
}

fn since(from: SystemTime) -> Duration {
    SystemClock.now().duration_since(from).unwrap_or_default()
}
