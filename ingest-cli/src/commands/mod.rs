//! One module a command.

pub(crate) mod adt;
pub(crate) mod bulk;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod fetch;
pub(crate) mod init;
pub(crate) mod jwks;
pub(crate) mod keys;
pub(crate) mod load;
pub(crate) mod normalize;
pub(crate) mod quarantine;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod shell;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod verify;

use ingest_pipeline::is_resource_type;

use crate::exit::{Exit, Failure};

/// A type that doesn't exist would look as if there were nothing of it.
fn check_types(types: &[String]) -> Result<(), Failure> {
    match types.iter().find(|name| !is_resource_type(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("`{name}` is no resource type of FHIR R4");
            Err(Failure::new(Exit::Usage, message).hint("as in --type Patient,Encounter"))
        }
    }
}
