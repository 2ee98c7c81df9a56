//! `--record FILE`: the journal of a connection, written while it runs.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
};

use gateway_journal::Recorder;
use thiserror::Error;

use crate::diagnostics::Lines;

/// A journal in a file. If lines are lost, their numbers are missing, and the reader reports that.
pub(crate) type FileRecorder = Recorder<Lines>;

#[derive(Debug, Error)]
pub(crate) enum CannotRecord {
    #[error("--record cannot write {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "--record does not overwrite {}, which is not empty: name another file, or remove it",
        path.display()
    )]
    NotEmpty { path: PathBuf },
    #[error("--record cannot write to stdout: name a file (./- for a file with the name -)")]
    Stdout,
}

/// Creates the file, or uses an empty one.
///
/// # Errors
/// If the file cannot be created, or is not empty.
pub(crate) fn create(path: &Path) -> Result<FileRecorder, CannotRecord> {
    if path == Path::new("-") {
        return Err(CannotRecord::Stdout);
    }
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let (file, length) = opened
        .and_then(|file| file.metadata().map(|metadata| (file, metadata.len())))
        .map_err(|source| CannotRecord::Open { path: path.to_path_buf(), source })?;
    if length > 0 {
        return Err(CannotRecord::NotEmpty { path: path.to_path_buf() });
    }
    let name = format!("--record {}", path.display());
    let lines = Lines::open(name, file, |_| String::new())
        .map_err(|source| CannotRecord::Open { path: path.to_path_buf(), source })?;
    // Never called: writing to the queue does not fail.
    Ok(Recorder::new(lines, |error| tracing::error!(%error, "the recording has ended")))
}
