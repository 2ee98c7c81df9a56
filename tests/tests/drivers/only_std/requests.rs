//! Requests of other threads.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use gateway_std::core::{CloseFrame, SendRejection};
use gateway_std::{
    Builder, Client, ClientEvent, CorrelationError, Correlator, EndKind, JsonCorrelator, Message,
    Rate, RequestErrorKind, Sender,
};
use gateway_tests::{Frame, GUARD, Peer, calm, serve};
use tokio::net::TcpStream;

use super::builder;

fn asking(url: &str) -> Client {
    asking_with(url, |builder| builder)
}

fn asking_with(url: &str, more: impl FnOnce(Builder) -> Builder) -> Client {
    more(builder(url, calm()).requests(JsonCorrelator::new("/id").unwrap())).build().unwrap()
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

/// Answers each text with itself, until the client's Close.
async fn echo_until_close(mut peer: Peer<TcpStream>) {
    let mut is_closed = false;
    while !is_closed {
        let frame = peer.frame().await;
        is_closed = frame == Frame::close(1000, "");
        peer.send(frame).await;
    }
}

#[test]
fn requests_that_never_pause_leave_every_second_token_to_messages() {
    let server = serve(async |listener| echo_until_close(listener.peer().await).await);
    let rate = Rate::new(100, Duration::from_secs(1)).burst(1);
    let mut client = asking_with(&server.url, |builder| builder.rate(rate));
    client.ready().unwrap();
    let sender = client.sender();
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let sender = sender.clone();
            thread::spawn(move || while sender.request("{}", GUARD).is_ok() {})
        })
        .collect();
    let messages = thread::spawn(move || {
        for number in 0..5 {
            sender.send(format!("message {number}")).unwrap();
        }
        sender.drain(CloseFrame::NORMAL, GUARD)
    });

    while client.recv().is_some() {}

    assert_eq!(messages.join().unwrap().kind(), EndKind::Closed);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    server.join();
}

#[test]
fn a_client_that_drains_is_not_ready_and_ready_waits_for_its_end() {
    let (answer, may_answer) = tokio::sync::oneshot::channel();
    let server = serve(async move |listener| {
        let mut peer = listener.peer().await;
        let request = peer.frame().await;
        may_answer.await.unwrap();
        peer.send(request).await;
        let close = peer.frame().await;
        peer.send(close).await;
    });
    let mut client = asking(&server.url);
    client.ready().unwrap();
    let sender = client.sender();
    let [first, second, third] = [(); 3].map(|()| sender.clone());
    let caller = thread::spawn(move || first.request("{}", GUARD));
    while client.status().unanswered_requests == 0 {
        let _ = client.recv_timeout(Duration::from_millis(1));
    }
    let drain = thread::spawn(move || second.drain(CloseFrame::NORMAL, GUARD));
    while !client.status().is_draining {
        let _ = client.recv_timeout(Duration::from_millis(1));
    }

    assert!(!sender.is_ready() && !client.is_ready());
    let ready = thread::spawn(move || third.ready());
    answer.send(()).unwrap();
    while client.recv().is_some() {}

    assert_eq!(ready.join().unwrap().unwrap_err().kind(), EndKind::Closed);
    assert_eq!(drain.join().unwrap().kind(), EndKind::Closed);
    caller.join().unwrap().unwrap();
    server.join();
}

#[test]
fn a_request_ends_in_time_although_no_one_drives_the_client() {
    let client = asking("ws://127.0.0.1:9");
    let late = client.sender().request("{}", Duration::from_millis(20)).unwrap_err();
    assert_eq!((late.kind(), late.is_maybe_sent()), (&RequestErrorKind::TimedOut, false));
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

/// The thread's time is over before the client looks at its socket again.
#[test]
fn an_answer_that_comes_after_its_caller_has_left_is_a_message() {
    let (cue, mut is_late) = tokio::sync::mpsc::unbounded_channel();
    let (answered, has_answered) = std::sync::mpsc::channel();
    let server = serve(async move |listener| {
        let mut peer = listener.peer().await;
        let request = peer.frame().await;
        is_late.recv().await;
        peer.send(request).await;
        answered.send(()).unwrap();
        peer.rest().await
    });
    let mut client = asking(&server.url);
    client.ready().unwrap();
    let sender = client.sender();
    let caller = thread::spawn(move || sender.request("{}", Duration::from_millis(300)));
    while client.status().unanswered_requests == 0 && !caller.is_finished() {
        let _ = client.recv_timeout(Duration::from_millis(1));
    }

    let late = caller.join().unwrap().unwrap_err(); // no one drives the client meanwhile
    cue.send(()).unwrap();
    has_answered.recv().unwrap(); // it is there before the client looks

    let message = client.find_map(|event| match event {
        ClientEvent::Message(message) => Some(message),
        _ => None,
    });
    assert_eq!(late.kind(), &RequestErrorKind::TimedOut);
    assert_eq!(message, Some(Message::text(r#"{"id":1}"#)));
    assert_eq!(client.status().unmatched_answers, 1);
}

/// Sends from within, as an application must not.
struct Sends(JsonCorrelator, Arc<OnceLock<Sender>>);

impl Correlator for Sends {
    fn attach(&mut self, id: u64, message: &Message) -> Result<Message, CorrelationError> {
        let refused = self.1.get().expect("it is set").send("from within").unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::Reentrant);
        self.0.attach(id, message)
    }

    fn answered(&mut self, message: &Message) -> Option<u64> {
        self.0.answered(message)
    }
}

#[test]
fn a_correlator_must_not_wait_for_its_client() {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        let request = peer.frame().await;
        peer.send(request).await;
        peer.rest().await
    });
    let own = Arc::<OnceLock<Sender>>::default();
    let correlator = Sends(JsonCorrelator::new("/id").unwrap(), Arc::clone(&own));
    let mut client = super::builder(&server.url, calm()).requests(correlator).build().unwrap();
    assert!(own.set(client.sender()).is_ok());
    client.ready().unwrap();

    let answer = client.request("{}", GUARD).unwrap();

    assert_eq!(answer.as_text(), Some(r#"{"id":1}"#));
}
