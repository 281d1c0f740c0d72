//! Runs plans, some at a time: they wait more than they work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use fhir_http::{Clock as _, SystemClock};

use crate::bulk::Bulk;
use crate::channel::Channel;
use crate::files::Files;
use crate::finding::{Finding, Result};
use crate::messages::Messages;
use crate::plan::{Channel as Kind, Fault, Plan};
use crate::report::{Outcome, Report};
use crate::site::{STATE, STORE, Tally};

/// Runs these plans of a seed. `hear` is told of each that has ended.
pub(crate) fn run(
    seed: u64,
    numbers: &[u64],
    parallel: usize,
    hear: &(dyn Fn(&Outcome) + Sync),
) -> Report {
    let begin = SystemClock.now();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..parallel.max(1) {
            scope.spawn(|| {
                while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = outcome(Plan::new(seed, *number));
                    hear(&outcome);
                    let mut all = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.plan.number);
    let elapsed = SystemClock.now().duration_since(begin);
    Report::new(seed, elapsed.unwrap_or_default(), outcomes)
}

fn outcome(plan: Plan) -> Outcome {
    let mut tally = Tally::new();
    let carried_out = catch_unwind(AssertUnwindSafe(|| carry_out(&plan, &mut tally)));
    let findings = match carried_out {
        Ok(Ok(())) => Vec::new(),
        Ok(Err(findings)) => findings,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            let text = format!("the plan itself fails: {}", text.unwrap_or_default());
            vec![Finding::wrong(text)]
        }
    };
    Outcome {
        plan,
        findings,
        tally,
    }
}

fn carry_out(plan: &Plan, tally: &mut Tally) -> Result<()> {
    let mut channel: Box<dyn Channel> = match plan.channel {
        Kind::Files => Box::new(Files::new(plan)),
        Kind::Full | Kind::Incremental => Box::new(Bulk::new(plan)?),
        Kind::Messages => Box::new(Messages::new(plan)?),
    };
    let result = rounds(plan, channel.as_mut());
    *tally = std::mem::take(&mut channel.site().tally);
    result
}

fn rounds(plan: &Plan, channel: &mut dyn Channel) -> Result<()> {
    for faults in &plan.rounds {
        channel.evolve();
        let (between, during): (Vec<_>, Vec<_>) =
            faults.iter().copied().partition(|fault| fault.is_damage());
        if !during.is_empty() {
            channel.disturbed(&during)?;
        }
        for fault in between {
            // There has to be something that can be damaged.
            let is_first = during.is_empty() && fault != Fault::CutFile;
            if is_first && channel.site().random.chance(60) {
                channel.disturbed(&[Fault::Kill])?;
            }
            channel.site().count(fault.name());
            match fault {
                Fault::DamagedState => channel.damaged(STATE)?,
                Fault::DamagedStore => channel.damaged(STORE)?,
                _ => channel.cut()?,
            }
        }
        channel.settle()?;
    }
    channel.replay()
}
