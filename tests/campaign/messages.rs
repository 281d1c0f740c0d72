//! ADT: `ingest adt listen`, `process` and `work`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ehr_sandbox::{Data, MllpSender};

use crate::bulk::states;
use crate::channel::{Channel, unchanged};
use crate::damage::{Copy, cut, files};
use crate::ehr::{Ehr, faults};
use crate::end::{End, complete, judge};
use crate::finding::{Finding, Result, none, wrong};
use crate::folder::{Limits, eventually};
use crate::hazard::{Happened, Hazards};
use crate::inbox;
use crate::patient::{belongings, message};
use crate::plan::{Channel as Kind, Fault, Plan};
use crate::site::{Ended, STATE, Site};

const SOURCE: &str = "urn:test:adt";

pub(crate) struct Messages {
    site: Site,
    ehr: Ehr,
    patients: u64,
    /// Whether they come over the network, and not in files.
    by_network: bool,
    sent: BTreeMap<String, Message>,
    /// Of this round, which the sender has no good answer to yet.
    open: Vec<String>,
    evolved: bool,
}

struct Message {
    bytes: Vec<u8>,
    patient: u64,
    /// It was answered with `AA`.
    acknowledged: bool,
    /// Since the data changed last.
    recent: bool,
}

impl Messages {
    pub(crate) fn new(plan: &Plan) -> Result<Self> {
        let mut site = Site::new(plan, SOURCE);
        let patients = site.random.within(2, 10);
        let data = Data::synthetic(site.random.next(), patients as usize);
        let (ehr, client) = match plan.has(Fault::KillEhr) {
            true => (
                Ehr::process(&site.folder, data)?,
                "client_id = \"sandbox-client\"\nclient_secret = { file = \"secret\" }\n\
                 scopes = [\"system/*.rs\"]",
            ),
            false => (Ehr::here(data, None, &mut site.random), ""),
        };
        let (table, base) = (site.store_table(), ehr.base());
        site.folder.write(
            "ingest.toml",
            format!(
                "{table}[tenants.acme]\n\
                 [connections.c]\nfhir_base = \"{base}\"\nsource_system = \"{SOURCE}\"\n{client}\n\
                 [connections.c.http]\nconnect_timeout = \"5s\"\nfirst_byte_timeout = \"10s\"\n\
                 read_timeout = \"10s\"\nretries = 1\n"
            ),
        );
        Ok(Self {
            by_network: site.random.chance(60),
            patients,
            sent: BTreeMap::new(),
            open: Vec::new(),
            evolved: false,
            site,
            ehr,
        })
    }

    /// What has to be in the store: all that belongs to those whom messages
    /// were about since the last change.
    fn settled(&mut self, place: &str) -> Result<()> {
        let recent = self.sent.values().filter(|own| own.recent);
        let patients = recent.map(|own| own.patient).collect();
        let (current, present) = belongings(&self.ehr.data(), &patients);
        self.site.model.settle_only(current, present);
        let mut findings = self.lost_messages(place);
        findings.extend(self.site.check(true, place).err().unwrap_or_default());
        none(findings)
    }

    /// Each message that was acknowledged is known once, and in the archive as
    /// it came.
    fn lost_messages(&mut self, place: &str) -> Vec<Finding> {
        let known = inbox::known(&self.site.folder.path(STATE));
        let known = match known {
            Ok(known) => known,
            Err(error) => return vec![Finding::lost(format!("{place}: the inbox: {error}"))],
        };
        let mut findings = Vec::new();
        let keys: BTreeMap<_, _> = known.iter().cloned().collect();
        if keys.len() < known.len() {
            findings.push(Finding::duplicated(format!("{place}: messages")));
        }
        for (control_id, own) in &self.sent {
            if own.acknowledged && !keys.contains_key(control_id) {
                let text = format!("{place}: {control_id} was acknowledged and is not known");
                findings.push(Finding::lost(text));
            }
        }
        // A look at each takes a process: some are enough.
        let archive = self.site.folder.path(&format!("{STATE}.archive"));
        let archived = files(&archive);
        for (control_id, own) in &self.sent {
            if !own.acknowledged || !self.site.random.chance(15) {
                continue;
            }
            // Not by what the inbox says: bytes of that may have changed.
            let name = format!("/{control_id}-");
            let paths = archived.iter().filter_map(|path| {
                let key = path.strip_prefix(&archive).ok()?.to_str()?;
                key.contains(&name).then(|| key.to_owned())
            });
            let waiting = keys.get(control_id).cloned();
            let is_kept = paths.chain(waiting).any(|key| {
                let show = ["adt", "raw", "show", &key];
                let shown = self.site.folder.start(&show, &Limits::default());
                shown.out_at_end() == own.bytes
            });
            if !is_kept {
                let text = format!("{place}: the archive has not what {control_id} was");
                findings.push(Finding::lost(text));
            }
        }
        findings
    }

    /// A listener, and what is open sent to it, until it is gone or all is sent.
    fn listen(&mut self, faults: &[Fault], disturbed: bool) -> Result<Ended> {
        let limits = self.site.begin(faults);
        let mut arguments = vec!["adt", "listen", "--json", "--listen", "127.0.0.1:0"];
        if disturbed && self.site.random.chance(30) {
            arguments.push("--no-work");
        }
        let started = self.site.folder.start(&arguments, &limits);
        let second = faults.contains(&Fault::Twice).then(|| {
            let arguments = ["adt", "work", "--drain", "--json"];
            self.site.folder.start(&arguments, &limits)
        });
        let hazards = Hazards::of(faults, &mut self.site.random);
        let happening = hazards.begin(&started.child, self.site.folder.path(""), self.site.clock());
        if let Some(address) = inbox::address(&started) {
            self.send(address, disturbed);
        }
        let state = self.site.folder.path(STATE);
        // Some fetches are done while it goes wrong.
        let patience = match disturbed {
            true => self.site.random.millis(600),
            false => Duration::from_secs(60),
        };
        let is_idle = eventually(patience, || {
            started.child.is_over() || inbox::waiting(&state) == Some(0)
        });
        if !disturbed && !is_idle {
            return wrong(format!("fetches wait for ever: {}", started.log()));
        }
        let mut happened = happening.end();
        // A second signal would make it end at once.
        happened.terminated = happened.terminated || started.child.signal("TERM");
        let ran = started.wait();
        self.site.end();
        if let Some(second) = second {
            // It would wait for an EHR that fails.
            let happened = Happened {
                terminated: second.child.signal("TERM"),
                ..Happened::default()
            };
            judge(&second.wait(), happened)?;
        }
        let end = judge(&ran, happened)?;
        Ok(Ended { ran, end })
    }

    /// As a sender does: what has no answer is sent again by the next one.
    fn send(&mut self, address: SocketAddr, disturbed: bool) {
        let Ok(mut sender) = MllpSender::connect(address) else {
            return;
        };
        let mut open = std::mem::take(&mut self.open).into_iter();
        for control_id in open.by_ref() {
            let message = self.sent.get_mut(&control_id).expect("it is known");
            // Also twice, as interface engines do.
            let twice = disturbed && self.site.random.chance(5);
            let answers = (0..=u8::from(twice)).map(|_| sender.send(&message.bytes));
            let answers: Vec<_> = answers.collect();
            message.acknowledged |= answers
                .iter()
                .flatten()
                .any(|answer| answer.code() == "AA" && answer.control_id() == control_id);
            if !message.acknowledged {
                self.open.push(control_id);
            }
            if answers.iter().any(std::result::Result::is_err) {
                break;
            }
        }
        self.open.extend(open);
    }

    /// Messages in files, then the fetches.
    fn process(&mut self, faults: &[Fault]) -> Result<End> {
        for control_id in &self.open {
            let message = &self.sent[control_id];
            let name = format!("in/{control_id}.hl7");
            self.site.folder.write(&name, &message.bytes);
        }
        let process = &["adt", "process", "--json", "in"][..];
        let work = &["adt", "work", "--drain", "--json"];
        let nothing_open = self.open.is_empty();
        for arguments in [process, work].into_iter().skip(usize::from(nothing_open)) {
            // Fetches wait for an EHR that fails: longer than a plan may take.
            let patience = (!faults.is_empty())
                .then(|| Duration::from_millis(500) + self.site.random.millis(1_500));
            let ended = self.site.disturbed(arguments, faults, patience)?;
            let Some(done) = ended.iter().find(|own| own.end == End::Complete) else {
                return Ok(ended[0].end);
            };
            if arguments.contains(&"process") {
                if done.ran.count("rejected") != Some(0) {
                    return wrong(done.ran.told());
                }
                for control_id in self.open.drain(..) {
                    self.sent
                        .entry(control_id)
                        .and_modify(|own| own.acknowledged = true);
                }
            }
        }
        Ok(End::Complete)
    }

    /// Fetches that were given up are wanted again.
    fn replay_dead_letters(&self) -> Result<()> {
        if !self.site.folder.path(STATE).exists() {
            return Ok(());
        }
        let arguments = ["adt", "dead-letters", "replay", "--all", "--json"];
        let ran = self.site.folder.run(&arguments);
        match ran.code {
            Some(0) => Ok(()),
            _ => wrong(ran.told()),
        }
    }
}

impl Channel for Messages {
    fn site(&mut self) -> &mut Site {
        &mut self.site
    }

    fn evolve(&mut self) {
        if self.evolved {
            self.ehr.change(&mut self.site.random);
            self.sent.values_mut().for_each(|own| own.recent = false);
        }
        self.evolved = true;
        self.site.model.input(states(&self.ehr.data()));
        let round = self.sent.len();
        for number in 0..self.site.random.within(3, 25) {
            let control_id = format!("m{round}-{number}");
            let patient = self.site.random.within(1, self.patients);
            let bytes = message(&control_id, patient);
            self.open.push(control_id.clone());
            let message = Message {
                bytes,
                patient,
                acknowledged: false,
                recent: true,
            };
            self.sent.insert(control_id, message);
        }
    }

    fn disturbed(&mut self, all: &[Fault]) -> Result<()> {
        let mut killer = None;
        if all.contains(&Fault::Ehr) {
            let texts = faults(Kind::Messages, &mut self.site.random);
            self.ehr.set_faults(&texts);
        }
        if all.contains(&Fault::KillEhr) {
            let after = self.site.random.millis(400);
            killer = self.ehr.child().map(|child| {
                std::thread::spawn(move || {
                    use fhir_http::Clock as _;
                    fhir_http::SystemClock.sleep(after);
                    child.kill();
                })
            });
        }
        let ended = match self.by_network {
            true => self.listen(all, true).map(|ended| ended.end),
            false => self.process(all),
        };
        if let Some(killer) = killer {
            killer.join().expect("a thread");
        }
        self.ehr.set_faults(&[]);
        self.ehr.revive(&self.site.folder)?;
        let ended = ended?;
        let mut findings = self
            .site
            .check(false, "after what went wrong")
            .err()
            .unwrap_or_default();
        if ended == End::Complete || self.sent.values().any(|own| own.acknowledged) {
            findings.extend(self.lost_messages("after what went wrong"));
        }
        none(findings)
    }

    fn settle(&mut self) -> Result<()> {
        self.replay_dead_letters()?;
        if self.by_network {
            for _ in 0..2 {
                let ended = self.listen(&[], false)?;
                if ended.end != End::Complete {
                    return wrong(format!("undisturbed, {}", ended.ran.told()));
                }
                self.replay_dead_letters()?;
            }
        }
        if self.process(&[])? != End::Complete {
            return wrong("undisturbed, and not complete");
        }
        if !self.open.is_empty() {
            return wrong(format!("{} messages are not taken", self.open.len()));
        }
        self.settled("undisturbed")?;
        self.site.check_runs()
    }

    fn replay(&mut self) -> Result<()> {
        let before = self.site.seen();
        for (control_id, message) in &self.sent {
            let name = format!("again/{control_id}.hl7");
            self.site.folder.write(&name, &message.bytes);
        }
        let ran = self.site.folder.run(&["adt", "process", "--json", "again"]);
        complete(&ran)?;
        if ran.count("duplicates") != Some(self.sent.len() as u64) {
            let text = format!("a replay: {}", ran.told());
            return none(vec![Finding::duplicated(text)]);
        }
        let ran = self.site.folder.run(&["adt", "work", "--drain", "--json"]);
        complete(&ran)?;
        unchanged(&self.site, &before, &ran)
    }

    fn damaged(&mut self, database: &str) -> Result<()> {
        let drain = ["adt", "work", "--drain", "--json"];
        // The inbox is the only place of what it has: there is no doing without
        // a copy, and what it says of the store is about the one of its time.
        // SQLite has no checksums, so that of a name or a moment that has become
        // another nobody can tell.
        if let Some(damaged) = self.site.damaged(database, &drain)?
            && (damaged.is_shown || database == STATE)
        {
            damaged.copies.iter().for_each(Copy::put_back);
        }
        Ok(())
    }

    /// A message in the archive: whoever wants to see it is told.
    fn cut(&mut self) -> Result<()> {
        let archive = self.site.folder.path(&format!("{STATE}.archive"));
        let there: Vec<_> = files(&archive)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|own| own == "hl7"))
            .collect();
        if there.is_empty() {
            return Ok(());
        }
        let path = self.site.random.pick(&there).clone();
        let whole = std::fs::read(&path).expect("a file");
        if cut(&path, &mut self.site.random).is_none() {
            return Ok(());
        }
        self.site.count("messages in the archive that were cut");
        let key = path.strip_prefix(&archive).expect("below it");
        let key = key.to_string_lossy().into_owned();
        // The state may have it still, and it is shown whole.
        let show = ["adt", "raw", "show", &key];
        let started = self.site.folder.start(&show, &Limits::default());
        let shown = started.out_at_end();
        if !shown.is_empty() && self.sent.values().all(|own| own.bytes != shown) {
            return none(vec![Finding::lost(format!("cut and shown: {key}"))]);
        }
        std::fs::write(&path, whole).expect("a file");
        Ok(())
    }
}
