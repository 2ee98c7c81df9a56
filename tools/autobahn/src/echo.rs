//! The client for the testsuite: it echoes each message until the connection is CLOSED.

use std::error::Error;
use std::time::Duration;

use gateway_std::core::{Config, ConfigErrors, HeartbeatKind};
use gateway_std::{ClientEvent, Limits, Message};

/// A case is over within this time; the server's own longest wait is 100 s.
const LONGEST: Duration = Duration::from_secs(120);

/// The longest messages are 16 MiB.
const LARGE: usize = 32 << 20;

/// A driver, as far as a case needs one.
pub(crate) trait Driver {
    /// Its name, for the report.
    const AGENT: &'static str;

    /// Sends back what comes from this URL, until the connection is CLOSED; returns the first message.
    fn echo(&mut self, url: &str) -> Result<Option<Message>, Box<dyn Error>>;
}

/// Runs all cases that the server has, then has it write its report.
pub(crate) fn run<D: Driver>(driver: &mut D, url: &str) -> Result<(), Box<dyn Error>> {
    let agent = D::AGENT;
    let count = driver.echo(&format!("{url}/getCaseCount"))?;
    let count: u32 = count
        .as_ref()
        .and_then(Message::as_text)
        .ok_or("the server does not count its cases")?
        .parse()?;
    for case in 1..=count {
        driver
            .echo(&format!("{url}/runCase?case={case}&agent={agent}"))
            .map_err(|error| format!("{agent}, case {case} of {count}: {error}"))?;
    }
    driver.echo(&format!("{url}/updateReports?agent={agent}"))?;
    println!("{agent}: {count} cases run");
    Ok(())
}

/// One socket, nothing sent but echoes, room for the largest message.
fn config() -> Result<Config, ConfigErrors> {
    Config::builder()
        .max_attempts(Some(0))
        .heartbeat(HeartbeatKind::Off)
        .max_message_size(LARGE)
        .build()
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.high_water, limits.backlog) = (LARGE, LARGE);
    limits
}

/// gateway-tokio.
pub(crate) struct Tokio(tokio::runtime::Runtime);

impl Tokio {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(tokio::runtime::Builder::new_current_thread().enable_all().build()?))
    }
}

impl Driver for Tokio {
    const AGENT: &'static str = "gateway-tokio";

    fn echo(&mut self, url: &str) -> Result<Option<Message>, Box<dyn Error>> {
        let mut client =
            gateway_tokio::Client::builder(url).config(config()?).limits(limits()).build()?;
        let mut first = None;
        let echoing = async {
            while let Some(event) = client.next().await {
                if let ClientEvent::Message(message) = event {
                    first.get_or_insert_with(|| message.clone());
                    let _ = client.send(message).await; // refused where the server has closed already
                }
            }
        };
        self.0.block_on(async { tokio::time::timeout(LONGEST, echoing).await })?;
        Ok(first)
    }
}

/// gateway-std.
pub(crate) struct Std;

impl Driver for Std {
    const AGENT: &'static str = "gateway-std";

    fn echo(&mut self, url: &str) -> Result<Option<Message>, Box<dyn Error>> {
        let mut client =
            gateway_std::Client::builder(url).config(config()?).limits(limits()).build()?;
        let mut first = None;
        while let Some(event) = client.recv_timeout(LONGEST)? {
            if let ClientEvent::Message(message) = event {
                first.get_or_insert_with(|| message.clone());
                let _ = client.send(message); // refused where the server has closed already
            }
        }
        Ok(first)
    }
}
