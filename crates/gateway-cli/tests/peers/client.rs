//! One `gateway connect` process: its events, its messages, its end.

use std::io::Write as _;
use std::process::{ChildStdin, Command};

use serde_json::Value;

use crate::lines::{Guarded, Lines, Log, object_with};

/// Heartbeats go on for as long as a client lives, so that a wait among events has a bound of its own.
const PATIENCE_MS: u64 = 60_000;

pub(crate) struct Client {
    process: Guarded,
    stdin: Option<ChildStdin>,
    /// `--events -`: JSON lines on stderr, separated from lines for people.
    events: Lines<Value>,
    messages: Lines<String>,
    pub(crate) log: Log,
    /// The socket that was ready last.
    pub(crate) socket: u64,
    /// How often the client was CONNECTED.
    pub(crate) connected: u64,
}

impl Client {
    pub(crate) fn connect(port: u64, flags: &[String]) -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["connect", &format!("ws://127.0.0.1:{port}"), "--events", "-"]).args(flags);
        let (process, stdin, stdout, stderr) = Guarded::start(&mut command)?;
        let log = Log::default();
        Ok(Self {
            stdin: Some(stdin),
            events: Lines::of(stderr, log.clone(), object_with("event")),
            messages: Lines::of(stdout, log.clone(), |line| Some(line.to_owned())),
            log,
            process,
            socket: 0,
            connected: 0,
        })
    }

    /// Sends one line of stdin. While the client is not ready it stays in the pipe.
    pub(crate) fn send(&mut self, line: &str) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("stdin is closed")?;
        writeln!(stdin, "{line}").map_err(|error| format!("the client's stdin: {error}"))
    }

    /// The next event; None once the client has ended. `since` is the time of the wait's first event.
    pub(crate) fn event(
        &mut self,
        waiting_for: &str,
        since: &mut Option<u64>,
    ) -> Result<Option<Value>, String> {
        let event = self.events.next(waiting_for)?;
        if let Some(event) = &event {
            let t_ms = event["t_ms"].as_u64().ok_or("an event without t_ms")?;
            if t_ms.saturating_sub(*since.get_or_insert(t_ms)) > PATIENCE_MS {
                return Err(format!("it did not come among the events: {waiting_for}"));
            }
            if event["event"] == "ready" {
                self.socket = event["socket"].as_u64().ok_or("ready without a socket")?;
            }
            if event["event"] == "state" && event["to"] == "CONNECTED" {
                self.connected += 1;
            }
        }
        Ok(event)
    }

    /// Waits for a message that contains this.
    pub(crate) fn message(&mut self, part: &str) -> Result<(), String> {
        loop {
            match self.messages.next(&format!("a message with {part}"))? {
                Some(message) if message.contains(part) => return Ok(()),
                Some(_) => {}
                None => return Err(format!("the client ended before a message with {part}")),
            }
        }
    }

    pub(crate) fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end of the process; `events` are those until then.
    pub(crate) fn end(mut self, events: &mut Vec<Value>) -> Result<Option<i32>, String> {
        let mut since = None;
        while let Some(event) = self.event("the client ends", &mut since)? {
            events.push(event);
        }
        let status = self.process.0.wait().map_err(|error| error.to_string())?;
        Ok(status.code())
    }
}
