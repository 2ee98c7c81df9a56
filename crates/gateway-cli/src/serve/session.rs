//! An upgraded connection while the server answers on it: the login, echoes, pongs.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::value::RawValue;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::Instant};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Error, Message, Utf8Bytes},
};

use super::{
    Secret,
    control::Shared,
    dialect::{self, Incoming},
    ending::Ending,
    script::{Closing, Manners, Pongs, Step, Until},
};
use crate::clock;

/// How many late pongs are kept; a ping beyond them gets none.
const MAX_LATE_PONGS: usize = 64;
/// How many pings of a flood are written before the server looks at what has come.
const FLOOD_BATCH: u32 = 100;

/// What the server knows of an upgraded connection.
pub(crate) struct Session<'a> {
    shared: &'a Shared,
    gate: Gate<'a>,
    echoes: u32,
    late: VecDeque<LatePong>,
}

/// Whether the client has been let in.
enum Gate<'a> {
    Wants(&'a Secret),
    Open,
}

struct LatePong {
    due_at: Instant,
    text: String,
}

/// What a step, or a message of one, has come to.
#[derive(PartialEq, Eq)]
enum Progress {
    /// The step goes on.
    More,
    /// The step is done; the next one follows.
    Done,
    /// The connection ends, whatever steps were left.
    Over(Ending),
}

/// Takes the steps of a script one by one. Returns how the connection is to end.
pub(crate) async fn play(
    socket: &mut WebSocketStream<TcpStream>,
    shared: &Shared,
    steps: &[Step],
    end: Ending,
) -> Ending {
    let mut session = Session::new(shared);
    for step in steps {
        let progress = match step {
            Step::Answer(manners) => session.answer(socket, *manners).await,
            Step::Bytes(bytes) => write_raw(socket, bytes).await,
            Step::PingFlood(pings) => session.flood(socket, *pings).await,
        };
        match progress {
            Ok(Progress::More | Progress::Done) => {}
            Ok(Progress::Over(ending)) => return ending,
            Err(error) => return after_error(&error),
        }
    }
    end
}

impl<'a> Session<'a> {
    fn new(shared: &'a Shared) -> Self {
        let gate = shared.options.login.as_ref().map_or(Gate::Open, Gate::Wants);
        Self { shared, gate, echoes: 0, late: VecDeque::new() }
    }

    /// Answers messages until the manners say that it is enough.
    async fn answer(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        manners: Manners,
    ) -> Result<Progress, Error> {
        let (enough_echoes, enough_at) = match manners.until {
            Until::Closed => (u32::MAX, None),
            Until::Either { echoes, beats } => {
                let span = self.shared.options.beat.saturating_mul(beats);
                (self.echoes.saturating_add(echoes), Some(clock::after(span)))
            }
        };
        while self.echoes < enough_echoes {
            let late_at = self.late.front().map(|pong| pong.due_at);
            // Timers hold no state, and `next` loses nothing when it is dropped.
            let message = tokio::select! {
                biased;
                () = clock::until(enough_at) => return Ok(Progress::Done),
                () = clock::until(late_at) => {
                    self.send_late_pong(socket).await?;
                    continue;
                }
                message = socket.next() => message,
            };
            let progress = self.on_read(socket, message, manners).await?;
            if progress != Progress::More {
                return Ok(progress);
            }
        }
        Ok(Progress::Done)
    }

    /// Sends pings as fast as they go, and answers what comes meanwhile.
    async fn flood(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        pings: u32,
    ) -> Result<Progress, Error> {
        for number in 1..=pings {
            socket.feed(Message::Ping(Bytes::copy_from_slice(&number.to_be_bytes()))).await?;
            if !number.is_multiple_of(FLOOD_BATCH) {
                continue;
            }
            socket.flush().await?;
            while let Some(message) = socket.next().now_or_never() {
                let progress = self.on_read(socket, message, Manners::GOOD).await?;
                if progress != Progress::More {
                    return Ok(progress);
                }
            }
        }
        socket.flush().await?;
        Ok(Progress::Done)
    }

    async fn on_read(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        message: Option<Result<Message, Error>>,
        manners: Manners,
    ) -> Result<Progress, Error> {
        let Some(message) = message.transpose()? else {
            return Ok(Progress::Over(Ending::Finish));
        };
        match (message, &self.gate) {
            (Message::Text(text), Gate::Wants(secret)) => {
                let is_let_in = is_login(secret, &text);
                self.on_login(socket, is_let_in).await
            }
            (Message::Binary(_), Gate::Wants(_)) => self.on_login(socket, false).await,
            (Message::Text(text), Gate::Open) => self.on_text(socket, text, manners.pongs).await,
            (message @ Message::Binary(_), Gate::Open) => self.echo(socket, message).await,
            (Message::Close(_), _) => Ok(match manners.closing {
                // The answer waits in the socket, and is sent by reading on.
                Closing::Replied => Progress::Over(Ending::Obey),
                Closing::Ignored => Progress::Done,
            }),
            // The WebSocket layer answers pings itself; a frame is never the result of reading.
            (Message::Ping(_) | Message::Pong(_) | Message::Frame(_), _) => Ok(Progress::More),
        }
    }

    async fn on_login(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        is_let_in: bool,
    ) -> Result<Progress, Error> {
        if !is_let_in {
            tracing::info!("login failed");
            socket.send(Message::text(dialect::LOGIN_FAILED)).await?;
            return Ok(Progress::Over(Ending::Close { code: 1008, reason: "login failed" }));
        }
        self.gate = Gate::Open;
        socket.send(Message::text(dialect::LOGIN_OK)).await?;
        Ok(Progress::More)
    }

    async fn on_text(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        text: Utf8Bytes,
        pongs: Pongs,
    ) -> Result<Progress, Error> {
        match Incoming::parse(&text) {
            Incoming::Ping(timestamp) => self.on_ping(socket, timestamp, pongs).await,
            Incoming::Login(_) | Incoming::Other => self.echo(socket, Message::Text(text)).await,
        }
    }

    async fn on_ping(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        timestamp: Option<&RawValue>,
        pongs: Pongs,
    ) -> Result<Progress, Error> {
        match pongs {
            Pongs::Right => self.send_pong(socket, dialect::pong(timestamp)).await?,
            Pongs::Wrong => self.send_pong(socket, dialect::wrong_pong(timestamp)).await?,
            Pongs::Never => {}
            Pongs::Late(_) if self.late.len() >= MAX_LATE_PONGS => {}
            Pongs::Late(beats) => self.late.push_back(LatePong {
                due_at: clock::after(self.shared.options.beat.saturating_mul(beats)),
                text: dialect::pong(timestamp),
            }),
        }
        Ok(Progress::More)
    }

    async fn send_late_pong(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
    ) -> Result<(), Error> {
        match self.late.pop_front() {
            Some(pong) => self.send_pong(socket, pong.text).await,
            None => Ok(()),
        }
    }

    async fn send_pong(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        text: String,
    ) -> Result<(), Error> {
        // Counted first, so that whoever has read a pong finds it counted.
        self.shared.counters.pongs.fetch_add(1, Relaxed);
        socket.send(Message::text(text)).await
    }

    async fn echo(
        &mut self,
        socket: &mut WebSocketStream<TcpStream>,
        message: Message,
    ) -> Result<Progress, Error> {
        tracing::trace!(bytes = message.len(), "echo");
        // Counted first, so that whoever has read an echo finds it counted.
        self.shared.counters.echoes.fetch_add(1, Relaxed);
        socket.send(message).await?;
        self.echoes = self.echoes.saturating_add(1);
        Ok(Progress::More)
    }
}

fn is_login(secret: &Secret, text: &str) -> bool {
    match Incoming::parse(text) {
        Incoming::Login(token) => secret.matches(&token),
        Incoming::Ping(_) | Incoming::Other => secret.matches(text),
    }
}

async fn write_raw(
    socket: &mut WebSocketStream<TcpStream>,
    bytes: &[u8],
) -> Result<Progress, Error> {
    socket.flush().await?;
    socket.get_mut().write_all(bytes).await?;
    Ok(Progress::Done)
}

/// How the connection ends when reading or writing has failed.
fn after_error(error: &Error) -> Ending {
    tracing::info!(%error, "the connection failed");
    match error {
        Error::Capacity(_) => Ending::Close { code: 1009, reason: "message too big" },
        Error::Utf8(_) => Ending::Close { code: 1007, reason: "invalid UTF-8" },
        Error::Protocol(_) | Error::AttackAttempt => {
            Ending::Close { code: 1002, reason: "protocol error" }
        }
        // Nobody is left to read a Close frame. (The enum is tungstenite's, and open.)
        _ => Ending::Finish,
    }
}
