//! Presets that `gateway serve` does not play, against real brokers.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::Client;
use crate::lines::{Guarded, Lines, Log};
use crate::python::python_with;

pub(crate) struct Broker {
    /// The preset.
    pub(crate) name: &'static str,
    /// The files of its command line. Python's scripts begin with a path that is not theirs any more.
    program: &'static [&'static str],
    /// The broker's configuration; `PORT` stands for the port of its WebSocket.
    admits: &'static str,
    refuses: &'static str,
    secret: &'static str,
    /// A part of the reason of a refused login.
    reason: &'static str,
}

pub(crate) const BROKERS: [Broker; 2] = [
    Broker {
        name: "nats",
        program: &["nats-server"],
        admits: r#"{"port": -1, "websocket": {"port": PORT, "no_tls": true}, "authorization": {"token": "t"}}"#,
        refuses: r#"{"port": -1, "websocket": {"port": PORT, "no_tls": true}, "authorization": {"token": "u"}}"#,
        secret: "token=t",
        reason: "Authorization Violation",
    },
    Broker {
        name: "mqtt",
        program: &["python", "amqtt"],
        admits: r#"{"listeners": {"default": {"type": "ws", "bind": "127.0.0.1:PORT"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": true}}}"#,
        refuses: r#"{"listeners": {"default": {"type": "ws", "bind": "127.0.0.1:PORT"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": false}}}"#,
        secret: "client_id=gateway",
        reason: "not authorized",
    },
];

const FLAGS: [&str; 16] = [
    "--initial-delay",
    "50ms",
    "--max-delay",
    "200ms",
    "--heartbeat-interval",
    "300ms",
    "--heartbeat-timeout",
    "300ms",
    "--connect-timeout",
    "2s",
    "--close-timeout",
    "500ms",
    "--max-attempts",
    "100",
    "--login-timeout",
    "2s",
];

/// Installs all brokers. Returns the folder of their programs.
pub(crate) fn install() -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let python = python_with(&sources.join("requirements_brokers.txt"))?;
    Ok(python.parent().ok_or("no folder")?.to_owned())
}

impl Broker {
    /// A login, round trips, a broker that hangs, one that is killed, and a refused login.
    pub(crate) fn play(&self, programs: &Path) -> Result<(), String> {
        let port = free_port()?;
        let mut running = self.start(programs, self.admits, port)?;
        let mut client = self.client(port)?;
        see(&mut client, |event| event["event"] == "login" && event["outcome"] == "accepted")?;
        see(&mut client, |event| event["event"] == "pong" && event["rtt_ms"].is_f64())?;

        signal(&running, Signal::STOP)?;
        see(&mut client, |event| event["cause"] == "pong_timeout")?;
        signal(&running, Signal::CONT)?;
        see(&mut client, |event| event["event"] == "ready")?;

        running.0.kill().map_err(|error| error.to_string())?;
        see(&mut client, |event| event["event"] == "disconnected")?;
        drop(running);
        running = self.start(programs, self.admits, port)?;
        see(&mut client, |event| event["event"] == "ready")?;
        see(&mut client, |event| event["event"] == "pong")?;
        drop((client, running));

        let port = free_port()?;
        let _running = self.start(programs, self.refuses, port)?;
        let mut client = self.client(port)?;
        see(&mut client, |event| {
            let reason = event["reason"].as_str().unwrap_or_default();
            event["cause"] == "login_refused" && reason.contains(self.reason)
        })
    }

    fn start(&self, programs: &Path, config: &str, port: u16) -> Result<Guarded, String> {
        let file =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{port}.yaml", self.name));
        std::fs::write(&file, config.replace("PORT", &port.to_string()))
            .map_err(|error| error.to_string())?;
        let mut words = self.program.iter().map(|word| programs.join(word));
        let mut command = Command::new(words.next().ok_or("no program")?);
        let (process, _, stdout, stderr) = Guarded::start(command.args(words).arg("-c").arg(file))?;
        // A pipe that nobody reads would stop it.
        drop(Lines::<()>::of(stdout, Log::default(), |_| None));
        drop(Lines::<()>::of(stderr, Log::default(), |_| None));
        Ok(process)
    }

    fn client(&self, port: u16) -> Result<Client, String> {
        let own = ["--dialect", self.name, "--secret", self.secret];
        let flags: Vec<_> = FLAGS.iter().chain(&own).map(|flag| String::from(*flag)).collect();
        Client::connect(port.into(), &flags)
    }
}

/// Waits for such an event.
fn see(client: &mut Client, wanted: impl Fn(&Value) -> bool) -> Result<(), String> {
    let mut since = None;
    let mut seen = Vec::new();
    while let Some(event) = client
        .event("the next step", &mut since)
        .map_err(|why| format!("{why}, after {}{}", Value::from(seen.clone()), client.log.text()))?
    {
        if wanted(&event) {
            return Ok(());
        }
        seen.push(event);
    }
    Err(format!("the client ended, after {}{}", Value::from(seen), client.log.text()))
}

fn signal(running: &Guarded, signal: Signal) -> Result<(), String> {
    kill_process(Pid::from_child(&running.0), signal).map_err(|error| error.to_string())
}

fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| error.to_string())
}
