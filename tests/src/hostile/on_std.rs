//! The hostile world with the blocking driver, on its own clock.

use std::io;
use std::sync::Arc;
use std::task::{Poll, Waker};

use gateway_std::core::{CloseFrame, Credentials, Instant, SocketId, UnixMillis};
use gateway_std::{Attempt, Client, Endpoint, OpenFailure, System};
use gateway_wire::{Asking, ByteStream, Dialled, Handshake, Host};

use super::app::{App, Step};
use super::plan::Plan;
use super::server::Story;
use super::verdict::Verdict;
use super::watch::Watch;
use super::world::{Stream, World};
use crate::bell::{Bell, now_or_never};

/// Runs the application on a blocking client, and judges it.
///
/// # Panics
/// The client waits without end.
#[must_use]
pub fn on_std(story: Story, plan: &Plan) -> (Verdict, World) {
    let (world, watch, mut app) =
        (World::new(plan.clone(), story), Watch::default(), App::new(story));
    let mut client = Client::builder("ws://gateway.example/feed")
        .config(App::settings(story).ask_provider(plan.asks).build().expect("valid settings"))
        .seed(7)
        .report_sent(true)
        .observer(watch.clone())
        .build_on(|endpoint| Machine::new(endpoint.clone(), world.clone()))
        .expect("a client");
    live(&mut client, &mut app);
    let elapsed = client.system().now.saturating_duration_since(Instant::ZERO);
    drop(client);
    (Verdict::of(&world, &app, &watch, elapsed), world)
}

fn live(client: &mut Client<Machine>, app: &mut App) {
    loop {
        match app.step(client.is_ready()) {
            Step::Send(text) => match client.send(text) {
                Ok(accepted) => app.sent(Some(accepted.id().number())),
                Err(_) => app.refused(),
            },
            Step::Feed(text) => match client.try_send(text) {
                Ok(accepted) => app.sent(Some(accepted.id().number())),
                Err(_) => app.refused(),
            },
            Step::Flush => {
                let _ = client.flush(); // the verdict is the outcomes'
            }
            Step::Close => client.close(CloseFrame::NORMAL),
            Step::Wait => match client.recv() {
                Some(event) => app.note(event),
                None => return app.end(),
            },
        }
    }
}

/// The machine that the client runs on: its time goes on where it waits.
struct Machine {
    endpoint: Endpoint,
    world: World,
    now: Instant,
    bell: Bell,
}

impl Machine {
    fn new(endpoint: Endpoint, world: World) -> Self {
        Self { endpoint, world, now: Instant::ZERO, bell: Bell::default() }
    }

    fn end(&self, stream: Stream) -> End {
        End { stream, waker: self.waker() }
    }
}

impl Host for Machine {
    type Dialing = Option<Stream>;
    type Stream = End;

    fn now(&self) -> Instant {
        self.now
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn ask(&mut self, _: SocketId, _: Attempt) -> Asking {
        let (mut question, waker) = (self.world.ask(), self.waker());
        Asking::new(self.endpoint.clone(), move || question.poll(&waker))
    }

    fn dial(&mut self, _: SocketId, _: Credentials, _: Option<Arc<Endpoint>>) -> Option<Stream> {
        Some(self.world.dial())
    }

    fn poll_dialing(
        &mut self,
        dialing: &mut Option<Stream>,
    ) -> Poll<Result<Dialled<End>, OpenFailure>> {
        let waiting = dialing.as_mut().expect("an attempt that is not over");
        std::task::ready!(waiting.poll_dial(&self.waker()))?;
        let stream = self.end(dialing.take().expect("taken once"));
        let handshake = Handshake::start(&self.endpoint);
        Poll::Ready(Ok(Dialled { stream, handshake }))
    }
}

impl System for Machine {
    fn wait(&mut self, until: Option<Instant>) {
        if !self.bell.has_rung() {
            self.now = self.now.max(until.expect("the client waits for ever, and nothing comes"));
        }
    }

    fn waker(&self) -> Waker {
        self.bell.waker()
    }
}

/// The client's end of a socket, as a stream that never waits.
struct End {
    stream: Stream,
    waker: Waker,
}

impl ByteStream for End {
    fn read<T>(&mut self, _: usize, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let mut buffer = [0; 256];
        let count = now_or_never(self.stream.poll_read(&mut buffer, &self.waker))?;
        Ok(take(&buffer[..count]))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now_or_never(self.stream.poll_write(bytes, &self.waker))
    }

    fn flush(&mut self) -> io::Result<()> {
        now_or_never(self.stream.poll_flush(&self.waker))
    }

    fn shutdown(&mut self) {
        let _ = self.stream.poll_shutdown(&self.waker); // it is dropped next
    }

    fn fails_whole(&self) -> bool {
        self.stream.fails_whole()
    }
}
