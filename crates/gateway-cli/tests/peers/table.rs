//! The faults, each with the `--events` lines that it must produce.
//!
//! A line matches if every field named here is equal; `[low, high]` is a range. Other events may
//! come between the listed ones. After each fault that the client survives it must be ready again
//! on a higher socket and echo a message. It must have been CONNECTED exactly as often as the peer
//! saw it open.

use crate::fault::Step::{
    Closed, Connect, Continue, FatalClose, FatalStatus, Kill, PeerSees, Refused, See, Start, Steer,
    Stop, Type, TypeUntil,
};
use crate::fault::{Fault, Peer, Program, Run, Step, Then};

pub(crate) const BASE: &[(&str, &str)] = &[
    ("--initial-delay", "50ms"),
    ("--max-delay", "200ms"),
    ("--jitter", "decorrelated"),
    ("--heartbeat-interval", "300ms"),
    ("--heartbeat-timeout", "200ms"),
    ("--stable-after", "100ms"),
    ("--connect-timeout", "2s"),
    ("--close-timeout", "500ms"),
    ("--max-message-size", "1MiB"),
    ("--seed", "7"),
];

const GRAPHQL: &[(&str, &str)] =
    &[("--dialect", "graphql-transport-ws"), ("--login-timeout", "500ms")];

const SOCKET_IO: &[(&str, &str)] = &[("--dialect", "socket.io"), ("--login-timeout", "500ms")];

/// By itself this dialect sends no pings, and only misses those of the server.
const OWN_PINGS: &[(&str, &str)] = &[("--heartbeat", "ping")];

/// The library answers Ping frames whatever its handler does, so only a heartbeat of messages can go unanswered.
const JSON: &[(&str, &str)] = &[("--heartbeat", "json")];

const THREE_ATTEMPTS: &[(&str, &str)] = &[("--stable-after", "60s"), ("--max-attempts", "3")];

pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        peer: Peer::Websockets,
        runs: &[
            Run { flags: &[JSON], faults: &[LOSSES, SHUTDOWN, SILENCES, LINK_HEARD] },
            Run { flags: &[], faults: &[FATAL, FINISHED] },
            Run { flags: &[THREE_ATTEMPTS], faults: &[SPENT] },
        ],
    },
    Program {
        peer: Peer::Ws,
        runs: &[
            Run { flags: &[], faults: &[LOSSES, SHUTDOWN, SILENCES, LINK_HEARD, EMPTY_CLOSE] },
            Run { flags: &[], faults: &[FATAL, FINISHED] },
            Run { flags: &[THREE_ATTEMPTS], faults: &[SPENT] },
        ],
    },
    Program {
        peer: Peer::GraphqlWs,
        runs: &[
            Run {
                flags: &[GRAPHQL],
                faults: &[GRAPHQL_RIDDEN_OUT, NOT_FINISHED, LOSSES, SHUTDOWN, SILENCES, LINK_HEARD],
            },
            Run { flags: &[GRAPHQL], faults: &[FATAL, GRAPHQL_REFUSED] },
            Run { flags: &[GRAPHQL, &[("--policy", "4403=fatal")]], faults: &[GRAPHQL_FATAL] },
        ],
    },
    Program {
        peer: Peer::SocketIo,
        runs: &[
            Run {
                flags: &[SOCKET_IO, OWN_PINGS],
                faults: &[
                    SOCKET_IO_RIDDEN_OUT,
                    NOT_FINISHED,
                    LOSSES,
                    SOCKET_IO_SHUTDOWN,
                    EMPTY_CLOSE,
                ],
            },
            Run { flags: &[SOCKET_IO], faults: &[STOPPED] },
            Run { flags: &[SOCKET_IO], faults: &[FATAL, SOCKET_IO_REFUSED] },
        ],
    },
];

const fn ridden_out(name: &'static str, steps: &'static [Step]) -> Fault {
    Fault { name, steps, then: Then::Ready }
}

const fn fatal(name: &'static str, steps: &'static [Step]) -> Fault {
    Fault { name, steps, then: Then::GaveUp }
}

const LOST: Step = See(r#"{"event":"disconnected","cause":"lost"}"#);
const DEAD: Step = See(r#"{"event":"disconnected","cause":"pong_timeout"}"#);
const BROKEN: Step = See(r#"{"event":"disconnected","cause":"protocol_error"}"#);
const NOT_OPENED: Step = See(r#"{"event":"disconnected","cause":"open_failed"}"#);
const BACKOFF: Step = See(r#"{"event":"retry","because":"backoff","delay_ms":[50,200]}"#);
/// The first delay: after a stable connection the attempts are counted afresh.
const AFRESH: Step =
    See(r#"{"event":"retry","attempt":1,"because":"backoff","delay_ms":[50,150]}"#);

/// The connection is stable by its first ping: a refused login or upgrade starts afresh.
const STABLE: Step = See(r#"{"event":"ping"}"#);

/// What every peer can do, and every client must ride out.
const LOSSES: &[Fault] = &[
    ridden_out("reset (RST)", &[Steer("drop"), LOST, BACKOFF]),
    ridden_out("end of stream (FIN)", &[Steer("fin"), LOST, BACKOFF]),
    ridden_out("half a frame, then FIN", &[Steer("truncate"), LOST, BACKOFF]),
    ridden_out(
        "accept-then-drop, three times",
        &[
            Steer("accept-then-drop 3"),
            Steer("drop"),
            LOST,
            BACKOFF,
            LOST,
            BACKOFF,
            LOST,
            BACKOFF,
            LOST,
            BACKOFF,
        ],
    ),
    ridden_out(
        "accept-then-close 1013, twice",
        &[
            Steer("accept-then-close 2 1013"),
            Steer("fin"),
            LOST,
            BACKOFF,
            Closed(1013),
            BACKOFF,
            Closed(1013),
            BACKOFF,
        ],
    ),
    ridden_out("kill -9, started again", &[Kill, LOST, BACKOFF, NOT_OPENED, BACKOFF, Start]),
    ridden_out(
        "kill -9, down for three attempts",
        &[Kill, LOST, NOT_OPENED, NOT_OPENED, NOT_OPENED, BACKOFF, Start],
    ),
    ridden_out("close 1001", &[Steer("close 1001"), Closed(1001), BACKOFF]),
    ridden_out("close 1011", &[Steer("close 1011"), Closed(1011), BACKOFF]),
    ridden_out("close 1012 (restart)", &[Steer("close 1012"), Closed(1012), BACKOFF]),
    ridden_out("close 1013 (try again later)", &[Steer("close 1013"), Closed(1013), BACKOFF]),
    ridden_out(
        "close 4000 with a reason",
        &[
            Steer("close 4000 come back"),
            See(
                r#"{"event":"disconnected","cause":"close_received","code":4000,"reason":"come back"}"#,
            ),
            BACKOFF,
        ],
    ),
    ridden_out("close 4403", &[STABLE, Steer("close 4403"), Closed(4403), BACKOFF]),
    ridden_out(
        "HTTP 401 once: refreshed",
        &[
            STABLE,
            Steer("reject 401"),
            Steer("drop"),
            LOST,
            Refused(401),
            See(r#"{"event":"retry","cause":"open_failed","delay_ms":[50,200]}"#),
        ],
    ),
    ridden_out("HTTP 429", &[Steer("reject 429"), Steer("drop"), LOST, Refused(429), BACKOFF]),
    ridden_out(
        "HTTP 429, Retry-After: 1",
        &[
            Steer("reject 429 1"),
            Steer("drop"),
            LOST,
            Refused(429),
            See(
                r#"{"event":"retry","cause":"open_failed","because":"retry_after","delay_ms":[1000,2000]}"#,
            ),
        ],
    ),
    ridden_out(
        "HTTP 503, twice",
        &[
            Steer("reject 503"),
            Steer("reject 503"),
            Steer("fin"),
            LOST,
            Refused(503),
            BACKOFF,
            Refused(503),
            BACKOFF,
        ],
    ),
    ridden_out(
        "the upgrade is never answered",
        &[
            Steer("stall"),
            Steer("drop"),
            LOST,
            See(r#"{"event":"disconnected","cause":"connect_timeout"}"#),
            BACKOFF,
        ],
    ),
    ridden_out(
        "a frame with a reserved opcode",
        &[Steer("garbage"), BROKEN, PeerSees(1002), BACKOFF],
    ),
    ridden_out("a text that is not UTF-8", &[Steer("bad-text"), BROKEN, PeerSees(1007), BACKOFF]),
    ridden_out("a message of 2 MiB, limit 1 MiB", &[Steer("big 2097152"), BROKEN, BACKOFF]),
];

/// The library's own end.
const SHUTDOWN: &[Fault] = &[ridden_out(
    "orderly shutdown, started again",
    &[Steer("shutdown"), Closed(1001), BACKOFF, NOT_OPENED, Start],
)];

/// TCP stays up, and only the heartbeat notices.
const SILENCES: &[Fault] = &[
    ridden_out("half-open", &[Steer("silent"), DEAD, AFRESH]),
    ridden_out(
        "half-open while we keep sending",
        &[
            Steer("silent"),
            Type("into the void"),
            See(r#"{"event":"send","outcome":"sent","bytes":13}"#),
            TypeUntil(r#"{"event":"disconnected","cause":"pong_timeout"}"#),
            AFRESH,
        ],
    ),
    ridden_out("reads, but answers nothing", &[Steer("mute"), DEAD, AFRESH]),
];

/// The heartbeat is answered, and its answer counts.
const LINK_HEARD: &[Fault] = &[
    ridden_out(
        "a round trip, then RST",
        &[
            See(r#"{"event":"ping"}"#),
            See(r#"{"event":"pong","rtt_ms":[0,1000]}"#),
            Steer("drop"),
            LOST,
            BACKOFF,
        ],
    ),
    ridden_out(
        "a round trip, then half-open",
        &[See(r#"{"event":"pong","rtt_ms":[0,1000]}"#), Steer("silent"), DEAD, AFRESH],
    ),
    ridden_out(
        "a round trip, then no answers",
        &[See(r#"{"event":"pong","rtt_ms":[0,1000]}"#), Steer("mute"), DEAD, AFRESH],
    ),
];

const EMPTY_CLOSE: &[Fault] =
    &[ridden_out("close without a code", &[Steer("close"), CLOSED_WITHOUT_CODE, BACKOFF])];

/// Ends the client, by the peer's word.
const FATAL: &[Fault] = &[
    fatal("close 1008", &[Steer("close 1008"), FatalClose(1008)]),
    fatal("close 1003", &[Steer("close 1003"), FatalClose(1003)]),
    fatal("HTTP 404 at the first open", &[Steer("reject 404"), Connect, FatalStatus(404)]),
    fatal(
        "HTTP 404 at a later open",
        &[Steer("reject 404"), Steer("drop"), LOST, BACKOFF, FatalStatus(404)],
    ),
    fatal("a redirect (302)", &[Steer("redirect"), Connect, FatalStatus(302)]),
    fatal(
        "HTTP 401, again after the refresh",
        &[
            Steer("reject 401"),
            Steer("reject 401"),
            Connect,
            Refused(401),
            See(r#"{"event":"retry","attempt":1,"cause":"open_failed","delay_ms":[50,200]}"#),
            FatalStatus(401),
        ],
    ),
];

/// By default, code 1000 means that the server has finished.
const FINISHED: &[Fault] = &[fatal("close 1000", &[Steer("close 1000"), FatalClose(1000)])];

/// The preset says otherwise.
const NOT_FINISHED: &[Fault] =
    &[ridden_out("close 1000", &[STABLE, Steer("close 1000"), Closed(1000), BACKOFF])];

/// Accepting is not stability: the attempts are counted on.
const SPENT: &[Fault] = &[fatal(
    "accept-then-drop, attempts spent",
    &[
        Steer("accept-then-drop 4"),
        Connect,
        LOST,
        AFRESH,
        LOST,
        See(r#"{"event":"retry","attempt":2,"because":"backoff","delay_ms":[50,200]}"#),
        LOST,
        See(r#"{"event":"retry","attempt":3,"because":"backoff","delay_ms":[50,200]}"#),
        LOST,
        See(r#"{"event":"gave_up","cause":"attempts_spent"}"#),
    ],
)];

const FORBIDDEN: Step =
    See(r#"{"event":"disconnected","cause":"close_received","code":4403,"reason":"Forbidden"}"#);

/// The library's own close codes, and its login.
const GRAPHQL_RIDDEN_OUT: &[Fault] = &[
    ridden_out(
        "login forbidden once (4403)",
        &[Steer("refuse-login"), Steer("drop"), LOST, FORBIDDEN, BACKOFF],
    ),
    ridden_out(
        "the token expired, and is renewed",
        &[STABLE, Steer("expire"), Steer("drop"), LOST, FORBIDDEN, BACKOFF],
    ),
    ridden_out(
        "login never answered",
        &[
            Steer("ignore-login"),
            Steer("drop"),
            LOST,
            See(r#"{"event":"disconnected","cause":"login_timeout"}"#),
            BACKOFF,
        ],
    ),
    ridden_out(
        "an id in use (4409)",
        &[
            Type(r#"{"id":"twice","type":"subscribe","payload":{"query":"{ wait }"}}"#),
            Type(r#"{"id":"twice","type":"subscribe","payload":{"query":"{ wait }"}}"#),
            Closed(4409),
            BACKOFF,
        ],
    ),
    ridden_out(
        "a second connection_init (4429)",
        &[Type(r#"{"type":"connection_init"}"#), Closed(4429), BACKOFF],
    ),
];

const GRAPHQL_REFUSED: &[Fault] = &[
    fatal(
        "login forbidden twice",
        &[Steer("refuse-login"), Steer("refuse-login"), Connect, FORBIDDEN, FatalClose(4403)],
    ),
    fatal(
        "no message of the protocol (4400)",
        &[Type("not a message of the protocol"), FatalClose(4400)],
    ),
];

const GRAPHQL_FATAL: &[Fault] = &[fatal(
    "login forbidden, 4403 declared fatal",
    &[Steer("refuse-login"), Connect, FatalClose(4403)],
)];

const NOT_AUTHORIZED: Step =
    See(r#"{"event":"disconnected","cause":"login_refused","reason":"not authorized"}"#);
const DIALECT: Step = See(r#"{"event":"disconnected","cause":"dialect"}"#);
const CLOSED_WITHOUT_CODE: Step = See(r#"{"event":"disconnected","cause":"close_received"}"#);

/// The library's login, its disconnect, and its own pings.
const SOCKET_IO_RIDDEN_OUT: &[Fault] = &[
    ridden_out(
        "pings of the server, then RST",
        &[Steer("heartbeats 4"), Steer("drop"), LOST, BACKOFF],
    ),
    ridden_out(
        "login refused once (connect_error)",
        &[Steer("refuse-login"), Steer("drop"), LOST, NOT_AUTHORIZED, BACKOFF],
    ),
    ridden_out(
        "the token expired, and is renewed",
        &[
            STABLE,
            Steer("expire"),
            Steer("drop"),
            LOST,
            See(r#"{"event":"login","outcome":"refused","reason":"token expired"}"#),
            See(r#"{"event":"disconnected","cause":"login_refused","reason":"token expired"}"#),
            BACKOFF,
        ],
    ),
    ridden_out(
        "login never answered",
        &[
            Steer("ignore-login"),
            Steer("drop"),
            LOST,
            See(r#"{"event":"disconnected","cause":"login_timeout"}"#),
            BACKOFF,
        ],
    ),
    ridden_out("disconnect by the server", &[Steer("disconnect"), DIALECT, BACKOFF]),
    ridden_out("disconnect and close by the server", &[Steer("kick"), DIALECT, BACKOFF]),
    ridden_out("no packet of the protocol", &[Type("not a packet"), CLOSED_WITHOUT_CODE, BACKOFF]),
];

/// Its Close has no code.
const SOCKET_IO_SHUTDOWN: &[Fault] = &[ridden_out(
    "orderly shutdown, started again",
    &[Steer("shutdown"), CLOSED_WITHOUT_CODE, BACKOFF, NOT_OPENED, Start],
)];

/// The library goes on to ping whatever it hears, so its whole process is stopped.
const STOPPED: &[Fault] = &[
    ridden_out("half-open (SIGSTOP)", &[Stop, DEAD, AFRESH, Continue]),
    ridden_out(
        "half-open (SIGSTOP) after some pings",
        &[Steer("heartbeats 4"), Stop, DEAD, AFRESH, Continue],
    ),
];

const SOCKET_IO_REFUSED: &[Fault] = &[fatal(
    "login refused twice",
    &[
        Steer("refuse-login"),
        Steer("refuse-login"),
        Connect,
        NOT_AUTHORIZED,
        NOT_AUTHORIZED,
        See(r#"{"event":"gave_up","cause":"login_refused"}"#),
    ],
)];
