//! Presets that `gateway serve` does not play, against real servers.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::Client;
use crate::install::installed;
use crate::lines::{Guarded, Lines, Log};
use crate::python::python_with;

/// A server. In its texts, `PORT`, `PORT2` and `PORT3` are free ports, `FOLDER` is the folder of its
/// files, `BIN` the folder of Python's programs, and `ADMITTED` one of the two words below.
pub(crate) struct PresetServer {
    pub(crate) preset: &'static str,
    /// Where the program comes from, if not from PyPI.
    debian: Option<&'static str>,
    /// A program that it needs.
    companion: Option<&'static [&'static str]>,
    command: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, &'static str)],
    /// With this word it admits the client.
    admits: &'static str,
    /// With this word it refuses the client.
    refuses: &'static str,
    flags: &'static [&'static str],
    /// The close code of a server that is stopped, if it sends one.
    stop_code: Option<u64>,
    /// A part of the reason of a refused login.
    reason: &'static str,
    asks: Asks,
}

/// How the test sees that the connection works.
enum Asks {
    /// The preset's pings are answered. A server that hangs is noticed.
    Pings,
    /// These lines of stdin are sent, and a message with this part comes back. The beats of both
    /// sides are seconds apart.
    Messages(&'static [&'static str], &'static str),
}

impl PresetServer {
    const BASE: Self = Self {
        preset: "",
        debian: None,
        companion: None,
        command: &[],
        environment: &[],
        files: &[],
        admits: "",
        refuses: "",
        flags: &[],
        stop_code: None,
        reason: "",
        asks: Asks::Pings,
    };
}

pub(crate) const SERVERS: [PresetServer; 4] = [
    PresetServer {
        preset: "nats",
        command: &["BIN/nats-server", "-c", "FOLDER/config"],
        files: &[(
            "config",
            r#"{"port": -1, "websocket": {"port": PORT, "no_tls": true}, "authorization": {"token": "ADMITTED"}}"#,
        )],
        admits: "t",
        refuses: "u",
        flags: &["--secret", "token=t"],
        stop_code: Some(1001),
        reason: "Authorization Violation",
        ..PresetServer::BASE
    },
    PresetServer {
        preset: "mqtt",
        // Python's scripts begin with a path that is not theirs any more.
        command: &["BIN/python", "BIN/amqtt", "-c", "FOLDER/config.yaml"],
        files: &[(
            "config.yaml",
            r#"{"listeners": {"default": {"type": "ws", "bind": "127.0.0.1:PORT"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": ADMITTED}}}"#,
        )],
        admits: "true",
        refuses: "false",
        flags: &["--secret", "client_id=gateway"],
        reason: "not authorized",
        ..PresetServer::BASE
    },
    PresetServer {
        preset: "janus",
        debian: Some("janus"),
        command: &["janus", "--configs-folder=FOLDER"],
        files: &[
            (
                "janus.jcfg",
                r#"general: { api_secret = "ADMITTED" }
                transports: { disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }
                plugins: { disable = "libjanus_recordplay.so,libjanus_streaming.so,libjanus_voicemail.so" }"#,
            ),
            (
                "janus.transport.websockets.jcfg",
                r#"general: { ws = true, ws_port = PORT, ws_ip = "127.0.0.1" }"#,
            ),
        ],
        admits: "open-sesame",
        refuses: "shut-sesame",
        flags: &["--secret", "apisecret=open-sesame"],
        reason: "Unauthorized request",
        ..PresetServer::BASE
    },
    PresetServer {
        preset: "stomp",
        debian: Some("rabbitmq-server"),
        companion: Some(&["epmd", "-address", "127.0.0.1", "-port", "PORT2"]),
        command: &["/usr/lib/rabbitmq/bin/rabbitmq-server"],
        environment: &[
            ("RUNNING_UNDER_SYSTEMD", "1"), // one process, and no shell around it
            ("HOME", "FOLDER"),
            ("RABBITMQ_MNESIA_BASE", "FOLDER/mnesia"),
            ("RABBITMQ_LOG_BASE", "FOLDER"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "FOLDER/plugins"),
            ("RABBITMQ_CONFIG_FILE", "FOLDER/rabbitmq"),
            ("RABBITMQ_NODENAME", "gateway-PORT@localhost"),
            ("ERL_EPMD_PORT", "PORT2"),
            ("RABBITMQ_DIST_PORT", "PORT3"),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}"),
        ],
        files: &[
            ("plugins", "[rabbitmq_web_stomp]."),
            (
                "rabbitmq.conf",
                "listeners.tcp = none\nstomp.listeners.tcp = none\nweb_stomp.tcp.ip = 127.0.0.1\n\
                 web_stomp.tcp.port = PORT\nweb_stomp.ws_path = /\ndefault_pass = ADMITTED\n",
            ),
        ],
        admits: "open-sesame",
        refuses: "shut-sesame",
        flags: &["--input=json", "--secret=username=guest", "--secret=password=open-sesame"],
        stop_code: None,
        // The words that the client sent are hidden: CONNECT, and the user's name.
        reason: "Bad (hidden): Access refused for user",
        asks: Asks::Messages(
            &[
                r#"{"text": "SUBSCRIBE\nid:0\ndestination:/queue/a\n\n\u0000"}"#,
                r#"{"text": "SEND\ndestination:/queue/a\n\nstays connected\u0000"}"#,
            ],
            "stays connected",
        ),
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
    "1000",
    "--login-timeout",
    "2s",
];

impl PresetServer {
    /// Returns the folder of Python's programs.
    pub(crate) fn install(&self) -> Result<PathBuf, String> {
        if let Some(package) = self.debian {
            let program = self.command.first().ok_or("no program")?;
            return installed(program, package).map(|()| PathBuf::new());
        }
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let python = python_with(&sources.join("requirements_presets.txt"))?;
        Ok(python.parent().ok_or("no folder")?.to_owned())
    }

    /// A login, exchanges, a server that hangs, one that is killed, one that is stopped, and a refused
    /// login.
    pub(crate) fn play(&self, programs: &Path) -> Result<(), String> {
        let log = Log::default();
        self.steps(programs, &log).map_err(|why| format!("{why}{}", log.text()))
    }

    fn steps(&self, programs: &Path, log: &Log) -> Result<(), String> {
        let mut place = Place::new(self.preset, programs)?;
        let mut running = self.start(&place, self.admits, log)?;
        let mut client = self.client(&place)?;
        see(&mut client, |event| event["event"] == "login" && event["outcome"] == "accepted")?;
        self.exchange(&mut client)?;

        if matches!(self.asks, Asks::Pings) {
            signal(&running.server, Signal::STOP)?;
            see(&mut client, |event| event["cause"] == "pong_timeout")?;
            signal(&running.server, Signal::CONT)?;
            see(&mut client, |event| event["event"] == "ready")?;
        }

        for (end, code) in [(Signal::KILL, None), (Signal::TERM, self.stop_code)] {
            signal(&running.server, end)?;
            see(&mut client, |event| {
                event["event"] == "disconnected" && event["code"].as_u64() == code
            })?;
            drop(running);
            running = self.start(&place, self.admits, log)?;
            see(&mut client, |event| event["event"] == "ready")?;
            self.exchange(&mut client)?;
        }
        drop((client, running));

        place = Place::new(self.preset, programs)?;
        let _running = self.start(&place, self.refuses, log)?;
        let mut client = self.client(&place)?;
        see(&mut client, |event| {
            let reason = event["reason"].as_str().unwrap_or_default();
            event["cause"] == "login_refused" && reason.contains(self.reason)
        })
    }

    fn exchange(&self, client: &mut Client) -> Result<(), String> {
        match self.asks {
            Asks::Pings => {
                see(client, |event| event["event"] == "pong" && event["rtt_ms"].is_f64())
            }
            Asks::Messages(lines, answer) => {
                lines.iter().try_for_each(|line| client.send(line))?;
                client.message(answer)
            }
        }
    }

    fn start(&self, place: &Place, admitted: &str, log: &Log) -> Result<Running, String> {
        let write = |text: &str| place.fill(text).replace("ADMITTED", admitted);
        for (name, text) in self.files {
            fs::write(place.folder.join(name), write(text)).map_err(|error| error.to_string())?;
        }
        let run = |words: &[&str]| {
            let mut words = words.iter().map(|word| write(word));
            let mut command = Command::new(words.next().ok_or("no program")?);
            command.args(words);
            command.envs(self.environment.iter().map(|(name, value)| (name, write(value))));
            let (process, _, stdout, stderr) = Guarded::start(&mut command)?;
            drop(Lines::<()>::of(stdout, log.clone(), |_| None));
            drop(Lines::<()>::of(stderr, log.clone(), |_| None));
            Ok::<_, String>(process)
        };
        let companion = self.companion.map(run).transpose()?;
        Ok(Running { server: run(self.command)?, _companion: companion })
    }

    fn client(&self, place: &Place) -> Result<Client, String> {
        let own = ["--dialect", self.preset];
        let flags = FLAGS.iter().chain(&own).chain(self.flags);
        Client::connect(place.ports[0].into(), &flags.map(ToString::to_string).collect::<Vec<_>>())
    }
}

/// Dropped in this order: the server first.
struct Running {
    server: Guarded,
    _companion: Option<Guarded>,
}

/// The folder and the ports of a server. They stay the same when it is started again.
struct Place {
    folder: PathBuf,
    programs: PathBuf,
    ports: [u16; 3],
}

impl Place {
    fn new(preset: &str, programs: &Path) -> Result<Self, String> {
        let ports = free_ports().map_err(|error| error.to_string())?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{preset}-{}", ports[0]));
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        Ok(Self { folder, programs: programs.to_owned(), ports })
    }

    fn fill(&self, text: &str) -> String {
        let [first, second, third] = self.ports.map(|port| port.to_string());
        let text = text.replace("PORT2", &second).replace("PORT3", &third).replace("PORT", &first);
        let text = text.replace("FOLDER", &self.folder.to_string_lossy());
        text.replace("BIN/", &format!("{}/", self.programs.display()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_ports() -> io::Result<[u16; 3]> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let [first, second, third] = [bind()?, bind()?, bind()?];
    let port = |bound: TcpListener| bound.local_addr().map(|address| address.port());
    Ok([port(first)?, port(second)?, port(third)?])
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
