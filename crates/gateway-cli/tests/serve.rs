//! The command `gateway serve` as a process: its stdout, its exit status, its signals.

mod common;

use std::{io, process::Output};

use common::{Server, run, soon, text};

async fn serve(arguments: &[&str]) -> io::Result<Output> {
    run(common::gateway(&[&["serve"], arguments].concat()), b"").await
}

#[tokio::test]
async fn the_list_of_scripts_goes_to_stdout() -> io::Result<()> {
    let output = serve(&["--script", "list"]).await?;

    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout.starts_with("echo "), "{stdout}");
    for name in ["half-open", "http-429-retry-date", "close-mute"] {
        assert!(stdout.lines().any(|line| line.starts_with(name)), "{stdout}");
    }
    Ok(())
}

#[tokio::test]
async fn the_help_names_the_answers_to_a_login() -> io::Result<()> {
    let output = serve(&["--help"]).await?;

    let help = text(&output.stdout);
    for part in [r#"{"type":"login_ok"}"#, r#"{"type":"login_failed"}"#, "close 1008"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    Ok(())
}

#[tokio::test]
async fn a_name_to_listen_on_is_resolved_and_what_is_none_is_told_the_form() -> io::Result<()> {
    let Server { url, .. } = Server::start(&["--listen", "localhost:0"]).await;
    assert!(url.starts_with("ws://127.0.0.1:") || url.starts_with("ws://[::1]:"), "{url}");

    let output = serve(&["--listen", "nowhere"]).await?;
    let stderr = text(&output.stderr);
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
        let output = serve(&arguments).await?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_failure() -> io::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;

    let output = serve(&["--listen", &taken.local_addr()?.to_string()]).await?;

    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("cannot listen on 127.0.0.1:"));
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_with_1001_and_ends_with_0() -> io::Result<()> {
    use std::{process::Stdio, time::Duration};

    use gateway_tests::Frame;
    use tokio::{
        io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
        net::TcpStream,
        process::Command,
        time::timeout,
    };

    const TOKEN: &str = "hunter2-hunter2";

    for signal in ["-INT", "-TERM"] {
        let mut command = common::gateway(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--log-level", "trace"]).env("GATEWAY_SERVE_LOGIN", TOKEN);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = server.stdout.take().expect("it is piped");
        let first = soon(BufReader::new(stdout).lines().next_line()).await?;
        let url = first.expect("a first line");
        let address = url.strip_prefix("ws://").expect("a WebSocket URL").to_owned();
        let mut client = TcpStream::connect(address).await?;
        client.write_all(common::REQUEST).await?;
        client.write_all(&Frame::text(TOKEN).masked()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(br#"{"type":"login_ok"}"#) {
            assert_ne!(soon(client.read_buf(&mut answer)).await?, 0);
        }

        let id = server.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await?.success());

        // The client does not answer the Close frame, and keeps its side open.
        let output = timeout(Duration::from_secs(2), server.wait_with_output()).await??;
        assert_eq!(output.status.code(), Some(0), "{signal}");
        soon(client.read_to_end(&mut answer)).await?;
        assert!(answer.ends_with(&Frame::close(1001, "going away").bytes()), "{signal}");
        assert!(!text(&output.stderr).contains(TOKEN));
    }
    Ok(())
}
