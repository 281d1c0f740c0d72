//! A server of ours that runs while others talk to it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use super::audit::Audit;
use super::canary::PEM;
use crate::bulk::wait::{terminate, until};
use crate::util::Ran;

/// Files for what it says: of a pipe nobody would read.
const OUTPUT: &str = "served.out";
const LOG: &str = "served.log";

/// It ends with this.
pub(super) struct Serving<'a> {
    audit: &'a Audit,
    arguments: Vec<String>,
    child: Child,
    pub(super) address: SocketAddr,
}

impl<'a> Serving<'a> {
    /// Starts a command that listens on a free port.
    pub(super) fn start(audit: &'a Audit, arguments: &[&str]) -> Self {
        let arguments = [arguments, &["--listen", "127.0.0.1:0"]].concat();
        let file = |name| File::create(audit.give(name, "")).expect("a file");
        let mut command = audit.command(&arguments);
        command.stdout(file(OUTPUT)).stderr(file(LOG));
        let mut child = command.stdin(Stdio::null()).spawn().expect("it starts");
        let mut address = None;
        until("an address", || {
            let said = [OUTPUT, LOG].map(|name| text(audit, name)).concat();
            address = address_in(&said);
            let has_ended = child.try_wait().is_ok_and(|ended| ended.is_some());
            assert!(address.is_some() || !has_ended, "{said}");
            address.is_some()
        });
        Self {
            audit,
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            child,
            address: address.expect("an address"),
        }
    }

    /// Sends bytes as they are and nothing after them, and gives what is
    /// answered until the connection ends.
    pub(super) fn send(&self, bytes: &[u8]) -> Vec<u8> {
        self.exchange(bytes, true)
    }

    /// The same for what has an end that the server knows.
    pub(super) fn ask(&self, request: &[u8]) -> Vec<u8> {
        self.exchange(request, false)
    }

    fn exchange(&self, bytes: &[u8], ends: bool) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).expect("a time limit");
        // It may end the connection before it has read everything.
        let _ = stream.write_all(bytes);
        if ends {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// What it logged so far.
    pub(super) fn log(&self) -> String {
        text(self.audit, LOG)
    }

    /// Asks it to end, and searches all that it has said.
    #[track_caller]
    pub(super) fn stop(mut self) {
        self.audit.assert_process(&self.child);
        terminate(&self.child);
        let ran = Ran {
            code: self.child.wait().expect("it ends").code(),
            stdout: text(self.audit, OUTPUT).into_bytes(),
            stderr: self.log(),
        };
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        self.audit.examine(&arguments, ran).exits(0);
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate for `localhost`, whose private key is the canary, as arguments
/// of a server; and its text.
pub(super) fn certificate(audit: &Audit) -> ([&'static str; 4], String) {
    let key = KeyPair::from_pem(PEM).expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    audit.give("chain.pem", &pem);
    audit.give("server.pem", PEM);
    let arguments = ["--tls-cert", "chain.pem", "--tls-key", "server.pem"];
    (arguments, pem)
}

fn text(audit: &Audit, name: &str) -> String {
    let bytes = fs::read(audit.path(name)).expect("a file");
    String::from_utf8(bytes).expect("UTF-8")
}

/// The first address in a text whose end is there too.
fn address_in(said: &str) -> Option<SocketAddr> {
    let begin = said.find("127.0.0.1:")?;
    let rest = &said[begin..];
    let end = rest.find(|c: char| !matches!(c, '0'..='9' | '.' | ':'))?;
    rest[..end].parse().ok()
}
