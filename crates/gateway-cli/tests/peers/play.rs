//! Runs the table against one peer, in lock-step and without sleeping. Only `lines.rs` bounds the
//! waits.

use std::fmt::Write as _;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::Client;
use crate::fault::{Fault, Peer, Program, Run, Step, Then};
use crate::install::PeerCommand;
use crate::server::Server;
use crate::table::BASE;

/// Sending without a pause has an end, should the peer's silence go unnoticed.
const MOST_LINES: usize = 2_000;

pub(crate) struct Played {
    pub(crate) peer: Peer,
    pub(crate) fault: &'static str,
    /// The events seen, or what went otherwise.
    pub(crate) outcome: Result<String, String>,
}

/// All runs of one peer. A run ends at its first failure; the next one starts afresh.
pub(crate) fn play(program: &Program, command: &PeerCommand) -> Vec<Played> {
    let mut played = Vec::new();
    for run in program.runs {
        let peer = program.peer;
        let mut failed = |fault, why| played.push(Played { peer, fault, outcome: Err(why) });
        let mut stage = match Stage::new(peer, run, command) {
            Ok(stage) => stage,
            Err(why) => {
                failed("(start)", why);
                continue;
            }
        };
        let mut broken = false;
        for fault in run.faults.iter().copied().flatten() {
            let outcome = stage.fault(fault).map_err(|why| stage.report(&why));
            broken = outcome.is_err();
            played.push(Played { peer, fault: fault.name, outcome });
            if broken {
                break;
            }
        }
        if !broken && let Err(why) = stage.closed_as_asked() {
            let outcome = Err(stage.report(&why));
            played.push(Played { peer, fault: "(closed as asked)", outcome });
        }
    }
    played
}

struct Stage {
    peer: Peer,
    flags: Vec<String>,
    server: Server,
    client: Option<Client>,
    /// Connections that the peer saw before this client.
    opens_before: u64,
    tokens: u64,
    /// Events since the fault began.
    events: Vec<Value>,
}

impl Stage {
    fn new(peer: Peer, run: &Run, command: &PeerCommand) -> Result<Self, String> {
        let mut flags = BASE.to_vec();
        for flag in run.flags.iter().copied().flatten() {
            flags.retain(|(name, _)| *name != flag.0);
            flags.push(*flag);
        }
        let flags = flags.into_iter().flat_map(|(name, value)| [name, value]);
        let mut flags: Vec<_> = flags.chain(["--exit-on-eof"]).map(str::to_owned).collect();
        let server = Server::start(command)?;
        if let Some(secret) = peer.secret() {
            let file = server.token_file().display();
            flags.extend(["--secret".to_owned(), format!("{secret}=@{file}")]);
        }
        Ok(Self {
            peer,
            flags,
            server,
            client: None,
            opens_before: 0,
            tokens: 0,
            events: Vec::new(),
        })
    }

    fn fault(&mut self, fault: &Fault) -> Result<String, String> {
        self.events.clear();
        if self.client.is_none() && !fault.steps.iter().any(|step| matches!(step, Step::Connect)) {
            self.connect()?;
            self.ready_after(0)?;
            self.events.clear();
        }
        let socket = self.client.as_ref().map(|client| client.socket);
        let mut seen = Vec::new();
        for step in fault.steps {
            match *step {
                Step::Steer(command) => self.server.steer(command)?,
                Step::Kill => self.server.kill()?,
                Step::Start => self.server.start_again()?,
                Step::Stop => self.server.signal(Signal::STOP)?,
                Step::Continue => self.server.signal(Signal::CONT)?,
                Step::Connect => self.connect()?,
                Step::Type(line) => self.client()?.send(line)?,
                Step::PeerSees(code) => {
                    let closed = self.server.newest_closed()?;
                    if closed != code {
                        return Err(format!("the peer saw {closed}, not {code}"));
                    }
                }
                Step::See(_)
                | Step::TypeUntil(_)
                | Step::Closed(_)
                | Step::Refused(_)
                | Step::FatalClose(_)
                | Step::FatalStatus(_) => {} // only waits for events
            }
            for wanted in step.events() {
                seen.push(self.see(&wanted, matches!(step, Step::TypeUntil(_)))?);
            }
        }
        let lost = seen.iter().find(|event| event["event"] == "disconnected");
        if let (Some(socket), Some(lost)) = (socket, lost)
            && lost["socket"] != socket
        {
            return Err(format!("{lost} is not of socket {socket}, which was ready"));
        }
        match fault.then {
            Then::Ready => seen.push(self.ready_after(socket.unwrap_or(0))?),
            Then::GaveUp => self.gave_up()?,
        }
        Ok(seen.iter().map(brief).collect::<Vec<_>>().join(", "))
    }

    fn connect(&mut self) -> Result<(), String> {
        self.opens_before = self.server.opens()?;
        self.client = Some(Client::connect(self.server.port, &self.flags)?);
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client, String> {
        self.client.as_mut().ok_or_else(|| "no client runs".to_owned())
    }

    /// Waits for an event that matches; with `typing`, each event on the way is answered by a message.
    fn see(&mut self, wanted: &Value, typing: bool) -> Result<Value, String> {
        let mut typed = 0;
        let mut since = None;
        loop {
            if typing && typed < MOST_LINES {
                typed += 1;
                let (line, _) = self.message();
                self.client()?.send(&line)?;
            }
            let event = self.client()?.event(&wanted.to_string(), &mut since)?;
            let event = event.ok_or_else(|| format!("the client ended before {wanted}"))?;
            let found = matches(wanted, &event);
            self.events.push(event.clone());
            if found {
                return Ok(event);
            }
        }
    }

    /// Waits until the client is ready on a socket above this one, and uses it.
    fn ready_after(&mut self, socket: u64) -> Result<Value, String> {
        let ready = loop {
            let ready = self.see(&json!({ "event": "ready" }), false)?;
            if ready["socket"].as_u64() > Some(socket) {
                break ready;
            }
        };
        let (line, part) = self.message();
        self.client()?.send(&line)?;
        self.client()?.message(&part)?;
        let opens = self.server.opens()? - self.opens_before;
        let connected = self.client()?.connected;
        if opens != connected {
            return Err(format!("the peer saw {opens} connections, the client {connected}"));
        }
        Ok(ready)
    }

    /// The client ends by itself, with status 1 and no further attempt.
    fn gave_up(&mut self) -> Result<(), String> {
        let client = self.client.take().ok_or("no client runs")?;
        let from = self.events.len();
        let status = client.end(&mut self.events)?;
        if let Some(event) = self.events[from..].iter().find(|event| event["event"] == "retry") {
            return Err(format!("{event} after gave_up"));
        }
        if status != Some(1) { Err(format!("exit status {status:?}, not 1")) } else { Ok(()) }
    }

    /// At the end of its input the client closes with 1000 and exits with 0.
    fn closed_as_asked(&mut self) -> Result<(), String> {
        let Some(mut client) = self.client.take() else {
            return Ok(());
        };
        self.events.clear();
        client.end_of_input();
        let status = client.end(&mut self.events)?;
        if status != Some(0) {
            return Err(format!("exit status {status:?} at the end of input, not 0"));
        }
        match self.server.newest_closed()? {
            1000 => Ok(()),
            code => Err(format!("the peer saw {code} at the end, not 1000")),
        }
    }

    /// A message that this peer echoes, and the part of the answer that shows it.
    fn message(&mut self) -> (String, String) {
        self.tokens += 1;
        let token = format!("token-{}.", self.tokens);
        match self.peer {
            Peer::Websockets | Peer::Ws => (token.clone(), token),
            Peer::GraphqlWs => {
                let query = format!(r#"{{ echo(text: \"{token}\") }}"#);
                let line = format!(
                    r#"{{"id":"{token}","type":"subscribe","payload":{{"query":"{query}"}}}}"#
                );
                (line, format!(r#""echo":"{token}""#))
            }
            Peer::SocketIo => {
                let event = format!(r#"42["echo","{token}"]"#);
                (event.clone(), event)
            }
        }
    }

    fn report(&self, why: &str) -> String {
        let mut text = why.to_owned();
        let heartbeat = |event: &&Value| event["event"] != "ping" && event["event"] != "pong";
        let events: Vec<&Value> = self.events.iter().filter(heartbeat).collect();
        for event in &events[events.len().saturating_sub(20)..] {
            let _ = write!(text, "\n      {event}");
        }
        if let Some(client) = &self.client {
            let _ = write!(text, "\n      gateway:{}", client.log.text());
        }
        let _ = write!(text, "\n      peer:{}", self.server.log.text());
        text
    }
}

/// Every field that is wanted is there: equal, or within `[low, high]`.
fn matches(wanted: &Value, event: &Value) -> bool {
    let wanted = wanted.as_object().expect("the table's lines are objects");
    wanted.iter().all(|(key, wanted)| match (wanted, event.get(key)) {
        (Value::Array(range), Some(is)) => {
            is.as_f64() >= range[0].as_f64() && is.as_f64() <= range[1].as_f64()
        }
        (wanted, is) => is == Some(wanted),
    })
}

/// An event in a few words, for the table of results.
fn brief(event: &Value) -> String {
    const FIELDS: [&str; 8] =
        ["event", "cause", "code", "http_status", "attempt", "delay_ms", "because", "socket"];
    let words = FIELDS.iter().filter_map(|field| match (*field, event.get(field)?) {
        ("cause", _) if event["event"] == "retry" => None,
        ("delay_ms", delay) => Some(format!("{delay}ms")),
        (_, Value::String(text)) => Some(text.clone()),
        ("attempt", number) => Some(format!("#{number}")),
        ("socket", number) => Some(format!("@{number}")),
        (_, value) => Some(value.to_string()),
    });
    words.collect::<Vec<_>>().join(" ")
}
