//! Clients that others wrote, against `gateway serve --dialect`.

use std::process::{ChildStdin, Command};

use serde_json::Value;

use crate::install::PeerCommand;
use crate::lines::{Guarded, Lines, Log, object_with};

const TOKEN: &str = "sesame";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Library {
    GraphqlWs,
    SocketIoClient,
    HomeAssistantJsWebsocket,
}

/// A server, and what a client meets on it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The flags of the server.
    flags: &'static [&'static str],
    token: &'static str,
    /// On how many connections the client gets an echo.
    connections: u32,
    /// All that the client reports, in order; between the lines it may lose connections.
    seen: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case { name: "login", flags: &[], token: TOKEN, connections: 1, seen: &["ready", "echo"] },
    Case { name: "wrong token", flags: &[], token: "Sesame", connections: 1, seen: &["refused"] },
    Case {
        name: "restart",
        flags: &["--script", "restart", "--faults", "1"],
        token: TOKEN,
        connections: 2,
        seen: &["ready", "echo", "lost", "ready", "echo"],
    },
    Case {
        name: "expired token",
        flags: &["--script", "close-1012", "--login-uses", "1"],
        token: TOKEN,
        connections: 2,
        seen: &["ready", "echo", "lost", "refused"],
    },
];

/// Only for clients that notice silence.
const SILENCES: [Case; 2] = [
    Case {
        name: "half-open from the start",
        flags: &["--script", "half-open", "--faults", "1"],
        token: TOKEN,
        connections: 1,
        seen: &["lost", "ready", "echo"],
    },
    Case {
        name: "half-open later",
        flags: &["--script", "go-silent", "--faults", "1", "--ping-timeout", "2s"],
        token: TOKEN,
        connections: 2,
        seen: &["ready", "echo", "lost", "ready", "echo"],
    },
];

impl Library {
    pub(crate) const ALL: [Self; 3] =
        [Self::GraphqlWs, Self::SocketIoClient, Self::HomeAssistantJsWebsocket];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GraphqlWs => "graphql-ws",
            Self::SocketIoClient => "socket.io-client",
            Self::HomeAssistantJsWebsocket => "home-assistant-js-websocket",
        }
    }

    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::GraphqlWs => "client_graphql_ws.mjs",
            Self::SocketIoClient => "client_socket_io.mjs",
            Self::HomeAssistantJsWebsocket => "client_home_assistant.mjs",
        }
    }

    const fn dialect(self) -> &'static str {
        match self {
            Self::GraphqlWs => "graphql-transport-ws",
            Self::SocketIoClient => "socket.io",
            Self::HomeAssistantJsWebsocket => "home-assistant",
        }
    }

    /// The cases that this library can be in.
    pub(crate) fn cases(self) -> impl Iterator<Item = &'static Case> {
        let silences = match self {
            Self::GraphqlWs | Self::SocketIoClient => &SILENCES[..],
            // It waits without end.
            Self::HomeAssistantJsWebsocket => &[],
        };
        CASES.iter().chain(silences)
    }
}

/// Runs one case to the client's end.
pub(crate) fn run(library: Library, command: &PeerCommand, case: &Case) -> Result<(), String> {
    let log = Log::default();
    let server = Served::start(library, case, &log)?;
    let mut client = Command::new(&command[0]);
    client.args(&command[1..]).args([&server.url, case.token, &case.connections.to_string()]);
    let (mut process, _stdin, stdout, stderr) = Guarded::start(&mut client)?;
    drop(Lines::<()>::of(stderr, log.clone(), |_| None));
    let lines = Lines::of(stdout, log.clone(), object_with("seen"));
    let outcome = meets(&lines, case).and_then(|()| {
        let status = process.0.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the client ended with {status}")) }
    });
    outcome.map_err(|why| format!("{why}{}", log.text()))
}

fn meets(lines: &Lines<Value>, case: &Case) -> Result<(), String> {
    let mut expected = case.seen.iter().peekable();
    while let Some(line) = lines.next("the client ends")? {
        let seen = line["seen"].as_str().unwrap_or_default();
        match expected.next_if(|expected| **expected == seen) {
            Some(_) => {}
            // An attempt while the server refuses.
            None if seen == "lost" => {}
            None => return Err(format!("{line} instead of {:?}", expected.peek())),
        }
    }
    expected.next().map_or(Ok(()), |missing| Err(format!("the client ended before {missing}")))
}

/// `gateway serve`, until it is dropped.
struct Served {
    url: String,
    _process: Guarded,
    _stdin: ChildStdin,
}

impl Served {
    fn start(library: Library, case: &Case, log: &Log) -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--dialect", library.dialect()]);
        command.args(["--login", TOKEN]);
        command.args(["--ping-interval", "100ms"]).args(case.flags);
        let (process, stdin, stdout, stderr) = Guarded::start(&mut command)?;
        drop(Lines::<()>::of(stderr, log.clone(), |_| None));
        let first = Lines::of(stdout, log.clone(), |line| Some(line.to_owned()));
        let url = first.next("the URL")?.ok_or("the server ended")?;
        Ok(Self { url, _process: process, _stdin: stdin })
    }
}
