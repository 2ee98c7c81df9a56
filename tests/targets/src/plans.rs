//! The corpus of a target: the plans of the repository, and inputs that are drawn from them.

use std::error::Error;
use std::path::Path;
use std::{fs, io, iter};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::Target;

/// Files by name: texts or bytes.
pub type Files<T> = Vec<(String, T)>;

/// The names and texts of the files of `fuzz/seeds` or `fuzz/findings` for a target.
///
/// # Errors
/// If the folder cannot be read.
pub fn plans(kind: &str, target: &str) -> io::Result<Files<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(kind).join(target);
    if !folder.exists() {
        return Ok(Vec::new()); // no finding yet
    }
    let files = fs::read_dir(folder)?.map(|file| {
        let path = file?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, fs::read_to_string(path)?))
    });
    let mut plans = files.collect::<io::Result<Vec<_>>>()?;
    plans.sort();
    Ok(plans)
}

/// The names and bytes of a target's inputs: every plan, and so many that are drawn from them. They
/// are always the same.
///
/// # Errors
/// If a file cannot be read, or is no plan.
pub fn corpus(target: &Target, drawn: usize) -> Result<Files<Vec<u8>>, Box<dyn Error>> {
    let mut corpus = Vec::new();
    for kind in ["seeds", "findings"] {
        for (name, text) in plans(kind, target.name)? {
            let bytes = target.bytes(&text);
            let bytes = bytes.map_err(|why| format!("{kind}/{}/{name}: {why}", target.name))?;
            corpus.push((name, bytes));
        }
    }
    let inputs: Vec<_> = corpus.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let spliced = spliced(&inputs).take(drawn).enumerate();
    let drawn: Vec<_> = spliced.map(|(index, bytes)| (format!("drawn-{index}"), bytes)).collect();
    corpus.extend(drawn);
    Ok(corpus)
}

/// Each is the start of one input and the end of another, with random bytes in between.
fn spliced(inputs: &[&[u8]]) -> impl Iterator<Item = Vec<u8>> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut below = move |most: usize| random.next_u64() as usize % most.max(1);
    iter::repeat_with(move || {
        let [start, end] =
            [(); 2].map(|()| inputs.get(below(inputs.len())).copied().unwrap_or(b""));
        let start = &start[..below(start.len() + 1)];
        let end = &end[below(end.len() + 1)..];
        let random: Vec<_> = (0..below(64)).map(|_| below(256) as u8).collect();
        [start, &random, end].concat()
    })
}
