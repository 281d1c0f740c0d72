use http::request::Parts;

/// An error of any type, for seams that others implement.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Adds credentials to requests. [`Client`](crate::Client) asks it only for
/// requests to the origin that the credentials are for.
pub trait Authorize: Send + Sync {
    /// Adds credentials, such as an `Authorization` header.
    ///
    /// # Errors
    /// When there are none to be had, such as when the token endpoint refuses.
    fn authorize(&self, request: &mut Parts) -> Result<(), BoxError>;

    /// Hears that the server answered 401 to `request`, which carries what
    /// [`authorize`](Self::authorize) added. `true` when other credentials
    /// will be added next, so that sending once more makes sense.
    fn refused(&self, request: &Parts) -> bool {
        let _ = request;
        false
    }
}
