//! Licences of everything we build on.

use crate::finding::{Finding, assert_found, assert_none};
use crate::policy::POLICY;
use crate::workspace::{METADATA, Metadata};

fn check(metadata: &Metadata, allowed: &[String]) -> Vec<Finding> {
    let judge = |expression: &str| match allows(expression, allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "licence `{expression}` is not allowed by deny.toml"
        )),
        Err(error) => Some(format!("licence `{expression}`: {error}")),
    };
    let packages = metadata.packages.iter();
    let findings = packages.filter_map(|package| {
        let message = match &package.license {
            Some(expression) => judge(expression)?,
            None => "names no licence".to_owned(),
        };
        Some(Finding::new(
            format!("{} {}", package.name, package.version),
            message,
        ))
    });
    findings.collect()
}

/// Whether an SPDX expression can be satisfied by allowed licences alone.
///
/// `/`, which older crates use, means `OR`.
fn allows(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut parser = Spdx {
        tokens: spaced.split_whitespace().collect(),
        at: 0,
        allowed,
    };
    let result = parser.any()?;
    match parser.next() {
        None => Ok(result),
        Some(token) => Err(format!("unexpected `{token}`")),
    }
}

/// Recursive descent; `WITH` binds tighter than `AND`, and that tighter than `OR`.
struct Spdx<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    allowed: &'a [String],
}

impl<'a> Spdx<'a> {
    fn any(&mut self) -> Result<bool, String> {
        let mut result = self.all()?;
        while self.take("OR") {
            // No short circuit: the right side has to be read in any case.
            result |= self.all()?;
        }
        Ok(result)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut result = self.one()?;
        while self.take("AND") {
            result &= self.one()?;
        }
        Ok(result)
    }

    fn one(&mut self) -> Result<bool, String> {
        match self.next() {
            None => Err("ends too early".to_owned()),
            Some("(") => {
                let result = self.any()?;
                if self.take(")") {
                    Ok(result)
                } else {
                    Err("`)` is missing".to_owned())
                }
            }
            Some(token @ (")" | "AND" | "OR" | "WITH")) => Err(format!("unexpected `{token}`")),
            Some(licence) if self.take("WITH") => {
                let exception = self.next().ok_or("ends after WITH")?;
                Ok(self
                    .allowed
                    .contains(&format!("{licence} WITH {exception}")))
            }
            Some(licence) => Ok(self.allowed.iter().any(|allowed| allowed == licence)),
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.tokens.get(self.at) == Some(&token);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Option<&'a str> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }
}

#[test]
fn licences_are_allowed() {
    assert_none(&check(&METADATA, &POLICY.licences));
}

#[test]
fn a_licence_can_be_refused() {
    let metadata = serde_json::from_value(serde_json::json!({
        "packages": [
            { "id": "1", "name": "good", "version": "1.0.0", "license": "MIT" },
            { "id": "2", "name": "copyleft", "version": "1.0.0", "license": "GPL-3.0-only" },
            { "id": "3", "name": "silent", "version": "1.0.0", "license": null },
            { "id": "4", "name": "garbled", "version": "1.0.0", "license": "MIT AND" },
        ],
        "workspace_members": [],
        "resolve": { "nodes": [] },
    }));
    let findings = check(&metadata.unwrap(), &["MIT".to_owned()]);
    let expected = [
        "copyleft 1.0.0: licence `GPL-3.0-only`",
        "silent 1.0.0: names no",
        "too early",
    ];
    assert_found(&findings, &expected);
}

#[test]
fn expressions_follow_spdx() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    let cases = [
        ("MIT", Ok(true)),
        ("GPL-3.0", Ok(false)),
        ("MIT OR GPL-3.0", Ok(true)),
        ("GPL-3.0/MIT", Ok(true)),
        ("MIT AND GPL-3.0", Ok(false)),
        ("GPL-3.0 OR MIT AND Apache-2.0", Ok(true)),
        ("MIT OR GPL-3.0 AND GPL-2.0", Ok(true)),
        ("(MIT OR GPL-3.0) AND GPL-2.0", Ok(false)),
        ("(MIT OR Apache-2.0) AND MIT", Ok(true)),
        ("Apache-2.0 WITH LLVM-exception", Ok(true)),
        ("Apache-2.0 WITH other", Ok(false)),
        ("MIT WITH LLVM-exception OR MIT", Ok(true)),
        ("", Err(())),
        ("(MIT", Err(())),
        ("MIT)", Err(())),
        ("MIT MIT", Err(())),
        ("OR MIT", Err(())),
        ("MIT WITH", Err(())),
    ];
    for (expression, expected) in cases {
        assert_eq!(
            allows(expression, &allowed).map_err(drop),
            expected,
            "{expression}"
        );
    }
}
