//! The model can disagree: compared with a core with one other setting it does, and prints the
//! difference as a script.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    CloseFrame, Config, ConfigBuilder, Connection, Event, Failure, Frame, HeartbeatKind, Instant,
    Login, Message, Multiplier, OpenError, RetryAfter, SocketId, Strategy, UnixMillis,
};
use gateway_testkit::Fixed;
use gateway_testkit::Reference;
use gateway_testkit::reference::Comparison;

const PONG: &str = r#"{"type":"pong"}"#;
const PEERS_PING: &str = r#"{"type":"ping"}"#;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config(change: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Arc<Config> {
    let builder = Config::builder().heartbeat(HeartbeatKind::Json); // only its pongs can be delivered
    Arc::new(change(builder).build().expect("the settings are within their limits"))
}

/// A life in which every setting matters: failed attempts, a stay with traffic, a dead peer, a stable stay, a close.
fn life() -> Vec<(u64, Event<'static>)> {
    let socket = SocketId::new;
    let busy = OpenError::Http { status: 429, retry_after: Some(RetryAfter::Seconds(600)) };
    let text = |id, text| Event::FrameReceived(socket(id), Frame::Text(text));
    vec![
        (0, Event::WallClock(UnixMillis(1_700_000_000_000))),
        (0, Event::ConnectRequested),
        (10_000, Event::Tick), // too late to open
        (12_000, Event::Tick),
        (12_010, Event::OpenFailed(socket(2), busy)),
        (342_010, Event::Tick),
        (342_020, Event::SocketOpened(socket(3))),
        (342_050, text(3, PEERS_PING)),
        (342_060, text(3, "data")),
        (342_060, Event::SendRequested(Message::Text("data"))),
        (372_020, Event::Tick), // a ping
        (372_040, text(3, PONG)),
        (402_020, Event::Tick), // a ping
        (406_000, Event::BytesReceived(socket(3))),
        (407_020, Event::Tick),
        (408_000, Event::SocketFailed(socket(3), Failure::Reset)),
        (414_500, Event::Tick),
        (414_510, Event::SocketOpened(socket(4))),
        (444_510, Event::Tick), // a ping
        (444_520, Event::PingHanded(socket(4), 200_000)),
        (453_623, Event::Tick), // dead, and stable before
        (455_623, Event::Tick),
        (455_630, Event::SocketOpened(socket(5))),
        (485_630, Event::Tick), // a ping
        (485_640, text(5, PONG)),
        (488_000, Event::SocketFailed(socket(5), Failure::Reset)),
        (490_000, Event::Tick),
        (490_010, Event::SocketOpened(socket(6))),
        (490_020, Event::CloseRequested(CloseFrame::NORMAL)),
        (492_020, Event::Tick), // nobody answered
    ]
}

/// The first difference of a core with these settings from a model with those.
fn first_difference(core: &Arc<Config>, model: &Arc<Config>) -> Option<String> {
    let core = Connection::new(Arc::clone(core), Fixed::HALF);
    let model = Reference::new(Arc::clone(model), Fixed::HALF);
    let mut comparison = Comparison::of(core, model).scripted();
    life()
        .into_iter()
        .find_map(|(at, event)| comparison.feed(Instant::from_millis(at), event).err())
}

#[test]
fn with_the_same_settings_the_two_agree() {
    let same = config(|builder| builder);

    assert_eq!(first_difference(&same, &same), None);
}

#[test]
fn with_one_other_setting_the_two_differ() {
    let defaults = config(|builder| builder);
    let others = [
        ("initial_delay", config(|b| b.initial_delay(millis(999)))),
        ("multiplier", config(|b| b.multiplier(Multiplier::ONE))),
        ("jitter", config(|b| b.jitter(Strategy::Equal))),
        ("max_attempts", config(|b| b.max_attempts(Some(1)))),
        ("stable_after", config(|b| b.stable_after(millis(60_000)))),
        ("retry_after_max", config(|b| b.retry_after_max(millis(299_999)))),
        ("heartbeat", config(|b| b.heartbeat(HeartbeatKind::Ping))),
        ("slowest_link", config(|b| b.slowest_link(64 << 10))),
        ("no heartbeat", config(|b| b.heartbeat(HeartbeatKind::Off))),
        ("heartbeat_interval", config(|b| b.heartbeat_interval(millis(30_001)))),
        ("heartbeat_timeout", config(|b| b.heartbeat_timeout(millis(4_999)))),
        ("heartbeat_strict", config(|b| b.heartbeat_strict(true))),
        ("heartbeat_phase", config(|b| b.heartbeat_phase(true))),
        ("deliver_pongs", config(|b| b.deliver_pongs(true))),
        ("answer_pings", config(|b| b.answer_pings(true))),
        ("login", config(|b| b.login(Login::External { timeout: millis(10_000) }))),
        ("connect_timeout", config(|b| b.connect_timeout(millis(10_001)))),
        ("close_timeout", config(|b| b.close_timeout(millis(2_001)))),
        ("data_timeout", config(|b| b.data_timeout(Some(millis(30_000))))),
    ];

    for (setting, other) in &others {
        assert!(first_difference(&defaults, other).is_some(), "{setting} makes no difference");
        assert!(first_difference(other, &defaults).is_some(), "{setting} makes no difference");
    }
}

#[test]
fn a_difference_is_told_as_a_script() {
    let slow = config(|builder| builder.connect_timeout(millis(11_000)));

    let told = first_difference(&slow, &config(|builder| builder)).expect("they differ");

    let lines: Vec<_> = told.lines().map(str::trim).collect();
    assert_eq!(lines[0], "the core differs from the contract's model on connect_requested");
    assert!(lines[1].starts_with("0  wall_clock 1700000000000"), "{told}");
    assert!(lines[2].starts_with("0  connect_requested  CONNECTING"), "{told}");
    assert!(told.contains("expected:"), "{told}");
    assert!(told.contains("ScheduleTimer(Instant(10000000000ns))"), "{told}");
    assert!(told.contains("ScheduleTimer(Instant(11000000000ns))"), "{told}");
}
