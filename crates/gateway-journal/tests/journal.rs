//! Recording and replaying: every event and action comes back equal, no secret is kept, and an
//! error names its line.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway_core::{
    AcceptanceRule, Action, Actions, Backlog, CloseCode, CloseFrame, Config, ConnectionState,
    Dialect, Event, Exchange, Failure, Frame, HeartbeatKind, Instant, Interest, Login, Message,
    MessageFate, Network, NoDialect, Observer, OpenError, Received, RefusalRule, RetryAfter,
    SeededConnection, SendingFact, SocketId, Statistics, UnixMillis, Verdict, every,
};
use gateway_journal::{
    Journal, Line, Problem, Recorder, SendingEntry, sending_line, sending_words,
};
use proptest::prelude::*;

const SECRET: &str = "hunter2";

/// An observed connection, as in a driver.
struct Watched<D, W: Write> {
    connection: SeededConnection<D>,
    recorder: Recorder<W>,
    now: Instant,
    socket: SocketId,
}

impl<D: Dialect, W: Write> Watched<D, W> {
    fn new(config: Config, dialect: D, mut recorder: Recorder<W>) -> Self {
        recorder.begin(&config, 7);
        let connection = SeededConnection::from_seed_with(Arc::new(config), 7, dialect);
        Self { connection, recorder, now: Instant::ZERO, socket: SocketId::new(0) }
    }

    fn tell(&mut self, event: Event<'_>) -> Vec<Action> {
        let actions = self.connection.handle(self.now, event);
        self.recorder.observe(&self.connection.observed(self.now, event, &actions));
        for action in &actions {
            if let Action::OpenSocket { id, .. } = action {
                self.socket = *id;
            }
        }
        actions.into_iter().collect()
    }
}

/// A dialect that sends `h`, is answered with `h!`, and answers `h` itself.
struct OneLetter;

impl Dialect for OneLetter {
    fn interest(&self) -> Interest {
        Interest::texts_up_to(2)
    }
    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_text("h");
    }
    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        match message {
            Message::Text("h!") => exchange.pong(None),
            Message::Text("h") => exchange.send_text("h!"),
            Message::Text(_) | Message::Binary(_) => return Received::Deliver,
        }
        Received::Consume
    }
}

/// A dialect that asks for whatever its bytes say, again and again.
#[derive(Clone, Debug)]
struct Anything {
    bytes: Vec<u8>,
    at: usize,
}

impl Anything {
    fn next(&mut self) -> u8 {
        let byte = self.bytes.get(self.at % self.bytes.len().max(1)).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    fn verdict(&mut self) -> Verdict {
        match self.next() % 4 {
            0 => Verdict::Retry,
            1 => Verdict::RetryNoSoonerThan(Duration::MAX),
            2 => Verdict::RefreshCredentials,
            _ => Verdict::Fatal,
        }
    }

    /// Up to five things: one too many.
    fn ask(&mut self, exchange: &mut Exchange<'_>) {
        for _ in 0..self.next() % 6 {
            let which = self.next();
            let span = Duration::from_millis(u64::from(which % 8) * 1_500);
            match which % 16 {
                0..=2 => exchange.send_text("hunter2".repeat(which.into())),
                3..=4 => exchange.send_binary(&vec![which; which.into()]),
                5 => exchange.stamp(which.into()),
                6..=7 => exchange.login_accepted(),
                8 => exchange
                    .login_refused(self.verdict(), ["", "hunter2"][usize::from(which / 128)]),
                9 => exchange.pong((which > 128).then_some(which.into())),
                10..=11 => exchange.set_heartbeat(span, (which > 128).then_some(span / 3)),
                12 => exchange.expect_within(span),
                13 if which < 64 => exchange.leave(CloseCode::NORMAL, self.verdict(), "hunter2"),
                13 => exchange.pong(None),
                14 => exchange.resume_at("wss://hunter2.example"),
                _ if which > 192 => exchange.send_text("x".repeat(65_537)),
                _ => exchange.stamp(5),
            }
        }
    }
}

impl Dialect for Anything {
    fn interest(&self) -> Interest {
        let kinds = [Interest::ALL, Interest::TEXT, Interest::BINARY, Interest::texts_up_to(7)];
        kinds[self.at % 4]
    }
    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        self.ask(exchange);
    }
    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        self.ask(exchange);
        exchange.send_text("h");
    }
    fn received(&mut self, _: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        self.ask(exchange);
        if self.next().is_multiple_of(3) { Received::Consume } else { Received::Deliver }
    }
    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        self.ask(exchange);
    }
}

fn recorder(into: &mut Vec<u8>) -> Recorder<&mut Vec<u8>> {
    Recorder::new(into, |error| panic!("{error}"))
}

const TEXTS: [&str; 9] = [
    r#"{"type":"pong"}"#,
    r#"{"type":"pong","timestamp":1700000000000}"#,
    r#"{"type":"ping","timestamp":4}"#,
    r#"{"type":"login_ok"}"#,
    r#"{"type":"login_refused","why":"hunter2"}"#,
    "hunter2",
    "",
    "h",
    "h!",
];

const PAYLOADS: [&str; 6] = ["1", "2", "007", "", "hunter2", "18446744073709551616"];

/// The next event, chosen by a number of any value.
fn event<'a>(what: u8, which: usize, socket: SocketId) -> Event<'a> {
    let text = TEXTS[which % TEXTS.len()];
    let payload = PAYLOADS[which % PAYLOADS.len()].as_bytes();
    let close = CloseFrame::new([1000, 1012, 4000, 3000][which % 4], "because of hunter2").unwrap();
    let retry_after = [None, Some(RetryAfter::Seconds(9)), Some(RetryAfter::Date(UnixMillis(1)))];
    let errors = [
        OpenError::Dns,
        OpenError::Certificate,
        OpenError::Http { status: 503, retry_after: retry_after[which % 3] },
        OpenError::Http { status: 401, retry_after: None },
        OpenError::Proxy,
        OpenError::ProxyCredentials,
        OpenError::Configuration,
    ];
    let failures = [Failure::Eof, Failure::Protocol, Failure::InvalidUtf8, Failure::TooBig];
    let verdicts = [
        Verdict::Retry,
        Verdict::RetryNoSoonerThan(Duration::MAX),
        Verdict::RefreshCredentials,
        Verdict::Fatal,
    ];
    let counts = [0, 300_000, u64::MAX];
    match what {
        0..=1 => Event::ConnectRequested,
        2 => Event::CloseRequested(close),
        3 => Event::SendRequested(Message::Text(text)),
        4 => Event::SendRequested(Message::Binary(payload)),
        5 => Event::LoginAccepted,
        6 => Event::LoginRejected(verdicts[which % 4]),
        7..=14 => Event::SocketOpened(socket),
        15 => Event::OpenFailed(socket, errors[which % 7]),
        16 => Event::SocketFailed(socket, failures[which % 4]),
        17..=24 => Event::FrameReceived(socket, Frame::Text(text)),
        25 => Event::FrameReceived(socket, Frame::Binary(payload)),
        26 => Event::FrameReceived(socket, Frame::Ping(payload)),
        27..=29 => Event::FrameReceived(socket, Frame::Pong(payload)),
        30 => Event::FrameReceived(socket, Frame::Close([None, Some(close)][which % 2])),
        31 => Event::BytesReceived(socket),
        32 => Event::WriteBlocked(socket),
        33 => Event::Flushed(socket),
        34 => Event::ReadingPaused(socket),
        35..=36 => Event::ReadingResumed(socket),
        37 => Event::WallClock(UnixMillis(1_700_000_000_000 + which as u64 * 7_000)),
        38 => Event::NetworkChanged([Network::Online, Network::Offline][which % 2]),
        39..=40 => {
            let idle = [Duration::ZERO, Duration::from_millis(7), Duration::MAX][which % 3];
            Event::PingHeld(socket, Backlog { bytes: counts[which % 3], idle })
        }
        41 => Event::WriteProgressed(socket),
        42..=43 => Event::PingHanded(socket, counts[which % 3]),
        _ => Event::Tick,
    }
}

prop_compose! {
    fn config()(
        kind in prop::sample::select(vec![
            HeartbeatKind::Json,
            HeartbeatKind::Ping,
            HeartbeatKind::Off,
            HeartbeatKind::Dialect,
        ]),
        login in 0..7_u8,
        verdict in 0..4_usize,
        switches in any::<[bool; 4]>(),
        data_timeout in prop::option::of(Just(Duration::from_secs(40))),
        max_attempts in prop::option::of(0..4_u32),
    ) -> Config {
        let timeout = Duration::from_secs(5);
        let rule = AcceptanceRule::parse("/type=login_ok").unwrap();
        let accepted = [AcceptanceRule::Any, rule][usize::from(login % 2)].clone();
        let refused = format!("/type=login_refused{}", ["", ":retry", ":fatal", ":30s"][verdict]);
        let refused = vec![RefusalRule::parse(&refused).unwrap()];
        let login = match login {
            0 => Login::None,
            1 => Login::External { timeout },
            2 => Login::Dialect { timeout },
            3 => {
                let accepted = AcceptanceRule::Dialect;
                Login::Message { send: SECRET.into(), accepted, refused, timeout }
            }
            _ => Login::Message { send: SECRET.into(), accepted, refused, timeout },
        };
        Config::builder()
            .heartbeat(kind)
            .login(login)
            .heartbeat_strict(switches[0])
            .heartbeat_phase(switches[1])
            .deliver_pongs(switches[2])
            .answer_pings(switches[3])
            .data_timeout(data_timeout)
            .max_attempts(max_attempts)
            .build()
            .unwrap()
    }
}

/// Records the steps into a journal. Returns its bytes and the statistics.
fn recorded(
    config: Config,
    dialect: impl Dialect,
    steps: &[(u8, usize, u8)],
) -> (Vec<u8>, Statistics) {
    let mut bytes = Vec::new();
    let mut watched = Watched::new(config, dialect, recorder(&mut bytes));
    watched.tell(Event::ConnectRequested);
    for (what, which, wait) in steps {
        watched.now = match wait {
            0 => watched.now.saturating_sub(Duration::from_secs(1)), // a clock that runs backwards
            1..=60 => watched.now.saturating_add(Duration::from_micros(u64::from(*wait) * 731)),
            _ => watched.connection.next_deadline().unwrap_or(watched.now).max(watched.now),
        };
        let back = u64::from(*wait == 7);
        let socket = SocketId::new(watched.socket.number().saturating_sub(back));
        watched.tell(event(*what, *which, socket));
    }
    let statistics = watched.connection.statistics(Instant::ZERO);
    drop(watched);
    (bytes, statistics)
}

fn assert_replays(
    bytes: &[u8],
    events: usize,
    recorded: Option<Statistics>,
) -> Result<(), TestCaseError> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    prop_assert!(!text.contains("hunter") && !text.contains("login_ok"), "{}", text);
    let mut replayed = Journal::read(bytes).unwrap().replay();
    let mut steps = 0;
    for step in replayed.by_ref() {
        let step = step.unwrap();
        prop_assert!(step.is_as_recorded(), "{}\n{}", step.recorded(), step.description());
        steps += 1;
    }
    prop_assert_eq!(steps, events);
    let statistics = replayed.replay().connection().statistics(Instant::ZERO);
    // Only drivers encode what is sent, and count its bytes.
    prop_assert_eq!(Some(statistics).filter(|_| recorded.is_some()), recorded);
    Ok(())
}

fn steps() -> impl Strategy<Value = Vec<(u8, usize, u8)>> {
    prop::collection::vec((0..52_u8, 0..60_usize, 0..100_u8), 0..120)
}

proptest! {
    #[test]
    fn whatever_happens_replays_to_the_same_actions(config in config(), steps in steps()) {
        let (bytes, statistics) = recorded(config, NoDialect, &steps);
        assert_replays(&bytes, steps.len() + 1, Some(statistics))?;
    }

    #[test]
    fn a_dialect_of_ones_own_replays_without_it(config in config(), steps in steps()) {
        let (bytes, statistics) = recorded(config, OneLetter, &steps);
        assert_replays(&bytes, steps.len() + 1, Some(statistics))?;
    }

    #[test]
    fn a_dialect_that_asks_for_anything_replays_without_it(
        config in config(),
        bytes in prop::collection::vec(any::<u8>(), 1..60),
        steps in steps(),
    ) {
        let (bytes, statistics) = recorded(config, Anything { bytes, at: 0 }, &steps);
        assert_replays(&bytes, steps.len() + 1, Some(statistics))?;
    }

    #[test]
    fn no_bytes_make_the_reader_panic(cut in 0..4_000_usize, at in 0..4_000_usize, byte in any::<u8>()) {
        let mut bytes = life();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(cut);
        if let Ok(journal) = Journal::read(bytes.as_slice()) {
            let _ = journal.replay().count();
        }
    }
}

/// A short connection: opened, one heartbeat, lost.
fn life() -> Vec<u8> {
    let config = Config::builder().heartbeat(HeartbeatKind::Json).build().unwrap();
    let steps = [(7, 0, 2), (50, 0, 90), (17, 0, 3), (16, 0, 4), (50, 0, 90)];
    recorded(config, NoDialect, &steps).0
}

/// The setting and its default are younger than the format.
#[test]
fn a_head_without_the_bound_of_the_connect_timeout_was_recorded_when_it_did_not_grow() {
    let text = String::from_utf8(life()).unwrap();
    let bound = gateway_core::format_duration(Config::default().connect_timeout_max());
    let old = text.replacen(&format!(r#""connect_timeout_max":"{bound}","#), "", 1);
    assert_ne!(old, text);

    let [old, new] = [old, text].map(|text| {
        let config = Journal::read(text.as_bytes()).unwrap().head().config.clone();
        (config.connect_timeout(), config.connect_timeout_max())
    });

    assert_eq!((old.0, old.1), (new.0, new.0));
    assert!(new.1 > new.0);
}

#[test]
fn a_journal_is_the_lines_that_are_documented() {
    let text = String::from_utf8(life()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with(r#"{"journal":"gateway","version":2,"seed":7,"config":{"#));
    assert_eq!(
        lines[1],
        r#"{"n":1,"t_ns":0,"event":"connect_requested","actions":[{"notify":{"state_changed":{"from":"DISCONNECTED","to":"CONNECTING","socket":1}}},{"open_socket":{"socket":1,"credentials":"cached"}},{"schedule_timer_at_ns":10000000000}],"state":"CONNECTING"}"#
    );
    assert!(
        lines[4].starts_with(
            r#"{"n":4,"t_ns":30003655000,"event":{"frame_received":{"socket":1,"frame":{"text":{"bytes":15,"recognised":{"pong":null}}}}},"actions":["#
        ),
        "{}",
        lines[4]
    );
    assert_eq!(lines[7..], [r#"{"end":{"events":6}}"#]);
}

#[test]
fn a_ping_that_is_held_is_the_lines_that_are_documented() {
    let mut bytes = Vec::new();
    let mut watched = Watched::new(Config::default(), NoDialect, recorder(&mut bytes));
    watched.tell(Event::ConnectRequested);
    let socket = watched.socket;
    watched.tell(Event::SocketOpened(socket));
    watched.now = watched.connection.next_deadline().unwrap();
    watched.tell(Event::Tick);
    let idle = Duration::from_millis(7);
    watched.tell(Event::PingHeld(socket, Backlog { bytes: 300_000, idle }));
    watched.tell(Event::WriteProgressed(socket));
    watched.tell(Event::PingHanded(socket, 300_061));
    watched.now = watched.connection.next_deadline().unwrap();
    watched.tell(Event::Tick);
    drop(watched);

    let text = String::from_utf8(bytes.clone()).unwrap();
    for event in [
        r#""event":{"ping_held":{"socket":1,"bytes":300000,"idle_ns":7000000}}"#,
        r#""event":{"write_progressed":{"socket":1}}"#,
        r#""event":{"ping_handed":{"socket":1,"unproven_bytes":300061}}"#,
        r#"{"abort_socket":1}"#,
    ] {
        assert!(text.contains(event), "{event} in {text}");
    }
    assert_replays(&bytes, 7, None).unwrap();
    let words = Journal::read(bytes.as_slice()).unwrap().replay();
    let words: Vec<_> = words.map(|step| step.unwrap().description()).collect();
    assert_eq!(words[3].event, "1 ping held: 300000 B before it, idle 7ms");
    assert_eq!(words[4].event, "1 write progressed");
    assert_eq!(words[5].event, "1 ping handed over: 300061 B unproven");
    assert!(words[6].actions.contains("abort 1; "), "{}", words[6].actions);
}

#[test]
fn a_changed_line_differs_there_and_nowhere_before() {
    let text = String::from_utf8(life()).unwrap();
    let changed = text.replace(r#""attempt":1"#, r#""attempt":2"#);
    assert_ne!(text, changed);

    let differing: Vec<u64> = Journal::read(changed.as_bytes())
        .unwrap()
        .replay()
        .map(|step| step.unwrap())
        .filter(|step| !step.is_as_recorded())
        .map(|step| step.entry.line)
        .collect();

    assert_eq!(differing, [6]);
}

#[test]
fn damage_is_told_by_its_line_with_what_to_do() {
    let whole = String::from_utf8(life()).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let head = lines[0];
    let with = |line: &str| format!("{head}\n{}\n{line}\n{}\n", lines[1], lines[2]);
    let entry = |event: &str| {
        format!(r#"{{"n":2,"t_ns":0,"event":{event},"actions":[],"state":"CONNECTING"}}"#)
    };
    let many = vec![r#""deliver""#; Actions::CAPACITY + 1].join(",");
    let many =
        format!(r#"{{"n":2,"t_ns":0,"event":"tick","actions":[{many}],"state":"CONNECTED"}}"#);
    for (text, line, words) in [
        (String::new(), 1, "the journal is empty"),
        ("\n".to_owned(), 1, "not a journal"),
        ("hello\nworld\n".to_owned(), 1, "not a journal"),
        (format!("{}\n", lines[1]), 1, "not a journal"),
        (head.replace("\"gateway\"", "\"other\"") + "\n", 1, "not a journal"),
        (head.replace("\"version\":2", "\"version\":1") + "\n", 1, "this program reads version 2"),
        (head.replace("\"version\":2", "\"version\":3") + "\n", 1, "version 3 of the format"),
        (head.replace("\"seed\":7", "\"seed\":-7") + "\n", 1, "the head is damaged"),
        (head.replace("\"json\"", "\"jason\"") + "\n", 1, "heartbeat.kind"),
        (head[..40].to_owned(), 1, "breaks off"),
        (format!("{head}\n{}", &lines[1][..50]), 2, "breaks off in the middle"),
        (format!("{head}\n{}\n{{\"end\":", lines[1]), 3, "breaks off in the middle"),
        (format!("{head}\n"), 1, "breaks off after"),
        (format!("{head}\n{}\n", lines[1]), 2, "breaks off after"),
        (format!("{head}\n{}", lines[1]), 2, "breaks off after"),
        (
            whole.replacen(lines[3], "", 1).replace("\n\n", "\n"),
            4,
            "found event 4 in place of event 3",
        ),
        (with(lines[1]), 3, "found event 1 in place of event 2"),
        (with(r#"{"end":{"events":2}}"#), 3, "the end counts 2 events, but the journal has 1"),
        (with(r#"{"end":{"events":-1}}"#), 3, "unknown field `end`"),
        (with(r#"{"end":{"events":1}}"#), 4, "ended on the line before"),
        (with(""), 3, "it is empty"),
        (with("{}"), 3, "missing field"),
        (with(&lines[2][..lines[2].len() - 3]), 3, "the entry is damaged"),
        (with(&entry("\"ticked\"")), 3, "unknown variant `ticked`"),
        (with(&entry("\"\\u001b[2Jtick\"")), 3, "\\u{1b}[2J"),
        (with(&entry(r#"{"close_requested":{"code":1006}}"#)), 3, "1006 may not be sent"),
        (with(&entry(r#"{"socket_opened":{"socket":1,"door":2}}"#)), 3, "unknown field `door`"),
        (with(&entry("\"tick\"").replace("\"t_ns\":0", "\"t_ns\":0.5")), 3, "0.5"),
        (with(&many), 3, "14 actions: one event has at most 13"),
        (with(&"x".repeat(2 << 20)), 3, "longer than 1 MiB"),
    ] {
        let shown = &text[..text.len().min(300)];
        let error = match Journal::read(text.as_bytes()) {
            Ok(journal) => journal.replay().find_map(Result::err),
            Err(error) => Some(error),
        };
        let error = error.unwrap_or_else(|| panic!("no error: {shown}"));
        assert_eq!(error.line(), line, "{error}: {shown}");
        assert!(error.to_string().contains(words), "{error}: {words}");
        assert!(!error.to_string().contains('\u{1b}') && error.to_string().len() < 600, "{error}");
    }
}

#[test]
fn a_line_that_is_taken_out_is_missed_wherever_it_stood() {
    let whole = String::from_utf8(life()).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for index in 0..lines.len() {
        let rest = [&lines[..index], &lines[index + 1..]].concat().concat();
        let is_whole = Journal::read(rest.as_bytes())
            .is_ok_and(|journal| journal.replay().all(|step| step.is_ok()));
        assert!(!is_whole, "without line {}", index + 1);
    }
}

#[test]
fn a_last_line_that_lacks_its_newline_alone_is_whole() {
    let mut bytes = life();
    bytes.pop();
    let steps: Vec<_> = Journal::read(bytes.as_slice()).unwrap().replay().collect();
    assert!(steps.len() == 6 && steps.iter().all(Result::is_ok));
}

#[test]
fn absurd_lengths_cost_no_memory() {
    let head = String::from_utf8(life()).unwrap().lines().next().unwrap().to_owned();
    let send = format!(r#"{{"send_requested":{{"kind":"text","bytes":{}}}}}"#, u64::MAX);
    let text = format!(
        "{head}\n{{\"n\":1,\"t_ns\":0,\"event\":{send},\"actions\":[{{\"notify\":{{\"send_rejected\":\"not_ready\"}}}}],\"state\":\"DISCONNECTED\"}}\n{{\"end\":{{\"events\":1}}}}\n"
    );
    let steps: Vec<_> = Journal::read(text.as_bytes()).unwrap().replay().collect();
    assert!(steps.len() == 1 && steps[0].as_ref().is_ok_and(|step| step.is_as_recorded()));
}

/// Accepts this many writes, and then fails.
struct Full(u32);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_that_fails_is_told_once_and_the_connection_goes_on() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let recorder = Recorder::new(Full(2), move |error| tell.lock().unwrap().push(error));
    let mut watched = Watched::new(Config::default(), NoDialect, recorder);
    watched.tell(Event::ConnectRequested);
    assert!(watched.recorder.is_recording());
    for _ in 0..3 {
        watched.tell(Event::SocketOpened(watched.socket));
    }
    assert_eq!(watched.connection.state(), ConnectionState::Connected);
    assert!(!watched.recorder.is_recording());
    let told = told.lock().unwrap();
    assert_eq!(
        (told.len(), told[0].line, told[0].source.kind()),
        (1, 3, io::ErrorKind::StorageFull)
    );
}

#[test]
fn a_recording_that_a_panic_ends_and_one_that_was_never_begun_have_no_end() {
    let mut bytes = Vec::new();
    drop(recorder(&mut bytes));
    assert!(bytes.is_empty());

    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut watched = Watched::new(Config::default(), NoDialect, recorder(&mut bytes));
        watched.tell(Event::ConnectRequested);
        std::panic::resume_unwind(Box::new("of the application"));
    }));

    assert!(panicked.is_err());
    let last = Journal::read(bytes.as_slice()).unwrap().replay().last().unwrap();
    assert!(last.unwrap_err().is_broken_off());
}

#[test]
fn a_reader_that_fails_is_told_as_that() {
    #[derive(Debug)]
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let error = Journal::read(io::BufReader::new(Broken)).unwrap_err();
    assert!(matches!(error.problem(), Problem::Read(_)), "{error}");
}

/// A journal with these facts about messages and requests, and one event before them.
fn with_facts(facts: &[SendingFact]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut watched = Watched::new(Config::default(), NoDialect, recorder(&mut bytes));
    watched.tell(Event::ConnectRequested);
    for (fact, millis) in facts.iter().zip(1..) {
        watched.recorder.sending(Instant::from_millis(millis), fact);
    }
    drop(watched);
    bytes
}

/// Facts that agree with each other.
fn facts() -> Vec<SendingFact> {
    let settled = |first, last, fate| SendingFact::MessagesSettled { first, last, fate };
    let mut facts: Vec<_> =
        [3, 4, 7].map(|number| SendingFact::MessageQueued { number, bytes: 5 }).into();
    facts.extend([
        SendingFact::MessageBuffered { number: 3 },
        SendingFact::MessageBuffered { number: 4 },
        SendingFact::MessagesReturned { first: 4, last: 4 },
        settled(3, 3, MessageFate::MaybeSent),
        settled(4, 4, MessageFate::Expired),
    ]);
    // The messages 7 to 9 return, so 7 has left before.
    facts.push(SendingFact::MessageBuffered { number: 7 });
    let is_next = |fact: &SendingFact| {
        !matches!(
            fact,
            SendingFact::MessageQueued { .. }
                | SendingFact::MessageBuffered { .. }
                | SendingFact::MessagesSettled { .. }
        )
    };
    facts.extend(every::sending_facts().into_iter().filter(is_next));
    facts.push(settled(7, 9, MessageFate::Rejected));
    facts.push(settled(10, 12, MessageFate::Sent));
    facts
}

#[test]
fn facts_about_messages_and_requests_read_back_and_a_replay_ignores_them() {
    let facts = facts();
    let bytes = with_facts(&facts);

    let lines: Vec<_> = Journal::read(bytes.as_slice()).unwrap().map(Result::unwrap).collect();
    let sendings: Vec<SendingEntry> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Sending(entry) => Some(*entry),
            Line::Event(_) => None,
        })
        .collect();
    assert_eq!(sendings.iter().map(|entry| entry.fact).collect::<Vec<_>>(), facts);
    assert_eq!((sendings[0].line, sendings[0].number), (3, 2));
    assert_eq!(sendings[0].now, Instant::from_millis(1));
    assert_replays(&bytes, 1, None).unwrap();

    let text = String::from_utf8(bytes).unwrap();
    let third = text.lines().nth(2).unwrap();
    let documented =
        r#"{"n":2,"t_ns":1000000,"sending":{"message_queued":{"number":3,"bytes":5}}}"#;
    assert_eq!(third, documented);
    assert_eq!(third, sending_line(2, Instant::from_millis(1), &facts[0]));
    assert!(text.ends_with(&format!("{{\"end\":{{\"events\":{}}}}}\n", facts.len() + 1)));
    let words = "    0.001000  message 3 of 5 B queued in the outbox";
    assert_eq!(sendings[0].to_string(), words);
}

#[test]
fn facts_are_told_in_words() {
    let words: Vec<_> =
        every::sending_facts().iter().map(|fact| sending_words(fact).to_string()).collect();
    assert_eq!(
        words,
        [
            "message 7 of 5 B queued in the outbox",
            "message 7 left the outbox",
            "messages 7 to 9 back in the outbox",
            "messages 7 to 9 maybe sent",
            "message of 5 B refused: outbox full",
            "request 3 of 5 B made, timeout 10s, idempotent",
            "request 3 in the write buffer, with the id 12",
            "request 3 ended: timed out",
            "answer to no pending request",
            "rate limit reached until 61.000000",
            "drain started, closes at 12.000000 at the latest",
        ]
    );
}

#[test]
fn a_fact_that_contradicts_another_is_told_by_its_line() {
    use MessageFate::{Expired, MaybeSent, Rejected, Sent};
    use gateway_core::RequestEnd::{Answered, TimedOut};

    let queued = |number| SendingFact::MessageQueued { number, bytes: 5 };
    let buffered = |number| SendingFact::MessageBuffered { number };
    let returned = |first, last| SendingFact::MessagesReturned { first, last };
    let settled = |first, last, fate| SendingFact::MessagesSettled { first, last, fate };
    let made = |request| SendingFact::RequestMade {
        request,
        bytes: 5,
        is_idempotent: false,
        timeout: Duration::MAX,
    };
    let written = |request| SendingFact::RequestBuffered { request, id: 1 };
    let ended = |request, end| SendingFact::RequestEnded { request, end };
    for (facts, words) in [
        (vec![queued(0)], "message 0 is queued after message 0"),
        (vec![queued(2), queued(2)], "message 2 is queued after message 2"),
        (vec![settled(4, 9, Sent), queued(9)], "message 9 is queued after message 9"),
        (vec![returned(1, u64::MAX), queued(u64::MAX)], "is queued after message"),
        (vec![buffered(1)], "message 1 leaves the outbox, but is not in it"),
        (vec![queued(1), buffered(1), buffered(1)], "message 1 leaves the outbox, but"),
        (vec![queued(1), returned(1, 1)], "message 1 cannot return to the outbox, because"),
        (vec![settled(1, 3, Sent), returned(3, 3)], "message 3 cannot return to the outbox after"),
        (vec![returned(0, 1)], "0 to 1 is not a range of messages"),
        (vec![settled(5, 4, Rejected)], "5 to 4 is not a range of messages"),
        (vec![settled(0, u64::MAX, Rejected)], "is not a range of messages"),
        (
            vec![settled(1, u64::MAX, Rejected), settled(7, 7, Sent)],
            "second outcome of message 7, sent",
        ),
        (vec![queued(1), settled(1, 1, MaybeSent)], "message 1 cannot be maybe_sent while in the"),
        (vec![queued(1), settled(1, 2, Expired)], "messages 1 to 2 cannot be expired while not in"),
        (vec![made(1), made(1)], "request 1 is made after request 1"),
        (vec![made(0)], "request 0 is made after request 0"),
        (vec![written(1)], "request 1 was never made"),
        (vec![made(2), written(1)], "request 1 has ended"),
        (vec![made(1), ended(1, Answered), ended(1, TimedOut)], "request 1 has ended"),
        (vec![made(1), ended(1, Answered), written(1)], "request 1 has ended"),
    ] {
        let bytes = with_facts(&facts);
        let mut replayed = Journal::read(bytes.as_slice()).unwrap().replay();
        let error = replayed.find_map(Result::err).unwrap_or_else(|| panic!("no error: {words}"));
        assert!(matches!(error.problem(), Problem::Sending(_)), "{error}: {words}");
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("contradicts the lines before"), "{text}");
        assert_eq!(error.line(), facts.len() as u64 + 2, "{text}");
        assert!(replayed.next().is_none());
    }
}

#[test]
fn a_fact_that_cannot_be_read_or_is_out_of_order_is_told_by_its_line() {
    let whole = String::from_utf8(with_facts(&facts())).unwrap();
    for (from, to, line, words) in [
        ("\"message_queued\"", "\"message_eaten\"", 3, "unknown variant `message_eaten`"),
        ("\"number\":3", "\"number\":-3", 3, "the entry is damaged"),
        ("\"bytes\":5", "\"bytes\":5,\"text\":\"x\"", 3, "unknown field `text`"),
        ("{\"n\":2,", "{\"n\":3,", 3, "found event 3 in place of event 2"),
    ] {
        let text = whole.replacen(from, to, 1);
        let mut replayed = Journal::read(text.as_bytes()).unwrap().replay();
        let error = replayed.find_map(Result::err).unwrap();
        assert_eq!(error.line(), line, "{error}");
        assert!(error.to_string().contains(words), "{error}: {words}");
    }
}
