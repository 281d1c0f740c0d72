use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir_http::Random;
use serde::Serialize;

use crate::{Algorithm, Error, Result, Secret, Signer};

/// Makes the signed JWTs by which a client proves who it is
/// ([asymmetric client authentication][spec]).
///
/// [spec]: https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
#[derive(Clone, Debug)]
pub struct ClientAssertion {
    client_id: String,
    audience: String,
    lifetime: Duration,
    jku: Option<String>,
}

impl ClientAssertion {
    /// The longest life that SMART allows.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(300);

    /// The life of an assertion, unless told otherwise. It leaves room for a
    /// server whose clock is a little behind.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(240);

    /// Assertions of `client_id` for `audience`, which is the URL of the token
    /// endpoint.
    pub fn new(client_id: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            audience: audience.into(),
            lifetime: Self::DEFAULT_LIFETIME,
            jku: None,
        }
    }

    /// How long each is good for: whole seconds, from 1 to
    /// [`MAX_LIFETIME`](Self::MAX_LIFETIME). What lies outside is moved inside.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.clamp(Duration::from_secs(1), Self::MAX_LIFETIME);
        self
    }

    /// Names the JWKS URL in the header. It has to be the registered one.
    #[must_use]
    pub fn jku(mut self, url: impl Into<String>) -> Self {
        self.jku = Some(url.into());
        self
    }

    /// Makes and signs one, with a `jti` of 128 random bits. It is for one
    /// token request and must not be used again.
    ///
    /// # Errors
    /// [`Error::Sign`] when the signer fails.
    pub fn sign(
        &self,
        signer: &dyn Signer,
        now: SystemTime,
        random: &dyn Random,
    ) -> Result<SignedAssertion> {
        let issued = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let mut jti = [0; 16];
        random.fill(&mut jti);
        let header = Header {
            alg: signer.algorithm().as_str(),
            kid: signer.kid(),
            typ: "JWT",
            jku: self.jku.as_deref(),
        };
        let claims = Claims {
            iss: &self.client_id,
            sub: &self.client_id,
            aud: &self.audience,
            exp: issued + self.lifetime.as_secs(),
            iat: issued,
            jti: &URL_SAFE_NO_PAD.encode(jti),
        };
        let mut jws = format!("{}.{}", part(&header)?, part(&claims)?);
        let signature = signer.sign(jws.as_bytes()).map_err(|source| Error::Sign {
            source: Arc::from(source),
        })?;
        jws.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
        Ok(SignedAssertion {
            jws: Secret::new(jws),
            algorithm: signer.algorithm(),
            kid: signer.kid().to_owned(),
        })
    }
}

/// A signed JWT that proves for some minutes who the client is.
#[derive(Clone)]
pub struct SignedAssertion {
    jws: Secret,
    algorithm: Algorithm,
    kid: String,
}

impl SignedAssertion {
    /// The compact JWS, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.jws.expose()
    }

    /// How it is signed.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key it is signed with.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

/// By hand: whoever holds it can pass for the client.
impl fmt::Debug for SignedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedAssertion")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jku: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: &'a str,
}

fn part(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(value).map_err(|error| Error::Sign {
        source: Arc::new(error),
    })?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}
