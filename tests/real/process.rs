//! A server as a child process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fhir_http::{FhirClient, Interrupt, SystemClock};

/// A running server; it ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it and waits until it answers; `None` where it ends instead. Its
    /// output is added to the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path, client: &FhirClient) -> Option<Self> {
        let output = File::options().append(true).create(true).open(log);
        let output = output.expect("a file");
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output);
        let mut process = Self {
            child: command.spawn().expect("the server that was installed"),
            log: log.to_owned(),
        };
        process.answers(client).then_some(process)
    }

    fn answers(&mut self, client: &FhirClient) -> bool {
        const LOOKS: usize = 600;
        const PAUSE: Duration = Duration::from_millis(100);
        for _ in 0..LOOKS {
            if client.capabilities().is_ok() {
                return true;
            }
            let ended = self.child.try_wait().expect("a state").is_some();
            if ended || !Interrupt::new().sleep(&SystemClock, PAUSE) {
                return false;
            }
        }
        false
    }

    /// How many lines of its log hold all of these.
    pub(crate) fn logged(&self, parts: &[&str]) -> usize {
        let log = fs::read_to_string(&self.log).expect("its log");
        let lines = log.lines();
        lines
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .count()
    }

    /// Ends it without a chance to do anything.
    pub(crate) fn kill(&mut self) {
        // It fails for one that has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on. Before it is used, another process may take it.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
