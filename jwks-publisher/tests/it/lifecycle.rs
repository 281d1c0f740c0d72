//! Keys over time, in sequences that nobody would think of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jwks_publisher::{
    Algorithm, DirectoryStore, Error, JwkSet, KeyRing, KeyStore, MemoryStore, RingSigner,
    Signer as _, State,
};
use proptest::prelude::*;

use crate::support::{DAY, HOUR, at, key, kid, policy, secret};

#[derive(Clone, Debug)]
enum Step {
    Generate,
    Rotate {
        grace: u64,
        lead: u64,
    },
    /// Of the ring's keys, by place.
    Retire {
        place: usize,
        grace: u64,
        leave_none: bool,
    },
    Prune,
    /// A process dies while it changes the ring, and another one begins.
    Crash,
    Forward(u64),
    Back(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let seconds = || prop_oneof![Just(0), 1..600_u64, Just(86_400)];
    prop_oneof![
        1 => Just(Step::Generate),
        4 => (seconds(), seconds()).prop_map(|(grace, lead)| Step::Rotate { grace, lead }),
        3 => (0..4_usize, seconds(), any::<bool>())
            .prop_map(|(place, grace, leave_none)| Step::Retire { place, grace, leave_none }),
        1 => Just(Step::Prune),
        1 => Just(Step::Crash),
        4 => (1..100_000_u64).prop_map(Step::Forward),
        1 => (1..100_000_u64).prop_map(Step::Back),
    ]
}

/// What has to be so, told without looking at how the ring does it.
#[derive(Default)]
struct Model {
    /// When each key was made, in whole seconds.
    issued: BTreeMap<String, u64>,
    /// When each key has to be gone at the latest, for those that were told to go.
    gone: BTreeMap<String, SystemTime>,
    next: usize,
}

impl Model {
    /// Changes the ring, and notes what that promises. Refusals change nothing.
    fn apply(&mut self, store: &dyn KeyStore, step: &Step, now: SystemTime) {
        let before = store.load().unwrap();
        // Times of the ring never run backwards.
        let present = before.changed().map_or(now, |changed| changed.max(now));
        let issued = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        match *step {
            Step::Generate => {
                if store.generate("test", now, key(self.next)).is_ok() {
                    self.issued.insert(kid(self.next), issued);
                    self.next += 1;
                }
            }
            Step::Rotate { grace, lead } => {
                let (grace, lead) = (Duration::from_secs(grace), Duration::from_secs(lead));
                let rotated = store.rotate("test", now, key(self.next), &policy(grace, lead));
                match rotated {
                    Ok(_) => {
                        self.issued.insert(kid(self.next), issued);
                        self.next += 1;
                        if let Some(old) = before.active(Algorithm::Es384, now) {
                            self.gone
                                .insert(old.kid().to_owned(), present + lead + grace);
                        }
                    }
                    Err(error) => assert!(matches!(error, Error::Pending { .. }), "{error}"),
                }
            }
            Step::Retire {
                place,
                grace,
                leave_none,
            } => {
                let Some(of) = before.keys().get(place) else {
                    return;
                };
                let state = before.state(of, now);
                let grace = Duration::from_secs(grace);
                match store.retire("test", now, of.kid(), grace, leave_none) {
                    Ok(_) => {
                        let end = present + grace;
                        let own = self.gone.get(of.kid()).copied();
                        let end = match state {
                            State::Pending => present,
                            State::Retiring => own.map_or(end, |own| own.min(end)),
                            _ => end,
                        };
                        self.gone.insert(of.kid().to_owned(), end);
                        // A rotation that was given up leaves the active key as it was.
                        if state == State::Pending
                            && let Some(active) = before.active(Algorithm::Es384, now)
                        {
                            self.gone.remove(active.kid());
                        }
                    }
                    Err(Error::LastKey { .. }) => assert!(!leave_none),
                    Err(Error::NoSuchKey { .. }) => assert_eq!(state, State::Expired),
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Prune => {
                store.prune("test", now).unwrap();
            }
            Step::Crash | Step::Forward(_) | Step::Back(_) => {}
        }
    }

    fn check(&self, store: &Arc<dyn KeyStore>, now: SystemTime) {
        let ring = store.load().unwrap();
        let present = ring.changed().map_or(now, |changed| changed.max(now));
        let set = JwkSet::of(&ring, now);
        let published: BTreeSet<_> = set.keys().iter().map(|jwk| jwk.key().kid()).collect();

        let in_state = |state| -> Vec<_> {
            let keys = ring.keys().iter();
            keys.filter(|key| ring.state(key, now) == state).collect()
        };
        assert!(in_state(State::Active).len() <= 1, "one active key");
        assert!(
            in_state(State::Pending).len() <= 1,
            "one rotation at a time"
        );
        for state in [State::Pending, State::Active, State::Retiring] {
            for key in in_state(state) {
                assert!(published.contains(key.kid()), "{state:?} and not published");
            }
        }
        for kid in &published {
            let gone = self.gone.get(*kid);
            assert!(
                gone.is_none_or(|gone| present < *gone),
                "published after its grace"
            );
        }
        for kid in self.issued.keys() {
            let gone = self.gone.get(kid).is_some_and(|gone| *gone <= present);
            assert_eq!(
                !gone,
                published.contains(kid.as_str()),
                "gone before its time"
            );
        }
        for jwk in set.keys() {
            assert_eq!(jwk.issued_at(), self.issued[jwk.key().kid()], "`iat` lies");
        }
        let signer = RingSigner::new(Arc::clone(store), vec![Algorithm::Es384]);
        match signer.active(now) {
            Ok(key) => {
                let jwk = set.keys().iter().find(|jwk| jwk.key().kid() == key.kid());
                let jwk = jwk.expect("what signs is published").key();
                assert!(jwk.verify(b"message", &key.sign(b"message").unwrap()));
            }
            Err(error) => {
                assert!(matches!(error, Error::NoActiveKey { .. }), "{error}");
                assert_eq!(in_state(State::Active).len(), 0);
            }
        }
    }
}

/// Runs `steps`; `crash` gives the store as the next process finds it.
fn run(
    steps: &[Step],
    store: Arc<dyn KeyStore>,
    mut crash: impl FnMut() -> Option<Arc<dyn KeyStore>>,
) {
    let mut store = store;
    let mut model = Model::default();
    let mut seconds = 200_000;
    for step in steps {
        match step {
            Step::Forward(by) => seconds += by,
            Step::Back(by) => seconds = seconds.saturating_sub(*by),
            Step::Crash => store = crash().unwrap_or(store),
            _ => {}
        }
        model.apply(&*store, step, at(seconds));
        model.check(&store, at(seconds));
    }
    // Also what the ring says of times that nobody has looked at.
    for later in [1, 599, 86_400, 1_000_000] {
        model.check(&store, at(seconds + later));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_keeps_its_promises(steps in prop::collection::vec(step(), 1..30)) {
        run(&steps, Arc::new(MemoryStore::new()), || None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, failure_persistence: None, ..ProptestConfig::default() })]

    /// With what a crash leaves at any step of a change: a new file that is not
    /// whole, or a change without its audit line, which may be cut.
    #[test]
    fn a_folder_keeps_them_through_crashes(
        steps in prop::collection::vec(step(), 1..20),
        cut in 0..120_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let open = || Arc::new(DirectoryStore::new(folder.path(), Some(secret())));
        run(&steps, open(), || {
            std::fs::write(folder.path().join("ring.json.new"), &b"{\"format\": \"key ri"[..cut.min(17)]).unwrap();
            let log = folder.path().join("audit.log");
            if let Ok(text) = std::fs::read(&log) {
                let last = text[..text.len().saturating_sub(1)].iter().rposition(|byte| *byte == b'\n');
                let start = last.map_or(0, |last| last + 1);
                std::fs::write(&log, &text[..(start + cut).min(text.len())]).unwrap();
            }
            Some(open())
        });
        // Every change is in the log in the end, in its order.
        open().prune("test", at(0)).unwrap();
        let log = std::fs::read_to_string(folder.path().join("audit.log")).unwrap_or_default();
        let serials: Vec<u64> = log
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["serial"].as_u64())
            .collect();
        let all: Vec<u64> = (1..=serials.len() as u64).collect();
        prop_assert_eq!(serials, all);
    }
}

#[test]
fn a_rotation_with_lead_time_needs_nobody_at_its_moment() {
    let store: Arc<dyn KeyStore> = Arc::new(MemoryStore::new());
    store.generate("test", at(0), key(0)).unwrap();
    store
        .rotate("test", at(100), key(1), &policy(DAY, HOUR))
        .unwrap();
    let ring = store.load().unwrap();
    let states = |seconds| -> Vec<&str> {
        let state = |key| ring.state(key, at(seconds)).as_str();
        ring.keys().iter().map(state).collect()
    };
    assert_eq!(states(100), ["active", "pending"]);
    assert_eq!(states(3_699), ["active", "pending"]);
    assert_eq!(states(3_700), ["retiring", "active"]);
    assert_eq!(states(3_700 + 86_399), ["retiring", "active"]);
    assert_eq!(states(3_700 + 86_400), ["expired", "active"]);
    assert_eq!(ring.next_change(at(100)), Some(at(3_700)));
    assert_eq!(ring.next_change(at(3_700)), Some(at(3_700 + 86_400)));
    assert_eq!(ring.next_change(at(3_700 + 86_400)), None);
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let store: Arc<dyn KeyStore> = Arc::new(MemoryStore::new());
    let refused = |changed: Result<_, Error>| {
        changed
            .map(|_: jwks_publisher::Change| ())
            .unwrap_err()
            .to_string()
    };
    store.generate("test", at(0), key(0)).unwrap();
    assert!(refused(store.generate("test", at(1), key(1))).contains("rotate it"));
    assert!(refused(store.rotate("test", at(1), key(0), &policy(DAY, HOUR))).contains("already"));
    assert!(refused(store.retire("test", at(1), "nobody", DAY, true)).contains("no key nobody"));
    assert!(
        refused(store.retire("test", at(1), &kid(0), DAY, false)).contains("rotate without grace")
    );
    store
        .rotate("test", at(1), key(1), &policy(DAY, HOUR))
        .unwrap();
    let pending = refused(store.rotate("test", at(2), key(2), &policy(DAY, HOUR)));
    assert!(
        pending.contains(&kid(1)) && pending.contains("3599 s"),
        "{pending}"
    );
    let endless = policy(Duration::from_secs(1 << 50), Duration::ZERO);
    assert!(matches!(
        store.rotate("test", at(4_000), key(2), &endless),
        Err(Error::Time)
    ));
    assert_eq!(
        store.load().unwrap().keys().len(),
        2,
        "a refusal changes nothing"
    );
}

#[test]
fn rotation_is_due_by_age() {
    let month = jwks_publisher::RotationPolicy {
        max_age: DAY * 30,
        ..policy(DAY, HOUR)
    };
    let store: Arc<dyn KeyStore> = Arc::new(MemoryStore::new());
    let next = std::cell::Cell::new(0);
    let rotate = |seconds| {
        let changed = store.rotate_if_due("cron", at(seconds), Algorithm::Es384, &month, &|| {
            next.set(next.get() + 1);
            Ok(key(next.get()))
        });
        changed.unwrap().is_some()
    };
    let month = 30 * 86_400;
    assert!(rotate(0), "there is none yet");
    assert!(!rotate(month - 1));
    assert!(rotate(month));
    assert!(!rotate(month + 60), "the new one is pending");
    assert!(!rotate(month + 3_600), "and has just become active");
    assert!(rotate(2 * month + 3_600));
}

#[test]
fn imported_keys_keep_the_time_they_were_made() {
    let store: Arc<dyn KeyStore> = Arc::new(MemoryStore::new());
    let policy = policy(DAY, Duration::ZERO);
    store
        .import("test", at(100), key(0), Some(at(7)), &policy)
        .unwrap();
    store
        .import("test", at(200), key(1), None, &policy)
        .unwrap();
    // Nothing is made in the future.
    store
        .import("test", at(300), key(2), Some(at(9_999)), &policy)
        .unwrap();
    let ring: KeyRing = store.load().unwrap();
    let issued: Vec<_> = ring.keys().iter().map(|key| key.issued()).collect();
    assert_eq!(issued, [at(7), at(200), at(300)]);
    let states: Vec<_> = ring
        .keys()
        .iter()
        .map(|key| ring.state(key, at(300)))
        .collect();
    assert_eq!(states, [State::Retiring, State::Retiring, State::Active]);
}

#[test]
fn a_pending_key_takes_over_when_the_active_one_is_retired() {
    let store = MemoryStore::new();
    store.generate("test", at(0), key(0)).unwrap();
    let slow = policy(DAY, HOUR);
    store.rotate("test", at(10), key(1), &slow).unwrap();
    store
        .retire("test", at(20), &kid(0), Duration::ZERO, false)
        .unwrap();
    let ring = store.load().unwrap();
    assert_eq!(ring.keys().len(), 1, "the old one is gone at once");
    let active = ring
        .active(Algorithm::Es384, at(20))
        .map(|key| key.kid().to_owned());
    assert_eq!(active, Some(kid(1)));

    // The other way round: the new key is given up, and the old one stays.
    store.rotate("test", at(30), key(2), &slow).unwrap();
    store.retire("test", at(40), &kid(2), DAY, false).unwrap();
    let ring = store.load().unwrap();
    assert_eq!(ring.keys().len(), 1, "what never signed needs no grace");
    assert_eq!(ring.keys()[0].retires(), None);
    store.rotate("test", at(50), key(3), &slow).unwrap();
}
