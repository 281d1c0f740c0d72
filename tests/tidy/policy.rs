//! The lists of `deny.toml`, which cargo-deny reads as well.

use std::fs;
use std::sync::LazyLock;

use toml::{Table, Value};

use crate::workspace::root;

/// The policy of this workspace.
pub(crate) static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml at the root");
    Policy::parse(&text).unwrap_or_else(|error| panic!("deny.toml: {error}"))
});

pub(crate) struct Policy {
    /// Licences by SPDX identifier, with their exception where they have one.
    pub(crate) licences: Vec<String>,
    pub(crate) banned: Vec<Ban>,
}

pub(crate) struct Ban {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Policy {
    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| format!("{error}"))?;
        let list = |section: &str, key: &str| {
            let value = table.get(section).and_then(|section| section.get(key));
            let list = value
                .and_then(Value::as_array)
                .filter(|list| !list.is_empty());
            list.ok_or_else(|| format!("{section}.{key} is missing or empty"))
        };
        let licence = |value: &Value| value.as_str().map(str::to_owned);
        let licences = list("licenses", "allow")?
            .iter()
            .map(licence)
            .collect::<Option<_>>();
        let banned = list("bans", "deny")?
            .iter()
            .map(Ban::parse)
            .collect::<Result<_, _>>();
        Ok(Self {
            licences: licences.ok_or("licenses.allow holds something else than texts")?,
            banned: banned?,
        })
    }
}

impl Ban {
    fn parse(value: &Value) -> Result<Self, String> {
        let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = text("crate").ok_or("an entry of bans.deny without `crate`")?;
        if name.contains(['@', ':']) {
            return Err(format!(
                "bans.deny: {name}: ban the crate, not some of its versions"
            ));
        }
        let reason = text("reason").ok_or_else(|| format!("bans.deny: {name} has no reason"))?;
        Ok(Self { name, reason })
    }
}

#[test]
fn the_policy_is_read_or_refused() {
    assert!(POLICY.licences.iter().any(|licence| licence == "MIT"));
    assert!(POLICY.banned.iter().any(|ban| ban.name == "openssl-sys"));

    let licences = "[licenses]\nallow = [\"MIT\"]\n";
    let cases = [
        ("", "licenses.allow is missing"),
        ("[licenses]\nallow = []", "licenses.allow is missing"),
        (licences, "bans.deny is missing"),
        (
            "[licenses]\nallow = [1]\n[bans]\ndeny = [{ crate = \"a\", reason = \"b\" }]",
            "texts",
        ),
        (
            &format!("{licences}[bans]\ndeny = [{{ crate = \"a\" }}]"),
            "a has no reason",
        ),
        (
            &format!("{licences}[bans]\ndeny = [{{ name = \"a\" }}]"),
            "without `crate`",
        ),
        (
            &format!("{licences}[bans]\ndeny = [{{ crate = \"a@1\", reason = \"b\" }}]"),
            "not some of its versions",
        ),
    ];
    for (text, expected) in cases {
        let error = Policy::parse(text).err().unwrap_or_default();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}
