//! The command `gateway replay --scenario`: journals become scenarios, which the testkit runs as they are told.
//!
//! The journals in `journals/` are of real sockets, one of each driver. `GATEWAY_BLESS=1` tells their scenarios anew; then they
//! are to be pasted into the testkit's `reported.rs` once more.

mod common;

use std::{env, fs, io, path::Path};

use common::{gateway, run, text};

/// Where the scenarios are compiled, and run on all harnesses.
const REPORTED: &str = include_str!("../../gateway-testkit/src/scenarios/reported.rs");

async fn told_as_committed(name: &str) -> io::Result<()> {
    let journals = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let journal = fs::read(journals.join(format!("{name}.jsonl")))?;
    let golden = journals.join(format!("{name}.scenario"));

    let replayed = run(gateway(&["replay", "--quiet", "-"]), &journal).await?;
    let told = run(gateway(&["replay", "-", "--scenario", name]), &journal).await?;

    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stdout));
    let (stdout, stderr) = (text(&told.stdout), text(&told.stderr));
    assert_eq!((told.status.code(), stderr.as_str()), (Some(0), ""));
    if env::var_os("GATEWAY_BLESS").is_some() {
        fs::write(&golden, &stdout)?;
    }
    assert_eq!(stdout, fs::read_to_string(&golden)?);
    let is_pasted = unformatted(REPORTED).contains(&unformatted(&stdout));
    assert!(is_pasted, "the testkit has another scenario of the journal:\n{stdout}");
    Ok(())
}

/// The code without what a formatter changes.
fn unformatted(code: &str) -> String {
    code.chars().filter(|letter| !letter.is_whitespace() && *letter != ',').collect()
}

#[tokio::test]
async fn a_journal_of_the_asynchronous_driver_becomes_a_scenario() -> io::Result<()> {
    told_as_committed("too_many_requests_then_a_drop_and_a_dead_peer").await
}

#[tokio::test]
async fn a_journal_of_the_blocking_driver_becomes_a_scenario() -> io::Result<()> {
    told_as_committed("a_drop_and_a_login_that_is_refused_from_then_on").await
}

#[tokio::test]
async fn a_journal_that_breaks_off_becomes_a_scenario_as_far_as_it_goes() -> io::Result<()> {
    let journal = include_str!("journals/too_many_requests_then_a_drop_and_a_dead_peer.jsonl");
    let cut = &journal[..journal.len() / 2];

    let told = run(gateway(&["replay", "-", "--scenario", "cut_off"]), cut.as_bytes()).await?;

    let (stdout, stderr) = (text(&told.stdout), text(&told.stderr));
    assert_eq!(told.status.code(), Some(1));
    assert!(stdout.starts_with("pub(crate) fn cut_off() -> Scenario {\n"), "{stdout}");
    assert!(stdout.ends_with("\n}\n") && stdout.contains("opens("), "{stdout}");
    assert!(stderr.contains("the recording breaks off"), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn a_scenario_has_the_name_of_a_function() -> io::Result<()> {
    for name in ["", "Upper", "1st", "two words", "a-b"] {
        let told = run(gateway(&["replay", "-", "--scenario", name]), b"").await?;
        assert_eq!(told.status.code(), Some(2), "{name}: {}", text(&told.stdout));
    }
    Ok(())
}
