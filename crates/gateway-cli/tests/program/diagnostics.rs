//! Diagnostics are best effort: the program works on whatever happens to stderr, `--events` and
//! `--record`.
#![cfg(target_os = "linux")] // so is the module `broken`

use std::{
    io,
    path::Path,
    process::{Output, Stdio},
};

use super::broken::{Broken, filled_pipe, pty, read_terminal};
use super::common::{Logged, Server, file, gateway, lines_of, run, signal, soon, text};
use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
};

/// A server that loses its first clients, so that there is something to log.
async fn losing() -> Server {
    Server::start(&["--script", "close-4000", "--faults", "4"]).await
}

fn connect(server: &Server, arguments: &[&str]) -> Command {
    let short = ["--initial-delay", "10ms", "--max-delay", "20ms"];
    let mut command = gateway(&["connect", &server.url, "--log-level", "trace"]);
    command.args(short).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Sends a line, waits for its echo, and ends the program with a signal.
async fn echoes(what: &str, mut command: Command) -> io::Result<Output> {
    let mut client = command.spawn()?;
    drop(command); // and with it our copy of a stream
    let mut stdin = client.stdin.take().expect("it is piped");
    let mut lines = lines_of(client.stdout.take());
    stdin.write_all(b"hello\n").await?;
    assert_eq!(soon(lines.next_line()).await?.as_deref(), Some("hello"), "{what}");
    signal(&client, "-TERM").await;
    let output = soon(client.wait_with_output()).await?;
    assert_eq!(output.status.code(), Some(0), "{what}");
    Ok(output)
}

#[tokio::test]
async fn a_connection_survives_every_broken_stderr() -> io::Result<()> {
    for events in [[].as_slice(), &["--events", "-"]] {
        let survives = async |broken: Broken| {
            let server = losing().await;
            let mut command = connect(&server, events);
            command.stderr(Stdio::from(broken.stream.try_clone()?));
            echoes(broken.name, command).await
        };
        try_join_all(Broken::all()?.into_iter().map(survives)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_survives_files_that_cannot_be_written() -> io::Result<()> {
    for flag in ["--events", "--record"] {
        let server = losing().await;
        let mut command = connect(&server, &[flag, "/dev/full"]);
        command.stderr(Stdio::piped());

        let log = text(&echoes(flag, command).await?.stderr);

        assert!(log.contains(&format!("cannot write {flag} /dev/full")), "{log}");
        assert!(log.contains("the last lines could not be written"), "{log}");
    }
    Ok(())
}

/// An unread pipe is a file that hangs. It is also the program's stdin, so that it has a name.
async fn survives_a_file_that_hangs(flag: &str) -> io::Result<()> {
    let server = losing().await;
    let (_reader, writer) = filled_pipe()?;
    let mut command = connect(&server, &[flag, "/dev/fd/0"]);
    command.stdin(Stdio::from(writer));
    let mut client = Logged::start(command)?;
    for _ in 0..5 {
        client.is_connected().await;
    }
    assert!(client.terminate().await.code().is_some(), "{flag}");
    Ok(())
}

/// Both at the same time: at the end the program waits for a file.
#[tokio::test]
async fn a_connection_survives_files_that_hang() -> io::Result<()> {
    tokio::try_join!(
        survives_a_file_that_hangs("--events"),
        survives_a_file_that_hangs("--record")
    )?;
    Ok(())
}

/// More than waits for stderr, and then somebody reads it.
#[tokio::test]
async fn lines_that_a_stderr_did_not_take_are_counted_once_it_is_read() -> io::Result<()> {
    const COUNT: usize = 60_000;
    let server = Server::start(&[]).await;
    let (reader, stderr) = filled_pipe()?;
    let mut command = gateway(&["connect", &server.url, "-vv", "--heartbeat", "off"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(stderr));
    let mut client = command.spawn()?;
    drop(command);
    let mut stdin = client.stdin.take().expect("it is piped");
    let mut lines = lines_of(client.stdout.take());
    let writing = tokio::spawn(async move {
        stdin.write_all("hello\n".repeat(COUNT).as_bytes()).await?;
        Ok::<_, io::Error>(stdin)
    });
    for _ in 0..COUNT {
        assert_eq!(soon(lines.next_line()).await?.as_deref(), Some("hello"));
    }
    let _stdin = soon(writing).await.expect("no panic")?;

    let reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader)?;
    let mut log = BufReader::new(reader).lines();
    loop {
        let line = soon(log.next_line()).await?.expect("it runs");
        if line.ends_with(" lines were dropped: stderr could not be written") {
            break;
        }
    }

    signal(&client, "-TERM").await;
    assert_eq!(soon(client.wait()).await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_server_survives_every_broken_stderr() -> io::Result<()> {
    let survives = async |broken: Broken| {
        let mut command = gateway(&["serve", "--listen", "127.0.0.1:0", "--log-level", "trace"]);
        command.stdout(Stdio::piped()).stderr(Stdio::from(broken.stream.try_clone()?));
        let mut server = command.spawn()?;
        let mut lines = lines_of(server.stdout.take());
        let url = soon(lines.next_line()).await?.expect("a first line");

        for _ in 0..3 {
            let mut client = gateway(&["connect", &url, "--exit-on-eof", "--heartbeat", "off"]);
            client.args(["--log-level", "off"]);
            let output = run(client, b"hello\n").await;
            assert_eq!(output.status, Some(0), "{}", broken.name);
        }

        signal(&server, "-TERM").await;
        assert_eq!(soon(server.wait()).await?.code(), Some(0), "{}", broken.name);
        Ok::<_, io::Error>(())
    };
    try_join_all(Broken::all()?.into_iter().map(survives)).await?;
    Ok(())
}

#[tokio::test]
async fn a_terminal_gets_the_log_and_its_end() -> io::Result<()> {
    let server = losing().await;
    let (master, terminal) = pty()?;
    let mut command = connect(&server, &["--exit-on-eof"]);
    command.stderr(Stdio::from(terminal)).stdout(Stdio::null()).env("NO_COLOR", "1");
    let reading = tokio::task::spawn_blocking(move || read_terminal(&master));

    let mut client = command.spawn()?;
    drop(command); // and with it our copy of the terminal
    drop(client.stdin.take());
    let status = soon(client.wait()).await?;

    let log = soon(reading).await.expect("no panic");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("CONNECTING -> CONNECTED") && log.contains("-> CLOSED"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_journal_is_whole_at_the_end_and_events_too() -> io::Result<()> {
    let server = losing().await;
    let (journal, events) = (file("whole.jsonl", ""), file("whole-events.jsonl", ""));
    let shown = |path: &Path| path.display().to_string();
    let arguments = ["--exit-on-eof", "--record", &shown(&journal), "--events", &shown(&events)];
    let output = run(connect(&server, &arguments), b"one\ntwo\n").await;
    assert_eq!(output.status, Some(0), "{}", output.stderr);

    let replay = run(gateway(&["replay", "--quiet", &shown(&journal)]), b"").await;

    assert_eq!(replay.status, Some(0), "{}", replay.stderr);
    let events = std::fs::read_to_string(events)?;
    assert!(events.lines().last().is_some_and(|line| line.contains("CLOSED")), "{events}");
    Ok(())
}
