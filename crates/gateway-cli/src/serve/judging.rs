//! The judge: a server that applies a script to a client for a time, and reports what the client did.

use std::{
    fs::File,
    future::Future,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::error::ErrorKind;
use gateway_tokio::core::format_duration;
use thiserror::Error;

use super::{
    Options, ServeError, Server,
    args::{JudgeArgs, ReportFormat},
    command::print_url,
    judge::Report,
    record::Record,
};
use crate::{clock, stdio};

/// By default a client is watched for two limits plus this.
const MARGIN: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub(crate) enum JudgeError {
    #[error(transparent)]
    Usage(clap::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot write the report to {}", path.display())]
    Report { path: PathBuf, source: io::Error },
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
}

/// A judge that has parsed its flags and opened the file for its report.
pub(crate) struct Judge {
    watched: Duration,
    within: Duration,
    format: ReportFormat,
    path: PathBuf,
    /// `None` for stdout.
    file: Option<File>,
}

impl Judge {
    /// # Errors
    /// If the limit is not shorter than the span, or the report cannot be written.
    pub(crate) fn new(args: JudgeArgs) -> Result<Self, JudgeError> {
        let JudgeArgs { judge: _, watched, within, report: path, report_format: format } = args;
        let watched = watched.unwrap_or_else(|| within.saturating_mul(2).saturating_add(MARGIN));
        if within >= watched {
            let message = format!(
                "--within ({}) must be shorter than --for ({}), or no client could be too late\n",
                format_duration(within),
                format_duration(watched)
            );
            return Err(JudgeError::Usage(clap::Error::raw(ErrorKind::ValueValidation, message)));
        }
        let file = match path == Path::new("-") {
            true => None,
            false => Some(
                File::create(&path)
                    .map_err(|source| JudgeError::Report { path: path.clone(), source })?,
            ),
        };
        Ok(Self { watched, within, format, path, file })
    }

    /// Serves for the span, or until `signalled`, then writes the report. Returns 0 if a client
    /// connected and broke no rule, else 1.
    ///
    /// # Errors
    /// If it cannot serve, or the report cannot be written.
    pub(crate) async fn run(
        self,
        listen: SocketAddr,
        options: Options,
        signalled: impl Future<Output = ()>,
    ) -> Result<ExitCode, JudgeError> {
        let script = options.script;
        let record = Record::begin();
        let server = Server::bind_recorded(listen, options, Some(record.clone()))?;
        print_url(&server).map_err(JudgeError::Stdout)?;
        tracing::info!(address = %server.local_addr(), script = script.name, "judging");
        let mut seen = None;
        let watched = async {
            // The time is over, or a signal came.
            let _ = clock::within(self.watched, signalled).await;
            seen = Some(record.end());
        };
        server.run(watched).await?;
        let report = Report::new(script, &seen.unwrap_or_default(), self.within);
        if !report.has_client() {
            tracing::error!("no client connected");
        }
        let status = if report.is_kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        self.write(&report)?;
        Ok(status)
    }

    fn write(self, report: &Report) -> Result<(), JudgeError> {
        let Self { format, path, file, .. } = self;
        match file {
            Some(file) => write(file, report, format),
            None => stdio::lines().and_then(|stdout| write(stdout, report, format)),
        }
        .map_err(|source| JudgeError::Report { path, source })
    }
}

fn write(mut into: impl Write, report: &Report, format: ReportFormat) -> io::Result<()> {
    match format {
        ReportFormat::Text => write!(into, "{report}")?,
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut into, report)?;
            writeln!(into)?;
        }
    }
    into.flush()
}
