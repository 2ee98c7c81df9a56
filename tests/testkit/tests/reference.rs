//! The model can disagree: compared with a core with one other setting it does, and prints the
//! difference as a script.

use std::sync::Arc;

use gateway_core::{
    CloseFrame, Config, Connection, Event, Failure, Frame, Instant, Message, OpenError, RetryAfter,
    SocketId, UnixMillis,
};
use gateway_testkit::Fixed;
use gateway_testkit::Reference;
use gateway_testkit::reference::Comparison;

const PONG: &str = r#"{"type":"pong"}"#;
const PEERS_PING: &str = r#"{"type":"ping"}"#;

/// Another value of each setting.
const OTHERS: [(&str, &str); 29] = [
    ("reconnect.initial_delay", "'999ms'"),
    ("reconnect.max_delay", "'1500ms'"),
    ("reconnect.multiplier", "1"),
    ("reconnect.jitter", "'equal'"),
    ("reconnect.max_attempts", "1"),
    ("reconnect.stable_after", "'1m'"),
    ("reconnect.retry_after_max", "'299999ms'"),
    ("reconnect.renew_after", "'8s'"),
    ("reconnect.spread", "'2s'"),
    ("heartbeat.kind", "'ping'"),
    ("heartbeat.kind", "'off'"),
    ("heartbeat.kind", "'dialect'"),
    ("heartbeat.interval", "'30001ms'"),
    ("heartbeat.timeout", "'4999ms'"),
    ("heartbeat.strict", "true"),
    ("heartbeat.phase", "true"),
    ("heartbeat.slowest_link", "'64KiB'"),
    ("heartbeat.deliver_pongs", "true"),
    ("heartbeat.answer_pings", "true"),
    ("login.external", "true"),
    ("login.dialect", "true"),
    ("policy", "{ 429 = 'fatal' }"),
    ("ask_provider", "true"),
    ("shared_budget", "true"),
    ("attempt_timeout", "'10001ms'"),
    ("connect_timeout", "'10001ms'"),
    ("connect_timeout_max", "'15s'"),
    ("close_timeout", "'2001ms'"),
    ("data_timeout", "'30s'"),
];

/// Settings that matter only with another one.
const ONLY_WITH: [(&str, (&str, &str)); 1] = [("attempt_timeout", ("ask_provider", "true"))];

/// Settings that this life does not notice: the codec's, and a login's, which no text here answers.
const OF_NO_MATTER: [&str; 5] =
    ["max_message_size", "login.send", "login.accepted", "login.refused", "login.timeout"];

/// The defaults but for these settings, with the heartbeat whose pongs can be delivered.
fn config(settings: &[(&str, &str)]) -> Arc<Config> {
    let mut lines = String::new();
    let is_json = !settings.iter().any(|(path, _)| *path == "heartbeat.kind");
    for (path, value) in settings.iter().chain(is_json.then_some(&("heartbeat.kind", "'json'"))) {
        lines += &format!("{path} = {value}\n");
    }
    Arc::new(toml::from_str(&lines).expect("the settings are within their limits"))
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
        (415_000, Event::Tick),
        (415_010, Event::SocketOpened(socket(4))),
        (445_010, Event::Tick), // a ping
        (445_020, Event::PingHanded(socket(4), 200_000)),
        (454_123, Event::Tick), // dead, and stable before
        (456_123, Event::Tick),
        (456_130, Event::SocketOpened(socket(5))),
        (486_130, Event::Tick), // a ping
        (486_140, text(5, PONG)),
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
    let same = config(&[]);

    assert_eq!(first_difference(&same, &same), None);
}

#[test]
fn with_one_other_setting_the_two_differ() {
    for setting in Config::SETTINGS {
        let path = setting.path;
        if OF_NO_MATTER.contains(&path) {
            continue;
        }
        let others: Vec<_> = OTHERS.iter().filter(|(of, _)| *of == path).collect();
        assert!(!others.is_empty(), "add another value of `{path}` to OTHERS");
        let needed: Vec<_> = ONLY_WITH.iter().filter(|(of, _)| *of == path).collect();
        let with: Vec<_> = needed.iter().map(|(_, setting)| *setting).collect();
        let defaults = config(&with);
        for (_, value) in others {
            let other = config(&[&with[..], &[(path, value)]].concat());
            let told = format!("{path} = {value} makes no difference to the reference");
            assert!(first_difference(&defaults, &other).is_some(), "{told}");
            assert!(first_difference(&other, &defaults).is_some(), "{told}");
        }
    }
}

#[test]
fn a_difference_is_told_as_a_script() {
    let slow = config(&[("connect_timeout", "'11s'")]);

    let told = first_difference(&slow, &config(&[])).expect("they differ");

    let lines: Vec<_> = told.lines().map(str::trim).collect();
    assert_eq!(lines[0], "the core differs from the contract's model on connect_requested");
    assert!(lines[1].starts_with("0  wall_clock 1700000000000"), "{told}");
    assert!(lines[2].starts_with("0  connect_requested  CONNECTING"), "{told}");
    assert!(told.contains("expected:"), "{told}");
    assert!(told.contains("ScheduleTimer(Instant(10000000000ns))"), "{told}");
    assert!(told.contains("ScheduleTimer(Instant(11000000000ns))"), "{told}");
}
