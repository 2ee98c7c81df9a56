//! Installs what a peer needs below `target/peers`, once. An installation has a temporary name until it is
//! complete, so that no concurrent or interrupted run leaves half a peer. The examples' tests use this, too.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A Python that has these packages.
pub(crate) fn python_with(requirements: &Path) -> Result<PathBuf, String> {
    once("python", requirements, python).map(|installed| python_of(&installed))
}

/// The folder that `make` filled from `manifest`, in this run or in an earlier one.
pub(crate) fn once(
    name: &str,
    manifest: &Path,
    make: impl Fn(&Path, &Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    // Tests of one process would install into the same folder.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read(manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    let done = target.join("peers").join(format!("{name}-{:016x}", hasher.finish()));
    if done.exists() {
        return Ok(done);
    }
    let aside = done.with_extension(format!("{}.part", std::process::id()));
    fs::create_dir_all(&aside).map_err(|error| error.to_string())?;
    let made = make(&aside, manifest).and_then(|()| match fs::rename(&aside, &done) {
        Err(error) if !done.exists() => Err(error.to_string()),
        _ => Ok(done), // ours, or that of another run which was faster
    });
    let _ = fs::remove_dir_all(&aside);
    made
}

fn python(into: &Path, requirements: &Path) -> Result<(), String> {
    run(Command::new("python3").args(["-m", "venv"]).arg(into))?;
    let mut pip = Command::new(python_of(into));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run(pip.args(["--no-input", "--retries", "1", "-r"]).arg(requirements))
}

fn python_of(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no word");
    Err(format!("{name}: {}: {last}", output.status))
}
