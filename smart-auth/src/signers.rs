use std::sync::Arc;

use fhir_http::BoxError;

use crate::Signer;

/// Gives the signer to use now. A key ring implements it, so that a rotation
/// is picked up without a restart; one fixed signer in an [`Arc`] is enough
/// where there is none.
pub trait Signers: Send + Sync {
    /// The signer whose key is active.
    ///
    /// # Errors
    /// When there is none, or its key can't be read.
    fn active(&self) -> Result<Arc<dyn Signer>, BoxError>;
}

impl<S: Signer + 'static> Signers for Arc<S> {
    fn active(&self) -> Result<Arc<dyn Signer>, BoxError> {
        Ok(self.clone())
    }
}

impl Signers for Arc<dyn Signer> {
    fn active(&self) -> Result<Arc<dyn Signer>, BoxError> {
        Ok(self.clone())
    }
}
