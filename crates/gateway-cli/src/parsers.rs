//! One function per parser of the program, for fuzz targets and tests. Nothing here is stable API.

use std::{cell::RefCell, sync::Arc};

use clap::{Command, FromArgMatches as _};
use gateway_hostile::Script;
use gateway_tokio::core::Config;

use crate::{
    byte_size::ByteSize,
    demo::screen::Painter,
    explain, replay,
    settings::{
        Flags,
        probe::{Probed, command, probe},
    },
};

/// Parses a size in bytes. Returns it with its displayed form.
#[must_use]
pub fn byte_size(text: &str) -> Option<(usize, String)> {
    text.parse::<ByteSize>().ok().map(|size| (size.bytes(), size.to_string()))
}

/// Whether `--script` accepts this name.
#[must_use]
pub fn has_script(name: &str) -> bool {
    Script::named(name).is_ok()
}

/// Parses the code of `gateway explain`.
#[must_use]
pub fn explained_code(text: &str) -> Option<u16> {
    explain::code(text).ok()
}

/// The answer of `gateway serve` to a text, other than its echo.
#[must_use]
pub fn answer(text: &str) -> Option<String> {
    gateway_hostile::answer(text)
}

/// Valid settings.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The core's part.
    pub config: Arc<Config>,
    /// What `gateway check` prints.
    pub summary: String,
}

/// Invalid settings.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused {
    /// The field of each error.
    pub fields: Vec<String>,
    /// The printed text.
    pub text: String,
}

thread_local! {
    /// Kept, because building a command takes longer than parsing with it.
    static COMMAND: RefCell<Command> = RefCell::new(command());
}

/// Reads settings from a file's text, variables by their names, and arguments.
///
/// clap decides between a flag and a variable, but sees only variables of the environment. So `variables`
/// are only those with a value whose setting has no flag.
///
/// Returns `None` if clap refuses the arguments, or if a file would have to be read.
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

/// A command's output on stdout, and its result.
#[derive(Debug)]
#[non_exhaustive]
pub struct Printed<T> {
    /// The output, without colours.
    pub text: String,
    /// The result or the error that determines the exit status.
    pub end: Result<T, String>,
}

impl<T> Printed<T> {
    fn of(command: impl FnOnce(&mut Vec<u8>) -> Result<T, replay::Ended>) -> Self {
        let mut stdout = Vec::new();
        let end = command(&mut stdout).map_err(|ended| ended.to_string());
        Self { text: String::from_utf8(stdout).expect("the program prints text"), end }
    }
}

/// Runs `gateway replay` on a journal. Returns the number of differences.
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
