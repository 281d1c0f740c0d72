//! Telling the server what is in the outbox.

use std::collections::{HashSet, VecDeque};
use std::thread;

use super::judge::Verdict;
use super::load::load;
use super::order::{is_id, rank};
use super::remote::{Bundles, Outcome, Remote, Told};
use super::wire::{Failure, Written};
use super::write::Write;
use super::{ServerStore, body, outbox};
use crate::{Refusal, ResourceStore as _, Result};

/// What a delivery came to, besides what is in the state now.
#[derive(Default)]
pub(super) struct Delivery {
    /// The versions that were refused and taken back.
    pub(super) refused: Vec<(Write, Refusal)>,
    /// How many versions the server was told of.
    pub(super) told: usize,
    /// Nobody waits for the outcome: what is refused is quarantined in the same transaction that takes it back.
    pub(super) late: bool,
}

/// Writes that go out together.
type Group = Vec<Write>;

/// What is still to be sent: groups that go as they are, and writes to make groups of.
#[derive(Default)]
struct Queue {
    groups: VecDeque<Group>,
    writes: VecDeque<Write>,
}

impl ServerStore {
    /// Tells the server of these versions, which are in the outbox.
    ///
    /// Each ends as told, as held, or as refused and taken back; where the server can't be reached, they stay in the outbox.
    pub(super) fn deliver(&mut self, versions: &[i64], delivery: &mut Delivery) -> Result<()> {
        let mut queue = Queue::default();
        for &seq in versions {
            let write = self.local.look(|connection| load(connection, seq))?;
            match write.map(|write| (unfit(&write), write)) {
                Some((None, write)) => queue.writes.push_back(write),
                Some((Some(refusal), write)) => self.refuse(write, refusal, delivery)?,
                None => {}
            }
        }
        queue
            .writes
            .make_contiguous()
            .sort_by_key(|write| (rank(&write.resource_type), write.seq));
        let result = self.send_all(&mut queue, delivery);
        if result.is_err() {
            self.recovered = false;
        }
        self.local.flush()?;
        result
    }

    fn send_all(&mut self, queue: &mut Queue, delivery: &mut Delivery) -> Result<()> {
        if self.known.checks_references {
            self.hold_early(queue)?;
        }
        loop {
            let mut round = self.round(queue);
            if round.is_empty() {
                return Ok(());
            }
            if self.known.assigns_ids {
                for group in &mut round {
                    self.locate(group)?;
                }
            }
            let how = self.known.bundles;
            let outcomes = send(&self.remote, how, round);
            // What the others of a round came to is noted also where one failed.
            let mut first_error = None;
            for (group, (outcome, congested)) in outcomes {
                match &outcome {
                    _ if congested => self.pace.too_many(),
                    Outcome::Each(_) => self.pace.well(),
                    _ => {}
                }
                let settled = match outcome {
                    Outcome::Unsupported => self.do_without(how, group, queue),
                    outcome => self.settle(group, outcome, queue, delivery),
                };
                first_error = first_error.or(settled.err());
            }
            if let Some(error) = first_error {
                return Err(error);
            }
            self.local.flush()?;
        }
    }

    /// Groups for as many requests as may go out at the same time.
    fn round(&self, queue: &mut Queue) -> Vec<Group> {
        let limits = self.pace.now();
        // Where references are checked, what comes first has to be there first.
        let most = match self.known.checks_references || self.known.assigns_ids {
            true => 1,
            false => limits.concurrency,
        };
        let writes = match self.known.bundles {
            Bundles::None => 1,
            _ => limits.bundle_writes,
        };
        let mut round = Vec::new();
        while round.len() < most {
            if let Some(group) = queue.groups.pop_front() {
                round.push(group);
                continue;
            }
            let mut group = Vec::new();
            let mut bytes = 0;
            while let Some(write) = queue.writes.front()
                && group.len() < writes
                && (group.is_empty() || bytes + write.bytes() <= limits.bundle_bytes)
            {
                bytes += write.bytes();
                group.extend(queue.writes.pop_front());
            }
            if group.is_empty() {
                break;
            }
            round.push(group);
        }
        round
    }

    /// Notes what became of a group, and queues again what has to be sent again.
    fn settle(
        &mut self,
        mut group: Group,
        outcome: Outcome,
        queue: &mut Queue,
        delivery: &mut Delivery,
    ) -> Result<()> {
        let bytes = group.iter().map(Write::bytes).sum();
        if matches!(outcome, Outcome::Slow) {
            let name = |write: &Write| (write.resource_type.clone(), write.id.clone());
            self.slow.extend(group.iter().map(name));
        }
        match outcome {
            Outcome::Each(told) => {
                for (write, told) in group.into_iter().zip(told) {
                    self.settle_one(write, told, queue, delivery)?;
                }
            }
            Outcome::Nothing(failure) if group.len() == 1 => {
                let told = Told::Failed(failure);
                self.settle_one(group.remove(0), told, queue, delivery)?;
            }
            Outcome::Nothing(failure) => match failure.entry {
                // The server says whose fault it is. It is asked again about that one alone.
                Some(blamed) if blamed < group.len() => {
                    let blamed = group.remove(blamed);
                    queue.groups.push_front(group);
                    queue.groups.push_front(vec![blamed]);
                }
                _ => halve(group, queue),
            },
            Outcome::TooLarge | Outcome::Slow if group.len() > 1 => {
                self.pace.too_large(group.len(), bytes);
                halve(group, queue);
            }
            Outcome::TooLarge | Outcome::Slow => {
                let told = Told::Failed(Failure::new(413, "too-long"));
                self.settle_one(group.remove(0), told, queue, delivery)?;
            }
            Outcome::Unknown(error) => return Err(error.into()),
            Outcome::Unsupported => {}
        }
        Ok(())
    }

    /// Does without a kind of Bundles from now on, and queues again what was sent in one.
    fn do_without(&mut self, how: Bundles, group: Group, queue: &mut Queue) -> Result<()> {
        // All of a round were sent in the same kind, and may all find out.
        self.known.bundles = match how {
            Bundles::Transactions => Bundles::Batches,
            _ => Bundles::None,
        };
        let known = &self.known;
        self.local
            .change(|connection| outbox::note(connection, known))?;
        // In their order, and in groups of the size that goes now.
        for write in group.into_iter().rev() {
            queue.writes.push_front(write);
        }
        Ok(())
    }

    fn settle_one(
        &mut self,
        write: Write,
        told: Told,
        queue: &mut Queue,
        delivery: &mut Delivery,
    ) -> Result<()> {
        let seq = write.seq;
        match told {
            Told::Done(resource, provenance) => {
                self.stumbles = 0;
                delivery.told += 1;
                if write.is_new_there() && !self.known.assigns_ids {
                    self.known.assigns_ids = true;
                    let known = &self.known;
                    self.local
                        .change(|connection| outbox::note(connection, known))?;
                }
                self.note_written(&write, resource, Some(provenance))?;
                self.local
                    .change(|connection| outbox::remove(connection, seq))
            }
            Told::WithoutProvenance(resource, failure) => {
                self.note_written(&write, resource, None)?;
                let why = &failure.refusal.code;
                self.local
                    .change(|connection| outbox::only_provenance(connection, seq, why))
            }
            Told::Failed(failure)
                if failure.refusal.status >= 500 && self.stumbles >= MOST_STUMBLES =>
            {
                // It isn't the resources, it is the server.
                Err(self
                    .remote
                    .unexpected("an error for one resource after the other")
                    .into())
            }
            Told::Failed(failure) => match self.judge(write, &failure)? {
                Verdict::Again(write) => {
                    queue.groups.push_front(vec![write]);
                    Ok(())
                }
                Verdict::Held => Ok(()),
                Verdict::Hold => self
                    .local
                    .change(|connection| outbox::hold(connection, seq, &failure.refusal.code)),
                Verdict::Refuse(write) => {
                    self.stumbles += u32::from(failure.refusal.status >= 500);
                    self.refuse(write, failure.refusal, delivery)
                }
            },
        }
    }

    /// Notes where the server has put what it was sent.
    fn note_written(
        &mut self,
        write: &Write,
        resource: Written,
        provenance: Option<Written>,
    ) -> Result<()> {
        let version = match write.provenance_only {
            true => write.adopted.clone(),
            false => resource.version,
        };
        self.local.change(|connection| {
            if !write.provenance_only || write.adopted.is_some() {
                outbox::delivered(connection, write.seq, version.as_deref())?;
            }
            let resource_id = resource.id.filter(|_| write.is_new_there());
            let provenance_id = provenance.and_then(|provenance| provenance.id);
            let provenance_id = provenance_id.filter(|_| write.there.is_some());
            if let Some(id) = resource_id {
                outbox::assign(connection, (&write.resource_type, &write.id), &id)?;
            }
            if let Some(id) = provenance_id {
                outbox::assign(connection, ("Provenance", &write.provenance_id), &id)?;
            }
            Ok(())
        })
    }

    fn refuse(&mut self, write: Write, refusal: Refusal, delivery: &mut Delivery) -> Result<()> {
        let seq = write.seq;
        if delivery.late {
            self.keep_refused(&write, &refusal)?;
            self.note_taken_back(&write);
        }
        delivery.refused.push((write, refusal));
        let again = self
            .local
            .change(|connection| outbox::take_back(connection, seq))?;
        self.recovered &= !again;
        Ok(())
    }

    /// Holds writes that refer to what the server does not have, without asking it.
    fn hold_early(&mut self, queue: &mut Queue) -> Result<()> {
        let together: HashSet<(String, String)> = queue
            .writes
            .iter()
            .map(|write| (write.resource_type.clone(), write.id.clone()))
            .collect();
        let mut kept = VecDeque::with_capacity(queue.writes.len());
        while let Some(write) = queue.writes.pop_front() {
            let mut lacks = false;
            for own in write.references() {
                let key = (own.resource_type.clone(), own.id.clone());
                lacks |= !together.contains(&key) && !self.resolves(&own)?;
            }
            if lacks {
                self.local
                    .change(|connection| outbox::hold(connection, write.seq, UNRESOLVED))?;
            } else {
                kept.push_back(write);
            }
        }
        queue.writes = kept;
        Ok(())
    }
}

/// Sends the groups at the same time; what became of them is in their order.
fn send(remote: &Remote, how: Bundles, mut round: Vec<Group>) -> Vec<(Group, (Outcome, bool))> {
    if round.len() == 1 {
        let group = round.remove(0);
        let outcome = remote.tell(how, &group);
        return vec![(group, outcome)];
    }
    thread::scope(|scope| {
        let threads: Vec<_> = round
            .into_iter()
            .map(|group| {
                scope.spawn(move || {
                    let outcome = remote.tell(how, &group);
                    (group, outcome)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(sent) => sent,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

fn halve(mut group: Group, queue: &mut Queue) {
    let second = group.split_off(group.len() / 2);
    queue.groups.push_front(second);
    queue.groups.push_front(group);
}

/// Why a write can't be sent at all: in a Bundle it would do harm to others.
fn unfit(write: &Write) -> Option<Refusal> {
    let refusal = |expression: String| Refusal {
        status: 400,
        code: "structure".to_owned(),
        expression,
    };
    let is_type = write.resource_type.bytes().all(|b| b.is_ascii_alphabetic());
    if !is_type || !is_id(&write.id) {
        return Some(refusal(format!("{}.id", write.resource_type)));
    }
    let body = write.body.as_deref()?;
    (!body::is_object(body)).then(|| refusal(write.resource_type.clone()))
}

/// Resources in a row that a server may stumble over before that counts as its own fault.
const MOST_STUMBLES: u32 = 8;

/// Why a write is held that was not even sent.
const UNRESOLVED: &str = "not-found";
