//! The one private key of a PEM file (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{KeyNumbers, der};

/// What is wrong with a key, as [`crate::Error::Key`] says it.
type Problem = &'static str;

const ENCRYPTED: Problem =
    "it is encrypted; decrypt it with `openssl pkey -in KEY -out NEW` and protect the file";

/// Reads the private key among the sections of a file.
pub(super) fn parse(file: &str) -> Result<KeyNumbers, Problem> {
    let mut rest = file;
    let mut key = None;
    let mut hint = "it holds no PEM section; expected `-----BEGIN PRIVATE KEY-----`";
    while let Some((section, after)) = next_section(rest)? {
        rest = after;
        let read: fn(&[u8]) -> Result<KeyNumbers, Problem> = match section.label {
            "PRIVATE KEY" => der::pkcs8,
            "RSA PRIVATE KEY" => der::pkcs1,
            "EC PRIVATE KEY" => der::sec1,
            "ENCRYPTED PRIVATE KEY" => return Err(ENCRYPTED),
            "OPENSSH PRIVATE KEY" => {
                return Err(
                    "it is in OpenSSH's form; convert it to PKCS#8 with `ssh-keygen -p -m PKCS8`",
                );
            }
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {
                hint = "it is a public key; signing needs the private one";
                continue;
            }
            "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => {
                hint = "it is a certificate; signing needs the private key that belongs to it";
                continue;
            }
            // `EC PARAMETERS`, which OpenSSL writes before a key.
            _ => continue,
        };
        if key.replace(read(&section.der()?)?).is_some() {
            return Err("the file holds more than one private key; keep one");
        }
    }
    key.ok_or(hint)
}

struct Section<'a> {
    label: &'a str,
    body: &'a str,
}

fn next_section(text: &str) -> Result<Option<(Section<'_>, &str)>, Problem> {
    const BROKEN: Problem = "a PEM section has no end; the file is cut";
    let Some((_, begin)) = text.split_once("-----BEGIN ") else {
        return Ok(None);
    };
    let (label, begin) = begin.split_once("-----").ok_or(BROKEN)?;
    let end = format!("-----END {label}-----");
    let (body, rest) = begin.split_once(end.as_str()).ok_or(BROKEN)?;
    Ok(Some((Section { label, body }, rest)))
}

impl Section<'_> {
    fn der(&self) -> Result<Zeroizing<Vec<u8>>, Problem> {
        // Only the old way to encrypt, RFC 1421's, has headers with a colon.
        if self.body.contains(':') {
            return Err(ENCRYPTED);
        }
        let text: Zeroizing<Vec<u8>> = Zeroizing::new(
            self.body
                .bytes()
                .filter(|b| !b.is_ascii_whitespace())
                .collect(),
        );
        STANDARD
            .decode(&*text)
            .map(Zeroizing::new)
            .map_err(|_| "a PEM section is no valid base64; the file is damaged")
    }
}
