use std::fmt;

use fhir_http::Origin;
use http::{HeaderMap, HeaderValue, Uri};
use zeroize::Zeroizing;

use super::{ENCRYPTION, ENCRYPTION_KEY};
use crate::{Error, Result};

/// Where a bucket is and how it is used.
#[derive(Clone, Debug)]
pub struct S3Settings {
    endpoint: String,
    pub(super) region: String,
    bucket: String,
    pub(super) credentials: S3Credentials,
    addressing: Addressing,
    pub(super) encryption: ServerSideEncryption,
    pub(super) may_replace: bool,
}

impl S3Settings {
    /// The bucket of this name at `endpoint`, such as
    /// `https://s3.eu-central-1.amazonaws.com`: https, or http on this machine.
    /// `region` goes into signatures; where a server has none, it is
    /// `us-east-1` by custom.
    pub fn new(
        endpoint: impl Into<String>,
        region: impl Into<String>,
        bucket: impl Into<String>,
        credentials: S3Credentials,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            region: region.into(),
            bucket: bucket.into(),
            credentials,
            addressing: Addressing::default(),
            encryption: ServerSideEncryption::default(),
            may_replace: false,
        }
    }

    /// How the bucket is named in addresses.
    #[must_use]
    pub const fn addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = addressing;
        self
    }

    /// What the server is asked to do for encryption.
    #[must_use]
    pub fn server_side_encryption(mut self, encryption: ServerSideEncryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// For servers that refuse conditional writes (`If-None-Match: *`): a
    /// message that is kept a second time replaces the same message, unread.
    #[must_use]
    pub const fn may_replace(mut self, may_replace: bool) -> Self {
        self.may_replace = may_replace;
        self
    }

    pub(super) fn bucket(&self) -> Result<(rusty_s3::Bucket, Origin)> {
        let fail = |what, problem| Error::ArchiveSettings { what, problem };
        if self.region.is_empty() {
            return Err(fail("region", "it is empty"));
        }
        if !is_bucket_name(&self.bucket) {
            let problem = "a bucket's name is 3 to 63 small letters, digits, dots and hyphens";
            return Err(fail("bucket", problem));
        }
        let fault = fail(
            "endpoint",
            "it has to be an address with https, or with http on this machine, without a user \
             name or a query",
        );
        // Looked at as it is: `rusty_s3` drops what does not belong there.
        let endpoint = self.endpoint.parse::<Uri>().ok();
        let is_usable = |uri: &Uri| uri.query().is_none() && Origin::of(uri).is_ok();
        let Some(Ok(url)) = endpoint
            .filter(is_usable)
            .map(|uri| uri.to_string().parse())
        else {
            return Err(fault);
        };
        let style = match self.addressing {
            Addressing::VirtualHost => rusty_s3::UrlStyle::VirtualHost,
            Addressing::Path => rusty_s3::UrlStyle::Path,
        };
        let bucket =
            rusty_s3::Bucket::new(url, style, self.bucket.clone(), self.region.clone()).ok();
        let origin = bucket.as_ref().and_then(|bucket| {
            let uri: Uri = bucket.base_url().as_str().parse().ok()?;
            Origin::of(&uri).ok()
        });
        bucket
            .zip(origin)
            .ok_or_else(|| fail("endpoint", "the bucket can't be part of its host's name"))
    }
}

/// Who uses a bucket.
#[derive(Clone)]
pub struct S3Credentials {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
}

impl S3Credentials {
    /// An access key.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<Zeroizing<String>>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
        }
    }

    /// The token that belongs to a temporary access key.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<Zeroizing<String>>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    pub(super) fn for_signing(&self) -> rusty_s3::Credentials {
        let (id, secret) = (&*self.access_key_id, &**self.secret_access_key);
        match &self.session_token {
            Some(token) => rusty_s3::Credentials::new_with_token(id, secret, &***token),
            None => rusty_s3::Credentials::new(id, secret),
        }
    }
}

/// By hand: secret and token must not be seen.
impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// How a bucket is named in addresses
/// ([virtual hosting of buckets](https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Addressing {
    /// `https://bucket.endpoint/key`
    #[default]
    VirtualHost,
    /// `https://endpoint/bucket/key`, for servers without a name for each
    /// bucket.
    Path,
}

/// What a server is asked to do for encryption
/// ([server-side encryption](https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerSideEncryption {
    /// `AES256`: by keys of the storage.
    #[default]
    Aes256,
    /// `aws:kms`: by a key of the key management service.
    Kms {
        /// Which one; `None` for the bucket's.
        key_id: Option<String>,
    },
    /// Nothing, for servers that have none. Messages have to be sealed.
    None,
}

impl ServerSideEncryption {
    pub(super) fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        match self {
            Self::Aes256 => {
                headers.insert(ENCRYPTION, HeaderValue::from_static("AES256"));
            }
            Self::Kms { key_id } => {
                headers.insert(ENCRYPTION, HeaderValue::from_static("aws:kms"));
                if let Some(key_id) = key_id {
                    let value = HeaderValue::from_str(key_id).ok();
                    let is_text = |value: &HeaderValue| value.to_str().is_ok();
                    let value = value.filter(is_text).ok_or(Error::ArchiveSettings {
                        what: "KMS key",
                        problem: "its id can't be sent in a header",
                    })?;
                    headers.insert(ENCRYPTION_KEY, value);
                }
            }
            Self::None => {}
        }
        Ok(headers)
    }
}

/// [Rules for names of buckets](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html),
/// as far as other servers have them too.
fn is_bucket_name(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let is_end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(is_inner)
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !name.contains("..")
}
