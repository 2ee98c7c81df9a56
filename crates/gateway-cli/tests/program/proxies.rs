//! `gateway connect` through proxies: which one it takes, what it says of it, and two proxies that
//! others wrote: squid and microsocks. A proxy that is not installed is skipped with a message. With
//! GATEWAY_REQUIRE_PEERS=1 that fails.

use std::{
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc::{Receiver, channel},
};

use super::common::{Ended, SHORT, Server, file, gateway, run};
use gateway_tests::{Asked, Listener, ProxyKind, relay};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

/// A name that no resolver knows.
const URL: &str = "ws://server.invalid:7777";

/// A proxy of the test that leads all clients to this server. Returns its host and port.
async fn proxy(kind: ProxyKind, server: &Server) -> (String, Receiver<Asked>) {
    let listener = Listener::bind().await;
    let place = listener.url().trim_start_matches("ws://").to_owned();
    let port = port(&server.url);
    let (asked, heard) = channel();
    tokio::spawn(async move {
        loop {
            let (mut client, asked) = (listener.accept().await, asked.clone());
            tokio::spawn(async move {
                let _ = asked.send(kind.read(&mut client).await);
                client.write_all(kind.accepts()).await.expect("a client");
                relay(client, port).await;
            });
        }
    });
    (place, heard)
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// Sends a line through what these arguments and variables say.
async fn send(url: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = gateway(&["connect", url, "-1", "--heartbeat", "off"]);
    command.args(SHORT).args(arguments).envs(variables.iter().copied()).env("NO_COLOR", "1");
    run(command, b"hello\n").await
}

#[track_caller]
fn assert_sent(ended: &Ended, words: &str) {
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "hello\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains(words), "no {words:?} in {}", ended.stderr);
    assert!(
        !ended.stderr.contains("hunter2") && !ended.stderr.contains("annika"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_flag_names_the_proxy_and_the_first_line_says_so_without_user_and_password() {
    let server = Server::start(&[]).await;
    for kind in ProxyKind::ALL {
        let (place, asked) = proxy(kind, &server).await;
        let flag = kind.url(&format!("annika:hunter2@{place}"));
        let ended =
            send(URL, &["--proxy", &flag], &[("http_proxy", "http://nowhere.invalid")]).await;
        assert_sent(&ended, &format!("connecting to {URL} through {}", kind.url(&place)));
        let asked = asked.recv().expect("it was asked");
        assert_eq!(asked.place, "server.invalid:7777");
        assert!(asked.login.is_some());
    }
}

#[tokio::test]
async fn the_environment_names_the_proxy_unless_a_setting_says_otherwise() {
    let server = Server::start(&[]).await;
    let (place, _asked) = proxy(ProxyKind::Connect, &server).await;
    let through = format!("through http://{place}");
    for variable in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "GATEWAY_PROXY"] {
        let variables = [(variable, &*place), ("https_proxy", "nowhere.invalid")];
        assert_sent(&send(URL, &[], &variables).await, &through);
    }

    let dead = [("all_proxy", "socks5://nowhere.invalid")];
    assert_sent(&send(&server.url, &["--proxy", ""], &dead).await, "connecting to");
    assert_sent(&send(&server.url, &["--no-proxy", "127.0.0.0/8"], &dead).await, "connecting to");
    let variables = [dead[0], ("NO_PROXY", "http://x,127.0.0.1")];
    assert_sent(&send(&server.url, &[], &variables).await, "connecting to");
    let config = file("no-proxy.toml", "proxy = ''");
    let config = config.to_str().expect("text");
    assert_sent(&send(&server.url, &["--config", config], &dead).await, "connecting to");
}

#[tokio::test]
async fn a_wrong_proxy_is_an_error_with_its_source_and_check_shows_none_of_its_secrets() {
    let variables = [("http_proxy", "socks4://annika:hunter2@h")];
    let ended = send(URL, &["--no-proxy", "10.0.0.0/33"], &variables).await;
    assert_eq!(ended.status, Some(2));
    for line in [
        "  proxy: must begin with http://, https://, socks5:// or socks5h://  [http_proxy]\n",
        "  no_proxy = \"10.0.0.0/33\": must be hosts",
    ] {
        assert!(ended.stderr.contains(line), "no {line:?} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);

    let config =
        "url = 'ws://h'\nproxy = 'http://annika:hunter2@p:1'\nno_proxy = ['a.example', '*.b']";
    let mut command = gateway(&["check"]);
    command.arg(file("proxy.toml", config));
    let checked = run(command, b"").await;
    assert_eq!(checked.status, Some(0), "{}", checked.stderr);
    let shown = format!("{}{}", checked.stdout, checked.stderr);
    assert!(shown.contains("http://p:1") && shown.contains("a.example, *.b"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("annika"), "{shown}");
}

/// The user and the password that the proxies want.
const LOGIN: &str = "annika:hunter2";

#[tokio::test]
async fn squid_leads_to_the_server_and_its_refusals_are_told() {
    let Some(squid) = found("squid") else { return };
    let server = Server::start(&[]).await;
    let (port, server_port) = (free_port(), port(&server.url));
    let _proxy = start(Command::new(squid).arg("-N").arg("-f").arg(squids_settings(port)));
    let place = format!("127.0.0.1:{port}");
    // Only squid's own hosts file has this name.
    let url = format!("ws://server.test:{server_port}");

    let known = format!("http://{LOGIN}@{place}");
    assert_sent(&send(&url, &["--proxy", &known], &[]).await, &format!("through http://{place}"));

    for (login, words) in [
        ("", "it asks for a user and a password; give them in its URL"),
        ("annika:wrong@", "it does not accept the user and the password of its URL"),
    ] {
        let proxy = format!("http://{login}{place}");
        let ended = send(&url, &["--proxy", &proxy], &[]).await;
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
        assert!(ended.stderr.contains("proxy_credentials") || ended.stderr.contains("407"));
    }

    // Its rules forbid this port.
    let arguments = ["--proxy", &known, "--max-attempts", "0"];
    let ended = send("ws://server.test:9", &arguments, &[]).await;
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("answered 403"), "{}", ended.stderr);
}

#[tokio::test]
async fn microsocks_leads_to_the_server_and_its_refusals_are_told() {
    let Some(microsocks) = found("microsocks") else { return };
    let server = Server::start(&[]).await;
    let port_of_proxy = free_port();
    let (user, password) = LOGIN.split_once(':').expect("both");
    let number = port_of_proxy.to_string();
    let _proxy = start(Command::new(microsocks).args([
        "-i",
        "127.0.0.1",
        "-p",
        &number,
        "-u",
        user,
        "-P",
        password,
    ]));
    let place = format!("127.0.0.1:{port_of_proxy}");
    let url = format!("ws://localhost:{}", port(&server.url));

    for scheme in ["socks5", "socks5h"] {
        let known = format!("{scheme}://{LOGIN}@{place}");
        let through = format!("through {scheme}://{place}");
        assert_sent(&send(&url, &["--proxy", &known], &[]).await, &through);
    }
    for (login, words) in [
        ("", "asks for a user and a password; give them in its URL"),
        ("annika:wrong@", "does not accept the user and the password"),
    ] {
        let ended = send(&url, &["--proxy", &format!("socks5://{login}{place}")], &[]).await;
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }

    let closed = free_port();
    let known = format!("socks5://{LOGIN}@{place}");
    let arguments = ["--proxy", &known, "--max-attempts", "0"];
    let ended = send(&format!("ws://localhost:{closed}"), &arguments, &[]).await;
    assert!(ended.stderr.contains("opened no connection to the server"), "{}", ended.stderr);
}

/// A port on which nothing listens. The client retries until the proxy does.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port()
}

/// The path of a program that may be missing.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        let why = format!("SKIPPED proxies/{name}: not installed; Debian has it as {name}\n");
        // Past the test runner's capture.
        let _ = std::io::stderr().lock().write_all(why.as_bytes());
        let required = std::env::var_os("GATEWAY_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!required, "{name} is missing, and it is required");
    }
    found
}

/// Starts a proxy that is killed in the end.
fn start(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().expect("it starts")
}

/// Settings for a squid on this port that wants a user and a password.
fn squids_settings(port: u16) -> PathBuf {
    let written = |name: &str, content: &str| {
        let path = file(name, content);
        let readable = |path: &Path| path.display().to_string();
        readable(&path)
    };
    let check = written(
        "squid-login.sh",
        "while read -r login; do\n  if [ \"$login\" = 'annika hunter2' ]; then echo OK; else echo ERR; fi\ndone\n",
    );
    let hosts = written("squid-hosts", "127.0.0.1 server.test\n");
    file(
        "squid.conf",
        &format!(
            "http_port 127.0.0.1:{port}\n\
             pid_filename none\naccess_log none\ncache_log /dev/null\ncache deny all\n\
             netdb_filename none\ncoredump_dir /tmp\nshutdown_lifetime 0 seconds\n\
             hosts_file {hosts}\n\
             auth_param basic program /bin/sh {check}\nauth_param basic children 1\n\
             acl known proxy_auth REQUIRED\nacl low port 1-1023\n\
             http_access deny !known\nhttp_access deny low\nhttp_access allow known\n\
             http_access deny all\n"
        ),
    )
}
