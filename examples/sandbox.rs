//! A test of your own against the sandbox EHR: what becomes of a download
//! whose connection breaks. No socket is opened and nothing is waited for.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use ehr_sandbox::{Data, FaultPlan, Sandbox, Where};
use fhir_bulk::{BulkClient, ExportRequest, NdjsonReader, PollPolicy};
use fhir_http::Client;
use fhir_http::testing::FakeClock;

fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(FakeClock::new(SystemTime::UNIX_EPOCH));
    let sandbox = Sandbox::builder()
        .open() // no tokens wanted
        .data(Data::synthetic(7, 50))
        .faults(FaultPlan::of([
            "file/Patient:1:cut=1000",
            "status:2:status=503",
        ])?)
        .clock(clock.clone())
        .in_process()?;

    let bulk = BulkClient::new(Client::new(Arc::new(sandbox.transport()), clock.clone()));
    let mut request = ExportRequest::system();
    request.types = vec!["Patient".to_owned()];
    let (_, manifest) = bulk.export(
        &request,
        &sandbox.base(),
        PollPolicy::default(),
        &mut |_| Ok(()),
    )?;
    let mut lines = NdjsonReader::new(bulk.read(&manifest.output[0])?);
    let mut patients = 0;
    while lines.next_line()?.is_some() {
        patients += 1;
    }

    assert_eq!(patients, 50);
    assert_eq!(sandbox.count(&Where::KickOff), 1);
    let places = sandbox
        .requests()
        .into_iter()
        .filter_map(|request| request.place);
    let files = places
        .filter(|place| matches!(place, Where::File(_)))
        .count();
    println!("{patients} patients by {files} requests");
    println!(
        "{:?} of waiting left out",
        clock.slept().iter().sum::<std::time::Duration>()
    );
    Ok(())
}
