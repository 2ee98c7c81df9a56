//! The small worlds: the settings of a session, and what may happen to it.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    AcceptanceRule, Config, ConfigErrors, HeartbeatKind, Login, RefusalRule, Secret,
};
use gateway_wire::{Limits, Opens, Outbox, Provider, Rate, Session, Settings};

use crate::answers::TwoIds;
use crate::history::Step;

/// The settings of a session, and the steps of its histories.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// The longest histories that a full search runs.
    pub depth: usize,
    /// The longest histories that a short search runs.
    pub short_depth: usize,
    /// How each history begins, without the steps that count.
    pub(crate) begin: &'static [Step],
    /// What may happen then.
    pub(crate) steps: &'static [Step],
    /// The outbox, if there is one.
    pub(crate) outbox: Option<Queue>,
    /// How many messages may leave in a span, if there is a limit.
    pub(crate) rate: Option<(u32, Duration)>,
    pub(crate) has_requests: bool,
    /// The most requests, and the most bytes of those that are kept.
    pub(crate) requests: usize,
    pub(crate) request_bytes: usize,
    pub(crate) high_water: usize,
    pub(crate) has_login: bool,
    pub(crate) has_on_ready: bool,
    /// Whether a send waits for space, or has a permit.
    pub(crate) has_permits: bool,
    /// How many attempts may fail.
    pub(crate) attempts: Option<u32>,
    /// What a full search must have seen.
    pub(crate) expected: &'static [&'static str],
}

/// The limits of an outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) time_to_live: Duration,
    pub(crate) drops_oldest: bool,
}

/// The bytes of a short message or request, and of a long one.
pub(crate) const SHORT: usize = 3;
pub(crate) const LONG: usize = 12;

const QUEUE: Queue = Queue {
    messages: 2,
    bytes: SHORT + LONG,
    time_to_live: Duration::from_secs(4),
    drops_oldest: true,
};

/// What the worlds share.
const PLAIN: World = World {
    name: "",
    depth: 7,
    short_depth: 5,
    begin: &[],
    steps: &[],
    outbox: None,
    rate: None,
    has_requests: false,
    requests: 1_024,
    request_bytes: 1 << 20,
    high_water: 1 << 10,
    has_login: false,
    has_on_ready: false,
    has_permits: false,
    attempts: None,
    expected: &[],
};

/// All worlds.
#[must_use]
pub const fn worlds() -> [World; 13] {
    [
        DROPPING, REFUSING, RETURNING, NARROW, PACED, ASKING, ORDERING, SHARING, YIELDING, KEEPING,
        LEAVING, PERMITTING, HOLDING,
    ]
}

/// An outbox that drops its oldest message, and a connection that is lost.
const DROPPING: World = World {
    name: "dropping",
    depth: 8,
    steps: &[
        Step::Send,
        Step::SendLong,
        Step::Connect,
        Step::Obey,
        Step::Write,
        Step::Nibble,
        Step::Lose,
        Step::Wait,
        Step::Due,
        Step::Oversleep,
    ],
    outbox: Some(QUEUE),
    expected: &[
        "sent",
        "maybe_sent",
        "rejected",
        "expired",
        "expired_by_send",
        "dropped",
        "returned",
        "queued",
        "buffered",
    ],
    ..PLAIN
};

/// An outbox that refuses new messages, behind a login, and an application that closes or gives up.
/// The driver may oversleep, so that messages expire before a tick.
const REFUSING: World = World {
    name: "refusing",
    depth: 9,
    steps: &[
        Step::Send,
        Step::SendLong,
        Step::Connect,
        Step::Obey,
        Step::Refuse,
        Step::Accept,
        Step::Write,
        Step::Close,
        Step::Due,
        Step::Oversleep,
    ],
    outbox: Some(Queue { drops_oldest: false, ..QUEUE }),
    has_login: true,
    attempts: Some(1),
    expected: &["sent", "rejected", "expired", "expired_by_send", "outbox_full", "closed"],
    ..PLAIN
};

/// A full write buffer before an outbox that has more, and a connection that is lost.
const RETURNING: World = World {
    name: "returning",
    depth: 7,
    begin: &[Step::Connect, Step::Send, Step::Send, Step::Send, Step::Obey],
    steps: &[
        Step::Send,
        Step::SendLong,
        Step::Nibble,
        Step::Write,
        Step::Lose,
        Step::Obey,
        Step::Connect,
        Step::Wait,
        Step::Due,
    ],
    outbox: Some(Queue { messages: 3, ..QUEUE }),
    high_water: 10,
    expected: &["sent", "maybe_sent", "rejected", "expired", "dropped", "returned"],
    ..PLAIN
};

/// A write buffer that two short messages fill, and a transport that fails in a write.
const NARROW: World = World {
    name: "narrow",
    depth: 8,
    begin: &[Step::Connect, Step::Obey],
    steps: &[
        Step::Send,
        Step::Connect,
        Step::Obey,
        Step::Take,
        Step::Nibble,
        Step::Flush,
        Step::Break,
        Step::Drain,
        Step::Due,
    ],
    outbox: Some(Queue { messages: 8, bytes: 100, ..QUEUE }),
    high_water: 10,
    has_on_ready: true,
    expected: &["sent", "maybe_sent", "rejected", "expired", "returned", "drained"],
    ..PLAIN
};

/// One message in half a second, with everything that waits for it.
const PACED: World = World {
    name: "paced",
    depth: 7,
    short_depth: 4,
    begin: &[Step::Connect, Step::Obey],
    steps: &[
        Step::Send,
        Step::Ask,
        Step::Repeat,
        Step::Connect,
        Step::Obey,
        Step::Write,
        Step::Lose,
        Step::Drain,
        Step::Due,
        Step::Oversleep,
    ],
    outbox: Some(Queue { messages: 4, bytes: 100, time_to_live: Duration::from_secs(7), ..QUEUE }),
    rate: Some((1, Duration::from_millis(500))),
    has_requests: true,
    has_on_ready: true,
    expected: &["sent", "rejected", "expired", "not_sent", "timed_out", "paced", "drained"],
    ..PLAIN
};

/// Requests with two ids, more requests than ids, and one that is forgotten.
const ASKING: World = World {
    name: "asking",
    depth: 7,
    begin: &[Step::Connect, Step::Obey],
    steps: &[
        Step::Ask,
        Step::Repeat,
        Step::Forget,
        Step::Answer(1),
        Step::Answer(2),
        Step::Connect,
        Step::Obey,
        Step::Write,
        Step::Lose,
        Step::Due,
        Step::Oversleep,
        Step::Drain,
    ],
    has_requests: true,
    requests: 3,
    expected: &["answered", "timed_out", "not_sent", "not_ready", "full", "forgotten", "drained"],
    ..PLAIN
};

/// Requests that are sent at most once, on a connection that is lost.
const ORDERING: World = World {
    name: "ordering",
    depth: 8,
    begin: &[Step::Order, Step::Connect, Step::Obey],
    steps: &[
        Step::Order,
        Step::Answer(1),
        Step::Connect,
        Step::Obey,
        Step::Nibble,
        Step::Write,
        Step::Lose,
        Step::Due,
        Step::Close,
    ],
    has_requests: true,
    high_water: 10,
    expected: &["answered", "timed_out", "not_sent", "maybe_sent", "repeated", "closed"],
    ..PLAIN
};

/// One message in half a second, which requests and an outbox share.
const SHARING: World = World {
    name: "sharing",
    depth: 7,
    begin: &[Step::Send, Step::Send, Step::Repeat, Step::Connect, Step::Obey, Step::Ask],
    steps: &[
        Step::Send,
        Step::Ask,
        Step::Answer(1),
        Step::Connect,
        Step::Obey,
        Step::Write,
        Step::Lose,
        Step::Due,
        Step::Wait,
    ],
    outbox: Some(Queue { messages: 4, bytes: 100, time_to_live: Duration::from_secs(7), ..QUEUE }),
    rate: Some((1, Duration::from_millis(500))),
    has_requests: true,
    expected: &["sent", "answered", "timed_out", "not_sent", "repeated", "returned"],
    ..PLAIN
};

/// One message in half a second, which requests share with messages that wait in `send`.
const YIELDING: World = World {
    name: "yielding",
    depth: 8,
    begin: &[Step::Connect, Step::Obey, Step::Ask, Step::Ask, Step::Ask],
    steps: &[
        Step::Send,
        Step::Await,
        Step::Abandon,
        Step::Ask,
        Step::Answer(1),
        Step::Write,
        Step::Due,
        Step::Wait,
    ],
    rate: Some((1, Duration::from_millis(500))),
    has_requests: true,
    has_permits: true,
    expected: &["sent", "answered", "timed_out", "awaited", "left", "passed"],
    ..PLAIN
};

/// Idempotent requests that are kept, bounded by their bytes, over a buffer that fills.
const KEEPING: World = World {
    name: "keeping",
    depth: 7,
    begin: &[Step::Connect, Step::Obey],
    steps: &[
        Step::Repeat,
        Step::RepeatLong,
        Step::Ask,
        Step::Forget,
        Step::Answer(1),
        Step::Connect,
        Step::Obey,
        Step::Nibble,
        Step::Flush,
        Step::Lose,
        Step::Due,
        Step::Close,
    ],
    has_requests: true,
    request_bytes: SHORT + LONG,
    high_water: 10,
    expected: &["answered", "timed_out", "not_sent", "maybe_sent", "full", "repeated", "closed"],
    ..PLAIN
};

/// A drain and a close, with an outbox and requests.
const LEAVING: World = World {
    name: "leaving",
    depth: 8,
    steps: &[
        Step::Send,
        Step::Repeat,
        Step::Answer(1),
        Step::Forget,
        Step::Drain,
        Step::Close,
        Step::Connect,
        Step::Reconnect,
        Step::Obey,
        Step::Write,
        Step::Due,
        Step::Oversleep,
    ],
    outbox: Some(QUEUE),
    has_requests: true,
    requests: 2,
    expected: &["sent", "rejected", "expired", "answered", "drained", "closed"],
    ..PLAIN
};

/// Space in the write buffer that is reserved.
const PERMITTING: World = World {
    name: "permitting",
    depth: 8,
    begin: &[Step::Connect, Step::Obey],
    steps: &[
        Step::Send,
        Step::Repeat,
        Step::Reserve,
        Step::Release,
        Step::Connect,
        Step::Obey,
        Step::Take,
        Step::Flush,
        Step::Lose,
        Step::Due,
    ],
    outbox: Some(Queue { messages: 4, ..QUEUE }),
    has_requests: true,
    has_permits: true,
    high_water: 20,
    expected: &["sent", "rejected", "expired", "reserved"],
    ..PLAIN
};

/// A permit that holds the one token of a rate limit.
const HOLDING: World = World {
    name: "holding",
    depth: 8,
    short_depth: 5,
    begin: &[Step::Connect, Step::Obey],
    steps: &[
        Step::Send,
        Step::Repeat,
        Step::Reserve,
        Step::Release,
        Step::Connect,
        Step::Obey,
        Step::Write,
        Step::Lose,
        Step::Drain,
        Step::Wait,
        Step::Due,
    ],
    outbox: Some(QUEUE),
    rate: Some((1, Duration::from_millis(1_500))),
    has_requests: true,
    has_permits: true,
    expected: &["sent", "rejected", "expired", "reserved", "queued", "buffered", "drained"],
    ..PLAIN
};

impl World {
    /// A new session with the settings of this world.
    pub(crate) fn session(&self) -> Result<Session, ConfigErrors> {
        let mut config = Config::builder()
            .heartbeat(HeartbeatKind::Off)
            .connect_timeout(Duration::from_secs(5))
            .close_timeout(Duration::from_secs(2))
            .max_attempts(self.attempts);
        if self.has_login {
            config = config.login(Login::Message {
                send: Secret::new("login"),
                accepted: AcceptanceRule::Any,
                refused: RefusalRule::parse("/ok=false").into_iter().collect(),
                timeout: Duration::from_secs(3),
            });
        }
        let mut settings = Settings::new("ws://gateway.example/feed");
        settings.config = Arc::new(config.build()?);
        settings.seed = Some(7);
        settings.report_sent = true;
        settings.limits = self.limits();
        settings.outbox = self.outbox.map(|queue| {
            let outbox = Outbox::default()
                .messages(queue.messages)
                .bytes(queue.bytes)
                .time_to_live(queue.time_to_live);
            if queue.drops_oldest { outbox.drop_oldest() } else { outbox.refuse_newest() }
        });
        settings.rate = self.rate.map(|(messages, span)| Rate::new(messages, span));
        if self.has_requests {
            settings.requests = Some(Box::new(TwoIds));
        }
        if self.has_on_ready {
            settings.on_ready.push(("feed".into(), "subscribe".into()));
        }
        Ok(settings.build(Opens::User, Provider::None)?.session)
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.high_water = self.high_water;
        limits.requests = self.requests;
        limits.request_bytes = self.request_bytes;
        limits
    }
}
