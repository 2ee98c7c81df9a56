//! A peer for tests: it drives a connection with a dialect, and reads what the dialect sends.

#![allow(dead_code)] // each test uses a part of it

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Action, CloseCode, CloseFrame, Config, ConfigBuilder, Connection, Dialect, DisconnectCause,
    Effect, Encoded, Event, Frame, Instant, Message, Notice, Secret, Secrets, SeededConnection,
    SocketId, UnixMillis, Verdict,
};
use gateway_dialects::{Definition, preset};

pub(crate) type AnyDialect = Box<dyn Dialect + Send + Sync>;

/// What the client put on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Close(u16),
}

pub(crate) fn text(text: &str) -> Sent {
    Sent::Text(text.to_string())
}

/// The wall clock's time when the first socket opens.
pub(crate) const START: u64 = 1_700_000_000_000;

pub(crate) struct Peer {
    connection: SeededConnection<AnyDialect>,
    now: Instant,
    socket: Option<SocketId>,
    to_open: Option<SocketId>,
    sent: Vec<Sent>,
    delivered: Vec<Vec<u8>>,
    notices: Vec<Notice>,
    refusals: Vec<String>,
    reasons: Vec<String>,
    resume_at: Option<String>,
}

impl Peer {
    /// A connection with this preset. Its first socket is open.
    pub(crate) fn of_preset(name: &str, secrets: &[(&str, &str)]) -> Self {
        Self::open(preset(name).unwrap().dialect(), secrets)
    }

    pub(crate) fn of_toml(text: &str, secrets: &[(&str, &str)]) -> Self {
        let definition = Definition::parse(text).unwrap_or_else(|errors| panic!("{errors}"));
        Self::open(Box::new(definition.dialect()), secrets)
    }

    pub(crate) fn open(dialect: AnyDialect, secrets: &[(&str, &str)]) -> Self {
        Self::open_with(Config::builder(), dialect, secrets)
    }

    pub(crate) fn open_with(
        config: ConfigBuilder,
        dialect: AnyDialect,
        secrets: &[(&str, &str)],
    ) -> Self {
        let config = config.build().unwrap().with_dialect(dialect.duties());
        let mut peer = Self {
            connection: Connection::from_seed_with(Arc::new(config), 7, dialect),
            now: Instant::ZERO,
            socket: None,
            to_open: None,
            sent: Vec::new(),
            delivered: Vec::new(),
            notices: Vec::new(),
            refusals: Vec::new(),
            reasons: Vec::new(),
            resume_at: None,
        };
        peer.set_secrets(secrets);
        peer.tell(Event::WallClock(UnixMillis(START)), None);
        peer.tell(Event::ConnectRequested, None);
        peer.accept();
        peer
    }

    pub(crate) fn set_secrets(&mut self, secrets: &[(&str, &str)]) {
        let given = secrets.iter().map(|(name, value)| (name.to_string(), Secret::new(*value)));
        self.connection.set_secrets(&Secrets::new(given.collect()).unwrap());
    }

    /// The server accepts the connection that the client opens.
    pub(crate) fn accept(&mut self) {
        let id = self.to_open.take().expect("the client opens a socket");
        self.socket = Some(id);
        self.tell(Event::SocketOpened(id), None);
    }

    /// Waits for the next attempt, and accepts it.
    pub(crate) fn accept_next(&mut self) {
        for _ in 0..100 {
            if self.to_open.is_some() {
                return self.accept();
            }
            let due = self.connection.next_deadline().expect("the client retries");
            self.now = due.max(self.now);
            self.tell(Event::Tick, None);
        }
        panic!("the client does not retry");
    }

    pub(crate) fn says(&mut self, text: &str) {
        if let Some(id) = self.socket {
            self.tell(Event::FrameReceived(id, Frame::Text(text)), Some(text.as_bytes()));
        }
    }

    pub(crate) fn says_bytes(&mut self, bytes: &[u8]) {
        if let Some(id) = self.socket {
            self.tell(Event::FrameReceived(id, Frame::Binary(bytes)), Some(bytes));
        }
    }

    pub(crate) fn closes(&mut self, code: u16) {
        if let Some(id) = self.socket {
            let frame = CloseFrame::new(code, "").unwrap();
            self.tell(Event::FrameReceived(id, Frame::Close(Some(frame))), None);
        }
    }

    /// The connection is cut.
    pub(crate) fn cut(&mut self) {
        if let Some(id) = self.socket {
            self.tell(Event::SocketFailed(id, gateway_core::Failure::Reset), None);
        }
    }

    pub(crate) fn client_closes(&mut self) {
        let frame = CloseFrame::new(CloseCode::NORMAL.number(), "").unwrap();
        self.tell(Event::CloseRequested(frame), None);
    }

    pub(crate) fn client_sends(&mut self, text: &str) {
        self.tell(Event::SendRequested(Message::Text(text)), Some(text.as_bytes()));
    }

    /// Time passes, and each deadline on the way is kept.
    pub(crate) fn wait(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        while let Some(due) = self.connection.next_deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.tell(Event::Tick, None);
        }
        self.now = end;
    }

    pub(crate) fn wait_secs(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    /// What the client sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// What the application received since the last call.
    pub(crate) fn delivered(&mut self) -> Vec<String> {
        let texts = std::mem::take(&mut self.delivered).into_iter();
        texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.connection.is_ready()
    }

    pub(crate) fn is_opening(&self) -> bool {
        self.to_open.is_some()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Why sockets were lost, since the last call.
    pub(crate) fn losses(&mut self) -> Vec<DisconnectCause> {
        let losses = self.notices.iter().filter_map(|notice| match notice {
            Notice::Disconnected { cause, .. } => Some(*cause),
            _ => None,
        });
        let losses = losses.collect();
        self.notices.retain(|notice| !matches!(notice, Notice::Disconnected { .. }));
        losses
    }

    /// The refusals of the login: verdict and reason, since the last call.
    pub(crate) fn refusals(&mut self) -> Vec<(Verdict, String)> {
        let verdicts = self.notices.iter().filter_map(|notice| match notice {
            Notice::LoginRefused { verdict, .. } => Some(*verdict),
            _ => None,
        });
        let refusals = verdicts.zip(std::mem::take(&mut self.refusals)).collect();
        self.notices.retain(|notice| !matches!(notice, Notice::LoginRefused { .. }));
        refusals
    }

    /// Why the dialect left the server, since the last call.
    pub(crate) fn reasons(&mut self) -> Vec<String> {
        std::mem::take(&mut self.reasons)
    }

    /// The round trips of the pongs, since the last call.
    pub(crate) fn pongs(&mut self) -> Vec<Option<Duration>> {
        let pongs = self.notices.iter().filter_map(|notice| match notice {
            Notice::PongReceived { round_trip, .. } => Some(*round_trip),
            _ => None,
        });
        let pongs = pongs.collect();
        self.notices.retain(|notice| !matches!(notice, Notice::PongReceived { .. }));
        pongs
    }

    /// How many warnings of an ignored effect there were, since the last call.
    pub(crate) fn warnings(&mut self) -> usize {
        let is_warning = |notice: &Notice| matches!(notice, Notice::EffectIgnored { .. });
        let count = self.notices.iter().filter(|notice| is_warning(notice)).count();
        self.notices.retain(|notice| !is_warning(notice));
        count
    }

    /// The delay of the newest retry.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        self.notices.iter().rev().find_map(|notice| match notice {
            Notice::RetryScheduled { delay, .. } => Some(*delay),
            _ => None,
        })
    }

    pub(crate) fn gave_up(&self) -> bool {
        self.connection.gave_up().is_some()
    }

    pub(crate) fn resume_at(&mut self) -> Option<String> {
        self.resume_at.take()
    }

    pub(crate) fn debug(&self) -> String {
        format!("{:?}", self.connection)
    }

    pub(crate) fn interest(&self) -> gateway_core::Interest {
        self.connection.dialect().interest()
    }

    fn tell(&mut self, event: Event<'_>, message: Option<&[u8]>) {
        let actions = self.connection.handle(self.now, event);
        let reason = self.connection.spoken(&actions).reason();
        for effect in self.connection.spoken(&actions).iter().flat_map(|call| &call.effects) {
            let reasons = match effect {
                Effect::LoginRefused { .. } => &mut self.refusals,
                Effect::Leave { .. } => &mut self.reasons,
                _ => continue,
            };
            let reason = reason.map(|part| self.connection.part(part).to_vec());
            reasons.push(String::from_utf8(reason.unwrap_or_default()).unwrap());
        }
        for action in actions {
            match action {
                Action::OpenSocket { id, .. } => self.to_open = Some(id),
                Action::Send(_, outgoing) => {
                    let mut text = String::new();
                    let sent = match self.connection.encode(&outgoing, &mut text) {
                        Some(Encoded::Binary(bytes)) => Sent::Binary(bytes.to_vec()),
                        Some(Encoded::Ping) => Sent::Ping,
                        Some(Encoded::Close(code)) => Sent::Close(code.number()),
                        Some(Encoded::Text) => Sent::Text(text),
                        None => match message {
                            Some(message) => {
                                Sent::Text(String::from_utf8_lossy(message).into_owned())
                            }
                            None => Sent::Close(CloseCode::NORMAL.number()),
                        },
                    };
                    self.sent.push(sent);
                }
                Action::CloseSocket(_) | Action::AbortSocket(_) => {
                    self.socket = None;
                    self.to_open = None;
                }
                Action::Deliver => self.delivered.push(message.unwrap_or_default().to_vec()),
                Action::Notify(notice) => self.notices.push(notice),
                Action::ResumeAt(part) => {
                    let url = self.connection.part(part).to_vec();
                    self.resume_at = Some(String::from_utf8(url).unwrap());
                }
                _ => {}
            }
        }
    }
}
