//! The commands `gateway completions` and `gateway man`, generated from clap's command line.

use std::process::ExitCode;

use clap::{CommandFactory as _, error::ErrorKind};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{args::Arguments, log};

const NAME: &str = "gateway";

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut text);
    log::print(&String::from_utf8_lossy(&text))
}

/// Prints the manual page of the program or a command. Returns 2 for an unknown command.
pub(crate) fn page(command: Option<&str>) -> ExitCode {
    let mut program = Arguments::command();
    program.build();
    let described = match command {
        None => Some(&program),
        Some(name) => program.find_subcommand(name),
    };
    let Some(described) = described.cloned() else {
        let name = command.unwrap_or_default();
        let error = format!("there is no command {name:?}");
        // If stderr is closed, the status still reports it.
        let _ = program.error(ErrorKind::InvalidSubcommand, error).print();
        return ExitCode::from(2);
    };
    let mut text = Vec::new();
    Man::new(described).render(&mut text).expect("a vector takes everything");
    log::print(&String::from_utf8_lossy(&text))
}
