//! What a person sees while a job runs.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, SystemTime};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ingest_pipeline::{Clock, Event, Observer, TypeCounts};
use tracing::{info, warn};

use crate::args::Global;
use crate::report;

/// Time between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// Refused records logged one by one; after that, their number will do.
const LOGGED: u64 = 20;

/// Shows progress on standard error: a bar on a terminal, else a line now and
/// then. Refused records and files are logged.
pub(crate) struct Progress<'c> {
    clock: &'c dyn Clock,
    shape: Shape,
    bytes: u64,
    started: SystemTime,
    last_line: SystemTime,
    refused: u64,
    /// Files of an export: all, and those begun.
    files: (usize, usize),
    state: String,
}

type Types = BTreeMap<&'static str, TypeCounts>;

enum Shape {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

impl<'c> Progress<'c> {
    pub(crate) fn new(global: &Global, clock: &'c dyn Clock) -> Self {
        let shape = if global.quiet || global.no_progress {
            Shape::Nothing
        } else if std::io::stderr().is_terminal() {
            Shape::Bar(ProgressBar::with_draw_target(
                None,
                ProgressDrawTarget::stderr_with_hz(5),
            ))
        } else {
            Shape::Lines
        };
        let now = clock.now();
        Self {
            clock,
            shape,
            bytes: 0,
            started: now,
            last_line: now,
            refused: 0,
            files: (0, 0),
            state: String::new(),
        }
    }

    fn start(&mut self, bytes: u64) {
        self.bytes = bytes;
        // Not with the time that a server took before.
        self.started = self.clock.now();
        let Shape::Bar(bar) = &self.shape else { return };
        bar.reset();
        let template = if bytes > 0 {
            bar.set_length(bytes);
            "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} ETA {eta}  {msg}"
        } else {
            "{spinner} {bytes} {binary_bytes_per_sec}  {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
    }

    fn progress(&mut self, bytes: u64, resources: u64, by_type: &Types) {
        let now = self.clock.now();
        let elapsed = now.duration_since(self.started).unwrap_or_default();
        let seconds = elapsed.as_secs_f64().max(0.001);
        let rate = resources as f64 / seconds;
        let counts = format!(
            "{}{resources} resources, {rate:.0}/s{}",
            self.of_files(),
            largest(by_type)
        );
        match &self.shape {
            Shape::Nothing => {}
            Shape::Bar(bar) => {
                bar.set_position(bytes);
                bar.set_message(counts);
            }
            Shape::Lines => {
                if now.duration_since(self.last_line).unwrap_or_default() < LINES {
                    return;
                }
                self.last_line = now;
                let speed = bytes as f64 / seconds / 1e6;
                let Some(share) = (bytes * 100).checked_div(self.bytes) else {
                    report::note(&format!("{counts}, {speed:.1} MB/s"));
                    return;
                };
                let left = self.bytes.saturating_sub(bytes) as f64 * seconds / bytes.max(1) as f64;
                report::note(&format!(
                    "{share}% of the input, {counts}, {speed:.1} MB/s, about {left:.0} s left"
                ));
            }
        }
    }

    /// Where an export is: files come in while others are loaded.
    fn of_files(&self) -> String {
        match self.files {
            (0, _) => String::new(),
            (all, begun) => {
                let state = if begun < all {
                    "downloading"
                } else {
                    "processing"
                };
                format!("{state}, file {begun} of {all}, ")
            }
        }
    }

    /// Tells that a server is not done yet.
    fn waiting(&mut self, message: Option<&str>, elapsed: Duration, wait: Duration) {
        let message = message
            .map(|message| format!("\"{message}\", "))
            .unwrap_or_default();
        let text = format!(
            "{}: {message}{} s so far, asking again in {:.1} s",
            self.state,
            elapsed.as_secs(),
            wait.as_secs_f64()
        );
        match &self.shape {
            Shape::Nothing => {}
            Shape::Bar(bar) => {
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                    bar.set_style(style);
                }
                bar.set_message(text);
                bar.tick();
            }
            Shape::Lines => {
                let now = self.clock.now();
                if now.duration_since(self.last_line).unwrap_or_default() >= LINES {
                    self.last_line = now;
                    report::note(&text);
                }
            }
        }
    }

    /// Runs what writes to standard error without a bar in its way.
    fn aside(&self, write: impl FnOnce()) {
        match &self.shape {
            Shape::Bar(bar) => bar.suspend(write),
            _ => write(),
        }
    }
}

impl Observer for Progress<'_> {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Started { run, bytes, files } => {
                self.aside(|| info!(run, bytes, files, "started"));
                self.start(bytes);
            }
            Event::File { name } => {
                self.files.1 += 1;
                self.aside(|| info!(file = name, "reading"));
            }
            Event::Export { run, since } => {
                self.aside(|| info!(run, since = since.unwrap_or("the beginning"), "exporting"));
            }
            Event::State { state } => {
                state.clone_into(&mut self.state);
                self.aside(|| info!(state, "the run goes on"));
            }
            Event::Waiting {
                message,
                elapsed,
                wait,
                failures,
            } => {
                if failures > 0 {
                    self.aside(|| warn!(failures, "the server gives no usable answer"));
                }
                self.waiting(message, elapsed, wait);
            }
            Event::Manifest { files, resources } => {
                self.files = (files, 0);
                self.aside(|| info!(files, resources, "the export is ready"));
            }
            Event::Notice { text } if !matches!(self.shape, Shape::Nothing) => {
                self.aside(|| report::note(text));
            }
            Event::Progress {
                bytes,
                resources,
                by_type,
            } => self.progress(bytes, resources, by_type),
            Event::Quarantined {
                file,
                line,
                reason,
                detail,
            } => {
                self.refused += 1;
                if self.refused <= LOGGED {
                    self.aside(|| warn!(file, line, reason, detail, "record quarantined"));
                } else if self.refused == LOGGED + 1 {
                    self.aside(|| {
                        warn!("more records quarantined; they are not logged one by one")
                    });
                }
            }
            Event::FileRefused { file, reason } => {
                self.aside(|| warn!(file, reason, "file refused"));
            }
            Event::Settling { records } => {
                self.aside(|| info!(records, "writing what had to wait for all of the input"));
            }
            Event::Finished(_) => {
                if let Shape::Bar(bar) = &self.shape {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }
}

/// The types with the most resources, and how many they have.
fn largest(types: &Types) -> String {
    const SHOWN: usize = 4;
    let mut counts: Vec<_> = types
        .iter()
        .map(|(name, counts)| (counts.resources, *name))
        .collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let shown: Vec<_> = counts
        .iter()
        .take(SHOWN)
        .map(|(count, name)| format!("{name} {count}"))
        .collect();
    let others = match counts.len().saturating_sub(SHOWN) {
        0 => String::new(),
        others => format!(", {others} types more"),
    };
    if shown.is_empty() {
        return String::new();
    }
    format!(" ({}{others})", shown.join(", "))
}
