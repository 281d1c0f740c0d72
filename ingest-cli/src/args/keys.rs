//! Commands about keys.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use ingest_pipeline::jwks::{Algorithm, RsaBits};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest keys generate\n  \
    ingest keys rotate --if-older-than 30d --lead-time 1h     for cron\n  \
    ingest keys rotate --grace 0                              a key that leaked\n\n\
    Private keys are encrypted with the passphrase in INGEST_KEY_PASSPHRASE, or the key\n\
    in the `key_file` of the tenant.")]
pub(crate) struct Keys {
    /// Tenant of the configuration [default: the only one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(subcommand)]
    pub(crate) action: KeysAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make the first key for an algorithm, which signs at once
    #[command(after_help = "Examples:\n  \
        ingest keys generate\n  \
        ingest keys generate --tenant acme --alg ES384")]
    Generate {
        /// How it signs
        #[arg(long = "alg", value_name = "ALG", default_value = "RS384")]
        algorithm: AlgorithmArg,
        /// Length of an RSA key
        #[arg(long, value_name = "BITS", default_value = "3072")]
        bits: Bits,
    },
    /// Take in a key that was made elsewhere, as PEM or JWK
    #[command(after_help = "Examples:\n  \
        ingest keys import client.pem")]
    Import {
        /// Its file
        file: PathBuf,
        /// How it signs [default: what its JWK says, else RS384 or ES384]
        #[arg(long = "alg", value_name = "ALG")]
        algorithm: Option<AlgorithmArg>,
        #[command(flatten)]
        times: Times,
    },
    /// All keys, and what each is good for
    #[command(after_help = "Examples:\n  \
        ingest keys list")]
    List,
    /// Put a new key in the place of the active one, for every algorithm in use
    #[command(after_help = "Examples:\n  \
        ingest keys rotate --if-older-than 30d --lead-time 1h   for cron\n  \
        ingest keys rotate --grace 0                            a key that leaked")]
    Rotate {
        /// Only for this algorithm
        #[arg(long = "alg", value_name = "ALG")]
        algorithm: Option<AlgorithmArg>,
        /// Length of an RSA key
        #[arg(long, value_name = "BITS", default_value = "3072")]
        bits: Bits,
        #[command(flatten)]
        times: Times,
        /// Do nothing while the active key is younger, such as 30d
        #[arg(long, value_name = "AGE")]
        if_older_than: Option<Age>,
    },
    /// Take a key out of use
    #[command(after_help = "Examples:\n  \
        ingest keys retire J0CNppND --grace 24h")]
    Retire {
        /// Its kid, or the beginning of it
        // One in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// How long it stays published, so that what it signed can be verified
        #[arg(long, value_name = "TIME", default_value = "24h")]
        grace: Age,
        /// Also when nothing is left to sign with
        #[arg(long)]
        force: bool,
    },
    /// Erase keys whose grace is over; every other change does so as well
    #[command(after_help = "Examples:\n  \
        ingest keys prune")]
    Prune,
    /// Print public keys, for an EHR that takes them by hand
    #[command(after_help = "Examples:\n  \
        ingest keys export-public > jwks.json\n  \
        ingest keys export-public --form pem")]
    ExportPublic {
        /// Only this one: its kid, or the beginning of it
        #[arg(long, value_name = "KID", allow_hyphen_values = true)]
        kid: Option<String>,
        /// In which form
        #[arg(long, value_name = "FORM", default_value = "jwks")]
        form: Form,
    },
}

/// How a rotation goes on.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Times {
    /// How long the old key stays published, so that what it signed can be verified; 0 erases it
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub(crate) grace: Age,
    /// How long the new key is published before it signs; 1h is good for EHRs that keep our keys
    #[arg(long, value_name = "TIME", default_value = "0")]
    pub(crate) lead_time: Age,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A JWK Set
    Jwks,
    /// SubjectPublicKeyInfo in PEM
    Pem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlgorithmArg {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "RS384")]
    Rs384,
    #[value(name = "ES384")]
    Es384,
}

impl From<AlgorithmArg> for Algorithm {
    fn from(algorithm: AlgorithmArg) -> Self {
        match algorithm {
            AlgorithmArg::Rs256 => Self::Rs256,
            AlgorithmArg::Rs384 => Self::Rs384,
            AlgorithmArg::Es384 => Self::Es384,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bits {
    #[value(name = "2048")]
    B2048,
    #[value(name = "3072")]
    B3072,
    #[value(name = "4096")]
    B4096,
}

impl From<Bits> for RsaBits {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::B2048 => Self::B2048,
            Bits::B3072 => Self::B3072,
            Bits::B4096 => Self::B4096,
        }
    }
}

/// A length of time: seconds, or a number with `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Duration);

impl FromStr for Age {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit = match &text[digits..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => 0,
        };
        let seconds = text[..digits]
            .parse::<u64>()
            .ok()
            .filter(|_| unit > 0)
            .and_then(|number| number.checked_mul(unit))
            .filter(|seconds| *seconds <= MOST_SECONDS);
        seconds
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or("a time is a number of seconds or has a unit, such as 30s, 5m, 24h or 30d")
    }
}

const MOST_SECONDS: u64 = 10 * 366 * 24 * 60 * 60;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ingest jwks serve --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem\n  \
    ingest jwks export --out site\n\n\
    The URL to give to an EHR is https://HOST/jwks/TENANT.json.")]
pub(crate) struct Jwks {
    /// Tenant whose keys are at /.well-known/jwks.json as well [default: the only one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(subcommand)]
    pub(crate) action: JwksAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JwksAction {
    /// Answer requests for the key sets of all tenants, until Ctrl-C
    #[command(after_help = "Examples:\n  \
        ingest jwks serve --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem\n  \
        ingest jwks serve --listen 127.0.0.1:8282       behind a proxy")]
    Serve {
        /// Address to listen on; without TLS, of this machine only
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8282")]
        listen: SocketAddr,
        /// Certificate and chain in PEM; taken up anew when it changes
        #[arg(long, value_name = "FILE", requires = "tls_key")]
        tls_cert: Option<PathBuf>,
        /// Its private key in PEM
        #[arg(long, value_name = "FILE", requires = "tls_cert")]
        tls_key: Option<PathBuf>,
        /// Open connections
        #[arg(long, value_name = "N", default_value_t = 1024)]
        connections: usize,
        /// Open connections of one address; those of this machine are not counted
        #[arg(long, value_name = "N", default_value_t = 32)]
        connections_per_address: usize,
    },
    /// Write the key sets as files for a web server, each with the headers it needs
    #[command(after_help = "Examples:\n  \
        ingest jwks export --out site")]
    Export {
        /// Folder for the files [default: the default key set, to standard output]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("24h", Some(86_400)),
            ("30d", Some(2_592_000)),
            ("", None),
            ("d", None),
            ("-1", None),
            ("1.5h", None),
            ("1w", None),
            ("99999999999d", None),
            ("18446744073709551615", None),
            ("5µ", None),
        ] {
            let age = text.parse::<Age>().ok().map(|age| age.0.as_secs());
            assert_eq!(age, seconds, "{text}");
        }
    }
}
