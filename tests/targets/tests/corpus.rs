//! Every file of every corpus, through the function that the fuzzer runs; and each corpus reaches what matters.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gateway_targets::{Sights, TARGETS, Target};

/// A corpus with fewer files than this has not been kept.
const LEAST_FILES: usize = 10;

/// What some file of each corpus must reach.
const MATTERS: &[(&str, &[&str])] = &[
    (
        "answers",
        &[
            "a code",
            "no code",
            "a breach",
            "a reason that is no text",
            "a status",
            "no upgrade",
            "no answer yet",
            "opened",
            "retry after",
            "retried",
            "fatal",
            "fatal after a refresh",
            "spent",
        ],
    ),
    (
        "cli",
        &["accepted", "refused", "laid over", "a secret", "size", "span", "code", "script", "ping"],
    ),
    (
        "config",
        &[
            "accepted",
            "refused",
            "several errors",
            "a relation",
            "toml",
            "json",
            "dead in time",
            "login timeout",
            "nothing to watch for",
        ],
    ),
    (
        "driver",
        &[
            "ready",
            "delivered",
            "all delivered",
            "protocol error",
            "close received",
            "lost",
            "pong timeout",
            "open failed",
            "raw bytes",
            "sent",
            "maybe sent",
            "rejected",
            "refused",
            "dropped",
        ],
    ),
    ("events", &["ready", "reconnected", "stale"]),
    (
        "journal",
        &[
            "head",
            "entries",
            "whole",
            "as recorded",
            "difference",
            "damaged",
            "broken off",
            "cut",
            "lines out of order",
        ],
    ),
    ("reference", &["ready", "reconnected", "stale"]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the corpora are part of the repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Every corpus with its target.
fn corpora() -> BTreeMap<String, (Target, Vec<PathBuf>)> {
    let corpus = |folder: &PathBuf| {
        let name = name_of(folder);
        let target = TARGETS.iter().find(|(target, _)| *target == name);
        let (_, target) = target.unwrap_or_else(|| panic!("no target replays the corpus {name}"));
        (name, (*target, sorted(folder)))
    };
    sorted(&folder()).iter().map(corpus).collect()
}

#[test]
fn every_file_of_every_corpus_is_without_a_finding() {
    let corpora = corpora();

    assert_eq!(corpora.len(), TARGETS.len(), "a target has no corpus");
    for (name, (target, files)) in corpora {
        assert!(files.len() >= LEAST_FILES, "{name} has only {} files", files.len());
        for file in files {
            replay(&file, target);
        }
    }
}

#[test]
fn every_corpus_reaches_what_matters() {
    for (name, (target, files)) in corpora() {
        let reached: Sights =
            files.iter().flat_map(|file| target(&fs::read(file).expect("a file"))).collect();
        let matters = MATTERS.iter().find(|(corpus, _)| *corpus == name);
        let (_, matters) = matters.unwrap_or_else(|| panic!("nothing matters of {name}"));
        for sight in *matters {
            assert!(reached.contains(sight), "no file of {name} reaches: {sight}");
        }
    }
}

/// A finding names its file.
fn replay(file: &Path, target: Target) {
    let bytes = fs::read(file).expect("a file");
    if let Err(finding) = std::panic::catch_unwind(|| target(&bytes)) {
        let told = finding.downcast_ref::<String>().map_or("a finding", String::as_str);
        panic!("{}: {told}", file.display());
    }
}
