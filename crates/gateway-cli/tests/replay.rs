//! The command `gateway replay`: a demo's journal replays as recorded; differences and damage are told by their line.

mod common;

use std::{fs, io};

use common::{file, gateway, run, text};

#[tokio::test]
async fn a_recorded_demo_replays_as_recorded_and_damage_is_told_by_its_line() -> io::Result<()> {
    let path = file("demo.jsonl", "");
    let name = path.to_str().expect("its name is text");
    let on_std = file("demo-std.jsonl", "");
    let on_std = on_std.to_str().expect("its name is text");
    let demo = |driver, name| {
        run(gateway(&["demo", "--seed", "7", "--driver", driver, "--record", name]), b"")
    };
    let (demo, blocking) = tokio::join!(demo("tokio", name), demo("std", on_std));
    for demo in [demo?, blocking?] {
        assert_eq!(demo.status.code(), Some(0), "{}", text(&demo.stderr));
    }
    let blocking = run(gateway(&["replay", "--quiet", on_std]), b"").await?;
    let stdout = text(&blocking.stdout);
    assert_eq!(blocking.status.code(), Some(0), "{stdout}");
    assert!(stdout.ends_with(" events replayed: all as recorded\n"), "{stdout}");
    let journal = fs::read_to_string(&path)?;
    let events = journal.lines().count() - 1;

    let replayed = run(gateway(&["replay", name]), b"").await?;
    let (stdout, stderr) = (text(&replayed.stdout), text(&replayed.stderr));
    assert_eq!((replayed.status.code(), stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(
        stdout.ends_with(&format!("\n{events} events replayed: all as recorded\n")),
        "{stdout}"
    );
    assert!(stdout.lines().count() == events + 1 && !stdout.contains('\x1b'), "{stdout}");

    let quiet = run(gateway(&["replay", "--quiet", "-"]), journal.as_bytes()).await?;
    assert_eq!(text(&quiet.stdout), format!("{events} events replayed: all as recorded\n"));

    let changed = journal.replacen("\"credentials\":\"cached\"", "\"credentials\":\"refresh\"", 1);
    let replayed = run(gateway(&["replay", "--quiet", "-"]), changed.as_bytes()).await?;
    let stdout = text(&replayed.stdout);
    assert_eq!(replayed.status.code(), Some(1));
    assert!(stdout.starts_with("line 3: this is not what was recorded\n"), "{stdout}");
    assert!(stdout.ends_with(&format!("{events} events replayed: 1 difference\n")), "{stdout}");

    fs::write(&path, &journal[..journal.len() - 20])?;
    let replayed = run(gateway(&["replay", "--quiet", name]), b"").await?;
    let stderr = text(&replayed.stderr);
    assert_eq!(replayed.status.code(), Some(1));
    let place = format!("error: {name}:{}: the recording breaks off", events + 1);
    assert!(stderr.starts_with(&place), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn a_journal_that_is_not_there_or_cannot_be_made_is_a_usage_error() -> io::Result<()> {
    for arguments in [
        &["replay", "/no/such/file"][..],
        &["demo", "--record", "/no/such/file"],
        &["connect", "ws://127.0.0.1:1", "--record", "/no/such/file"],
    ] {
        let output = run(gateway(arguments), b"").await?;
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains("/no/such/file"), "{stderr}");
        assert_eq!(text(&output.stdout), "");
    }
    Ok(())
}
