//! PEM files (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::decode_secret;
use crate::der;
use crate::numbers::{KeyNumbers, SecretBytes};

/// What is wrong with a key, as [`crate::Error::PrivateKey`] says it.
type Problem = &'static str;

const ENCRYPTED: Problem =
    "it is encrypted; decrypt it with `openssl pkey -in KEY -out NEW` and protect the file";

/// Reads the private key among the sections of a file.
pub(crate) fn parse(file: &str) -> Result<KeyNumbers, Problem> {
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

/// A file with one section.
pub(crate) fn write(label: &str, der: &[u8]) -> String {
    const WIDTH: usize = 64;
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let frame = 2 * label.len() + "-----BEGIN -----\n-----END -----\n".len();
    let breaks = base64.len().div_ceil(WIDTH);
    // Allocated once, so that no copy is left behind.
    let mut pem = String::with_capacity(frame + base64.len() + breaks);
    for part in ["-----BEGIN ", label, "-----\n"] {
        pem.push_str(part);
    }
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(WIDTH));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    for part in ["-----END ", label, "-----\n"] {
        pem.push_str(part);
    }
    pem
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
    fn der(&self) -> Result<SecretBytes, Problem> {
        // Only the old way to encrypt, RFC 1421's, has headers with a colon.
        if self.body.contains(':') {
            return Err(ENCRYPTED);
        }
        // Room for all of it, so that no copy is left behind.
        let mut text = Zeroizing::new(Vec::with_capacity(self.body.len()));
        text.extend(self.body.bytes().filter(|b| !b.is_ascii_whitespace()));
        decode_secret(&STANDARD, &text)
            .map_err(|_| "a PEM section is no valid base64; the file is damaged")
    }
}
