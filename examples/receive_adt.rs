//! Receives ADT messages over MLLP and says whose records have changed, until
//! its standard input ends. Nothing is kept: a receiver that says AA for real
//! has to write first.
//!
//! `cargo run --example receive_adt`
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use fhir_http::{Clock as _, SystemClock};
use hl7v2_adt::listener::{Answer, Fault, Handler, Limits, Listener, Peer};
use hl7v2_adt::{Ack, AckCode, AdtMessage, Header, Message, PatientIdentifierRule, Timestamp};

struct Print(PatientIdentifierRule);

impl Handler for Print {
    fn receive(&self, message: &[u8], _: &Peer) -> Answer {
        let header = Header::scan(message).unwrap_or_default();
        let now = SystemClock
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = Timestamp::from_unix(i64::try_from(now.as_secs()).unwrap_or_default());
        let code = match Message::parse(message) {
            Ok(message) => {
                let adt = AdtMessage::new(&message);
                for patient in adt.patients() {
                    let chosen = self.0.select(&patient, adt.event_time().as_ref());
                    let id = chosen.map(|identifier| identifier.text().into_owned());
                    println!("{} {}", adt.trigger_code(), id.unwrap_or_default());
                }
                AckCode::Aa
            }
            Err(_) => AckCode::Ar,
        };
        Answer::Reply(Ack::new(&header, code, "1", now).to_bytes())
    }

    fn fault(&self, fault: Fault<'_>, _: &Peer) -> Answer {
        println!("no message: {fault:?}");
        Answer::Close
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let bound = Listener::bind("127.0.0.1:0".parse()?, Limits::default())?;
    println!("{}", bound.local_addr());
    let listener = bound.serve(Arc::new(Print(PatientIdentifierRule::default())))?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    listener.stop(Duration::from_secs(10));
    println!("stopped");
    Ok(())
}
