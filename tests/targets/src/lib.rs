//! The fuzz targets, as functions of bytes. The nightly toolchain fuzzes them, and the stable one
//! replays their corpora.
//!
//! Each target is a function that panics on a finding. Its file lists what it catches. It returns
//! what an input has reached as a set of words, so that a test can require a corpus to reach what
//! matters.

mod answers;
mod cli;
mod config;
mod driver;
mod events;
mod journal;
mod many;
mod reference;
mod watch;

use std::collections::BTreeSet;

/// What an input has reached, in words.
pub type Sights = BTreeSet<&'static str>;

/// A target that says what its input has reached.
pub type Target = fn(&[u8]) -> Sights;

/// Every target by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("answers", answers::run),
    ("cli", cli::run),
    ("config", config::run),
    ("driver", driver::run),
    ("events", events::run),
    ("journal", journal::run),
    ("reference", reference::run),
];

/// Close frames and HTTP answers: see `answers.rs`.
pub fn answers(bytes: &[u8]) {
    answers::run(bytes);
}

/// The program's parsers: see `cli.rs`.
pub fn cli(bytes: &[u8]) {
    cli::run(bytes);
}

/// Configurations: see `config.rs`.
pub fn config(bytes: &[u8]) {
    config::run(bytes);
}

/// The tokio driver: see `driver.rs`.
pub fn driver(bytes: &[u8]) {
    driver::run(bytes);
}

/// The core: see `events.rs`.
pub fn events(bytes: &[u8]) {
    events::run(bytes);
}

/// Journals: see `journal.rs`.
pub fn journal(bytes: &[u8]) {
    journal::run(bytes);
}

/// Compares the core with the model of its contract: see `reference.rs`.
pub fn reference(bytes: &[u8]) {
    reference::run(bytes);
}
