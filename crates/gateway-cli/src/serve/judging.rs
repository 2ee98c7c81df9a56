//! The judge's flags: how long a client is watched, and where its report goes.

use std::{
    fs::File,
    future::Future,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::error::ErrorKind;
use gateway_hostile::{Report, ServeError, Server};
use gateway_tokio::core::format_duration;
use thiserror::Error;

use super::args::{JudgeArgs, ReportFormat};
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
        server: Server,
        signalled: impl Future<Output = ()>,
    ) -> Result<ExitCode, JudgeError> {
        let end = async {
            // The time is over, or a signal came.
            let _ = clock::within(self.watched, signalled).await;
        };
        let report = server.judge(self.within, end).await?;
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
