//! The program's parsers, one function each, for the fuzz targets and the program's own tests: nothing here is a promise.

use std::{cell::RefCell, sync::Arc};

use clap::{Command, FromArgMatches as _};
use gateway_tokio::core::Config;

use crate::{
    byte_size::ByteSize,
    demo::screen::Painter,
    explain, replay,
    serve::{self, Script},
    settings::{
        Flags,
        probe::{Probed, command, probe},
    },
};

/// A size in bytes, and how it is shown.
#[must_use]
pub fn byte_size(text: &str) -> Option<(usize, String)> {
    text.parse::<ByteSize>().ok().map(|size| (size.bytes(), size.to_string()))
}

/// Whether `--script` takes this name. A script for a close code of its own lasts as long as the program.
#[must_use]
pub fn has_script(name: &str) -> bool {
    Script::by_name(name).is_ok()
}

/// The number that `gateway explain` has an answer for.
#[must_use]
pub fn explained_code(text: &str) -> Option<u16> {
    explain::code(text).ok()
}

/// What `gateway serve` answers to a text by itself.
#[must_use]
pub fn answer(text: &str) -> Option<String> {
    serve::answer(text)
}

/// The settings of a connection, as they were read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The core's part.
    pub config: Arc<Config>,
    /// What `gateway check` prints.
    pub summary: String,
}

/// Settings that are not valid.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused {
    /// The field of each error.
    pub fields: Vec<String>,
    /// What is printed.
    pub text: String,
}

thread_local! {
    /// Making a command takes longer than reading a line with it.
    static COMMAND: RefCell<Command> = RefCell::new(command());
}

/// Reads settings from a file's text, variables by their names, and arguments.
///
/// Which decides of a variable and a flag is for clap to say, which sees variables in the environment alone: here there are only those that
/// are set to something, and whose setting has no flag.
///
/// `None` where clap refuses the arguments, or where a file of the disk would have to be read.
#[must_use]
pub fn settings(
    file: &str,
    variables: &[(String, String)],
    arguments: &[String],
) -> Option<Result<Loaded, Refused>> {
    let matches = COMMAND.with_borrow_mut(|command| command.try_get_matches_from_mut(arguments));
    let flags = Flags::from_arg_matches(&matches.ok()?).ok()?;
    match probe(file, flags, variables)? {
        Probed::Loaded(settings) => {
            let summary = settings.summary.to_string();
            Some(Ok(Loaded { config: settings.config, summary }))
        }
        Probed::Refused(errors) => {
            let fields = errors.fields().map(str::to_owned).collect();
            Some(Err(Refused { fields, text: errors.to_string() }))
        }
    }
}

/// What a command prints on stdout, and how it ends.
#[derive(Debug)]
#[non_exhaustive]
pub struct Printed<T> {
    /// All that is printed, without colours.
    pub text: String,
    /// What the exit status is made of: how it went, or the error that it ends with.
    pub end: Result<T, String>,
}

impl<T> Printed<T> {
    fn of(command: impl FnOnce(&mut Vec<u8>) -> Result<T, replay::Ended>) -> Self {
        let mut stdout = Vec::new();
        let end = command(&mut stdout).map_err(|ended| ended.to_string());
        Self { text: String::from_utf8(stdout).expect("the program prints text"), end }
    }
}

/// Runs `gateway replay` on a journal. Ends with the number of differences.
#[must_use]
pub fn replayed(journal: &[u8]) -> Printed<u64> {
    let mut show = replay::Show::everything(Painter::plain());
    Printed::of(|stdout| replay::replay(journal, &mut show, stdout))
}

/// Runs `gateway replay --scenario a_journal` on a journal.
#[must_use]
pub fn scenario(journal: &[u8]) -> Printed<()> {
    Printed::of(|stdout| replay::tell("a_journal", journal, stdout))
}
