//! The command `gateway serve` as a process: its stdout, its exit status, its signals.

use std::{io, process::Stdio, time::Duration};

use super::common::{Ended, REQUEST, Server, gateway, lines_of, run, signal, soon};
use gateway_tests::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn serve(arguments: &[&str]) -> Ended {
    run(gateway(&[&["serve"], arguments].concat()), b"").await
}

#[tokio::test]
async fn the_list_of_scripts_goes_to_stdout_with_what_each_expects() {
    let Ended { status, stdout: list, .. } = serve(&["--script", "list"]).await;

    assert_eq!(status, Some(0));
    assert!(list.starts_with("echo "), "{list}");
    for words in [
        "half-open ",
        "http-429-retry-date ",
        "close-mute ",
        "- tries again within 45s of a loss",
        "- ends the connection within 45s after the server's last bytes",
        "its Close frame, if it sends one, has 1007 or 1002 (RFC 6455, 7.1.7)",
        "close-CODE",
    ] {
        assert!(list.contains(words), "{words}: {list}");
    }
}

#[tokio::test]
async fn the_help_names_the_answers_to_a_login() {
    let Ended { stdout: help, .. } = serve(&["--help"]).await;

    for part in [r#"{"type":"login_ok"}"#, r#"{"type":"login_failed"}"#, "close 1008"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[tokio::test]
async fn the_help_describes_every_dialect() {
    let Ended { stdout: help, .. } = serve(&["--help"]).await;

    for dialect in gateway_hostile::ServedDialect::ALL {
        assert!(help.contains(&format!("- {}:", dialect.name())), "{help}");
    }
}

#[tokio::test]
async fn a_name_to_listen_on_is_resolved() {
    let Server { url, .. } = Server::start(&["--listen", "localhost:0"]).await;
    assert!(url.starts_with("ws://127.0.0.1:") || url.starts_with("ws://[::1]:"), "{url}");
}

#[tokio::test]
async fn what_cannot_be_meant_is_a_usage_error() {
    for (arguments, words) in [
        (&["--script", "nonsense"][..], "--script"),
        (&["--listen", "nowhere"], "must be IP:PORT"),
        (&["--max-message-size", "0"], "--max-message-size"),
        (&["--faults", "-1"], "-1"),
        (&["--login", ""], "--login"),
        (&["--judge", "--for", "1s", "--within", "1s"], "must be shorter than --for"),
        (&["--judge", "--for", "0"], "longer than 0"),
        (&["--judge", "--for", "soon"], "30s"),
        (&["--judge", "--faults", "1"], "--faults"),
        (&["--within", "1s"], "--judge"),
        (&["--report", "x"], "--judge"),
        (&["--script", "close-1005"], "close-code-1005"),
        (&["--script", "close-5000"], "3000-4999"),
        (&["--script", "close-CODE"], "--script"),
        (&["--script", "close-"], "--script"),
        (&["--dialect", "sock.io"], "'socket.io'"),
        (&["--dialect", "mqtt"], "graphql-transport-ws, home-assistant"),
        (&["--login-uses", "1"], "--login"),
        (&["--login", "x", "--login-uses", "0"], "--login-uses"),
        (&["--login", "x", "--login-expires", "0s"], "longer than 0"),
        (&["--ping-interval", "1s"], "--dialect"),
        (&["--accepts", "0"], "'--accepts <N>': 0 is not in 1..=1000000"),
        (&["--accepts", "1000001"], "'--accepts <N>': 1000001 is not in 1..=1000000"),
        (&["--queue", "10"], "--accepts"),
        (
            &["--accepts", "1", "--queue", "0"],
            "'--queue <N>': must be a number of connections from 1 to 4096",
        ),
        (
            &["--accepts", "1", "--queue", "4097"],
            "'--queue <N>': must be a number of connections from 1 to 4096",
        ),
        (&["--dead-work", "0"], "--accepts"),
        (
            &["--accepts", "1", "--dead-work", "11"],
            "'--dead-work <COST>': must be a number from 0 to 10",
        ),
        (
            &["--accepts", "1", "--dead-work", "NaN"],
            "'--dead-work <COST>': must be a number from 0 to 10",
        ),
        (&["--drop-after", "0s"], "longer than 0"),
    ] {
        let Ended { status, stdout, stderr } = serve(arguments).await;
        assert_eq!(status, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
        assert!(stdout.is_empty());
    }
}

#[tokio::test]
async fn after_the_drop_of_all_the_accepts_are_limited() -> io::Result<()> {
    let server = Server::start(&["--accepts", "1", "--queue", "1", "--drop-after", "1s"]).await;
    let mut first = [server.dial().await, server.dial().await, server.dial().await];
    for client in &mut first {
        client.write_all(REQUEST).await?;
        assert_ne!(soon(client.read(&mut [0; 512])).await?, 0, "no limit before the drop");
    }
    for client in &mut first {
        let error = soon(client.read(&mut [0])).await.expect_err("dropped");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    let _taken = [server.dial().await, server.dial().await];
    // The reset may come before `connect` has returned.
    let refused = match server.try_dial().await {
        Ok(mut third) => soon(third.read(&mut [0])).await,
        Err(error) => Err(error),
    };

    let error = refused.expect_err("the queue is full");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_failure() -> io::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;

    let output = serve(&["--listen", &taken.local_addr()?.to_string()]).await;

    assert_eq!(output.status, Some(1));
    assert!(output.stdout.is_empty());
    assert!(output.stderr.contains("cannot listen on 127.0.0.1:"));
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_with_1001_and_ends_with_0() -> io::Result<()> {
    let closes = async |signal| {
        let server = Server::start(&[]).await;
        let mut client = server.dial().await;
        client.write_all(REQUEST).await?;
        assert_ne!(soon(client.read(&mut [0; 12])).await?, 0);

        server.signal(signal).await;

        // The client does not answer the Close frame, and keeps its side open.
        let (status, _) = timeout(Duration::from_secs(2), server.end()).await?;
        assert_eq!(status, Some(0), "{signal}");
        let mut answer = Vec::new();
        soon(client.read_to_end(&mut answer)).await?;
        assert!(answer.ends_with(&Frame::close(1001, "going away").bytes()), "{signal}");
        Ok::<_, io::Error>(())
    };
    tokio::try_join!(closes("-INT"), closes("-TERM"))?;
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn the_token_comes_from_the_environment_and_is_in_no_log() -> io::Result<()> {
    const TOKEN: &str = "hunter2-hunter2";
    let mut command = gateway(&["serve", "--listen", "127.0.0.1:0", "--log-level", "trace"]);
    command.env("GATEWAY_SERVE_LOGIN", TOKEN).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = command.spawn()?;
    let url = soon(lines_of(server.stdout.take()).next_line()).await?.expect("a first line");
    let mut client = soon(TcpStream::connect(url.trim_start_matches("ws://"))).await?;
    client.write_all(REQUEST).await?;
    client.write_all(&Frame::text(TOKEN).masked()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"type":"login_ok"}"#) {
        assert_ne!(soon(client.read_buf(&mut answer)).await?, 0);
    }

    signal(&server, "-TERM").await;

    let output = soon(server.wait_with_output()).await?;
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("accepted") && !log.contains(TOKEN), "{log}");
    Ok(())
}
