//! Runs every file of every corpus and every finding through its fuzz target. Each corpus reaches
//! what matters.

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
            "not asked in",
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
            "crossings",
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
    (
        "events",
        &[
            "ready",
            "reconnected",
            "stale",
            "pong timeout",
            "write stall",
            "aborted",
            "ping held",
            "ping handed over",
        ],
    ),
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

/// What each finding reaches, so that its file goes on to say what its name does where the target reads inputs in another way.
const FINDINGS: &[(&str, &[&str])] = &[
    ("answers/a-connection-field-lists-more-than-the-upgrade", &["opened"]),
    ("answers/fields-behind-the-head-name-the-key-again", &["opened", "fields behind the head"]),
    (
        "driver/an-answer-behind-an-illegal-close-is-called-sent",
        &["delivered", "protocol error", "refused"],
    ),
    (
        "reference/a-least-delay-to-the-end-of-time-is-kept-whole",
        &["stale", "a deadline at the end of time"],
    ),
    (
        "reference/a-round-trip-as-long-as-time-is-counted-whole",
        &["ready", "a round trip as long as time"],
    ),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
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
    inputs("corpus")
}

/// The files of a folder for each target.
fn inputs(of: &str) -> BTreeMap<String, (Target, Vec<PathBuf>)> {
    let inputs = |folder: &PathBuf| {
        let name = name_of(folder);
        let target = TARGETS.iter().find(|(target, _)| *target == name);
        let (_, target) = target.unwrap_or_else(|| panic!("no target replays {of}/{name}"));
        (name, (*target, sorted(folder)))
    };
    sorted(&folder(of)).iter().map(inputs).collect()
}

#[test]
fn every_file_of_every_corpus_is_without_a_finding() {
    let corpora = corpora();

    assert_eq!(corpora.len(), TARGETS.len(), "a target has no corpus");
    for (name, (target, files)) in corpora {
        assert!(files.len() >= LEAST_FILES, "{name} has only {} files", files.len());
        for file in files {
            let _ = replay(&file, target);
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

#[test]
fn every_finding_stays_mended_and_reaches_what_it_is_about() {
    let mut names = Vec::new();
    for (name, (target, files)) in inputs("findings") {
        for file in files {
            let reached = replay(&file, target);
            let name = format!("{name}/{}", name_of(&file));
            let about = FINDINGS.iter().find(|(finding, _)| *finding == name);
            let (_, about) = about.unwrap_or_else(|| panic!("nothing is known of {name}"));
            for sight in *about {
                assert!(reached.contains(sight), "{name} does not reach: {sight}; {reached:?}");
            }
            names.push(name);
        }
    }
    assert_eq!(names, FINDINGS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

/// A finding names its file.
fn replay(file: &Path, target: Target) -> Sights {
    let bytes = fs::read(file).expect("a file");
    std::panic::catch_unwind(|| target(&bytes)).unwrap_or_else(|finding| {
        let told = finding.downcast_ref::<String>().map_or("a finding", String::as_str);
        panic!("{}: {told}", file.display());
    })
}
