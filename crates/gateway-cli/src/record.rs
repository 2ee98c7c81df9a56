//! `--record FILE`: the journal of a connection, written while it runs.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use gateway_journal::Recorder;
use thiserror::Error;

/// A journal in a file.
pub(crate) type FileRecorder = Recorder<File>;

/// The file of a journal cannot be made.
#[derive(Debug, Error)]
#[error("--record cannot write {}: {source}", path.display())]
pub(crate) struct CannotRecord {
    path: PathBuf,
    source: io::Error,
}

/// Makes the file. An error that comes later ends the recording, and is told on stderr, whatever the log's level.
///
/// # Errors
/// Where the file cannot be made.
pub(crate) fn create(path: &Path) -> Result<FileRecorder, CannotRecord> {
    let file =
        File::create(path).map_err(|source| CannotRecord { path: path.to_path_buf(), source })?;
    let shown = path.display().to_string();
    Ok(Recorder::new(file, move |error| {
        // Where stderr is gone as well nobody can be told; whoever reads the journal is told where it ends.
        let _ = writeln!(io::stderr().lock(), "error: {shown}: {error}; the connection goes on");
    }))
}
