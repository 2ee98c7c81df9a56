//! Journals: bytes go as a journal file to the reader, the replay and `gateway replay`. A recorder
//! also writes journals of histories, whole and damaged.
//!
//! Catches: a panic or an endless loop on any file; damage that is reported with a line that does
//! not exist; entries after an error; a recorded history that does not read back, or does not
//! replay as recorded (I9); a lost, duplicated or moved line, or a truncated end, without an error.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use gateway_journal::{Journal, JournalError, Line, Recorder, Step};
use gateway_testkit::history::{Plan, run_observed};
use serde::{Deserialize, Serialize};

use crate::Sights;

#[derive(Serialize, Deserialize)]
pub(crate) enum Input {
    File(#[serde(with = "serde_bytes")] Vec<u8>),
    Recorded(Damage, Box<Plan>),
}

/// What becomes of a journal on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Damage {
    Whole,
    /// A byte is another.
    Byte(u32, u8),
    /// A byte is missing.
    Hole(u32),
    /// The rest is missing from here on.
    Cut(u32),
    LineLost(u16),
    LineDoubled(u16),
    LinesSwapped(u16),
}

/// A file in memory that outlives its recorder.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl crate::Input for Input {
    fn run(self) -> Sights {
        let mut sights = Sights::new();
        match self {
            Self::File(file) => drop(read(&file, &mut sights)),
            Self::Recorded(damage, plan) => recorded(&damage, &plan, &mut sights),
        }
        sights
    }
}

/// What a file comes to: the steps before an error, if there is one.
fn read(file: &[u8], sights: &mut Sights) -> (Vec<Step>, Option<JournalError>) {
    let lines = file.split(|byte| *byte == b'\n').count() as u64;
    let (mut steps, mut broken) = (Vec::new(), None);
    match Journal::read(file) {
        Ok(journal) => {
            sights.insert("head");
            let mut replayed = journal.replay();
            for step in &mut replayed {
                match step {
                    Ok(step) => {
                        let line = steps.last().map_or(1, |step: &Step| step.entry.line);
                        assert!(step.entry.line > line, "a line is out of order");
                        assert!(!step.description().to_string().contains('\n'));
                        assert!(!step.recorded().to_string().contains('\n'));
                        steps.push(step);
                    }
                    Err(error) => {
                        assert!(broken.is_none(), "a second error: {error}");
                        broken = Some(error);
                    }
                }
            }
            assert!(replayed.next().is_none(), "it goes on after its end");
            assert!(steps.len() as u64 <= lines, "more steps than lines");
        }
        Err(error) => broken = Some(error),
    }
    if !steps.is_empty() {
        sights.insert("entries");
    }
    if steps.iter().any(|step| step.entry.spoken.iter().any(|call| !call.effects.is_empty())) {
        sights.insert("effects");
    }
    if steps.iter().any(|step| !step.is_as_recorded()) {
        sights.insert("difference");
    }
    match &broken {
        Some(error) => {
            sights.insert(if error.is_broken_off() { "broken off" } else { "damaged" });
            assert!((1..=lines).contains(&error.line()), "{error}, of {lines} lines");
        }
        None => drop(sights.insert("whole")),
    }
    if has_facts(file) {
        sights.insert("facts");
    }
    tells_the_same(file, &steps, broken.as_ref());
    (steps, broken)
}

/// Whether a line is about messages or requests. Each is shown as one line.
fn has_facts(file: &[u8]) -> bool {
    let Ok(journal) = Journal::read(file) else { return false };
    let mut has_facts = false;
    for line in journal {
        if let Ok(Line::Sending(entry)) = line {
            assert!(!entry.to_string().contains('\n'));
            has_facts = true;
        }
    }
    has_facts
}

/// The program reports the same about the file as the library, and shows a damaged one as far as readable.
fn tells_the_same(file: &[u8], steps: &[Step], broken: Option<&JournalError>) {
    let differences = steps.iter().filter(|step| !step.is_as_recorded()).count() as u64;
    let replayed = gateway_cli::parsers::replayed(file);
    match (replayed.end, broken) {
        (Ok(told), None) => assert_eq!(told, differences),
        (Err(text), Some(error)) => assert_eq!(text, error.to_string()),
        (told, broken) => panic!("the program has {told:?}, the library {broken:?}"),
    }
    let scenario = gateway_cli::parsers::scenario(file);
    match (scenario.end, broken) {
        (Ok(()), None) => assert!(!scenario.text.is_empty(), "a scenario of nothing"),
        (Ok(()), Some(error)) => panic!("the scenario does not say: {error}"),
        // The journal's error comes after the readable part. Without one, the settings may be unwritable.
        (Err(text), broken) if !scenario.text.is_empty() => {
            assert_eq!(Some(text), broken.map(ToString::to_string));
        }
        (Err(text), _) => assert!(!text.is_empty(), "no scenario, and no reason"),
    }
}

fn recorded(damage: &Damage, plan: &Plan, sights: &mut Sights) {
    let shared = Shared::default();
    let recorder = Recorder::new(shared.clone(), |error| panic!("{error}"));
    let world = run_observed(plan, recorder);
    if let Err(violation) = world {
        panic!("{violation}");
    }
    drop(world); // which writes the end
    let file = mem::take(&mut *shared.0.lock().unwrap_or_else(PoisonError::into_inner));

    let damaged = damage.done_to(&file);
    let (steps, broken) = read(&damaged, sights);
    if damaged == file {
        assert!(broken.is_none(), "what was recorded does not read back: {broken:?}");
        let other = steps.iter().find(|step| !step.is_as_recorded());
        assert!(other.is_none(), "it does not replay as recorded: {other:?}");
        sights.insert("as recorded");
        return;
    }
    let is_told = broken.is_some();
    match damage {
        Damage::Whole => panic!("nothing was done to it"),
        // What is damaged may be one that says as much, or settles nothing.
        Damage::Byte(..) | Damage::Hole(_) => {}
        // The last newline alone says nothing.
        Damage::Cut(_) if damaged.len() + 1 == file.len() => assert!(!is_told),
        Damage::Cut(_) => {
            assert!(is_told, "a cut is not told");
            sights.insert("cut");
        }
        Damage::LineLost(_) | Damage::LineDoubled(_) | Damage::LinesSwapped(_) => {
            assert!(is_told, "{damage:?} is not told");
            sights.insert("lines out of order");
        }
    }
}

impl Damage {
    fn done_to(&self, file: &[u8]) -> Vec<u8> {
        let at = |index: &u32| *index as usize % file.len();
        match self {
            Self::Whole => file.to_vec(),
            Self::Byte(index, byte) => {
                let mut file = file.to_vec();
                let index = at(index);
                file[index] = *byte;
                file
            }
            Self::Hole(index) => [&file[..at(index)], &file[at(index) + 1..]].concat(),
            Self::Cut(index) => file[..at(index)].to_vec(),
            Self::LineLost(_) | Self::LineDoubled(_) | Self::LinesSwapped(_) => {
                let mut lines: Vec<_> = file.split_inclusive(|byte| *byte == b'\n').collect();
                self.done_to_lines(&mut lines);
                lines.concat()
            }
        }
    }

    fn done_to_lines(&self, lines: &mut Vec<&[u8]>) {
        let at = |index: &u16| usize::from(*index) % lines.len();
        match self {
            Self::LineLost(index) => drop(lines.remove(at(index))),
            Self::LineDoubled(index) => lines.insert(at(index), lines[at(index)]),
            Self::LinesSwapped(index) => {
                let (one, other) = (at(index), (at(index) + 1) % lines.len());
                lines.swap(one, other);
            }
            Self::Whole | Self::Byte(..) | Self::Hole(_) | Self::Cut(_) => {}
        }
    }
}
