//! `--record FILE`: the journal of a connection, written while it runs.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
};

use gateway_journal::Recorder;
use thiserror::Error;

use crate::diagnostics::Lines;

/// A journal in a file. Where lines of it are lost their numbers are missing, and its reader reports that.
pub(crate) type FileRecorder = Recorder<Lines>;

/// Why there is no file for a journal.
#[derive(Debug, Error)]
pub(crate) enum CannotRecord {
    #[error("--record cannot write {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "--record does not write over {}, which is not empty: name another file, or remove it",
        path.display()
    )]
    NotEmpty { path: PathBuf },
    #[error(
        "--record writes to a file, not to stdout: name one in place of - (./- for a file of that name)"
    )]
    Stdout,
}

/// Makes the file, or takes one that is empty.
///
/// # Errors
/// Where the file cannot be made, or something is in it.
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
    // The queue takes every line.
    Ok(Recorder::new(lines, |error| tracing::error!(%error, "the recording has ended")))
}
