//! Runs examples against a server that others wrote: Python's `websockets`, in `feed.py`. Without it
//! they are skipped with a message; with GATEWAY_REQUIRE_PEERS=1 that fails.
#![cfg(unix)] // the layout of a Python environment

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gateway_wire::core::{Config, HeartbeatKind};

#[allow(dead_code, reason = "its `main`")]
#[path = "../moving_url.rs"]
mod moving_url;
#[path = "../../crates/gateway-cli/tests/peers/python.rs"]
mod python;
#[allow(dead_code, reason = "its `main`")]
#[path = "../renewed_token.rs"]
mod renewed_token;

struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// `None` where it cannot be installed.
    fn start() -> Option<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        let requirements = sources.join("../crates/gateway-cli/tests/peers/requirements.txt");
        let python = match python::python_with(&requirements) {
            Ok(python) => python,
            Err(why) => {
                let required = std::env::var_os("GATEWAY_REQUIRE_PEERS");
                assert!(required.is_none_or(|value| value != "1"), "{why}");
                // Past the test runner's capture.
                let _ = writeln!(std::io::stderr().lock(), "SKIPPED an example's peer: {why}");
                return None;
            }
        };
        let mut command = Command::new(python);
        command.arg("-B").arg(sources.join("tests/feed.py")).stdout(Stdio::piped());
        let process = command.spawn().expect("Python starts");
        let mut server = Self { process, port: 0 };
        let mut line = String::new();
        let stdout = server.process.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        server.port = line.trim().parse().expect("the port");
        Some(server)
    }

    fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }
}

/// Settings under which a client ends by itself, whatever the server does.
fn bounded() -> Config {
    let config = Config::builder()
        .heartbeat(HeartbeatKind::Off)
        .initial_delay(Duration::from_millis(5))
        .max_delay(Duration::from_millis(20))
        .max_attempts(Some(9))
        .data_timeout(Some(Duration::from_secs(10)));
    config.build().expect("the settings are valid")
}

#[test]
fn a_token_is_renewed_for_each_attempt() {
    let Some(server) = Server::start() else { return };
    let feed = gateway_std::Client::builder(server.url("ws", "/feed")).config(bounded());
    let mut shown = Vec::new();

    renewed_token::follow(feed, server.url("http", "/token"), |text| shown.push(text.to_owned()))
        .unwrap();

    let failed = "no token: the token service answers 500 Internal Server Error";
    assert_eq!(shown, [failed, "hello, token-2", "hello, token-3", "hello, token-4"]);
}

#[tokio::test]
async fn a_url_that_the_server_names_is_used_once() {
    let Some(server) = Server::start() else { return };
    let home = gateway_tokio::Client::builder(server.url("ws", "/home")).config(bounded());
    let mut shown = Vec::new();

    moving_url::follow(home, |text| shown.push(text.to_owned())).await.unwrap();

    assert_eq!(shown, ["this is /home", "this is /home", "this is /away"]);
}
