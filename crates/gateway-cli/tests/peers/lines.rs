//! Child processes whose output is read line by line: one reader thread and channel per stream.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// The only bound on any wait: nothing here sleeps.
const PATIENCE: Duration = Duration::from_secs(60);
const KEPT: usize = 12;

/// The last lines that said something to a person, for a failure's report.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().expect("no panic while locked");
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().expect("no panic while locked");
        lines.iter().map(|line| format!("\n      | {line}")).collect()
    }
}

/// Lines of one stream, each as `read` made it; what it made nothing of went to the log.
pub(crate) struct Lines<T>(Receiver<T>);

impl<T: Send + 'static> Lines<T> {
    pub(crate) fn of(
        stream: impl Read + Send + 'static,
        log: Log,
        read: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut bytes = Vec::new();
            while stream.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
                let line = String::from_utf8_lossy(&bytes);
                let line = line.trim_end_matches(['\r', '\n']);
                match read(line) {
                    // A receiver that is gone is no reason to let the pipe fill up.
                    Some(item) => drop(sender.send(item)),
                    None => log.push(line.to_owned()),
                }
                bytes.clear();
            }
        });
        Self(receiver)
    }

    /// The next line, or None at the end of the stream.
    pub(crate) fn next(&self, waiting_for: &str) -> Result<Option<T>, String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(item) => Ok(Some(item)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(format!("nothing more came: {waiting_for}")),
        }
    }
}

/// A line that is a JSON object with this key.
pub(crate) fn object_with(key: &'static str) -> impl Fn(&str) -> Option<Value> {
    move |line| {
        let value: Value = serde_json::from_str(line).ok()?;
        value.get(key).is_some().then_some(value)
    }
}

/// A process that does not outlive the test.
pub(crate) struct Guarded(pub(crate) Child);

impl Guarded {
    /// Starts it, and returns its stdin, stdout and stderr.
    pub(crate) fn start(
        command: &mut Command,
    ) -> Result<(Self, ChildStdin, ChildStdout, ChildStderr), String> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().to_owned();
        let mut child =
            command.spawn().map_err(|error| format!("{name:?} does not start: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = (stdin.expect("piped"), stdout.expect("piped"));
        let stderr = child.stderr.take().expect("piped");
        Ok((Self(child), stdin, stdout, stderr))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
