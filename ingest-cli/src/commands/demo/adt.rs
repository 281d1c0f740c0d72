//! A day of ADT messages over MLLP.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ehr_sandbox::MllpSender;
use ehr_sandbox::adt::{Day, Outcome};
use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::adt::{
    self, Inbox, ReceiveSummary, Receiver, Rules, Shown, Work, WorkOptions,
};
use ingest_pipeline::config::{Archive, ConnectionSettings};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::hl7::listener::{Limits, Listener};
use ingest_pipeline::state::State;
use ingest_pipeline::{Clock as _, RunSummary, SystemClock, causes};
use serde::Serialize;

use super::ehr::{Ehr, SEED};
use crate::context;
use crate::exit::{Exit, Failure};

/// What came of the day.
#[derive(Serialize)]
pub(super) struct AdtReport {
    pub(super) received: ReceiveSummary,
    /// Messages that were answered as they should be.
    pub(super) answered_right: u64,
    /// Dead letters that there should be: a message without a patient, and
    /// patients that the EHR does not know.
    pub(super) expected_dead: u64,
    pub(super) dead: u64,
    pub(super) fetched: RunSummary,
}

impl AdtReport {
    pub(super) fn is_right(&self) -> bool {
        self.answered_right == self.received.received
            && self.expected_dead == self.dead
            && self.received.accepted > 0
            && self.fetched.created + self.fetched.updated > 0
    }
}

/// Sends the day as an interface engine does, then lets the workers fetch.
pub(super) fn day(
    ehr: &Ehr,
    settings: &ConnectionSettings,
    around: &Surroundings,
    db: &Path,
) -> Result<AdtReport, Failure> {
    let fail = |error: &dyn std::error::Error| Failure::new(Exit::Unexpected, causes(error));
    let state_path = State::path_beside(db);
    let archive = adt::archive(&Archive::default(), &state_path, around)?;
    let receiver = Arc::new(Receiver::new(
        Rules::new(settings),
        Arc::new(Inbox::open(&state_path, archive.clone())?),
        around.clock.clone(),
        around.random.clone(),
    ));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = Listener::bind(address, Limits::default())
        .and_then(|bound| bound.serve(receiver.clone()))
        .map_err(|error| fail(&error))?;

    let mut day = Day::default();
    day.start = SystemClock.now();
    let (mut answered_right, mut dead_messages) = (0, 0);
    let mut unknown = std::collections::BTreeSet::new();
    let mut sender = MllpSender::connect(listener.local_addr()).map_err(|error| fail(&error))?;
    for event in day.events(SEED, &ehr.data()) {
        ehr.apply(&event);
        let answer = sender.send(event.message()).map_err(|error| fail(&error))?;
        let expected = event.expected();
        let is_right =
            answer.code() == expected.acknowledgement && answer.control_id() == event.control_id();
        answered_right += u64::from(is_right);
        dead_messages += u64::from(expected.outcome == Outcome::Rejected);
        let strangers = expected.patients.iter().filter(|it| it.patient.is_none());
        unknown.extend(strangers.map(|it| it.mrn.clone()));
    }
    drop(sender);
    listener.stop(Duration::from_secs(5));

    let options = WorkOptions {
        drain: true,
        threads: context::processors(),
        ..WorkOptions::new(around.run_id())
    };
    let shown = Shown::new([(settings.name.clone(), archive)]);
    let connections = vec![settings.clone()];
    let store = SqliteFile(db.to_owned());
    let spool = db.with_file_name("");
    let mut work = Work::new(
        connections,
        around,
        &store,
        spool,
        &state_path,
        shown,
        options,
    )?;
    let fetched = work.run()?;
    let dead = State::open(&state_path)?.dead_letters()?.len();
    Ok(AdtReport {
        received: receiver.summary(),
        answered_right,
        expected_dead: dead_messages + unknown.len() as u64,
        dead: dead as u64,
        fetched,
    })
}
