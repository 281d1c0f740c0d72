//! What a plan does: which way the data comes, where it goes, what goes wrong.

use std::fmt;

use crate::random::Random;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The EHR does what its catalogue of faults has, and more.
    Ehr,
    /// The FHIR server that is the store does.
    StoreServer,
    /// `kill -9` of our process.
    Kill,
    /// `kill -9` of the EHR, which comes back.
    KillEhr,
    /// `kill -9` of our key server, which comes back.
    KillKeys,
    /// Our process is asked to end.
    Terminate,
    /// No room on the disk, or files that may not grow.
    DiskFull,
    /// Our process is stopped again and again, for as long as a slow disk holds it up.
    SlowDisk,
    /// Our clock jumps, once or while it works.
    Clock,
    /// The same command runs twice at the same time.
    Twice,
    /// Bytes of the state database change between two runs.
    DamagedState,
    /// Bytes of the store change between two runs.
    DamagedStore,
    /// A file is cut: one of input, one that was downloaded, one of the archive.
    CutFile,
}

impl Fault {
    pub(crate) const ALL: [Self; 13] = [
        Self::Ehr,
        Self::StoreServer,
        Self::Kill,
        Self::KillEhr,
        Self::KillKeys,
        Self::Terminate,
        Self::DiskFull,
        Self::SlowDisk,
        Self::Clock,
        Self::Twice,
        Self::DamagedState,
        Self::DamagedStore,
        Self::CutFile,
    ];

    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ehr => "fault of the EHR",
            Self::StoreServer => "fault of the store's server",
            Self::Kill => "kill -9",
            Self::KillEhr => "kill -9 of the EHR",
            Self::KillKeys => "kill -9 of the key server",
            Self::Terminate => "SIGTERM",
            Self::DiskFull => "full disk",
            Self::SlowDisk => "slow disk",
            Self::Clock => "clock jump",
            Self::Twice => "two runs at once",
            Self::DamagedState => "damaged state",
            Self::DamagedStore => "damaged store",
            Self::CutFile => "cut file",
        }
    }

    /// Whether it happens between two runs and not in one.
    pub(crate) const fn is_damage(self) -> bool {
        matches!(
            self,
            Self::DamagedState | Self::DamagedStore | Self::CutFile
        )
    }

    /// Whether it can happen to a plan of this kind.
    const fn fits(self, channel: Channel, store: Store) -> bool {
        let (is_files, is_adt) = (
            matches!(channel, Channel::Files),
            matches!(channel, Channel::Messages),
        );
        let is_sqlite = matches!(store, Store::Sqlite);
        match self {
            Self::Ehr => !is_files,
            Self::StoreServer => !is_sqlite,
            Self::KillEhr => !is_files && is_sqlite,
            Self::KillKeys => !is_files && !is_adt && is_sqlite,
            Self::DamagedState => !is_files && is_sqlite,
            Self::DamagedStore | Self::DiskFull => is_sqlite,
            Self::Kill
            | Self::Terminate
            | Self::SlowDisk
            | Self::Clock
            | Self::Twice
            | Self::CutFile => true,
        }
    }

    /// Whether both can be in one plan: there is one EHR.
    const fn agrees(self, other: Self) -> bool {
        !matches!(
            (self, other),
            (Self::KillEhr, Self::Ehr | Self::KillKeys)
                | (Self::Ehr | Self::KillKeys, Self::KillEhr)
        )
    }
}

/// The way the data comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Files,
    /// Exports of everything.
    Full,
    /// Exports of what changed.
    Incremental,
    /// ADT.
    Messages,
}

/// Where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Server,
}

/// One experiment. The same seed and number give the same.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) number: u64,
    pub(crate) channel: Channel,
    pub(crate) store: Store,
    /// What goes wrong, round by round; the data changes between two rounds.
    pub(crate) rounds: Vec<Vec<Fault>>,
    /// For everything else that is left to chance.
    pub(crate) random: Random,
}

impl Plan {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::new(Random::new(seed).next() ^ Random::new(!number).next());
        // Each kind has its turn, whatever else is in the plan.
        let first = Fault::ALL[(number % Fault::ALL.len() as u64) as usize];
        let (channel, store) = loop {
            let channels = [
                Channel::Files,
                Channel::Full,
                Channel::Incremental,
                Channel::Messages,
            ];
            let channel = *random.pick(&channels);
            let store = match channel != Channel::Messages && random.chance(15) {
                true => Store::Server,
                false => Store::Sqlite,
            };
            if first.fits(channel, store) {
                break (channel, store);
            }
        };
        let mut faults = vec![first];
        for _ in 0..random.below(3) {
            let more = *random.pick(&Fault::ALL);
            let agrees = faults.iter().all(|own| own.agrees(more) && *own != more);
            if agrees && more.fits(channel, store) {
                faults.push(more);
            }
        }
        let rounds = match channel {
            Channel::Incremental => random.within(2, 3),
            _ => random.within(1, 2),
        };
        // A clock that was wrong shows when something follows.
        let follows = u64::from(faults.contains(&Fault::Clock));
        let mut rounds = vec![Vec::new(); rounds.max(1 + follows) as usize];
        for fault in faults {
            let last = if fault == Fault::Clock { follows } else { 0 };
            let round = random.below(rounds.len() as u64 - last) as usize;
            rounds[round].push(fault);
        }
        Self {
            number,
            channel,
            store,
            rounds,
            random,
        }
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = Fault> {
        self.rounds.iter().flatten().copied()
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults().any(|own| own == fault)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.rounds.iter().map(|faults| {
            let names: Vec<_> = faults.iter().map(|fault| fault.name()).collect();
            match names.is_empty() {
                true => "nothing".to_owned(),
                false => names.join(" + "),
            }
        });
        let rounds: Vec<_> = rounds.collect();
        write!(
            f,
            "plan {}: {:?} into {:?}; {}",
            self.number,
            self.channel,
            self.store,
            rounds.join(", then ")
        )
    }
}
