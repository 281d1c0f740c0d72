//! What happens to a process while it works.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fhir_http::{Clock as _, SystemClock};

use crate::clock::JumpingClock;
use crate::folder::{Folder, Shared};
use crate::plan::Fault;
use crate::random::Random;

/// When something happens, from the start of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    After(Duration),
    /// Once so many bytes more are in the folder.
    Bytes(u64),
}

impl Moment {
    fn random(random: &mut Random) -> Self {
        match random.chance(50) {
            true => Self::After(random.millis(400)),
            false => Self::Bytes(random.below(700_000)),
        }
    }
}

/// What is to happen to a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hazards {
    pub(crate) kill: Option<Moment>,
    pub(crate) terminate: Option<Moment>,
    /// It is held up now and then, as by a disk that is slow.
    pub(crate) slow: Option<u64>,
    /// When its clock jumps, and by how many milliseconds.
    pub(crate) jump: Option<(Moment, i64)>,
}

impl Hazards {
    pub(crate) fn of(faults: &[Fault], random: &mut Random) -> Self {
        let mut hazards = Self::default();
        for fault in faults {
            match fault {
                Fault::Kill => hazards.kill = Some(Moment::random(random)),
                Fault::Terminate => hazards.terminate = Some(Moment::random(random)),
                Fault::SlowDisk => hazards.slow = Some(random.next()),
                Fault::Clock => {
                    // From less than anybody notices to years, both ways.
                    let size = random.pick(&[20_000, 7_200_000, 90_000_000, 63_000_000_000]);
                    let by = if random.chance(60) { *size } else { -size };
                    let at_once = random.chance(60);
                    let moment = match at_once {
                        true => Moment::After(Duration::ZERO),
                        false => Moment::random(random),
                    };
                    hazards.jump = Some((moment, by));
                }
                _ => {}
            }
        }
        hazards
    }

    /// Lets them happen to a process, from another thread.
    pub(crate) fn begin(
        self,
        child: &Shared,
        folder: PathBuf,
        clock: Option<JumpingClock>,
    ) -> Happening {
        let over = Arc::new(AtomicBool::new(false));
        if let (Some((Moment::After(Duration::ZERO), by)), Some(clock)) = (self.jump, &clock) {
            clock.set(by);
        }
        let happening = Thread {
            child: child.clone(),
            over: Arc::clone(&over),
            base: Folder::bytes(&folder),
            folder,
            clock,
        };
        Happening {
            over,
            thread: Some(thread::spawn(move || happening.run(self))),
        }
    }
}

/// What did happen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Happened {
    pub(crate) killed: bool,
    pub(crate) terminated: bool,
}

/// Hazards at work, until this is ended or dropped.
pub(crate) struct Happening {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Happened>>,
}

impl Happening {
    pub(crate) fn end(mut self) -> Happened {
        self.stop()
    }

    fn stop(&mut self) -> Happened {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Happening {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Thread {
    child: Shared,
    over: Arc<AtomicBool>,
    /// Bytes in the folder before.
    base: u64,
    folder: PathBuf,
    clock: Option<JumpingClock>,
}

impl Thread {
    fn run(self, mut hazards: Hazards) -> Happened {
        let mut happened = Happened::default();
        let mut random = hazards.slow.map(Random::new);
        let begin = SystemClock.now();
        let mut next_stop = Duration::ZERO;
        while !self.over.load(Ordering::Relaxed) && !self.child.is_over() {
            let elapsed = SystemClock.now().duration_since(begin).unwrap_or_default();
            let is_due = |moment: Moment| match moment {
                Moment::After(time) => elapsed >= time,
                Moment::Bytes(bytes) => {
                    Folder::bytes(&self.folder).saturating_sub(self.base) >= bytes
                }
            };
            if let Some((moment, by)) = hazards.jump
                && is_due(moment)
            {
                hazards.jump = None;
                self.clock.iter().for_each(|clock| clock.set(by));
            }
            if hazards.terminate.is_some_and(is_due) {
                hazards.terminate = None;
                happened.terminated = self.child.signal("TERM");
            }
            if hazards.kill.is_some_and(is_due) {
                self.child.kill();
                happened.killed = true;
                break;
            }
            if let Some(random) = &mut random
                && elapsed >= next_stop
            {
                self.child.signal("STOP");
                SystemClock.sleep(random.millis(120));
                self.child.signal("CONT");
                next_stop = elapsed + random.millis(150);
            }
            SystemClock.sleep(Duration::from_micros(500));
        }
        happened
    }
}
