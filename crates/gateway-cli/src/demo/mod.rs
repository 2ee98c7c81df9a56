//! The command `gateway demo`: a server that misbehaves and a client that survives it, in one process.
//!
//! [`faults`] is the sequence of faults, [`stage`] runs the client and shows its events, [`ledger`]
//! accounts for every message. [`client`] is the client on either driver, [`login`] is how it logs in.

mod client;
mod faults;
mod ledger;
mod login;
pub(crate) mod screen;
mod stage;
mod summary;

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use gateway_dialects::UnknownPreset;
use gateway_hostile::{EmptySecret, ServeError};
use gateway_tokio::core::{Config, ConfigErrors};
use thiserror::Error;

use self::{
    client::{Client, Driver, Setup},
    faults::Fault,
    screen::Screen,
    stage::{DemoError, Stage},
};
use crate::{
    clock::{self, Stopwatch},
    log,
    record::{self, CannotRecord},
};

/// The command line of `gateway demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The client's driver: tokio is asynchronous, std is blocking.
    #[arg(long, value_enum, default_value_t)]
    driver: Driver,

    /// Makes the random delays repeatable [default: from the operating system]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Records the connection's events and actions to FILE, for `gateway replay`.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// The demo takes about 12 s. It fails before it takes 20.
const LONGEST: Duration = Duration::from_secs(19);

#[derive(Debug, Error)]
enum Failure {
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    #[error("cannot write to stdout: {0}")]
    Screen(io::Error),
    #[error(transparent)]
    Record(#[from] CannotRecord),
    #[error("cannot start the server: {0}")]
    Server(#[from] ServeError),
    #[error("the settings of the demo are not valid: {0}")]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Dialect(#[from] UnknownPreset),
    #[error(transparent)]
    Token(#[from] EmptySecret),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("the demo took longer than {} s", LONGEST.as_secs())]
    TooLong,
    #[error("the messages do not add up")]
    Account,
}

/// Runs the demo. Returns 0 if every message is accounted for, else 1.
pub(crate) fn run(args: &DemoArgs) -> ExitCode {
    match demo(args) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of stdout is gone: an incomplete demo fails, without an error text.
        Err(Failure::Screen(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::FAILURE
        }
        Err(Failure::Record(error)) => {
            log::error(&error);
            ExitCode::from(2)
        }
        Err(error) => {
            log::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn demo(args: &DemoArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let played = clock::within(LONGEST, play(args));
        played.await.unwrap_or(Err(Failure::TooLong))
    })
}

async fn play(args: &DemoArgs) -> Result<(), Failure> {
    let recorder = args.record.as_deref().map(record::create).transpose()?;
    let server = login::server()?.start()?;
    let config = config()?;
    let (url, dialect) = (server.url(), login::client_dialect()?);
    let setup =
        Setup { url: url.clone(), config: config.clone(), dialect, seed: args.seed, recorder };
    let client = Client::new(args.driver, setup)?;
    let screen = Screen::new(Stopwatch::start()).map_err(Failure::Screen)?;
    let mut stage = Stage::new(client, server.control().clone(), screen, config);
    stage.screen.line(format_args!("A server at {url}, and a client that logs in and reconnects."));

    stage.until_ready().await?;
    stage.exchange(faults::MESSAGES).await?;
    let mut ridden = Vec::new();
    for (index, fault) in Fault::ALL.into_iter().enumerate() {
        ridden.push(fault.play(index + 1, &mut stage).await?);
        if let Some(error) = stage.screen.broken() {
            return Err(Failure::Screen(error));
        }
    }
    stage.screen.line("");
    stage.close().await?;
    let adds_up = summary::show(&mut stage, &ridden);
    server.stop()?;
    if adds_up { Ok(()) } else { Err(Failure::Account) }
}

/// Short delays for a viewer. The heartbeat is the dialect's.
fn config() -> Result<Config, ConfigErrors> {
    let millis = Duration::from_millis;
    Config::builder()
        .initial_delay(millis(200))
        .max_delay(millis(700))
        .stable_after(millis(400))
        .heartbeat_interval(millis(500))
        .heartbeat_timeout(millis(300))
        .connect_timeout(millis(2_000))
        .close_timeout(millis(1_000))
        .build()
}
