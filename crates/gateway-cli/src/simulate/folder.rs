//! The folder of the results. It is checked before the simulation starts.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process,
};

use gateway_sim::Curve;
use gateway_tokio::core::Strategy;

use super::{plan::MIXED, problems::Problems};

pub(super) const SUMMARY: &str = "summary.json";
pub(super) const REPORT: &str = "report.html";

/// The folder of `--out`.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// The name of a strategy's curve.
pub(super) fn curve(strategy: &str) -> String {
    let is_safe = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-';
    format!("curve-{}.csv", strategy.replace(|letter| !is_safe(letter), "-"))
}

impl Folder {
    /// Checks what is in the way: a file, other files in the folder, or folders with the names of
    /// results. Creates nothing.
    pub(super) fn check(
        path: &Path,
        is_forced: bool,
        strategies: &[&str],
        problems: &mut Problems,
    ) -> Self {
        let mut refuse = |path: &Path, limit: &str| {
            problems.add("out", &path.display().to_string(), limit, "--out");
        };
        match fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
            Ok(false) => {}
            Ok(true) if is_forced => {
                let curves = strategies.iter().map(|name| curve(name));
                for name in [SUMMARY.to_owned(), REPORT.to_owned()].into_iter().chain(curves) {
                    let file = path.join(name);
                    if file.is_dir() {
                        refuse(&file, "is a folder, and a result has this name");
                    }
                }
            }
            Ok(true) => refuse(path, "is not empty; --force overwrites results in it"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                refuse(path, "must be a folder, and is a file");
            }
            Err(error) => refuse(path, &format!("cannot be read: {error}")),
        }
        Self(path.to_owned())
    }

    /// Creates the folder, and tries to write a file.
    pub(super) fn create(&self, problems: &mut Problems) {
        let tried = fs::create_dir_all(&self.0)
            .and_then(|()| new_file(&self.0))
            .and_then(|(path, _)| fs::remove_file(path));
        if let Err(error) = tried {
            let limit = format!("cannot be written: {error}");
            problems.add("out", &self.0.display().to_string(), &limit, "--out");
        }
    }

    /// Writes a file whole, or leaves what was there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, name: &str, content: &str) -> io::Result<()> {
        let (part, mut file) = new_file(&self.0)?;
        let written =
            file.write_all(content.as_bytes()).and_then(|()| fs::rename(&part, self.0.join(name)));
        if written.is_err() {
            // The first error counts.
            let _ = fs::remove_file(&part);
        }
        written
    }

    /// Removes the curves of an earlier command, except those with the names of `kept`. The summary
    /// does not name them. Files of anybody else stay: a curve has the name of a strategy, and
    /// begins with the columns of a curve.
    ///
    /// # Errors
    /// The folder cannot be read, or a curve cannot be removed.
    pub(super) fn remove_old_curves(&self, kept: &[String]) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_old = name
                .to_str()
                .is_some_and(|name| is_curve(name) && kept.iter().all(|kept| kept != name));
            // The type is that of the entry itself: a link is no file.
            if is_old && entry.file_type()?.is_file() && has_columns(&entry.path())? {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub(super) fn shown(&self) -> String {
        super::words::plain(&self.0.display().to_string())
    }
}

/// Creates a file that did not exist, for a result that has no name yet. It follows no link, and
/// takes no file of anybody else.
fn new_file(folder: &Path) -> io::Result<(PathBuf, File)> {
    /// So many files may be left over from processes with the same number.
    const TRIES: u32 = 1_000;

    let mut tries = 0;
    loop {
        let path = folder.join(format!(".gateway-simulate-{}-{tries}", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {
                tries += 1;
            }
            opened => return opened.map(|file| (path, file)),
        }
    }
}

/// Whether a file begins like a curve.
fn has_columns(path: &Path) -> io::Result<bool> {
    let columns = Curve::COLUMNS.join(",");
    let mut start = Vec::new();
    File::open(path)?.take(columns.len() as u64).read_to_end(&mut start)?;
    Ok(start == columns.as_bytes())
}

/// Whether this is the name of a curve of any strategy.
fn is_curve(name: &str) -> bool {
    let Some(strategy) = name.strip_prefix("curve-").and_then(|name| name.strip_suffix(".csv"))
    else {
        return false;
    };
    strategy == MIXED
        || strategy.starts_with("uniform-")
        || Strategy::ALL.iter().any(|known| known.name() == strategy)
}
