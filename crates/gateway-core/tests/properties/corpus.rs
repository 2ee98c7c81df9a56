//! Every file of the fuzzer's corpus, through the decoder, the checker and the model that the fuzz targets use.

use std::fs;
use std::path::{Path, PathBuf};

use gateway_testkit::history::{Plan, World, compare, run};

fn files(target: &str) -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let folder = corpus.join(target);
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
    let files = files("events");

    assert!(files.len() >= 20, "only {} files", files.len());
    for file in files {
        replay(&file);
    }
}

#[test]
fn on_every_file_of_the_corpus_the_core_does_what_the_model_predicts() {
    let files: Vec<_> = ["events", "reference"].into_iter().flat_map(files).collect();

    assert!(files.len() >= 40, "only {} files", files.len());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let compared = compare(&Plan::decode(&bytes));
        assert!(compared.is_ok(), "{}: {}", file.display(), compared.err().unwrap());
    }
}

#[test]
fn the_corpus_reaches_what_matters() {
    let statistics: Vec<_> = files("events")
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
