//! The command `gateway serve` as a process: its stdout, its exit status, its signals.

use std::{
    io,
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.arg("serve").args(arguments).env_remove("GATEWAY_SERVE_LOGIN");
    command.env_remove("GATEWAY_LOG").kill_on_drop(true);
    command
}

async fn run(arguments: &[&str]) -> io::Result<Output> {
    timeout(PATIENCE, gateway(arguments).output()).await?
}

#[tokio::test]
async fn the_list_of_scripts_goes_to_stdout() -> io::Result<()> {
    let output = run(&["--script", "list"]).await?;

    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout.starts_with("echo "), "{stdout}");
    for name in ["half-open", "http-429-retry-date", "close-mute"] {
        assert!(stdout.lines().any(|line| line.starts_with(name)), "{stdout}");
    }
    Ok(())
}

#[tokio::test]
async fn the_help_names_the_answers_to_a_login() -> io::Result<()> {
    let output = run(&["--help"]).await?;

    let help = String::from_utf8_lossy(&output.stdout);
    for part in [r#"{"type":"login_ok"}"#, r#"{"type":"login_failed"}"#, "close 1008"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    Ok(())
}

#[tokio::test]
async fn a_name_to_listen_on_is_resolved_and_what_is_none_is_told_the_form() -> io::Result<()> {
    let mut server = gateway(&["--listen", "localhost:0", "--log-level", "off"])
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = server.stdout.take().expect("it is piped");
    let first = timeout(PATIENCE, BufReader::new(stdout).lines().next_line()).await??;
    let url = first.expect("a first line");
    assert!(url.starts_with("ws://127.0.0.1:") || url.starts_with("ws://[::1]:"), "{url}");

    let output = run(&["--listen", "nowhere"]).await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("must be IP:PORT"), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_meant_is_a_usage_error() -> io::Result<()> {
    for arguments in [
        ["--script", "half-opne"],
        ["--max-message-size", "0"],
        ["--listen", "nowhere"],
        ["--faults", "-1"],
        ["--login", ""],
    ] {
        let output = run(&arguments).await?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_failure() -> io::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;

    let output = run(&["--listen", &taken.local_addr()?.to_string()]).await?;

    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot listen on 127.0.0.1:"));
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_with_1001_and_ends_with_0() -> io::Result<()> {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    const TOKEN: &str = "hunter2-hunter2";
    const REQUEST: &[u8] =
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    for signal in ["-INT", "-TERM"] {
        let mut server = gateway(&["--listen", "127.0.0.1:0", "--log-level", "trace"])
            .env("GATEWAY_SERVE_LOGIN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = server.stdout.take().expect("it is piped");
        let first = timeout(PATIENCE, BufReader::new(stdout).lines().next_line()).await??;
        let url = first.expect("a first line");
        let address = url.strip_prefix("ws://").expect("a WebSocket URL").to_owned();
        let mut client = TcpStream::connect(address).await?;
        client.write_all(REQUEST).await?;
        let login = [b"\x81\x8f\0\0\0\0", TOKEN.as_bytes()].concat();
        client.write_all(&login).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(br#"{"type":"login_ok"}"#) {
            assert_ne!(timeout(PATIENCE, client.read_buf(&mut answer)).await??, 0);
        }

        let id = server.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await?.success());

        // The client does not answer the Close frame, and keeps its side open.
        let output = timeout(Duration::from_secs(2), server.wait_with_output()).await??;
        assert_eq!(output.status.code(), Some(0), "{signal}");
        timeout(PATIENCE, client.read_to_end(&mut answer)).await??;
        let close = b"\x88\x0c\x03\xe9going away";
        assert!(answer.ends_with(close), "{signal}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains(TOKEN));
    }
    Ok(())
}
