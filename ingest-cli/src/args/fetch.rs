use super::Db;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest fetch memorial --mrn 12345        the patient with this medical record number\n  \
    ingest fetch memorial --patient e3iabh   the one with this id at the EHR")]
pub(crate) struct Fetch {
    /// Name of the connection in the configuration
    #[arg(value_name = "CONNECTION")]
    pub(crate) connection: String,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) db: Db,
    /// Read what the record refers to also where the store has it
    #[arg(long)]
    pub(crate) full: bool,
    /// Exit with 3 if any record was quarantined
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Which patient.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Who {
    /// Id of the Patient at the EHR
    #[arg(long, value_name = "ID")]
    pub(crate) patient: Option<String>,
    /// Medical record number, within the connection's `mrn_system` where it has one
    #[arg(long, value_name = "VALUE")]
    pub(crate) mrn: Option<String>,
}
