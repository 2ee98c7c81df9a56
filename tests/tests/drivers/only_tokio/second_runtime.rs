//! A client moves from one runtime to another. Timers and attempts belong to the runtime that
//! created them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_tests::{Frame, Listener, calm, client, elapse, serve, until_ready, within};
use gateway_tokio::core::{HeartbeatKind, Notice};
use gateway_tokio::{ClientEvent, Dial, Dialing, Endpoint, Transport};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn beat() -> gateway_tokio::core::ConfigBuilder {
    let interval = Duration::from_millis(20);
    calm().heartbeat(HeartbeatKind::Json).heartbeat_interval(interval).heartbeat_timeout(interval)
}

/// With `is_gone` the first runtime is shut down; otherwise it only rests, and fires no timer.
fn moves(is_gone: bool) {
    let server_runtime = runtime();
    let listener = server_runtime.block_on(Listener::bind());
    let url = listener.url();
    // It serves until the process ends.
    std::thread::spawn(move || {
        server_runtime.block_on(async {
            loop {
                let mut peer = listener.peer().await;
                while let Some(frame) = peer.next().await {
                    assert!(frame.is_heartbeat(), "{frame:?}");
                    peer.send(Frame::text(r#"{"type":"pong"}"#)).await;
                }
            }
        });
    });
    let first = runtime();
    let mut client = client(url, beat()).build().unwrap();
    first.block_on(async {
        until_ready(&mut client).await;
        within(async {
            // Its timer is armed: for the next ping, or for the judgement of this one.
            while !matches!(client.next().await, Some(ClientEvent::Notice(Notice::PingSent { .. })))
            {
            }
            tokio::select! {
                biased;
                _ = async { while client.next().await.is_some() {} } => {}
                () = tokio::task::yield_now() => {}
            }
        })
        .await;
    });
    let rests = if is_gone {
        drop(first);
        None
    } else {
        Some(first)
    };

    // The old socket is of no use here: its end is noticed, and the next one beats.
    runtime().block_on(within(async {
        let before = client.statistics().opened;
        while client.statistics().opened == before {
            client.next().await.unwrap();
        }
        until_ready(&mut client).await;
        while !matches!(client.next().await, Some(ClientEvent::Notice(Notice::PongReceived { .. })))
        {
        }
    }));

    drop((client, rests));
}

#[test]
fn a_client_goes_on_where_its_first_runtime_is_gone() {
    moves(true);
}

#[test]
fn a_client_goes_on_where_its_first_runtime_rests() {
    moves(false);
}

/// The first attempt waits for a timer, those behind it connect at once.
struct SlowAtFirst(AtomicBool, std::net::SocketAddr);

impl Dial for SlowAtFirst {
    fn dial(&self, _: &Endpoint) -> Dialing {
        let (is_first, address) = (self.0.swap(false, Ordering::SeqCst), self.1);
        Box::pin(async move {
            if is_first {
                elapse(Duration::from_secs(3_600)).await;
            }
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            Ok(Box::new(stream) as Box<dyn Transport>)
        })
    }
}

#[test]
fn an_attempt_whose_runtime_is_gone_begins_again_on_the_next() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let address = server.url.trim_start_matches("ws://").parse().unwrap();
    let dial = SlowAtFirst(AtomicBool::new(true), address);
    let mut client = client(&server.url, calm()).dial(dial).build().unwrap();
    let first = runtime();
    first.block_on(async {
        let waits = async { while client.next().await.is_some() {} };
        tokio::select! {
            biased;
            () = waits => {}
            () = tokio::task::yield_now() => {}
        }
    });
    drop(first);

    runtime().block_on(until_ready(&mut client));

    assert_eq!(client.statistics().attempts, 1);
    drop(client);
    server.join();
}
