//! `ingest bulk`, of everything or of what changed.

use std::collections::BTreeSet;
use std::fs;

use ehr_sandbox::{Data, RegisteredClient};
use serde_json::Value;

use crate::channel::{Channel, unchanged};
use crate::damage::{cut, files, remove};
use crate::ehr::{Ehr, faults, told};
use crate::end::{End, complete, judge};
use crate::finding::{Finding, Result, at, none, wrong};
use crate::folder::{Limits, Ran, Started};
use crate::hazard::Hazards;
use crate::model::{Body, Model};
use crate::plan::{Channel as Kind, Fault, Plan};
use crate::site::{STATE, STORE, Site};

const SOURCE: &str = "urn:test:ehr";
const TYPES: &str = "[\"Patient\", \"Encounter\", \"Observation\", \"Condition\", \
     \"MedicationRequest\", \"Practitioner\", \"PractitionerRole\", \"Organization\", \
     \"Location\", \"DocumentReference\"]";

const EVERYTHING: &[&str] = &["bulk", "c", "--json", "--since", "full"];

pub(crate) struct Bulk {
    site: Site,
    ehr: Ehr,
    kind: Kind,
    keys: Option<Keys>,
    /// As it was before the last change.
    before: Model,
    /// What the last export tells of.
    seen: BTreeSet<String>,
    evolved: bool,
    /// The state may know of an export that the server does not know any more:
    /// it is the state of before, or the server has begun anew.
    forgotten: bool,
    /// The store's server refused resources: they are in the quarantine, and
    /// only an export of everything brings them again.
    refused: bool,
}

/// Our server of public keys.
struct Keys {
    running: Started,
    address: String,
}

impl Bulk {
    pub(crate) fn new(plan: &Plan) -> Result<Self> {
        let mut site = Site::new(plan, SOURCE);
        let patients = site.random.within(2, 10) as usize;
        let data = Data::synthetic(site.random.next(), patients);
        site.folder
            .write("ingest.toml", "[tenants.acme]\nkeys = \"keys/acme\"\n");
        let keys = match plan.has(Fault::KillKeys) {
            true => {
                complete_keys(
                    &site
                        .folder
                        .run(&["keys", "generate", "--alg", "ES384", "--json"]),
                )?;
                Some(Keys::serve(&site, "127.0.0.1:0")?)
            }
            false => None,
        };
        let (ehr, client) = if plan.has(Fault::KillEhr) {
            let secret = "client_id = \"sandbox-client\"\nclient_secret = { file = \"secret\" }";
            (Ehr::process(&site.folder, data)?, secret.to_owned())
        } else if let Some(keys) = &keys {
            let url = format!("http://{}/jwks/acme.json", keys.address);
            let client = RegisteredClient::new("campaign").jwks_url(url);
            let ehr = Ehr::here(data, Some(client), &mut site.random);
            (
                ehr,
                "tenant = \"acme\"\nclient_id = \"campaign\"".to_owned(),
            )
        } else if site.random.chance(60) {
            let client = RegisteredClient::new("campaign").secret("of a campaign");
            site.folder.write("secret", "of a campaign");
            let ehr = Ehr::here(data, Some(client), &mut site.random);
            let secret = "client_id = \"campaign\"\nclient_secret = { file = \"secret\" }";
            (ehr, secret.to_owned())
        } else {
            (Ehr::here(data, None, &mut site.random), String::new())
        };
        let base = ehr.base();
        let table = site.store_table();
        let parallel = site.random.within(1, 4);
        site.folder.write(
            "ingest.toml",
            format!(
                "{table}[tenants.acme]\nkeys = \"keys/acme\"\n\
                 [connections.c]\nfhir_base = \"{base}\"\nlevel = \"system\"\n\
                 source_system = \"{SOURCE}\"\nscopes = [\"system/*.rs\"]\ntypes = {TYPES}\n{client}\n\
                 [connections.c.http]\nconnect_timeout = \"5s\"\nfirst_byte_timeout = \"10s\"\n\
                 read_timeout = \"10s\"\nretries = 1\n\
                 [connections.c.bulk]\npoll_min = \"10ms\"\npoll_max = \"50ms\"\n\
                 deadline = \"2m\"\nparallel_downloads = {parallel}\n"
            ),
        );
        let mut bulk = Self {
            before: site.model.clone(),
            seen: BTreeSet::new(),
            kind: plan.channel,
            evolved: false,
            forgotten: false,
            refused: false,
            keys,
            site,
            ehr,
        };
        bulk.site.any_quarantine = plan.has(Fault::Ehr);
        Ok(bulk)
    }

    fn arguments(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Incremental if !self.refused => &["bulk", "c", "--json"],
            _ => EVERYTHING,
        }
    }

    /// What the EHR has can be seen by a run from now on.
    fn enter(&mut self) {
        self.before = self.site.model.clone();
        let mut states = states(&self.ehr.data());
        if self.kind == Kind::Incremental {
            let here: BTreeSet<_> = states.iter().map(|(key, _)| key.clone()).collect();
            let gone = self.site.model.alive();
            states.extend(gone.difference(&here).map(|key| (key.clone(), None)));
        }
        // What is gone already is not told of.
        self.seen = match self.kind {
            Kind::Incremental => self.site.model.keys().cloned().collect(),
            _ => BTreeSet::new(),
        };
        self.seen.extend(states.iter().map(|(key, _)| key.clone()));
        self.site.model.input(states);
    }

    /// What a run that says that it is complete has to have brought.
    fn completed(&mut self, ran: &Ran, place: &str) -> Result<()> {
        let json = ran.json.clone().unwrap_or_default();
        if json["since"].is_null() {
            self.site.model.forgive_deletions();
        }
        if is_resumed(ran) {
            // It ended an export of before, which may not have all of now.
            return self.site.check(false, place);
        }
        self.site.model.settle(&self.before, &self.seen);
        self.site.check(true, place)?;
        let watermark = self.watermark()?;
        if watermark != json["transaction_time"] {
            let told = ran.told();
            return wrong(format!("the watermark {watermark} is not that of {told}"));
        }
        Ok(())
    }

    /// Whether a run went on with an export that the server has forgotten: it
    /// says so, and the next begins anew.
    fn is_of_forgotten(&mut self, ran: &Ran) -> bool {
        std::mem::take(&mut self.forgotten) && ran.code == Some(11) && is_resumed(ran)
    }

    fn watermark(&self) -> Result<Value> {
        let ran = self.site.folder.run(&["status", "--json"]);
        match ran.json {
            Some(mut json) if ran.code == Some(0) => Ok(json["connections"][0]["watermark"].take()),
            _ => wrong(ran.told()),
        }
    }

    fn mend(&mut self) -> Result<()> {
        self.ehr.set_faults(&[]);
        self.forgotten |= self.ehr.revive(&self.site.folder)?;
        if let Some(keys) = &self.keys
            && keys.running.child.is_over()
        {
            let address = keys.address.clone();
            self.keys = Some(Keys::serve(&self.site, &address)?);
        }
        Ok(())
    }

    /// A server that is killed at some moment from now on.
    fn killed_server(&mut self, fault: Fault) -> Option<std::thread::JoinHandle<()>> {
        let after = self.site.random.millis(300);
        let child = match (fault, &mut self.ehr, &self.keys) {
            (Fault::KillEhr, ehr, _) => ehr.child()?,
            (Fault::KillKeys, _, Some(keys)) => keys.running.child.clone(),
            _ => return None,
        };
        Some(std::thread::spawn(move || {
            use fhir_http::Clock as _;
            fhir_http::SystemClock.sleep(after);
            child.kill();
        }))
    }
}

impl Keys {
    fn serve(site: &Site, address: &str) -> Result<Self> {
        let arguments = ["jwks", "serve", "--json", "--listen", address];
        let running = site.folder.start(&arguments, &Limits::default());
        Ok(Self {
            address: told(&running, "listen")?,
            running,
        })
    }
}

impl Channel for Bulk {
    fn site(&mut self) -> &mut Site {
        &mut self.site
    }

    fn evolve(&mut self) {
        if self.evolved {
            self.ehr.change(&mut self.site.random);
        }
        self.evolved = true;
        self.enter();
    }

    fn disturbed(&mut self, all: &[Fault]) -> Result<()> {
        let before = self.watermark()?;
        let mut killers = Vec::new();
        for fault in all {
            match fault {
                Fault::Ehr => {
                    let texts = faults(self.kind, &mut self.site.random);
                    self.ehr.set_faults(&texts);
                }
                Fault::KillEhr | Fault::KillKeys => killers.extend(self.killed_server(*fault)),
                _ => {}
            }
        }
        let ended = self.site.disturbed(self.arguments(), all, None);
        for killer in killers {
            killer.join().expect("a thread");
        }
        self.mend()?;
        let ended = ended?;
        let done = ended.iter().find(|own| own.is_whole(0));
        if let Some(done) = done {
            return self.completed(&done.ran, "said to be complete");
        }
        self.site.check(false, "after what went wrong")?;
        let refused: u64 = ended
            .iter()
            .filter_map(|own| own.ran.count("quarantined"))
            .sum();
        if all.contains(&Fault::StoreServer) && refused > 0 {
            self.site
                .count("runs with resources that the store refused");
            self.refused = true;
        }
        let is_told = ended.iter().all(|own| matches!(own.end, End::Told(_)));
        if is_told && self.watermark()? != before {
            let text = "the watermark moved, and nothing was complete";
            return none(vec![Finding::lost(text)]);
        }
        // Time goes on before anybody looks at it.
        if self.site.random.chance(40) {
            self.ehr.change(&mut self.site.random);
            self.enter();
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.mend()?;
        for _ in 0..3 {
            let ran = self.site.folder.run(self.arguments());
            if self.is_of_forgotten(&ran) {
                continue;
            }
            complete(&ran)?;
            self.completed(&ran, "undisturbed")?;
            if !is_resumed(&ran) {
                self.refused = false;
                return self.site.check_runs();
            }
        }
        wrong("there is always an earlier export to go on with")
    }

    fn replay(&mut self) -> Result<()> {
        let before = self.site.seen();
        let ran = self.site.folder.run(EVERYTHING);
        complete(&ran)?;
        unchanged(&self.site, &before, &ran)
    }

    fn damaged(&mut self, database: &str) -> Result<()> {
        let Some(damaged) = self.site.damaged(database, self.arguments())? else {
            return Ok(());
        };
        if !damaged.is_shown {
            let completed = self.completed(&damaged.ran, "with a damaged database");
            return completed.map_err(|findings| at(findings, &damaged.done));
        }
        if self.site.random.chance(50) {
            remove(&self.site.folder.path(STORE));
            remove(&self.site.folder.path(STATE));
            self.site.model.begin_anew();
            self.enter();
            return Ok(());
        }
        let [state, store] = damaged.copies;
        match database {
            STATE => state.put_back(),
            _ => store.put_back(),
        }
        self.forgotten = true;
        Ok(())
    }

    /// A file that was downloaded and not loaded yet.
    fn cut(&mut self) -> Result<()> {
        let limits = Limits::default();
        let started = self.site.folder.start(self.arguments(), &limits);
        let hazards = Hazards::of(&[Fault::Kill], &mut self.site.random);
        let happening = hazards.begin(&started.child, self.site.folder.path(""), None);
        let ran = started.wait();
        let happened = happening.end();
        match judge(&ran, happened)? {
            End::Complete => return self.completed(&ran, "said to be complete"),
            End::Told(_) if self.is_of_forgotten(&ran) => {}
            End::Told(_) => return wrong(format!("undisturbed, {}", ran.told())),
            // It may have told the server that it is done with the export.
            End::Killed => self.forgotten = true,
        }
        let there = files(&self.site.folder.path(&format!("{STATE}.exports")));
        if there.is_empty() {
            return Ok(());
        }
        for path in &there {
            if self.site.random.chance(60) && cut(path, &mut self.site.random).is_some() {
                self.site.count("downloads that were cut");
            } else if self.site.random.chance(10) {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// Every resource of the EHR, as it is now.
pub(crate) fn states(data: &Data) -> Vec<(String, Body)> {
    data.resources()
        .map(|own| {
            let key = format!("{}/{}", own.resource_type(), own.id());
            (key, Some(own.json().to_owned()))
        })
        .collect()
}

fn is_resumed(ran: &Ran) -> bool {
    let json = ran.json.as_ref();
    json.is_some_and(|json| json["notices"].to_string().contains("going on with"))
}

fn complete_keys(ran: &Ran) -> Result<()> {
    match ran.code {
        Some(0) => Ok(()),
        _ => wrong(ran.told()),
    }
}
