//! The tokio driver over byte streams in memory: raw bytes and valid frames in pieces, waits, short
//! writes, errors and ends, on a paused clock.
//!
//! Catches: a panic on anything that a server sends; an invariant that the checker sees broken; a
//! message that is delivered twice, out of order, or not at all; a message with no outcome or two;
//! a message that is reported sent but missing, or rejected but received; a frame after a Close; a
//! client that spins, or does not end after `close`.

mod feed;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    AcceptanceRule, Action, CloseFrame, Config, ConnectionState, DisconnectCause, Failure,
    HeartbeatKind, Login, Network, Notice, Observed, Observer, SocketId, UnixMillis,
};
use gateway_testkit::{history::Listed as _, listed};
use gateway_tokio::{Client, ClientEvent, Fate, Limits, Message, ProviderError, Request};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use self::feed::{Attempt, Ending, Feed, Flushes, Inbound, Io, Opening, PONG, Shared, lock};
use crate::{Sights, watch::Watch};

#[derive(Serialize, Deserialize)]
pub(crate) enum Input {
    Script {
        #[serde(default)]
        setup: Setup,
        #[serde(default)]
        acts: Vec<Act>,
        #[serde(default)]
        attempts: Vec<Attempt>,
    },
    /// One socket that brings these bytes in pieces of one size, and ends.
    Raw {
        #[serde(default)]
        setup: Setup,
        #[serde(default)]
        piece: u8,
        #[serde(default, with = "serde_bytes")]
        bytes: Vec<u8>,
    },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Setup {
    #[serde(with = "Heartbeat")]
    heartbeat: u8,
    interval: u8,
    is_strict: bool,
    has_login: bool,
    has_data_timeout: bool,
    is_renewed: bool,
    max_attempts: Option<u8>,
    is_small: bool,
    is_tight: bool,
    fails_whole: bool,
    seed: u64,
    /// What the provider does when it is asked; afterwards it answers at once. Without any there is no
    /// provider.
    provider: Vec<Provides>,
}

/// What a provider does. It does not panic, because the fuzzer aborts on any panic.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Provides {
    /// A request after so many milliseconds.
    Request(u16),
    /// A request that is refused.
    BadRequest,
    /// An error that is retried, after so many milliseconds.
    Failure(u16),
    /// An error that ends the client.
    Fatal,
    /// Nothing.
    Nothing,
}

/// What the application does.
#[derive(Serialize, Deserialize)]
pub(crate) enum Act {
    /// Takes so many events, as far as they are there.
    Take(u8),
    /// Takes what comes for so many milliseconds.
    Pass(u16),
    /// Sends a message of this length, at most 899 bytes.
    Send(u16),
    Flush,
    Close(#[serde(with = "CloseCode")] u8),
    Connect,
    Reconnect,
    Network(bool),
}

const HEARTBEATS: [HeartbeatKind; 3] =
    [HeartbeatKind::Json, HeartbeatKind::Ping, HeartbeatKind::Off];

const CLOSE_CODES: [u16; 4] = [1000, 1001, 3000, 4999];

listed!(Heartbeat, HEARTBEATS, kind => format!("{kind:?}"));
listed!(CloseCode, CLOSE_CODES, code => code.to_string());

/// More acts and more attempts than this are left out.
const MOST_ACTS: usize = 32;
const MOST_ATTEMPTS: usize = 6;

/// More events than this are not taken at once.
const MOST_EVENTS: usize = 120;

/// A future that is polled more often than this spins.
const MOST_POLLS: u32 = 50_000;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

impl crate::Input for Input {
    const DEPTH: usize = 3;

    fn run(self) -> Sights {
        let mut sights = Sights::new();
        let (setup, acts, attempts) = match self {
            Self::Script { setup, acts, attempts } => (setup, acts, attempts),
            Self::Raw { setup, piece, bytes } => {
                sights.insert("raw bytes");
                (setup, vec![Act::Pass(u16::MAX)], vec![raw(piece, bytes)])
            }
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without IO");
        runtime.block_on(async {
            let attempts = attempts.into_iter().take(MOST_ATTEMPTS).collect();
            let mut story = Story::new(&setup, attempts, &mut sights);
            for act in acts.iter().take(MOST_ACTS) {
                story.act(act).await;
            }
            story.end().await;
        });
        sights
    }
}

fn raw(piece: u8, bytes: Vec<u8>) -> Attempt {
    Attempt {
        opening: Opening::Accepted,
        inbound: vec![Inbound::Raw(bytes)],
        answers: false,
        reads: vec![Io::Few(piece); 64],
        writes: Vec::new(),
        flushes: Flushes::AtOnce,
        ending: Ending::Eof,
    }
}

impl Setup {
    fn config(&self) -> Config {
        let interval = Duration::from_secs(u64::from(self.interval % 60) + 1);
        let login = Login::Message {
            send: "open sesame".into(),
            accepted: AcceptanceRule::parse("/type=welcome").expect("a rule"),
            refused: Vec::new(),
            timeout: Login::TIMEOUT,
        };
        let built = Config::builder()
            .initial_delay(Duration::from_millis(200))
            .max_delay(Duration::from_secs(2))
            .heartbeat(HEARTBEATS[usize::from(self.heartbeat)])
            .heartbeat_interval(interval)
            .heartbeat_strict(self.is_strict)
            .login(if self.has_login { login } else { Login::None })
            .data_timeout(self.has_data_timeout.then_some(Duration::from_secs(20)))
            .renew_after(self.is_renewed.then_some(Duration::from_secs(3)))
            .max_attempts(self.max_attempts.map(u32::from))
            .max_message_size(if self.is_small { 200 } else { 1 << 20 })
            .close_timeout(CLOSE_TIMEOUT)
            .attempt_timeout(Duration::from_secs(5))
            .build();
        built.expect("the settings are within their limits")
    }
}

/// Tells the world which socket is opened, and the checker everything.
struct Witness {
    watch: Watch,
    shared: Shared,
}

impl Observer for Witness {
    fn begin(&mut self, config: &Config, seed: u64) {
        self.watch.begin(config, seed);
    }

    fn observe(&mut self, observed: &Observed<'_>) {
        for action in observed.actions {
            if let Action::OpenSocket { id, .. } = action {
                lock(&self.shared).opened = id.number();
            }
        }
        self.watch.observe(observed);
    }
}

struct Story<'a> {
    client: Client,
    shared: Shared,
    sights: &'a mut Sights,
    has_login: bool,
    is_small: bool,
    /// Whether the application has asked for an end.
    has_closed: bool,
    socket: Option<SocketId>,
    /// Notices were dropped, for it has taken none for long.
    is_blind: bool,
    delivered: BTreeMap<SocketId, usize>,
    /// The texts that were handed over, and their numbers where they are known.
    sent: Vec<(String, Option<u64>)>,
    /// Sends that were dropped on the way: they may have been taken or not.
    dropped: usize,
    fates: BTreeMap<u64, Fate>,
}

impl<'a> Story<'a> {
    fn new(setup: &Setup, attempts: VecDeque<Attempt>, sights: &'a mut Sights) -> Self {
        let shared = Shared::default();
        let config = setup.config();
        lock(&shared).attempts = attempts;

        let mut limits = Limits::default();
        if setup.is_tight {
            (limits.high_water, limits.owed, limits.backlog) = (300, 200, 500);
        }
        let mut builder = Client::builder("ws://gateway.example/feed");
        if !setup.provider.is_empty() {
            let provider = setup.provider.clone();
            builder = builder.attempt(move |attempt| {
                let index = usize::try_from(attempt.number - 1).unwrap_or(usize::MAX);
                provide(provider.get(index).copied().unwrap_or(Provides::Request(0)))
            });
        }
        let built = builder
            .config(config)
            .seed(setup.seed)
            .limits(limits)
            .report_sent(true)
            .wall_clock(|| UnixMillis(1_700_000_000_000))
            .observer(Witness { watch: Watch::default(), shared: Arc::clone(&shared) })
            .dial(Feed { shared: Arc::clone(&shared), fails_whole: setup.fails_whole })
            .build();
        let client = built.expect("valid settings");
        Self {
            client,
            shared,
            sights,
            has_login: setup.has_login,
            is_small: setup.is_small,
            has_closed: false,
            socket: None,
            is_blind: false,
            delivered: BTreeMap::new(),
            sent: Vec::new(),
            dropped: 0,
            fates: BTreeMap::new(),
        }
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Take(count) => {
                for _ in 0..*count {
                    let event = timeout(Duration::ZERO, counted(self.client.next())).await;
                    let Ok(Some(event)) = event else { break };
                    self.note(event);
                }
            }
            Act::Pass(millis) => self.pass(Duration::from_millis((*millis).into())).await,
            Act::Send(length) => {
                let text =
                    format!("s{}.{}", self.sent.len(), "z".repeat(usize::from(*length % 900)));
                let second = Duration::from_secs(1);
                match timeout(second, counted(self.client.send(text.clone()))).await {
                    Ok(Ok(accepted)) => self.sent.push((text, Some(accepted.id().number()))),
                    Ok(Err(refused)) => {
                        self.sights.insert("refused");
                        assert_eq!(
                            refused.into_message(),
                            Message::text(text),
                            "another comes back"
                        );
                    }
                    Err(_) => {
                        self.sights.insert("dropped");
                        self.dropped += 1;
                        self.sent.push((text, None));
                    }
                }
            }
            Act::Flush => {
                let second = Duration::from_secs(1);
                let _ = timeout(second, counted(self.client.flush())).await;
            }
            Act::Close(code) => {
                self.has_closed = true;
                let code = CLOSE_CODES[usize::from(*code)];
                self.client.close(CloseFrame::new(code, "enough").unwrap_or(CloseFrame::NORMAL));
            }
            Act::Connect => self.client.connect(),
            Act::Reconnect => self.client.reconnect(),
            Act::Network(true) => self.client.network_changed(Network::Online),
            Act::Network(false) => self.client.network_changed(Network::Offline),
        }
    }

    async fn pass(&mut self, span: Duration) {
        let mut rest = pin!(tokio::time::timeout(span, std::future::pending::<()>()));
        for _ in 0..MOST_EVENTS {
            let event = tokio::select! {
                biased;
                event = counted(self.client.next()) => event,
                _ = &mut rest => return,
            };
            let Some(event) = event else { return };
            self.note(event);
        }
    }

    /// The application closes. The client's stream ends in time, and then the books are closed.
    async fn end(mut self) {
        self.has_closed = true;
        self.client.close(CloseFrame::NORMAL);
        let most = CLOSE_TIMEOUT + Duration::from_secs(1);
        for _ in 0.. {
            match timeout(most, counted(self.client.next())).await {
                Ok(Some(event)) => self.note(event),
                Ok(None) => break,
                Err(_) => panic!("I7: no end in {:?}", self.client.state()),
            }
        }
        assert_eq!(self.client.state(), ConnectionState::Closed);
        self.settle();
    }

    fn note(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Message(message) => self.message(&message),
            ClientEvent::Notice(Notice::StateChanged {
                to: ConnectionState::Connected,
                socket,
                ..
            }) => self.socket = socket,
            ClientEvent::Notice(Notice::Ready { .. }) => drop(self.sights.insert("ready")),
            ClientEvent::Disconnected { socket, cause, .. } => self.disconnected(socket, cause),
            // Which socket the messages came from is no longer known.
            ClientEvent::Missed { .. } => self.is_blind = true,
            ClientEvent::Outcome(outcome) => {
                for number in outcome.first.number()..=outcome.last.number() {
                    let before = self.fates.insert(number, outcome.fate);
                    assert_eq!(before, None, "I12: message {number} has a second outcome");
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, message: &Message) {
        self.sights.insert("delivered");
        if message.as_text() == Some(PONG) || self.is_blind {
            return;
        }
        let Some(socket) = self.socket else { panic!("{message:?} of no socket") };
        let count = self.delivered.entry(socket).or_default();
        let world = lock(&self.shared);
        let end = world.ends.iter().find(|end| end.id == socket).expect("it was dialled");
        // With a login its answer is not delivered, and the numbers are one off.
        if let (false, Some(expected)) = (self.has_login, &end.expected) {
            assert_eq!(expected.get(*count), Some(message), "another was to be delivered");
        }
        *count += 1;
    }

    fn disconnected(&mut self, socket: SocketId, cause: DisconnectCause) {
        let is_end = match cause {
            DisconnectCause::CloseReceived(_) => {
                self.sights.insert("close received");
                true
            }
            DisconnectCause::Lost(failure) => {
                self.sights.insert("lost");
                failure == Failure::Eof
            }
            DisconnectCause::ProtocolError(_) => {
                self.sights.insert("protocol error");
                false
            }
            DisconnectCause::PongTimeout => {
                self.sights.insert("pong timeout");
                false
            }
            DisconnectCause::OpenFailed(_) => {
                self.sights.insert("open failed");
                false
            }
            DisconnectCause::Provider => {
                self.sights.insert("provider failed");
                false
            }
            DisconnectCause::AttemptTimeout => {
                self.sights.insert("attempt timeout");
                false
            }
            DisconnectCause::Reconnect => {
                self.sights.insert("reconnect");
                false
            }
            DisconnectCause::Renewal => {
                self.sights.insert("renewal");
                false
            }
            _ => false,
        };
        if !is_end || self.has_login || self.is_small || self.has_closed || self.is_blind {
            return;
        }
        let world = lock(&self.shared);
        let end = world.ends.iter().find(|end| end.id == socket).expect("it was dialled");
        if let Some(expected) = &end.expected {
            let delivered = self.delivered.get(&socket).copied().unwrap_or(0);
            assert_eq!(delivered, expected.len(), "messages are lost before {cause:?}");
            if delivered > 0 {
                self.sights.insert("all delivered");
            }
        }
    }

    /// Every message that was taken has one outcome, and it is true.
    fn settle(&mut self) {
        let world = lock(&self.shared);
        let mut seen = BTreeSet::new();
        for end in &world.ends {
            for text in end.texts.iter().filter(|text| text.starts_with('s')) {
                assert!(seen.insert(text), "{text:?} is sent twice");
            }
        }
        let mut unknown: Vec<_> = self.fates.keys().copied().collect();
        for (text, number) in &self.sent {
            let Some(number) = number else { continue };
            unknown.retain(|other| other != number);
            let fate = self.fates.get(number);
            match fate {
                Some(Fate::Sent { socket }) => {
                    self.sights.insert("sent");
                    let mut ends = world.ends.iter().filter(|end| end.id == *socket);
                    assert!(ends.any(|end| end.texts.contains(text)), "{number} was never written");
                }
                Some(Fate::Rejected) => {
                    self.sights.insert("rejected");
                    assert!(!seen.contains(text), "{number} was written, and is called rejected");
                }
                Some(Fate::MaybeSent { .. }) => drop(self.sights.insert("maybe sent")),
                other => panic!("I12: message {number} has the outcome {other:?}"),
            }
        }
        assert!(unknown.len() <= self.dropped, "I12: outcomes of no message: {unknown:?}");
    }
}

async fn provide(provides: Provides) -> Result<Request, ProviderError> {
    let after = |millis: u16| async move {
        let span = Duration::from_millis(millis.into());
        let _ = timeout(span, std::future::pending::<()>()).await;
    };
    match provides {
        Provides::Request(millis) => {
            after(millis).await;
            Ok(Request::new())
        }
        Provides::BadRequest => Ok(Request::new().header("a b", "c")),
        Provides::Failure(millis) => {
            after(millis).await;
            Err("no token".into())
        }
        Provides::Fatal => Err(ProviderError::fatal("the account is closed")),
        Provides::Nothing => std::future::pending().await,
    }
}

/// The future, which must be done within a bounded number of polls.
async fn counted<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut polls = 0_u32;
    poll_fn(|cx| {
        polls += 1;
        assert!(polls < MOST_POLLS, "it spins");
        future.as_mut().poll(cx)
    })
    .await
}
