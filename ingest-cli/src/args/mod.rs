//! The command line.

mod adt;
mod fetch;
mod keys;
mod network;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ingest_pipeline::IdMode;

pub(crate) use adt::{Adt, AdtAction, DeadLettersAction, Listen, RawAction};
pub(crate) use fetch::{Fetch, Who};
pub(crate) use keys::{Bits, Form, Jwks, JwksAction, Keys, KeysAction, Times};
pub(crate) use network::{Bulk, Demo, Init, Sandbox, Since, Status, Test, Verify};

/// Gets clinical data out of EHRs and into a store.
///
/// Results go to standard output, progress and logs to standard error.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    ingest demo                     all of it, with an EHR of our own\n  \
    ingest init acme                a configuration to begin with\n  \
    ingest load --db out.db data/   files, without a configuration\n\n\
    Exit codes: 0 ok · 1 unexpected · 2 usage · 3 records quarantined \
    (with --strict) · 4 configuration · 5 authentication · 6 network · 7 server refused · \
    8 already running · 10 store · 11 partial · 12 interrupted")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command, which help shows after its own.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Configuration file [default: ./ingest.toml, if there is one]
    #[arg(long, global = true, env = "INGEST_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON object at the end, also for errors
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Only results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// More detail in the log; twice for even more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Form of the log
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// No progress bars or lines
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole of it with an EHR of our own, without configuration
    Demo(Demo),
    /// Write a commented ingest.toml to begin with
    Init(Init),
    /// Try a connection step by step: discovery, assertion, token, metadata
    Test(Test),
    /// Export the data of a connection into the store
    Bulk(Bulk),
    /// Fetch the record of one patient into the store
    Fetch(Fetch),
    /// How all connections are doing, on one screen
    Status(Status),
    /// Receive HL7 v2 messages, and fetch the patients they are about
    Adt(Adt),
    /// Make, rotate and retire the keys that we sign with
    Keys(Keys),
    /// Publish the public halves of our keys
    Jwks(Jwks),
    /// An EHR on loopback, to try things out with
    Sandbox(Sandbox),
    /// Load files of FHIR R4 resources into the store
    Load(Load),
    /// Write the normalized form of resources, without a store
    Normalize(Normalize),
    /// Write the store back to NDJSON, one file a type
    Export(Export),
    /// Compare what is known of a FHIR server that is the store with what it has
    Verify(Verify),
    /// Look at past runs
    Runs(Runs),
    /// Look at records that were refused
    Quarantine(Quarantine),
    /// Print a completion script for a shell
    #[command(after_help = "Examples:\n  \
        ingest completions bash > /etc/bash_completion.d/ingest\n  \
        ingest completions zsh > _ingest")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(after_help = "Examples:\n  \
        ingest man > ingest.1")]
    Man,
}

impl Command {
    /// Whether it runs until it is stopped, and answers others meanwhile.
    pub(crate) const fn is_server(&self) -> bool {
        matches!(
            self,
            Self::Jwks(Jwks {
                action: JwksAction::Serve { .. },
                ..
            }) | Self::Adt(Adt {
                action: AdtAction::Listen(_),
                ..
            })
        )
    }
}

/// Which store.
#[derive(Debug, clap::Args)]
pub(crate) struct Db {
    /// SQLite file of the store [default: the configured store, else ingest.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
}

/// What is read, and how it is normalized.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// URI of the system the data comes from; a part of every hashed id
    #[arg(long, value_name = "URI", default_value = "urn:ingest:local")]
    pub(crate) source_system: String,
    /// Whether ids that FHIR allows stay, or all are hashed
    #[arg(long, value_name = "MODE", default_value = "preserve")]
    pub(crate) id_mode: IdModeArg,
    /// FHIR base URL of the source: references that begin with it become relative
    #[arg(long, value_name = "URL")]
    pub(crate) base: Vec<String>,
    /// System of medical record numbers, besides identifiers of type MR
    #[arg(long, value_name = "URI")]
    pub(crate) mrn_system: Option<String>,
    /// Tenant of the configuration whose organization and id key apply [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Longest line or JSON document that is taken, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub(crate) max_line: usize,
    /// NDJSON files (gzipped or not), JSON files of a resource or Bundle, pipes, folders; - is stdin
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdModeArg {
    Preserve,
    Hash,
}

impl From<IdModeArg> for IdMode {
    fn from(mode: IdModeArg) -> Self {
        match mode {
            IdModeArg::Preserve => Self::Preserve,
            IdModeArg::Hash => Self::Hash,
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest load --db out.db data/                     a folder of files\n  \
    zcat all.ndjson.gz | ingest load --db out.db -    standard input\n  \
    ingest load --source-system urn:acme:ehr a.json   the configured store, else ingest.db")]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) db: Db,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Let nobody read an empty store before the run ends, which takes less work
    #[arg(long)]
    pub(crate) exclusive: bool,
    /// Exit with 3 if any record was quarantined
    #[arg(long)]
    pub(crate) strict: bool,
    /// Threads that parse [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest normalize data/ > normalized.ndjson\n  \
    ingest normalize --hashes data/ > hashes.tsv")]
pub(crate) struct Normalize {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Write type, id and content hash instead of the resource
    #[arg(long)]
    pub(crate) hashes: bool,
    /// Exit with 3 if any record was refused
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest export --out data\n  \
    ingest export --type Patient,Encounter")]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) db: Db,
    /// Types to write [default: all]
    #[arg(long = "type", value_name = "T,…", value_delimiter = ',')]
    pub(crate) types: Option<Vec<String>>,
    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = "export")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest runs list --limit 5\n  \
    ingest runs show 01M8D8AT")]
pub(crate) struct Runs {
    #[command(flatten)]
    pub(crate) db: Db,
    #[command(subcommand)]
    pub(crate) action: RunsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsAction {
    /// The last runs, newest first
    #[command(after_help = "Examples:\n  \
        ingest runs list --limit 5")]
    List {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// One run in full
    #[command(after_help = "Examples:\n  \
        ingest runs show 01M8D8AT")]
    Show {
        /// Its id, or the beginning of it
        id: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest quarantine list\n  \
    ingest quarantine show 7\n  \
    ingest quarantine export > refused.ndjson")]
pub(crate) struct Quarantine {
    #[command(flatten)]
    pub(crate) db: Db,
    #[command(subcommand)]
    pub(crate) action: QuarantineAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineAction {
    /// The records with place and reason, without their content
    #[command(after_help = "Examples:\n  \
        ingest quarantine list\n  \
        ingest quarantine list --run 01M8D8AT7AB0ZWXFV1ESBGE33C")]
    List {
        /// Only records that this run refused first
        #[arg(long, value_name = "ID")]
        run: Option<String>,
    },
    /// One record with its content, which is patient data
    #[command(after_help = "Examples:\n  \
        ingest quarantine show 7")]
    Show {
        /// Its number in the list
        id: u64,
    },
    /// All records as they were received, one a line
    #[command(after_help = "Examples:\n  \
        ingest quarantine export > refused.ndjson")]
    Export {
        /// Only records that this run refused first
        #[arg(long, value_name = "ID")]
        run: Option<String>,
    },
}
