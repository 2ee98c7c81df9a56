//! Values made from files, and made again when the files' content changes.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::ConfigError;
use tracing::{info, warn};

/// The size of the largest file that is read. The platforms' bundles of CAs have a quarter of a
/// megabyte.
const LARGEST: u64 = 16 << 20;

/// A file, and the setting that names it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) field: &'static str,
    pub(super) path: PathBuf,
}

/// A value made from files.
pub(super) struct OfFiles<T> {
    files: Vec<Named>,
    make: Make<T>,
    /// Whether the files are read again. A pipe is read once, because a second read could wait
    /// forever.
    reads_again: bool,
    kept: Mutex<Kept<T>>,
}

/// Makes the value from the files' contents, in the order of the files. Its error names the
/// setting.
pub(super) type Make<T> = fn(&[Vec<u8>]) -> Result<T, ConfigError>;

struct Kept<T> {
    /// The hash of the contents that the value was made from. An attacker who can make two contents
    /// collide can write the files anyway.
    hash: u64,
    value: Arc<T>,
}

impl<T> OfFiles<T> {
    /// # Errors
    /// A file cannot be read, or its contents are invalid.
    pub(super) fn read(files: Vec<Named>, make: Make<T>) -> Result<Self, ConfigError> {
        let reads_again = files.iter().all(|file| file.path.is_file());
        let contents = contents(&files, |_| Ok(()))?;
        let value = make(&contents).map_err(|error| with_path(&files, &error))?;
        let kept = Mutex::new(Kept { hash: hash(&contents), value: Arc::new(value) });
        Ok(Self { files, make, reads_again, kept })
    }

    /// The value, if that needs no look at the files.
    pub(super) fn without_reading(&self) -> Option<Arc<T>> {
        (!self.reads_again).then(|| Arc::clone(&self.kept().value))
    }

    /// The value of the files as they are now. This blocks. If the files cannot be used, it logs a
    /// warning and returns the old value.
    pub(super) fn current(&self) -> Arc<T> {
        if let Some(value) = self.without_reading() {
            return value;
        }
        // The lock is not held during the read: the file may be on a network mount that hangs.
        let contents = contents(&self.files, must_be_regular);
        let mut kept = self.kept();
        let made = contents.and_then(|contents| {
            let hash = hash(&contents);
            if hash == kept.hash {
                return Ok(None);
            }
            let value = (self.make)(&contents).map_err(|error| with_path(&self.files, &error))?;
            Ok(Some(Kept { hash, value: Arc::new(value) }))
        });
        match made {
            Ok(None) => {}
            Ok(Some(new)) => {
                *kept = new;
                let files: Vec<_> = self.files.iter().map(|file| file.path.display()).collect();
                info!(?files, "TLS files have changed; the new content is used");
            }
            Err(error) => {
                let (file, problem) = (error.value(), error.limit());
                warn!(
                    file,
                    problem, "a TLS file cannot be used; its earlier content is still used"
                );
            }
        }
        Arc::clone(&kept.value)
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        // The value is only replaced as a whole, so it is consistent even if a thread panicked.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn contents(
    files: &[Named],
    check: fn(&Path) -> io::Result<()>,
) -> Result<Vec<Vec<u8>>, ConfigError> {
    let read = |Named { field, path }: &Named| {
        check(path).and_then(|()| content(path)).map_err(|error| {
            let limit = format!("must be a file that can be read: {error}");
            ConfigError::new(*field, path.display().to_string(), limit)
        })
    };
    files.iter().map(read).collect()
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(content)
}

/// Opening a pipe would wait for a writer.
fn must_be_regular(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Adds the path of the setting to an error of [`Make`], which only knows the setting.
fn with_path(files: &[Named], error: &ConfigError) -> ConfigError {
    let named = files.iter().find(|file| file.field == error.field());
    let path = named.map_or_else(String::new, |file| file.path.display().to_string());
    ConfigError::new(error.field(), path, error.limit())
}

fn hash(contents: &[Vec<u8>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}
