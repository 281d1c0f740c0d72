//! The key ring of a tenant.

use std::time::{Duration, SystemTime};

use ingest_pipeline::jwks::{
    Algorithm, Change, Imported, JwkSet, KeyRing, KeyStore, NewKey, PrivateKey, RingKey,
    RotationPolicy, State,
};
use ingest_pipeline::{Clock as _, Error, SystemClock, keys};
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::args::{self, Bits, Form, KeysAction};
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Keys) -> Result<Exit, Failure> {
    let (name, tenant) = context.key_tenant(args.tenant.as_deref())?;
    let ring = Ring {
        store: &keys::ring(tenant, context::env)?,
        actor: &context::actor(),
        now: SystemClock.now(),
    };
    let changes = match &args.action {
        KeysAction::Generate { algorithm, bits } => {
            let key = make((*algorithm).into(), *bits)?;
            vec![
                ring.store
                    .generate(ring.actor, ring.now, key)
                    .map_err(Error::from)?,
            ]
        }
        KeysAction::Import {
            file,
            algorithm,
            times,
        } => vec![ring.import(file, algorithm.map(Into::into), &policy(times))?],
        KeysAction::Rotate {
            algorithm,
            bits,
            times,
            if_older_than,
        } => {
            let policy = RotationPolicy {
                max_age: if_older_than.map_or(Duration::ZERO, |age| age.0),
                ..policy(times)
            };
            ring.rotate(
                algorithm.map(Into::into),
                *bits,
                &policy,
                if_older_than.is_some(),
            )?
        }
        KeysAction::Retire { kid, grace, force } => {
            let kid = ring.kid(kid)?;
            let change = ring
                .store
                .retire(ring.actor, ring.now, &kid, grace.0, *force);
            vec![change.map_err(Error::from)?]
        }
        KeysAction::Prune => {
            let change = ring
                .store
                .prune(ring.actor, ring.now)
                .map_err(Error::from)?;
            change.into_iter().collect()
        }
        KeysAction::List => return ring.list(context, name),
        KeysAction::ExportPublic { kid, form } => return ring.export(kid.as_deref(), *form),
    };
    ring.tell(context, name, &changes)
}

struct Ring<'a> {
    store: &'a dyn KeyStore,
    actor: &'a str,
    now: SystemTime,
}

impl Ring<'_> {
    fn load(&self) -> Result<KeyRing, Failure> {
        Ok(self.store.load().map_err(Error::from)?)
    }

    /// The whole `kid` of a beginning that only one key has.
    fn kid(&self, beginning: &str) -> Result<String, Failure> {
        let ring = self.load()?;
        let mut found = ring
            .keys()
            .iter()
            .filter(|key| key.kid().starts_with(beginning));
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(key.kid().to_owned()),
            (Some(_), Some(_)) => {
                let message = format!("several keys begin with {beginning}");
                Err(Failure::new(Exit::Usage, message).hint("give more of the kid"))
            }
            (None, _) => {
                let kid = beginning.to_owned();
                Err(Error::from(ingest_pipeline::jwks::Error::NoSuchKey { kid }).into())
            }
        }
    }

    fn import(
        &self,
        file: &std::path::Path,
        algorithm: Option<Algorithm>,
        policy: &RotationPolicy,
    ) -> Result<Change, Failure> {
        let text = std::fs::read(file).map(Zeroizing::new).map_err(|source| {
            let path = file.to_owned();
            Error::File { path, source }
        })?;
        let Imported {
            key,
            algorithm: own,
            issued_at,
            ..
        } = Imported::parse(&text).map_err(|error| unusable(file, &error))?;
        let algorithm = algorithm.or(own).unwrap_or(key.default_algorithm());
        let key = NewKey::new(key, algorithm).map_err(|error| unusable(file, &error))?;
        let issued = issued_at
            .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        let change = self.store.import(self.actor, self.now, key, issued, policy);
        Ok(change.map_err(Error::from)?)
    }

    fn rotate(
        &self,
        algorithm: Option<Algorithm>,
        bits: Bits,
        policy: &RotationPolicy,
        only_if_due: bool,
    ) -> Result<Vec<Change>, Failure> {
        let algorithms = match algorithm {
            Some(algorithm) => vec![algorithm],
            None => in_use(&self.load()?, self.now),
        };
        if algorithms.is_empty() {
            let algorithms = ALL.to_vec();
            let none = ingest_pipeline::jwks::Error::NoActiveKey { algorithms };
            return Err(Error::from(none).into());
        }
        let mut changes = Vec::new();
        for algorithm in algorithms {
            let make = || make_key(algorithm, bits);
            let changed = if only_if_due {
                self.store
                    .rotate_if_due(self.actor, self.now, algorithm, policy, &make)
            } else {
                make().and_then(|key| {
                    self.store
                        .rotate(self.actor, self.now, key, policy)
                        .map(Some)
                })
            };
            changes.extend(changed.map_err(Error::from)?);
        }
        Ok(changes)
    }

    fn list(&self, context: &Context<'_>, tenant: &str) -> Result<Exit, Failure> {
        let ring = self.load()?;
        if context.global.json {
            report::json(&json!({ "tenant": tenant, "keys": self.rows(&ring) }))?;
        } else if ring.keys().is_empty() {
            report::lines(["the ring has no keys: make one with ingest keys generate"])?;
        } else {
            report::lines(self.table(&ring))?;
        }
        Ok(Exit::Ok)
    }

    fn export(&self, kid: Option<&str>, form: Form) -> Result<Exit, Failure> {
        let kid = kid.map(|kid| self.kid(kid)).transpose()?;
        let set = JwkSet::of(&self.load()?, self.now);
        let keys: Vec<_> = set
            .keys()
            .iter()
            .filter(|key| kid.as_deref().is_none_or(|kid| key.key().kid() == kid))
            .collect();
        match form {
            Form::Jwks => report::json(&json!({ "keys": keys }))?,
            Form::Pem => report::lines(
                keys.iter()
                    .map(|key| key.key().to_pem().trim_end().to_owned()),
            )?,
        }
        Ok(Exit::Ok)
    }

    fn tell(
        &self,
        context: &Context<'_>,
        tenant: &str,
        changes: &[Change],
    ) -> Result<Exit, Failure> {
        let ring = self.load()?;
        if context.global.json {
            let changes: Vec<_> = changes.iter().map(described).collect();
            report::json(&json!({
                "tenant": tenant,
                "changes": changes,
                "keys": self.rows(&ring),
            }))?;
            return Ok(Exit::Ok);
        }
        let mut lines: Vec<_> = changes.iter().flat_map(sentences).collect();
        if lines.is_empty() {
            lines.push("nothing to do".to_owned());
        }
        if !ring.keys().is_empty() {
            lines.extend(self.table(&ring));
        }
        report::lines(lines)?;
        Ok(Exit::Ok)
    }

    fn rows(&self, ring: &KeyRing) -> Vec<Row> {
        ring.keys()
            .iter()
            .map(|key| Row::new(key, ring.state(key, self.now), self.now))
            .collect()
    }

    fn table(&self, ring: &KeyRing) -> Vec<String> {
        let heads = [
            "kid",
            "algorithm",
            "state",
            "age",
            "signs from",
            "published until",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.rows(ring).into_iter().map(|row| {
            vec![
                row.kid,
                row.algorithm.to_string(),
                row.state.to_owned(),
                age(row.age_seconds),
                row.active_from,
                row.published_until.unwrap_or_else(|| "open".to_owned()),
            ]
        }));
        report::table(&rows)
    }
}

/// A key, as it is listed.
#[derive(Serialize)]
struct Row {
    kid: String,
    algorithm: Algorithm,
    state: &'static str,
    issued: String,
    age_seconds: u64,
    active_from: String,
    retires: Option<String>,
    published_until: Option<String>,
}

impl Row {
    fn new(key: &RingKey, state: State, now: SystemTime) -> Self {
        let age = now.duration_since(key.issued()).unwrap_or_default();
        Self {
            kid: key.kid().to_owned(),
            algorithm: key.algorithm(),
            state: state.as_str(),
            issued: instant(key.issued()),
            age_seconds: age.as_secs(),
            active_from: instant(key.active_from()),
            retires: key.retires().map(instant),
            published_until: key.published_until().map(instant),
        }
    }
}

fn make(algorithm: Algorithm, bits: Bits) -> Result<NewKey, Failure> {
    Ok(make_key(algorithm, bits).map_err(Error::from)?)
}

fn make_key(algorithm: Algorithm, bits: Bits) -> ingest_pipeline::jwks::Result<NewKey> {
    let key = match algorithm {
        Algorithm::Es384 => PrivateKey::generate_p384()?,
        _ => PrivateKey::generate_rsa(bits.into())?,
    };
    NewKey::new(key, algorithm)
}

/// The algorithms that something signs with, now or soon.
fn in_use(ring: &KeyRing, now: SystemTime) -> Vec<Algorithm> {
    let used = |algorithm: &Algorithm| {
        ring.published(now)
            .any(|key| key.algorithm() == *algorithm && key.retires().is_none_or(|end| end > now))
    };
    ALL.into_iter().filter(used).collect()
}

const ALL: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Es384];

fn policy(times: &args::Times) -> RotationPolicy {
    RotationPolicy {
        grace: times.grace.0,
        lead_time: times.lead_time.0,
        ..RotationPolicy::default()
    }
}

fn unusable(file: &std::path::Path, error: &dyn std::error::Error) -> Failure {
    let message = format!("the key in {} can't be used: {error}", file.display());
    Failure::new(Exit::Usage, message)
}

fn described(change: &Change) -> serde_json::Value {
    json!({
        "action": change.action.as_str(),
        "kid": change.kid,
        "pruned": change.pruned,
    })
}

fn sentences(change: &Change) -> Vec<String> {
    let done = change
        .kid
        .as_ref()
        .map(|kid| format!("{}: {kid}", change.action.as_str()));
    let erased = change.pruned.iter().map(|kid| format!("erased: {kid}"));
    done.into_iter().chain(erased).collect()
}

fn age(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600, seconds / 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, _) => format!("{hours} h"),
        (days, ..) => format!("{days} d"),
    }
}

fn instant(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "?".to_owned(), |time| format!("{time:.0}"))
}
