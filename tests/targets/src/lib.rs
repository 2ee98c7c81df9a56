//! The fuzz targets. The nightly toolchain fuzzes them with bytes, and the stable one replays plans:
//! seeds and findings as texts.
//!
//! Each target has an `Input`, the plan of a run, which panics on a finding. Its file lists what it
//! catches. `bytes.rs` turns bytes into plans and back. A run returns what it has reached as a set of
//! words, so that a test can require the seeds to reach what matters.

mod answers;
mod bytes;
mod cli;
mod codec;
mod config;
mod driver;
mod events;
mod frames;
mod journal;
mod plans;
mod reference;
mod roles;
mod watch;

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};

pub use self::plans::{Files, corpus, plans};

/// What an input has reached, in words.
pub type Sights = BTreeSet<&'static str>;

/// The plan of a run.
trait Input: Serialize + DeserializeOwned {
    /// A text has a line for each part of a plan, down to this depth.
    const DEPTH: usize = 2;

    /// Panics on a finding.
    fn run(self) -> Sights;
}

/// A target: the same plan as bytes and as text.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its corpus.
    pub name: &'static str,
    run: fn(&[u8]) -> Sights,
    text: fn(&[u8]) -> Result<String, ron::Error>,
    bytes: fn(&str) -> Result<Vec<u8>, ron::error::SpannedError>,
}

/// Close frames and HTTP answers: see `answers.rs`.
pub const ANSWERS: Target = Target::new::<answers::Input>("answers");

/// The program's parsers: see `cli.rs`.
pub const CLI: Target = Target::new::<cli::Input>("cli");

/// Configurations: see `config.rs`.
pub const CONFIG: Target = Target::new::<config::Input>("config");

/// The tokio driver: see `driver.rs`.
pub const DRIVER: Target = Target::new::<driver::Input>("driver");

/// The core: see `events.rs`.
pub const EVENTS: Target = Target::new::<events::Input>("events");

/// Frames that the codec reads: see `frames.rs`.
pub const FRAMES: Target = Target::new::<frames::Input>("frames");

/// Journals: see `journal.rs`.
pub const JOURNAL: Target = Target::new::<journal::Input>("journal");

/// The core, compared with the model of its contract: see `reference.rs`.
pub const REFERENCE: Target = Target::new::<reference::Input>("reference");

/// Frames that one role writes and the other reads: see `roles.rs`.
pub const ROLES: Target = Target::new::<roles::Input>("roles");

/// Every target. The fuzzer runs a constant above, because this list links all of them.
pub const TARGETS: &[Target] =
    &[ANSWERS, CLI, CONFIG, DRIVER, EVENTS, FRAMES, JOURNAL, REFERENCE, ROLES];

impl Target {
    const fn new<I: Input>(name: &'static str) -> Self {
        Self {
            name,
            run: |bytes| bytes::decode::<I>(bytes).run(),
            text: |bytes| {
                let plan = bytes::decode::<I>(bytes);
                let layout = ron::ser::PrettyConfig::new().depth_limit(I::DEPTH);
                let lines =
                    ron::ser::to_string_pretty(&plan, layout.clone().escape_strings(false))?;
                if lines.chars().any(|char| char.is_control() && char != '\n') {
                    return ron::ser::to_string_pretty(&plan, layout);
                }
                Ok(lines)
            },
            bytes: |text| Ok(bytes::encode::<I>(&ron::from_str(text)?)),
        }
    }

    /// The target of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        TARGETS.iter().find(|target| target.name == name).copied()
    }

    /// Runs the plan of these bytes. Returns what it has reached.
    ///
    /// # Panics
    /// On a finding.
    pub fn run(&self, bytes: &[u8]) -> Sights {
        (self.run)(bytes)
    }

    /// The plan of these bytes as a text.
    ///
    /// # Errors
    /// The part that no text can express.
    pub fn text(&self, bytes: &[u8]) -> Result<String, ron::Error> {
        (self.text)(bytes)
    }

    /// The bytes of the plan that this text describes.
    ///
    /// # Errors
    /// Where the text is no plan.
    pub fn bytes(&self, text: &str) -> Result<Vec<u8>, ron::error::SpannedError> {
        (self.bytes)(text)
    }
}
