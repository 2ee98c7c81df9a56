//! The command `gateway serve`: the server with its URL on stdout, until a signal ends it.

use std::{
    error::Error as _,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use gateway_tokio::core::parse_duration;
use thiserror::Error;

use super::{
    Options, Script, ServeError, Server,
    args::{DEFAULT_WITHIN, ScriptChoice, ServeArgs},
    judging::{self, JudgeError},
};
use crate::{signals::Signals, stdio};

/// How long the server may take to end after a signal.
const LONGEST_END: Duration = Duration::from_secs(2);

/// Why the command failed.
#[derive(Debug, Error)]
enum CommandError {
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot start")]
    Start(#[source] io::Error),
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Judge(#[from] JudgeError),
}

/// Runs the command: 0 when a signal has ended it, 1 where it cannot serve. A judge has its own ends.
pub(crate) fn run(args: ServeArgs) -> ExitCode {
    let outcome = match args.script {
        ScriptChoice::List => {
            print_scripts().map(|()| ExitCode::SUCCESS).map_err(CommandError::Stdout)
        }
        ScriptChoice::Play(script) => serve(args, script),
    };
    match outcome {
        Ok(status) => status,
        Err(CommandError::Judge(JudgeError::Usage(error))) => {
            // Where stderr is gone the status still tells.
            let _ = error.print();
            ExitCode::from(2)
        }
        Err(error) => {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(cause, "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Every script, and what is expected of a client that meets it.
fn print_scripts() -> io::Result<()> {
    let within = parse_duration(DEFAULT_WITHIN).unwrap_or_default();
    let width = Script::all().iter().map(|script| script.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    // Writing to a string does not fail.
    for Script { name, about, expects, .. } in Script::all() {
        let _ = writeln!(text, "{name:width$}  {about}");
        for rule in *expects {
            let _ = writeln!(text, "{:width$}  - {}", "", rule.words(within));
        }
    }
    let _ = writeln!(text, "{:width$}  closes with any other code that may be sent", "close-CODE");
    let _ = writeln!(
        text,
        "\nThe lines with a dash are what `--judge` expects of a client; {DEFAULT_WITHIN} is set by --within."
    );
    let mut stdout = stdio::lines()?;
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn serve(args: ServeArgs, script: &'static Script) -> Result<ExitCode, CommandError> {
    let options = Options {
        login: args.login,
        script,
        faults: args.faults,
        max_message_size: args.max_message_size,
        ..Options::default()
    };
    let judge = args.judge.judge.then(|| judging::Judge::new(args.judge)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Start)?;
    runtime.block_on(async {
        let mut signals = Signals::listen(LONGEST_END).map_err(CommandError::Start)?;
        let signalled = async {
            signals.first().await;
            tracing::info!("a signal; closing");
        };
        let status = match judge {
            Some(judge) => judge.run(args.listen, options, signalled).await?,
            None => {
                let server = Server::bind(args.listen, options)?;
                print_url(&server).map_err(CommandError::Stdout)?;
                tracing::info!(address = %server.local_addr(), script = script.name, "listening");
                server.run(signalled).await?;
                ExitCode::SUCCESS
            }
        };
        signals.settle(u8::from(status != ExitCode::SUCCESS));
        Ok(status)
    })
}

/// The first line on stdout.
pub(crate) fn print_url(server: &Server) -> io::Result<()> {
    let mut stdout = stdio::lines()?;
    writeln!(stdout, "ws://{}", server.local_addr())?;
    stdout.flush()
}
