//! The server: `gateway serve` as a process of its own, so that it shares no thread with the clients.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use gateway_sim::{FaultKind, Order, Scenario, WhenFull};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::StormError;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    _process: Child,
}

impl Server {
    /// Starts a server that drops all connections after a while, and then is as slow as the server of
    /// the scenario.
    pub(crate) async fn start(
        program: &Path,
        scenario: &Scenario,
        drop_after: Duration,
    ) -> Result<Self, StormError> {
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"])
            .args(flags(scenario)?)
            .args(["--drop-after", &format!("{}ms", drop_after.as_millis())])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| StormError::Server { program: program.to_owned(), source })?;
        let mut url = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut url).await.map_err(StormError::Url)?;
        }
        Ok(Self { url: url.trim_end().to_owned(), _process: process })
    }
}

/// The flags for the server of a scenario.
fn flags(scenario: &Scenario) -> Result<Vec<String>, StormError> {
    let (server, network) = (scenario.server(), scenario.network());
    let accept = server.accept;
    let [group] = scenario.groups() else {
        return Err(StormError::Unsupported("it must have one group"));
    };
    let is_one_drop = scenario
        .faults()
        .iter()
        .map(|fault| fault.kind)
        .eq([FaultKind::Drop { at_ms: 0, share_ppm: 1_000_000 }]);
    for (is_supported, what) in [
        (is_one_drop, "its only fault must be the drop of all connections at 0"),
        (group.churn_per_second == 0, "the group must have no churn"),
        (server.nodes == 1 && accept.workers == 1, "the server must have one node with one worker"),
        (server.login.is_none(), "the server must have no login stage"),
        (
            server.crash.is_none() && server.admission.is_none(),
            "the server must not crash or reject",
        ),
        (accept.order == Order::Fifo, "the order of the queue must be fifo"),
        (accept.full == WhenFull::Refuse, "a full queue must refuse"),
        (network.loss_ppm == 0, "the network must lose nothing"),
        (
            [network.latency, network.jitter, network.detection] == [Duration::ZERO; 3],
            "the network must have no latency, jitter or detection, because loopback has none",
        ),
    ] {
        if !is_supported {
            return Err(StormError::Unsupported(what));
        }
    }
    // The capacity, which the scenario keeps as a service time in whole nanoseconds.
    let per_second = accept.per_second().round();
    #[expect(clippy::cast_precision_loss, reason = "millionths of at most 10")]
    let dead_work = server.dead_work_ppm as f64 / 1e6;
    Ok([
        "--accepts",
        &per_second.to_string(),
        "--queue",
        &accept.queue.to_string(),
        "--dead-work",
        &dead_work.to_string(),
    ]
    .map(str::to_owned)
    .to_vec())
}

#[cfg(test)]
mod tests {
    use gateway_sim::ScenarioBuilder;

    use super::*;

    const RECOVERS: &str = include_str!("../scenarios/recovers.toml");

    fn flags_with(old: &str, new: &str) -> Result<Vec<String>, StormError> {
        assert!(RECOVERS.contains(old), "{old}");
        let text = RECOVERS.replace(old, new);
        flags(&ScenarioBuilder::from_toml(&text).and_then(|builder| builder.build()).expect(new))
    }

    #[test]
    fn the_server_has_the_flags_of_its_scenario() {
        let flags = flags_with("[server.accept]", "[server]\ndead_work = 0.5\n[server.accept]");

        let flags = flags.expect("it can be played");
        assert_eq!(flags, ["--accepts", "300", "--queue", "2000", "--dead-work", "0.5"]);
    }

    #[test]
    fn what_the_server_cannot_do_is_refused() {
        for (old, new, words) in [
            ("[server.accept]", "[server]\nnodes = 2\n[server.accept]", "one node"),
            ("queue = 2000", "queue = 2000\norder = 'lifo'", "must be fifo"),
            ("queue = 2000", "queue = 2000\nfull = 'drop-syn'", "must refuse"),
            ("[server.accept]", "[server.login]\ncapacity = 10\n[server.accept]", "no login stage"),
            ("[server.accept]", "[server.crash]\nqueue = 10\n[server.accept]", "must not crash"),
            ("[server.accept]", "[network]\nloss = 0.1\n[server.accept]", "lose nothing"),
            ("[server.accept]", "[network]\nlatency = 10\n[server.accept]", "no latency"),
            ("share = 1.0", "share = 1.0\nchurn = 1", "no churn"),
            ("at = 0", "at = 10", "the drop of all connections at 0"),
            ("at = 0", "at = 0\nshare = 0.5", "the drop of all connections at 0"),
        ] {
            let error = flags_with(old, new).expect_err(new).to_string();
            assert!(error.contains(words), "{new}: {error}");
        }
    }
}
