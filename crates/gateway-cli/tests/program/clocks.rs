//! Programs notice a suspend. A library under libc moves the wall clock ahead, and the monotonic
//! clock stays, as in a suspend. This takes real seconds, so one test runs all programs at the same
//! time.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::{fs, path::Path, path::PathBuf, process::Stdio, time::Duration};

use super::common::{PATIENCE, Server, event, file, gateway, lines_of};
use futures_util::future::join_all;
use gateway_std::{Client, ClientEvent, core::Config, core::Notice};
use serde_json::{Value, json};
use tokio::{
    io::{BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// From the wake to what a client must have done by then, with what it may wait before an attempt.
const WITHIN: Duration = Duration::from_secs(12);

/// Clocks as in a suspend: the file that `CLOCK_AHEAD` names says by how many seconds.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int file = -1;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("CLOCK_AHEAD");
    if (path) file = open(path, O_RDONLY | O_CLOEXEC);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    char text[24];
    int result = syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_BOOTTIME) {
        ssize_t length = file < 0 ? 0 : pread(file, text, sizeof text - 1, 0);
        if (length > 0) {
            text[length] = 0;
            time->tv_sec += atol(text);
        }
    }
    return result;
}
"#;

/// The name of the test, which starts its own program with it.
const NAME: &str = "clocks::a_suspend_is_noticed_within_seconds_in_every_state_on_both_drivers";

/// Where a client is when the machine is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Waiting,
    Connecting,
    LoggingIn,
}

/// A program under the shim, with its stderr.
struct Suspended {
    name: String,
    state: State,
    ahead: u64,
    clock: PathBuf,
    process: Child,
    told: Lines<BufReader<ChildStderr>>,
    /// The suspend watch's wake-ups before the machine was suspended.
    wakeups: u64,
}

impl Suspended {
    fn start(name: String, mut command: Command, state: State, ahead: u64, shim: &Path) -> Self {
        let clock = file(&format!("clock-{name}"), "0");
        command.env("LD_PRELOAD", shim).env("CLOCK_AHEAD", &clock).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let told = lines_of(process.stderr.take());
        Self { name, state, ahead, clock, process, told, wakeups: 0 }
    }

    async fn next(&mut self) -> Value {
        let line = self.told.next_line().await.expect("it is text");
        event(&line.unwrap_or_else(|| panic!("{} has ended", self.name)))
    }

    /// Reads on until an event of that name, with that value of the field `to` if one is given.
    async fn reads(&mut self, name: &str, to: Option<&str>) {
        loop {
            let event = self.next().await;
            if event["event"] == name && to.is_none_or(|to| event["to"] == to) {
                return;
            }
        }
    }

    /// Waits until the client is where it is to be suspended.
    async fn settle(&mut self) {
        let settled = async {
            match self.state {
                State::Ready => self.reads("ready", None).await,
                State::Waiting => self.reads("retry", None).await,
                State::Connecting => self.reads("state", Some("CONNECTING")).await,
                State::LoggingIn => self.reads("state", Some("CONNECTED")).await,
            }
        };
        timeout(PATIENCE, settled).await.expect("it settles");
        let watched = async {
            loop {
                match self.count_wakeups() {
                    Some(wakeups) => return wakeups,
                    None => tokio::task::yield_now().await, // its thread is yet to start
                }
            }
        };
        self.wakeups = timeout(PATIENCE, watched).await.expect("there is a watch");
    }

    /// The machine wakes from its suspend: the clocks have moved apart.
    fn wake(&self) {
        fs::write(&self.clock, self.ahead.to_string()).expect("the file is there");
    }

    /// Watches what the client does within [`WITHIN`] of the wake.
    async fn watch(&mut self) {
        let mut news = Vec::new();
        let all = async {
            loop {
                news.push(self.next().await);
            }
        };
        let _ = timeout(WITHIN, all).await; // it never ends by itself
        let (name, is_suspend) = (&self.name, self.ahead > 60); // twice the default interval
        let is_jump = |event: &Value| event["event"] == "clock_jump";
        let jumps: Vec<_> = (0..news.len()).filter(|index| is_jump(&news[*index])).collect();
        assert_eq!(jumps.len(), usize::from(is_suspend), "{name}: {news:?}");
        if let [jump] = jumps[..] {
            let after = &news[jump..];
            // The next regular ping is due 30 s after the client was ready.
            let pings = after.iter().filter(|event| event["event"] == "ping").count();
            let attempts = after.iter().filter(|event| event["to"] == "CONNECTING").count();
            let expected = match self.state {
                State::Ready => (1, 0),
                State::Waiting | State::Connecting | State::LoggingIn => (0, 1),
            };
            assert_eq!((pings, attempts), expected, "{name}: {news:?}");
        }
        let wakeups = self.count_wakeups().expect("it goes on") - self.wakeups;
        // Three are the looks within 12 s, or two; one more where the registry was locked.
        assert!((2..=4).contains(&wakeups), "{}: {wakeups} wake-ups", self.name);
    }

    /// How often the watch's thread has waited, if there is one.
    fn count_wakeups(&self) -> Option<u64> {
        let tasks = format!("/proc/{}/task", self.process.id().expect("it runs"));
        let tasks = fs::read_dir(tasks).expect("it runs").map(|task| task.unwrap().path());
        let mut watches = tasks.filter(|task| {
            fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "gateway-suspend\n")
        });
        let task = watches.next()?;
        assert_eq!(watches.next(), None, "{}: one watch a process", self.name);
        let status = fs::read_to_string(task.join("status")).expect("it runs");
        let mut lines = status.lines();
        let waited = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        waited.expect("Linux counts them").trim().parse().ok()
    }
}

/// Compiles the shim; `None`, with a line that says so, where there is no compiler.
async fn compile_shim() -> Option<PathBuf> {
    let source = file("shim.c", SHIM);
    let library = source.with_extension("so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    match compiler.status().await {
        Ok(status) => {
            assert!(status.success(), "the shim is not C");
            Some(library)
        }
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("SKIPPED suspend: no C compiler `cc`: {error}");
            }
            None
        }
    }
}

#[tokio::test]
async fn a_suspend_is_noticed_within_seconds_in_every_state_on_both_drivers() {
    // The test runs itself once more for each blocking client.
    if let Ok(url) = std::env::var("SUSPENDED_URL") {
        return blocking_client(url);
    }
    let Some(shim) = compile_shim().await else { return };
    let server = Server::start(&[]).await;
    let silent = Server::start(&["--script", "never-answer"]).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("ws://{}", free.local_addr().unwrap());
    drop(free);

    let mut programs = Vec::new();
    for (name, state, ahead) in [
        ("ready", State::Ready, 3_600),
        ("waiting", State::Waiting, 3_600),
        ("connecting", State::Connecting, 3_600),
        ("logging-in", State::LoggingIn, 3_600),
        ("little-ahead", State::Ready, 50),
        ("little-ahead-connecting", State::Connecting, 50),
    ] {
        let url = match state {
            State::Ready | State::LoggingIn => &server.url,
            State::Waiting => &refused,
            State::Connecting => &silent.url,
        };
        let mut tokio = gateway(&["connect", url, "--events", "-", "--log-level", "off"]);
        tokio.args(flags(state));
        let mut std = Command::new(std::env::current_exe().expect("this program"));
        std.args(["--exact", "--nocapture", NAME]);
        std.env("SUSPENDED_URL", url).env("SUSPENDED_STATE", format!("{state:?}"));
        programs.push(Suspended::start(format!("tokio-{name}"), tokio, state, ahead, &shim));
        programs.push(Suspended::start(format!("std-{name}"), std, state, ahead, &shim));
    }
    join_all(programs.iter_mut().map(Suspended::settle)).await;

    programs.iter().for_each(Suspended::wake);

    join_all(programs.iter_mut().map(Suspended::watch)).await;
}

/// The settings with which a client stays in a state: no deadline of its own is due soon.
fn flags(state: State) -> &'static [&'static str] {
    match state {
        State::Ready => &[],
        State::Waiting => &["--initial-delay", "5m", "--max-delay", "5m", "--jitter", "none"],
        State::Connecting => &["--connect-timeout", "5m"],
        State::LoggingIn => {
            &["--login", "hello", "--login-ok", "/type=welcome", "--login-timeout", "5m"]
        }
    }
}

/// The same settings for the blocking client.
fn config(state: &str) -> Config {
    use gateway_std::core::{Login, Strategy};
    const LONG: Duration = Duration::from_secs(300);
    let config = Config::builder();
    let config = match state {
        "Waiting" => config.initial_delay(LONG).max_delay(LONG).jitter(Strategy::None),
        "Connecting" => config.connect_timeout(LONG),
        "LoggingIn" => config.login(Login::External { timeout: LONG }),
        _ => config,
    };
    config.build().expect("valid settings")
}

/// The program that the test runs for the blocking driver. It prints its events as `gateway connect` does.
fn blocking_client(url: String) {
    let state = std::env::var("SUSPENDED_STATE").expect("it comes with the URL");
    let mut client = Client::builder(url).config(config(&state)).build().unwrap();
    while let Some(event) = client.recv() {
        let ClientEvent::Notice(notice) = event else { continue };
        let told = match notice {
            Notice::StateChanged { to, .. } => json!({ "event": "state", "to": to }),
            Notice::Ready { .. } => json!({ "event": "ready" }),
            Notice::PingSent { .. } => json!({ "event": "ping" }),
            Notice::RetryScheduled { .. } => json!({ "event": "retry" }),
            Notice::ClockJumped { .. } => json!({ "event": "clock_jump" }),
            _ => continue,
        };
        tell(told);
    }
}

#[allow(clippy::print_stderr, reason = "the program tells the test what happens")]
fn tell(mut event: Value) {
    event["t_ms"] = 0.into();
    eprintln!("{event}");
}
