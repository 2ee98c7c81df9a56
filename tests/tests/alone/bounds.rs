//! A million sends stay within the bounds of memory, and each has an outcome or comes back.

use std::io::Read as _;
use std::net::TcpListener;
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_std::core::{CloseFrame, Config, SendRejection};
use gateway_std::{Client, ClientEvent, Fate, Limits, Outbox, SendError};
use gateway_tests::{calm, serve};

use super::alone;

const SENDS: u64 = 1_000_000;
const PAYLOAD: usize = 100;

/// What a client may hold: its write buffer, its outbox, and its events, with room for the allocator.
/// A million messages have thirty times as much.
const BOUND: u64 = 4 << 20;

/// The most memory that this process has used since the last reset.
fn peak() -> u64 {
    let mut status = String::new();
    let mut file = std::fs::File::open("/proc/self/status").unwrap();
    file.read_to_string(&mut status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The memory that this process uses. From here on [`peak`] counts anew.
fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap(); // resets VmHWM: see proc_pid_clear_refs(5)
    peak()
}

/// How many messages of a client had each outcome.
#[derive(Debug, Default)]
struct Counts {
    accepted: u64,
    returned: u64,
    sent: u64,
    maybe_sent: u64,
    rejected: u64,
}

impl Counts {
    fn send<T>(&mut self, try_send: impl FnOnce(String) -> Result<T, SendError>) {
        match try_send("x".repeat(PAYLOAD)) {
            Ok(_) => self.accepted += 1,
            Err(refused) => {
                assert_eq!(refused.rejection(), SendRejection::WriteBlocked);
                self.returned += 1;
            }
        }
    }

    fn note(&mut self, event: &ClientEvent) {
        let ClientEvent::Outcome(outcome) = event else { return };
        let count = match outcome.fate {
            Fate::Sent { .. } => &mut self.sent,
            Fate::MaybeSent { .. } => &mut self.maybe_sent,
            _ => &mut self.rejected,
        };
        *count += outcome.count();
    }

    #[allow(clippy::print_stdout, reason = "the peak is a result")]
    fn check(&self, what: &str, before: u64) {
        let grown = peak() - before;
        println!("bounds: {what}: peak + {} KiB, {self:?}", grown >> 10);
        assert_eq!(self.accepted + self.returned, SENDS);
        assert_eq!(self.sent + self.maybe_sent + self.rejected, self.accepted);
        assert!(grown < BOUND, "{grown} bytes");
    }
}

fn config() -> Config {
    calm().close_timeout(Duration::from_millis(100)).build().unwrap()
}

fn client(url: &str, outbox: Option<Outbox>) -> Client {
    let mut builder = Client::builder(url).config(config()).seed(7).report_sent(true);
    if let Some(outbox) = outbox {
        builder = builder.outbox(outbox);
    }
    builder.limits(Limits::default()).build().unwrap()
}

#[test]
fn a_million_sends_while_away_stay_within_the_outbox() {
    let _alone = alone();
    // Nobody accepts: the client waits for the answer to its upgrade.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let mut client = client(&url, Some(Outbox::default().messages(10_000)));
    let (mut counts, before) = (Counts::default(), reset_peak());

    for _ in 0..SENDS {
        counts.send(|text| client.try_send(text));
    }
    client.close(CloseFrame::NORMAL);
    while let Some(event) = client.recv() {
        counts.note(&event);
    }

    assert_eq!((counts.accepted, counts.sent), (SENDS, 0));
    counts.check("a million sends while away", before);
}

#[test]
fn a_million_sends_to_a_peer_that_does_not_read_stay_within_the_buffer() {
    let _alone = alone();
    for outbox in [None, Some(Outbox::default())] {
        let what = if outbox.is_some() { "with an outbox" } else { "without an outbox" };
        let server = serve(async |listener| {
            let peer = listener.peer().await;
            std::future::pending::<()>().await;
            drop(peer);
        });
        let mut client = client(&server.url, outbox);
        client.ready().unwrap();
        let (mut counts, before) = (Counts::default(), reset_peak());

        for _ in 0..SENDS {
            counts.send(|text| client.try_send(text));
            if counts.returned == 0 {
                let _ =
                    client.recv_timeout(Duration::ZERO).map(|event| event.map(|e| counts.note(&e)));
            }
        }
        client.close(CloseFrame::NORMAL);
        while let Some(event) = client.recv() {
            counts.note(&event);
        }

        assert!(counts.returned > SENDS / 2, "the buffer is full most of the time");
        counts.check(&format!("a peer that does not read, {what}"), before);
    }
}

#[test]
fn a_million_sends_of_a_spawned_client_stay_within_the_buffer() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(send_all_spawned());
}

async fn send_all_spawned() {
    let server = serve(async |listener| {
        let peer = listener.peer().await;
        std::future::pending::<()>().await;
        drop(peer);
    });
    let builder = gateway_tokio::Client::builder(&server.url).config(config()).seed(7);
    let (handle, mut events) = builder.report_sent(true).build().unwrap().spawn();
    handle.ready().await.unwrap();
    let (mut counts, before) = (Counts::default(), reset_peak());

    for _ in 0..SENDS {
        counts.send(|text| handle.try_send(text));
        if counts.returned == 0 {
            tokio::task::yield_now().await;
            while let Some(Some(event)) = events.next().now_or_never() {
                counts.note(&event);
            }
        }
    }
    handle.close(CloseFrame::NORMAL).unwrap();
    while let Some(event) = events.next().await {
        counts.note(&event);
    }

    assert!(counts.returned > SENDS / 2, "the buffer is full most of the time");
    counts.check("a peer that does not read, spawned", before);
}
