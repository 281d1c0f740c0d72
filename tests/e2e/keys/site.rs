//! A folder with a tenant that has a key ring.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command};

use serde_json::Value;

use crate::util::{Ran, Sandbox};

pub(crate) const PASSPHRASE: &str = "canary-passphrase-of-a-ring";

pub(crate) struct Site(pub(crate) Sandbox);

impl Site {
    pub(crate) fn new() -> Self {
        let folder = Sandbox::new();
        folder.write("ingest.toml", "[tenants.acme]\nkeys = \"keys/acme\"\n");
        Self(folder)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.0.command(arguments);
        command
            .env("INGEST_KEY_PASSPHRASE", PASSPHRASE)
            .env("USER", "anna")
            .env_remove("SUDO_USER");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the command runs"))
    }

    /// A command about keys that has to do what it is told.
    #[track_caller]
    pub(crate) fn keys(&self, arguments: &[&str]) -> Value {
        let arguments = [&["keys", "--json"], arguments].concat();
        self.run(&arguments).exits(0).json()
    }

    /// State and kid of every key.
    #[track_caller]
    pub(crate) fn states(&self) -> Vec<(String, String)> {
        let list = self.keys(&["list"]);
        let text = |key: &Value, name: &str| key[name].as_str().expect(name).to_owned();
        let keys = list["keys"].as_array().expect("keys");
        keys.iter()
            .map(|key| (text(key, "state"), text(key, "kid")))
            .collect()
    }

    /// `ingest jwks serve`, and where it listens.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Served {
        let arguments = [
            &["jwks", "serve", "--json", "--listen", "127.0.0.1:0"],
            arguments,
        ]
        .concat();
        let path = self.0.path("served.log");
        let log = fs::File::create(&path).expect("a file");
        let mut child = self
            .command(&arguments)
            .stdout(std::process::Stdio::piped())
            // A pipe that nobody reads would hold the server up.
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("JSON: {line}"));
        let address = said["listen"]
            .as_str()
            .expect("listen")
            .parse()
            .expect("an address");
        Served {
            child,
            _stdout: stdout,
            address,
            log: path,
        }
    }
}

/// A server in another process, which ends with this.
pub(crate) struct Served {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Served {
    /// Head and body of an answer.
    pub(crate) fn ask(&self, request: &str) -> (String, String) {
        ask(self.address, request).expect("an answer")
    }

    /// Asks it to stop, and gives what it logged.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let kill = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(kill.is_ok_and(|status| status.success()));
        let code = self.child.wait().expect("it ends").code();
        (code, fs::read_to_string(&self.log).expect("UTF-8"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn ask(address: SocketAddr, request: &str) -> std::io::Result<(String, String)> {
    let mut client = TcpStream::connect(address)?;
    let request = format!("{request}\r\nHost: keys.example\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes())?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_ascii_lowercase(), body.to_owned()))
}
