//! What the public types say of themselves: getters, `Debug`, lengths. None shows a secret.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::snapshot::{give_up, optional_millis};
use gateway_core::{
    AcceptanceRule, Action, Actions, CloseFrame, Config, ConfigErrors, Connection, ConnectionState,
    Credentials, Dialect, Event, Exchange, Frame, GiveUpCause, Instant, Interest, JsonHeartbeat,
    JsonRule, Login, LoginAnswer, Message, NoDialect, Observed, Observer, Received, Recognised,
    RefusalRule, RetryBudget, Secret, SeededConnection, SendingFact, SocketId, Verdict, json_value,
};
use serde::Serialize;

use super::words::seconds;

#[test]
fn errors_of_a_configuration_are_a_list_of_field_value_and_limit() {
    let errors =
        Config::builder().close_timeout(Duration::ZERO).max_message_size(0).build().unwrap_err();

    let listed: Vec<_> = (&errors).into_iter().map(|e| (e.field(), e.value())).collect();
    assert_eq!(listed, [("close_timeout", "0ms"), ("max_message_size", "0")]);
    let first = errors.iter().next().unwrap().clone();
    assert!(first.limit().contains("1ms to 365d"), "{}", first.limit());
    let one = ConfigErrors::from(first.clone());
    assert_eq!(one.to_string(), first.to_string());
    assert_eq!(one.into_vec(), [first]);
    assert_eq!(errors.to_string().lines().count(), 2);
    assert_eq!(ConfigErrors::check(Vec::new()), Ok(()));
    assert_eq!(ConfigErrors::check(errors.clone().into_vec()), Err(errors));
}

#[test]
fn actions_are_a_list_that_knows_its_length() {
    let mut connection = Connection::from_seed(Arc::new(Config::default()), 7);
    let actions = connection.handle(Instant::ZERO, Event::ConnectRequested);
    let nothing = connection.handle(Instant::ZERO, Event::Tick);

    assert!(nothing.is_empty() && !actions.is_empty());
    assert_eq!(actions.as_slice().len(), 3, "news, the order to open, the timer");
    assert!(actions.as_slice().len() <= Actions::CAPACITY);
    assert_eq!(actions.iter().count(), 3);
    assert_eq!((&actions).into_iter().count(), 3);
    let mut rest = actions.clone().into_iter();
    assert_eq!((rest.len(), rest.size_hint()), (3, (3, Some(3))));
    let _ = rest.next();
    assert_eq!(rest.size_hint(), (2, Some(2)));
    let id = SocketId::new(1);
    let open = Action::OpenSocket { id, credentials: Credentials::Cached };
    assert_eq!(rest.next(), Some(open));
}

#[test]
fn payloads_have_lengths() {
    let frame = CloseFrame::new(1000, "bye").unwrap();
    for (frame, length) in [
        (Frame::Text("abc"), 3),
        (Frame::Binary(b"ab"), 2),
        (Frame::Ping(b"a"), 1),
        (Frame::Pong(b""), 0),
        (Frame::Close(None), 0),
        (Frame::Close(Some(frame)), 5),
    ] {
        assert_eq!((frame.len(), frame.is_empty()), (length, length == 0), "{frame:?}");
    }
    for (message, length) in
        [(Message::Text("abc"), 3), (Message::Binary(b"ab"), 2), (Message::Text(""), 0)]
    {
        assert_eq!((message.len(), message.is_empty()), (length, length == 0), "{message:?}");
    }
}

/// A gateway that wants `h` and answers `h`; the login is the configuration's.
struct OneLetter;

impl Dialect for OneLetter {
    fn interest(&self) -> Interest {
        Interest::texts_up_to(1)
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_text("h");
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        if message != Message::Text("h") {
            return Received::Deliver;
        }
        exchange.pong(None);
        Received::Consume
    }
}

#[test]
fn a_connection_shows_how_it_stands_and_no_secret() {
    let login = Login::Message {
        send: Secret::from("hunter2".to_owned()),
        accepted: AcceptanceRule::Any,
        refused: Vec::new(),
        timeout: seconds(1),
    };
    let config = Arc::new(Config::builder().login(login).build().unwrap());
    let mut connection = SeededConnection::from_seed_with(config, 7, OneLetter);
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
    let _ = connection.handle(Instant::ZERO, Event::SocketOpened(SocketId::new(1)));

    let shown = format!("{connection:?} {:?}", connection.config());

    assert!(shown.starts_with("Connection { state: Connected, socket: Some(SocketId(1)), "));
    assert!(shown.contains("(hidden)") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(connection.dialect().interest(), Interest::texts_up_to(1));
    assert_eq!(connection.state(), ConnectionState::Connected);
}

#[test]
fn a_seed_stands_for_its_draws() {
    let delay = |seed| {
        let config = Arc::new(Config::default());
        let mut connection = SeededConnection::from_seed_with(config, seed, NoDialect);
        let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
        let failed = Event::OpenFailed(SocketId::new(1), gateway_core::OpenError::Refused);
        gateway_testkit::delay(connection.handle(Instant::ZERO, failed).as_slice()).unwrap()
    };

    assert_eq!(delay(7), delay(7));
    assert_ne!(delay(7), delay(8));
}

#[test]
fn an_observer_need_not_care_for_the_beginning_and_for_what_is_sent() {
    struct Count(usize);
    impl Observer for Count {
        fn observe(&mut self, _: &Observed<'_>) {
            self.0 += 1;
        }
    }

    let mut count = Count(0);
    count.begin(&Config::default(), 7);
    let mut connection = Connection::from_seed(Arc::new(Config::default()), 7);
    let actions = connection.handle(Instant::ZERO, Event::Tick);
    count.observe(&connection.observed(Instant::ZERO, Event::Tick, &actions));
    count.sending(Instant::ZERO, &SendingFact::AnswerUnmatched);

    assert_eq!(count.0, 1);
}

#[test]
fn the_answer_to_a_login_is_judged_by_its_rules() {
    let message = |accepted: &str, refused: &[&str]| Login::Message {
        send: "open sesame".into(),
        accepted: AcceptanceRule::parse(accepted).unwrap(),
        refused: refused.iter().map(|rule| RefusalRule::parse(rule).unwrap()).collect(),
        timeout: seconds(1),
    };
    use LoginAnswer::{Accepted, AcceptedAndDelivered, NotAnAnswer, Refused};
    let refresh = Refused(Verdict::RefreshCredentials);
    let (yes, no) = (r#"{"ok":true,"n":17}"#, r#"{"ok":false}"#);
    let other = r#"{"price":17}"#;
    for (login, answers) in [
        (message("any", &[]), [AcceptedAndDelivered, AcceptedAndDelivered, AcceptedAndDelivered]),
        (message("/ok=true", &[]), [Accepted, NotAnAnswer, NotAnAnswer]),
        (message("/n=17", &["/ok=false"]), [Accepted, refresh, NotAnAnswer]),
        (message("any", &["/ok=false"]), [AcceptedAndDelivered, refresh, AcceptedAndDelivered]),
        // The first rule that matches decides, and a refusal goes before an acceptance.
        (
            message("any", &["/ok=null", "/n=17:retry", "/ok=true:fatal"]),
            [Refused(Verdict::Retry), AcceptedAndDelivered, AcceptedAndDelivered],
        ),
        (message("dialect", &[]), [NotAnAnswer; 3]),
        (Login::External { timeout: seconds(1) }, [NotAnAnswer; 3]),
        (Login::Dialect { timeout: seconds(1) }, [NotAnAnswer; 3]),
        (Login::None, [NotAnAnswer; 3]),
    ] {
        let judged = [yes, no, other].map(|text| login.judge(text));
        assert_eq!(judged, answers, "{login:?}");
    }
    let rule = JsonRule::parse("=17").unwrap();
    assert!(rule.matches_text("17") && !rule.matches_text("18") && !rule.matches_text("{"));
    let refusal = RefusalRule { rule: rule.clone(), verdict: Verdict::RefreshCredentials };
    assert_eq!(RefusalRule::from(rule), refusal);
}

#[test]
fn a_json_value_of_each_kind_is_read_as_it_is_written() {
    let text = r#"[null,true,7,-7,7.5,"a",[],{"b":{}}]"#;

    let value = json_value::parse(text).unwrap();

    assert_eq!(value, serde_json::json!([null, true, 7, -7, 7.5, "a", [], {"b": {}}]));
    assert_eq!(value.to_string(), text);
}

#[test]
fn a_pointer_into_a_value_that_holds_no_others_finds_nothing_in_it() {
    let rule = JsonRule::parse("/a/0=7").unwrap();
    for holder in [r#"{"0":7}"#, "[7]"] {
        assert!(rule.matches_text(&format!(r#"{{"a":{holder}}}"#)), "{holder}");
    }
    for value in ["null", "true", "7", "-7", "7.5", r#""7""#, "[]", "{}"] {
        assert!(!rule.matches_text(&format!(r#"{{"a":{value}}}"#)), "{value}");
        let twice = format!(r#"{{"a":{value},"a":[7]}}"#);
        assert!(rule.matches_text(&twice), "the last of two names counts: {twice}");
    }
}

#[test]
fn a_timestamp_of_any_type_but_a_whole_number_is_as_good_as_none() {
    for stamp in ["true", "null", "-1", "1.5", r#""x""#, "[1,[2]]", r#"{"a":{"b":1},"c":2}"#] {
        let text = format!(r#"{{"timestamp":{stamp},"type":"pong"}}"#);
        assert_eq!(JsonHeartbeat.recognise(&text), Recognised::Pong(None), "{text}");
    }
}

#[test]
fn a_schedule_is_empty_unless_an_open_is_reserved() {
    let mut schedule = RetryBudget::new(1, seconds(10)).schedule().unwrap();
    assert_eq!((schedule.len(), schedule.is_empty()), (0, true));

    let at = schedule.reserve(Instant::ZERO, Instant::from_millis(5_000));
    assert_eq!((schedule.len(), schedule.is_empty()), (1, false));

    schedule.release(Instant::ZERO, at);
    assert_eq!((schedule.len(), schedule.is_empty()), (0, true));
}

/// What gateway-wire adds to the statistics in its own snapshots.
#[derive(Serialize)]
struct Standing {
    #[serde(serialize_with = "optional_millis")]
    retry_in_ms: Option<Duration>,
    #[serde(serialize_with = "give_up")]
    gave_up: Option<GiveUpCause>,
}

#[test]
fn a_drivers_snapshot_has_whole_milliseconds_and_described_causes() {
    let retry_in_ms = Some(Duration::from_micros(1_999_999));
    let gave_up = Some(GiveUpCause::HttpStatus(404));
    for (standing, expected) in [
        (
            Standing { retry_in_ms, gave_up },
            r#"{"retry_in_ms":1999,"gave_up":{"cause":"http_status","http_status":404}}"#,
        ),
        (Standing { retry_in_ms: None, gave_up: None }, r#"{"retry_in_ms":null,"gave_up":null}"#),
    ] {
        assert_eq!(serde_json::to_string(&standing).unwrap(), expected);
    }
}

#[test]
fn a_budget_spans_a_millisecond_to_a_week() {
    let week = Duration::from_secs(604_800);
    for (span, is_right) in [
        (Duration::from_millis(1), true),
        (Duration::from_nanos(999_999), false),
        (week, true),
        (week + Duration::from_nanos(1), false),
    ] {
        assert_eq!(RetryBudget::new(10, span).schedule().is_ok(), is_right, "{span:?}");
    }
}

#[test]
fn a_schedule_forgets_the_opens_of_the_past() {
    let millis = Instant::from_millis;
    let mut schedule = RetryBudget::new(10, seconds(1)).burst(1).schedule().unwrap();
    for open in [0, 100, 200] {
        assert_eq!(schedule.reserve(millis(0), millis(0)), millis(open));
    }
    assert_eq!(schedule.reserve(millis(200), millis(200)), millis(300));
    assert_eq!(schedule.len(), 2, "that of this instant is still to come, as that of 300 ms");
    assert_eq!(schedule.reserve(millis(201), millis(201)), millis(400));
    assert_eq!(schedule.len(), 2, "those of 300 and 400 ms");
}
