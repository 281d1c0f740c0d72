mod settings;
mod sign;

use std::fmt;
use std::sync::Arc;

use fhir_http::{Client, Origin, Random};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use zeroize::Zeroizing;

pub use settings::{Addressing, S3Credentials, S3Settings, ServerSideEncryption};

use super::seal::Sealer;
use super::{ANOTHER, ArchiveKey, RawArchive, RawKey, belong_together};
use crate::{Error, Result};
use sign::Signer;

/// An archive in a bucket of object storage with the
/// [S3 API](https://docs.aws.amazon.com/AmazonS3/latest/API/), such as that of
/// AWS, MinIO or Ceph: one object a message, under its [`RawKey`].
///
/// A message counts as kept when the server has answered with the `ETag` of
/// its object. Requests are sent again as the [`Client`] says, each time with
/// a signature of its own, which is good for five minutes and goes to no other
/// origin.
pub struct S3Archive {
    bucket: rusty_s3::Bucket,
    origin: Origin,
    client: Client,
    /// Headers that ask the server to encrypt.
    encryption: HeaderMap,
    may_replace: bool,
    sealer: Option<Sealer>,
}

impl S3Archive {
    /// An archive whose messages are sealed with `key` before they leave, and
    /// encrypted by the server on top as `settings` say. Nothing is sent yet.
    /// Credentials that `client` has are not used.
    ///
    /// # Errors
    /// [`Error::ArchiveSettings`].
    pub fn new(
        settings: &S3Settings,
        key: &ArchiveKey,
        random: Arc<dyn Random>,
        client: Client,
    ) -> Result<Self> {
        Self::with(settings, Some(Sealer::new(key, random)), client)
    }

    /// An archive whose messages are encrypted by the server alone, so that
    /// whoever may read the bucket can read them. A server that does not
    /// confirm that it encrypts is an error.
    ///
    /// # Errors
    /// [`Error::ArchiveSettings`], also without server-side encryption.
    pub fn unsealed(settings: &S3Settings, client: Client) -> Result<Self> {
        if settings.encryption == ServerSideEncryption::None {
            return Err(Error::ArchiveSettings {
                what: "server-side encryption",
                problem: "without it messages have to be sealed",
            });
        }
        Self::with(settings, None, client)
    }

    fn with(settings: &S3Settings, sealer: Option<Sealer>, client: Client) -> Result<Self> {
        let (bucket, origin) = settings.bucket()?;
        let signer = Signer {
            credentials: settings.credentials.for_signing(),
            region: settings.region.clone(),
            clock: Arc::clone(client.clock()),
        };
        Ok(Self {
            bucket,
            client: client.authorized(origin.clone(), Arc::new(signer)),
            origin,
            encryption: settings.encryption.headers()?,
            may_replace: settings.may_replace,
            sealer,
        })
    }
}

impl RawArchive for S3Archive {
    fn put(&self, key: &RawKey, message: &[u8]) -> Result<()> {
        belong_together(key, message)?;
        let body = match &self.sealer {
            Some(sealer) => sealer.seal(key, message).map_err(self.not_usable(key))?,
            None => message.to_vec(),
        };
        let response = self.write(key.as_str(), body, !self.may_replace)?;
        // 409: at this moment another request writes the same object.
        if let StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT = response.status() {
            match self.get(key)? {
                Some(kept) if *kept == message => return Ok(()),
                Some(_) => return Err(self.not_usable(key)(ANOTHER)),
                None => {}
            }
        }
        self.expect_written(response)
    }

    fn get(&self, key: &RawKey) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let request = self.request(Method::GET, key.as_str(), Vec::new());
        let response = self.fetch(READ, request, LONGEST)?;
        let is_bucket_there = code(response.body()).as_deref() != Some("NoSuchBucket");
        if response.status() == StatusCode::NOT_FOUND && is_bucket_there {
            return Ok(None);
        }
        let body = self.expect_success(READ, response)?.into_body();
        let message = match &self.sealer {
            Some(sealer) => sealer.open(key, body),
            None if key.names(&body) => Ok(Zeroizing::new(body)),
            None => Err(ANOTHER),
        };
        message.map(Some).map_err(self.not_usable(key))
    }

    /// Writes an object `.check`, which stays.
    fn check(&self) -> Result<()> {
        // No tenant begins with a dot.
        let response = self.write(".check", b"check".to_vec(), false)?;
        self.expect_written(response)
    }
}

impl S3Archive {
    fn write(&self, object: &str, body: Vec<u8>, is_new: bool) -> Result<Response<Vec<u8>>> {
        let mut request = self.request(Method::PUT, object, body);
        let headers = request.headers_mut();
        headers.extend(self.encryption.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if is_new {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        self.fetch(WRITE, request, LONGEST_ANSWER)
    }

    fn request(&self, method: Method, object: &str, body: Vec<u8>) -> Request<Vec<u8>> {
        let url = self.bucket.object_url(object);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        // Of a bucket's address and the characters of a key.
        *request.uri_mut() = url.as_str().parse().unwrap_or_default();
        request
    }

    fn fetch(
        &self,
        action: &'static str,
        request: Request<Vec<u8>>,
        limit: u64,
    ) -> Result<Response<Vec<u8>>> {
        let fetched = self.client.fetch(request, limit);
        fetched.map_err(|source| self.failed(action, None, source))
    }

    fn expect_success(
        &self,
        action: &'static str,
        response: Response<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>> {
        let code = code(response.body());
        let expected = self.client.expect_success(response).and_then(|response| {
            if response.status() == StatusCode::OK {
                return Ok(response);
            }
            Err(self.unexpected(format!("status {}", response.status())))
        });
        expected.map_err(|source| self.failed(action, code, source))
    }

    /// Anything can answer 200, but only object storage names the `ETag`.
    fn expect_written(&self, response: Response<Vec<u8>>) -> Result<()> {
        let response = self.expect_success(WRITE, response)?;
        let headers = response.headers();
        let problem = if !headers.contains_key(header::ETAG) {
            "without an ETag, so not that of object storage"
        } else if self.sealer.is_none()
            && headers.get(&ENCRYPTION) != self.encryption.get(&ENCRYPTION)
        {
            "without the server-side encryption that was asked for"
        } else {
            return Ok(());
        };
        Err(self.failed(WRITE, None, self.unexpected(problem.to_owned())))
    }

    fn unexpected(&self, what: String) -> fhir_http::Error {
        fhir_http::Error::Unexpected {
            host: self.origin.to_string(),
            what,
        }
    }

    fn failed(
        &self,
        action: &'static str,
        code: Option<String>,
        source: fhir_http::Error,
    ) -> Error {
        Error::ArchiveBucket {
            action,
            bucket: self.bucket.name().to_owned(),
            code,
            source: Box::new(source),
        }
    }

    fn not_usable(&self, key: &RawKey) -> impl FnOnce(&'static str) -> Error {
        let place = format!("{key} in the bucket {}", self.bucket.name());
        move |problem| Error::ArchivedMessage { place, problem }
    }
}

impl fmt::Debug for S3Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Archive")
            .field("bucket", &self.bucket)
            .field("sealed", &self.sealer.is_some())
            .finish_non_exhaustive()
    }
}

const READ: &str = "read from";
const WRITE: &str = "write to";
/// Longer objects are not read.
const LONGEST: u64 = 256 * 1024 * 1024;
/// As much of an answer without an object is read.
const LONGEST_ANSWER: u64 = 1024 * 1024;

const ENCRYPTION: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const ENCRYPTION_KEY: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");

/// The code of an error's XML, such as `AccessDenied`: a word, not content.
fn code(body: &[u8]) -> Option<String> {
    let body = str::from_utf8(body.get(..body.len().min(4096))?).ok()?;
    let (_, rest) = body.split_once("<Error>")?.1.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    is_word.then(|| code.to_owned())
}
