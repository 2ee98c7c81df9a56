//! `--record FILE`: the journal of a connection, written while it runs.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use gateway_journal::Recorder;
use thiserror::Error;

/// A journal in a file.
pub(crate) type FileRecorder = Recorder<File>;

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

/// Makes the file, or takes one that is empty. An error that comes later ends the recording, and is told on stderr, whatever the log's level.
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
    let shown = path.display().to_string();
    Ok(Recorder::new(file, move |error| {
        // Where stderr is gone as well nobody can be told; whoever reads the journal is told where it ends.
        let _ = writeln!(io::stderr().lock(), "error: {shown}: {error}; the connection goes on");
    }))
}
