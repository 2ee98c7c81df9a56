//! The command `gateway replay`: replays a journal's events and compares the actions with the recorded
//! ones, or prints the scenario that [`walk`] makes of the journal.

mod tale;
mod walk;
mod words;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use gateway_journal::{
    Description, Journal, JournalError, Line, Problem, Replay, SendingEntry, Step, sending_words,
};
use thiserror::Error;

use crate::{
    demo::screen::{Paint, Painter},
    stdio,
};

const STATUS: &str = "\
Exit status: 0 all as recorded, 1 a difference, or a journal that is damaged or breaks off,
2 usage error, or the file cannot be read.";

/// The command line of `gateway replay`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct ReplayArgs {
    /// A journal that `--record` wrote, or - for stdin.
    file: PathBuf,

    /// Shows only the differences and the summary.
    #[arg(long)]
    quiet: bool,

    /// Does not replay the journal, but prints it as a scenario of the testkit: a Rust function with
    /// this name.
    #[arg(long, value_name = "NAME", value_parser = function_name, conflicts_with = "quiet")]
    scenario: Option<String>,
}

/// Runs the command. Returns 0 if every action is as recorded. Returns 1 after a difference or if the
/// journal is damaged or breaks off, 2 if it cannot be read.
pub(crate) fn run(args: &ReplayArgs) -> ExitCode {
    let is_stdin = args.file == Path::new("-");
    let name = if is_stdin { "stdin".to_owned() } else { args.file.display().to_string() };
    let reader: Box<dyn BufRead> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        match File::open(&args.file) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => return fail(format_args!("cannot open {name}: {error}"), 2),
        }
    };
    let stdout = match stdio::lines() {
        Ok(stdout) => stdout,
        Err(error) => return crate::log::cannot_write(&error),
    };
    let ended = match &args.scenario {
        Some(function) => tell(function, reader, stdout).map(|()| 0),
        None => {
            let painter = Painter::of_stdout();
            replay(reader, &mut Show { quiet: args.quiet, painter }, stdout)
        }
    };
    match ended {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(Ended::Stdout(error)) => crate::log::cannot_write(&error),
        Err(Ended::NotTold(error)) => fail(format_args!("{name}: {error}"), 1),
        Err(Ended::Journal(error)) => fail_at(&name, &error),
    }
}

/// Writes the journal as a scenario, as far as it can be read: the missing part may not matter.
pub(crate) fn tell(
    function: &str,
    reader: impl BufRead,
    mut stdout: impl Write,
) -> Result<(), Ended> {
    let mut journal = Journal::read(reader).map_err(Ended::Journal)?;
    let (mut entries, mut sendings, mut broken) = (Vec::new(), 0_u64, None);
    for line in &mut journal {
        match line {
            Ok(Line::Event(entry)) => entries.push(entry),
            Ok(Line::Sending(_)) => sendings = sendings.saturating_add(1),
            Err(error) => broken = Some(error),
        }
    }
    let tale = walk::tell(function, journal.head(), &entries, sendings).map_err(Ended::NotTold)?;
    writeln!(stdout, "{tale}").and_then(|()| stdout.flush()).map_err(Ended::Stdout)?;
    broken.map_or(Ok(()), |error| Err(Ended::Journal(error)))
}

/// The name of a function of Rust, in snake case.
fn function_name(name: &str) -> Result<String, &'static str> {
    let is_word =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    if begins && name.chars().all(is_word) {
        return Ok(name.to_owned());
    }
    Err("must be a function name in snake case, such as a_pong_that_came_late")
}

#[derive(Debug, Error)]
pub(crate) enum Ended {
    #[error("{0}")]
    Journal(JournalError),
    #[error("{0}")]
    NotTold(walk::NotTold),
    #[error("{0}")]
    Stdout(io::Error),
}

/// Replays the whole journal, also past a difference. Returns the number of differences.
pub(crate) fn replay(
    reader: impl BufRead,
    show: &mut Show,
    mut stdout: impl Write,
) -> Result<u64, Ended> {
    let (mut events, mut differences, mut broken) = (0_u64, 0_u64, None);
    let journal = Journal::read(reader).map_err(Ended::Journal)?;
    let mut replay = Replay::new(journal.head());
    for line in journal {
        match line {
            Ok(Line::Event(entry)) => {
                let step = replay.step(entry);
                events = events.saturating_add(1);
                differences = differences.saturating_add(u64::from(!step.is_as_recorded()));
                show.step(&step, &mut stdout).map_err(Ended::Stdout)?;
            }
            Ok(Line::Sending(entry)) => {
                show.sending(&entry, &mut stdout).map_err(Ended::Stdout)?;
            }
            Err(error) => broken = Some(error), // and the last
        }
    }
    show.summary(events, differences, broken.as_ref(), &mut stdout)
        .and_then(|()| stdout.flush())
        .map_err(Ended::Stdout)?;
    broken.map_or(Ok(differences), |error| Err(Ended::Journal(error)))
}

/// How steps are shown.
pub(crate) struct Show {
    quiet: bool,
    painter: Painter,
}

impl Show {
    pub(crate) fn everything(painter: Painter) -> Self {
        Self { quiet: false, painter }
    }

    fn step(&mut self, step: &Step, into: &mut impl Write) -> io::Result<()> {
        if step.is_as_recorded() {
            return if self.quiet { Ok(()) } else { self.line(&step.description(), into) };
        }
        let title = format!("line {}: differs from the recording", step.entry.line);
        writeln!(into, "{}", self.painter.paint(Paint::Bad, title))?;
        write!(into, "  recorded ")?;
        self.line(&step.recorded(), into)?;
        write!(into, "  now      ")?;
        self.line(&step.description(), into)
    }

    fn sending(&self, entry: &SendingEntry, into: &mut impl Write) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let time = self.painter.paint(Paint::Faint, entry.time());
        writeln!(into, "{time}  {}", sending_words(&entry.fact))
    }

    fn summary(
        &self,
        events: u64,
        differences: u64,
        broken: Option<&JournalError>,
        into: &mut impl Write,
    ) -> io::Result<()> {
        write!(into, "{events} events replayed")?;
        match (differences, broken) {
            (0, None) => {
                let verdict = self.painter.paint(Paint::Good, "all as recorded".to_owned());
                write!(into, ": {verdict}")?;
            }
            (0, Some(_)) => write!(into, " as recorded")?,
            (many, _) => {
                let plural = if many == 1 { "" } else { "s" };
                let verdict = format!("{many} difference{plural}");
                write!(into, ": {}", self.painter.paint(Paint::Bad, verdict))?;
            }
        }
        if let Some(error) = broken {
            let line = error.line();
            let end = if error.is_broken_off() {
                format!(
                    "the recording breaks off at line {line}: the program was killed, or the file was cut"
                )
            } else {
                format!("the journal cannot be read from line {line} on")
            };
            write!(into, ", then {}", self.painter.paint(Paint::Bad, end))?;
        }
        writeln!(into)
    }

    fn line(&self, line: &Description, into: &mut impl Write) -> io::Result<()> {
        let Description { time, event, state, actions, .. } = line;
        let time = self.painter.paint(Paint::Faint, time);
        let state = self.painter.state(*state, Description::STATE_WIDTH);
        let wide = Description::EVENT_WIDTH;
        writeln!(into, "{time}  {event:wide$} {state}  {actions}")
    }
}

fn fail_at(name: &str, error: &JournalError) -> ExitCode {
    let status = if matches!(error.problem(), Problem::Read(_)) { 2 } else { 1 };
    fail(format_args!("{name}:{}: {}", error.line(), error.problem()), status)
}

fn fail(what: std::fmt::Arguments<'_>, status: u8) -> ExitCode {
    // If stderr is closed, the status still reports it.
    let _ = writeln!(io::stderr().lock(), "error: {what}");
    ExitCode::from(status)
}
