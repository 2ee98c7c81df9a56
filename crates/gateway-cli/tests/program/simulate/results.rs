//! The folder of the results.

use std::fs;

use super::{RECOVERS, contents, file, folder, read, refused::assert_refused, simulate};
#[cfg(target_os = "linux")]
use crate::common::{Ended, run, without_settings};

#[tokio::test]
async fn nothing_is_overwritten_without_force() {
    let folder = folder("taken");
    fs::create_dir(&folder).expect("the folder for tests is writable");
    fs::write(folder.join("notes.txt"), "mine").expect("it is writable");
    let line = format!("{RECOVERS} --jitter full --out {}", folder.display());

    let refused = simulate(&line).await;

    assert_refused(&refused, &["out = "]);
    assert!(refused.stderr.contains("is not empty; --force overwrites"), "{}", refused.stderr);
    assert_eq!(contents(&folder), [("notes.txt".to_owned(), "mine".to_owned())]);

    assert_eq!(simulate(&format!("{line} --force")).await.status, Some(0));
    let names: Vec<_> = contents(&folder).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["curve-full.csv", "notes.txt", "report.html", "summary.json"]);
    assert_eq!(read(&folder, "notes.txt"), "mine");
}

#[tokio::test]
async fn the_curves_of_an_earlier_command_go_and_files_of_others_stay() {
    let folder = folder("curves");
    let line = |jitter: &str| format!("{RECOVERS} --out {} --jitter {jitter}", folder.display());
    assert_eq!(simulate(&line("none,uniform:0.5:1")).await.status, Some(0));
    let curve = read(&folder, "curve-none.csv");
    fs::write(folder.join("curve-equal.csv"), "mine").expect("it is writable");
    fs::write(folder.join("curve-mine.csv"), &curve).expect("it is writable");
    fs::create_dir(folder.join("curve-decorrelated.csv")).expect("it is writable");

    assert_eq!(simulate(&format!("{} --force", line("full"))).await.status, Some(0));

    fs::remove_dir(folder.join("curve-decorrelated.csv")).expect("a folder is no curve");
    let names: Vec<_> = contents(&folder).into_iter().map(|(name, _)| name).collect();
    let kept =
        ["curve-equal.csv", "curve-full.csv", "curve-mine.csv", "report.html", "summary.json"];
    assert_eq!(names, kept);
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_hidden_files_are_not_written_through() {
    let outside = file("outside", "mine");
    let folder = folder("links");
    fs::create_dir(&folder).expect("the folder for tests is writable");
    let links = [".gateway-simulate", "curve-full.csv", "curve-none.csv", "summary.json"];
    for name in links {
        std::os::unix::fs::symlink(&outside, folder.join(name)).expect("it is writable");
    }
    fs::write(folder.join(".gateway"), "mine").expect("it is writable");
    let line = format!("{RECOVERS} --jitter full --force --out {}", folder.display());

    assert_eq!(simulate(&line).await.status, Some(0));

    assert_eq!(fs::read_to_string(&outside).ok().as_deref(), Some("mine"));
    let names: Vec<_> = contents(&folder).into_iter().map(|(name, _)| name).collect();
    let kept = [
        ".gateway",
        ".gateway-simulate",
        "curve-full.csv",
        "curve-none.csv",
        "report.html",
        "summary.json",
    ];
    assert_eq!(names, kept);
    assert!(read(&folder, "summary.json").starts_with('{'));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_result_that_does_not_fit_leaves_nothing_behind() {
    let folder = folder("full-disk");
    // The limit for files is one block. Without the trap, a signal would end the program.
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; exec {} {RECOVERS} --jitter full --out {}",
        env!("CARGO_BIN_EXE_gateway"),
        folder.display()
    );
    let mut shell = without_settings(tokio::process::Command::new("sh"));
    shell.args(["-c", &script]).kill_on_drop(true);

    let Ended { status, stderr, .. } = run(shell, b"").await;

    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("cannot write to "), "{stderr}");
    assert_eq!(contents(&folder), []);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_refused_first() {
    let taken = file("a-file", "mine");
    let line = format!("{RECOVERS} --out {}", taken.display());
    let refused = simulate(&line).await;
    assert_refused(&refused, &["out = "]);
    assert!(refused.stderr.contains("must be a folder, and is a file"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&taken).ok().as_deref(), Some("mine"));

    let below = simulate(&format!("{line}/below")).await;
    assert_refused(&below, &["out = "]);

    // No file system lets anyone make a folder there, not even root.
    #[cfg(target_os = "linux")]
    {
        let refused = simulate(&format!("{RECOVERS} --out /proc/storm")).await;
        assert_refused(&refused, &["out = "]);
        assert!(refused.stderr.contains("cannot be written: "), "{}", refused.stderr);
    }

    // A command with another error leaves nothing behind.
    let folder = folder("never");
    let line = format!("{RECOVERS} --jitter morse --out {}", folder.display());
    assert_refused(&simulate(&line).await, &["reconnect.jitter = "]);
    assert!(!folder.exists());
}
