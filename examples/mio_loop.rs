//! A driver for an event loop of your own: many connections in one `mio::Poll`, on one thread, in one file.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script accept-then-drop
//! cargo run -p gateway-examples --example mio_loop -- ws://127.0.0.1:9001
//! ```
//!
//! What happens on a connection is decided by the core, and what goes over its socket by the `Engine` of `gateway-wire`. The rest
//! is a driver, and a driver owes five things; look for the numbers below.
//!
//! 1. **Streams that never wait** ([`ByteStream`]): what cannot be done now fails with `WouldBlock`.
//! 2. **Attempts and two clocks** ([`Host`]): to begin to open a stream, and to drop it; monotonic time, and the wall clock.
//!    With a waker, a suspend of the machine is noticed within seconds of the wake, and not when the next deadline fires.
//! 3. **Orders first**: what the core has ordered is carried out before anything else is looked at.
//! 4. **Look until nothing is left**: a poller that tells of an edge tells once. But not for ever: others wait, too.
//! 5. **The deadline**: never wait past it, and fire it once your clock says that it is due, after what has arrived was read.
//!
//! Not here, and how `gateway-std` does it: TLS (a rustls connection around the stream, its handshake a part of
//! `poll_dialing`), names that are resolved anew for each attempt (on a helper thread), addresses tried side by side.
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, SystemTime};

use gateway_wire::core::{Config, Credentials, Instant, Notice, OpenError, SocketId, UnixMillis};
use gateway_wire::{
    ByteStream, ClientEvent, Dialled, Endpoint, Engine, Handshake, Host, OpenFailure, OpenStep,
    Opens, Progress, Provider, Settings,
};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Registry, Token};
use socket2::SockRef;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: mio_loop ws://HOST:PORT/PATH")?;
    let config = Arc::new(Config::builder().heartbeat_interval(Duration::from_secs(15)).build()?);
    let mut connections = Loop::new()?;
    for _ in 0..3 {
        connections.add(&url, Arc::clone(&config))?;
    }
    connections.run(|number, event, engine| {
        println!("{number}: {event:?}");
        if let ClientEvent::Notice(Notice::Ready { .. }) = event
            && let Err(refused) = engine.send("hello".into())
        {
            println!("{number}: {refused}"); // lost again already: Ready will come again
        }
    })?;
    Ok(()) // every connection is CLOSED: here, given up
}

/// 1. A stream that never waits. mio's sockets are of that kind.
struct Stream(TcpStream);

impl ByteStream for Stream {
    fn read<T>(&mut self, _: usize, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let mut buffer = [0; 16 << 10]; // on the stack: an idle connection holds no buffer for reading
        let count = uninterrupted(|| self.0.read(&mut buffer))?;
        Ok(take(&buffer[..count]))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // a bare socket holds nothing back
    }

    fn shutdown(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write); // one that cannot be ended is about to be dropped
    }

    fn abort(&mut self) {
        let _ = SockRef::from(&self.0).set_linger(Some(Duration::ZERO)); // the drop then sends a reset
    }

    fn fails_whole(&self) -> bool {
        true // the kernel takes bytes or it fails, never both
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// 2. What one connection needs of the world: where to connect to, which clocks, and who is told when its socket is ready.
struct Mio {
    endpoint: Endpoint,
    address: SocketAddr,
    registry: Registry,
    token: Token,
    clock: Clock,
    waker: Waker,
}

/// An attempt under way. Dropping it closes its socket, which also takes it out of the poller.
struct Attempt(Result<(TcpStream, Handshake), OpenFailure>);

impl Mio {
    fn connect(&self) -> Result<(TcpStream, Handshake), OpenFailure> {
        let handshake = Handshake::start(&self.endpoint);
        let classify = |error| OpenFailure::classify(OpenStep::Connect, &error);
        let mut socket = TcpStream::connect(self.address).map_err(classify)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // All sockets of a connection have one token. What is told of an old one costs one look that finds nothing.
        self.registry.register(&mut socket, self.token, interest).map_err(classify)?;
        Ok((socket, handshake))
    }
}

impl Host for Mio {
    type Dialing = Attempt;
    type Stream = Stream;

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn wall(&self) -> UnixMillis {
        self.clock.wall()
    }

    /// Woken by a thread of `gateway-wire`, one a process, which compares the clocks twelve times a minute.
    fn suspend_waker(&self) -> Option<Waker> {
        Some(self.waker.clone())
    }

    /// Begins, and does not wait: the whole attempt is under the core's own deadline. A loop whose attempts differ
    /// implements `Host::ask`, too, and uses the endpoint that comes here.
    fn dial(&mut self, _: SocketId, _: Credentials, _: Option<Arc<Endpoint>>) -> Attempt {
        Attempt(self.connect())
    }

    fn poll_dialing(
        &mut self,
        attempt: &mut Attempt,
    ) -> Poll<Result<Dialled<Stream>, OpenFailure>> {
        let socket = match &attempt.0 {
            Ok((socket, _)) => socket,
            Err(failure) => return Poll::Ready(Err(failure.clone())),
        };
        // As mio says: an error first; then a socket that has a peer is connected.
        let outcome = match socket.take_error() {
            Ok(Some(error)) | Err(error) => Err(error),
            Ok(None) => socket.peer_addr().and_then(|_| socket.set_nodelay(true)),
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Pending,
            Err(error) => Poll::Ready(Err(OpenFailure::classify(OpenStep::Connect, &error))),
            Ok(()) => {
                let over = OpenFailure::new(OpenError::Io, "the attempt is over");
                let attempt = std::mem::replace(&mut attempt.0, Err(over));
                Poll::Ready(attempt.map(|(socket, handshake)| Dialled {
                    stream: Stream(socket),
                    handshake, // the engine does it
                }))
            }
        }
    }
}

/// The two clocks. Monotonic time counts from when the loop was made.
#[derive(Clone, Copy)]
struct Clock(std::time::Instant);

#[allow(clippy::disallowed_methods, reason = "time enters this driver here, and nowhere else")]
impl Clock {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(self) -> Instant {
        let nanos = self.0.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn wall(self) -> UnixMillis {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The token of the wake-up after a suspend, which concerns every connection.
const SUSPENDED: Token = Token(usize::MAX);

/// Ends the poller's wait, from any thread.
struct PollWaker(mio::Waker);

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        let _ = self.0.wake(); // it fails only where the kernel's counter is full: then the poller is awake
    }
}

/// The loop: one poller, and the connections by their tokens. A real one has sockets of its own in there as well.
struct Loop {
    poll: mio::Poll,
    clock: Clock,
    waker: Waker,
    connections: Vec<Engine<Mio>>,
}

/// So many steps are made on one connection before the others have their turn.
const STEPS: u32 = 64;

impl Loop {
    fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let waker = Waker::from(Arc::new(PollWaker(mio::Waker::new(poll.registry(), SUSPENDED)?)));
        Ok(Self { poll, clock: Clock::start(), waker, connections: Vec::new() })
    }

    /// A connection that opens when the loop runs. Resolves the name, once: that may take a while.
    fn add(&mut self, url: &str, config: Arc<Config>) -> Result<(), Box<dyn Error>> {
        let mut settings = Settings::new(url);
        settings.config = config;
        let parts = settings.build(Opens::User, Provider::None)?; // without TLS
        if parts.endpoint.is_secure() {
            return Err("this loop speaks ws:// alone".into());
        }
        let name = (parts.endpoint.host(), parts.endpoint.port());
        let address = name.to_socket_addrs()?.next().ok_or("the name has no address")?;
        let registry = self.poll.registry().try_clone()?;
        let (token, clock, waker) = (Token(self.connections.len()), self.clock, self.waker.clone());
        let host = Mio { endpoint: parts.endpoint, address, registry, token, clock, waker };
        self.connections.push(Engine::new(parts.session, host));
        Ok(())
    }

    /// Runs until every connection is CLOSED. `on_event` is told what happened, and to which connection; it sends and
    /// closes through the engine that it is given, and does not wait.
    fn run(
        mut self,
        mut on_event: impl FnMut(usize, ClientEvent, &mut Engine<Mio>),
    ) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        for engine in &mut self.connections {
            engine.begin();
        }
        let mut turns: Vec<usize> = (0..self.connections.len()).collect();
        loop {
            let mut unfinished = Vec::new();
            for number in turns {
                let engine = &mut self.connections[number];
                if drive(engine, |event, engine| on_event(number, event, engine)) == Progress::Made
                {
                    unfinished.push(number);
                }
            }
            if self.connections.iter().all(|engine| engine.session().is_over()) {
                return Ok(());
            }
            // 5. Not past the first deadline of all; and not at all where a connection has more to do.
            let timeout =
                if unfinished.is_empty() { self.until_deadline() } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
                outcome => outcome?,
            }
            // Whose socket is ready, whose deadline is due, and who was not finished. (With thousands of connections the
            // deadlines go into a heap, or into the timers that the loop already has.)
            let now = self.clock.now();
            let due = self.connections.iter().enumerate().filter(|(_, engine)| is_due(engine, now));
            turns = unfinished;
            turns.extend(due.map(|(number, _)| number));
            if events.iter().any(|event| event.token() == SUSPENDED) {
                turns.extend(0..self.connections.len());
            }
            let sockets = events.iter().map(Event::token).filter(|token| *token != SUSPENDED);
            turns.extend(sockets.map(|token| token.0));
            turns.sort_unstable();
            turns.dedup();
        }
    }

    fn until_deadline(&self) -> Option<Duration> {
        let deadlines = self.connections.iter().filter_map(|engine| engine.session().deadline());
        let now = self.clock.now();
        deadlines.min().map(|deadline| deadline.saturating_duration_since(now))
    }
}

fn is_due(engine: &Engine<Mio>, now: Instant) -> bool {
    engine.session().deadline().is_some_and(|deadline| now >= deadline)
}

/// Does what one connection has to do. `Made` says that there may be more: come back without waiting.
fn drive(
    engine: &mut Engine<Mio>,
    mut on_event: impl FnMut(ClientEvent, &mut Engine<Mio>),
) -> Progress {
    for _ in 0..STEPS {
        // 3. Orders first: sockets are opened and dropped here.
        let _ = engine.carry_out_orders();
        // What happened goes to the application, one by one: what it sends in answer is written together, by the next look.
        if engine.session().has_events() {
            if engine.is_look_due() && is_due(engine, engine.host().now()) {
                engine.catch_up(); // a long queue of events delays no heartbeat
            }
            if let Some(event) = engine.take_event() {
                on_event(event, engine);
            }
            continue;
        }
        // 4. Sockets: open, write, read, as far as that needs no waiting.
        if engine.look() == Progress::Made {
            continue;
        }
        // 5. Nothing has arrived that was not read: now what is due may be judged.
        let now = engine.host().now();
        if !is_due(engine, now) {
            return Progress::Blocked;
        }
        engine.fire(now);
    }
    Progress::Made
}

#[cfg(test)]
#[path = "mio_loop_tests.rs"]
mod tests;
