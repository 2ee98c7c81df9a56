//! Requests of other threads.

use std::thread;
use std::time::Duration;

use gateway_std::core::CloseFrame;
use gateway_std::{Client, EndKind, JsonCorrelator, RequestErrorKind};
use gateway_tests::{Frame, GUARD, calm, serve};

fn asking(url: &str) -> Client {
    let config = calm().build().unwrap();
    let builder = Client::builder(url).config(config).seed(7);
    builder.requests(JsonCorrelator::new("/id").unwrap()).build().unwrap()
}

#[test]
fn many_threads_wait_for_answers_at_a_time_and_each_gets_its_own() {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        loop {
            let frame = peer.frame().await;
            let is_close = frame == Frame::close(1000, "");
            peer.send(frame).await;
            if is_close {
                return;
            }
        }
    });
    let mut client = asking(&server.url);
    client.ready().unwrap();
    let sender = client.sender();
    let callers = thread::spawn(move || {
        let callers: Vec<_> = (0..64)
            .map(|caller| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for call in 0..20 {
                        let own = format!(r#""of":"{caller} {call}"}}"#);
                        let answer = sender.request(format!("{{{own}"), GUARD).unwrap();
                        assert!(answer.as_text().unwrap().ends_with(&own), "{answer:?}");
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        sender.drain(CloseFrame::NORMAL, GUARD)
    });

    while client.recv().is_some() {}

    assert_eq!(callers.join().unwrap().kind(), EndKind::Closed);
    let status = client.status();
    assert_eq!((status.unanswered_requests, status.unmatched_answers), (0, 0));
    server.join();
}

#[test]
fn a_request_ends_in_time_although_no_one_drives_the_client() {
    let client = asking("ws://127.0.0.1:9");
    let late = client.sender().request("{}", Duration::from_millis(20)).unwrap_err();
    assert_eq!(late.kind(), &RequestErrorKind::TimedOut);
}

#[test]
fn a_request_ends_when_its_client_is_dropped() {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let mut client = asking(&server.url);
    client.ready().unwrap();
    let sender = client.sender();
    let caller = thread::spawn(move || sender.request("{}", GUARD));
    while client.status().unanswered_requests == 0 {
        let _ = client.recv_timeout(Duration::from_millis(1));
    }

    drop(client);

    assert_eq!(caller.join().unwrap().unwrap_err().kind(), &RequestErrorKind::Gone);
}
