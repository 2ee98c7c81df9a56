//! One peer's server process. It takes orders on stdin and answers line by line.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Command};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::install::PeerCommand;
use crate::lines::{Guarded, Lines, Log};
use crate::token::TokenFile;

pub(crate) struct Server {
    command: PeerCommand,
    token: TokenFile,
    pub(crate) log: Log,
    pub(crate) port: u64,
    running: Option<Running>,
    /// Connections opened in processes that are gone.
    opens_before: u64,
}

struct Running {
    process: Guarded,
    stdin: ChildStdin,
    said: Lines<Value>,
    opens: u64,
    /// Connection → the close code that the peer's library reports.
    closed: HashMap<u64, u64>,
}

impl Server {
    /// On a free port; a later start takes the same one.
    pub(crate) fn start(command: &PeerCommand) -> Result<Self, String> {
        let mut server = Self {
            command: command.clone(),
            token: TokenFile::new()?,
            log: Log::default(),
            port: 0,
            running: None,
            opens_before: 0,
        };
        server.start_again()?;
        Ok(server)
    }

    pub(crate) fn start_again(&mut self) -> Result<(), String> {
        self.ended()?;
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg(self.port.to_string());
        command.env("TOKEN_FILE", self.token.path());
        let (process, stdin, stdout, stderr) = Guarded::start(&mut command)?;
        let said = Lines::of(stdout, self.log.clone(), |line| serde_json::from_str(line).ok());
        // Kept for a failure's report only.
        drop(Lines::<()>::of(stderr, self.log.clone(), |_| None));
        let closed = HashMap::new();
        self.running = Some(Running { process, stdin, said, opens: 0, closed });
        self.port = self.wait_for("the peer listens", |line| {
            (line["seen"] == "listening").then(|| line["port"].as_u64()).flatten()
        })?;
        Ok(())
    }

    /// Sends a command and waits until it was carried out.
    pub(crate) fn steer(&mut self, command: &str) -> Result<(), String> {
        let running = self.running.as_mut().ok_or("the peer is down")?;
        writeln!(running.stdin, "{command}").map_err(|error| format!("the peer: {error}"))?;
        let opens = self
            .wait_for(command, |line| (line["done"] == command).then(|| line["opens"].as_u64()))?;
        self.running.as_mut().expect("it answered").opens = opens.ok_or("opens is missing")?;
        Ok(())
    }

    /// The file from which a client reads its login token. A peer that renews the token writes there.
    pub(crate) fn token_file(&self) -> &Path {
        self.token.path()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), String> {
        let running = self.running.as_ref().ok_or("the peer is down")?;
        kill_process(Pid::from_child(&running.process.0), signal).map_err(|error| error.to_string())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        let running = self.running.as_mut().ok_or("the peer is down")?;
        running.process.0.kill().map_err(|error| error.to_string())?;
        self.ended()
    }

    /// Every connection that was ever opened, over all processes.
    pub(crate) fn opens(&mut self) -> Result<u64, String> {
        self.steer("status")?;
        Ok(self.opens_before + self.running.as_ref().map_or(0, |running| running.opens))
    }

    /// Waits until the newest connection is closed, with the code that the peer's library saw.
    pub(crate) fn newest_closed(&mut self) -> Result<u64, String> {
        let newest = self.running.as_ref().ok_or("the peer is down")?.opens;
        if let Some(code) = self.running.as_ref().and_then(|running| running.closed.get(&newest)) {
            return Ok(*code);
        }
        self.wait_for("the connection is closed", |line| {
            (line["seen"] == "close" && line["n"] == newest)
                .then(|| line["code"].as_u64())
                .flatten()
        })
    }

    /// Waits for the end of a process that was killed or asked to end.
    fn ended(&mut self) -> Result<(), String> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        while running.said.next("the peer ends")?.is_some() {}
        self.opens_before += running.opens;
        running.process.0.wait().map_err(|error| error.to_string())?;
        Ok(())
    }

    fn wait_for<T>(
        &mut self,
        what: &str,
        wanted: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, String> {
        let running = self.running.as_mut().ok_or("the peer is down")?;
        loop {
            let line = running.said.next(what)?.ok_or(format!("the peer ended before: {what}"))?;
            if let (Some("close"), Some(n)) = (line["seen"].as_str(), line["n"].as_u64()) {
                running.closed.insert(n, line["code"].as_u64().unwrap_or(0));
            }
            if line.get("error").is_some() {
                return Err(line.to_string());
            }
            if let Some(found) = wanted(&line) {
                return Ok(found);
            }
        }
    }
}
