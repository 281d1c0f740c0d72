//! The queue, whatever workers do.

use std::collections::BTreeMap;

use ingest_pipeline::state::inbox::{QueuedFetch, Worker};
use proptest::prelude::*;

use super::inbox::{Bench, arrival, values};

/// Events of a patient, and merges by their patients, that a fetch answers.
type Seen = (u64, Vec<((String, String), u64)>);

#[derive(Clone, Debug)]
enum Step {
    Event { patient: u8, merged: Option<u8> },
    Take(u8),
    Finish(u8),
    Retry(u8),
    Die(u8),
    Hang,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, prop::option::of(4..6_u8)).prop_map(|(patient, merged)| Step::Event { patient, merged }),
        3 => (0..2_u8).prop_map(Step::Take),
        2 => (0..2_u8).prop_map(Step::Finish),
        1 => (0..2_u8).prop_map(Step::Retry),
        1 => (0..2_u8).prop_map(Step::Die),
        1 => Just(Step::Hang),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever workers do: after the last event of a patient its record is
    /// read, no two read one patient at once, and no merge is forgotten.
    #[test]
    fn every_event_is_followed_by_a_fetch(steps in prop::collection::vec(step(), 1..40)) {
        let mut bench = Bench::new();
        let mut now = 10_000;
        let mut workers: Vec<Option<(Worker, Vec<QueuedFetch>)>> = vec![None, None];
        let mut names = 0;
        // By patient: events since the last fetch that began after them, and
        // merges that nobody has carried out.
        let mut open: BTreeMap<String, u64> = BTreeMap::new();
        let mut merges: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut seen_at_take: BTreeMap<i64, Seen> = BTreeMap::new();
        let mut number = 0_u8;
        for step in steps {
            now += 1;
            match step {
                Step::Event { patient, merged } => {
                    number += 1;
                    let text = match merged {
                        Some(merged) => format!("{patient}<{merged}"),
                        None => patient.to_string(),
                    };
                    bench.record(&[arrival(number, &[&text])]);
                    *open.entry(patient.to_string()).or_default() += 1;
                    if let Some(merged) = merged {
                        *merges.entry((patient.to_string(), merged.to_string())).or_default() += 1;
                    }
                }
                Step::Take(which) => {
                    let which = usize::from(which);
                    let (worker, mut held) = workers[which].take().unwrap_or_else(|| {
                        names += 1;
                        (bench.state.worker(&format!("w{names}")).unwrap(), Vec::new())
                    });
                    for fetch in bench.take(&worker, now) {
                        let value = fetch.wanted.patient.value.clone();
                        for (_, others) in workers.iter().flatten() {
                            prop_assert!(!values(others).contains(&&*value) || now > 100_000);
                        }
                        let merged = fetch.wanted.merged.iter().map(|it| {
                            let key = (value.clone(), it.value.clone());
                            let count = merges.get(&key).copied().unwrap_or_default();
                            (key, count)
                        });
                        seen_at_take.insert(fetch.id, (open.get(&value).copied().unwrap_or_default(), merged.collect()));
                        held.push(fetch);
                    }
                    workers[which] = Some((worker, held));
                }
                Step::Finish(which) => {
                    if let Some((worker, held)) = &mut workers[usize::from(which)]
                        && let Some(fetch) = held.pop()
                    {
                        let before = bench.state.open_fetches(None).unwrap();
                        bench.state.finish_fetch(worker, &fetch, Some(now), "r").unwrap();
                        if bench.state.open_fetches(None).unwrap() < before {
                            let (events, merged) = seen_at_take.remove(&fetch.id).unwrap();
                            *open.get_mut(&fetch.wanted.patient.value).unwrap() -= events;
                            for (key, count) in merged {
                                *merges.get_mut(&key).unwrap() -= count;
                            }
                        }
                    }
                }
                Step::Retry(which) => {
                    if let Some((worker, held)) = &mut workers[usize::from(which)]
                        && let Some(fetch) = held.pop()
                    {
                        bench.state.retry_fetch(worker, &fetch, now).unwrap();
                    }
                }
                Step::Die(which) => workers[usize::from(which)] = None,
                Step::Hang => now += 200_000,
            }
        }
        // In the end one worker does it all.
        workers.clear();
        let last = bench.state.worker("last").unwrap();
        let mut rounds = 0;
        while bench.state.open_fetches(None).unwrap() > 0 {
            rounds += 1;
            prop_assert!(rounds < 100, "the queue does not empty");
            now += 1_000_000;
            for fetch in bench.take(&last, now) {
                let value = &fetch.wanted.patient.value;
                open.insert(value.clone(), 0);
                for merged in &fetch.wanted.merged {
                    merges.insert((value.clone(), merged.value.clone()), 0);
                }
                bench.state.finish_fetch(&last, &fetch, Some(now), "r").unwrap();
            }
        }
        prop_assert!(open.values().all(|events| *events == 0), "{open:?}");
        prop_assert!(merges.values().all(|events| *events == 0), "{merges:?}");
    }
}
