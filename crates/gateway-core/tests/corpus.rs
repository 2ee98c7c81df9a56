//! Every file of the fuzzer's corpus, through the decoder and the checker that the fuzz target uses.

use std::fs;
use std::path::{Path, PathBuf};

use gateway_testkit::history::Plan;
use gateway_testkit::history::{World, run};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/events");
    let entries = fs::read_dir(&folder).expect("the corpus is part of the repository");
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(file: &Path) -> World {
    let bytes = fs::read(file).unwrap();
    run(&Plan::decode(&bytes)).unwrap_or_else(|violation| panic!("{}: {violation}", file.display()))
}

#[test]
fn every_file_of_the_corpus_holds_every_invariant() {
    let files = files();

    assert!(files.len() >= 20, "only {} files", files.len());
    for file in files {
        replay(&file);
    }
}

#[test]
fn the_corpus_reaches_what_matters() {
    let statistics: Vec<_> = files()
        .iter()
        .map(|file| {
            let world = replay(file);
            world.rig.connection.statistics(world.rig.latest)
        })
        .collect();

    let reached = |what: &str, test: &dyn Fn(&gateway_core::Statistics) -> bool| {
        assert!(statistics.iter().any(test), "no file has {what}");
    };
    reached("a connection that was ready", &|s| s.became_ready);
    reached("a reconnect", &|s| s.reconnects > 0);
    reached("a round trip", &|s| s.round_trip.last.is_some());
    reached("a stale event", &|s| s.stale_events > 0);
    reached("a failed attempt", &|s| s.last_open_error.is_some());
    reached("a received frame", &|s| s.frames_in > 0);
}
