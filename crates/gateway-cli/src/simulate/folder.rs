//! The folder of the results. It is checked before the simulation starts.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::problems::Problems;

pub(super) const SUMMARY: &str = "summary.json";
pub(super) const REPORT: &str = "report.html";
/// A file that shows whether the folder can be written.
const PROBE: &str = ".gateway-simulate";

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
        let probe = self.0.join(PROBE);
        let tried = fs::create_dir_all(&self.0)
            .and_then(|()| fs::write(&probe, ""))
            .and_then(|()| fs::remove_file(&probe));
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
        let part = self.0.join(PROBE);
        fs::write(&part, content)?;
        fs::rename(&part, self.0.join(name))
    }

    pub(super) fn shown(&self) -> String {
        super::words::plain(&self.0.display().to_string())
    }
}
