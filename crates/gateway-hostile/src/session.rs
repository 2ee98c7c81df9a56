//! The server on an upgraded connection: its script's steps, and what its dialect says.

use std::{collections::VecDeque, future, sync::atomic::Ordering::Relaxed};

use bytes::Bytes;
use gateway_core::CloseCode;
use gateway_wire::Message;
use gateway_wire::codec::{Breach, Incoming};
use tokio::time::Instant;

use crate::{
    clock,
    control::Shared,
    dialect::{
        self, Speaker, Upgraded,
        exchange::{Exchange, Pong as SpokenPong, Reply},
    },
    script::{Closing, Ending, Manners, Pongs, Step, Until},
    socket::{Socket, SocketError},
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
    speaker: Box<dyn Speaker>,
    echoes: u32,
    late: VecDeque<LatePong>,
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
    socket: &mut Socket,
    shared: &Shared,
    upgraded: Upgraded,
    steps: &[Step],
    end: Ending,
) -> Ending {
    let mut session = Session::new(shared, upgraded);
    // Without a step the server says nothing, not even a greeting.
    if !steps.is_empty()
        && let Progress::Over(ending) =
            session.speak(socket, Pongs::Right, |speaker, exchange| speaker.opened(exchange))
    {
        return ending;
    }
    for step in steps {
        match session.play(socket, step).await {
            Ok(Progress::More | Progress::Done) => {}
            Ok(Progress::Over(ending)) => return ending,
            Err(error) => return after_error(&error),
        }
    }
    end
}

impl<'a> Session<'a> {
    fn new(shared: &'a Shared, upgraded: Upgraded) -> Self {
        let speaker = dialect::speaker(upgraded, &shared.options);
        Self { shared, speaker, echoes: 0, late: VecDeque::new() }
    }

    /// Runs a step, and writes what it has sent.
    async fn play(&mut self, socket: &mut Socket, step: &Step) -> Result<Progress, SocketError> {
        let progress = match step {
            Step::Answer(manners) => self.answer(socket, *manners).await?,
            Step::Bytes(bytes) => {
                socket.send_fault(bytes);
                Progress::Done
            }
            Step::Close(code) => {
                socket.send_close(*code, "");
                Progress::Done
            }
            Step::RefuseLogin => self.refuse_login(socket).await?,
            Step::PingFlood(pings) => self.flood(socket, *pings).await?,
        };
        socket.flush().await?;
        Ok(progress)
    }

    /// Answers messages until the manners' end.
    async fn answer(
        &mut self,
        socket: &mut Socket,
        manners: Manners,
    ) -> Result<Progress, SocketError> {
        let (enough_echoes, enough_at) = match manners.until {
            Until::Closed => (u32::MAX, None),
            Until::Either { echoes, beats } => {
                let span = self.shared.options.beat.saturating_mul(beats);
                (self.echoes.saturating_add(echoes), Some(clock::after(span)))
            }
        };
        while self.echoes < enough_echoes {
            let late_at = self.late.front().map(|pong| pong.due_at);
            let due_at = self.speaker.due_at().map(|due_at| self.shared.clock.at(due_at));
            // Timers hold no state, and `next` is cancel-safe.
            let incoming = tokio::select! {
                biased;
                () = clock::until(enough_at) => break,
                () = clock::until(late_at) => {
                    self.send_late_pong(socket);
                    continue;
                }
                () = clock::until(due_at) => {
                    let progress = self.speak(socket, manners.pongs, |speaker, exchange| speaker.due(exchange));
                    if progress != Progress::More {
                        return Ok(progress);
                    }
                    continue;
                }
                incoming = socket.next() => incoming?,
            };
            let progress = self.on_read(socket, incoming, manners);
            if progress != Progress::More {
                return Ok(progress);
            }
        }
        Ok(Progress::Done)
    }

    /// Refuses any first message.
    async fn refuse_login(&self, socket: &mut Socket) -> Result<Progress, SocketError> {
        let enough_at = Some(clock::after(self.shared.options.beat));
        loop {
            // A timer holds no state, and `next` is cancel-safe.
            let incoming = tokio::select! {
                biased;
                incoming = socket.next() => incoming?,
                () = clock::until(enough_at) => break,
            };
            let Some(incoming) = incoming else { return Ok(Progress::Over(Ending::Finish)) };
            socket.answer(&incoming);
            match incoming {
                Incoming::Close(_) => return Ok(Progress::Over(Ending::Obey)),
                Incoming::Message(_) => break,
                Incoming::Ping(_) | Incoming::Pong(_) => {}
            }
        }
        if let Some(refusal) = self.speaker.refusal() {
            socket.send_text(refusal);
        }
        Ok(Progress::Done)
    }

    /// Sends pings as fast as possible, and answers messages meanwhile.
    async fn flood(&mut self, socket: &mut Socket, pings: u32) -> Result<Progress, SocketError> {
        socket.line().note(|pen| pen.flood(pings.to_be_bytes()));
        for number in 1..=pings {
            socket.send_ping(&number.to_be_bytes());
            if !number.is_multiple_of(FLOOD_BATCH) {
                continue;
            }
            socket.flush().await?;
            loop {
                // `next` is cancel-safe.
                let incoming = tokio::select! {
                    biased;
                    incoming = socket.next() => incoming?,
                    () = future::ready(()) => break,
                };
                let progress = self.on_read(socket, incoming, Manners::GOOD);
                if progress != Progress::More {
                    return Ok(progress);
                }
            }
        }
        Ok(Progress::Done)
    }

    fn on_read(
        &mut self,
        socket: &mut Socket,
        incoming: Option<Incoming>,
        manners: Manners,
    ) -> Progress {
        let Some(incoming) = incoming else {
            return Progress::Over(Ending::Finish);
        };
        match (incoming, manners.closing) {
            (Incoming::Message(message), _) => {
                return self.on_message(socket, message, manners.pongs);
            }
            (Incoming::Ping(payload), _) => self.on_ping_frame(socket, payload, manners.pongs),
            (Incoming::Pong(_), _) => {}
            (Incoming::Close(_), Closing::Ignored) => return Progress::Done,
            (close @ Incoming::Close(_), Closing::Replied) => {
                socket.answer(&close);
                return Progress::Over(Ending::Obey);
            }
        }
        Progress::More
    }

    fn on_message(&mut self, socket: &mut Socket, message: Message, pongs: Pongs) -> Progress {
        self.speak(socket, pongs, |speaker, exchange| speaker.received(message, exchange))
    }

    /// Calls the dialect, and performs its replies.
    fn speak(
        &mut self,
        socket: &mut Socket,
        pongs: Pongs,
        call: impl FnOnce(&mut dyn Speaker, &mut Exchange<'_>),
    ) -> Progress {
        let mut exchange = Exchange::new(self.shared.clock.elapsed(), &self.shared.logins);
        call(&mut *self.speaker, &mut exchange);
        for reply in exchange.into_replies() {
            match reply {
                Reply::Text(text) => socket.send_text(&text),
                Reply::Echo(message) => self.echo(socket, &message),
                Reply::Pong(pong) => self.on_ping(socket, pong, pongs),
                Reply::Close(close) => return Progress::Over(Ending::spoken(close)),
            }
        }
        Progress::More
    }

    fn on_ping(&mut self, socket: &mut Socket, pong: SpokenPong, pongs: Pongs) {
        let SpokenPong { right, wrong } = pong;
        let pong = match pongs {
            Pongs::Wrong => wrong.unwrap_or(right),
            Pongs::Right | Pongs::Never | Pongs::Late(_) => right,
        };
        self.answer_ping(socket, Pong::Application(pong), pongs);
    }

    fn on_ping_frame(&mut self, socket: &mut Socket, payload: Bytes, pongs: Pongs) {
        let payload = match pongs {
            Pongs::Wrong => Bytes::from_static(WRONG_PONG),
            Pongs::Right | Pongs::Never | Pongs::Late(_) => payload,
        };
        self.answer_ping(socket, Pong::WebSocket(payload), pongs);
    }

    fn answer_ping(&mut self, socket: &mut Socket, pong: Pong, pongs: Pongs) {
        match pongs {
            Pongs::Right | Pongs::Wrong => self.send_pong(socket, &pong),
            Pongs::Never => {}
            Pongs::Late(_) if self.late.len() >= MAX_LATE_PONGS => {}
            Pongs::Late(beats) => {
                let due_at = clock::after(self.shared.options.beat.saturating_mul(beats));
                self.late.push_back(LatePong { due_at, pong });
            }
        }
    }

    fn send_late_pong(&mut self, socket: &mut Socket) {
        if let Some(late) = self.late.pop_front() {
            self.send_pong(socket, &late.pong);
        }
    }

    fn send_pong(&self, socket: &mut Socket, pong: &Pong) {
        match pong {
            Pong::Application(text) => {
                // Counted first, so that the count is right once a client has read the pong.
                self.shared.counters.pongs.fetch_add(1, Relaxed);
                socket.send_text(text);
            }
            Pong::WebSocket(payload) => socket.send_pong(payload),
        }
    }

    fn echo(&mut self, socket: &mut Socket, message: &Message) {
        tracing::trace!(bytes = message.len(), "echo");
        // Counted first, so that the count is right once a client has read the echo.
        self.shared.counters.echoes.fetch_add(1, Relaxed);
        socket.send(message);
        self.echoes = self.echoes.saturating_add(1);
    }
}

/// How the connection ends after a failed read or write.
fn after_error(error: &SocketError) -> Ending {
    tracing::info!(%error, "the connection failed");
    let (code, reason) = match error {
        SocketError::Io(_) => return Ending::Finish,
        SocketError::Breach(Breach::TooLong { .. }) => (CloseCode::TOO_BIG, "message too big"),
        SocketError::Breach(Breach::Text | Breach::CloseReason) => {
            (CloseCode::INVALID_PAYLOAD, "invalid UTF-8")
        }
        SocketError::Breach(_) => (CloseCode::PROTOCOL_ERROR, "protocol error"),
    };
    Ending::Close { code, reason }
}
