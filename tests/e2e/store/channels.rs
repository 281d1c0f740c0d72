//! Exports, messages and fetches, from an EHR that is another server than the
//! store.

use ehr_sandbox::adt::Day;
use ehr_sandbox::{Data, Sandbox as Ehr};
use fhir_http::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::content::Content;
use super::site::{Site, assert_alike};
use crate::bulk::site::{TYPES, export};
use crate::util::{Sandbox, assert_balances, assert_counts};

/// A site whose two folders read from the same EHR, by the connection `c`.
fn site(patients: usize, connection: &str) -> (Site, Ehr) {
    let ehr = Ehr::builder()
        .open()
        .data(Data::synthetic(5, patients))
        .export(export())
        .start()
        .expect("an EHR");
    let site = Site::new();
    let tables = format!(
        "[tenants.acme]\n[connections.c]\nfhir_base = \"{}\"\nlevel = \"system\"\n\
         source_system = \"urn:test:ehr\"\ntypes = {}\n{connection}\n\
         [connections.c.http]\nretries = 1\n\
         [connections.c.bulk]\npoll_min = \"10ms\"\npoll_max = \"50ms\"\n",
        ehr.base(),
        json!(TYPES)
    );
    site.configure("", &tables);
    (site, ehr)
}

/// The same command in both folders, which has to succeed: what they tell.
#[track_caller]
fn both(site: &Site, arguments: &[&str]) -> [Value; 2] {
    let run = |folder: &Sandbox| {
        let told = folder.run(arguments).exits(0).json();
        if told.get("by_type").is_some() {
            assert_balances(&told);
        }
        told
    };
    [run(&site.folder), run(&site.twin)]
}

/// Nothing was written to the EHR.
#[track_caller]
fn assert_only_read(ehr: &Ehr) {
    let is_read = |own: &ehr_sandbox::Recorded| {
        let is_of_export = own.place == Some(ehr_sandbox::Where::Delete);
        own.method == "GET" || is_of_export
    };
    let requests = ehr.requests();
    assert!(!requests.is_empty() && requests.iter().all(is_read));
}

#[test]
fn exports_end_alike_and_a_second_one_writes_nothing() {
    let (site, ehr) = site(12, "");
    let bulk = ["bulk", "c", "--json"];
    let [here, there] = both(&site, &bulk);
    assert!(here["created"].as_u64() > Some(100), "{here}");
    for name in ["resources", "created", "provenance", "by_type", "state"] {
        assert_eq!(here[name], there[name], "{name}");
    }
    site.assert_same("a full export");

    ehr.change_data(7, 40, SystemClock.now());
    let [here, there] = both(&site, &bulk);
    assert!(here["since"].is_string(), "{here}");
    for name in ["created", "updated", "deleted"] {
        assert!(here[name].as_u64() > Some(0), "{name} in {here}");
    }
    for name in ["resources", "created", "updated", "deleted", "by_type"] {
        assert_eq!(here[name], there[name], "{name}");
    }
    site.assert_same("an incremental export");

    // Also where everything comes again.
    for since in ["auto", "full"] {
        let writes = site.writes();
        let [here, _] = both(&site, &[&bulk[..], &["--since", since]].concat());
        assert_counts(&here, &[("created", 0), ("updated", 0), ("deleted", 0)]);
        assert_eq!(site.writes(), writes, "--since {since}");
    }
    site.assert_same("exports without news");
    assert_only_read(&ehr);
}

/// The watermark is that of a run of this store: a server that is new, with a
/// state that is new, gets everything.
#[test]
fn a_new_store_takes_the_watermark_back() {
    let (site, ehr) = site(3, "");
    let bulk = ["bulk", "c", "--json"];
    let [first, _] = both(&site, &bulk);
    let other = Site::new();
    let file = site.folder.path("ingest.toml");
    let text = std::fs::read_to_string(file).expect("a configuration");
    // The state of the runs stays where it is, beside the store of before.
    let text = text
        .replace(&site.server.base(), &other.server.base())
        .replace(
            "[tenants.acme]",
            "state = \"new.db\"\n[state]\npath = \"fhir-store.state.db\"\n[tenants.acme]",
        );
    site.folder.write("ingest.toml", text);
    let again = site.folder.run(bulk).exits(0).json();
    assert_eq!(again["since"], Value::Null, "{again}");
    assert_eq!(again["created"], first["created"], "{again}");
    let there = Content::exported(&site.twin);
    Content::exported(&site.folder).assert_eq(&there, "the new store");
    assert_only_read(&ehr);
}

#[test]
fn a_day_of_messages_ends_alike() {
    let triggers = format!("triggers = {:?}", Day::default().allowed);
    let (site, ehr) = site(20, &triggers);
    let events = Day::default().events(11, &ehr.data());
    for (number, event) in events.iter().enumerate() {
        ehr.apply(event);
        for folder in [&site.folder, &site.twin] {
            folder.write(&format!("in/{number:03}.hl7"), event.message());
        }
    }
    let process = ["adt", "--json", "process", "in"];
    let [here, there] = both(&site, &process);
    assert_eq!(here["received"], events.len());
    for name in ["accepted", "ignored", "duplicates", "rejected"] {
        assert_eq!(here[name], there[name], "{name}");
    }
    assert_eq!(site.writes(), 0, "a message is not in the store's server");
    let work = ["adt", "--json", "work", "--drain"];
    let [here, there] = both(&site, &work);
    assert!(here["created"].as_u64() > Some(0), "{here}");
    assert_eq!(here["by_type"], there["by_type"]);
    site.assert_same("a day of messages");

    // All of it again: nothing is queued, and nothing is sent.
    let writes = site.writes();
    both(&site, &process);
    let [here, _] = both(&site, &work);
    assert_counts(&here, &[("resources", 0)]);
    assert_eq!(site.writes(), writes);
    assert_only_read(&ehr);
}

#[test]
fn a_patient_is_fetched_into_the_server() {
    let (site, ehr) = site(4, "");
    let data = ehr.data();
    let mut patients = data
        .resources()
        .filter(|own| own.resource_type() == "Patient");
    let id = patients.next().expect("a patient").id().to_owned();
    let fetch = ["fetch", "c", "--patient", &id, "--json"];
    let [here, there] = both(&site, &fetch);
    assert!(here["created"].as_u64() > Some(3), "{here}");
    assert_alike(&here, &there, "a fetch");
    site.assert_same("a fetch");
    assert!(Content::exported(&site.folder).has(&format!("Patient/{id}")));

    let writes = site.writes();
    let [again, _] = both(&site, &[&fetch[..], &["--full"]].concat());
    assert_counts(&again, &[("created", 0), ("updated", 0)]);
    assert_eq!(again["unchanged"], here["created"], "{again}");
    assert_eq!(site.writes(), writes);
}
