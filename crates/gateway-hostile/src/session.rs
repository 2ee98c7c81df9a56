//! The server on an upgraded connection: login, echoes, pongs.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Error, Message, Utf8Bytes,
        protocol::{CloseFrame, frame::Frame},
    },
};

use crate::{
    clock,
    control::Shared,
    dialect::{self, Incoming},
    line::Line,
    script::{Closing, Ending, Manners, Pongs, Step, Until},
    secret::Secret,
};

/// How many late pongs are queued. A further ping gets none.
const MAX_LATE_PONGS: usize = 64;
/// How many pings of a flood are written before the server reads.
const FLOOD_BATCH: u32 = 100;
/// The payload of a wrong pong.
const WRONG_PONG: &[u8] = b"wrong";

/// The state of an upgraded connection.
pub(crate) struct Session<'a> {
    shared: &'a Shared,
    gate: Gate<'a>,
    echoes: u32,
    late: VecDeque<LatePong>,
}

/// Whether the client has logged in.
enum Gate<'a> {
    Wants(&'a Secret),
    Open,
}

struct LatePong {
    due_at: Instant,
    pong: Pong,
}

/// An answer to a ping of either kind.
enum Pong {
    Application(String),
    WebSocket(Bytes),
}

/// The result of a step, or of one message in it.
#[derive(PartialEq, Eq)]
enum Progress {
    /// The step continues.
    More,
    /// The step is done; the next one follows.
    Done,
    /// The connection ends. The remaining steps are skipped.
    Over(Ending),
}

/// Runs the steps of a script. Returns how the connection ends.
pub(crate) async fn play(
    socket: &mut WebSocketStream<Line>,
    shared: &Shared,
    steps: &[Step],
    end: Ending,
) -> Ending {
    let mut session = Session::new(shared);
    for step in steps {
        let progress = match step {
            Step::Answer(manners) => session.answer(socket, *manners).await,
            Step::Bytes(bytes) => write_fault(socket, bytes).await,
            Step::Close(code) => write_close(socket, *code).await,
            Step::RefuseLogin => session.refuse_login(socket).await,
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

    /// Answers messages until the manners' end.
    async fn answer(
        &mut self,
        socket: &mut WebSocketStream<Line>,
        manners: Manners,
    ) -> Result<Progress, Error> {
        // The WebSocket layer answers pings automatically and correctly.
        socket.get_mut().mute_pongs(!matches!(manners.pongs, Pongs::Right));
        let (enough_echoes, enough_at) = match manners.until {
            Until::Closed => (u32::MAX, None),
            Until::Either { echoes, beats } => {
                let span = self.shared.options.beat.saturating_mul(beats);
                (self.echoes.saturating_add(echoes), Some(clock::after(span)))
            }
        };
        while self.echoes < enough_echoes {
            let late_at = self.late.front().map(|pong| pong.due_at);
            // Timers hold no state, and `next` is cancel-safe.
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

    /// Refuses any first message.
    async fn refuse_login(&self, socket: &mut WebSocketStream<Line>) -> Result<Progress, Error> {
        let enough_at = Some(clock::after(self.shared.options.beat));
        loop {
            // A timer holds no state, and `next` is cancel-safe.
            let message = tokio::select! {
                biased;
                message = socket.next() => message,
                () = clock::until(enough_at) => break,
            };
            match message.transpose()? {
                None => return Ok(Progress::Over(Ending::Finish)),
                Some(Message::Close(_)) => return Ok(Progress::Over(Ending::Obey)),
                Some(Message::Text(_) | Message::Binary(_)) => break,
                Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            }
        }
        socket.send(Message::text(dialect::LOGIN_FAILED)).await?;
        Ok(Progress::Done)
    }

    /// Sends pings as fast as possible, and answers messages meanwhile.
    async fn flood(
        &mut self,
        socket: &mut WebSocketStream<Line>,
        pings: u32,
    ) -> Result<Progress, Error> {
        socket.get_mut().note(|pen| pen.flood(pings.to_be_bytes()));
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
        socket: &mut WebSocketStream<Line>,
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
            (Message::Ping(payload), _) => self.on_ping_frame(socket, payload, manners.pongs).await,
            (message @ Message::Binary(_), Gate::Open) => self.echo(socket, message).await,
            (Message::Close(_), _) => Ok(match manners.closing {
                // The WebSocket layer has queued the answer, and sends it on the next read.
                Closing::Replied => Progress::Over(Ending::Obey),
                Closing::Ignored => Progress::Done,
            }),
            // Reading never returns a raw frame.
            (Message::Pong(_) | Message::Frame(_), _) => Ok(Progress::More),
        }
    }

    async fn on_login(
        &mut self,
        socket: &mut WebSocketStream<Line>,
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
        socket: &mut WebSocketStream<Line>,
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
        socket: &mut WebSocketStream<Line>,
        timestamp: Option<&RawValue>,
        pongs: Pongs,
    ) -> Result<Progress, Error> {
        let pong = match pongs {
            Pongs::Wrong => dialect::wrong_pong(timestamp),
            Pongs::Right | Pongs::Never | Pongs::Late(_) => dialect::pong(timestamp),
        };
        self.answer_ping(socket, Pong::Application(pong), pongs).await
    }

    async fn on_ping_frame(
        &mut self,
        socket: &mut WebSocketStream<Line>,
        payload: Bytes,
        pongs: Pongs,
    ) -> Result<Progress, Error> {
        let payload = match pongs {
            // The WebSocket layer has answered it.
            Pongs::Right => return Ok(Progress::More),
            Pongs::Wrong => Bytes::from_static(WRONG_PONG),
            Pongs::Never | Pongs::Late(_) => payload,
        };
        self.answer_ping(socket, Pong::WebSocket(payload), pongs).await
    }

    async fn answer_ping(
        &mut self,
        socket: &mut WebSocketStream<Line>,
        pong: Pong,
        pongs: Pongs,
    ) -> Result<Progress, Error> {
        match pongs {
            Pongs::Right | Pongs::Wrong => self.send_pong(socket, pong).await?,
            Pongs::Never => {}
            Pongs::Late(_) if self.late.len() >= MAX_LATE_PONGS => {}
            Pongs::Late(beats) => {
                let due_at = clock::after(self.shared.options.beat.saturating_mul(beats));
                self.late.push_back(LatePong { due_at, pong });
            }
        }
        Ok(Progress::More)
    }

    async fn send_late_pong(&mut self, socket: &mut WebSocketStream<Line>) -> Result<(), Error> {
        match self.late.pop_front() {
            Some(late) => self.send_pong(socket, late.pong).await,
            None => Ok(()),
        }
    }

    async fn send_pong(
        &mut self,
        socket: &mut WebSocketStream<Line>,
        pong: Pong,
    ) -> Result<(), Error> {
        match pong {
            Pong::Application(text) => {
                // Counted first, so that the count is right once a client has read the pong.
                self.shared.counters.pongs.fetch_add(1, Relaxed);
                socket.send(Message::text(text)).await
            }
            Pong::WebSocket(payload) => {
                let mut frame = Vec::with_capacity(2 + payload.len());
                Frame::pong(payload).format(&mut frame)?;
                write_raw(socket, &frame).await
            }
        }
    }

    async fn echo(
        &mut self,
        socket: &mut WebSocketStream<Line>,
        message: Message,
    ) -> Result<Progress, Error> {
        tracing::trace!(bytes = message.len(), "echo");
        // Counted first, so that the count is right once a client has read the echo.
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

async fn write_raw(socket: &mut WebSocketStream<Line>, bytes: &[u8]) -> Result<(), Error> {
    socket.flush().await?;
    Ok(socket.get_mut().write_raw(bytes).await?)
}

async fn write_fault(socket: &mut WebSocketStream<Line>, bytes: &[u8]) -> Result<Progress, Error> {
    socket.get_mut().note(|pen| pen.fault());
    write_raw(socket, bytes).await?;
    Ok(Progress::Done)
}

/// Writes a Close frame past the WebSocket layer, which does not notice it.
async fn write_close(socket: &mut WebSocketStream<Line>, code: u16) -> Result<Progress, Error> {
    let mut bytes = Vec::with_capacity(4);
    let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::default() };
    Frame::close(Some(frame)).format(&mut bytes)?;
    socket.get_mut().note(|pen| pen.closes(code));
    write_raw(socket, &bytes).await?;
    Ok(Progress::Done)
}

/// How the connection ends after a failed read or write.
fn after_error(error: &Error) -> Ending {
    tracing::info!(%error, "the connection failed");
    match error {
        Error::Capacity(_) => Ending::Close { code: 1009, reason: "message too big" },
        Error::Utf8(_) => Ending::Close { code: 1007, reason: "invalid UTF-8" },
        Error::Protocol(_) | Error::AttackAttempt => {
            Ending::Close { code: 1002, reason: "protocol error" }
        }
        // The peer is gone and cannot read a Close frame. (tungstenite's enum is non-exhaustive.)
        _ => Ending::Finish,
    }
}
