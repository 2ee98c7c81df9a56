//! `--metrics`, as Prometheus sees it: `promtool` checks the text, and a server scrapes it on loopback.
//!
//! If `prometheus` is not installed, Debian's package is unpacked below `target/peers`. If it cannot be
//! had, the test is skipped with a message. With GATEWAY_REQUIRE_PEERS=1 that fails.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tokio::{net::TcpListener, process::Child};

use super::{
    common::{Ended, Server, run, soon},
    metrics::{asked, metered, scraped},
    python::{once, run as install},
};

/// The folder of the package's programs, or none if they are installed.
fn programs() -> Result<PathBuf, String> {
    if install(Command::new("prometheus").arg("--version")).is_ok() {
        return Ok(PathBuf::new());
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/prometheus.yml");
    once("prometheus", &manifest, unpack).map(|made| made.join("usr/bin"))
}

/// Unpacks the package without installing it. Each step has a limit.
fn unpack(into: &Path, _: &Path) -> Result<(), String> {
    let download = || {
        let mut apt = Command::new("timeout");
        install(apt.args(["180", "apt-get", "download", "-qq", "prometheus"]).current_dir(into))
    };
    if download().is_err() {
        // A fresh machine has no list of packages. Without the right to fetch one, this fails.
        install(Command::new("timeout").args(["120", "apt-get", "update", "-qq"]))?;
        download()?;
    }
    let files = std::fs::read_dir(into).map_err(|error| error.to_string())?;
    let package = files
        .filter_map(Result::ok)
        .map(|file| file.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or("apt-get left no package")?;
    install(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(into))?;
    std::fs::remove_file(package).map_err(|error| error.to_string())
}

/// A Prometheus that is killed in the end.
struct Prometheus {
    process: Child,
    address: String,
    folder: PathBuf,
}

impl Prometheus {
    /// Starts one that scrapes `target`, on a port that was free a moment ago.
    async fn start(programs: &Path, target: &str) -> io::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("prometheus-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let config = folder.join("prometheus.yml");
        std::fs::write(&config, include_str!("prometheus.yml").replace("TARGET", target))?;
        let mut command = tokio::process::Command::new(programs.join("prometheus"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error"])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(Self { process: command.spawn()?, address, folder })
    }

    /// Asks until the query has one result with this value.
    async fn sees(&mut self, query: &str, value: &str) {
        let encoded = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let request = format!("GET /api/v1/query?query={encoded}");
        soon(async {
            loop {
                tokio::task::yield_now().await;
                if let Some(status) = self.process.try_wait().expect("it is ours") {
                    panic!("Prometheus has ended: {status}");
                }
                // It may not listen yet.
                let Ok(stream) = tokio::net::TcpStream::connect(&self.address).await else {
                    continue;
                };
                drop(stream);
                let answer = asked(&self.address, &request).await;
                let Some((_, body)) = answer.split_once("\r\n\r\n") else { continue };
                let Ok(body) = serde_json::from_str::<Value>(body) else { continue };
                if body["data"]["result"][0]["value"][1] == value {
                    return;
                }
            }
        })
        .await;
    }

    async fn stop(mut self) -> io::Result<()> {
        self.process.kill().await?;
        std::fs::remove_dir_all(&self.folder)
    }
}

#[tokio::test]
async fn prometheus_accepts_and_scrapes_the_metrics() -> io::Result<()> {
    let programs = match tokio::task::spawn_blocking(programs).await? {
        Ok(programs) => programs,
        Err(why) => {
            // Past the test runner's capture, so that it is seen in a run that passes.
            writeln!(io::stderr().lock(), "SKIPPED prometheus: {why}")?;
            let is_required =
                std::env::var_os("GATEWAY_REQUIRE_PEERS").is_some_and(|own| own == "1");
            assert!(!is_required, "Prometheus is missing, and it is required");
            return Ok(());
        }
    };
    let server = Server::start(&["--script", "close-4000", "--faults", "1"]).await;
    let heartbeat = ["--heartbeat-interval", "1s", "--heartbeat-timeout", "500ms"];
    let (client, address) = metered(&server, &heartbeat).await;
    let back = r#"gateway_reconnects_total{name="feed",cause="close_received"} 1"#;
    let answer = scraped(&address, back).await;

    let (_, text) = answer.split_once("\r\n\r\n").expect("a body");
    let Ended { status, stdout, stderr } =
        promtool(&programs, &["check", "metrics"], text.as_bytes()).await;
    assert_eq!(status, Some(0), "{stdout}{stderr}");

    let guide = include_str!("../../../../docs/guide/src/operations.md");
    let (_, rules) = guide.split_once("```yaml\ngroups:").expect("alert rules");
    let (rules, _) = rules.split_once("```").expect("the block's end");
    let file = super::common::file("rules.yml", &format!("groups:{rules}"));
    let file = file.to_str().expect("its path is UTF-8");
    let Ended { status, stdout, stderr } =
        promtool(&programs, &["check", "rules", file], b"").await;
    assert_eq!(status, Some(0), "{stdout}{stderr}");

    let mut prometheus = Prometheus::start(&programs, &address).await?;
    prometheus.sees("gateway_ready", "1").await;
    prometheus.sees(r#"gateway_state{state="CONNECTED"}"#, "1").await;
    prometheus.sees(r#"gateway_reconnects_total{cause="close_received"}"#, "1").await;
    prometheus.sees("gateway_retry_delay_seconds_count", "1").await;
    prometheus.sees("count(gateway_disconnects_total)", "17").await;
    prometheus.stop().await?;
    assert!(client.terminate().await.success());
    Ok(())
}

async fn promtool(programs: &Path, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = tokio::process::Command::new(programs.join("promtool"));
    command.args(arguments).kill_on_drop(true);
    run(command, input).await
}
