//! What the async driver alone does: wakers, futures, tasks, runtimes.

mod asking;
mod budget;
mod corking;
mod failing_writes;
mod fleet;
mod footprint;
mod lifecycle;
mod outcomes;
mod pressure;
mod requests;
mod second_runtime;
mod slow_reader;
mod spawned;
mod stall;
mod unread;
