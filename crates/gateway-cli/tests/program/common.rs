//! Runs the program as a process, without the test's own environment.
#![allow(unreachable_pub, reason = "a module of a program")]

use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use gateway_tests::{Listener, Peer};
use serde_json::Value;
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines,
    },
    net::TcpStream,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// The only bound on any wait.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Short delays, so that a wait is soon over.
pub const SHORT: [&str; 4] = ["--initial-delay", "50ms", "--max-delay", "100ms"];

/// A request for an upgrade.
pub const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The program, without any setting from the environment.
pub fn gateway(arguments: &[&str]) -> Command {
    let mut command = without_settings(Command::new(env!("CARGO_BIN_EXE_gateway")));
    command.args(arguments).kill_on_drop(true);
    command
}

/// The words of a command line.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A command that inherits no setting of the program.
pub fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("GATEWAY_") || shown.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
}

/// Every field is explained in docs/REPORTS.md.
pub fn assert_documented(value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let page = include_str!("../../../../docs/REPORTS.md");
                assert!(page.contains(&format!("`{name}`")), "REPORTS.md says nothing of {name}");
                assert_documented(value);
            }
        }
        Value::Array(items) => items.iter().for_each(assert_documented),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end, with this on stdin.
pub async fn run(mut command: Command, input: &[u8]) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // A program that ends before it has read everything breaks the pipe, and may.
    let writing = tokio::spawn(async move {
        let _ = stdin.write_all(&input).await;
    });
    let Output { status, stdout, stderr } =
        soon(child.wait_with_output()).await.expect("it is ours");
    writing.abort();
    Ended { status: status.code(), stdout: text(&stdout), stderr: text(&stderr) }
}

pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it took too long")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sends a signal to a program that runs.
pub async fn signal(program: &Child, name: &str) {
    let id = program.id().expect("it runs").to_string();
    let killed = Command::new("kill").args([name, &id]).status().await;
    assert!(killed.expect("there is kill").success());
}

/// A file of this test program's own.
pub fn file(name: &str, content: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, content).expect("the folder for tests is writable");
    path
}

/// A `gateway serve` that is killed in the end.
pub struct Server {
    process: Child,
    pub url: String,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Server {
    pub async fn start(arguments: &[&str]) -> Self {
        let mut command = gateway(&["serve", "--log-level", "off"]);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut process =
            command.args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdout = lines_of(process.stdout.take());
        let url = soon(stdout.next_line()).await.expect("it is text").expect("a first line");
        Self { process, url, stdout }
    }

    /// Connects without a client.
    pub async fn dial(&self) -> TcpStream {
        self.try_dial().await.expect("it listens")
    }

    pub async fn try_dial(&self) -> io::Result<TcpStream> {
        soon(TcpStream::connect(self.url.trim_start_matches("ws://"))).await
    }

    pub async fn signal(&self, name: &str) {
        signal(&self.process, name).await;
    }

    /// Waits until it ends by itself. Returns the status, and what it says after the URL.
    pub async fn end(mut self) -> (Option<i32>, String) {
        let report = rest(self.stdout.into_inner()).await;
        (soon(self.process.wait()).await.expect("it is ours").code(), report)
    }
}

/// A `gateway connect` that runs, with its events read from stderr.
pub struct Client {
    process: Child,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<Lines<BufReader<ChildStdout>>>,
    events: Lines<BufReader<ChildStderr>>,
}

impl Client {
    pub fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = gateway(&["connect", url, "--events", "-", "--log-level", "off"]);
        let mut process = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self {
            stdin: process.stdin.take(),
            stdout: Some(lines_of(process.stdout.take())),
            events: lines_of(process.stderr.take()),
            process,
        }
    }

    /// Starts one at a server of the test, and returns both.
    pub async fn with_peer(arguments: &[&str]) -> (Self, Peer<TcpStream>) {
        let listener = Listener::bind().await;
        (Self::start(&listener.url(), arguments), listener.peer().await)
    }

    /// Waits for an event of that name.
    pub async fn event(&mut self, name: &str) -> Value {
        soon(self.next_event(name)).await
    }

    /// Waits for the change to a state.
    pub async fn state(&mut self, to: &str) {
        soon(async { while self.next_event("state").await["to"] != to {} }).await;
    }

    async fn next_event(&mut self, name: &str) -> Value {
        loop {
            let line = self.events.next_line().await.expect("it is text");
            let line = line.unwrap_or_else(|| panic!("the client ended before: {name}"));
            let event = event(&line);
            if event["event"] == name {
                return event;
            }
        }
    }

    pub async fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(line.as_bytes()).await.expect("it is read");
    }

    pub async fn line(&mut self) -> String {
        let stdout = self.stdout.as_mut().expect("it is open");
        soon(stdout.next_line()).await.expect("it is text").expect("a line")
    }

    pub async fn signal(&self, name: &str) {
        signal(&self.process, name).await;
    }

    /// Waits for the end. Returns the status, and the events until then.
    pub async fn end(mut self) -> (ExitStatus, Vec<Value>) {
        let mut events = Vec::new();
        while let Some(line) = soon(self.events.next_line()).await.expect("it is text") {
            events.push(event(&line));
        }
        (soon(self.process.wait()).await.expect("it is ours"), events)
    }
}

/// A `gateway connect` whose log is read.
pub struct Logged {
    process: Child,
    stdin: Option<ChildStdin>,
    log: Lines<BufReader<ChildStderr>>,
}

impl Logged {
    pub fn start(mut command: Command) -> io::Result<Self> {
        command.env("NO_COLOR", "1").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let log = lines_of(process.stderr.take());
        Ok(Self { stdin: process.stdin.take(), process, log })
    }

    /// Waits for a line with all these words.
    pub async fn says(&mut self, words: &[&str]) -> String {
        let mut last = String::new();
        // A client that is refused retries without end.
        for _ in 0..100 {
            let line = soon(self.log.next_line()).await.expect("it is text");
            let line = line.unwrap_or_else(|| panic!("it ended without {words:?}: {last}"));
            assert!(!line.contains("Other("), "{line}");
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            last = line;
        }
        panic!("no {words:?}, but {last}");
    }

    pub async fn is_connected(&mut self) {
        self.says(&["CONNECTING -> CONNECTED"]).await;
    }

    pub async fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(line.as_bytes()).await.expect("it is read");
    }

    /// Ends it with a signal. Returns its status.
    pub async fn terminate(mut self) -> ExitStatus {
        signal(&self.process, "-TERM").await;
        soon(self.process.wait()).await.expect("it is ours")
    }
}

/// An event, which has a time, a name, and no field without a value.
pub fn event(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let fields = event.as_object().unwrap_or_else(|| panic!("no object: {line}"));
    assert!(fields["t_ms"].is_u64() && fields["event"].is_string(), "{line}");
    assert!(fields.values().all(|value| !value.is_null()), "{line}");
    for (name, value) in fields.iter().filter(|(name, _)| name.ends_with("_ms")) {
        assert!(value.is_u64() || name == "rtt_ms" && value.is_f64(), "{line}");
    }
    event
}

pub fn lines_of<R: AsyncRead + Unpin>(stream: Option<R>) -> Lines<BufReader<R>> {
    BufReader::new(stream.expect("it is piped")).lines()
}

/// Everything that is left of a stream.
pub async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await.expect("it is read");
    text(&bytes)
}
