//! One input at a time: what it comes to, how long it takes, what it leaves.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Outcome, Settings, Target, write};

/// What may be wrong with an input.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Something panicked, or did not hold.
    Panic { place: String, message: String },
    /// It took longer than so many bytes may.
    Slow { took: Duration, length: usize },
    /// The process holds so much more memory than before.
    Memory { grown: u64, length: usize },
}

/// Reads inputs for one target.
pub(crate) struct Guard {
    check: fn(&[u8]) -> Outcome,
    allowance: Allowance,
    memory: bool,
    slowest: Duration,
    /// Most memory the process has had, in bytes, when it was last looked at.
    peak: u64,
    inputs: u64,
    current: Arc<Mutex<Current>>,
    /// Every input goes there first.
    written: Option<PathBuf>,
    /// Ends the watch when it is dropped.
    _watch: Sender<()>,
}

#[derive(Default)]
struct Current {
    since: Option<Instant>,
    bytes: Vec<u8>,
}

/// The time that every input may take, and what each of its bytes adds.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) base: Duration,
    pub(crate) per_byte: Duration,
}

impl Allowance {
    /// Whatever looks at a byte a few times stays far below; what looks at all
    /// for each does not.
    pub(crate) const USUAL: Self = Self {
        base: Duration::from_millis(50 * SLOWNESS),
        per_byte: Duration::from_micros(SLOWNESS),
    };

    fn of(self, length: usize) -> Duration {
        let bytes = self.per_byte * u32::try_from(length).unwrap_or(u32::MAX);
        self.base + bytes
    }
}

/// Builds that check everything, or are not optimized, are so much slower.
const SLOWNESS: u64 = if cfg!(debug_assertions) { 20 } else { 1 };
/// One that takes as long is not waited for.
const HANGS: Duration = Duration::from_secs(60);

/// What an input may leave behind or have taken, and what each of its bytes adds.
const MEMORY: u64 = 64 << 20;
const MEMORY_PER_BYTE: u64 = 256;
/// Looked at so often, since the corpus grows too.
const LOOKS: u64 = 256;
/// No input takes that much memory in less time.
const NOTEWORTHY: Duration = Duration::from_millis(1);

impl Guard {
    pub(crate) fn new(target: &Target, settings: &Settings) -> io::Result<Self> {
        listen();
        let current = Arc::new(Mutex::new(Current::default()));
        let stuck = settings.findings.join(format!("{}-stuck", target.name));
        let watch = watch(target.name, Arc::clone(&current), stuck)?;
        let written = settings.findings.join(format!("{}-current", target.name));
        Ok(Self {
            check: target.check,
            allowance: settings.allowance,
            memory: settings.memory,
            slowest: Duration::ZERO,
            peak: peak(),
            inputs: 0,
            current,
            written: settings.careful.then_some(written),
            _watch: watch,
        })
    }

    /// Reads an input; gives its outcome where it has one.
    pub(crate) fn run(&mut self, bytes: &[u8]) -> (Option<u64>, Option<Fault>) {
        if let Some(file) = &self.written {
            // Whoever asked for it sees that there is no file.
            let _ = write(file, bytes);
        }
        self.inputs += 1;
        if self.memory && self.inputs.is_multiple_of(LOOKS) {
            self.peak = peak();
        }
        let (took, result) = self.timed(bytes);
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(fault) => return (None, Some(fault)),
        };
        let length = bytes.len();
        let allowed = self.allowance.of(length);
        let mut least = took;
        // Others may have had the processor, and memory was new.
        for _ in 0..3 {
            if least <= allowed {
                break;
            }
            let before = processor_time();
            let (took, _) = self.timed(bytes);
            let own = processor_time().zip(before);
            least = least.min(own.map_or(took, |(after, before)| after.saturating_sub(before)));
        }
        self.slowest = self.slowest.max(least);
        let mut fault = None;
        if least > allowed {
            let took = least;
            fault = Some(Fault::Slow { took, length });
        }
        if self.memory && took > NOTEWORTHY {
            let before = std::mem::replace(&mut self.peak, peak());
            let grown = self.peak.saturating_sub(before);
            if grown > MEMORY + MEMORY_PER_BYTE * length as u64 {
                fault = Some(Fault::Memory { grown, length });
            }
        }
        (Some(outcome.fingerprint()), fault)
    }

    pub(crate) const fn slowest(&self) -> Duration {
        self.slowest
    }

    fn timed(&self, bytes: &[u8]) -> (Duration, Result<Outcome, Fault>) {
        let start = now();
        {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            current.since = Some(start);
            current.bytes.clear();
            current.bytes.extend_from_slice(bytes);
        }
        let result = caught(|| (self.check)(bytes));
        let took = start.elapsed();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.since = None;
        (took, result)
    }
}

impl Fault {
    /// Whether it is most likely the same fault.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Panic { place, .. }, Self::Panic { place: other, .. }) => place == other,
            (Self::Slow { .. }, Self::Slow { .. }) => true,
            (Self::Memory { .. }, Self::Memory { .. }) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic { place, message } => write!(f, "{place}: {message}"),
            Self::Slow { took, length } => write!(f, "took {took:?} for {length} bytes"),
            Self::Memory { grown, length } => {
                write!(f, "took {} MiB for {length} bytes", grown >> 20)
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long parsers take is a finding"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

thread_local! {
    /// What panicked on this thread, where somebody waits for it.
    static PANIC: RefCell<Option<Fault>> = const { RefCell::new(None) };
    static CATCHES: RefCell<bool> = const { RefCell::new(false) };
}

/// Panics of threads that fuzz are told to them, and printed for all others.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CATCHES.with_borrow(|catches| *catches) {
                return usual(info);
            }
            let place = info
                .location()
                .map_or_else(String::new, ToString::to_string);
            let message = text(info.payload());
            PANIC.set(Some(Fault::Panic { place, message }));
        }));
    });
}

fn caught(run: impl FnOnce() -> Outcome) -> Result<Outcome, Fault> {
    CATCHES.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    CATCHES.set(false);
    result.map_err(|payload| {
        let fault = PANIC.take();
        fault.unwrap_or_else(|| Fault::Panic {
            place: "a thread".to_owned(),
            message: text(&*payload),
        })
    })
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").to_owned()
}

/// Ends the process over an input that never comes to an end.
fn watch(
    name: &'static str,
    current: Arc<Mutex<Current>>,
    file: PathBuf,
) -> io::Result<Sender<()>> {
    let (ends, ended) = mpsc::channel();
    let look = move || {
        while ended.recv_timeout(HANGS / 4) == Err(RecvTimeoutError::Timeout) {
            let current = current.lock().unwrap_or_else(PoisonError::into_inner);
            if current.since.is_some_and(|since| since.elapsed() > HANGS) {
                let kept = write(&file, &current.bytes).is_ok();
                stuck(name, &file, kept);
                process::abort();
            }
        }
    };
    thread::Builder::new()
        .name(format!("{name} watch"))
        .spawn(look)?;
    Ok(ends)
}

#[expect(clippy::print_stderr, reason = "the last words of the process")]
fn stuck(name: &str, file: &std::path::Path, kept: bool) {
    let file = if kept {
        file.display().to_string()
    } else {
        String::new()
    };
    eprintln!("{name}: an input takes longer than {HANGS:?}: {file}");
}

/// How long this thread has had a processor; nothing where the system doesn't
/// say.
fn processor_time() -> Option<Duration> {
    let status = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = status.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// The most memory this process has had, in bytes; nothing where the system
/// doesn't say.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes << 10)
}
