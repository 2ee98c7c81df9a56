//! The command `gateway serve`: runs a server of gateway-hostile. Prints the URL on stdout, and serves
//! until a signal.

pub(crate) mod args;
mod judging;

use std::{
    convert::Infallible,
    error::Error as _,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use gateway_hostile::{
    AcceptLimit, AcceptLimitError, Builder, Control, Script, ServeError, Server, Tally,
};
use gateway_tokio::core::parse_duration;
use thiserror::Error;

use self::{
    args::{DEFAULT_WITHIN, DialectArgs, ScriptChoice, ServeArgs},
    judging::{Judge, JudgeError},
};
use crate::{clock, signals::Signals, stdio};

/// How long the server may take to end after a signal.
const LONGEST_END: Duration = Duration::from_secs(2);

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
    #[error(transparent)]
    Accepts(#[from] AcceptLimitError),
}

/// Runs the command. Returns 0 after a signal, 1 if it cannot serve; with a judge, the judge's status.
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
            // If stderr is closed, the status still reports it.
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

/// Prints every script with its rules for clients.
fn print_scripts() -> io::Result<()> {
    let within = parse_duration(DEFAULT_WITHIN).unwrap_or_default();
    let width = Script::all().iter().map(|script| script.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    // Writing to a string does not fail.
    for script in Script::all() {
        let _ = writeln!(text, "{:width$}  {}", script.name(), script.about());
        for rule in script.rules(within) {
            let _ = writeln!(text, "{:width$}  - {rule}", "");
        }
    }
    let _ = writeln!(
        text,
        "{:width$}  closes with CODE: any close code that may be sent",
        "close-CODE"
    );
    let _ = writeln!(
        text,
        "\nA line with a dash is a rule for clients, which `--judge` checks. `--within` replaces the limit {DEFAULT_WITHIN}."
    );
    let mut stdout = stdio::lines()?;
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn serve(args: ServeArgs, script: &'static Script) -> Result<ExitCode, CommandError> {
    let mut builder =
        Server::builder().script(script).max_message_size(args.max_message_size.bytes());
    builder = with_dialect(builder, args.dialect);
    let (limit, drop_after) = (args.load.limit()?, args.load.drop_after);
    if let Some(limit) = limit
        && drop_after.is_none()
    {
        builder = builder.accepts(limit);
    }
    if let Some(connections) = args.faults {
        builder = builder.faults(connections);
    }
    let judge = args.judge.judge.then(|| Judge::new(args.judge)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Start)?;
    runtime.block_on(async {
        let mut signals = Signals::listen(LONGEST_END).map_err(CommandError::Start)?;
        let signalled = async {
            signals.first().await;
            tracing::info!("signal received; closing");
        };
        let server = builder.bind(args.listen)?;
        print_url(&server).map_err(CommandError::Stdout)?;
        let doing = if judge.is_some() { "judging" } else { "listening" };
        tracing::info!(address = %server.local_addr(), script = script.name(), "{doing}");
        let control = server.control();
        let serving = async {
            match judge {
                Some(judge) => judge.run(server, signalled).await.map_err(CommandError::Judge),
                None => {
                    server.run(signalled).await?;
                    Ok(ExitCode::SUCCESS)
                }
            }
        };
        let status = tokio::select! {
            status = serving => status?,
            never = overload(&control, limit, drop_after) => match never {},
        };
        let Tally { connections, upgrades, refused, abandoned, .. } = control.tally();
        tracing::info!(connections, upgrades, refused, abandoned, "ended");
        signals.settle(u8::from(status != ExitCode::SUCCESS));
        Ok(status)
    })
}

/// Drops all connections once, and limits the accepts from then on.
async fn overload(
    control: &Control,
    limit: Option<AcceptLimit>,
    after: Option<Duration>,
) -> Infallible {
    if let Some(after) = after {
        clock::until(Some(clock::after(after))).await;
        control.limit_accepts(limit);
        control.drop_all();
        tracing::info!("dropped all connections");
    }
    std::future::pending().await
}

fn with_dialect(mut builder: Builder, args: DialectArgs) -> Builder {
    if let Some(dialect) = args.dialect {
        builder = builder.dialect(dialect);
    }
    for token in args.login {
        builder = builder.login(token);
    }
    if let Some(uses) = args.login_uses {
        builder = builder.login_uses(uses);
    }
    if let Some(span) = args.login_expires {
        builder = builder.login_expires(span);
    }
    builder.pings(args.ping_interval, args.ping_timeout)
}

/// The first line on stdout.
fn print_url(server: &Server) -> io::Result<()> {
    let mut stdout = stdio::lines()?;
    writeln!(stdout, "{}", server.url())?;
    stdout.flush()
}
