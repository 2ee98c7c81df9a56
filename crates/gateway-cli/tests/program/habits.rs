//! What users of websocat and wscat expect: short flags, marks on a terminal, completions, a manual
//! page.

use std::io;

use super::common::{Ended, Server, gateway, run};

#[tokio::test]
async fn q_logs_errors_alone_and_v_more() {
    let server = Server::start(&[]).await;
    let log = async |flag: &str| {
        let arguments = ["connect", flag, "--exit-on-eof", "--max-message-size", "5", &server.url];
        run(gateway(&arguments), b"too long\n12345\n").await.stderr
    };

    let quiet = log("-q").await;
    assert!(
        quiet.lines().count() > 0 && quiet.lines().all(|line| line.contains("ERROR")),
        "{quiet}"
    );
    assert!(log("-v").await.contains("DEBUG"));
    assert!(log("-vv").await.contains("TRACE"));
}

#[tokio::test]
async fn completions_and_manual_pages_are_printed() {
    for (arguments, part) in [
        (&["completions", "bash"][..], "complete -F _gateway"),
        (&["completions", "zsh"], "#compdef gateway"),
        (&["completions", "fish"], "complete -c gateway"),
        (&["man"], ".TH gateway 1"),
        (&["man", "connect"], "initial\\-delay"),
        (&["man", "simulate"], "connect\\-timeout\\-max"),
        (&["completions", "bash"], "--login-workers"),
    ] {
        let Ended { status, stdout: printed, .. } = run(gateway(arguments), b"").await;
        assert_eq!(status, Some(0), "{arguments:?}");
        assert!(printed.contains(part), "{arguments:?}: {printed}");
    }
    assert_eq!(run(gateway(&["man", "nothing"]), b"").await.status, Some(2));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_shows_which_way_a_message_went() -> io::Result<()> {
    use super::broken;
    use super::common::soon;
    use std::process::Stdio;

    const CLEARED: &str = "\r\x1b[K";

    let server = Server::start(&[]).await;
    let (master, terminal) = broken::pty()?;
    let mut command = gateway(&["connect", &server.url]);
    command.stdin(Stdio::from(terminal.try_clone()?)).stdout(Stdio::from(terminal.try_clone()?));
    command.stderr(Stdio::from(terminal)).env("NO_COLOR", "1");
    let _client = command.spawn()?;
    drop(command);
    let typed = tokio::task::spawn_blocking(move || {
        let mut shown = String::new();
        broken::read_until(&master, &mut shown, "-> CONNECTED")?;
        rustix::io::write(&master, b"hello\n")?;
        broken::read_until(&master, &mut shown, &format!("{CLEARED}< hello\r\n{CLEARED}> "))?;
        Ok::<_, io::Error>(shown)
    });

    let shown = soon(typed).await.expect("no panic")?;

    // No log line follows a prompt on the same line.
    for line in shown.lines().filter(|line| line.contains("INFO")) {
        let (_, last) = line.rsplit_once(CLEARED).unwrap_or_else(|| panic!("{shown:?}"));
        assert!(!last.starts_with("> "), "{shown:?}");
    }
    Ok(())
}
