//! Commands that use connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::Db;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest demo\n  \
    ingest demo --keep demo")]
pub(crate) struct Demo {
    /// Keep the store, the keys and the configuration in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Patients in the EHR
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) patients: usize,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest init acme && $EDITOR acme/ingest.toml")]
pub(crate) struct Init {
    /// Folder for the file
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ingest test memorial\n  ingest test --store")]
pub(crate) struct Test {
    /// Name of the connection in the configuration
    #[arg(value_name = "CONNECTION", required_unless_present = "store")]
    pub(crate) connection: Option<String>,
    /// Try the FHIR server that is the store instead; nothing is written to it
    #[arg(long, conflicts_with = "connection")]
    pub(crate) store: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest verify && ingest bulk memorial --since full\n\n\
    What others changed or deleted there is noted, and written anew when it comes again.")]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) db: Db,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest bulk memorial                      what changed since the last run\n  \
    ingest bulk memorial --since full         everything again\n  \
    ingest bulk memorial --type Patient,Encounter --group e3iabh")]
pub(crate) struct Bulk {
    /// Name of the connection in the configuration
    #[arg(value_name = "CONNECTION")]
    pub(crate) connection: String,
    #[command(flatten)]
    pub(crate) db: Db,
    /// Export all data of the server
    #[arg(long, group = "level")]
    pub(crate) system: bool,
    /// Export the data of all patients
    #[arg(long, group = "level")]
    pub(crate) patient: bool,
    /// Export the data of the patients in a group
    #[arg(long, group = "level", value_name = "ID")]
    pub(crate) group: Option<String>,
    /// Resource types, in place of the configured ones
    #[arg(long = "type", value_name = "T,…", value_delimiter = ',')]
    pub(crate) types: Option<Vec<String>>,
    /// FHIR search that narrows a type, as in Observation?category=laboratory; may be repeated
    #[arg(long = "type-filter", value_name = "Q")]
    pub(crate) type_filters: Vec<String>,
    /// What to ask for: changes since the last run (auto), everything (full), or changes since an instant
    #[arg(long, value_name = "auto|full|INSTANT", default_value = "auto")]
    pub(crate) since: Since,
    /// Go on with the last export, also when it ended partial: only what is missing is downloaded
    #[arg(long)]
    pub(crate) resume: bool,
    /// Give up the export that the server works at, and do nothing else
    #[arg(long, conflicts_with_all = ["resume", "since"])]
    pub(crate) cancel: bool,
    /// Let nobody read an empty store while it is loaded, which takes less work
    #[arg(long)]
    pub(crate) exclusive: bool,
    /// Exit with 3 if any record was quarantined
    #[arg(long)]
    pub(crate) strict: bool,
    /// Threads that parse [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// From when on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    Auto,
    Full,
    Instant(String),
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "full" => Ok(Self::Full),
            // A FHIR instant has a date, a time and an offset.
            _ if text.contains('T') && text.parse::<jiff::Timestamp>().is_ok() => {
                Ok(Self::Instant(text.to_owned()))
            }
            _ => Err("auto, full, or an instant such as 2026-11-22T08:30:00Z"),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest status\n  \
    ingest status --json")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) db: Db,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest sandbox --listen 127.0.0.1:8181\n  \
    ingest sandbox --fault file/1:1:cut=1000")]
pub(crate) struct Sandbox {
    /// Address to listen on, of this machine only
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8181")]
    pub(crate) listen: SocketAddr,
    /// Folder of NDJSON files to serve, in place of invented patients
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Invented patients
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) patients: usize,
    /// Something that goes wrong, as PLACE:HITS:WHAT (status:first-3:status=503); may be repeated
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Vec<String>,
    /// JWKS URL of the client `sandbox-client`; without it, its secret is `sandbox-secret`
    #[arg(long, value_name = "URL")]
    pub(crate) jwks: Option<String>,
}
