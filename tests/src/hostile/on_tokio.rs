//! The hostile world with the async driver, on a paused clock.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::SinkExt as _;
use gateway_tokio::core::{CloseFrame, UnixMillis};
use gateway_tokio::{Client, Dial, Dialing, Endpoint, Message, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Handle, Runtime};

use super::app::{App, Step};
use super::plan::Plan;
use super::server::Story;
use super::verdict::Verdict;
use super::watch::Watch;
use super::world::{Stream, World};
use crate::clock::{elapse, now, settle};
use crate::cuts::Cuts;

/// Runs the application on a client of tokio's, and judges it.
#[must_use]
pub fn on_tokio(story: Story, plan: &Plan) -> (Verdict, World) {
    let world = World::new(plan.clone(), story);
    let mut life = Life::new(story);
    let (elapsed, tasks) = paused(async {
        let client = hostile_client(&world, &life.watch);
        let begin = now();
        while_alive(life.live(client, &mut Cuts::at(usize::MAX))).await;
        (now() - begin, Handle::current().metrics().num_alive_tasks())
    });
    let mut verdict = Verdict::of(&world, &life.app(), &life.watch, elapsed);
    verdict.tasks_left = tasks;
    (verdict, world)
}

/// Runs the application on a client of tokio's in a task of its own, and judges it.
#[must_use]
pub fn on_spawned(story: Story, plan: &Plan) -> (Verdict, World) {
    let world = World::new(plan.clone(), story);
    let mut life = Life::new(story);
    let (elapsed, tasks) = paused(async {
        let client = hostile_client(&world, &life.watch);
        let begin = now();
        while_alive(life.live_spawned(client, &mut Cuts::at(usize::MAX))).await;
        let elapsed = now() - begin;
        settle().await; // the task ends
        (elapsed, Handle::current().metrics().num_alive_tasks())
    });
    let mut verdict = Verdict::of(&world, &life.app(), &life.watch, elapsed);
    verdict.tasks_left = tasks;
    (verdict, world)
}

/// Runs this on a runtime of its own, whose clock is paused.
///
/// # Panics
/// There is no runtime to be had.
pub fn paused<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(async {
        // The runtime's first timer rounds its clock up to a whole millisecond.
        elapse(Duration::from_millis(1)).await;
        future.await
    })
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime")
}

/// Waits for what must come before a day has passed.
///
/// # Panics
/// It has passed.
pub async fn while_alive<T>(future: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        output = future => output,
        () = elapse(Duration::from_secs(86_400)) => panic!("what was waited for never came"),
    }
}

/// A client on this world.
///
/// # Panics
/// Its settings are wrong.
pub fn hostile_client(world: &World, watch: &Watch) -> Client {
    let asked = world.clone();
    let builder = Client::builder("ws://gateway.example/feed")
        .config(App::settings(world.story()).build().expect("valid settings"))
        .seed(7)
        .report_sent(true)
        .wall_clock(|| UnixMillis(0))
        .observer(watch.clone())
        .dial(HostileDial(world.clone()));
    let builder = match world.plan().asks {
        true => builder.attempt(move |_| {
            let mut question = asked.ask();
            std::future::poll_fn(move |cx| question.poll(cx.waker()))
        }),
        false => builder,
    };
    builder.build().expect("a client")
}

/// The life of a client with its application; what both know outlives the future.
#[derive(Clone, Debug)]
pub struct Life {
    app: Arc<Mutex<App>>,
    /// Watches the client.
    pub watch: Watch,
}

impl Life {
    /// One that has not begun.
    #[must_use]
    pub fn new(story: Story) -> Self {
        Self { app: Arc::new(Mutex::new(App::new(story))), watch: Watch::default() }
    }

    /// What the application knows.
    #[must_use]
    pub fn app(&self) -> App {
        self.on(|app| app.clone())
    }

    fn on<T>(&self, act: impl FnOnce(&mut App) -> T) -> T {
        act(&mut self.app.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lives it to its end, cut where `cuts` has it.
    pub async fn live(&mut self, mut client: Client, cuts: &mut Cuts) {
        loop {
            let step = self.on(|app| app.step(client.is_ready()));
            match step {
                Step::Send(text) => {
                    let before = client.statistics().frames_out;
                    match cuts.once(client.send(text)).await {
                        Some(Ok(accepted)) => self.on(|app| app.sent(Some(accepted.id().number()))),
                        Some(Err(_)) => self.on(App::refused),
                        // A dropped future has sent its message or not: the counters show it.
                        None if client.statistics().frames_out > before => {
                            self.on(|app| app.sent(None));
                        }
                        None => self.on(App::cut),
                    }
                }
                Step::Feed(text) => match cuts.once(client.feed(Message::text(text))).await {
                    Some(Ok(())) => self.on(|app| app.sent(None)),
                    Some(Err(_)) => self.on(App::refused),
                    None => self.on(App::cut),
                },
                Step::Flush => while cuts.once(client.flush()).await.is_none() {},
                Step::Close => client.close(CloseFrame::NORMAL),
                Step::Wait => match cuts.once(client.next()).await {
                    Some(Some(event)) => self.on(|app| app.note(event)),
                    Some(None) => return self.on(App::end),
                    None => {}
                },
            }
        }
    }

    /// The same on a client in a task of its own.
    pub async fn live_spawned(&mut self, client: Client, cuts: &mut Cuts) {
        let (handle, mut events) = client.spawn();
        loop {
            let step = self.on(|app| app.step(handle.is_ready()));
            match step {
                Step::Send(text) => match cuts.once(handle.send(text)).await {
                    Some(Ok(accepted)) => self.on(|app| app.sent(Some(accepted.id().number()))),
                    Some(Err(_)) => self.on(App::refused),
                    None => self.on(App::cut),
                },
                Step::Feed(text) => match handle.try_send(text) {
                    Ok(accepted) => self.on(|app| app.sent(Some(accepted.id().number()))),
                    Err(_) => self.on(App::refused),
                },
                Step::Flush => tokio::task::yield_now().await, // the task writes
                Step::Close => handle.close(CloseFrame::NORMAL).expect("its task runs"),
                Step::Wait => match cuts.once(events.next()).await {
                    Some(Some(event)) => self.on(|app| app.note(event)),
                    Some(None) => return self.on(App::end),
                    None => {}
                },
            }
        }
    }
}

/// Opens hostile streams.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "tests wrap it by hand")]
pub struct HostileDial(pub World);

impl Dial for HostileDial {
    fn fails_whole(&self) -> bool {
        !self.0.plan().buffered
    }

    fn dial(&self, _: &Endpoint) -> Dialing {
        let mut stream = Some(self.0.dial());
        Box::pin(std::future::poll_fn(move |cx| {
            let Some(waiting) = &mut stream else { panic!("polled after it was ready") };
            std::task::ready!(waiting.poll_dial(cx.waker()))?;
            let opened = stream.take().expect("taken once");
            Poll::Ready(Ok(Box::new(opened) as Box<dyn Transport>))
        }))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Self::poll_read(&mut self, buffer.initialize_unfilled(), cx.waker());
        let count = std::task::ready!(read)?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write(&mut self, bytes, cx.waker())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(&mut self, cx.waker())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(&mut self, cx.waker())
    }
}
