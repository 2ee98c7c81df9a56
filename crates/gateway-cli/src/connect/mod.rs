//! The command `gateway connect`: a connection that stays up, between stdin and stdout.
//!
//! [`session`] is the loop. [`input`] reads stdin, [`output`] writes stdout, [`form`] has the forms of
//! messages. [`events`] writes `--events`, [`sendings`] tracks the outcome of each line.

pub(crate) mod args;
mod events;
mod form;
mod input;
mod output;
mod sendings;
mod session;

use std::{
    io::{self, IsTerminal as _, Read},
    path::Path,
    process::ExitCode,
};

use args::ConnectArgs;
use clap::{CommandFactory as _, error::ErrorKind};
use gateway_tokio::core::ConfigErrors;
use thiserror::Error;
use tokio::runtime::{self, Runtime};

use self::{
    events::Events,
    form::OutputForm,
    input::{Input, InputForm},
    output::{Marks, Output},
    session::{AfterInput, Session, longest_end},
};
use crate::{
    args::Arguments,
    clock::Stopwatch,
    metrics::{self, CannotServe},
    record::{self, CannotRecord},
    settings::{Purpose, Settings},
    signals::Signals,
    stdio,
};

/// Why the command cannot start with valid settings.
#[derive(Debug, Error)]
enum StartError {
    #[error("--events cannot be written: {0}")]
    Events(io::Error),
    #[error(transparent)]
    Record(#[from] CannotRecord),
    #[error(transparent)]
    Metrics(#[from] CannotServe),
    #[error("the configuration is no longer valid: {0}")]
    Changed(#[from] ConfigErrors),
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

/// Runs the command. Returns 0 if closed as asked, 1 if it gave up, 2 on invalid settings.
pub(crate) fn run(args: ConnectArgs) -> ExitCode {
    let clock = Stopwatch::start();
    if let Err(conflict) = args.check() {
        // If stderr is closed, the status still reports it.
        let _ = Arguments::command().error(ErrorKind::ArgumentConflict, conflict).print();
        return ExitCode::from(2);
    }
    let after_input = args.after_input();
    let settings = match Settings::load(args.config.as_deref(), args.settings, Purpose::Connect) {
        Ok(settings) => settings,
        Err(errors) => return errors.report(),
    };
    let (events, record) = (args.events.as_deref(), args.record.as_deref());
    let started = start(settings, events, record, clock);
    let (events, runtime, settings) = match started {
        Ok(started) => started,
        Err(error) => return cannot_start(&error),
    };
    let marks = Marks::of_streams(args.output);
    // Before the first line of the log: a thread writes stderr, perhaps after the first prompt.
    marks.show_on_stderr();
    match settings.shown_proxy() {
        Some(proxy) => tracing::info!("connecting to {} through {proxy}", settings.shown_url()),
        None => tracing::info!("connecting to {}", settings.shown_url()),
    }
    let ended = runtime.block_on(async {
        let longest = settings.config.max_message_size();
        let close_timeout = settings.config.close_timeout();
        let (once, line_end) = (args.once, args.line_end);
        let input = InputForm { form: args.input, line_end, once, longest };
        let is_terminal = io::stdout().is_terminal();
        let output = OutputForm { form: args.output, binary: args.binary, is_terminal };
        // Input that has an end is read to its end.
        let stdin: Box<dyn Read + Send> = match after_input {
            AfterInput::Stay => Box::new(stdio::stdin_while_read()?),
            AfterInput::Close { .. } => Box::new(stdio::stdin()?),
        };
        let reader = stdio::Reader::of_stdout()?;
        let status = Session {
            signals: Signals::listen(longest_end(close_timeout))?,
            input: Input::start(stdin, input)?,
            output: Output::start(output, marks, stdio::stdout()?)?.watching(reader)?,
            events,
            after_input,
            has_outbox: settings.has_outbox(),
            once,
            close_timeout,
        }
        .run(settings.client)
        .await;
        marks.clear_on_stderr();
        Ok::<_, io::Error>(status)
    });
    // A pending read of stdin or of a login file delays nothing: its thread ends with the process.
    runtime.shutdown_background();
    match ended {
        Ok(status) => ExitCode::from(status),
        Err(error) => cannot_start(&StartError::Start(error)),
    }
}

/// Opens what the command writes and serves. The port comes first: no file is created if it is in use.
fn start(
    settings: Settings,
    events: Option<&Path>,
    record: Option<&Path>,
    clock: Stopwatch,
) -> Result<(Events, Runtime, Settings), StartError> {
    let metrics = settings.metrics().map(metrics::serve).transpose()?;
    let events = Events::open(events, settings.name(), clock).map_err(StartError::Events)?;
    let runtime = runtime()?;
    let recorder = record.map(record::create).transpose()?;
    let settings = match metrics {
        Some(metrics) => ::metrics::with_local_recorder(&metrics, || settings.rebuilt(recorder))?,
        None if recorder.is_some() => settings.rebuilt(recorder)?,
        None => settings,
    };
    Ok((events, runtime, settings))
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

fn cannot_start(error: &StartError) -> ExitCode {
    crate::log::error(error);
    ExitCode::from(2)
}
