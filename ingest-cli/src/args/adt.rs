//! Commands of the real-time channel.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;

use super::Db;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest adt listen --listen 0.0.0.0:2575\n  \
    ingest adt process messages/          messages in files, as if they were sent\n  \
    ingest adt work --drain               fetch what they asked for, and end\n  \
    ingest adt dead-letters replay --all  once what was wrong is mended")]
pub(crate) struct Adt {
    #[command(flatten)]
    pub(crate) db: Db,
    #[command(subcommand)]
    pub(crate) action: AdtAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdtAction {
    /// Receive messages over MLLP and fetch their patients, until Ctrl-C
    #[command(after_help = "Examples:\n  \
        ingest adt listen --connection memorial --listen 0.0.0.0:2575\n  \
        ingest adt listen --tls-cert chain.pem --tls-key key.pem")]
    Listen(Listen),
    /// Take messages from files: one, many, or batches, framed or not
    #[command(after_help = "Examples:\n  \
        ingest adt process messages/\n  \
        ingest adt process --connection memorial a01.hl7")]
    Process {
        /// Connection the messages belong to [default: the only one]
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
        /// Files, folders of them, or - for standard input
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Fetch the patients that messages asked for
    #[command(after_help = "Examples:\n  \
        ingest adt work --drain\n  \
        ingest adt work --connection memorial")]
    Work {
        /// End when nothing waits any more
        #[arg(long)]
        drain: bool,
        /// Only for this connection [default: all]
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
    },
    /// Messages that can't be worked on, and fetches that were given up
    #[command(after_help = "Examples:\n  \
        ingest adt dead-letters list\n  \
        ingest adt dead-letters replay --all")]
    DeadLetters {
        #[command(subcommand)]
        action: DeadLettersAction,
    },
    /// The archive of messages as they came
    #[command(after_help = "Examples:\n  \
        ingest adt raw show acme/2026/11/26/LAB/4711-00112233445566aa.hl7")]
    Raw {
        #[command(subcommand)]
        action: RawAction,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Listen {
    /// Connection the messages belong to [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) connection: Option<String>,
    /// Address to listen on
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:2575")]
    pub(crate) listen: SocketAddr,
    /// Receive only: workers are elsewhere, as `ingest adt work`
    #[arg(long)]
    pub(crate) no_work: bool,
    /// Open connections; more wait until one ends
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) connections: usize,
    /// Certificate and chain in PEM: speaks TLS only
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Certificates in PEM of those whose clients are let in; without it everybody is
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersAction {
    /// All of them, without their content
    #[command(after_help = "Examples:\n  \
        ingest adt dead-letters list")]
    List,
    /// One with its message, which is patient data
    #[command(after_help = "Examples:\n  \
        ingest adt dead-letters show 3")]
    Show {
        /// Its number in the list
        id: i64,
    },
    /// Try again
    #[command(after_help = "Examples:\n  \
        ingest adt dead-letters replay 3 5\n  \
        ingest adt dead-letters replay --all")]
    Replay {
        /// Their numbers in the list
        #[arg(
            value_name = "ID",
            required_unless_present = "all",
            conflicts_with = "all"
        )]
        ids: Vec<i64>,
        /// All of them
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RawAction {
    /// Print a message as it came, which is patient data
    #[command(after_help = "Examples:\n  \
        ingest adt raw show acme/2026/11/26/LAB/4711-00112233445566aa.hl7")]
    Show {
        /// Its key, as in the display of the entity of a Provenance
        #[arg(value_name = "KEY")]
        key: String,
    },
}
