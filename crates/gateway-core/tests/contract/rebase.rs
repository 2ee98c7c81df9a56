//! A machine's key for a model checker: the same life at another time, on another socket, has the same key; another life has not.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    AcceptanceRule, Backlog, CloseFrame, Config, ConfigBuilder, Connection, Dialect, Event,
    Exchange, Failure, Frame, HeartbeatKind, Instant, Interest, Login, Machine, Message, Network,
    OpenError, Received, RefusalRule, RetryAfter, SocketId, UnixMillis,
};
use gateway_testkit::Fixed;

/// Beyond every span by which these settings judge the past.
const HORIZON: Instant = Instant::from_millis(1_000_000);

fn config() -> ConfigBuilder {
    Config::builder()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_phase(true)
        .data_timeout(Some(Duration::from_secs(60)))
}

/// If it has a span, it expects the server to send something within it: from the opening, and from
/// each text `!`.
struct Expects(Option<Duration>);

impl Dialect for Expects {
    fn interest(&self) -> Interest {
        Interest::texts_up_to(1)
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        if let Some(span) = self.0 {
            exchange.expect_within(span);
        }
    }

    fn received(&mut self, _: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        self.opened(exchange);
        Received::Consume
    }
}

/// A life at an offset, after some sockets that are over.
struct Life {
    connection: Connection<Fixed, Expects>,
    now: Instant,
}

impl Life {
    fn new(config: Config, begins_at: u64, earlier_sockets: usize) -> Self {
        // The first ping leaves as soon as the connection is ready.
        let connection = Connection::with_dialect(Arc::new(config), Fixed::LEAST, Expects(None));
        let mut life = Self { connection, now: Instant::ZERO };
        for _ in 0..earlier_sockets {
            life.tell(0, Event::ConnectRequested);
            life.tell(0, Event::CloseRequested(CloseFrame::NORMAL));
        }
        life.now = Instant::from_millis(begins_at);
        life.tell(0, Event::WallClock(UnixMillis(1_700_000_000_000)));
        life
    }

    fn tell(&mut self, after_millis: u64, event: Event<'_>) {
        self.now = self.now.saturating_add(Duration::from_millis(after_millis));
        let _ = self.connection.handle(self.now, event);
    }

    fn hear(&mut self, after_millis: u64, text: &str) {
        self.tell(after_millis, Event::FrameReceived(self.socket(), Frame::Text(text)));
    }

    fn socket(&self) -> SocketId {
        self.connection.socket().unwrap()
    }

    fn open(&mut self) {
        self.tell(0, Event::ConnectRequested);
        self.tell(20, Event::SocketOpened(self.socket()));
        self.tell(0, Event::Tick);
    }

    fn key(&self) -> Machine {
        self.connection.machine().rebased(HORIZON)
    }
}

/// Lives the same at two times and on two sockets, and then once more for `more` milliseconds: two keys are equal, the third
/// differs.
fn is_told_apart_by_what_counts(settings: impl Fn() -> Config, live: impl Fn(&mut Life)) {
    let mut early = Life::new(settings(), 0, 1);
    let mut late = Life::new(settings(), 777_000_000, 3);
    live(&mut early);
    live(&mut late);
    assert_ne!(early.connection.machine(), late.connection.machine());
    assert_eq!(early.key(), late.key());

    // A second on, and nothing happens: what is due is nearer by a second.
    let before = early.key();
    let had_deadline = early.connection.next_deadline();
    early.tell(1_000, Event::NetworkChanged(Network::Offline));
    assert_eq!(early.connection.next_deadline(), had_deadline, "nothing was due in that second");
    assert_ne!(early.key(), before);
}

#[test]
fn waiting_for_the_next_attempt() {
    let settings = || config().initial_delay(Duration::from_secs(5)).build().unwrap();
    is_told_apart_by_what_counts(settings, |life| {
        life.tell(0, Event::ConnectRequested);
        life.tell(100, Event::OpenFailed(life.socket(), OpenError::Refused));
    });
}

#[test]
fn connecting() {
    is_told_apart_by_what_counts(
        || config().build().unwrap(),
        |life| life.tell(0, Event::ConnectRequested),
    );
}

#[test]
fn asking_the_provider() {
    let settings = || config().ask_provider(true).build().unwrap();
    is_told_apart_by_what_counts(settings, |life| life.tell(0, Event::ConnectRequested));
    is_told_apart_by_what_counts(settings, |life| {
        life.tell(0, Event::ConnectRequested);
        life.tell(100, Event::ProviderAnswered(life.socket()));
    });
}

#[test]
fn logging_in() {
    let login = Login::External { timeout: Duration::from_secs(9) };
    is_told_apart_by_what_counts(|| config().login(login.clone()).build().unwrap(), Life::open);
}

#[test]
fn waiting_for_the_close_behind_a_refused_login() {
    let login = Login::Message {
        send: "open sesame".into(),
        accepted: AcceptanceRule::Any,
        refused: RefusalRule::parse("/ok=false").into_iter().collect(),
        timeout: Duration::from_secs(9),
    };
    let settings = || config().login(login.clone()).build().unwrap();
    is_told_apart_by_what_counts(settings, |life| {
        life.open();
        life.hear(10, r#"{"ok":false}"#);
        assert!(life.connection.is_login_refused());
    });
}

#[test]
fn ready_on_a_socket_that_is_to_be_renewed() {
    let settings = || config().renew_after(Some(Duration::from_secs(50))).build().unwrap();
    is_told_apart_by_what_counts(settings, Life::open);
}

#[test]
fn ready_with_a_server_that_must_not_be_silent() {
    let expect = |life: &mut Life| {
        life.connection.dialect_mut().0 = Some(Duration::from_secs(40));
        life.open();
    };
    let settings = || config().build().unwrap();
    is_told_apart_by_what_counts(settings, expect);
    is_told_apart_by_what_counts(settings, |life| {
        expect(life);
        life.tell(10, Event::ReadingPaused(life.socket()));
    });
}

#[test]
fn a_silence_is_told_apart_by_when_it_began_only_if_it_may_end_the_connection() {
    let expected_after = |millis, then: fn(&mut Life)| {
        let login = Login::External { timeout: Duration::from_secs(9) };
        let settings = Config::builder().heartbeat(HeartbeatKind::Off).login(login);
        let mut life = Life::new(settings.build().unwrap(), 0, 1);
        life.connection.dialect_mut().0 = Some(Duration::from_secs(40));
        life.open();
        then(&mut life);
        life.hear(millis, "!");
        life.tell(1_000 - millis, Event::NetworkChanged(Network::Offline));
        life.key()
    };
    let paused = |life: &mut Life| {
        life.tell(0, Event::LoginAccepted);
        life.tell(0, Event::ReadingPaused(life.socket()));
    };
    let ready = |life: &mut Life| life.tell(0, Event::LoginAccepted);

    assert_eq!(expected_after(100, |_| {}), expected_after(400, |_| {}), "while logging in");
    assert_eq!(expected_after(100, paused), expected_after(400, paused));
    assert_ne!(expected_after(100, ready), expected_after(400, ready));
}

#[test]
fn ready_with_a_ping_that_is_judged_one_that_rests_and_a_pause() {
    for kind in [HeartbeatKind::Json, HeartbeatKind::Off] {
        let settings = move || config().heartbeat(kind).build().unwrap();
        is_told_apart_by_what_counts(settings, Life::open);
        is_told_apart_by_what_counts(settings, |life| {
            life.open();
            let pong = Frame::Text(r#"{"type":"pong"}"#);
            life.tell(10, Event::FrameReceived(life.socket(), pong));
        });
        is_told_apart_by_what_counts(settings, |life| {
            life.open();
            life.tell(10, Event::ReadingPaused(life.socket()));
        });
        is_told_apart_by_what_counts(settings, |life| {
            life.open();
            let backlog = Backlog { bytes: 9, idle: Duration::from_millis(5) };
            life.tell(10, Event::PingHeld(life.socket(), backlog));
            life.tell(10, Event::WriteProgressed(life.socket()));
        });
    }
}

#[test]
fn pings_that_were_answered_leave_no_trace_of_when_they_were() {
    let answered_after = |millis| {
        let mut life = Life::new(config().build().unwrap(), 0, 1);
        life.open();
        let pong = Frame::Text(r#"{"type":"pong"}"#);
        life.tell(millis, Event::FrameReceived(life.socket(), pong));
        life.tell(2_000 - millis, Event::WallClock(UnixMillis(1_700_000_002_020)));
        life.key()
    };

    assert_eq!(answered_after(10), answered_after(400));
}

#[test]
fn ready_with_a_first_ping_that_is_still_to_come() {
    is_told_apart_by_what_counts(|| config().heartbeat_phase(false).build().unwrap(), Life::open);
}

#[test]
fn waiting_out_a_least_delay() {
    is_told_apart_by_what_counts(
        || config().build().unwrap(),
        |life| {
            life.tell(0, Event::ConnectRequested);
            let retry_after = Some(RetryAfter::Seconds(60));
            let busy = OpenError::Http { status: 503, retry_after };
            life.tell(100, Event::OpenFailed(life.socket(), busy));
        },
    );
}

#[test]
fn closing_with_and_without_a_heartbeat() {
    for kind in [HeartbeatKind::Json, HeartbeatKind::Off] {
        let settings = move || config().heartbeat(kind).build().unwrap();
        is_told_apart_by_what_counts(settings, |life| {
            life.open();
            life.tell(10, Event::CloseRequested(CloseFrame::NORMAL));
        });
    }
}

#[test]
fn hints_that_were_honoured_count_for_as_long_as_they_bar_others() {
    let settings = || config().initial_delay(Duration::from_secs(25)).build().unwrap();
    is_told_apart_by_what_counts(settings, |life| {
        life.tell(0, Event::ConnectRequested);
        life.tell(100, Event::OpenFailed(life.socket(), OpenError::Dns));
        life.tell(100, Event::NetworkChanged(Network::Online));
        life.tell(100, Event::OpenFailed(life.socket(), OpenError::Dns));
        life.tell(100, Event::WallClock(UnixMillis(1_800_000_000_000)));
    });
}

#[test]
fn a_machine_that_waits_for_nothing_is_the_same_at_any_time() {
    let closed = |begins_at| {
        let mut life = Life::new(config().build().unwrap(), begins_at, 2);
        life.open();
        life.tell(5, Event::CloseRequested(CloseFrame::NORMAL));
        life.tell(5, Event::SocketFailed(life.socket(), Failure::Eof));
        life.key()
    };

    assert_eq!(closed(0), closed(50_000_000));
}
