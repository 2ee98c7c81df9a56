//! Rejected messages of other threads do not delay the end of `recv_timeout`.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::Duration;

use gateway_std::core::{Credentials, Instant, SocketId, UnixMillis};
use gateway_std::{Client, Endpoint, OpenFailure, Sender, System};
use gateway_tests::calm;
use gateway_wire::{ByteStream, Dialled, Host};

/// More reads of the clock than a wait of ten milliseconds needs, at one millisecond each.
const ENOUGH: u64 = 1_000;

/// A system whose attempts never open. Each read of its clock takes a millisecond, in which another
/// thread sends a message.
#[derive(Clone, Default)]
struct Busy {
    millis: Arc<AtomicU64>,
    sender: Arc<OnceLock<Sender>>,
}

enum NoStream {}

impl ByteStream for NoStream {
    fn read<T>(&mut self, _: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        match *self {}
    }
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }
    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
    fn shutdown(&mut self) {
        match *self {}
    }
    fn fails_whole(&self) -> bool {
        match *self {}
    }
}

impl Host for Busy {
    type Dialing = ();
    type Stream = NoStream;

    fn now(&self) -> Instant {
        let millis = self.millis.fetch_add(1, Ordering::Relaxed);
        assert!(millis < ENOUGH, "the wait has no end");
        if let Some(sender) = self.sender.get() {
            drop(sender.enqueue("too early").expect("there is space: the client takes each"));
        }
        Instant::from_millis(millis)
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn dial(&mut self, _: SocketId, _: Credentials, _: Option<Arc<Endpoint>>) {}

    fn poll_dialing(&mut self, (): &mut ()) -> Poll<Result<Dialled<NoStream>, OpenFailure>> {
        Poll::Pending
    }
}

impl System for Busy {
    fn wait(&mut self, _: Option<Instant>) {
        unreachable!("there is always a message to be taken");
    }

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }
}

#[test]
fn messages_that_are_refused_without_a_pause_keep_no_one_past_the_timeout() {
    let busy = Busy::default();
    let builder = Client::builder("ws://127.0.0.1:9").config(calm().build().unwrap());
    let mut client = builder.build_on(|_| busy.clone()).unwrap();
    while client.recv_timeout(Duration::ZERO).is_ok() {} // what there is to say of the attempt
    busy.sender.get_or_init(|| client.sender());

    assert!(client.recv_timeout(Duration::from_millis(10)).is_err());
}
