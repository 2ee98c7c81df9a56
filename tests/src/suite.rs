//! The suite's harness for tokio: the client over the virtual network, on a paused clock.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::Stream as _;
use futures_util::task::AtomicWaker;
use gateway_testkit::{Command, Network, Provided, Recorder, Run, Scenario, Socket, Stage};
use gateway_tokio::core::{Action, CloseFrame, Credentials, Instant, OpenError, Verdict};
use gateway_tokio::{
    Attempt, Client, Dial, Dialing, Endpoint, Limits, OpenFailure, ProviderError, Request,
    Transport,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::{elapse, now};
use crate::diarist::Diarist;

/// A wait on the paused clock.
type Sleep = Pin<Box<dyn Future<Output = ()>>>;

/// Runs a scenario on a client of tokio's.
///
/// # Panics
/// The client leaves a socket open, or uses one that it has dropped.
#[must_use]
pub fn run_on_tokio(scenario: &Scenario) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        // The runtime's first timer rounds its clock up to a whole millisecond; from there on every timer is exact.
        elapse(Duration::from_millis(1)).await;
        World::new(scenario).run().await
    })
}

/// The client, the network, and the application between them.
struct World {
    client: Client,
    air: Air,
    recorder: Recorder,
    stage: Stage,
    diarist: Diarist,
    /// The attempts for which the provider was asked.
    asked: Arc<Mutex<Vec<Attempt>>>,
    /// The client has said that there is nothing more to come.
    is_over: bool,
    bell: Arc<Bell>,
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let settings = scenario.settings();
        let air = Air::new(Network::new(scenario), settings.asks_provider());
        let stage = Stage::new(scenario);
        let recorder = Recorder::default();
        let (wall, time) = (stage.wall(), air.clone());
        let asked = Arc::<Mutex<Vec<Attempt>>>::default();
        let mut limits = Limits::default();
        limits.high_water = scenario.high_water;
        let mut builder = Client::builder("ws://gateway.example/feed");
        if settings.asks_provider() {
            let (air, asked) = (air.clone(), Arc::clone(&asked));
            builder = builder.attempt(move |attempt| {
                held(&asked).push(attempt);
                air.ask(attempt.number)
            });
        }
        let client = builder
            .config(settings)
            .seed(scenario.seed)
            .limits(limits)
            .report_sent(true)
            .wall_clock(move || wall.at(time.now()))
            .observer(recorder.clone())
            .dial(air.clone())
            .build()
            .expect("a client");
        let (diarist, bell) = (Diarist::default(), Arc::default());
        Self { client, air, recorder, stage, diarist, asked, is_over: true, bell }
    }

    async fn run(mut self) -> Run {
        while !self.stage.is_over(self.air.now()) && !self.recorder.is_broken() {
            while let Some(command) = self.stage.next_command(self.air.now()) {
                self.command(command).await;
                self.bell.ring(); // an application that has done something asks for events again
            }
            self.rest().await;
            let now = self.air.now();
            self.air.network().advance(now);
        }
        let statistics = self.client.statistics();
        drop(self.client);
        let network = self.air.network();
        assert_eq!(network.held_sockets(), 0, "the client has left a socket open");
        assert!(!network.is_asked(), "the client has left a question open");
        let run =
            Run::new(&self.recorder, network.wire().to_vec(), self.stage.into_diary(), statistics);
        let ordered = run.actions().filter_map(|(_, action)| match action {
            Action::AskProvider { id, credentials } => {
                Some((id.number(), *credentials == Credentials::Refresh))
            }
            _ => None,
        });
        let asked = held(&self.asked);
        let asked: Vec<_> = asked.iter().map(|attempt| (attempt.number, attempt.refresh)).collect();
        assert_eq!(asked, ordered.collect::<Vec<_>>(), "asked for other attempts");
        run
    }

    /// Drives the client, whenever it has woken its task, until the network or the application has something to do.
    async fn rest(&mut self) {
        let mut sleep: Option<(Instant, Sleep)> = None;
        let waker = Waker::from(Arc::clone(&self.bell));
        poll_fn(|cx| {
            self.bell.task.register(cx.waker());
            while !self.is_over && self.bell.was_rung() {
                let next = Pin::new(&mut self.client).poll_next(&mut Context::from_waker(&waker));
                let Poll::Ready(event) = next else { continue };
                self.bell.ring();
                match event {
                    Some(event) => self.diarist.note(&mut self.stage, self.air.now(), event),
                    None => self.is_over = true,
                }
            }
            let network = self.air.network().next_event_at();
            let next = network.map_or(self.stage.next_at(), |at| at.min(self.stage.next_at()));
            let span = next.saturating_duration_since(self.air.now());
            if span == Duration::ZERO {
                return Poll::Ready(());
            }
            let sleep = match &mut sleep {
                Some((at, sleep)) if *at == next => sleep,
                other => &mut other.insert((next, Box::pin(elapse(span)))).1,
            };
            sleep.as_mut().poll(cx)
        })
        .await;
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Connect => {
                self.is_over = false;
                self.client.connect();
            }
            Command::Reconnect => {
                self.is_over = false;
                self.client.reconnect();
            }
            Command::Close { code, reason } => {
                self.client.close(CloseFrame::new(code, reason).expect("a close that may be sent"));
            }
            Command::Send(text) => {
                let sent = self.client.send(text).await;
                self.diarist.sent(&mut self.stage, sent.map(|_| ()));
            }
            Command::Feed(text) => {
                let sent = self.client.try_send(text);
                self.diarist.sent(&mut self.stage, sent.map(|_| ()));
            }
            Command::LoginAccepted => self.client.login_accepted(),
            Command::LoginRejected(verdict) => self.client.login_rejected(verdict),
            Command::Network(network) => self.client.network_changed(network),
            Command::PauseReading => self.client.hold(true),
            Command::ResumeReading => self.client.hold(false),
            Command::Sleep(_) | Command::SetBack(_) => {} // the wall clock shows it
            Command::Stall(span) => {
                elapse(span).await;
                let now = self.air.now();
                self.air.network().advance(now);
            }
        }
    }
}

/// Whether the client has woken its task. Polling without a wake-up would hide a missing one.
#[derive(Debug, Default)]
struct Bell {
    is_rung: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    fn ring(&self) {
        self.is_rung.store(true, Ordering::SeqCst);
        self.task.wake();
    }

    fn was_rung(&self) -> bool {
        self.is_rung.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// The network, and the time since the beginning.
#[derive(Clone, Debug)]
struct Air {
    network: Arc<Mutex<Network>>,
    start: tokio::time::Instant,
    /// The number of the last attempt. If there is no provider, each attempt dials.
    attempt: Arc<AtomicU64>,
    asks: bool,
}

impl Air {
    fn new(network: Network, asks: bool) -> Self {
        let (network, attempt) = (Arc::new(Mutex::new(network)), Arc::default());
        Self { network, start: now(), attempt, asks }
    }

    /// What the scenario's provider does for this attempt.
    fn ask(&self, number: u64) -> impl Future<Output = Result<Request, ProviderError>> + use<> {
        self.attempt.store(number, Ordering::SeqCst);
        self.network().ask(self.now(), number);
        let question = Question { air: self.clone(), number };
        async move {
            let polled =
                |cx: &mut Context<'_>| question.air.network().poll_ask(question.number, cx.waker());
            provided(poll_fn(polled).await)
        }
    }

    fn now(&self) -> Instant {
        Instant::ZERO.saturating_add(now() - self.start)
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        held(&self.network)
    }
}

/// A question to the provider, until it is answered or dropped.
struct Question {
    air: Air,
    number: u64,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.air.network().drop_ask(self.number);
    }
}

/// What a provider gives, as a client of any driver gets it.
///
/// # Panics
/// If the provider does.
pub(crate) fn provided(provided: Provided) -> Result<Request, ProviderError> {
    match provided {
        Provided::Request => Ok(Request::new()),
        Provided::Failure(Verdict::Fatal) => Err(ProviderError::fatal("the account is closed")),
        Provided::Failure(Verdict::RetryNoSoonerThan(span)) => {
            Err(ProviderError::not_before(span, "no token for a while"))
        }
        Provided::Failure(_) => Err(ProviderError::retry("no token")),
        Provided::Panic => panic!("the provider panics on purpose"),
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dial for Air {
    fn fails_whole(&self) -> bool {
        self.network().fails_whole()
    }

    fn abort(&self, transport: &mut dyn Transport) {
        let transport: &dyn Any = transport;
        let stream = transport.downcast_ref::<Stream>().expect("a stream of this network");
        self.network().abort(stream.socket);
    }

    fn dial(&self, _: &Endpoint) -> Dialing {
        let now = self.now();
        let begun = self.attempt.fetch_add(u64::from(!self.asks), Ordering::SeqCst);
        let number = if self.asks { begun } else { begun + 1 };
        let socket = self.network().dial(now, number);
        let mut stream = Some(Stream { air: self.clone(), socket });
        Box::pin(poll_fn(move |cx| {
            let Some(waiting) = &stream else { panic!("polled after it was ready") };
            let mut network = waiting.air.network();
            let outcome = std::task::ready!(network.poll_dial(socket, cx.waker()));
            drop(network);
            let opened = stream.take();
            Poll::Ready(match outcome {
                Ok(()) => Ok(Box::new(opened.expect("taken once")) as Box<dyn Transport>),
                Err(error) => Err(failure(error)),
            })
        }))
    }
}

fn failure(error: OpenError) -> OpenFailure {
    OpenFailure::new(error, error.name())
}

/// The client's end of a socket of the network.
#[derive(Debug)]
struct Stream {
    air: Air,
    socket: Socket,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut network = self.air.network();
        let read = network.poll_read(self.socket, buffer.initialize_unfilled(), cx.waker());
        let count = std::task::ready!(read)?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.air.now();
        self.air.network().poll_write(now, self.socket, bytes, cx.waker())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = self.air.now();
        self.air.network().poll_flush(now, self.socket, cx.waker())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.air.network().shutdown(self.socket);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let now = self.air.now();
        self.air.network().drop_socket(now, self.socket);
    }
}
