//! A signal ends the program in time, whatever hangs.
#![cfg(target_os = "linux")] // so is the module `broken`

use std::{fs::File, io, process::Stdio};

use super::broken::filled_pipe;
use super::common::{file, gateway, signal, soon};
use gateway_tests::{Frame, Listener};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

/// A client whose second attempt hangs: by then the file of its login is a pipe, open and empty.
async fn hanging(name: &str, close_timeout: &str) -> io::Result<(Child, File)> {
    let listener = Listener::bind().await;
    let url = listener.url();
    let login = file(name, "hunter2\n");
    let mut command = gateway(&["connect", &url, "--close-timeout", close_timeout]);
    command.args(["--initial-delay", "1ms", "--max-delay", "1ms", "--log-level", "off"]);
    command.args(["--login-ok", "any"]);
    let client = command.arg("--login").arg(format!("@{}", login.display())).spawn()?;
    let first_attempt = listener.tcp().await;
    let pipe = login.with_extension("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    std::fs::rename(&pipe, &login)?;
    drop(first_attempt);
    // Opened for writing once the client has opened it for reading.
    let opened = tokio::task::spawn_blocking(move || File::create(&login));
    Ok((client, soon(opened).await.expect("no panic")?))
}

#[tokio::test]
async fn a_signal_ends_a_program_whose_login_file_hangs() -> io::Result<()> {
    let (mut client, _pipe) = hanging("hangs-once", "50ms").await?;

    signal(&client, "-TERM").await;

    assert_eq!(soon(client.wait()).await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_signal_ends_it_where_neither_stdout_nor_stderr_is_read_and_the_peer_is_silent()
-> io::Result<()> {
    let listener = Listener::bind().await;
    let url = listener.url();
    let (_stdout, stdout) = filled_pipe()?;
    let (_stderr, stderr) = filled_pipe()?;
    let mut command = gateway(&["connect", &url, "--log-level", "trace", "--events", "-"]);
    command.args(["--heartbeat-interval", "100ms", "--close-timeout", "50ms"]);
    command.stdin(Stdio::piped()).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    let mut client = command.spawn()?;
    drop(command);
    let mut peer = listener.peer().await;
    client.stdin.as_mut().expect("it is piped").write_all(b"hello\n").await?;
    loop {
        let frame = peer.frame().await;
        if frame.first != Frame::text("").first {
            break; // a ping: the echo has come by now
        }
        peer.send(frame).await;
    }

    signal(&client, "-TERM").await;

    // 1 where even the last words had no time.
    let code = soon(client.wait()).await?.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    Ok(())
}

/// A command whose SIGHUP has its default action, or is ignored as `nohup` does it.
fn with_hangup(action: &str, arguments: &[&str]) -> Command {
    let program = gateway(arguments);
    let mut command = Command::new("env");
    command.arg(format!("--{action}-signal=HUP")).arg(program.as_std().get_program());
    command.args(program.as_std().get_args()).stdin(Stdio::piped());
    for (name, value) in program.as_std().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

#[tokio::test]
async fn a_terminal_that_closes_ends_it_with_a_close_frame() -> io::Result<()> {
    let listener = Listener::bind().await;
    let mut client = with_hangup("default", &["connect", &listener.url()]).spawn()?;
    let mut peer = listener.peer().await;

    signal(&client, "-HUP").await;

    let close = peer.frame().await;
    assert_eq!(close.first, Frame::close(1000, "").first);
    peer.send(close).await;
    assert_eq!(soon(client.wait()).await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn with_nohup_it_outlives_its_terminal() -> io::Result<()> {
    let listener = Listener::bind().await;
    let mut client = with_hangup("ignore", &["connect", &listener.url()]).spawn()?;
    let mut peer = listener.peer().await;

    signal(&client, "-HUP").await;
    signal(&client, "-TERM").await;

    // A second signal would end it at once, with 143.
    let close = peer.frame().await;
    peer.send(close).await;
    assert_eq!(soon(client.wait()).await?.code(), Some(0));
    Ok(())
}
