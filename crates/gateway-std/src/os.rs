//! The operating system: non-blocking sockets, a poller that waits for them, and its waker.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use gateway_core::{Credentials, Instant, OpenError, SocketId, UnixMillis};
use gateway_wire::{
    AddressBook, Asking, Attempt, Dialled, Endpoint, Handshake, Hop, Host, Layer, OpenFailure,
    OpenStep, SocketEnd, Tunnel, WallClock,
};
use mio::{Events, Interest, Token};

use crate::clock::Clock;
use crate::dial::{Socket, Transport, Uninterrupted};
use crate::errand::{Bottom, Errand, Errands, Fetched, Secure};
use crate::race::Race;
use crate::system::System;
use crate::tls::TlsStream;

/// The most events of one wait. A client has a waker, and one socket or a few that are connecting.
const EVENTS: usize = 8;

const WAKER: Token = Token(0);
const SOCKET: Token = Token(1);

/// The operating system, as a [`Client`](crate::Client)'s [`System`](crate::System).
pub struct Os {
    endpoint: Endpoint,
    errands: Errands,
    addresses: AddressBook,
    clock: Clock,
    poll: mio::Poll,
    events: Events,
    waker: Waker,
    /// When an attempt must be polled again even if nothing has come.
    look_at: Option<Instant>,
}

/// Wakes the poller, from any thread.
struct Bell(mio::Waker);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // This fails only if the kernel's counter is full. Then the poller is awake.
        let _ = self.0.wake();
    }
}

/// An attempt to open a stream. Dropping it leaves nothing open.
pub struct Dialing {
    stage: Box<Stage>, // an open connection keeps no space for it
}

enum Stage {
    Fetching(Errand<Result<Fetched, OpenFailure>>),
    Connecting { race: Race, hop: Hop, rest: Rest },
    ShakingHands { tls: Box<TlsStream>, rest: Rest },
    Tunnelling { stream: Stream, tunnel: Box<Tunnel>, rest: Rest },
    Over,
}

/// What is to be done once the stream is there.
struct Rest {
    handshake: Handshake,
    layers: VecDeque<Layer<Secure>>,
}

/// The stream so far.
struct Stream {
    transport: Box<dyn Transport>,
    fails_whole: bool,
}

/// The result of one step of an attempt.
enum Step {
    Next(Stage),
    Stay(Stage),
    Open(Dialled<Socket>),
}

impl Os {
    pub(crate) fn new(
        endpoint: Endpoint,
        errands: Errands,
        wall: Option<WallClock>,
    ) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let bell = Bell(mio::Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            endpoint,
            errands,
            addresses: AddressBook::default(),
            clock: Clock::start(wall),
            poll,
            events: Events::with_capacity(EVENTS),
            waker: Waker::from(Arc::new(bell)),
            look_at: None,
        })
    }

    fn step(&mut self, stage: Stage) -> Result<Step, OpenFailure> {
        match stage {
            Stage::Fetching(errand) => {
                match errand.poll(|why| OpenFailure::new(OpenError::Io, why)) {
                    Poll::Pending => Ok(Step::Stay(Stage::Fetching(errand))),
                    Poll::Ready(fetched) => self.set_out(fetched?),
                }
            }
            Stage::Connecting { mut race, hop, rest } => {
                match race.poll(self.clock.now(), self.poll.registry(), SOCKET, &mut self.addresses)
                {
                    Poll::Pending => {
                        self.look_at = race.next_at();
                        Ok(Step::Stay(Stage::Connecting { race, hop, rest }))
                    }
                    Poll::Ready(Ok(tcp)) => {
                        // A long-lived connection with small messages gains nothing from Nagle's
                        // algorithm.
                        let _ = tcp.set_nodelay(true);
                        next_layer(Stream { transport: Box::new(tcp), fails_whole: true }, rest)
                    }
                    Poll::Ready(Err(error)) => {
                        Err(hop.failure(OpenFailure::classify(OpenStep::Connect, &error)))
                    }
                }
            }
            Stage::ShakingHands { mut tls, rest } => match tls.poll_handshake() {
                Poll::Pending => Ok(Step::Stay(Stage::ShakingHands { tls, rest })),
                Poll::Ready(outcome) => outcome
                    .and_then(|()| next_layer(Stream { transport: tls, fails_whole: false }, rest)),
            },
            Stage::Tunnelling { mut stream, mut tunnel, rest } => {
                match tunnel.advance(&mut Uninterrupted(&mut *stream.transport)) {
                    Poll::Pending => Ok(Step::Stay(Stage::Tunnelling { stream, tunnel, rest })),
                    Poll::Ready(outcome) => outcome.and_then(|()| next_layer(stream, rest)),
                }
            }
            Stage::Over => Err(OpenFailure::new(OpenError::Io, "the attempt is over")),
        }
    }

    fn set_out(&mut self, fetched: Fetched) -> Result<Step, OpenFailure> {
        let Fetched { handshake, bottom, layers } = fetched;
        let rest = Rest { handshake, layers };
        match bottom {
            Bottom::Tcp { hop, addresses } => {
                let race = Race::new(self.addresses.order(addresses));
                Ok(Step::Next(Stage::Connecting { race, hop, rest }))
            }
            Bottom::Dialled { mut transport, fails_whole } => {
                let interest = Interest::READABLE | Interest::WRITABLE;
                self.poll
                    .registry()
                    .register(transport.source(), SOCKET, interest)
                    .map_err(|error| OpenFailure::classify(OpenStep::Connect, &error))?;
                next_layer(Stream { transport, fails_whole }, rest)
            }
        }
    }
}

/// Starts the next layer over the stream. Over the last one comes the upgrade.
fn next_layer(stream: Stream, mut rest: Rest) -> Result<Step, OpenFailure> {
    Ok(match rest.layers.pop_front() {
        Some(Layer::Tls((layer, config))) => {
            let tls = Box::new(TlsStream::start(layer, config, stream.transport)?);
            Step::Next(Stage::ShakingHands { tls, rest })
        }
        Some(Layer::Tunnel(tunnel)) => {
            Step::Next(Stage::Tunnelling { stream, tunnel: Box::new(tunnel), rest })
        }
        None => {
            let Stream { transport, fails_whole } = stream;
            let stream = Socket::new(transport, fails_whole);
            Step::Open(Dialled { stream, handshake: rest.handshake })
        }
    })
}

impl Host for Os {
    type Dialing = Dialing;
    type Stream = Socket;

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn wall(&self) -> UnixMillis {
        self.clock.wall()
    }

    fn suspend_waker(&self) -> Option<Waker> {
        // The watch reads the system's wall clock, and not one that the builder has set.
        self.clock.is_of_the_system().then(|| self.waker.clone())
    }

    fn ask(&mut self, _: SocketId, attempt: Attempt) -> Asking {
        self.errands.ask(attempt, self.waker.clone())
    }

    fn dial(&mut self, _: SocketId, _: Credentials, endpoint: Option<Arc<Endpoint>>) -> Dialing {
        self.addresses.begin();
        let errand = self.errands.open(endpoint, self.waker.clone());
        Dialing { stage: Box::new(Stage::Fetching(errand)) }
    }

    fn ended(&mut self, _: SocketId, end: SocketEnd) {
        self.addresses.ended(end);
    }

    fn poll_dialing(
        &mut self,
        dialing: &mut Dialing,
    ) -> Poll<Result<Dialled<Socket>, OpenFailure>> {
        self.look_at = None;
        loop {
            let stage = std::mem::replace(&mut *dialing.stage, Stage::Over);
            match self.step(stage) {
                Ok(Step::Next(stage)) => *dialing.stage = stage,
                Ok(Step::Stay(stage)) => {
                    *dialing.stage = stage;
                    return Poll::Pending;
                }
                Ok(Step::Open(dialled)) => return Poll::Ready(Ok(dialled)),
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
    }
}

impl System for Os {
    fn wait(&mut self, until: Option<Instant>) {
        let until = match (until, self.look_at.take()) {
            (Some(until), Some(look_at)) => Some(until.min(look_at)),
            (until, look_at) => until.or(look_at),
        };
        let timeout = until.map(|until| until.saturating_duration_since(self.clock.now()));
        // This fails if a signal interrupts it. The wait then ends early, and the sockets show what
        // has come.
        let _ = self.poll.poll(&mut self.events, timeout);
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl fmt::Debug for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Os").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
