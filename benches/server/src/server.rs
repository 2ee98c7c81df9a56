//! The loop: one thread accepts, and gives every connection that something happened to its turn.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::connection::{Connection, Shared, Turn};

const LISTENER: Token = Token(usize::MAX);
const STDIN: Token = Token(usize::MAX - 1);
const EVENTS: usize = 1024;
/// When no more could be accepted for want of descriptors, it is tried again after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// Serves until stdin ends.
pub(crate) fn run(port: u16) -> io::Result<()> {
    let listener = listen(port)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening {}", listener.local_addr()?.port())?;
    stdout.flush()?;
    drop(stdout);
    Server::new(listener)?.run()
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    acceptable: bool,
    shared: Shared,
    places: Vec<Option<Place>>,
    free: Vec<usize>,
    /// Places whose turn it is.
    ready: Vec<usize>,
}

struct Place {
    connection: Connection,
    /// It stands in `ready`.
    is_ready: bool,
}

impl Server {
    fn new(mut listener: TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        // A file or /dev/null cannot be waited for: then the server runs until it is killed.
        match poll.registry().register(&mut SourceFd(&0), STDIN, Interest::READABLE) {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
        Ok(Self {
            poll,
            listener,
            acceptable: false,
            shared: Shared::new(),
            places: Vec::new(),
            free: Vec::new(),
            ready: Vec::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut turns = Vec::new();
        loop {
            let timeout = match (self.ready.is_empty(), self.acceptable) {
                (false, _) => Some(Duration::ZERO),
                (true, true) => Some(ACCEPT_AGAIN),
                (true, false) => None,
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.acceptable = true,
                    STDIN if event.is_read_closed() || stdin_ended() => return Ok(()),
                    STDIN => {}
                    Token(index) => {
                        let Some(Some(place)) = self.places.get_mut(index) else { continue };
                        place.connection.on_event(event);
                        if !mem::replace(&mut place.is_ready, true) {
                            self.ready.push(index);
                        }
                    }
                }
            }
            mem::swap(&mut self.ready, &mut turns);
            for index in turns.drain(..) {
                self.turn(index);
            }
            if self.acceptable {
                self.accept()?;
            }
        }
    }

    fn turn(&mut self, index: usize) {
        // A place that is empty by now was reset in this very round.
        let Some(place) = self.places[index].as_mut() else { return };
        place.is_ready = false;
        let mut turn = place.connection.turn(&mut self.shared);
        if let Ok(Turn::Reset) = turn {
            self.reset_others(index);
            let Some(place) = self.places[index].as_mut() else { return };
            place.connection.on_reset(&mut self.shared);
            turn = place.connection.turn(&mut self.shared);
        }
        match turn {
            Ok(Turn::Wait | Turn::Reset) => {}
            Ok(Turn::Again) => {
                if let Some(place) = self.places[index].as_mut() {
                    place.is_ready = true;
                    self.ready.push(index);
                }
            }
            Ok(Turn::Over) | Err(_) => {
                self.shared.output.clear();
                if let Some(mut place) = self.places[index].take() {
                    place.connection.leave(&mut self.shared.statistics);
                    self.free.push(index);
                }
            }
        }
    }

    fn reset_others(&mut self, index: usize) {
        for (other, place) in self.places.iter_mut().enumerate() {
            if other != index
                && let Some(place) = place.take()
            {
                place.connection.reset();
                self.free.push(other);
            }
        }
        self.shared.statistics = Default::default();
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.acceptable = false;
                        return Ok(());
                    }
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => continue,
                    // Out of descriptors or memory: those who wait are accepted when some have left.
                    _ => return Ok(()),
                },
            };
            if stream.set_nodelay(true).is_err() {
                continue; // It is gone already.
            }
            let index = self.free.pop().unwrap_or(self.places.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(index), interest)?;
            let place = Some(Place { connection: Connection::new(stream), is_ready: false });
            match self.places.get_mut(index) {
                Some(free) => *free = place,
                None => self.places.push(place),
            }
        }
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(StdListener::from(socket)))
}

fn stdin_ended() -> bool {
    match io::stdin().lock().read(&mut [0; 1024]) {
        Ok(read) => read == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
