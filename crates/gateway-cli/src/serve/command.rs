//! The command `gateway serve`: the server with its URL on stdout, until a signal ends it.

use std::{
    error::Error as _,
    io::{self, Write as _},
    process::ExitCode,
};

use thiserror::Error;

use super::{
    Options, Script, ServeError, Server,
    args::{ScriptChoice, ServeArgs},
};
use crate::signals::Signals;

/// Why the command failed.
#[derive(Debug, Error)]
enum CommandError {
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot start")]
    Start(#[source] io::Error),
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
}

/// Runs the command: 0 when a signal has ended it, 1 where it cannot serve.
pub(crate) fn run(args: ServeArgs) -> ExitCode {
    let outcome = match args.script {
        ScriptChoice::List => print_scripts().map_err(CommandError::Stdout),
        ScriptChoice::Play(script) => serve(args, script),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(cause, "{error}");
            ExitCode::FAILURE
        }
    }
}

fn print_scripts() -> io::Result<()> {
    let width = Script::all().iter().map(|script| script.name.len()).max().unwrap_or(0);
    let mut stdout = io::stdout().lock();
    for Script { name, about, .. } in Script::all() {
        writeln!(stdout, "{name:width$}  {about}")?;
    }
    stdout.flush()
}

fn serve(args: ServeArgs, script: &'static Script) -> Result<(), CommandError> {
    let options = Options {
        login: args.login,
        script,
        faults: args.faults,
        max_message_size: args.max_message_size,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Start)?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(CommandError::Start)?;
        let server = Server::bind(args.listen, options)?;
        print_url(&server).map_err(CommandError::Stdout)?;
        tracing::info!(address = %server.local_addr(), script = script.name, "listening");
        let signalled = async {
            signals.next().await;
            tracing::info!("a signal; closing");
        };
        server.run(signalled).await?;
        Ok(())
    })
}

fn print_url(server: &Server) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "ws://{}", server.local_addr())?;
    stdout.flush()
}
