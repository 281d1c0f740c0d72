//! `ingest load`.

use std::collections::BTreeSet;
use std::fs;

use crate::channel::{Channel, unchanged};
use crate::damage::remove;
use crate::end::{End, complete, judge};
use crate::finding::{Result, wrong};
use crate::hazard::Happened;
use crate::input::{InputFile, Inputs, SOURCE};
use crate::model::Model;
use crate::plan::{Fault, Plan, Store};
use crate::site::{Damaged, STORE, Site};

pub(crate) struct Files {
    site: Site,
    inputs: Inputs,
    /// All that was sent so far, folder by folder.
    folders: Vec<Vec<InputFile>>,
    /// As it was before the last folder.
    before: Model,
}

impl Files {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut site = Site::new(plan, SOURCE);
        let table = site.store_table();
        site.folder.write("ingest.toml", table);
        // What a run that failed wrote to a server under a record number stays
        // there as a version.
        let numbers = plan.store == Store::Sqlite;
        Self {
            inputs: Inputs::new(site.random.fork(), numbers),
            before: site.model.clone(),
            folders: Vec::new(),
            site,
        }
    }

    fn folder(&self) -> String {
        format!("in-{}", self.folders.len())
    }

    /// The last folder can be seen by a run from now on.
    fn enter(&mut self) {
        let number = self.folders.len() - 1;
        self.before = enter(&mut self.site.model, &self.folders[number]);
    }

    /// The command says that it has seen all of the last folder.
    fn completed(&mut self, place: &str) -> Result<()> {
        let seen = keys(&self.folders[self.folders.len() - 1]);
        self.site.model.settle(&self.before, &seen);
        self.site.model.settle_refused();
        self.site.check(true, place)
    }

    /// A new store, and all folders once more.
    fn rebuild(&mut self) -> Result<()> {
        remove(&self.site.folder.path(STORE));
        self.site.model = Model::new(SOURCE);
        for number in 1..=self.folders.len() {
            self.before = enter(&mut self.site.model, &self.folders[number - 1]);
            if number < self.folders.len() {
                let folder = format!("in-{number}");
                complete(&self.site.folder.run(&["load", "--json", &folder]))?;
                self.site
                    .model
                    .settle(&self.before, &keys(&self.folders[number - 1]));
                self.site.model.settle_refused();
            }
        }
        Ok(())
    }
}

/// Gives the model as it was before.
fn enter(model: &mut Model, folder: &[InputFile]) -> Model {
    let before = model.clone();
    for file in folder {
        let content = file.content();
        model.input(content.states);
        model.refuse(content.refused);
    }
    before
}

impl Channel for Files {
    fn site(&mut self) -> &mut Site {
        &mut self.site
    }

    fn evolve(&mut self) {
        let files = self.inputs.next();
        for file in &files {
            self.site.folder.write(&file.name, file.bytes());
        }
        self.folders.push(files);
        self.enter();
    }

    fn disturbed(&mut self, faults: &[Fault]) -> Result<()> {
        let folder = self.folder();
        let ended = self
            .site
            .disturbed(&["load", "--json", &folder], faults, None)?;
        let files = self.folders[self.folders.len() - 1].iter();
        let refused: usize = files.map(|file| file.content().refused.len()).sum();
        if ended.iter().any(|own| own.is_whole(refused as u64)) {
            return self.completed("said to be complete");
        }
        self.site.check(false, "after what went wrong")
    }

    fn settle(&mut self) -> Result<()> {
        let folder = self.folder();
        complete(&self.site.folder.run(&["load", "--json", &folder]))?;
        self.completed("undisturbed")?;
        self.site.check_runs()
    }

    fn replay(&mut self) -> Result<()> {
        let before = self.site.seen();
        let folder = self.folder();
        let ran = self.site.folder.run(&["load", "--json", &folder]);
        complete(&ran)?;
        unchanged(&self.site, &before, &ran)
    }

    fn damaged(&mut self, database: &str) -> Result<()> {
        let folder = self.folder();
        let damaged = self.site.damaged(database, &["load", "--json", &folder])?;
        let Some(Damaged {
            copies: [_, store],
            done,
            is_shown,
            ..
        }) = damaged
        else {
            return Ok(());
        };
        if !is_shown {
            return self.completed(&done);
        }
        if self.site.random.chance(50) {
            return self.rebuild();
        }
        store.put_back();
        Ok(())
    }

    fn cut(&mut self) -> Result<()> {
        let number = self.folders.len() - 1;
        // Not the patients: what refers to those that are not known yet by their
        // record numbers is mended later.
        let files = self.folders[number].iter().enumerate();
        let files = files.filter(|(_, file)| !file.name.contains("persons"));
        let places: Vec<_> = files.map(|(place, _)| place).collect();
        let place = *self.site.random.pick(&places);
        let file = &self.folders[number][place];
        let (name, whole) = (file.name.clone(), file.bytes());
        // Somewhere where it is plain what the last line becomes.
        let mut kept = 0;
        let mut content = None;
        while content.is_none() {
            kept = self.site.random.below(whole.len() as u64) as usize;
            content = match file.zipped {
                true => Some(file.content()),
                false => file.first(kept),
            };
        }
        let zipped = file.zipped && kept > 0;
        self.site.folder.write(&name, &whole[..kept]);
        let before = self.site.model.clone();
        let mut seen = BTreeSet::new();
        for (other, file) in self.folders[number].iter().enumerate() {
            let cut = content.take_if(|_| other == place);
            let content = cut.unwrap_or_else(|| file.content());
            if other == place && file.zipped && !zipped {
                continue;
            }
            seen.extend(content.states.iter().map(|(key, _)| key.clone()));
            self.site.model.input(content.states);
            self.site.model.refuse(content.refused);
        }
        let folder = self.folder();
        let ran = self.site.folder.run(&["load", "--json", &folder]);
        match (judge(&ran, Happened::default())?, zipped) {
            (End::Told(11), true) => self.site.check(false, "a gzip stream that is cut")?,
            (End::Complete, false) => {
                self.site.model.settle(&before, &seen);
                self.site.check(true, "a file that is cut")?;
            }
            _ => return wrong(format!("{name} cut to {kept}: {}", ran.told())),
        }
        fs::write(self.site.folder.path(&name), whole).expect("a file");
        self.enter();
        Ok(())
    }
}

/// The resources that a folder says something of.
fn keys(folder: &[InputFile]) -> BTreeSet<String> {
    let states = folder.iter().flat_map(|file| file.content().states);
    states.map(|(key, _)| key).collect()
}
