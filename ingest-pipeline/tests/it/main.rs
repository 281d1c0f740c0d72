//! Tests of the pipeline over its public API, with stores in memory.

mod faults;
mod order;
mod replay;
mod support;
