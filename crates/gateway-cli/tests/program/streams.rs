//! stdin and stdout of `gateway connect` in every state in which a process can inherit them.
#![cfg(target_os = "linux")] // so is the module `broken`

use std::{
    fs::{File, OpenOptions},
    io,
    process::Stdio,
};

use super::broken::{pipe, pty, set_blocking};
use super::common::{Server, gateway, lines_of, rest, soon, text, words};
use tokio::{io::AsyncWriteExt as _, net::unix::pipe::Receiver, process::Command};

fn connect(server: &Server, arguments: &[&str]) -> Command {
    let mut command = gateway(&["connect", &server.url, "--heartbeat", "off"]);
    command.args(arguments);
    command
}

#[tokio::test]
async fn a_stdout_that_is_read_late_gets_every_message_also_if_it_is_non_blocking() -> io::Result<()>
{
    // Far more than pipes, sockets and buffers hold.
    let (line, count) = ("x".repeat(64 * 1024), 400);
    for is_blocking in [true, false] {
        let server = Server::start(&[]).await;
        let (reader, writer) = pipe()?;
        set_blocking(&writer, is_blocking)?;
        let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--log-level", "off"]);
        command.args(words("--events - --heartbeat-interval 100ms --heartbeat-timeout 100ms"));
        command.stdin(Stdio::piped()).stdout(Stdio::from(writer)).stderr(Stdio::piped());
        let mut client = command.spawn()?;
        drop(command);
        let mut stdin = client.stdin.take().expect("it is piped");
        let input = format!("{line}\n").repeat(count);
        let writing = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
        // So much fits before stdout; then no more is taken from the connection.
        let mut events = lines_of(client.stderr.take());
        for _ in 0..5 {
            while !soon(events.next_line()).await?.expect("it runs").contains(r#""outcome":"sent""#)
            {
            }
        }
        let rest_of_events = tokio::spawn(rest(events.into_inner()));

        let echoes = rest(Receiver::from_owned_fd(reader)?).await;

        assert_eq!(echoes.lines().filter(|echo| *echo == line).count(), count, "{is_blocking}");
        soon(writing).await.expect("no panic")?;
        let events = soon(rest_of_events).await.expect("no panic");
        assert_eq!(soon(client.wait()).await?.code(), Some(0), "{events}");
    }
    Ok(())
}

#[tokio::test]
async fn a_non_blocking_stdin_is_waited_for() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let (reader, writer) = pipe()?;
    set_blocking(&reader, false)?;
    let often = ["--heartbeat", "ping", "--heartbeat-interval", "100ms"];
    let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--log-level", "off"]);
    command.args(often).args(["--events", "-"]);
    command.stdin(Stdio::from(reader)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn()?;
    drop(command);
    // A pong comes behind the first read of stdin.
    let mut events = lines_of(client.stderr.take());
    while !soon(events.next_line()).await?.expect("it runs").contains(r#""event":"pong""#) {}

    rustix::io::write(&writer, b"hello\n")?;

    let mut echoes = lines_of(client.stdout.take());
    assert_eq!(soon(echoes.next_line()).await?.as_deref(), Some("hello"));
    drop(writer);
    assert_eq!(soon(client.wait()).await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_stdin_that_cannot_be_read_is_named_and_fails() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let (_reader, not_for_reading) = pipe()?;
    let (master, hung_up) = pty()?;
    drop(master);
    for (what, stdin, words) in [
        ("a directory", File::open("/")?.into(), "Is a directory"),
        ("not for reading", not_for_reading, "Bad file descriptor"),
    ] {
        let mut command = connect(&server, &["--exit-on-eof"]);
        command.stdin(Stdio::from(stdin)).stdout(Stdio::piped()).stderr(Stdio::piped());

        let output = soon(command.output()).await?;

        let log = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {log}");
        assert!(
            log.contains("cannot read any more of stdin") && log.contains(words),
            "{what}: {log}"
        );
    }
    // A terminal that was hung up is at its end.
    let mut command = connect(&server, &["--exit-on-eof"]);
    command.stdin(Stdio::from(hung_up)).stdout(Stdio::piped()).stderr(Stdio::piped());
    assert!(soon(command.output()).await?.status.code().is_some());
    Ok(())
}

/// The standard library opens /dev/null in its place before the program begins.
#[tokio::test]
async fn a_stdin_that_is_closed_is_at_its_end() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let mut command = Command::new("sh");
    let script = r#"exec "$0" connect "$1" --exit-on-eof <&-"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_gateway"), &server.url]);
    command.kill_on_drop(true);

    let output = soon(command.output()).await?;

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    Ok(())
}

#[tokio::test]
async fn a_stdout_that_fails_is_named_and_the_status_is_1() -> io::Result<()> {
    let (master, hung_up) = pty()?;
    drop(master);
    let full = OpenOptions::new().write(true).open("/dev/full")?;
    for (what, stdout, words) in [
        ("a full disk", full.into(), "No space left on device"),
        ("a terminal that hung up", hung_up, "Input/output error"),
    ] {
        let server = Server::start(&[]).await;
        let mut command = connect(&server, &[]);
        command.stdin(Stdio::piped()).stdout(Stdio::from(stdout)).stderr(Stdio::piped());
        let mut client = command.spawn()?;
        let mut stdin = client.stdin.take().expect("it is piped");
        stdin.write_all(b"hello\n").await?;

        let output = soon(client.wait_with_output()).await?;

        let log = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {log}");
        assert!(log.contains("cannot write to stdout") && log.contains(words), "{what}: {log}");
    }
    Ok(())
}
